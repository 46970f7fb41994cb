//! Texts that stand for what they say, for whoever can read and make them: those who have the [`SessionKey`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::random_bytes;
use crate::secret::Secret;

/// What sessions of browsers are sealed with: the same on all nodes where there is a master key, else of this process alone.
#[derive(Debug)]
pub struct SessionKey(Secret<[u8; 32]>);

/// What a text is sealed for. One for another purpose does not open.
#[derive(Debug)]
pub(super) struct Purpose {
    /// How such a text begins.
    pub(super) prefix: &'static str,
    /// What nothing else that is sealed is bound to; changes with the form of what is in it.
    pub(super) bound_to: &'static [u8],
    /// Longer than any that is made here.
    pub(super) max_letters: usize,
}

impl SessionKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// One that no other process has.
    pub fn random() -> Self {
        Self::new(random_bytes())
    }

    /// `None` never: the key has the length that the cipher wants.
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.expose()).ok().map(LessSafeKey::new)
    }

    /// `None` if it would be too long to be opened again.
    pub(super) fn seal(&self, purpose: &Purpose, content: &impl Serialize) -> Option<Secret<String>> {
        let mut sealed = serde_json::to_vec(content).ok()?;
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.cipher()?.seal_in_place_append_tag(unique, Aad::from(purpose.bound_to), &mut sealed).ok()?;
        let letters = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        (letters.len() <= purpose.max_letters).then(|| Secret::new(format!("{}{letters}", purpose.prefix)))
    }

    /// What a text says, if it was sealed with this key for this.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: &Purpose, text: &str) -> Option<T> {
        let letters = text.strip_prefix(purpose.prefix).filter(|rest| rest.len() <= purpose.max_letters)?;
        let mut whole = URL_SAFE_NO_PAD.decode(letters).ok()?;
        let (nonce, sealed) = whole.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.cipher()?.open_in_place(nonce, Aad::from(purpose.bound_to), sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Purpose = Purpose { prefix: "one_", bound_to: b"one", max_letters: 200 };
    const OTHER: Purpose = Purpose { prefix: "one_", bound_to: b"other", max_letters: 200 };

    #[test]
    fn what_is_sealed_opens_with_its_own_key_and_for_its_own_purpose_and_shows_nothing() {
        let key = SessionKey::random();
        let sealed = key.seal(&ONE, &"hunter2").unwrap();
        assert!(sealed.expose().starts_with("one_") && !sealed.expose().contains("hunter2"));
        assert_eq!(key.open::<String>(&ONE, sealed.expose()).as_deref(), Some("hunter2"));
        assert_eq!(key.open::<String>(&OTHER, sealed.expose()), None);
        assert_eq!(SessionKey::random().open::<String>(&ONE, sealed.expose()), None);
        assert_ne!(key.seal(&ONE, &"hunter2").unwrap().expose(), sealed.expose());
        assert!(key.seal(&ONE, &"x".repeat(200)).is_none());
    }

    #[test]
    fn what_was_touched_does_not_open() {
        let key = SessionKey::random();
        let sealed = key.seal(&ONE, &"hunter2").unwrap();
        let text = sealed.expose();
        for at in ONE.prefix.len()..text.len() {
            let mut touched = text.clone().into_bytes();
            touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.open::<String>(&ONE, &String::from_utf8(touched).unwrap()), None, "letter {at}");
        }
        let long = format!("{}{}", ONE.prefix, "A".repeat(ONE.max_letters + 1));
        for bad in ["", ONE.prefix, "one_A", "two_AAAA", &text[..text.len() - 1], &long] {
            assert_eq!(key.open::<String>(&ONE, bad), None, "{bad}");
        }
    }
}
