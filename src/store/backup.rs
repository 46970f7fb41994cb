//! The whole state as one document, to keep elsewhere and to put back when it was lost.
//!
//! It holds the records as they stand in the state topic, so that what is restored is what was there. There is no secret in
//! clear in it, but enough to try guesses on, and to see who shares what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use super::record::{Line, Record};
use super::{Change, LEADER_VERSION, State, StoreError, ZoneRecord};
use crate::zone::{Controls, Principal, Revision, Sequence, ZoneId, ZoneName};

/// The largest document that is read. 50 000 zones with a few credentials each are half of it.
pub const MAX_BYTES: usize = 256 << 20;

const FORMAT_VERSION: &str = "1.0";
/// Minor versions only add.
const FORMAT: &str = "1.";
/// Of a store that was restored again and again.
const MAX_LINEAGE: usize = 64;

/// Everything that the state holds, its records as they stand in the state topic.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    format_version: String,
    /// Zones' synthetic topic ids belong to the cluster whose topics they name.
    home_cluster_id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    exported_at: OffsetDateTime,
    sequence: u64,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    lineage: Vec<Uuid>,
    #[serde(default)]
    leader_version: u32,
    /// Key in the state topic → value. The leader's lease is none of them.
    records: BTreeMap<String, Value>,
}

/// What a restored state may be put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// A store that nobody uses yet: there is no credential in it. Zones that a controller has already made there from its source
    /// stay as they are, with the ids that they had before.
    Fresh,
    /// A store in use: what it lacks is added. That includes credentials that were revoked since.
    InUse,
}

/// What an import writes.
#[derive(Debug)]
pub struct Restored {
    pub changes: Vec<Change>,
    pub zones: usize,
    pub credentials: usize,
    pub api_keys: usize,
    /// Records that the store has already, in whatever form.
    pub kept: usize,
}

