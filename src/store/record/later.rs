//! What a later version wrote and this one does not know: it is kept as it is, and never taken for something that is not there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Line, Record};
use crate::store::{Change, StoreError};

/// Fields of a record that this version does not know.
pub(in crate::store) type Fields = Map<String, Value>;

/// Fields and records that this version does not know, by the records' keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Later {
    fields: BTreeMap<String, Fields>,
    records: BTreeMap<String, Value>,
}

impl Later {
    /// Records of kinds that this version does not know.
    pub fn records(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.records.iter()
    }

    /// Remembers what there is in this record beside what was read of it.
    pub(in crate::store) fn note(&mut self, key: &str, value: Option<&[u8]>, read: &Record, fields: Fields) {
        self.fields.remove(key);
        self.records.remove(key);
        let Some(value) = value else { return };
        if *read == Record::Unknown {
            // Bytes that are no JSON were not written by any version.
            if let Ok(record) = serde_json::from_slice(value) {
                self.records.insert(key.to_owned(), record);
            }
            return;
        }
        // These two are written anew by every leader, and not what it has read of them.
        if !fields.is_empty() && !matches!(read, Record::Lease(_) | Record::End(_)) {
            self.fields.insert(key.to_owned(), fields);
        }
    }
}

impl Line {
    /// With the fields that a later version has put into this record.
    pub(in crate::store) fn with(self, later: &Later) -> Result<Self, StoreError> {
        let (Some(value), Some(fields)) = (&self.value, later.fields.get(&self.key)) else { return Ok(self) };
        let unfit = |error: serde_json::Error| {
            StoreError::Unfit(format!("record `{}` cannot be written: {error}", self.key))
        };
        let mut object: Fields = serde_json::from_slice(value).map_err(unfit)?;
        for (name, field) in fields {
            object.entry(name).or_insert_with(|| field.clone());
        }
        let value = serde_json::to_vec(&object).map_err(unfit)?;
        Ok(Self { value: Some(value), ..self })
    }
}

impl Record {
    /// The change that writes this record; `None` for one that was deleted, and for what no change writes.
    pub(in crate::store) fn change(self) -> Option<Change> {
        Some(match self {
            Self::Zone(_, zone) => Change::PutZone(zone?),
            Self::Credential(_, credential) => Change::PutCredential(credential?),
            Self::LastUse(key_id, last) => Change::Used(key_id, last?),
            Self::ApiKey(_, key) => Change::PutApiKey(key?),
            Self::Principal((cluster, zone), it) => Change::PutPrincipal { cluster, zone, principal: it? },
            Self::Replay(zone, starts) => Change::PutReplay(zone, starts?),
            Self::Suspension(scope, asked) => Change::Suspend(scope, asked?),
            Self::Rollback(rollback) => Change::Rollback(rollback?),
            Self::Acceptance(acceptance) => Change::Accept(acceptance?),
            Self::Spent(commit, spent) => Change::Spend(commit, spent?),
            Self::EndedSession(id, until) => Change::EndSession(id, until?),
            Self::Letter(_, letter) => Change::PutLetter(letter?),
            Self::Cluster(name, id) => Change::PutCluster(name, id?),
            Self::Lease(_) | Self::End(_) | Self::Unknown => return None,
        })
    }
}
