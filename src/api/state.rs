//! All that a plan compares with, for `reconciler plan --url`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Api;
use super::problem::Problem;
use crate::manifest::document;
use crate::store::{State, ZoneRecord};
use crate::zone::{Asked, ClusterName, Revision, Scope, Sequence, ZoneId};

/// The zones as they were last applied. Credentials and keys are no part of a plan, and of no interest to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedState {
    sequence: u64,
    revision: Option<String>,
    zones: Vec<ObservedZone>,
    /// The clusters' ids, by name.
    #[serde(default)]
    clusters: BTreeMap<String, String>,
    /// A plan says what is suspended.
    #[serde(default)]
    suspended: Vec<Suspension>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Suspension {
    scope: String,
    by: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObservedZone {
    id: Uuid,
    changed: u64,
    revision: String,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    zone: Value,
}

fn suspension((scope, asked): (&Scope, &Asked)) -> Suspension {
    Suspension { scope: scope.key(), by: asked.by.clone(), at: asked.at, reason: asked.reason.clone() }
}

impl From<&State> for ObservedState {
    fn from(state: &State) -> Self {
        let zone = |record: &Arc<ZoneRecord>| ObservedZone {
            id: record.id.0,
            changed: record.changed.0,
            revision: record.revision.as_str().to_owned(),
            updated_at: record.updated_at,
            zone: document::to_document(&record.zone),
        };
        Self {
            sequence: state.sequence.0,
            revision: state.revision.as_ref().map(|revision| revision.as_str().to_owned()),
            zones: state.zones.values().map(zone).collect(),
            clusters: state.clusters.iter().map(|(name, id)| (name.to_string(), id.clone())).collect(),
            suspended: state.controls.suspended.iter().map(suspension).collect(),
        }
    }
}

impl ObservedState {
    /// The state that the server had; the error names a zone that this program cannot read.
    pub fn into_state(self) -> Result<State, String> {
        let mut state = State {
            sequence: Sequence(self.sequence),
            revision: self.revision.map(Revision::recorded),
            ..State::default()
        };
        for (name, id) in self.clusters {
            let name = ClusterName::try_from(name.as_str())
                .map_err(|error| format!("a cluster of the server: `{name}` {error}"))?;
            state.clusters.insert(name, id);
        }
        for Suspension { scope, by, at, reason } in self.suspended {
            let known = Scope::parse(&scope).ok_or_else(|| {
                format!("the server has suspended `{scope}`, which this program does not know; use the server's version")
            })?;
            state.controls.suspended.insert(known, Asked { by, at, reason });
        }
        for observed in self.zones {
            let zone = document::from_document(&observed.zone).map_err(|error| {
                format!("a zone of the server cannot be read here: {error}; use the server's version")
            })?;
            let record = ZoneRecord {
                id: ZoneId(observed.id),
                changed: Sequence(observed.changed),
                revision: Revision::recorded(observed.revision),
                updated_at: observed.updated_at,
                zone: Arc::new(zone),
            };
            state.zones.insert(record.zone.name.clone(), Arc::new(record));
        }
        Ok(state)
    }
}

pub(super) async fn show(Shared(api): Shared<Arc<Api>>) -> Result<Json<ObservedState>, Problem> {
    Ok(Json(ObservedState::from(&*api.state()?)))
}
