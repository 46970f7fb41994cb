//! Principals as part of a run: seen while planning, widened before the state changes, narrowed after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::files::FileLogins;
use super::reach::Reach;
use super::slots::reason_to_wait;
use super::told;
use super::{
    Clusters, FileClusters, Leftovers, Steps, View, Zone, ZoneSteps, changes, findings, left_behind,
    obstacles, rights_needed, steps,
};
use crate::manifest::{Finding, Loaded};
use crate::reconcile::backing::{
    Backing, BackingFailure, BackingFuture, Failures, Observation, Step, Zones, in_force,
};
use crate::reconcile::plan::Change;
use crate::store::{self, State, Store, StoreError};
use crate::zone::{Principal, Slots, ZoneId, ZoneName};

/// How long what was seen is good for the rest of a run.
const FRESH: Duration = Duration::from_secs(20);

/// A node is gone after ten seconds of silence: who has listened for longer knows which nodes live.
const LISTENING: Duration = Duration::from_secs(15);

/// The clusters with `isolation: principal`, whoever makes the principals.
#[derive(Debug)]
pub struct OwnPrincipals {
    clusters: Clusters,
    /// Those of somebody else's making.
    files: Option<FileLogins>,
    /// What those that are made here may do beyond their zones.
    reach: Reach,
    store: Arc<dyn Store>,
    /// Part of every zone's id.
    home_cluster_id: String,
    /// What was seen last; nothing once something was written.
    seen: Mutex<Option<(Instant, Arc<View>)>>,
    /// Zones that were written and not read back on every broker: the look, which asks one, may find them complete.
    unread: Mutex<BTreeSet<ZoneName>>,
    /// Since when heartbeats are heard.
    since: Instant,
    /// Why passwords wait for a gateway, as last said.
    waiting: Mutex<Option<String>>,
}

impl OwnPrincipals {
    pub fn new(
        clusters: Clusters,
        files: Option<FileClusters>,
        store: Arc<dyn Store>,
        home_cluster_id: String,
    ) -> Self {
        Self {
            clusters,
            files: files.map(FileLogins::new),
            reach: Reach::default(),
            store,
            home_cluster_id,
            seen: Mutex::default(),
            unread: Mutex::default(),
            since: Instant::now(),
            waiting: Mutex::default(),
        }
    }

    fn state(&self) -> Arc<State> {
        self.store.state().borrow().clone().unwrap_or_default()
    }

