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

/// After authentication a token has nobody to go to.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    token(exchange.version, body)?;
    let text = "SaslAuthenticate request received after successful authentication";
    Ok(Outcome::Answer(refuse(exchange.version, ResponseError::IllegalSaslState, text)?))
}

/// The mechanism's token in a request.
pub(crate) fn token(version: i16, body: Bytes) -> Result<Bytes, Refusal> {
    let request: SaslAuthenticateRequest = body::request(&REQUEST, version, body)?;
    Ok(request.auth_bytes)
}

/// The response that goes on with `token`, or ends well with it. The session has no end of its own.
pub(crate) fn accept(version: i16, token: Bytes) -> Result<Bytes, Refusal> {
    body::encode(&SaslAuthenticateResponse::default().with_auth_bytes(token), version)
}

/// The response that ends it.
pub(crate) fn refuse(version: i16, error: ResponseError, text: &'static str) -> Result<Bytes, Refusal> {
    let response = SaslAuthenticateResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_static_str(text)));
    body::encode(&response, version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;
    use crate::kafka::codec;

    #[test]
    fn tokens_go_in_and_out_at_every_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0u\0p"));
            assert_eq!(
                token(version, codec::encode(&request, version).unwrap()).unwrap(),
                request.auth_bytes
            );
            let body = accept(version, Bytes::from_static(b"v=1")).unwrap();
            let response: SaslAuthenticateResponse = codec::decode(&RESPONSE, version, body).unwrap();
            assert_eq!(
                (response.error_code, &*response.auth_bytes, response.session_lifetime_ms),
                (0, &b"v=1"[..], 0)
            );
            let body = refuse(version, ResponseError::SaslAuthenticationFailed, "no").unwrap();
            let response: SaslAuthenticateResponse = codec::decode(&RESPONSE, version, body).unwrap();
            assert_eq!((response.error_code, response.error_message), (58, Some("no".into())));
        }
    }

    #[test]
    fn whoever_is_logged_in_cannot_start_again() {
        let sent = Partner::of(&[]).send(36, 2, &SaslAuthenticateRequest::default());
        assert_eq!(sent.answered::<SaslAuthenticateResponse>().error_code, 34);
    }
}
