//! API keys in the form their holders have them: `pzk_<id>_<secret>`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::RngExt as _;
use time::OffsetDateTime;

use crate::policy::verifier::SALT_BYTES;
use crate::secret::Secret;
use crate::zone::{ApiKey, ApiKeyRole, PlainVerifier};

const PREFIX: &str = "pzk_";
const ID_LETTERS: usize = 12;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Random bytes of a secret, of a partner's and of an API key's.
const SECRET_BYTES: usize = 32;

/// What they make in base64url.
const SECRET_LETTERS: usize = 43;

/// A new secret: 32 random bytes in base64url.
pub(super) fn new_secret() -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<SECRET_BYTES>()))
}

pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// A new key: what is kept of it, and the text that its holder is shown once.
pub(super) fn new_api_key(role: ApiKeyRole, now: OffsetDateTime) -> (ApiKey, Secret<String>) {
    let mut rng = rand::rng();
    let letter = |_| ALPHABET.get(rng.random_range(0..ALPHABET.len())).copied().map_or('0', char::from);
    let id: String = (0..ID_LETTERS).map(letter).collect();
    let secret = new_secret();
    let shown = Secret::new(format!("{PREFIX}{id}_{}", secret.expose()));
    (kept(id, secret.expose(), role, now), shown)
}

fn kept(id: String, secret: &str, role: ApiKeyRole, now: OffsetDateTime) -> ApiKey {
    let verifier = PlainVerifier::new(secret, &random_bytes::<SALT_BYTES>());
    ApiKey { id, role, created_at: now, verifier }
}

/// What is kept of a key that was made before; `None` if the text is not a whole key.
pub(super) fn adopted(shown: &str, role: ApiKeyRole, now: OffsetDateTime) -> Option<ApiKey> {
    let Presented { id, secret } = Presented::from_key(shown)?;
    let is_id = id.len() == ID_LETTERS && id.bytes().all(|letter| ALPHABET.contains(&letter));
    let is_secret = URL_SAFE_NO_PAD.decode(secret.expose()).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
    (is_id && is_secret).then(|| kept(id, secret.expose(), role, now))
}

/// What a request presents: not checked yet.
pub(super) struct Presented {
    pub(super) id: String,
    pub(super) secret: Secret<String>,
}

impl Presented {
    /// From the value of an `Authorization` header: `Bearer` with the whole key, or `Basic` (RFC 7617) with the id as user name and
    /// the secret as password, or with any user name and the whole key as password.
    pub(super) fn from_header(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::from_key(rest)
        } else if scheme.eq_ignore_ascii_case("basic") {
            let pair = Secret::new(String::from_utf8(STANDARD.decode(rest).ok()?).ok()?);
            let (id, password) = pair.expose().split_once(':')?;
            // A secret may begin like a key. It is too short to be one.
            let whole =
                Self::from_key(password).filter(|whole| whole.secret.expose().len() == SECRET_LETTERS);
            let pair = || Self { id: id.to_owned(), secret: Secret::new(password.to_owned()) };
            Some(whole.unwrap_or_else(pair))
        } else {
            None
        }
    }

    /// As Bearer has it.
    pub(super) fn whole(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}{}_{}", self.id, self.secret.expose()))
    }

    /// From a whole key.
    pub(super) fn from_key(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self { id: id.to_owned(), secret: Secret::new(secret.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_accepted_as_bearer_and_as_basic_and_nothing_else_is() {
        let (kept, shown) = new_api_key(ApiKeyRole::Admin, OffsetDateTime::UNIX_EPOCH);
        let bearer = Presented::from_header(&format!("Bearer {}", shown.expose())).unwrap();
        assert_eq!(bearer.id, kept.id);
        assert!(kept.verifier.accepts(bearer.secret.expose().as_bytes()));
        let pair = STANDARD.encode(format!("{}:{}", kept.id, bearer.secret.expose()));
        let basic = Presented::from_header(&format!("basic {pair}")).unwrap();
        assert!(basic.id == kept.id && kept.verifier.accepts(basic.secret.expose().as_bytes()));
        for user in ["", "somebody", "pzk_x_y"] {
            let pair = STANDARD.encode(format!("{user}:{}", shown.expose()));
            let whole = Presented::from_header(&format!("Basic {pair}")).unwrap();
            assert!(whole.id == kept.id && kept.verifier.accepts(whole.secret.expose().as_bytes()), "{user}");
        }
        let secret = format!("pzk_aaaaaaaaaaaa_{}", "x".repeat(SECRET_LETTERS - 17));
        let alike = STANDARD.encode(format!("{}:{secret}", kept.id));
        let alike = Presented::from_header(&format!("Basic {alike}")).unwrap();
        assert_eq!((alike.id, alike.secret.expose()), (kept.id.clone(), &secret), "a secret, not a key");
        for bad in ["", "Bearer", "Bearer x", "Bearer pzk_abc", "Basic !", "Digest a", "Basic YWJj"] {
            assert!(Presented::from_header(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_kept_of_a_key_does_not_hold_its_secret() {
        let (kept, shown) = new_api_key(ApiKeyRole::Viewer, OffsetDateTime::UNIX_EPOCH);
        let secret = shown.expose().splitn(3, '_').last().unwrap().to_owned();
        assert!(secret.len() == SECRET_LETTERS && !format!("{kept:?}").contains(&secret));
        assert_eq!(new_secret().expose().len(), SECRET_LETTERS);
    }
}