    async fn look(&self) -> Arc<View> {
        let view = Arc::new(self.clusters.look().await);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&view)));
        view
    }

    /// What this run has seen, if nothing was written since.
    async fn seen(&self) -> Arc<View> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match seen {
            Some((at, view)) if at.elapsed() < FRESH => view,
            _ => self.look().await,
        }
    }

    fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn unread(&self) -> MutexGuard<'_, BTreeSet<ZoneName>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done so that the clusters have what `after` needs, for the zones that are touched. For the others there is
    /// only what the state is to remember, and nothing that is written on a cluster.
    fn steps(&self, view: &View, state: &State, step: &Step) -> Steps {
        let after = still_shared(&step.after, OffsetDateTime::now_utc());
        let zones = zones(&step.before, &after);
        let mut steps = all_steps(&self.clusters, view, state, &zones, &self.home_cluster_id);
        steps.retain(|it| step.touched.contains(&it.zone) || is_for_the_record(it));
        steps
    }

    /// What has not been read back is written again in full, so that it is read back in full. So is what the state knows as begun:
    /// whoever wrote it did not come to the end of it.
    fn widening(&self, view: &View, state: &State, step: &Step) -> Steps {
        let mut unread = self.unread().clone();
        let begun = state.principals.iter().filter(|(_, principal)| principal.slots.is_none());
        unread.extend(begun.map(|((_, zone), _)| zone.clone()));
        let mut steps = if unread.is_empty() {
            self.steps(view, state, step)
        } else {
            self.steps(&view.without(&unread), state, step)
        };
        self.hold_passwords_back(&mut steps);
        steps.retain(ZoneSteps::is_widening);
        steps
    }

    /// No password changes that a gateway which lives could not follow.
    fn hold_passwords_back(&self, steps: &mut Steps) {
        let nodes = self.store.nodes().borrow().clone();
        let mut reason = None;
        for step in steps {
            let (Some(known), Some(slots)) = (&step.known, &step.slots) else { continue };
            if known == slots {
                continue;
            }
            let unheard = "it is not known yet which gateways live".to_owned();
            let why = if self.since.elapsed() < LISTENING {
                Some(unheard)
            } else {
                reason_to_wait(known, slots, &nodes)
            };
            if let Some(why) = why {
                step.leave_passwords();
                reason = Some(why);
            }
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = reason.as_ref().filter(|_| *waiting != reason) {
            tracing::warn!("passwords of zones' principals are not made of another master key yet: {why}");
        }
        *waiting = reason;
    }

    async fn widen_now(&self, step: &Step) -> Result<Failures, StoreError> {
        let (state, view) = (self.state(), self.seen().await);
        let is_pending = |name: &ZoneName| step.before.get(name) != step.after.get(name);
        let wanted = step.after.iter().filter(|(name, _)| step.touched.contains(*name) && is_pending(name));
        let wanted = wanted.map(|(_, (id, zone))| (*id, zone.as_ref()));
        let found = obstacles(&self.clusters.setup, &view, &state.principals, wanted);
        let mut failures: Failures = found
            .into_iter()
            .map(|(zone, obstacle)| (zone, failure(format!("{}; {}", obstacle.message, obstacle.help))))
            .collect();
        let steps = self.widening(&view, &state, step);
        if steps.is_empty() {
            return Ok(failures);
        }
        // Before the first request: whatever comes of it is ours.
        let claims: Vec<store::Change> = steps.iter().filter(|step| step.claim).map(claim).collect();
        if !claims.is_empty() {
            self.store.commit(claims).await?;
        }
        self.forget();
        self.unread().extend(steps.iter().map(|step| step.zone.clone()));
        let failed = self.clusters.widen(&*self.store, &steps).await?;
        let done: Vec<&ZoneSteps> = steps.iter().filter(|step| !failed.contains_key(&step.zone)).collect();
        let proved: Vec<store::Change> = done.iter().filter_map(|step| proved(step)).collect();
        if !proved.is_empty() {
            self.store.commit(proved).await?;
        }
        for step in done {
            self.unread().remove(&step.zone);
        }
        failures.extend(failed.into_iter().map(|(zone, cause)| (zone, failure(cause))));
        Ok(failures)
    }

    async fn narrow_now(&self, step: &Step) -> Result<Failures, StoreError> {
        let (view, state) = (self.seen().await, self.state());
        let steps: Vec<ZoneSteps> =
            self.steps(&view, &state, step).into_iter().filter(ZoneSteps::is_narrowing).collect();
        if steps.is_empty() {
            return Ok(Failures::new());
        }
        self.forget();
        let failed = self.clusters.narrow(&*self.store, &steps).await?;
        let is_released = |it: &&ZoneSteps| {
            let is_recorded = state.principals.contains_key(&(it.cluster.clone(), it.zone.clone()));
            it.release && is_recorded && !failed.contains_key(&it.zone)
        };
        let releases: Vec<store::Change> = steps.iter().filter(is_released).map(release).collect();
        if !releases.is_empty() {
            self.store.commit(releases).await?;
        }
        Ok(failed.into_iter().map(|(zone, cause)| (zone, failure(cause))).collect())
    }
}

impl Backing for OwnPrincipals {
    fn observe<'a>(&'a self, loaded: &'a Loaded, wanted: &'a Zones) -> BackingFuture<'a, Observation> {
        Box::pin(async {
            let (view, state) = (self.look().await, self.state());
            let changes = planned(&self.clusters, &view, &state, wanted, &self.home_cluster_id);
            let mut doubts = doubts(&self.clusters, &view, &state, wanted, loaded);
            let keys = &self.clusters.setup.keys;
            doubts.extend(left_behind(&state.principals, |cluster| keys.contains_key(cluster)));
            let locks = self.reach.look(&self.clusters, &view, &state).await;
            let mut seen = Observation { changes, doubts, locks, ..Observation::default() };
            if let Some(files) = &self.files {
                let standings = files.look(wanted).await;
                seen.doubts.extend(told::findings(&files.clusters, &standings, wanted, loaded));
                seen.doubts.extend(rights_needed(&files.clusters, &state, wanted, loaded));
                seen.waiting = told::waiting(&standings);
                seen.locks.extend(told::locks(&standings));
            }
            seen
        })
    }

    fn widen<'a>(&'a self, step: &'a Step) -> BackingFuture<'a, Failures> {
        Box::pin(async { self.widen_now(step).await.unwrap_or_else(|error| all_failed(step, &error)) })
    }

    fn narrow<'a>(&'a self, step: &'a Step) -> BackingFuture<'a, Failures> {
        Box::pin(async { self.narrow_now(step).await.unwrap_or_else(|error| all_failed(step, &error)) })
    }
}

