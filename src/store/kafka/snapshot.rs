//! Records of the state topic, in the order they come, become a state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::continuity::{self, Tally};
use crate::store::record::Record;
use crate::store::{Change, State, ZoneRecord};
use crate::zone::{PartnerZone, ZoneName};

/// Kinds of unknown records that are told apart in the log.
const UNKNOWN_KINDS_NAMED: usize = 100;

/// The zones of a commit of this process, from when it is written until it is read back: what is read as it was written is the
/// zone that the files ask for, and is in memory once.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<Mutex<BTreeMap<ZoneName, Arc<PartnerZone>>>>);

impl Written {
    /// Takes the place of the commit before.
    pub(super) fn begin(&self, changes: &[Change]) {
        let zone = |change: &Change| match change {
            Change::PutZone(record) => Some((record.zone.name.clone(), Arc::clone(&record.zone))),
            _ => None,
        };
        *self.lock() = changes.iter().filter_map(zone).collect();
    }

    pub(super) fn end(&self) {
        self.lock().clear();
    }

    fn share(&self, record: &mut ZoneRecord) {
        let written = self.lock().remove(&record.zone.name);
        if let Some(written) = written.filter(|written| *written == record.zone) {
            record.zone = written;
        }
    }

    /// A panic of another holder leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ZoneName, Arc<PartnerZone>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state as it grows while the topic is read. It is shown to nobody between two commits.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    state: State,
    written: Written,
    /// Records that could not be read, until a later one with the same key can be.
    broken: BTreeMap<String, String>,
    /// How much there is, as the last commit says.
    told: Option<Tally>,
    /// Records were taken whose commit has not ended yet.
    open: bool,
    unknown_kinds: BTreeSet<String>,
}

/// What a record was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// One of the records of a commit.
    Part,
    /// The record that ends a commit.
    Commit,
}

impl Snapshot {
    pub(super) fn new(written: Written) -> Self {
        Self { written, ..Self::default() }
    }

    pub(super) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Taken {
        self.open = true;
        let key = String::from_utf8_lossy(key.unwrap_or_default());
        let (record, later) = match Record::read(&key, value) {
            Ok(read) => read,
            Err(problem) => {
                tracing::error!(record = %key, problem, "a record of the state topic cannot be read");
                self.broken.insert(key.into_owned(), problem);
                return Taken::Part;
            }
        };
        self.broken.remove(&*key);
        self.state.later.note(&key, value, &record, later);
        match record {
            Record::Zone(name, mut zone) => {
                if let Some(record) = &mut zone {
                    self.written.share(record);
                }
                set(&mut self.state.zones, name, zone.map(Arc::from));
            }
            Record::Credential(id, credential) => {
                set(&mut self.state.credentials, id, credential.map(Arc::new));
            }
            Record::LastUse(id, last) => set(&mut self.state.last_uses, id, last),
            Record::ApiKey(id, api_key) => set(&mut self.state.api_keys, id, api_key.map(Arc::new)),
            Record::Replay(zone, starts) => set(&mut self.state.replays, zone, starts),
            Record::Principal(of, principal) => set(&mut self.state.principals, of, principal),
            Record::Suspension(scope, asked) => set(&mut self.state.controls.suspended, scope, asked),
            Record::Rollback(rollback) => self.state.controls.rollback = rollback,
            Record::Acceptance(acceptance) => self.state.controls.accepted = acceptance,
            Record::Spent(commit, spent) => set(&mut self.state.spent, commit, spent),
            Record::EndedSession(id, until) => set(&mut self.state.ended_sessions, id, until),
            Record::Letter(id, letter) => set(&mut self.state.outbox, id, letter.map(Arc::new)),
            Record::Cluster(name, id) => set(&mut self.state.clusters, name, id),
            Record::Lease(lease) => self.state.leader = lease,
            Record::End(end) => {
                self.state.sequence = end.sequence;
                self.state.revision = end.revision;
                self.state.lineage = end.lineage;
                self.state.leader_version = end.leader_version;
                self.told = end.tally;
                self.open = false;
                return Taken::Commit;
            }
            Record::Unknown => self.warn_once(&key),
        }
        Taken::Part
    }

