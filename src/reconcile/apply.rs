//! Plan → store: everything that no guard holds back, in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use thiserror::Error;
use time::OffsetDateTime;

use super::diff::diff;
use super::plan::{self, Change, Desired, Fate, Observed, Plan};
use super::replay::Starts;
use super::source::Signer;
use crate::store::{self, State, Store, StoreError, ZoneRecord};
use crate::zone::{ApiKeyRole, ApplyRequest, Asked, Scope, Sequence, ZoneName};

/// Changes that one audit event lists at most: a record of the audit topic has a limited size.
const CHANGES_PER_EVENT: usize = 100;

/// Bytes of changes in one event at most; beyond, they are listed without before and after. Brokers take 1 MiB a record unless they
/// are told otherwise, and an event that is not taken would hold its commit up.
const BYTES_PER_EVENT: usize = 512 << 10;

/// Who applies, and where.
#[derive(Debug, Clone)]
pub struct Applier {
    /// The id of the cluster that holds the state: part of every zone's id.
    pub home_cluster_id: String,
    pub node: String,
}

/// What is to be committed.
#[derive(Debug)]
pub(super) struct Extent<'a> {
    pub(super) plan: &'a Plan,
    /// Where topics stand that are shared from now on only.
    pub(super) starts: &'a Starts,
}

#[derive(Debug, Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is in force, or what is suspended, changed while the plan was made")]
    Outdated,
    #[error("zone `{0}` was committed, and is not read back as it was written; it is looked at again")]
    NotReadBack(ZoneName),
}

impl Applier {
    /// Commits what the plan, made from `observed`, may do, and gives the commit's number; `None` when there was nothing
    /// to commit.
    ///
    /// The revision is recorded only when the state reflects it in full, and only once per revision: a source that is
    /// merely looked at again writes nothing. Deleting a zone takes its credentials and its partner's API keys with it,
    /// so that they do not open a later zone of the same name.
    pub(super) async fn apply(
        &self,
        store: &dyn Store,
        desired: &Desired,
        observed: &Observed,
        extent: &Extent<'_>,
        request: Option<&ApplyRequest>,
        now: OffsetDateTime,
    ) -> Result<Option<Sequence>, ApplyError> {
        let &Extent { plan, starts } = extent;
        let is_news = plan.is_complete() && observed.revision.as_ref() != Some(&plan.revision);
        if plan.applicable().next().is_none() && !is_news && starts.is_empty() {
            return Ok(None);
        }
        store.confirm_leadership().await?;
        let Some(state) = store.state().borrow().clone() else { return Err(ApplyError::Outdated) };
        // The revision too: one that changes no zone would be set back to what was read before it.
        let is_as_planned = state.revision == observed.revision
            && Observed::of(&state).zones == observed.zones
            && state.controls.suspended == observed.suspended;
        if !is_as_planned {
            return Err(ApplyError::Outdated);
        }
        let mut changes: Vec<store::Change> = Vec::new();
        for (name, fate) in plan.applicable() {
            match fate {
                Fate::Create | Fate::Update => changes.extend(self.put(name, desired, &state, now)),
                Fate::Delete => changes.extend(delete(name, &state)),
            }
        }
        changes.extend(starts.iter().map(|(zone, starts)| {
            if starts.is_empty() {
                store::Change::DeleteReplay(zone.clone())
            } else {
                store::Change::PutReplay(zone.clone(), Arc::clone(starts))
            }
        }));
        changes.extend(resumed(plan, &state));
        if is_news {
            changes.push(store::Change::Applied(plan.revision.clone()));
        } else {
            let spent = plan::spent(plan, &state.spent);
            changes.extend(spent.into_iter().map(|(commit, spent)| store::Change::Spend(commit, spent)));
        }
        changes.extend(self.events(desired, plan, request, now).into_iter().map(store::Change::Audit));
        let sequence = store.commit(changes).await?;
        read_back(store, desired, plan)?;
        Ok(Some(sequence))
    }

    fn put(
        &self,
        name: &ZoneName,
        desired: &Desired,
        state: &State,
        now: OffsetDateTime,
    ) -> Option<store::Change> {
        let in_force = state.zones.get(name);
        let wanted = desired.loaded.wanted(name, in_force.map(|record| record.zone.as_ref()))?;
        // An id is made once: it outlives a restore on another cluster.
        let id = state.id_of(name, &self.home_cluster_id);
        Some(store::Change::PutZone(Box::new(ZoneRecord {
            id,
            zone: Arc::clone(&wanted.zone),
            changed: Sequence::default(),
            revision: desired.revision.clone(),
            updated_at: now,
        })))
    }

