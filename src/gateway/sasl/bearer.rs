//! The server side of OAUTHBEARER (RFC 7628): a token of an issuer outside.
//!
//! Whoever is refused is told the same, whatever was wrong: nobody learns from it whose subject has a zone.

use time::OffsetDateTime;

use super::super::issuers::Issuers;
use super::super::view::{GatewayView, Login, Origin};
use super::scram::saslname;
use crate::policy::token::{MAX_TOKEN, Refusal};

/// What a broker says of a bad token, in its challenge and in its refusal.
pub(crate) const INVALID_TOKEN: &str = r#"{"status":"invalid_token"}"#;

/// A token, an identity and some extensions.
const MAX_MESSAGE: usize = MAX_TOKEN + (4 << 10);

/// Letters of a subject in the log; a service account has no more.
const SHOWN: usize = 255;

/// What separates and ends the parts of a message.
const CONTROL_A: char = '\x01';

/// `client-resp`. Extensions (KIP-342) are checked and not used: nothing here asks for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Who the client wants to be; nobody but the token's subject will do.
    identity: Option<String>,
    pub(super) token: &'a str,
}

/// Checks a message against the issuers' keys and the zones of this moment. Why one is refused is for the operator's log.
pub(super) fn authenticate(
    issuers: &Issuers,
    view: &GatewayView,
    origin: Origin<'_>,
    message: &[u8],
    now: OffsetDateTime,
) -> Result<Login, ()> {
    // Whose it is may be told once the issuer has vouched for it.
    let mut subject = None;
    let checked = Message::parse(message).ok_or(Refusal::Malformed).and_then(|message| {
        let (issuer, bearer) = issuers.check(message.token, now)?;
        subject = Some(bearer.subject.chars().take(SHOWN).collect::<String>());
        if message.identity.is_some_and(|identity| identity != bearer.subject) {
            return Err(Refusal::Identity);
        }
        view.bearer(issuer, bearer, origin).ok_or(Refusal::NoZone)
    });
    checked.map_err(|refusal| {
        tracing::info!(address = %origin.address, reason = refusal.label(), subject, "a token is refused: {refusal}");
        issuers.refused(refusal);
    })
}

impl<'a> Message<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        if message.len() > MAX_MESSAGE {
            return None;
        }
        // `n`: the client does not bind the channel.
        let rest = std::str::from_utf8(message).ok()?.strip_prefix("n,")?;
        let (header, rest) = rest.split_once(CONTROL_A)?;
        let identity = match header.strip_suffix(',')? {
            "" => None,
            named => Some(saslname(named.strip_prefix("a=")?).filter(|name| !name.contains(','))?),
        };
        let pairs = rest.strip_suffix(CONTROL_A)?.strip_suffix(CONTROL_A)?;
        let mut token = None;
        for pair in pairs.split(CONTROL_A) {
            let (key, value) = pair.split_once('=')?;
            if !is_pair(key, value) {
                return None;
            }
            if key == "auth" && token.replace(bearer_token(value)?).is_some() {
                return None;
            }
        }
        Some(Self { identity, token: token? })
    }
}

/// RFC 7628's `kvpair`.
fn is_pair(key: &str, value: &str) -> bool {
    let is_value = |byte: u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic()) && value.bytes().all(is_value)
}

/// The token behind its scheme, which is written in any case.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<(Option<String>, &str)> {
        Message::parse(text.as_bytes()).map(|message| (message.identity, message.token))
    }

    #[test]
    fn a_message_has_one_token_and_extensions_of_the_allowed_letters() {
        let long = format!("n,,\x01auth=Bearer {}\x01\x01", "x".repeat(MAX_MESSAGE));
        for (good, identity) in [
            ("n,,\x01auth=Bearer a.b-c_d\x01\x01", None),
            ("n,,\x01auth=bearer  a.b-c_d\x01\x01", None),
            ("n,a=acme-app,\x01auth=Bearer a.b-c_d\x01\x01", Some("acme-app")),
            ("n,a=a=3Db,\x01auth=Bearer a.b-c_d\x01\x01", Some("a=b")),
            ("n,,\x01traceId=1 2,3=\x01auth=Bearer a.b-c_d\x01host=h\x01\x01", None),
        ] {
            assert_eq!(parse(good), Some((identity.map(str::to_owned), "a.b-c_d")), "{good:?}");
        }
        for bad in [
            "",
            "\x01",
            "n,,",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer t\x01",
            "n,,\x01auth=Bearer t",
            "n,,auth=Bearer t\x01\x01",
            "y,,\x01auth=Bearer t\x01\x01",
            "p=tls-unique,,\x01auth=Bearer t\x01\x01",
            "n,b=acme,\x01auth=Bearer t\x01\x01",
            "n,a=,\x01auth=Bearer t\x01\x01",
            "n,a=a,b,\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Basic t\x01\x01",
            "n,,\x01auth=Bearer\x01\x01",
            "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            "n,,\x01host=h\x01\x01",
            "n,,\x01auth=Bearer t\x01trace1=x\x01\x01",
            "n,,\x01auth=Bearer t\x01=x\x01\x01",
            "n,,\x01auth=Bearer t\x01trace=\u{e4}\x01\x01",
            "n,,\x01auth=Bearer t\x01trace=\x02\x01\x01",
            "n,,\x01auth=Bearer t\x01\x01\x01",
            &long,
        ] {
            assert_eq!(parse(bad), None, "{bad:.60?}");
        }
        assert!(Message::parse(b"n,,\x01auth=Bearer \xff\x01\x01").is_none());
    }

    proptest! {
        #[test]
        fn no_message_panics(text in "[n,a=uth Ber\x01\x02\u{fc}.]{0,60}") {
            let _ = parse(&text);
        }
    }
}
