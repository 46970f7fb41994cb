//! What the state remembers of a zone's own principal on its backing cluster.

use std::fmt;

use crate::sasl::ScramHash;

/// Hexadecimal digits of a key's name.
const DIGITS: usize = 16;

/// Tells master keys apart. It follows from the key, and nothing of the key follows from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Takes the first bytes of a digest.
    pub fn of(digest: &[u8]) -> Self {
        let mut name: String = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect();
        name.truncate(DIGITS);
        Self(name)
    }

    /// As it was written down; none if it is no such name.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
        (text.len() == DIGITS && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digit(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or_default()
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A principal that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The id that the cluster had when it was made.
    pub cluster_id: String,
    /// None: it was begun, and nobody has logged in as it yet.
    pub slots: Option<Slots>,
}

/// A principal's two passwords, one for each SCRAM mechanism: a new one counts everywhere before an old one ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The one that gateways log in by.
    pub in_force: ScramHash,
    /// The master key that the password of SCRAM-SHA-256 is made of.
    pub sha256: KeyName,
    /// The same for SCRAM-SHA-512.
    pub sha512: KeyName,
}

impl Slots {
    /// Both of one key.
    pub fn both(key: &KeyName, in_force: ScramHash) -> Self {
        Self { in_force, sha256: key.clone(), sha512: key.clone() }
    }

    /// What the password of this slot is made of.
    pub fn key(&self, hash: ScramHash) -> &KeyName {
        match hash {
            ScramHash::Sha256 => &self.sha256,
            ScramHash::Sha512 => &self.sha512,
        }
    }

    /// What the gateways' password is made of.
    pub fn key_in_force(&self) -> &KeyName {
        self.key(self.in_force)
    }

    /// With another password in one slot.
    #[must_use]
    pub fn with(mut self, hash: ScramHash, key: &KeyName) -> Self {
        match hash {
            ScramHash::Sha256 => self.sha256 = key.clone(),
            ScramHash::Sha512 => self.sha512 = key.clone(),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_name_and_what_is_none_is_not_taken_for_one() {
        let name = KeyName::of(&[0x0a, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(name.as_str(), "0af0010203040506");
        assert_eq!(KeyName::parse(name.as_str()), Some(name));
        for other in ["", "0af001020304050", "0AF0010203040506", "0af00102030405061", "0af00102030405/6"] {
            assert_eq!(KeyName::parse(other), None, "{other}");
        }
    }
}
