//! The server side of SASL PLAIN (RFC 4616).

use time::OffsetDateTime;

use super::super::view::{GatewayView, Login, Origin};
use crate::sasl::Mechanism;
use crate::zone::PlainVerifier;

/// Longer than any user name and secret; the RFC has no limit.
const MAX_MESSAGE: usize = 2 << 10;

/// What a client sends: `[authzid] NUL authcid NUL passwd`.
struct Message<'a> {
    user: &'a str,
    password: &'a [u8],
}

/// Checks a PLAIN message against the logins of this moment. `None` does not say why, and takes the same work either way.
pub(crate) fn authenticate(
    view: &GatewayView,
    origin: Origin<'_>,
    message: &[u8],
    now: OffsetDateTime,
) -> Option<Login> {
    let Message { user, password } = parse(message)?;
    let candidates = view.credentials(user, origin);
    if candidates.is_empty() {
        PlainVerifier::reject(password);
        return None;
    }
    // All of them, whichever fits: how long it takes must not tell which one did.
    let mut accepted = None;
    for candidate in candidates {
        let credential = &candidate.credential;
        let right = credential.plain.accepts(password);
        if right && candidate.proves_by(Mechanism::Plain) && !credential.is_expired(now) {
            accepted = Some(candidate.login(user, Mechanism::Plain, origin.address));
        }
    }
    accepted
}

/// The name that a message is to prove.
pub(super) fn claimed(message: &[u8]) -> Option<&str> {
    parse(message).map(|message| message.user)
}

fn parse(message: &[u8]) -> Option<Message<'_>> {
    if message.len() > MAX_MESSAGE {
        return None;
    }
    let mut parts = message.split(|&byte| byte == 0);
    let (authzid, authcid, password) = (parts.next()?, parts.next()?, parts.next()?);
    let other_identity = !authzid.is_empty() && authzid != authcid;
    if parts.next().is_some() || authcid.is_empty() || password.is_empty() || other_identity {
        return None;
    }
    Some(Message { user: std::str::from_utf8(authcid).ok()?, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_three_parts_and_no_foreign_identity() {
        for (good, user) in [(&b"\0anna\0secret"[..], "anna"), (b"anna\0anna\0secret", "anna")] {
            let message = parse(good).unwrap();
            assert_eq!((message.user, message.password), (user, &b"secret"[..]));
        }
        let long = [b"\0anna\0".to_vec(), vec![b'x'; MAX_MESSAGE]].concat();
        for bad in [
            &b""[..],
            b"anna",
            b"\0anna",
            b"\0anna\0",
            b"\0\0secret",
            b"berta\0anna\0secret",
            b"\0anna\0secret\0",
            b"\0\xff\0secret",
            &long,
        ] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