/// What the clusters lack, or have too much of, for these zones: lines of a plan. A cluster that could not be asked has none.
pub fn planned(
    clusters: &Clusters,
    view: &View,
    state: &State,
    wanted: &Zones,
    home_cluster_id: &str,
) -> Vec<Change> {
    // What is in force keeps its dates: that a share has ended is a change, which goes ahead whatever `selfHeal` is.
    let (before, wanted) = (in_force(state), still_shared(wanted, OffsetDateTime::now_utc()));
    let zones = zones(&before, &wanted);
    let steps = all_steps(clusters, view, state, &zones, home_cluster_id);
    changes(&clusters.setup, view, &state.principals, &zones, &steps)
}

/// What there is to say about the clusters, for a plan of these zones.
pub fn doubts(
    clusters: &Clusters,
    view: &View,
    state: &State,
    wanted: &Zones,
    loaded: &Loaded,
) -> Vec<Finding> {
    let forms = wanted.values().map(|(id, zone)| (*id, zone.as_ref()));
    let obstacles = obstacles(&clusters.setup, view, &state.principals, forms);
    let is_pending = |zone: &ZoneName| {
        let in_force = state.zones.get(zone).map(|record| record.zone.as_ref());
        wanted.get(zone).map(|(_, form)| form.as_ref()) != in_force
    };
    findings(&clusters.setup, view, &state.principals, loaded, &obstacles, is_pending)
}

/// The zones as they are once the files are applied in full: one of which no file speaks any more is gone, and one whose file
/// cannot be used is as it was.
pub fn wanted(loaded: &Loaded, state: &State, home_cluster_id: &str) -> Zones {
    let mut zones = in_force(state);
    zones.retain(|name, _| loaded.unreadable.zones.contains_key(name));
    for name in loaded.zones.keys().chain(loaded.misplaced.keys()) {
        let in_force = state.zones.get(name).map(|record| record.zone.as_ref());
        let Some(zone) = loaded.wanted(name, in_force) else { continue };
        zones.insert(name.clone(), (state.id_of(name, home_cluster_id), Arc::clone(&zone.zone)));
    }
    zones
}

fn all_steps(
    clusters: &Clusters,
    view: &View,
    state: &State,
    zones: &[Zone<'_>],
    home_cluster_id: &str,
) -> Steps {
    // A state that reflects no revision may be a new one, on a cluster that is not.
    let leftovers = if state.revision.is_some() { Leftovers::Clear } else { Leftovers::Keep };
    let id_of = |name: &ZoneName| ZoneId::derive(home_cluster_id, name);
    steps(&clusters.setup, view, &state.principals, zones, leftovers, id_of)
}

/// Nothing of it is written on a cluster.
fn is_for_the_record(step: &ZoneSteps) -> bool {
    let keeps_users =
        step.put.is_empty() && step.proves().is_none() && (!step.release || step.seen.is_empty());
    keeps_users && step.create.is_empty() && step.delete.is_empty()
}

/// The zones as they are at this moment: what has ended is nothing that a principal may go on to use. What has not begun is
/// there all the same, so that it is not late.
fn still_shared(zones: &Zones, now: OffsetDateTime) -> Zones {
    zones.iter().map(|(name, (id, zone))| (name.clone(), (*id, zone.without_ended(now)))).collect()
}

fn zones<'a>(before: &'a Zones, after: &'a Zones) -> Vec<Zone<'a>> {
    let all: BTreeMap<&ZoneName, ZoneId> =
        before.iter().chain(after).map(|(name, (id, _))| (name, *id)).collect();
    let form = |zones: &'a Zones, name: &ZoneName| zones.get(name).map(|(_, zone)| zone.as_ref());
    let zone = |(name, id)| Zone { name, id, before: form(before, name), after: form(after, name) };
    all.into_iter().map(zone).collect()
}

fn claim(step: &ZoneSteps) -> store::Change {
    put(step, None)
}

/// Somebody has logged in on every broker: gateways may.
fn proved(step: &ZoneSteps) -> Option<store::Change> {
    Some(put(step, Some(step.proves()?.clone())))
}

fn put(step: &ZoneSteps, slots: Option<Slots>) -> store::Change {
    let principal = Principal { cluster_id: step.cluster_id.clone(), slots };
    store::Change::PutPrincipal { cluster: step.cluster.clone(), zone: step.zone.clone(), principal }
}

fn release(step: &ZoneSteps) -> store::Change {
    store::Change::DeletePrincipal { cluster: step.cluster.clone(), zone: step.zone.clone() }
}

/// A person may mend the cluster at any time, so it is tried again.
fn failure(message: String) -> BackingFailure {
    BackingFailure { message, is_terminal: false }
}

/// The store is lost, or the lead: nothing more is sent.
fn all_failed(step: &Step, error: &StoreError) -> Failures {
    step.touched.iter().map(|zone| (zone.clone(), failure(error.to_string()))).collect()
}

#[cfg(test)]
mod tests;
