//! The two passwords of a principal: what each is to be made of, and by which of them gateways log in. Pure.
//!
//! A master key is replaced without a moment in which a zone cannot log in:
//!
//! ```text
//!                                    in force      the other slot
//! before                             old           old
//! both keys are configured           old           new             written, and logged in with on every broker
//!                                    new           old             the slots have changed places: one record of the state
//! the old key is configured no more  new           new             now it counts for nothing
//! ```
//!
//! Each row follows from the one before by what the state remembers and the cluster shows, so that whoever goes on after a kill
//! does the rest. The order in which nodes are started again does not matter: see [`reason_to_wait`].

use std::collections::BTreeMap;

use crate::kafka::admin::ScramUser;
use crate::policy::principal::{Generation, MasterKeys};
use crate::sasl::ScramHash;
use crate::store::Nodes;
use crate::zone::{KeyName, Slots, ZoneId};

/// A password to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    pub key: KeyName,
    /// What the cluster shows of it.
    pub rounds: u32,
}

/// What a principal's passwords come to. `preferred` is the slot of a principal that nobody has logged in as yet.
pub(super) fn wanted(keys: &MasterKeys, known: Option<&Slots>, preferred: ScramHash) -> Slots {
    let new = keys.current();
    let Some(known) = known else { return Slots::both(new, preferred) };
    let (slot, other) = (known.in_force, known.in_force.other());
    let is_old = |key: &KeyName| keys.previous() == Some(key);
    if is_old(known.key(slot)) {
        return Slots { in_force: other, ..known.clone().with(other, new) };
    }
    let rest = if is_old(known.key(other)) { known.key(other).clone() } else { new.clone() };
    Slots::both(new, slot).with(other, &rest)
}

/// What of it the cluster does not have.
pub(super) fn missing(
    keys: &MasterKeys,
    id: ZoneId,
    wanted: &Slots,
    seen: &ScramUser,
) -> BTreeMap<ScramHash, Password> {
    let password = |hash: ScramHash| {
        let name = wanted.key(hash);
        let rounds = keys.get(name)?.rounds(id, Generation::FIRST, hash);
        let is_there = seen.get(&hash).copied() == i32::try_from(rounds).ok();
        (!is_there).then(|| (hash, Password { key: name.clone(), rounds }))
    };
    ScramHash::ALL.into_iter().filter_map(password).collect()
}

/// Whether a user of these rounds was made with one of the keys. One slot is enough, since whoever changed the other did not make
/// the user.
pub(super) fn is_ours(keys: &MasterKeys, id: ZoneId, seen: &ScramUser) -> bool {
    keys.all().any(|(_, key)| {
        seen.iter()
            .any(|(hash, rounds)| i32::try_from(key.rounds(id, Generation::FIRST, *hash)) == Ok(*rounds))
    })
}

