//! The records of the state topic: keys, and JSON values with a schema version.
//!
//! | key | value |
//! |---|---|
//! | `zone/<name>` | a zone as it was applied; the zone itself in its written form |
//! | `credential/<key id>` | verifiers, base64 |
//! | `last-use/<key id>` | when and from where this credential was used last |
//! | `api-key/<id>` | role and verifier |
//! | `principal/<cluster>/<zone>` | the id of the cluster on which this principal is ours, and the master keys of its passwords |
//! | `replay/<zone>` | where the topics stood of which nothing is shared that was there before, by alias |
//! | `suspension/all`, `suspension/source`, `suspension/zone/<name>` | who asked for it, when and why |
//! | `rollback` | the commit to apply instead of the branch's head, and until when |
//! | `acceptance` | the commit of a rewritten history that may be applied |
//! | `ended-session/<id>` | a session of the admin API that somebody has ended, until it would be over anyway |
//! | `spent/<commit>` | what was made use of this commit's trailers, while no revision with it is in force in full |
//! | `outbox/<id>` | what is to be told outside, and when it was |
//! | `cluster/<name>` | the id of the cluster that the configuration gives this name |
//! | `lease` | who leads |
//! | `revision` | the last record of every transaction: the commit's sequence, and the Git revision applied last |
//!
//! A key of another kind was written by a later version: it is left alone. So is a field beside those that this version knows:
//! whoever writes the record again keeps it. A value that cannot be read, or has a schema
//! version above ours, is an error and never "absent": what is absent gets created anew, or loses its access.

mod controls;
mod end;
mod later;
mod letters;
mod principal;
mod replay;
mod rows;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use self::controls::{AcceptanceRow, AskedRow, EndedSessionRow, RollbackRow, SpentRow};
pub(super) use self::end::CommitEnd;
use self::end::EndRow;
pub(super) use self::later::Fields;
pub use self::later::Later;
use self::letters::LetterRow;
pub use self::principal::PrincipalRow;
use self::replay::ReplayRow;
use self::rows::{ApiKeyRow, ClusterRow, CredentialRow, ZoneRow};
pub(super) use self::usage::{BASE, Figures, UsageKey, lag_key, lag_value, read_lag, usage_key, usage_value};
use super::changes::numbered;
use super::{Change, Lease, StoreError, ZoneRecord};
use crate::zone::{
    Acceptance, ApiKey, Asked, ClusterName, Credential, KeyId, LastUse, Letter, Principal, ReplayStarts,
    Rollback, Scope, Sequence, Spent, ZoneName,
};

/// Raised only when an older reader would misread a record. A field that is merely new needs no new version where it stands
/// beside the others, and not within one of them: there an older writer would lose it.
const SCHEMA_VERSION: u32 = 1;

const LEASE: &str = "lease";
const REVISION: &str = "revision";
const ROLLBACK: &str = "rollback";
const ACCEPTANCE: &str = "acceptance";

/// A record as it is read. `None` is a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Zone(ZoneName, Option<Box<ZoneRecord>>),
    Credential(KeyId, Option<Credential>),
    LastUse(KeyId, Option<LastUse>),
    ApiKey(String, Option<ApiKey>),
    Principal((ClusterName, ZoneName), Option<Principal>),
    Replay(ZoneName, Option<Arc<ReplayStarts>>),
    Suspension(Scope, Option<Asked>),
    Rollback(Option<Rollback>),
    Acceptance(Option<Acceptance>),
    Spent(String, Option<Spent>),
    EndedSession(String, Option<OffsetDateTime>),
    Letter(String, Option<Letter>),
    Cluster(ClusterName, Option<String>),
    Lease(Option<Lease>),
    End(CommitEnd),
    /// Of a kind this version does not know.
    Unknown,
}