/// Why a document is not put into a store.
#[derive(Debug, Error)]
pub enum BackupError {
    #[error("it is no backup of the state: {0}")]
    Unreadable(String),
    #[error("its format version is `{0}` and this program reads 1.x; use the version that wrote it")]
    Format(String),
    #[error("its record `{key}` cannot be read: {problem}")]
    Record { key: String, problem: String },
    #[error(
        "its record `{0}` holds what this program does not know; use the version that wrote it, or a later one"
    )]
    Later(String),
    #[error(
        "it is of the cluster `{of}`, and the home cluster here is `{here}`: there, partners would be shown other topic ids; check \
         `clusters`, whose first is the home cluster"
    )]
    OtherCluster { of: String, here: String },
    #[error("zone `{0}` has the id of another zone")]
    SharedId(ZoneName),
    #[error("its credential {0} is for zone `{1}`, which is in neither of them")]
    NoZone(String, String),
    #[error(
        "the store is in use: it holds {0} credentials. To add what it lacks, credentials that were revoked since included, use --add \
         with a --reason. To go back to the backup, stop the controllers, delete the state topic, and import"
    )]
    InUse(usize),
    #[error(
        "zone `{0}` is in use under another id; delete it from the source first, or leave it out of the backup"
    )]
    OtherId(ZoneName),
    #[error(
        "node `{node}` still serves commit {serving}, and the backup is of commit {sequence}: save the state from that node with \
         `reconciler state export --url`, and import that. To import this one all the same, use --add with a --reason"
    )]
    NewerNode { node: String, serving: u64, sequence: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Backup {
    pub fn of(state: &State, home_cluster_id: &str, now: OffsetDateTime) -> Result<Self, StoreError> {
        let mut records: BTreeMap<String, Value> =
            state.later.records().map(|(key, record)| (key.clone(), record.clone())).collect();
        for change in changes(state) {
            let sequence = match &change {
                Change::PutZone(record) => record.changed,
                _ => state.sequence,
            };
            let Some(line) = Line::of(&change, sequence)? else { continue };
            let Line { key, value: Some(value), .. } = line.with(&state.later)? else { continue };
            let value = serde_json::from_slice(&value)
                .map_err(|error| StoreError::Unfit(format!("record `{key}`: {error}")))?;
            records.insert(key, value);
        }
        Ok(Self {
            format_version: FORMAT_VERSION.to_owned(),
            home_cluster_id: home_cluster_id.to_owned(),
            exported_at: now,
            sequence: state.sequence.0,
            revision: state.revision.as_ref().map(|revision| revision.as_str().to_owned()),
            lineage: state.lineage.iter().copied().collect(),
            leader_version: state.leader_version,
            records,
        })
    }

    pub fn parse(document: &[u8]) -> Result<Self, BackupError> {
        let unreadable = |error: serde_json::Error| BackupError::Unreadable(error.to_string());
        let value: Value = serde_json::from_slice(document).map_err(unreadable)?;
        let format = value.get("formatVersion").and_then(Value::as_str).unwrap_or_default();
        if !format.starts_with(FORMAT) {
            return Err(BackupError::Format(format.chars().take(20).collect()));
        }
        serde_json::from_value(value).map_err(unreadable)
    }

    pub fn exported_at(&self) -> OffsetDateTime {
        self.exported_at
    }

    /// The commit that it was made after.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence)
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// The changes that put it into the store that holds `state`, whose home cluster is `home_cluster_id`. What is there stays.
    /// `serving` are the commits that live nodes serve.
    pub fn restore<'a>(
        &self,
        state: &State,
        home_cluster_id: &str,
        serving: impl Iterator<Item = (&'a str, Sequence)>,
        into: Into,
    ) -> Result<Restored, BackupError> {
        if self.home_cluster_id != home_cluster_id {
            let (of, here) = (self.home_cluster_id.clone(), home_cluster_id.to_owned());
            return Err(BackupError::OtherCluster { of, here });
        }
        if self.leader_version > LEADER_VERSION || self.lineage.len() > MAX_LINEAGE {
            return Err(BackupError::Later("revision".to_owned()));
        }
        if into == Into::Fresh && !state.credentials.is_empty() {
            return Err(BackupError::InUse(state.credentials.len()));
        }
        let mut from = self.sequence();
        for (node, at) in serving {
            if into == Into::Fresh && at > from.max(state.sequence) {
                let (node, sequence) = (node.to_owned(), self.sequence);
                return Err(BackupError::NewerNode { node, serving: at.0, sequence });
            }
            from = from.max(at);
        }
        let goes_on = Change::GoesOn { from, lineage: self.lineage.iter().copied().collect() };
        let mut restored =
            Restored { changes: vec![goes_on], zones: 0, credentials: 0, api_keys: 0, kept: 0 };
        if state.revision.is_none()
            && let Some(revision) = &self.revision
        {
            restored.changes.push(Change::Applied(Revision::recorded(revision.clone())));
        }
        self.add_records(state, into, &mut restored)?;
        Ok(restored)
    }

    fn add_records(&self, state: &State, into: Into, restored: &mut Restored) -> Result<(), BackupError> {
        let (zones, others) = self.read()?;
        let mut ids: BTreeMap<ZoneId, &ZoneName> = BTreeMap::new();
        let mut names: BTreeSet<&ZoneName> = state.zones.keys().collect();
        for record in &zones {
            let name = &record.zone.name;
            names.insert(name);
            if ids.insert(record.id, name).is_some() {
                return Err(BackupError::SharedId(name.clone()));
            }
            match state.zones.get(name) {
                None => restored.changes.push(Change::PutZone(Box::new(record.clone()))),
                Some(there) if there.id == record.id => {
                    restored.kept += 1;
                    continue;
                }
                Some(there) if into == Into::Fresh => {
                    let there = ZoneRecord { id: record.id, ..ZoneRecord::clone(there) };
                    restored.changes.push(Change::PutZone(Box::new(there)));
                }
                Some(_) => return Err(BackupError::OtherId(name.clone())),
            }
            restored.zones += 1;
        }
        let of_others = |(name, there): (&ZoneName, &ZoneRecord)| {
            ids.get(&there.id).is_some_and(|owner| *owner != name).then(|| name.clone())
        };
        let mut in_force = state.zones.iter().map(|(name, there)| (name, there.as_ref()));
        if let Some(name) = in_force.find_map(of_others) {
            return Err(BackupError::SharedId(name));
        }
        let there: BTreeSet<String> = changes(state).iter().filter_map(key).collect();
        for change in others {
            // With the zone it was: what a controller has made of its source meanwhile begins at the present.
            let is_older = into == Into::Fresh && matches!(change, Change::PutReplay(..));
            if !is_older && key(&change).is_some_and(|key| there.contains(&key)) {
                restored.kept += 1;
                continue;
            }
            match &change {
                Change::PutCredential(credential) if !names.contains(&credential.zone) => {
                    let (key_id, zone) = (credential.key_id.to_string(), credential.zone.to_string());
                    return Err(BackupError::NoZone(key_id, zone));
                }
                Change::PutCredential(_) => restored.credentials += 1,
                Change::PutApiKey(_) => restored.api_keys += 1,
                _ => {}
            }
            restored.changes.push(change);
        }
        Ok(())
    }

    /// Its zones, and the changes that write everything else.
    fn read(&self) -> Result<(Vec<ZoneRecord>, Vec<Change>), BackupError> {
        let (mut zones, mut others) = (Vec::new(), Vec::new());
        for (key, value) in &self.records {
            let bad = |problem: String| BackupError::Record { key: key.clone(), problem };
            if value.is_null() {
                return Err(bad("it has no value".to_owned()));
            }
            let value = value.to_string().into_bytes();
            let (record, later) = Record::read(key, Some(&value)).map_err(bad)?;
            let change = record.change().filter(|_| later.is_empty());
            match change.ok_or_else(|| BackupError::Later(key.clone()))? {
                Change::PutZone(record) => zones.push(*record),
                change => others.push(change),
            }
        }
        Ok((zones, others))
    }
}

fn key(change: &Change) -> Option<String> {
    Line::of(change, Sequence::default()).ok().flatten().map(|line| line.key)
}

/// What writes all that a state holds, but for how it came about and who leads.
fn changes(state: &State) -> Vec<Change> {
    let State {
        sequence: _,
        revision: _,
        leader: _,
        lineage: _,
        leader_version: _,
        later: _,
        zones,
        credentials,
        last_uses,
        api_keys,
        principals,
        replays,
        controls: Controls { suspended, rollback, accepted },
        spent,
        ended_sessions,
        outbox,
        clusters,
    } = state;
    let principal = |((cluster, zone), principal): (&(_, _), &Principal)| Change::PutPrincipal {
        cluster: Clone::clone(cluster),
        zone: Clone::clone(zone),
        principal: principal.clone(),
    };
    let mut changes: Vec<Change> = Vec::with_capacity(zones.len() + credentials.len() + last_uses.len());
    changes.extend(zones.values().map(|record| Change::PutZone(Box::new(ZoneRecord::clone(record)))));
    changes.extend(credentials.values().map(|it| Change::PutCredential((**it).clone())));
    changes.extend(last_uses.iter().map(|(key_id, last)| Change::Used(key_id.clone(), *last)));
    changes.extend(api_keys.values().map(|key| Change::PutApiKey((**key).clone())));
    changes.extend(principals.iter().map(principal));
    changes.extend(replays.iter().map(|(zone, starts)| Change::PutReplay(zone.clone(), Arc::clone(starts))));
    changes.extend(suspended.iter().map(|(scope, asked)| Change::Suspend(scope.clone(), asked.clone())));
    changes.extend(rollback.clone().map(Change::Rollback));
    changes.extend(accepted.clone().map(Change::Accept));
    changes.extend(spent.iter().map(|(commit, spent)| Change::Spend(commit.clone(), *spent)));
    changes.extend(ended_sessions.iter().map(|(id, until)| Change::EndSession(id.clone(), *until)));
    changes.extend(outbox.values().map(|letter| Change::PutLetter((**letter).clone())));
    changes.extend(clusters.iter().map(|(name, id)| Change::PutCluster(name.clone(), id.clone())));
    changes
}

#[cfg(test)]
mod tests;
