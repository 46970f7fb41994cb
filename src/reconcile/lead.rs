//! One run, from the files to what is in force: on the leader all of it, elsewhere as far as the plan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::apply::Extent;
use super::backing::{Backing, Failures, Observation, Step, in_force};
use super::controller::{Controller, RunError};
use super::flapping::{CORRECTIONS, WINDOW};
use super::guard::{Allowance, Allowed, AllowedBy};
use super::identity::{self, Ids};
use super::plan::{Connected, Desired, Fate, Holding, Observed, Plan, SelfHeal, Terms, plan};
use super::principals::{left_behind, wanted};
use super::replay;
use super::report::{Ended, Logins, Part};
use super::source::SourceError;
use crate::store::{self, State};
use crate::zone::{ApplyRequest, Asked, BY_CONTROLLER, Scope, Sequence, ZoneName};

/// How long the gateways may take to serve a commit before rights are taken away that it does not need. A node that is silent
/// for as long is gone.
const SERVED_WITHIN: Duration = Duration::from_secs(15);

/// Changes that somebody connected notices, of one commit, that stand in the log.
const NOTICED_IN_LOG: usize = 50;

/// What a plan is made of, for a thread of its own.
struct Drafting {
    desired: Desired,
    observed: Observed,
    allowances: Vec<Allowance>,
    around: Around,
    only: Option<ZoneName>,
    holding: Holding,
}

/// What was seen of the world beside the files and the state.
#[derive(Default)]
struct Around {
    /// What the clusters have of the zones' principals.
    backing: Observation,
    /// Who the clusters are. Only the leader asks.
    clusters: Option<Ids>,
    connected: Connected,
}

fn drafting(
    desired: Desired,
    state: &State,
    request: Option<&ApplyRequest>,
    around: Around,
    holding: Holding,
) -> Drafting {
    let mut allowances = desired.allowances().to_vec();
    allowances.extend(request.into_iter().flat_map(allowed));
    let only = request.and_then(|request| request.only.clone());
    Drafting { desired, observed: Observed::of(state), allowances, around, only, holding }
}

impl Controller {
    /// A node that does not lead reads and compares, and leaves the rest to the leader.
    pub(super) async fn look(
        &self,
        desired: Desired,
        state: &State,
        at: OffsetDateTime,
    ) -> Result<Ended, RunError> {
        let holding = self.holding(state, at);
        let around = Around { connected: self.connected(), ..Around::default() };
        let (plan, drafting) = self.planned(drafting(desired, state, None, around, holding)).await?;
        Ok(Ended::new(plan, &drafting.desired, state.revision.clone(), Part::Followed))
    }

