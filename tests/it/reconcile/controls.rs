//! What operators ask of the controller, and what it does about drift.

use std::sync::Arc;

use partner_zones::store::Change;
use partner_zones::zone::{
    Acceptance, Asked, Asker, BY_CONTROLLER, Outcome, Pending, Rollback, Run, Scope, is_commit_id,
};

use super::*;

fn asked() -> Asked {
    Asked { by: "k1".to_owned(), at: OffsetDateTime::now_utc(), reason: "an incident".to_owned() }
}

impl World {
    async fn commit(&self, change: Change) {
        self.store.commit(vec![change]).await.unwrap();
    }

    /// Somebody else writes a zone.
    async fn meddle(&self, zone: &str, backing: &str) {
        let mut record = self.state().zones[&name(zone)].as_ref().clone();
        Arc::make_mut(&mut record.zone).topics[0].backing = backing.try_into().unwrap();
        self.commit(Change::PutZone(Box::new(record))).await;
    }

    /// Asks for a run, and waits for what came of it.
    async fn asked_for(&mut self, request: ApplyRequest) -> Run {
        let id = request.id.clone();
        self.apply.send(request).await.unwrap();
        let find = |status: &ControllerStatus| {
            status.runs.iter().find(|run| run.request.as_ref() == Some(&id)).cloned()
        };
        let ended = self.status.wait_for(|status| find(status).is_some());
        let ended = tokio::time::timeout(PATIENCE, ended).await.expect("the run ends").unwrap().clone();
        find(&ended).unwrap()
    }

    async fn until_condition(
        &mut self,
        kind: ConditionKind,
        status: ConditionStatus,
    ) -> Arc<ControllerStatus> {
        let holds = |it: &Arc<ControllerStatus>| it.condition(kind).is_some_and(|it| it.status == status);
        let reached = tokio::time::timeout(PATIENCE, self.status.wait_for(holds)).await;
        let reached = reached.map(|status| status.unwrap().clone());
        reached.unwrap_or_else(|_| panic!("never {kind:?} {status:?}; {:?}", self.status.borrow()))
    }

    fn audited(&self, kind: &str) -> Vec<serde_json::Value> {
        let kind = format!("partner-zones.{kind}");
        self.store.audit_events().into_iter().filter(|event| event["type"] == *kind).collect()
    }
}

fn request(id: &str) -> ApplyRequest {
    ApplyRequest {
        id: id.to_owned(),
        by: Asker::ApiKey("k1".to_owned()),
        expect_plan: None,
        allow_deletes: None,
        allow_updates: None,
        reason: String::new(),
        only: None,
    }
}

#[tokio::test]
async fn what_is_suspended_stays_as_it_is_is_shouted_and_goes_on_once_resumed() {
    let folder = Folder::with(&["acme", "beta"]);
    let mut world = World::start(folder.source());
    world.until("both zones are applied", |state| state.zones.len() == 2).await;
    world.commit(Change::Suspend(Scope::Zone(name("acme")), asked())).await;
    for zone in ["acme", "beta"] {
        folder.write(&format!("{zone}.yaml"), &manifest(zone, "other-v1"));
    }
    world.until("the other zone goes ahead", |state| backing_of(state, "beta") == "other-v1").await;
    let status = world.until_reason("Suspended").await;
    assert_eq!(world.backing("acme"), "orders-v1");
    let Some(Pending::Held(held)) = &status.zones[&name("acme")].pending else { panic!("{status:?}") };
    assert_eq!(held.reason, "Suspended");
    assert!(held.message.contains("k1") && held.message.contains("an incident"), "{held:?}");

    world.commit(Change::Suspend(Scope::All, asked())).await;
    world.commit(Change::Resume(Scope::Zone(name("acme")))).await;
    folder.remove("beta");
    folder.write("new.yaml", &manifest("new", "orders-v1"));
    world.several_runs().await;
    assert_eq!(world.zones(), ["acme", "beta"], "nothing is made, changed or deleted");
    world.until_condition(ConditionKind::Suspended, ConditionStatus::True).await;
    world.commit(Change::Resume(Scope::All)).await;
    world
        .until("all of it is done", |state| backing_of(state, "acme") == "other-v1" && state.zones.len() == 2)
        .await;
    assert_eq!(world.zones(), ["acme", "new"]);
    world.until_condition(ConditionKind::Suspended, ConditionStatus::False).await;
    world.stop().await;
}