    /// An event of the audit log.
    pub(super) fn event(&self, kind: &str, subject: &str, data: &Value, now: OffsetDateTime) -> Value {
        store::event(&format!("controller/{}", self.node), kind, subject, now, data)
    }

    /// One event for each zone that was changed.
    fn events(
        &self,
        desired: &Desired,
        plan: &Plan,
        request: Option<&ApplyRequest>,
        now: OffsetDateTime,
    ) -> Vec<Value> {
        let request = request.map(|request| {
            let mut told = Map::from_iter([("reason".to_owned(), json!(request.reason))]);
            store::name_asker(&mut told, &request.by);
            told
        });
        let allowances: Vec<Value> = plan.guard.lifted().iter().map(plan::lifted_json).collect();
        let zones: BTreeSet<(&ZoneName, &str)> = plan
            .applicable()
            .map(|(name, fate)| {
                (
                    name,
                    match fate {
                        Fate::Create => "created",
                        Fate::Update => "updated",
                        Fate::Delete => "deleted",
                    },
                )
            })
            .collect();
        zones
            .into_iter()
            .map(|(zone, what)| {
                let changes = plan.changes_of(zone);
                let listed = || changes.iter().take(CHANGES_PER_EVENT);
                let mut shown: Vec<Value> = listed().map(change).collect();
                if shown.iter().map(|it| it.to_string().len()).sum::<usize>() > BYTES_PER_EVENT {
                    shown = listed().map(outline).collect();
                }
                let data = json!({
                    "revision": plan.revision.as_str(),
                    "plan": plan.digest,
                    "allowances": allowances,
                    "author": desired.commit.as_ref().map(|commit| &commit.author),
                    "subject": desired.commit.as_ref().map(|commit| &commit.subject),
                    "signer": desired.commit.as_ref().and_then(|commit| commit.signer.as_ref()).map(signer),
                    "request": request,
                    "changes": shown,
                    "changesOmitted": changes.len().saturating_sub(CHANGES_PER_EVENT),
                });
                self.event(&format!("zone.{what}"), &format!("zone/{zone}"), &data, now)
            })
            .collect()
    }
}

/// What the controller suspended since it kept drifting goes on with a change of its file.
fn resumed(plan: &Plan, state: &State) -> Vec<store::Change> {
    let by_controller =
        |scope: &Scope| state.controls.suspended.get(scope).is_some_and(Asked::is_of_controller);
    plan.applicable()
        .map(|(name, _)| Scope::Zone(name.clone()))
        .filter(by_controller)
        .map(store::Change::Resume)
        .collect()
}

/// The store has read the commit back when it gives its number: every zone must stand there as it was asked for.
fn read_back(store: &dyn Store, desired: &Desired, plan: &Plan) -> Result<(), ApplyError> {
    let state = store.state().borrow().clone().unwrap_or_default();
    for (name, fate) in plan.applicable() {
        let there = state.zones.get(name).map(|record| record.zone.as_ref());
        let is_there = match fate {
            Fate::Delete => there.is_none(),
            Fate::Create | Fate::Update => {
                let wanted = desired.loaded.wanted(name, there.filter(|_| fate == Fate::Update));
                there.is_some() && diff(there, wanted.map(|wanted| wanted.zone.as_ref())).is_empty()
            }
        };
        if !is_there {
            return Err(ApplyError::NotReadBack(name.clone()));
        }
    }
    Ok(())
}

fn change(change: &Change) -> Value {
    json!({
        "address": change.address.to_string(),
        "action": change.action.as_str(),
        "before": change.before,
        "after": change.after,
    })
}

fn signer(signer: &Signer) -> Value {
    json!({ "person": signer.person, "fingerprint": signer.fingerprint })
}

fn outline(change: &Change) -> Value {
    json!({ "address": change.address.to_string(), "action": change.action.as_str() })
}

/// The store takes the zone's credentials along; the keys of its partner are no credentials of it.
fn delete(name: &ZoneName, state: &State) -> Vec<store::Change> {
    state
        .api_keys
        .values()
        .filter(|key| matches!(&key.role, ApiKeyRole::Partner { zone } if zone == name))
        .map(|key| store::Change::DeleteApiKey(key.id.clone()))
        .chain(std::iter::once(store::Change::DeleteZone(name.clone())))
        .collect()
}
