//! The records of the usage topic.
//!
//! | key | value |
//! |---|---|
//! | `<zone>/<month>/<source>` | what this source counted of the zone in the month so far. Source [`-`](BASE): what those counted that are no more |
//! | `<zone>/lag` | how far the zone's consumers are behind |
//!
//! A key or a value that cannot be read is of a later version: it counts for nothing here, and stays as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Line, SCHEMA_VERSION, Topic, Version, Versioned};
use crate::store::StoreError;
use crate::store::ledger::{Fold, Place};
use crate::zone::usage::{ClientUsage, TopicUsage, Usage};
use crate::zone::{ZoneLag, ZoneName};

/// The source that all are added to which are no more. No other one is called so: theirs hold a slash.
pub(in crate::store) const BASE: &str = "-";

const LAG: &str = "lag";

/// Of what a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum UsageKey {
    Figures(Place),
    Lag(ZoneName),
}

impl UsageKey {
    pub(in crate::store) fn read(key: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(key).ok()?.splitn(3, '/');
        let zone = ZoneName::try_from(parts.next()?).ok()?;
        match (parts.next()?, parts.next()) {
            (LAG, None) => Some(Self::Lag(zone)),
            (month, Some(source)) if !source.is_empty() => {
                Some(Self::Figures(Place { zone, month: month.parse().ok()?, source: source.to_owned() }))
            }
            _ => None,
        }
    }
}

/// The key of a zone's lag.
pub(in crate::store) fn lag_key(zone: &ZoneName) -> String {
    format!("{zone}/{LAG}")
}

/// Its value.
pub(in crate::store) fn lag_value(lag: &ZoneLag) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Versioned { schema_version: SCHEMA_VERSION, row: lag })
        .map_err(|error| StoreError::Unfit(format!("lag cannot be written: {error}")))
}

pub(in crate::store) fn read_lag(value: &[u8]) -> Result<ZoneLag, String> {
    readable(value)?;
    serde_json::from_slice(value).map_err(|error| error.to_string())
}

/// Whether it is of a version that this one knows.
fn readable(value: &[u8]) -> Result<(), String> {
    let version: Version = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    if version.schema_version > SCHEMA_VERSION {
        return Err(format!("it has schema version {}", version.schema_version));
    }
    Ok(())
}

/// The key of a source's figures.
pub(in crate::store) fn usage_key(place: &Place) -> String {
    let Place { zone, month, source } = place;
    format!("{zone}/{month}/{source}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u32,
    topics: &'a BTreeMap<String, TopicUsage>,
    credentials: &'a BTreeMap<String, ClientUsage>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    folded: &'a [&'a str],
}

#[derive(Deserialize)]
struct Row {
    topics: BTreeMap<String, TopicUsage>,
    credentials: BTreeMap<String, ClientUsage>,
    #[serde(default)]
    folded: Vec<String>,
}

/// Figures as they are read.
#[derive(Debug)]
pub(in crate::store) struct Figures {
    pub(in crate::store) usage: Usage,
    /// The sources that were added with this record. They are gone with it, not with their tombstones behind it: in between,
    /// they would count twice.
    pub(in crate::store) folded: Vec<String>,
}

impl Figures {
    pub(in crate::store) fn read(value: &[u8]) -> Result<Self, String> {
        readable(value)?;
        let row: Row = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let Row { topics, credentials, folded } = row;
        Ok(Self { usage: Usage { topics, credentials }, folded })
    }
}

/// The value of figures.
pub(in crate::store) fn usage_value(usage: &Usage, folded: &[&str]) -> Result<Vec<u8>, StoreError> {
    let Usage { topics, credentials } = usage;
    serde_json::to_vec(&Written { schema_version: SCHEMA_VERSION, topics, credentials, folded })
        .map_err(|error| StoreError::Unfit(format!("usage cannot be written: {error}")))
}

impl Line {
    /// What is left of folded records, and the ends of the others.
    pub(in crate::store) fn fold(fold: &Fold) -> Result<Vec<Self>, StoreError> {
        let line = |source: &str, value| {
            let key =
                usage_key(&Place { zone: fold.zone.clone(), month: fold.month, source: source.to_owned() });
            Self { topic: Topic::Usage, key, value }
        };
        let gone = fold.from.keys().map(String::as_str);
        let gone: Vec<&str> = gone.filter(|source| fold.into.is_none() || *source != BASE).collect();
        let base = fold.into.as_ref().map(|usage| usage_value(usage, &gone)).transpose()?;
        let base = base.map(|value| line(BASE, Some(value)));
        Ok(base.into_iter().chain(gone.iter().map(|source| line(source, None))).collect())
    }
}