    /// The state after the last commit; or, where a record cannot be read, which and why, or that records are missing.
    pub(super) fn state(&self) -> Result<&State, String> {
        match self.broken.first_key_value() {
            None => match self.told.and_then(|told| continuity::missing(&self.state, told)) {
                None => Ok(&self.state),
                Some(problem) => Err(problem),
            },
            Some((key, problem)) => {
                let more = match self.broken.len() {
                    1 => String::new(),
                    n => format!(" (and {} more)", n - 1),
                };
                Err(format!("the record `{key}` cannot be read: {problem}{more}"))
            }
        }
    }

    /// Whether the last record taken ended a commit.
    pub(super) fn is_whole(&self) -> bool {
        !self.open
    }

    fn warn_once(&mut self, key: &str) {
        let kind = key.split('/').next().unwrap_or_default();
        if self.unknown_kinds.len() < UNKNOWN_KINDS_NAMED && self.unknown_kinds.insert(kind.to_owned()) {
            tracing::warn!(
                kind,
                "the state topic has records of a kind this version does not know; left alone"
            );
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::changes;
    use crate::store::record::{CommitEnd, Line};
    use crate::store::samples::{controls, credential, letters, zone};
    use crate::zone::{Revision, Scope, Sequence};

    fn take_all(snapshot: &mut Snapshot, changes: &[Change], sequence: u64) -> Taken {
        let sequence = Sequence(sequence);
        for change in changes {
            if let Some(line) = Line::of(change, sequence).unwrap() {
                take(snapshot, &line);
            }
        }
        take(snapshot, &Line::end(&CommitEnd { sequence, ..CommitEnd::default() }).unwrap())
    }

    fn take(snapshot: &mut Snapshot, line: &Line) -> Taken {
        snapshot.take(Some(line.key.as_bytes()), line.value.as_deref())
    }

    #[test]
    fn records_give_the_same_state_as_the_changes_that_wrote_them() {
        let first =
            vec![Change::PutZone(Box::new(zone("acme"))), Change::PutCredential(credential("acme", 1))];
        let second = vec![Change::PutZone(Box::new(zone("globex")))];
        let third = vec![Change::DeleteZone(zone("acme").zone.name.clone())];
        let fourth = controls();
        let mut fifth = vec![Change::Resume(Scope::All), Change::EndRollback];
        fifth.extend(letters().map(Change::PutLetter));
        fifth.push(Change::DeleteLetter(letters()[0].content.id()));
        let (mut snapshot, mut state) = (Snapshot::default(), State::default());
        for (number, commit) in (1..).zip([first, second, third, fourth, fifth]) {
            let (commit, _) = changes::complete(commit, &state).unwrap();
            assert_eq!(take_all(&mut snapshot, &commit, number), Taken::Commit);
            state = state.after(commit, Sequence(number));
        }
        let read = snapshot.state().unwrap();
        assert_eq!(read.zones, state.zones);
        assert_eq!(read.credentials, state.credentials);
        assert_eq!(read.controls, state.controls);
        assert_eq!((&read.outbox, read.outbox.len()), (&state.outbox, 1));
        assert_eq!((read.controls.suspended.len(), read.sequence), (2, Sequence(5)));
    }

    #[test]
    fn a_zone_that_is_read_back_as_it_was_written_is_in_memory_once() {
        let written = Written::default();
        let mut snapshot = Snapshot::new(written.clone());
        let [acme, globex] = ["acme", "globex"].map(zone);
        written.begin(&[Change::PutZone(Box::new(acme.clone())), Change::PutZone(Box::new(globex.clone()))]);
        // Of a predecessor, in another form.
        let mut other = globex.clone();
        Arc::make_mut(&mut other.zone).display_name = Some("other".to_owned());
        take_all(&mut snapshot, &[Change::PutZone(Box::new(other.clone()))], 1);
        take_all(&mut snapshot, &[Change::PutZone(Box::new(acme.clone()))], 2);
        let read =
            |snapshot: &Snapshot, name: &ZoneName| Arc::clone(&snapshot.state().unwrap().zones[name].zone);
        assert!(Arc::ptr_eq(&read(&snapshot, &acme.zone.name), &acme.zone));
        assert_eq!(read(&snapshot, &globex.zone.name), other.zone);
        written.begin(&[Change::PutZone(Box::new(globex.clone()))]);
        written.end();
        take_all(&mut snapshot, &[Change::PutZone(Box::new(globex.clone()))], 3);
        assert!(!Arc::ptr_eq(&read(&snapshot, &globex.zone.name), &globex.zone), "not awaited any more");
    }

    #[test]
    fn a_broken_record_makes_the_state_unfit_until_it_is_written_again() {
        let mut snapshot = Snapshot::default();
        take_all(&mut snapshot, &[Change::PutZone(Box::new(zone("acme")))], 1);
        assert_eq!(snapshot.take(Some(b"zone/acme"), Some(b"{")), Taken::Part);
        let problem = snapshot.state().expect_err("a zone is unreadable");
        assert!(problem.contains("`zone/acme`"), "{problem}");
        take_all(&mut snapshot, &[Change::DeleteZone(zone("acme").zone.name.clone())], 2);
        assert!(snapshot.state().is_ok());
    }

    #[test]
    fn unknown_records_and_records_without_a_key_change_nothing() {
        let mut snapshot = Snapshot::default();
        snapshot.take(Some(b"share/s1"), Some(b"{}"));
        snapshot.take(None, Some(b"{}"));
        snapshot.take(Some(b"\xff\xfe"), None);
        let state = snapshot.state().expect("still fit");
        assert_eq!((state.zones.len(), state.sequence), (0, Sequence(0)));
    }

    #[test]
    fn the_revision_applied_last_comes_with_the_commit() {
        let mut snapshot = Snapshot::default();
        let revision = Revision::commit("refs/heads/main", "8c1f");
        let end =
            CommitEnd { sequence: Sequence(1), revision: Some(revision.clone()), ..CommitEnd::default() };
        take(&mut snapshot, &Line::end(&end).unwrap());
        assert_eq!(snapshot.state().unwrap().revision, Some(revision));
    }
    #[test]
    fn a_state_that_lost_records_is_unfit_and_says_what_was_there() {
        let mut snapshot = Snapshot::default();
        let end = |zones| CommitEnd {
            sequence: Sequence(4),
            tally: Some(Tally { zones, credentials: 0 }),
            ..CommitEnd::default()
        };
        let put = Line::of(&Change::PutZone(Box::new(zone("acme"))), Sequence(4)).unwrap().unwrap();
        take(&mut snapshot, &put);
        take(&mut snapshot, &Line::end(&end(2)).unwrap());
        let problem = snapshot.state().expect_err("a zone is missing");
        assert!(problem.contains("2 zones") && problem.contains("it holds 1 and 0"), "{problem}");
        take(&mut snapshot, &Line::end(&end(1)).unwrap());
        assert!(snapshot.state().is_ok());
    }

    #[test]
    fn what_a_later_version_wrote_is_kept_until_it_is_deleted() {
        let mut snapshot = Snapshot::default();
        snapshot.take(Some(b"share/s1"), Some(b"{\"schemaVersion\":3,\"new\":1}"));
        let put = Line::of(&Change::PutCredential(credential("acme", 1)), Sequence(1)).unwrap().unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(put.value.as_deref().unwrap()).unwrap();
        value["scopes"] = "orders".into();
        snapshot.take(Some(put.key.as_bytes()), Some(value.to_string().as_bytes()));
        let rewritten = put.clone().with(&snapshot.state().unwrap().later).unwrap();
        let again: serde_json::Value = serde_json::from_slice(rewritten.value.as_deref().unwrap()).unwrap();
        assert_eq!(again, value);
        assert_eq!(snapshot.state().unwrap().later.records().count(), 1);
        for key in [put.key.as_bytes(), b"share/s1"] {
            snapshot.take(Some(key), None);
        }
        assert_eq!(snapshot.state().unwrap().later, crate::store::Later::default());
        assert_eq!(put.clone().with(&snapshot.state().unwrap().later).unwrap(), put);
    }
}
