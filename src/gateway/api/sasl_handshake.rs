//! SaslHandshake (17): which mechanism the partner logs in with.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use kafka_protocol::protocol::StrBytes;

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

/// After authentication there is nothing to choose: sessions here have no lifetime, so nobody needs to log in again.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    mechanism(exchange.version, body)?;
    Ok(Outcome::Answer(answer(exchange.version, Some(ResponseError::IllegalSaslState), &[])?))
}

/// The mechanism that a request asks for.
pub(crate) fn mechanism(version: i16, body: Bytes) -> Result<String, Refusal> {
    let request: SaslHandshakeRequest = body::request(&REQUEST, version, body)?;
    Ok(request.mechanism.to_string())
}

/// The response: no error lets the client go on; the mechanisms are those it may choose from.
pub(crate) fn answer(
    version: i16,
    error: Option<ResponseError>,
    mechanisms: &[&'static str],
) -> Result<Bytes, Refusal> {
    let response = SaslHandshakeResponse::default()
        .with_error_code(error.map_or(0, |error| error.code()))
        .with_mechanisms(mechanisms.iter().map(|&mechanism| StrBytes::from_static_str(mechanism)).collect());
    body::encode(&response, version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;
    use crate::kafka::codec;

    #[test]
    fn the_mechanism_is_read_and_the_choice_is_listed() {
        for version in VERSIONS.first..=VERSIONS.last {
            let request = SaslHandshakeRequest::default().with_mechanism("GSSAPI".into());
            let body = codec::encode(&request, version).unwrap();
            assert_eq!(mechanism(version, body).unwrap(), "GSSAPI");
            let body = answer(version, Some(ResponseError::UnsupportedSaslMechanism), &["PLAIN"]).unwrap();
            let response: SaslHandshakeResponse = codec::decode(&RESPONSE, version, body).unwrap();
            assert_eq!((response.error_code, response.mechanisms), (33, vec!["PLAIN".into()]));
        }
    }

    #[test]
    fn whoever_is_logged_in_cannot_start_again() {
        let sent = Partner::of(&[]).send(17, 1, &SaslHandshakeRequest::default());
        assert_eq!(sent.answered::<SaslHandshakeResponse>().error_code, 34);
    }
}
