//! A zone's own principal on its backing cluster: its name, and what follows from the master key. Pure.

use std::fmt::Write as _;

use thiserror::Error;

use crate::sasl::ScramHash;
use crate::secret::Secret;
use crate::zone::{KeyName, ZoneId, ZoneName};

/// What every user of ours begins with, on every cluster. No zone name holds anything that SCRAM or an ACL would read
/// differently.
pub const PREFIX: &str = "partner-zones.";

/// Bytes of the shortest master key.
const SHORTEST_KEY: usize = 32;

/// Kafka takes 4096 to 16384 rounds, and its tools write 4096.
const FEWEST_ROUNDS: u32 = 4097;
const ROUNDS_SPAN: u32 = 4095;

/// The SCRAM user that a zone's connections log in as.
pub fn user(zone: &ZoneName) -> String {
    format!("{PREFIX}{zone}")
}

/// The zone that a user of this name would belong to, whether there is one or not.
pub fn zone_of(user: &str) -> Option<ZoneName> {
    ZoneName::try_from(user.strip_prefix(PREFIX)?).ok()
}

/// Counts the passwords that a zone's principal has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u32);

impl Generation {
    pub const FIRST: Self = Self(1);
}

/// What all passwords of principals are derived from. Whoever has it is every partner at once.
#[derive(Debug, Clone)]
pub struct MasterKey(Secret<Vec<u8>>);

/// The key could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "has {0} bytes; wanted are at least {SHORTEST_KEY} random ones, for example from `openssl rand -base64 48`"
)]
pub struct KeyTooShort(usize);

impl MasterKey {
    pub fn new(key: &Secret<String>) -> Result<Self, KeyTooShort> {
        let bytes = key.expose().as_bytes();
        if bytes.len() < SHORTEST_KEY {
            Err(KeyTooShort(bytes.len()))
        } else {
            Ok(Self(Secret::new(bytes.to_vec())))
        }
    }

    /// What it is called in the state and in heartbeats.
    pub fn name(&self) -> KeyName {
        KeyName::of(&ScramHash::Sha256.hmac(self.0.expose(), b"name"))
    }

