//! The server side of SCRAM (RFC 5802, RFC 7677), without channel binding. The user name is a credential's key id.
//!
//! A name that nobody has is asked for its proof like any other, with a salt that stays the same as long as the process lives.
//! Like Kafka, no SASLprep: key ids are ASCII, and the secret never comes here.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use time::OffsetDateTime;

use super::super::view::{GatewayView, Login, Origin};
use crate::policy::verifier::of_nobody;
use crate::sasl::Mechanism;
use crate::zone::ScramVerifier;

/// Several times what any client sends.
const MAX_MESSAGE: usize = 1 << 10;
/// Bytes of randomness in the server's part of the nonce.
const NONCE_BYTES: usize = 24;

/// Makes the salts of names that nobody has: without it they cannot be told from real ones.
static NOBODY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// An exchange whose proof is next.
#[derive(Debug)]
pub(crate) struct Challenge {
    user: String,
    verifier: ScramVerifier,
    /// None: nobody has the name, and no proof will do.
    login: Option<Login>,
    /// What the client must say again: the channel binding of its first message, and both parts of the nonce.
    binding: String,
    nonce: String,
    /// The first two parts of RFC 5802's `AuthMessage`.
    signed: String,
}

/// `client-first-message`.
#[derive(Debug, PartialEq, Eq)]
struct ClientFirst<'a> {
    gs2_header: &'a str,
    bare: &'a str,
    user: String,
    nonce: &'a str,
}

/// `client-final-message`.
struct ClientFinal<'a> {
    without_proof: &'a str,
    binding: &'a str,
    nonce: &'a str,
    proof: Vec<u8>,
}

/// Answers a client's first message. `None` if it is malformed, which says nothing of the name in it.
pub(super) fn challenge(
    mechanism: Mechanism,
    view: &GatewayView,
    origin: Origin<'_>,
    message: &[u8],
    now: OffsetDateTime,
) -> Option<(Vec<u8>, Challenge)> {
    let hash = mechanism.scram()?;
    let first = ClientFirst::parse(text(message)?)?;
    let known = view.credentials(&first.user, origin).iter().find_map(|candidate| {
        let credential = &candidate.credential;
        if !candidate.proves_by(mechanism) || credential.is_expired(now) {
            return None;
        }
        Some((credential.scram(hash)?.clone(), candidate.login(&first.user, mechanism, origin.address)))
    });
    let nobody = || (of_nobody(hash, &first.user, &*NOBODY), None);
    let (verifier, login) = known.map_or_else(nobody, |(verifier, login)| (verifier, Some(login)));
    let nonce = format!("{}{}", first.nonce, BASE64.encode(rand::random::<[u8; NONCE_BYTES]>()));
    let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
    let signed = format!("{},{server_first}", first.bare);
    let binding = BASE64.encode(first.gs2_header);
    Some((server_first.into_bytes(), Challenge { user: first.user, verifier, login, binding, nonce, signed }))
}

impl Challenge {
    /// Whose proof is next.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Checks the client's proof, and that the login is still a good one; gives the server's own proof.
    pub(super) fn verify(
        self,
        view: &GatewayView,
        message: &[u8],
        now: OffsetDateTime,
    ) -> Option<(Vec<u8>, Login)> {
        let last = ClientFinal::parse(text(message)?)?;
        if last.nonce != self.nonce || last.binding != self.binding {
            return None;
        }
        let signed = format!("{},{}", self.signed, last.without_proof);
        let signature = self.verifier.accept(signed.as_bytes(), &last.proof);
        let login = self.login.filter(|login| !login.is_expired(now) && view.admitted(login).is_some());
        let (signature, login) = signature.zip(login)?;
        Some((format!("v={}", BASE64.encode(signature)).into_bytes(), login))
    }
}

impl<'a> ClientFirst<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // `n`: the client does not bind the channel. `p` would ask for what is not here, `y` is not for a server without it.
        let rest = text.strip_prefix("n,")?;
        let (authzid, bare) = rest.split_once(',')?;
        let gs2_header = text.get(..text.len() - bare.len())?;
        // A mandatory extension (`m=`) would stand in front of the name; optional ones follow the nonce.
        let (name, rest) = bare.strip_prefix("n=")?.split_once(',')?;
        let nonce = rest.strip_prefix("r=")?.split(',').next()?;
        let other_identity = !authzid.is_empty() && authzid.strip_prefix("a=") != Some(name);
        if other_identity || nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        Some(Self { gs2_header, bare, user: saslname(name)?, nonce })
    }
}

impl<'a> ClientFinal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        Some(Self { without_proof, binding, nonce, proof: BASE64.decode(proof).ok()? })
    }
}

fn text(message: &[u8]) -> Option<&str> {
    if message.len() > MAX_MESSAGE { None } else { std::str::from_utf8(message).ok() }
}

/// A name as SCRAM writes it: `=2C` is a comma, `=3D` an equals sign, and no other `=` may occur.
pub(super) fn saslname(written: &str) -> Option<String> {
    let mut parts = written.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (letter, rest) = match part.get(..2)? {
            "2C" => (',', part.get(2..)?),
            "3D" => ('=', part.get(2..)?),
            _ => return None,
        };
        name.push(letter);
        name.push_str(rest);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_first_message_has_a_name_a_nonce_and_no_channel_binding() {
        let parsed = ClientFirst::parse("n,a=user,n=user,r=abc,ext=1").unwrap();
        assert_eq!((parsed.gs2_header, parsed.bare), ("n,a=user,", "n=user,r=abc,ext=1"));
        assert_eq!((parsed.user.as_str(), parsed.nonce), ("user", "abc"));
        assert_eq!(ClientFirst::parse("n,,n=a=3Db=2Cc,r=x").unwrap().user, "a=b,c");
        for bad in [
            "",
            "n",
            "n,,",
            "n=user,r=abc",
            "y,,n=user,r=abc",
            "p=tls-unique,,n=user,r=abc",
            "n,a=other,n=user,r=abc",
            "n,b=user,n=user,r=abc",
            "n,,m=ext,n=user,r=abc",
            "n,,n=,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=us=,r=abc",
            "n,,n=us=2c,r=abc",
            "n,,n=user",
            "n,,n=user,r=",
            "n,,n=user,r=a b",
            "n,,n=user,r=\u{fc}",
            "n,,r=abc,n=user",
        ] {
            assert_eq!(ClientFirst::parse(bad), None, "{bad}");
        }
        assert_eq!(text(&[b'x'; MAX_MESSAGE + 1]), None);
        assert_eq!(text(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn no_message_panics(text in "[n,a=m r23CDp\u{fc}-]{0,40}") {
            let _ = ClientFirst::parse(&text);
            let _ = ClientFinal::parse(&text);
        }
    }
}