    pub(super) async fn lead(
        &mut self,
        desired: Desired,
        state: &Arc<State>,
        request: Option<&ApplyRequest>,
        at: OffsetDateTime,
        cancel: &CancellationToken,
    ) -> Result<Ended, RunError> {
        let mut state = Arc::clone(state);
        let mut holding = self.holding(&state, at);
        let (mut backing, clusters, data_plane) =
            tokio::join!(self.observe(&desired, &state), identity::ask(&self.clusters), async {
                Some(self.data_plane.as_ref()?.look().await)
            });
        let logins = Logins { data_plane, locks: std::mem::take(&mut backing.locks) };
        let waiting = backing.waiting.clone();
        // What is in force already is not held: what a commit takes from it must not stay until somebody mends its login.
        let is_new = |(zone, _): &(&ZoneName, &String)| !state.zones.contains_key(*zone);
        holding.failed.extend(waiting.iter().filter(is_new).map(|(zone, why)| (zone.clone(), why.clone())));
        let around = Around { backing, clusters: Some(clusters), connected: self.connected() };
        let drafting = drafting(desired, &state, request, around, holding);
        let (mut plan, mut drafting) = self.planned(drafting).await?;
        if let Some(refusal) = unexpected(&plan, request) {
            return Ok(Ended::new(
                plan,
                &drafting.desired,
                state.revision.clone(),
                Part::Unexpected(refusal),
            ));
        }
        let flapping = self.flapping_in(&plan);
        if !flapping.is_empty() {
            self.suspend(&flapping, at).await?;
            state = self.store.state().borrow().clone().unwrap_or(state);
            drafting.observed = Observed::of(&state);
            (plan, drafting) = self.planned(drafting).await?;
        }
        if let Some(backing) = self.clusters(&plan) {
            self.store.confirm_leadership().await?;
            let step = step(&plan, &drafting.desired, &state, &self.applier.home_cluster_id);
            let failures = backing.widen(&step).await;
            (plan, drafting) = self.without(&failures, plan, drafting).await?;
        }
        let mut after = step(&plan, &drafting.desired, &state, &self.applier.home_cluster_id).after;
        after.retain(|zone, _| !drafting.holding.failed.contains_key(zone));
        let (starts, failures) = replay::begin(&after, &state, &self.clusters).await;
        (plan, drafting) = self.without(&failures, plan, drafting).await?;
        let Drafting { desired, observed, .. } = &drafting;
        let extent = Extent { plan: &plan, starts: &starts };
        let sequence =
            self.applier.apply(self.store.as_ref(), desired, observed, &extent, request, at).await?;
        self.note(&plan, sequence);
        if let Some(backing) = self.clusters(&plan) {
            self.narrow(&*backing, &plan, &drafting.desired, &state, sequence, cancel).await?;
        }
        let in_force = self.store.state().borrow().as_ref().and_then(|state| state.revision.clone());
        let mut failed = waiting;
        failed.extend(self.attempts.failures().map(|(zone, why)| (zone.clone(), why.to_owned())));
        Ok(Ended::new(plan, &drafting.desired, in_force, Part::Led { sequence, failed, logins }))
    }

    fn holding(&self, state: &State, at: OffsetDateTime) -> Holding {
        // Whoever rolls back wants that state, drift or not.
        let is_rolled_back = state.controls.rollback_at(at).is_some();
        Holding {
            self_heal: if is_rolled_back { SelfHeal::Correct } else { self.self_heal },
            failed: self.attempts.waiting(Instant::now()),
        }
    }

    /// Comparing thousands of zones is no work for a thread that other tasks wait for.
    async fn planned(&self, drafting: Drafting) -> Result<(Plan, Drafting), RunError> {
        let limits = self.limits;
        let planning = tokio::task::spawn_blocking(move || {
            let terms = Terms {
                limits,
                allowances: &drafting.allowances,
                clusters: drafting.around.clusters.as_ref(),
                backing: &drafting.around.backing.changes,
                doubts: &drafting.around.backing.doubts,
                connected: Some(&drafting.around.connected),
                only: drafting.only.as_ref(),
                holding: Some(&drafting.holding),
                ..Terms::default()
            };
            (plan(&drafting.desired, &drafting.observed, &terms), drafting)
        });
        planning.await.map_err(|_| RunError::Source(SourceError::Busy))
    }

    /// The plan without the zones that failed.
    async fn without(
        &mut self,
        failures: &Failures,
        plan: Plan,
        mut drafting: Drafting,
    ) -> Result<(Plan, Drafting), RunError> {
        if failures.is_empty() {
            return Ok((plan, drafting));
        }
        for (zone, failure) in failures {
            self.attempts.failed(zone, failure, Instant::now());
            drafting.holding.failed.insert(zone.clone(), failure.message.clone());
        }
        // What such a zone does not give up is not free for others: who goes ahead is judged anew.
        self.planned(drafting).await
    }

    /// What the clusters lack or have too much of.
    async fn observe(&self, desired: &Desired, state: &State) -> Observation {
        let Some(backing) = self.backing.clone() else {
            let doubts = left_behind(&state.principals, |_| false);
            return Observation { doubts, ..Observation::default() };
        };
        let wanted = wanted(&desired.loaded, state, &self.applier.home_cluster_id);
        backing.observe(&desired.loaded, &wanted).await
    }

    /// Who is connected to the gateways, by their last heartbeats.
    fn connected(&self) -> Connected {
        Connected::of(&self.store.nodes().borrow())
    }

    /// The clusters, if the plan has something to do there.
    fn clusters(&self, plan: &Plan) -> Option<Arc<dyn Backing>> {
        self.backing.clone().filter(|_| plan.going_ahead().next().is_some())
    }

