//! The topic ids that a partner is shown.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::zone::{TopicName, ZoneId};

/// A synthetic topic id: 128 bits of SHA-256 over (zone, alias, real id), the same on every node and after any restart.
///
/// Two aliases of one topic get two ids (a Java client refuses one id under two names), and a recreated topic gets a new
/// one. A real id never equals it but by chance, so a real id from a partner is unknown to us.
pub fn synthetic(zone: ZoneId, alias: &TopicName, real: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"partner-zones topic id\0");
    hash.update(zone.0.as_bytes());
    hash.update(real.as_bytes());
    hash.update(alias.as_str().as_bytes());
    let mut id = [0_u8; 16];
    for (to, from) in id.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    // Version 8 (RFC 9562): "vendor specific". It also keeps clear of Kafka's reserved ids 0 and 1.
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_triple_matters() {
        let zone = |n: u128| ZoneId(Uuid::from_u128(n));
        let alias = |text: &str| TopicName::try_from(text).unwrap();
        let id = synthetic(zone(1), &alias("a"), Uuid::from_u128(7));
        assert_eq!(id, synthetic(zone(1), &alias("a"), Uuid::from_u128(7)));
        assert_ne!(id, synthetic(zone(2), &alias("a"), Uuid::from_u128(7)));
        assert_ne!(id, synthetic(zone(1), &alias("b"), Uuid::from_u128(7)));
        assert_ne!(id, synthetic(zone(1), &alias("a"), Uuid::from_u128(8)));
    }
}
