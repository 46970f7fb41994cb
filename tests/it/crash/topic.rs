//! The state topic as it lies there, read to its end and checked record by record.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::{PATIENCE, ZONES};
use crate::support::log::{self, Logged};

/// What every zone of a generation shares.
pub(super) fn backing(generation: usize) -> String {
    format!("generation-{generation}")
}

/// The zone that only this generation has.
pub(super) fn only(generation: usize) -> String {
    format!("only-{generation}")
}

/// Committed records, in their order.
pub(crate) type Records = Vec<(String, Option<Value>)>;

pub(crate) struct StateTopic {
    pub(crate) state: Records,
    pub(crate) audit: Records,
}

/// What a check has found.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) sequence: u64,
    /// In force at the end.
    pub(super) generation: Option<usize>,
    /// How many generations were in force, one after the other.
    pub(super) applied: usize,
    /// Who says last that it leads.
    pub(super) leader: String,
    /// How often that changed.
    pub(super) terms: usize,
}

/// A topic from its first record to its last; nothing while there is no such topic: the first controller makes it.
fn read(bootstrap: &str, topic: &str) -> Records {
    let records = log::records(bootstrap, topic, 0, PATIENCE).unwrap_or_default();
    let typed = |record: Logged| {
        let key = String::from_utf8(record.key.unwrap()).unwrap();
        (key, record.value.map(|bytes| serde_json::from_slice(&bytes).unwrap()))
    };
    records.into_iter().map(typed).collect()
}

/// The last commit that changed a zone.
fn last_change(state: &Records) -> u64 {
    let changed = state.iter().filter(|(key, _)| key.starts_with("zone/"));
    changed.filter_map(|(_, zone)| zone.as_ref()?["changed"].as_u64()).max().unwrap_or_default()
}

/// The commit that an event is part of.
fn commit_of((_, event): &(String, Option<Value>)) -> Option<u64> {
    event.as_ref()?["data"]["sequence"].as_u64()
}

impl StateTopic {
    pub(crate) fn read(bootstrap: &str) -> Self {
        let state = read(bootstrap, "_partner-zones.state");
        // A transaction ends in one topic after the other: the last one may be seen in the first before it is in the second.
        let (last, deadline) = (last_change(&state), Instant::now() + PATIENCE);
        let mut audit = Vec::new();
        while audit.iter().filter_map(commit_of).max().unwrap_or_default() < last {
            assert!(Instant::now() < deadline, "nothing is told of commit {last}");
            audit = read(bootstrap, "_partner-zones.audit");
        }
        Self { state, audit }
    }

    /// Panics if any state that was ever in force was not one generation, was an older one than the state before, or was not the next
    /// commit after it.
    pub(super) fn check(&self, generations: &[String]) -> Seen {
        let mut seen = Seen::default();
        let mut zones: BTreeMap<String, Value> = BTreeMap::new();
        // Of the transaction that is being read.
        let (mut touched, mut changes) = (Vec::new(), 0);
        // What the audit log has to tell: who changed, and in which commit.
        let mut told = Vec::new();
        for (key, value) in &self.state {
            match (key.as_str(), value) {
                ("lease", Some(lease)) => {
                    let node = lease["node"].as_str().unwrap();
                    seen.terms += usize::from(seen.leader != node);
                    node.clone_into(&mut seen.leader);
                }
                ("revision", Some(revision)) => {
                    let sequence = revision["sequence"].as_u64().unwrap();
                    let wanted = seen.sequence + u64::from(changes > 0);
                    assert_eq!(sequence, wanted, "two writers, or a commit in part: {seen:?}, {touched:?}");
                    let of_this =
                        |name: &String| zones.get(name).is_none_or(|zone| zone["changed"] == sequence);
                    assert!(touched.iter().all(of_this), "records of another commit: {touched:?}");
                    seen.sequence = sequence;
                    told.extend(touched.drain(..).map(|name| (format!("zone/{name}"), sequence)));
                    if !zones.is_empty() {
                        let generation = whole(&zones, revision, generations);
                        assert!(seen.generation <= Some(generation), "{generation} after {seen:?}");
                        seen.applied += usize::from(seen.generation != Some(generation));
                        seen.generation = Some(generation);
                    }
                    changes = 0;
                }
                (key, value) => {
                    changes += 1;
                    let Some(name) = key.strip_prefix("zone/") else { continue };
                    touched.push(name.to_owned());
                    match value {
                        Some(value) => zones.insert(name.to_owned(), value.clone()),
                        None => zones.remove(name),
                    };
                }
            }
        }
        assert_eq!(changes, 0, "committed records without an end");
        // It is read after the state, so it may be ahead.
        let of_zones = self.audit.iter().filter(|(subject, _)| subject.starts_with("zone/"));
        let logged = of_zones.map(|event| (event.0.clone(), commit_of(event).unwrap()));
        let logged: Vec<_> = logged.filter(|(_, commit)| *commit <= seen.sequence).collect();
        told.sort();
        let mut sorted = logged;
        sorted.sort();
        assert_eq!(sorted, told, "the audit log tells of every change, and of nothing else");
        seen
    }
}

/// The one generation that all zones are of.
fn whole(zones: &BTreeMap<String, Value>, revision: &Value, generations: &[String]) -> usize {
    let applied = revision["revision"].as_str().unwrap();
    let generation = generations
        .iter()
        .position(|commit| applied == format!("main@sha1:{commit}"))
        .unwrap_or_else(|| panic!("{applied} was never asked for"));
    let wanted: Vec<String> =
        [only(generation)].into_iter().chain((0..ZONES).map(|zone| format!("zone-{zone}"))).collect();
    assert!(zones.keys().eq(wanted.iter()), "{applied} in part: {:?}", zones.keys());
    for (name, zone) in zones {
        let found = zone["document"]["spec"]["topics"][0]["backingTopic"].as_str();
        assert_eq!(found, Some(backing(generation).as_str()), "{applied} in part: {name}");
    }
    generation
}
