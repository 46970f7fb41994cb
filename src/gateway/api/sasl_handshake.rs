//! SaslHandshake (17): which mechanism the partner logs in with.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::{Exchange, Outcome, Refusal, body};
pub(crate) use crate::kafka::control_shapes::SASL_HANDSHAKE_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// Version 0 is followed by unframed tokens and is answered with an error.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 17,
    name: "SaslHandshakeRequest",
    versions: VERSIONS,
    flexible_since: i16::MAX,
    fields: &[
        F::new("mechanism", T::String),
    ],
};

/// After a login there is nothing to choose: sessions here have no lifetime, so nobody needs to log in again. The login
/// itself is the connection's.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let _: SaslHandshakeRequest = body::request(&REQUEST, version, body)?;
    let refused = SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code());
    body::answer(&refused, version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn whoever_is_logged_in_cannot_start_again() {
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = Partner::of(&[]).send(17, version, &SaslHandshakeRequest::default());
            assert_eq!(sent.answered::<SaslHandshakeResponse>().error_code, 34);
        }
    }
}