fn backing_of(state: &State, zone: &str) -> String {
    state.zones.get(&name(zone)).map(|it| it.zone.topics[0].backing.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn with_a_suspended_source_nothing_new_is_taken_and_drift_is_still_corrected() {
    let folder = Folder::with(&["acme"]);
    let mut world = World::start(folder.source());
    world.until_reason("Applied").await;
    world.commit(Change::Suspend(Scope::Source, asked())).await;
    world.meddle("acme", "meddled-v1").await;
    world.until("the drift is corrected", |state| backing_of(state, "acme") == "orders-v1").await;
    folder.write("acme.yaml", &manifest("acme", "other-v1"));
    world.until_reason("Suspended").await;
    world.several_runs().await;
    assert_eq!(world.backing("acme"), "orders-v1");
    world.stop().await;
}

#[tokio::test]
async fn drift_is_corrected_reported_or_left_as_the_configuration_says() {
    for (self_heal, left) in [(SelfHeal::Correct, false), (SelfHeal::Report, true), (SelfHeal::Off, true)] {
        let folder = Folder::with(&["acme", "beta"]);
        let mut world = World::healing(folder.source(), self_heal);
        world.until_reason("Applied").await;
        world.meddle("acme", "meddled-v1").await;
        if left {
            world.until_condition(ConditionKind::Drifted, ConditionStatus::True).await;
            world.several_runs().await;
            assert_eq!(world.backing("acme"), "meddled-v1", "{self_heal:?}");
        } else {
            world.until("it is corrected", |state| backing_of(state, "acme") == "orders-v1").await;
            world.until_condition(ConditionKind::Drifted, ConditionStatus::False).await;
        }
        // A change of the files is applied in any case, and takes the drift along.
        folder.write("beta.yaml", &manifest("beta", "other-v1"));
        world
            .until("the change is applied", |state| {
                backing_of(state, "beta") == "other-v1" && backing_of(state, "acme") == "orders-v1"
            })
            .await;
        world.stop().await;
    }
}

#[tokio::test]
async fn a_zone_that_keeps_drifting_is_suspended_with_an_alert_until_a_person_or_a_commit_speaks() {
    let folder = Folder::with(&["acme", "beta"]);
    let mut world = World::start(folder.source());
    world.until_reason("Applied").await;
    for round in 0..3 {
        world.meddle("acme", "meddled-v1").await;
        world.until("it is corrected", |state| backing_of(state, "acme") == "orders-v1").await;
        assert!(world.state().controls.suspended.is_empty(), "round {round}");
    }
    world.meddle("acme", "meddled-v1").await;
    world.until("it is suspended", |state| !state.controls.suspended.is_empty()).await;
    world.several_runs().await;
    let suspended = world.state().controls.suspended.clone();
    assert_eq!(suspended[&Scope::Zone(name("acme"))].by, BY_CONTROLLER);
    assert_eq!(world.backing("acme"), "meddled-v1", "it is left");
    assert_eq!(world.audited("controller.suspended").len(), 1);
    world.until_condition(ConditionKind::Drifted, ConditionStatus::True).await;
    // The others are still looked after.
    world.meddle("beta", "meddled-v1").await;
    world.until("the other zone is corrected", |state| backing_of(state, "beta") == "orders-v1").await;
    folder.write("acme.yaml", &manifest("acme", "other-v1"));
    world.until("a new form is applied", |state| backing_of(state, "acme") == "other-v1").await;
    assert!(world.state().controls.suspended.is_empty(), "and ends the suspension");
    world.stop().await;
}

#[tokio::test]
async fn a_rollback_applies_an_earlier_commit_holds_there_and_ends_by_itself() {
    let hosted = Hosted::new();
    let first = hosted.commit(&["acme"], &[]);
    let second = hosted.commit(&["acme", "beta"], &[first]);
    hosted.point(second);
    let mut world = World::start(hosted.source());
    world.until("the head is applied", |state| state.zones.len() == 2).await;
    assert!(is_commit_id(&first.to_string()));
    let until = OffsetDateTime::now_utc() + Duration::from_secs(3);
    let rollback = Rollback { commit: first.to_string(), until, asked: asked() };
    world.commit(Change::Rollback(rollback)).await;
    world.until("the earlier commit is applied", |state| state.zones.len() == 1).await;
    let third = hosted.commit(&["acme", "beta", "gamma"], &[second]);
    hosted.point(third);
    world.several_runs().await;
    assert_eq!(world.zones(), ["acme"], "the branch is not followed");
    assert_eq!(world.state().revision.as_ref().unwrap().as_str(), format!("main@sha1:{first}"));
    world.until("the branch is followed again", |state| state.zones.len() == 3).await;
    assert!(OffsetDateTime::now_utc() >= until);
    assert!(world.state().controls.rollback.is_none());
    assert_eq!(world.audited("controller.rollback-ended").len(), 1);
    // Guards hold for a rollback too: it would delete everything.
    let empty = hosted.commit(&[], &[third]);
    let again = hosted.commit(&["acme", "beta", "gamma"], &[empty]);
    hosted.point(again);
    world.until_reason("Applied").await;
    let until = OffsetDateTime::now_utc() + Duration::from_mins(5);
    world.commit(Change::Rollback(Rollback { commit: empty.to_string(), until, asked: asked() })).await;
    world.until_reason("RefusedByGuard").await;
    assert_eq!(world.zones().len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_rewritten_history_is_applied_once_a_person_accepts_its_commit() {
    let hosted = Hosted::new();
    hosted.point(hosted.commit(&["acme"], &[]));
    let mut world = World::start(hosted.source());
    world.until("the head is applied", |state| state.zones.len() == 1).await;
    let foreign = hosted.commit(&["acme", "other"], &[]);
    hosted.point(foreign);
    world.until_reason("SourceRewritten").await;
    world.commit(Change::Accept(Acceptance { commit: foreign.to_string(), asked: asked() })).await;
    world.until("the rewritten history is applied", |state| state.zones.len() == 2).await;
    // It was a word about this history, not about the next one.
    hosted.point(hosted.commit(&["evil"], &[]));
    world.until_reason("SourceRewritten").await;
    assert_eq!(world.zones(), ["acme", "other"]);
    world.stop().await;
}

#[tokio::test]
async fn a_run_that_is_asked_for_applies_the_plan_it_names_and_no_other() {
    let folder = Folder::with(&["acme", "beta"]);
    let mut world = World::start(folder.source());
    world.until_reason("Applied").await;
    let run = world.asked_for(request("1")).await;
    assert_eq!((run.outcome, run.sequence), (Outcome::UpToDate, None));

    // What the loop would do by itself at once waits for the request.
    world.commit(Change::Suspend(Scope::All, asked())).await;
    folder.write("new.yaml", &manifest("new", "orders-v1"));
    let status = world.until_reason("Suspended").await;
    let plan = status.plan.clone().unwrap();
    let run = world.asked_for(request("2")).await;
    assert_eq!((run.outcome, run.held.len()), (Outcome::Held, 1), "a suspension holds here too: {run:?}");
    world.commit(Change::Suspend(Scope::Zone(name("new")), asked())).await;
    world.commit(Change::Resume(Scope::All)).await;
    let other = format!("sha256:{}", "0".repeat(64));
    let run = world.asked_for(ApplyRequest { expect_plan: Some(other.clone()), ..request("3") }).await;
    assert_eq!((run.outcome, run.sequence), (Outcome::Refused, None));
    assert!(run.message.contains(&plan) && run.message.contains(&other), "{}", run.message);
    world.commit(Change::Resume(Scope::Zone(name("new")))).await;
    world.until("the new zone is applied", |state| state.zones.len() == 3).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_with_a_number_and_a_reason_gets_past_the_guard_for_its_plan_alone() {
    let zones: Vec<String> = (0..12).map(|number| format!("zone-{number}")).collect();
    let folder = Folder::with(&zones.iter().map(String::as_str).collect::<Vec<_>>());
    let mut world = World::start(folder.source());
    world.until_reason("Applied").await;
    for zone in &zones[..5] {
        folder.remove(zone);
    }
    world.until_reason("RefusedByGuard").await;
    // Several files go one after the other: the plan is final once all are gone.
    world.several_runs().await;
    let plan = world.status.borrow().plan.clone();
    let reason = "the west region closes".to_owned();
    let with = |id: &str, plan: Option<String>, number| ApplyRequest {
        expect_plan: plan,
        allow_deletes: Some(number),
        reason: reason.clone(),
        ..request(id)
    };
    let run = world.asked_for(with("1", plan.clone(), 4)).await;
    assert_eq!((run.outcome, world.zones().len()), (Outcome::Refused, 12), "four are not five: {run:?}");
    let only = Some(name("zone-0"));
    let run = world.asked_for(ApplyRequest { only, ..request("2") }).await;
    assert_eq!((run.outcome, run.applied), (Outcome::Applied, [0, 0, 1]), "{run:?}");
    assert_eq!(world.zones().len(), 11, "nothing but what was named");
    world.until_reason("RefusedByGuard").await;
    let plan_now = world.asked_for(request("3")).await.plan;
    assert_ne!(plan, plan_now);
    let run = world.asked_for(with("4", plan, 5)).await;
    assert_eq!((run.outcome, world.zones().len()), (Outcome::Refused, 11), "that was another plan");
    let run = world.asked_for(with("5", plan_now, 4)).await;
    assert_eq!((run.outcome, world.zones().len()), (Outcome::Applied, 7), "{run:?}");
    let deleted = world.audited("zone.deleted");
    let last = deleted.last().unwrap();
    assert_eq!(
        (&last["data"]["request"]["apiKey"], &last["data"]["request"]["reason"]),
        (&"k1".into(), &reason.into())
    );
    assert_eq!(last["data"]["allowances"][0]["count"], 4, "{last:#}");
    world.stop().await;
}
