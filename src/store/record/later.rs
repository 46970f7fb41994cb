//! What a later version wrote and this one does not know: it is kept as it is, and never taken for something that is not there.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Line, Record};
use crate::store::{Change, StoreError};
use crate::zone::Sequence;

/// Fields and records that this version does not know, by the records' keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Later {
    fields: BTreeMap<String, Map<String, Value>>,
    records: BTreeMap<String, Value>,
}

impl Later {
    /// Records of kinds that this version does not know.
    pub fn records(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.records.iter()
    }

    /// Remembers what there is in this record beside what was read of it.
    pub(in crate::store) fn note(&mut self, key: &str, value: Option<&[u8]>, read: &Record) {
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
        let written = read.change().and_then(|change| Line::of(&change, Sequence::default()).ok().flatten());
        let Some(known) = written.as_ref().and_then(|line| names(line.value.as_deref()?)) else { return };
        if names(value).is_some_and(|names| names.is_subset(&known)) {
            return;
        }
        if let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(value) {
            fields.retain(|name, _| !known.contains(name));
            self.fields.insert(key.to_owned(), fields);
        }
    }
}

/// The names of an object's fields.
#[expect(clippy::zero_sized_map_values, reason = "serde reads the names of a map's entries, and no set")]
fn names(object: &[u8]) -> Option<BTreeSet<String>> {
    let fields: BTreeMap<String, IgnoredAny> = serde_json::from_slice(object).ok()?;
    Some(fields.into_keys().collect())
}

impl Line {
    /// With the fields that a later version has put into this record.
    pub(in crate::store) fn with(self, later: &Later) -> Result<Self, StoreError> {
        let (Some(value), Some(fields)) = (&self.value, later.fields.get(&self.key)) else { return Ok(self) };
        let unfit = |error: serde_json::Error| {
            StoreError::Unfit(format!("record `{}` cannot be written: {error}", self.key))
        };
        let mut object: Map<String, Value> = serde_json::from_slice(value).map_err(unfit)?;
        for (name, field) in fields {
            object.entry(name).or_insert_with(|| field.clone());
        }
        let value = serde_json::to_vec(&object).map_err(unfit)?;
        Ok(Self { value: Some(value), ..self })
    }
}

impl Record {
    /// The change that writes this record; `None` for one that was deleted, and for what no change writes.
    pub(in crate::store) fn change(&self) -> Option<Change> {
        Some(match self.clone() {
            Self::Zone(_, zone) => Change::PutZone(zone?),
            Self::Credential(_, credential) => Change::PutCredential(credential?),
            Self::LastUse(key_id, last) => Change::Used(key_id, last?),
            Self::ApiKey(_, key) => Change::PutApiKey(key?),
            Self::Principal((cluster, zone), it) => Change::PutPrincipal { cluster, zone, principal: it? },
            Self::Suspension(scope, asked) => Change::Suspend(scope, asked?),
            Self::Rollback(rollback) => Change::Rollback(rollback?),
            Self::Acceptance(acceptance) => Change::Accept(acceptance?),
            Self::Spent(commit, spent) => Change::Spend(commit, spent?),
            Self::Letter(_, letter) => Change::PutLetter(letter?),
            Self::Cluster(name, id) => Change::PutCluster(name, id?),
            Self::Lease(_) | Self::End(_) | Self::Unknown => return None,
        })
    }
}