    /// The password of a zone's principal: 256 bits, in letters that no mechanism changes.
    pub fn password(&self, zone: ZoneId, generation: Generation) -> Secret<String> {
        let mac = self.derive("password", zone, generation);
        Secret::new(mac.iter().fold(String::with_capacity(2 * mac.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// The rounds of that password's credential. A cluster tells nothing of a credential but its rounds: these, which only the
    /// key gives, say that it is ours and of which generation. By chance they are right once in 4095 times.
    pub fn rounds(&self, zone: ZoneId, generation: Generation, hash: ScramHash) -> u32 {
        let what = match hash {
            ScramHash::Sha256 => "rounds-256",
            ScramHash::Sha512 => "rounds-512",
        };
        let mac = self.derive(what, zone, generation);
        let number = mac.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        FEWEST_ROUNDS + number % ROUNDS_SPAN
    }

    /// `HMAC-SHA-256(master key, what NUL zone id, generation)`.
    fn derive(&self, what: &str, zone: ZoneId, generation: Generation) -> zeroize::Zeroizing<Vec<u8>> {
        let message = [what.as_bytes(), b"\0", zone.0.as_bytes(), &generation.0.to_be_bytes()].concat();
        ScramHash::Sha256.hmac(self.0.expose(), &message)
    }
}

/// The master key, and the one before it as long as it is honoured.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    current: (KeyName, MasterKey),
    previous: Option<(KeyName, MasterKey)>,
}

impl MasterKeys {
    pub fn new(current: MasterKey, previous: Option<MasterKey>) -> Self {
        let named = |key: MasterKey| (key.name(), key);
        Self { current: named(current), previous: previous.map(named) }
    }

    /// What all nodes with this key have in common, and nobody else: for sealing what one of them may read of another.
    pub fn common(&self, purpose: &str) -> Option<[u8; 32]> {
        let message = [b"common\0", purpose.as_bytes()].concat();
        ScramHash::Sha256.hmac(self.current.1.0.expose(), &message).as_slice().try_into().ok()
    }

    /// Passwords are made of it from now on.
    pub fn current(&self) -> &KeyName {
        &self.current.0
    }

    /// Passwords that are made of it go on to count.
    pub fn previous(&self) -> Option<&KeyName> {
        self.previous.as_ref().map(|(name, _)| name)
    }

    pub fn all(&self) -> impl Iterator<Item = (&KeyName, &MasterKey)> {
        [&self.current].into_iter().chain(&self.previous).map(|(name, key)| (name, key))
    }

    pub fn get(&self, name: &KeyName) -> Option<&MasterKey> {
        self.all().find(|(known, _)| *known == name).map(|(_, key)| key)
    }
}

impl From<MasterKey> for MasterKeys {
    fn from(key: MasterKey) -> Self {
        Self::new(key, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> MasterKey {
        MasterKey::new(&Secret::new(letter.repeat(SHORTEST_KEY))).unwrap()
    }

    fn zone(name: &str) -> ZoneId {
        ZoneId::derive("cluster", &ZoneName::try_from(name).unwrap())
    }

    #[test]
    fn a_user_says_its_zone_and_nobody_elses_user_does() {
        let name = ZoneName::try_from("a.b-c_d").unwrap();
        assert_eq!(user(&name), "partner-zones.a.b-c_d");
        assert_eq!(zone_of("partner-zones.a.b-c_d"), Some(name));
        for other in ["admin", "partner-zones", "partner-zones.", "partner-zones.A", "partner-zones.."] {
            assert_eq!(zone_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_password_depends_on_key_zone_and_generation_and_never_changes() {
        let password = |letter: &str, name: &str, generation: u32| {
            key(letter).password(zone(name), Generation(generation)).expose().clone()
        };
        let first = password("k", "acme", 1);
        assert_eq!(first, password("k", "acme", 1));
        // Fixed for ever: another value would lock every zone out of its cluster.
        assert_eq!(first, "17a9c10ddcb2df90126da511b01cff583ad9680a270a44896a1fd25edd58d048");
        for other in [password("l", "acme", 1), password("k", "globex", 1), password("k", "acme", 2)] {
            assert_ne!(first, other);
        }
        assert!(!format!("{:?}", key("k")).contains('k'), "nothing is shown");
    }

    #[test]
    fn rounds_are_what_kafka_takes_and_never_what_its_tools_write() {
        let all: Vec<u32> = (0..1000)
            .flat_map(|number| {
                ScramHash::ALL.map(|hash| key("k").rounds(zone("acme"), Generation(number), hash))
            })
            .collect();
        assert!(all.iter().all(|rounds| (4097..=8191).contains(rounds)));
        let different: std::collections::BTreeSet<&u32> = all.iter().collect();
        assert!(different.len() > 1000, "{}", different.len());
    }

    #[test]
    fn keys_are_told_apart_by_names_that_never_change() {
        let keys = MasterKeys::new(key("k"), Some(key("l")));
        // Fixed for ever: under another name the state would not know what its passwords are made of.
        assert_eq!(keys.current().as_str(), "06554cc3b54c9aa8");
        assert_ne!(keys.previous(), Some(keys.current()));
        let password = |key: Option<&MasterKey>| key.map(|key| key.password(zone("acme"), Generation::FIRST));
        let of_previous = password(keys.previous().and_then(|name| keys.get(name))).unwrap();
        assert_eq!(of_previous.expose(), key("l").password(zone("acme"), Generation::FIRST).expose());
        assert!(MasterKeys::from(key("m")).get(keys.current()).is_none());
    }

    #[test]
    fn a_short_key_is_refused_with_what_to_do() {
        let refused = MasterKey::new(&Secret::new("x".repeat(31))).unwrap_err().to_string();
        assert!(refused.contains("31 bytes") && refused.contains("openssl rand"), "{refused}");
    }
}