/// Why passwords cannot be changed yet: a gateway could not log in with what comes into force, or still does with what would go.
pub(super) fn reason_to_wait(known: &Slots, wanted: &Slots, nodes: &Nodes) -> Option<String> {
    let has = |key: &KeyName, node: &str| {
        nodes.get(node).is_some_and(|heartbeat| heartbeat.master_keys.contains(key.as_str()))
    };
    let new = wanted.key_in_force();
    if known.key_in_force() != new
        && let Some(node) = nodes.keys().find(|node| !has(new, node))
    {
        return Some(format!("node {node} does not have the master key {new} yet"));
    }
    let goes = |hash: ScramHash| {
        let old = known.key(hash);
        let is_used = hash == known.in_force || old != known.key_in_force();
        (old != wanted.key(hash) && is_used).then_some(old)
    };
    let mut gone = ScramHash::ALL.into_iter().filter_map(goes);
    let kept = |old: &KeyName| {
        let node = nodes.keys().find(|node| has(old, node))?;
        Some(format!("node {node} still has the master key {old}"))
    };
    gone.find_map(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::principal::MasterKey;
    use crate::secret::Secret;
    use crate::store::samples;
    use ScramHash::{Sha256, Sha512};

    fn key(letter: &str) -> MasterKey {
        MasterKey::new(&Secret::new(letter.repeat(32))).unwrap()
    }

    fn nodes(all: &[&[&str]]) -> Nodes {
        let node = |(number, letters): (usize, &&[&str])| {
            let mut heartbeat = samples::heartbeat(&format!("n{number}"), 1);
            heartbeat.master_keys = letters.iter().map(|letter| key(letter).name().to_string()).collect();
            (heartbeat.node.clone(), heartbeat)
        };
        all.iter().enumerate().map(node).collect()
    }

    fn slots(in_force: ScramHash, sha256: &str, sha512: &str) -> Slots {
        Slots { in_force, sha256: key(sha256).name(), sha512: key(sha512).name() }
    }

    fn keys(current: &str, previous: Option<&str>) -> MasterKeys {
        MasterKeys::new(key(current), previous.map(key))
    }

    #[test]
    fn a_key_is_replaced_slot_by_slot_and_back_again() {
        let first = wanted(&keys("a", None), None, Sha512);
        assert_eq!(first, slots(Sha512, "a", "a"));
        let changed = wanted(&keys("b", Some("a")), Some(&first), Sha512);
        assert_eq!(changed, slots(Sha256, "b", "a"));
        assert_eq!(wanted(&keys("b", Some("a")), Some(&changed), Sha512), changed, "and stays so");
        let done = wanted(&keys("b", None), Some(&changed), Sha512);
        assert_eq!(done, slots(Sha256, "b", "b"));
        // Given up half way, and the next one.
        assert_eq!(wanted(&keys("a", Some("b")), Some(&changed), Sha512), slots(Sha512, "b", "a"));
        assert_eq!(wanted(&keys("c", Some("b")), Some(&done), Sha512), slots(Sha512, "b", "c"));
        // Without the old one there is nothing to change places with.
        assert_eq!(wanted(&keys("c", None), Some(&done), Sha512), slots(Sha256, "c", "c"));
    }

    #[test]
    fn only_what_the_cluster_does_not_have_is_written() {
        let (keys, id) = (keys("b", Some("a")), ZoneId::derive("home", &"acme".try_into().unwrap()));
        let rounds =
            |letter: &str, hash| i32::try_from(key(letter).rounds(id, Generation::FIRST, hash)).unwrap();
        let seen = ScramUser::from([(Sha256, rounds("a", Sha256)), (Sha512, rounds("a", Sha512))]);
        let put = missing(&keys, id, &slots(Sha256, "b", "a"), &seen);
        let put: Vec<_> = put.into_iter().map(|(hash, password)| (hash, password.key)).collect();
        assert_eq!(put, [(Sha256, key("b").name())]);
        assert!(is_ours(&keys, id, &seen));
        assert!(!is_ours(&MasterKeys::from(key("c")), id, &seen));
    }

    #[test]
    fn nothing_changes_that_a_gateway_could_not_follow() {
        let waits =
            |known: &Slots, wanted: &Slots, all: &[&[&str]]| reason_to_wait(known, wanted, &nodes(all));
        let (before, changed, done) =
            (slots(Sha512, "a", "a"), slots(Sha256, "b", "a"), slots(Sha256, "b", "b"));
        let why = waits(&before, &changed, &[&["b", "a"], &["a"]]).unwrap();
        assert!(why.contains("node n1 does not have"), "{why}");
        assert_eq!(waits(&before, &changed, &[&["b", "a"], &["b", "a"]]), None);
        // Connections of before may still renew their login by the old password.
        let why = waits(&changed, &done, &[&["b"], &["b", "a"]]).unwrap();
        assert!(why.contains("node n1 still has"), "{why}");
        assert_eq!(waits(&changed, &done, &[&["b"], &["b"]]), None);
        // A controller with another key than the gateways changes nothing for them.
        let other = slots(Sha512, "c", "c");
        assert!(waits(&before, &other, &[&["a"]]).is_some());
        assert_eq!(waits(&before, &other, &[&["c"]]), None);
        assert_eq!(waits(&before, &other, &[]), None);
    }
}
