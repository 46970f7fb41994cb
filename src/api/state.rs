//! All that a plan compares with, for `reconciler plan --url`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Api;
use super::openapi::words;
use super::problem::Problem;
use crate::manifest::document;
use crate::store::{PrincipalRow, State, ZoneRecord};
use crate::zone::{
    self, Acceptance, Asked, ClusterName, Controls, Revision, Rollback, Scope, Sequence, Spent, ZoneId,
    ZoneName,
};

/// How this installation plans, beside what is in force: a plan made elsewhere says what this one would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Planning {
    /// Part of every zone's id.
    pub home_cluster_id: String,
    pub guards: Guards,
    /// `off`, `report` or `correct`.
    pub self_heal: String,
    /// The clusters on which zones have principals of their own that are made here.
    pub principals: BTreeSet<String>,
}

/// `guards` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guards {
    pub max_delete_percent: u8,
    pub max_update_percent: u8,
    pub floor: usize,
}

/// The zones as they were last applied, and the rest that a plan is made of. Credentials and keys are no part of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedState {
    /// A server of an earlier version does not tell.
    #[serde(default)]
    pub planning: Option<Planning>,
    sequence: u64,
    revision: Option<String>,
    zones: Vec<ObservedZone>,
    /// The clusters' ids, by name.
    #[serde(default)]
    clusters: BTreeMap<String, String>,
    /// A plan says what is suspended.
    #[serde(default)]
    suspended: Vec<Suspension>,
    #[serde(default)]
    rollback: Option<Decision>,
    #[serde(default)]
    accepted: Option<Decision>,
    /// What is used up of commits' trailers, by the commits' ids.
    #[serde(default)]
    spent: BTreeMap<String, Used>,
    /// The principals on the clusters that are ours.
    #[serde(default)]
    principals: Vec<Principal>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ObservedSpending")]
struct Used {
    deletions: usize,
    updates: usize,
}

/// About one commit: a rollback to it, or that it is accepted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ObservedDecision")]
struct Decision {
    commit: String,
    /// Of a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "words::Time")]
    until: Option<OffsetDateTime>,
    by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "words::Time")]
    at: OffsetDateTime,
    reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ObservedPrincipal")]
struct Principal {
    cluster: String,
    zone: String,
    #[serde(flatten)]
    row: PrincipalRow,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ObservedSuspension")]
struct Suspension {
    scope: String,
    by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "words::Time")]
    at: OffsetDateTime,
    reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ObservedZone {
    #[schemars(with = "words::Id")]
    id: Uuid,
    changed: u64,
    revision: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "words::Time")]
    updated_at: OffsetDateTime,
    #[schemars(with = "words::Manifest")]
    zone: Value,
}

fn suspension((scope, asked): (&Scope, &Asked)) -> Suspension {
    Suspension { scope: scope.key(), by: asked.by.clone(), at: asked.at, reason: asked.reason.clone() }
}

fn used(Spent { deletions, updates }: Spent) -> Used {
    Used { deletions, updates }
}

fn decision(commit: &str, until: Option<OffsetDateTime>, asked: &Asked) -> Decision {
    let Asked { by, at, reason } = asked.clone();
    Decision { commit: commit.to_owned(), until, by, at, reason }
}

impl Decision {
    fn asked(&self) -> Asked {
        Asked { by: self.by.clone(), at: self.at, reason: self.reason.clone() }
    }
}

impl ObservedState {
    pub fn new(state: &State, planning: Planning) -> Self {
        let zone = |record: &Arc<ZoneRecord>| ObservedZone {
            id: record.id.0,
            changed: record.changed.0,
            revision: record.revision.as_str().to_owned(),
            updated_at: record.updated_at,
            zone: document::to_document(&record.zone),
        };
        let principal = |((cluster, zone), it): (&(ClusterName, ZoneName), &zone::Principal)| Principal {
            cluster: cluster.to_string(),
            zone: zone.to_string(),
            row: PrincipalRow::new(it),
        };
        let Controls { suspended, rollback, accepted } = &state.controls;
        Self {
            planning: Some(planning),
            sequence: state.sequence.0,
            revision: state.revision.as_ref().map(|revision| revision.as_str().to_owned()),
            zones: state.zones.values().map(zone).collect(),
            clusters: state.clusters.iter().map(|(name, id)| (name.to_string(), id.clone())).collect(),
            suspended: suspended.iter().map(suspension).collect(),
            rollback: rollback.as_ref().map(|it| decision(&it.commit, Some(it.until), &it.asked)),
            accepted: accepted.as_ref().map(|it| decision(&it.commit, None, &it.asked)),
            spent: state.spent.iter().map(|(commit, spent)| (commit.clone(), used(*spent))).collect(),
            principals: state.principals.iter().map(principal).collect(),
        }
    }

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
        state.controls.rollback = self
            .rollback
            .and_then(|it| Some(Rollback { commit: it.commit.clone(), until: it.until?, asked: it.asked() }));
        state.controls.accepted =
            self.accepted.map(|it| Acceptance { commit: it.commit.clone(), asked: it.asked() });
        let spent = self.spent.into_iter();
        state.spent =
            spent.map(|(id, Used { deletions, updates })| (id, Spent { deletions, updates })).collect();
        for Principal { cluster, zone, row } in self.principals {
            let (Ok(cluster), Ok(zone)) =
                (ClusterName::try_from(cluster.as_str()), ZoneName::try_from(zone.as_str()))
            else {
                return Err("a principal of the server has a name that is none".to_owned());
            };
            let principal = row.into_principal();
            let principal = principal
                .map_err(|wrong| format!("the principal of zone `{zone}` of the server: {wrong}"))?;
            state.principals.insert((cluster, zone), principal);
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
    Ok(Json(ObservedState::new(&*api.state()?, api.config.planning.clone())))
}