impl Record {
    /// The record, and the fields that a later version has put into it. The error says what is wrong with the record, for the
    /// operator.
    pub(super) fn read(key: &str, value: Option<&[u8]>) -> Result<(Self, Fields), String> {
        let mut value = Encoded { value, later: Fields::new() };
        let record = match key.split_once('/') {
            Some(("zone", name)) => {
                let name = ZoneName::try_from(name).map_err(|error| format!("the name {error}"))?;
                let zone = value.row::<ZoneRow>()?.map(|row| row.into_record(&name)).transpose()?;
                Self::Zone(name, zone.map(Box::new))
            }
            Some(("credential", id)) => {
                let id = KeyId::try_from(id).map_err(|error| format!("the key id {error}"))?;
                let row = value.row::<CredentialRow>()?;
                let credential = row.map(|row| row.into_credential(id.clone())).transpose()?;
                Self::Credential(id, credential)
            }
            Some(("last-use", id)) => {
                let id = KeyId::try_from(id).map_err(|error| format!("the key id {error}"))?;
                Self::LastUse(id, value.row()?)
            }
            Some(("api-key", id)) => {
                let row = value.row::<ApiKeyRow>()?;
                let key = row.map(|row| row.into_api_key(id.to_owned())).transpose()?;
                Self::ApiKey(id.to_owned(), key)
            }
            Some(("principal", of)) => {
                let (cluster, zone) = of.split_once('/').ok_or("its key names no zone")?;
                let cluster =
                    ClusterName::try_from(cluster).map_err(|error| format!("the cluster {error}"))?;
                let zone = ZoneName::try_from(zone).map_err(|error| format!("the zone {error}"))?;
                let row = value.row::<PrincipalRow>()?;
                Self::Principal((cluster, zone), row.map(PrincipalRow::into_principal).transpose()?)
            }
            Some(("replay", zone)) => {
                let zone = ZoneName::try_from(zone).map_err(|error| format!("the zone {error}"))?;
                let starts = value.row::<ReplayRow>()?.map(ReplayRow::into_starts).transpose()?;
                Self::Replay(zone, starts.map(Arc::new))
            }
            // A scope that cannot be read is one of a later version.
            Some(("suspension", scope)) => match Scope::parse(scope) {
                Some(scope) => Self::Suspension(scope, value.row()?.map(AskedRow::into_asked)),
                None => Self::Unknown,
            },
            Some(("cluster", name)) => {
                let name = ClusterName::try_from(name).map_err(|error| format!("the name {error}"))?;
                Self::Cluster(name, value.row()?.map(|row: ClusterRow| row.id))
            }
            Some(("spent", commit)) => Self::Spent(commit.to_owned(), value.row()?.map(SpentRow::into_spent)),
            Some(("ended-session", id)) => {
                Self::EndedSession(id.to_owned(), value.row()?.map(|row: EndedSessionRow| row.until))
            }
            Some(("outbox", id)) => {
                Self::Letter(id.to_owned(), value.row()?.map(LetterRow::into_letter).transpose()?)
            }
            None if key == ROLLBACK => Self::Rollback(value.row()?.map(RollbackRow::into_rollback)),
            None if key == ACCEPTANCE => Self::Acceptance(value.row()?.map(AcceptanceRow::into_acceptance)),
            None if key == LEASE => Self::Lease(value.row()?),
            None if key == REVISION => Self::End(value.row::<EndRow>()?.ok_or("it was deleted")?.into_end()),
            _ => Self::Unknown,
        };
        Ok((record, value.later))
    }
}

/// Where a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    State,
    Audit,
    Usage,
}

/// A record to write: a key, and a value or a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) topic: Topic,
    pub(super) key: String,
    pub(super) value: Option<Vec<u8>>,
}

