//! SaslAuthenticate (36): the tokens of the mechanism.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Exchange, Outcome, Refusal, body};
pub(crate) use crate::kafka::control_shapes::SASL_AUTHENTICATE_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// Answered here.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 36,
    name: "SaslAuthenticateRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("authBytes", T::Bytes),
    ],
};

/// After a login a token has nobody to go to. The login itself is the connection's.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let _: SaslAuthenticateRequest = body::request(&REQUEST, version, body)?;
    let text = "SaslAuthenticate request received after successful authentication";
    let refused = SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(Some(StrBytes::from_static_str(text)));
    body::answer(&refused, version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn whoever_is_logged_in_cannot_start_again() {
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = Partner::of(&[]).send(36, version, &SaslAuthenticateRequest::default());
            assert_eq!(sent.answered::<SaslAuthenticateResponse>().error_code, 34);
        }
    }
}
