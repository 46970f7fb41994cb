//! What partners use of their zones, counted where it passes, until somebody takes the figures.
//!
//! Each connection counts for itself, under a lock that nobody else wants. One that closes leaves behind what nobody has taken yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use super::view::Login;
use crate::kafka::records::Counted;
use crate::zone::usage::entry;
use crate::zone::{ClientUsage, TopicName, TopicUsage, Usage, Volume, ZoneName};

/// What connections that have closed left behind.
pub(crate) type Left = Mutex<BTreeMap<ZoneName, Usage>>;

/// What one connection uses.
#[derive(Debug)]
pub(crate) struct Meter {
    zone: ZoneName,
    counts: Mutex<Counts>,
    left: Arc<Left>,
}

/// Since it was taken last.
#[derive(Debug)]
struct Counts {
    /// What the connection has logged in with last, and what was done with it.
    credential: String,
    client: ClientUsage,
    /// All else: its topics, and what was done with credentials of before.
    usage: Usage,
    /// The moment of its last request. What comes of a request is of the same one.
    now: OffsetDateTime,
}

impl Meter {
    pub(crate) fn new(login: &Login, left: Arc<Left>) -> Self {
        let counts = Counts {
            credential: login.credential(),
            client: ClientUsage::default(),
            usage: Usage::default(),
            now: OffsetDateTime::now_utc(),
        };
        Self { zone: login.zone.name.clone(), counts: Mutex::new(counts), left }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has logged in again, perhaps with another credential.
    pub(crate) fn renewed(&self, login: &Login) {
        let mut counts = self.counts();
        counts.close_client();
        counts.credential = login.credential();
        counts.seen();
    }

    /// It is let in.
    pub(crate) fn entered(&self) {
        let mut counts = self.counts();
        counts.seen();
        counts.client.connections += 1;
    }

    pub(crate) fn requested(&self) {
        let mut counts = self.counts();
        counts.now = OffsetDateTime::now_utc();
        counts.seen();
        counts.client.requests += 1;
    }

    /// The request commits offsets.
    pub(crate) fn committed(&self) {
        self.counts().client.commits += 1;
    }

    /// The request names this alias.
    pub(crate) fn named(&self, alias: &TopicName) {
        self.counts().topic(alias, |_| {});
    }

    /// It is held back for so long.
    pub(crate) fn throttled(&self, wait: Duration) {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let mut counts = self.counts();
        counts.client.throttled_ms = counts.client.throttled_ms.saturating_add(ms);
    }

    /// Records on their way to a broker, as the partner sent them.
    pub(crate) fn produced<'a>(&self, records: impl IntoIterator<Item = (&'a TopicName, Counted)>) {
        let mut counts = self.counts();
        for (alias, counted) in records {
            let volume = Volume { bytes: counted.bytes, records: counted.records };
            counts.client.produced.add(&volume);
            counts.topic(alias, |usage| usage.produced.add(&volume));
        }
    }

    /// Records on their way to the partner, as the broker sent them.
    pub(crate) fn consumed<'a>(&self, records: impl IntoIterator<Item = (&'a TopicName, Counted)>) {
        let mut counts = self.counts();
        for (alias, counted) in records {
            let volume = Volume { bytes: counted.bytes, records: counted.records };
            counts.seen();
            counts.client.consumed.add(&volume);
            counts.topic(alias, |usage| usage.consumed.add(&volume));
        }
    }

    /// Adds to its zone what it has counted, and begins anew.
    pub(crate) fn take_into(&self, all: &mut BTreeMap<ZoneName, Usage>) {
        let mut counts = self.counts();
        counts.close_client();
        let usage = std::mem::take(&mut counts.usage);
        drop(counts);
        if usage != Usage::default() {
            all.entry(self.zone.clone()).or_default().add(&usage);
        }
    }
}

impl Counts {
    /// What was done with the credential at hand goes where that of all credentials is.
    fn close_client(&mut self) {
        let client = std::mem::take(&mut self.client);
        if client != ClientUsage::default() {
            entry(&mut self.usage.credentials, &self.credential, Usage::CREDENTIALS).add(&client);
        }
    }

    fn seen(&mut self) {
        self.client.last_seen = Some(self.now);
    }

