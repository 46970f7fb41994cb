//! What one connection must remember between requests.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::api::consumer_group_heartbeat::Member;
use super::api::fetch::Session;
use super::meter::Meter;
use super::usage::Used;
use crate::zone::TopicName;

/// Fetch sessions created on this connection, and what its groups' members subscribed to.
///
/// All of it is bounded: a client has one fetch session per connection and joins few groups over it, and whoever has more
/// loses the oldest, which costs it a rebuilt session, the zone's first alias where it would have had its own, or a heartbeat more.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By the broker's session id.
    pub(crate) sessions: Recent<i32, Arc<Session>, 4>,
    /// A session that was ended here: the broker still has it, and is told with the next full fetch.
    pub(crate) abandoned: Option<i32>,
    /// Whose turn it is where one topic is fetched under several aliases.
    pub(crate) turn: usize,
    /// Members of classic groups.
    pub(crate) memberships: Members<Membership, 64>,
    /// Members of the new protocol (KIP-848).
    pub(crate) members: Members<Member, 16>,
    /// Where it is noted which aliases this connection uses.
    pub(crate) used: Option<Arc<Used>>,
}

/// What a member said when it joined a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Membership {
    /// A consumer that subscribed to these aliases.
    Consumer(Arc<HashSet<TopicName>>),
    /// Something else (Kafka Connect, for one), whose bytes are its own.
    Other,
}

impl Memory {
    pub(crate) fn of(used: Arc<Used>) -> Self {
        Self { used: Some(used), ..Self::default() }
    }

    /// Notes aliases as used.
    pub(crate) fn note<'a>(&self, aliases: impl IntoIterator<Item = &'a TopicName>) {
        if let Some(used) = &self.used {
            used.note(aliases);
        }
    }

    /// What this connection counts on.
    pub(crate) fn meter(&self) -> Option<Arc<Meter>> {
        self.used.as_ref().map(|used| Arc::clone(&used.meter))
    }

    /// A handler that panicked has left nothing half done that matters more than the connection it belongs to.
    pub(crate) fn lock(memory: &Mutex<Self>) -> MutexGuard<'_, Self> {
        memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map that keeps the `N` entries which were put in last.
#[derive(Debug)]
pub(crate) struct Recent<K, V, const N: usize> {
    entries: VecDeque<(K, V)>,
}

impl<K, V, const N: usize> Default for Recent<K, V, N> {
    fn default() -> Self {
        Self { entries: VecDeque::new() }
    }
}

impl<K: PartialEq, V, const N: usize> Recent<K, V, N> {
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.entries.len() == N {
            self.entries.pop_front();
        }
        self.entries.push_back((key, value));
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.entries.iter().position(|(known, _)| known == key)?;
        self.entries.remove(place).map(|(_, value)| value)
    }
}

/// The `N` members that were put in last, by the partner's group id and the member id.
///
/// Both ids are the client's to choose, of up to 32 KiB each, and some are remembered before a broker has seen them: so what
/// is kept of them is their hash.
#[derive(Debug)]
pub(crate) struct Members<V, const N: usize>(Recent<[u8; 32], V, N>);

impl<V, const N: usize> Default for Members<V, N> {
    fn default() -> Self {
        Self(Recent::default())
    }
}

impl<V, const N: usize> Members<V, N> {
    pub(crate) fn put(&mut self, key: &(String, String), value: V) {
        self.0.put(hash(key), value);
    }

    pub(crate) fn get(&self, key: &(String, String)) -> Option<&V> {
        self.0.get(&hash(key))
    }

    pub(crate) fn remove(&mut self, key: &(String, String)) -> Option<V> {
        self.0.remove(&hash(key))
    }
}

/// The length in front keeps apart what the ids of two members make when put together.
fn hash((group, member): &(String, String)) -> [u8; 32] {
    let hash = Sha256::new().chain_update(group.len().to_be_bytes()).chain_update(group);
    hash.chain_update(member).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_ids_of_any_length_of_which_none_is_kept() {
        let key = |group: &str, member: &str| (group.to_owned(), member.to_owned());
        let long = "m".repeat(32_767);
        let mut members = Members::<_, 4>::default();
        for (key, value) in
            [(key("g", "m"), 1), (key("gm", ""), 2), (key("", "gm"), 3), (key(&long, &long), 4)]
        {
            members.put(&key, value);
        }
        assert_eq!(members.get(&key("g", "m")), Some(&1));
        assert_eq!(members.get(&key("gm", "")), Some(&2));
        assert_eq!(members.get(&key(&long, &long)), Some(&4));
        assert_eq!(members.remove(&key("", "gm")), Some(3));
        assert_eq!(members.get(&key("", "gm")), None);
        let kept = format!("{members:?}");
        assert!(!kept.contains("mmm"), "{kept}");
    }

    #[test]
    fn the_oldest_entry_goes_first_and_a_repeated_one_is_new_again() {
        let mut recent = Recent::<_, _, 2>::default();
        recent.put("a", 1);
        recent.put("b", 2);
        recent.put("a", 3);
        recent.put("c", 4);
        assert_eq!((recent.get(&"a"), recent.get(&"b"), recent.get(&"c")), (Some(&3), None, Some(&4)));
        assert_eq!(recent.remove(&"a"), Some(3));
        assert_eq!(recent.get_mut(&"a"), None);
    }
}