    /// Takes away what nobody needs any more, once every live gateway serves the commit.
    async fn narrow(
        &mut self,
        backing: &dyn Backing,
        plan: &Plan,
        desired: &Desired,
        state: &State,
        sequence: Option<Sequence>,
        cancel: &CancellationToken,
    ) -> Result<(), RunError> {
        if let Some(sequence) = sequence {
            let mut nodes = self.store.nodes();
            let served = nodes.wait_for(|nodes| nodes.values().all(|node| node.serving >= sequence.0));
            // A run that is cut off here leaves rights that nobody asks for: the next run takes them.
            match cancel.run_until_cancelled(timeout(SERVED_WITHIN, served)).await {
                Some(Ok(Ok(_))) => {}
                Some(_) => {
                    tracing::warn!(%sequence, "not every gateway serves the commit yet; rights are taken away in a later run");
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        self.store.confirm_leadership().await?;
        let step = step(plan, desired, state, &self.applier.home_cluster_id);
        let failures = backing.narrow(&step).await;
        for (zone, failure) in &failures {
            self.attempts.failed(zone, failure, Instant::now());
        }
        for zone in step.touched.iter().filter(|zone| !failures.contains_key(*zone)) {
            self.attempts.succeeded(zone);
        }
        Ok(())
    }

    /// Zones that would be corrected once more although they drift again and again.
    fn flapping_in(&mut self, plan: &Plan) -> BTreeSet<ZoneName> {
        let now = Instant::now();
        let applicable: BTreeSet<&ZoneName> = plan.applicable().map(|(zone, _)| zone).collect();
        let corrected = plan.drifted().filter(|zone| applicable.contains(zone));
        corrected.filter(|zone| self.flapping.flaps(zone, now)).cloned().collect()
    }

    async fn suspend(&mut self, zones: &BTreeSet<ZoneName>, at: OffsetDateTime) -> Result<(), RunError> {
        let reason = format!(
            "it drifted again after {CORRECTIONS} corrections within {} minutes: somebody else writes it too; stop them, \
             then `reconciler resume` it, or change its file",
            WINDOW.as_secs() / 60
        );
        let asked = Asked { by: BY_CONTROLLER.to_owned(), at, reason };
        let mut changes = Vec::new();
        for zone in zones {
            let data = serde_json::json!({ "scope": format!("zone/{zone}"), "reason": asked.reason });
            let subject = format!("controller/zone/{zone}");
            changes.push(store::Change::Suspend(Scope::Zone(zone.clone()), asked.clone()));
            changes.push(store::Change::Audit(self.applier.event(
                "controller.suspended",
                &subject,
                &data,
                at,
            )));
        }
        self.store.commit(changes).await?;
        for zone in zones {
            self.flapping.forget(zone);
            tracing::error!(%zone, "suspended: {}", asked.reason);
        }
        Ok(())
    }

    /// Remembers what was corrected, and puts what was applied into the log.
    fn note(&mut self, plan: &Plan, sequence: Option<Sequence>) {
        let Some(sequence) = sequence else { return };
        let now = Instant::now();
        let drifted: BTreeSet<&ZoneName> = plan.drifted().collect();
        for (zone, _) in plan.applicable() {
            if drifted.contains(zone) {
                tracing::warn!(%zone, "it was not as the revision in force asks; corrected");
                self.flapping.corrected(zone, now);
            } else {
                self.flapping.forget(zone);
            }
        }
        for (change, impact) in plan.noticed().take(NOTICED_IN_LOG) {
            tracing::warn!(address = %change.address, clients = impact.clients, "{}", impact.message);
        }
        let summary = plan.summary();
        tracing::info!(
            revision = %plan.revision, %sequence, add = summary.add, change = summary.change, delete = summary.delete,
            refused = plan.guard.is_refusing(), held = plan.holds().len(), "applied"
        );
    }
}

fn step(plan: &Plan, desired: &Desired, state: &State, home_cluster_id: &str) -> Step {
    let before = in_force(state);
    let mut after = before.clone();
    for (name, fate) in plan.applicable() {
        let wanted = desired.loaded.wanted(name, state.zones.get(name).map(|record| record.zone.as_ref()));
        match (fate, wanted) {
            (Fate::Create | Fate::Update, Some(wanted)) => {
                let id = state.id_of(name, home_cluster_id);
                after.insert(name.clone(), (id, Arc::clone(&wanted.zone)));
            }
            (Fate::Delete, _) => {
                after.remove(name);
            }
            (Fate::Create | Fate::Update, None) => {}
        }
    }
    // And not all but those that are held: a plan of one zone says nothing of the others.
    let touched = plan.going_ahead().map(|change| change.address.zone().clone()).collect();
    Step { before, after, touched }
}

/// What a request lets pass, for the plan it names and no other.
fn allowed(request: &ApplyRequest) -> Vec<Allowance> {
    let Some(plan) = &request.expect_plan else { return Vec::new() };
    let numbers = [(Allowed::Deletes, request.allow_deletes), (Allowed::Updates, request.allow_updates)];
    let allowance = |(what, count): (Allowed, Option<usize>)| {
        let by = AllowedBy::Flag { plan: plan.clone() };
        Some(Allowance { what, count: count?, reason: request.reason.clone(), by })
    };
    numbers.into_iter().filter_map(allowance).collect()
}

/// Why the plan is not the one that was asked for, if so.
fn unexpected(plan: &Plan, request: Option<&ApplyRequest>) -> Option<String> {
    let expected = request?.expect_plan.as_ref()?;
    (*expected != plan.digest).then(|| {
        let sum = plan.summary();
        format!(
            "the plan is {} and not the expected {expected}: it is of {} (tree {}), zones in force: {}, {} to add, {} to \
             change and {} to delete; look at it with `reconciler plan`, and expect that one",
            plan.digest, plan.revision, plan.tree, plan.in_force.zones, sum.add, sum.change, sum.delete
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::manifest::{AliasPlaces, Loaded, LoadedZone, Location};
    use crate::reconcile::plan::{Action, Address, Change, Origin};
    use crate::zone::{Permission, Revision, ZoneId, sample};

    fn name(text: &str) -> ZoneName {
        ZoneName::try_from(text).unwrap()
    }

    #[test]
    fn of_a_plan_of_one_zone_no_other_zone_is_touched_on_a_cluster_although_it_drifted_there() {
        let mut loaded = Loaded::default();
        let mut state = State::default();
        for zone in ["acme", "beta", "held"] {
            let form = Arc::new(sample::zone(zone, vec![sample::topic("orders", "o-v1", Permission::Read)]));
            let source = Location::start_of(format!("{zone}.yaml").into());
            let written = LoadedZone { zone: Arc::clone(&form), source, topics: AliasPlaces::default() };
            loaded.zones.insert(name(zone), written);
            let record = store::ZoneRecord {
                id: ZoneId::derive("home", &name(zone)),
                zone: form,
                changed: Sequence(1),
                revision: Revision::folder("8c1f"),
                updated_at: OffsetDateTime::UNIX_EPOCH,
            };
            state.zones.insert(name(zone), Arc::new(record));
        }
        let revision = Revision::folder("8c1f");
        let desired = Desired { revision, tree: "t".to_owned(), commit: None, loaded: Arc::new(loaded) };
        let drifted = ["acme", "beta", "held"].map(|zone| Change {
            address: Address::Principal(name(zone)),
            action: Action::Create,
            before: None,
            after: Some(serde_json::json!({}).into()),
            source: None,
            origin: Origin::Drift,
        });
        let failed = BTreeMap::from([(name("held"), "not permitted".to_owned())]);
        let holding = Holding { self_heal: SelfHeal::Correct, failed };
        let touched = |only: Option<&ZoneName>| {
            let terms = Terms { backing: &drifted, only, holding: Some(&holding), ..Terms::default() };
            let step = step(&plan(&desired, &Observed::of(&state), &terms), &desired, &state, "home");
            assert_eq!(step.after.len(), 3, "the others' rights are asked for all the same");
            step.touched
        };
        assert_eq!(touched(Some(&name("acme"))), BTreeSet::from([name("acme")]));
        assert_eq!(touched(None), BTreeSet::from([name("acme"), name("beta")]));
    }
}