impl Line {
    /// What `change` writes as part of commit `sequence`. The applied revision is part of the [`revision`](Self::revision)
    /// record, so that change writes nothing itself; usage has [lines](Self::fold) of its own.
    pub(super) fn of(change: &Change, sequence: Sequence) -> Result<Option<Self>, StoreError> {
        let line = match change {
            Change::PutZone(record) => {
                Self::put(format!("zone/{}", record.zone.name), &ZoneRow::new(record, sequence))?
            }
            Change::DeleteZone(name) => Self::delete(format!("zone/{name}")),
            Change::PutCredential(credential) => {
                Self::put(format!("credential/{}", credential.key_id), &CredentialRow::new(credential))?
            }
            Change::DeleteCredential(id) => Self::delete(format!("credential/{id}")),
            Change::Used(id, last) => Self::put(last_use(id), last)?,
            Change::ForgetUse(id) => Self::delete(last_use(id)),
            Change::PutApiKey(key) => Self::put(format!("api-key/{}", key.id), &ApiKeyRow::new(key))?,
            Change::DeleteApiKey(id) => Self::delete(format!("api-key/{id}")),
            Change::PutPrincipal { cluster, zone, principal: it } => {
                Self::put(principal(cluster, zone), &PrincipalRow::new(it))?
            }
            Change::DeletePrincipal { cluster, zone } => Self::delete(principal(cluster, zone)),
            Change::PutReplay(zone, starts) => Self::put(replay(zone), &ReplayRow::new(starts))?,
            Change::DeleteReplay(zone) => Self::delete(replay(zone)),
            Change::Suspend(scope, asked) => Self::put(suspension(scope), &AskedRow::new(asked))?,
            Change::Resume(scope) => Self::delete(suspension(scope)),
            Change::Rollback(rollback) => Self::put(ROLLBACK.to_owned(), &RollbackRow::new(rollback))?,
            Change::EndRollback => Self::delete(ROLLBACK.to_owned()),
            Change::Accept(acceptance) => Self::put(ACCEPTANCE.to_owned(), &AcceptanceRow::new(acceptance))?,
            Change::Spend(commit, amount) => Self::put(spent(commit), &SpentRow::new(*amount))?,
            Change::ForgetSpent(commit) => Self::delete(spent(commit)),
            Change::EndSession(id, until) => {
                Self::put(ended_session(id), &EndedSessionRow { until: *until })?
            }
            Change::ForgetSession(id) => Self::delete(ended_session(id)),
            Change::PutLetter(letter) => Self::put(outbox(&letter.content.id()), &LetterRow::new(letter))?,
            Change::DeleteLetter(id) => Self::delete(outbox(id)),
            Change::PutCluster(name, id) => {
                Self::put(format!("cluster/{name}"), &ClusterRow { id: id.clone() })?
            }
            Change::Audit(event) => Self::event(event, sequence)?,
            Change::Expect(_) | Change::Applied(_) | Change::GoesOn { .. } | Change::FoldUsage(_) => {
                return Ok(None);
            }
        };
        Ok(Some(line))
    }

    pub(super) fn lease(lease: &Lease) -> Result<Self, StoreError> {
        Self::put(LEASE.to_owned(), lease)
    }

    /// The last line of every transaction.
    pub(super) fn end(end: &CommitEnd) -> Result<Self, StoreError> {
        Self::put(REVISION.to_owned(), &EndRow::new(end))
    }

    fn put<T: Serialize>(key: String, row: &T) -> Result<Self, StoreError> {
        let value = serde_json::to_vec(&Versioned { schema_version: SCHEMA_VERSION, row })
            .map_err(|error| StoreError::Unfit(format!("record `{key}` cannot be written: {error}")))?;
        Ok(Self { topic: Topic::State, key, value: Some(value) })
    }

    /// Events of one subject stay in order: it is the key.
    fn event(event: &serde_json::Value, sequence: Sequence) -> Result<Self, StoreError> {
        let key = event.get("subject").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let value = serde_json::to_vec(&numbered(event, sequence)).map_err(|error| {
            StoreError::Unfit(format!("an event about `{key}` cannot be written: {error}"))
        })?;
        Ok(Self { topic: Topic::Audit, key, value: Some(value) })
    }

    fn delete(key: String) -> Self {
        Self { topic: Topic::State, key, value: None }
    }
}

fn principal(cluster: &ClusterName, zone: &ZoneName) -> String {
    format!("principal/{cluster}/{zone}")
}

fn replay(zone: &ZoneName) -> String {
    format!("replay/{zone}")
}

fn last_use(id: &KeyId) -> String {
    format!("last-use/{id}")
}

fn outbox(id: &str) -> String {
    format!("outbox/{id}")
}

fn spent(commit: &str) -> String {
    format!("spent/{commit}")
}

fn ended_session(id: &str) -> String {
    format!("ended-session/{id}")
}

fn suspension(scope: &Scope) -> String {
    format!("suspension/{}", scope.key())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    row: &'a T,
}

/// Read before the row, since a later version may have changed everything else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: u32,
}

/// A row, and what stands beside it. No row may have a flattened field itself: what it takes would be in `later` as well.
#[derive(Deserialize)]
struct Known<T> {
    #[serde(rename = "schemaVersion")]
    _version: IgnoredAny,
    #[serde(flatten)]
    row: T,
    #[serde(flatten)]
    later: Fields,
}

/// A value as it is read; `None` is a tombstone.
struct Encoded<'a> {
    value: Option<&'a [u8]>,
    /// Of the row that was read.
    later: Fields,
}

impl Encoded<'_> {
    fn row<T: DeserializeOwned>(&mut self) -> Result<Option<T>, String> {
        let Some(value) = self.value else { return Ok(None) };
        let version: Version = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(format!(
                "it has schema version {} and this program reads up to {SCHEMA_VERSION}; upgrade this node",
                version.schema_version
            ));
        }
        let known: Known<T> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        self.later = known.later;
        Ok(Some(known.row))
    }
}