    fn topic(&mut self, alias: &TopicName, count: impl FnOnce(&mut TopicUsage)) {
        let Self { usage: Usage { topics, .. }, now, .. } = self;
        let count = |usage: &mut TopicUsage| {
            usage.last_seen = Some(*now);
            count(usage);
        };
        match topics.get_mut(alias.as_str()) {
            Some(usage) => count(usage),
            None => count(entry(topics, alias.as_str(), Usage::TOPICS)),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.take_into(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use super::super::fixture::zone as served_zone;
    use super::super::view::Proof;
    use super::*;
    use crate::policy::ZoneView;
    use crate::sasl::Mechanism;

    const OLD: &str = "pz0123456789abcdef";
    const NEW: &str = "pz0123456789abcdeg";

    fn login(key_id: &str) -> Login {
        Login {
            user: "acme".to_owned(),
            zone: Arc::new(ZoneView::new(&served_zone("acme", &[]), &HashMap::new())),
            proof: Proof::Credential { key_id: key_id.try_into().unwrap(), mechanism: Mechanism::Plain },
            beside: None,
            address: IpAddr::from([192, 0, 2, 1]),
            expires_at: None,
        }
    }

    fn alias(name: &str) -> TopicName {
        name.try_into().unwrap()
    }

    fn taken(meter: &Meter) -> Usage {
        let mut all = BTreeMap::new();
        meter.take_into(&mut all);
        all.remove("acme").unwrap_or_default()
    }

    const SOME: Counted = Counted { bytes: 100, records: 3 };
    const VOLUME: Volume = Volume { bytes: 100, records: 3 };

    #[test]
    fn what_is_counted_is_taken_once_and_with_the_credential_that_it_was_done_with() {
        let meter = Meter::new(&login(OLD), Arc::default());
        let begun = OffsetDateTime::now_utc();
        meter.entered();
        meter.requested();
        meter.committed();
        meter.throttled(Duration::from_millis(1500));
        meter.produced([(&alias("a"), SOME), (&alias("b"), SOME)]);
        meter.renewed(&login(NEW));
        meter.requested();
        meter.named(&alias("c"));
        meter.consumed([(&alias("a"), SOME)]);
        let usage = taken(&meter);
        let before = usage.credentials[OLD];
        assert_eq!((before.connections, before.requests, before.commits), (1, 1, 1));
        assert_eq!((before.produced, before.throttled_ms), (Volume { bytes: 200, records: 6 }, 1500));
        let after = usage.credentials[NEW];
        assert_eq!((after.connections, after.requests, after.consumed), (0, 1, VOLUME));
        assert!(after.last_seen > before.last_seen && before.last_seen >= Some(begun));
        assert_eq!((usage.topics["a"].produced, usage.topics["a"].consumed), (VOLUME, VOLUME));
        assert_eq!(usage.topics["a"].last_seen, after.last_seen, "as of the request that it came of");
        assert_eq!(usage.topics["b"].last_seen, before.last_seen);
        assert_eq!(usage.topics["c"], TopicUsage { last_seen: after.last_seen, ..TopicUsage::default() });
        assert_eq!(taken(&meter), Usage::default());
        meter.requested();
        assert_eq!(taken(&meter).total().requests, 1);
    }

    #[test]
    fn a_connection_that_closes_leaves_what_nobody_has_taken() {
        let left = Arc::new(Left::default());
        for _ in 0..3 {
            let meter = Meter::new(&login(OLD), Arc::clone(&left));
            meter.produced([(&alias("a"), SOME)]);
            assert_eq!(taken(&meter).topics["a"].produced, VOLUME);
            meter.produced([(&alias("a"), SOME)]);
        }
        let left = left.lock().unwrap();
        assert_eq!(left["acme"].topics["a"].produced, Volume { bytes: 300, records: 9 });
        assert_eq!(left["acme"].credentials[OLD].produced.records, 9);
    }

    #[test]
    fn what_one_connection_names_takes_bounded_room_and_none_of_it_is_lost() {
        let meter = Meter::new(&login(OLD), Arc::default());
        for n in 0..Usage::TOPICS + 5 {
            meter.produced([(&alias(&format!("a{n}")), SOME)]);
        }
        let usage = taken(&meter);
        assert!(usage.topics.len() <= Usage::TOPICS + 1);
        assert!(usage.topics.contains_key(Usage::OTHERS));
        let records: u64 = usage.topics.values().map(|usage| usage.produced.records).sum();
        assert_eq!(records, 3 * (u64::try_from(Usage::TOPICS).unwrap() + 5));
    }
}
