use std::time::Instant;

use super::*;
use crate::manifest::{Known, SourceFile, load};
use crate::reconcile::plan::{Action, Address, Change, Connected, Observed, Origin, Terms, plan};
use crate::store::{Heartbeat, ZoneUsage, samples};
use crate::zone::{Asked, Scope};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// What files want that share these topics with `acme`, and the same with `beta`.
fn desired(aliases: &[&str]) -> Desired {
    let topic =
        |alias: &&str| format!("    - {{name: {alias}, backingTopic: {alias}-v1, permission: READ}}\n");
    let topics = aliases.iter().map(topic).collect::<Vec<_>>().concat();
    let files = ["acme", "beta"].map(|name| SourceFile {
        path: format!("{name}.yaml"),
        content: Ok(format!(
            "apiVersion: v2\nkind: PartnerZone\nmetadata: {{name: {name}}}\nspec:\n  cluster: gateway\n  displayName: {name}\n  \
             authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n{topics}"
        )
        .into_bytes()
        .into()),
    });
    let loaded = Arc::new(load(files, &Known::default()));
    Desired { revision: Revision::folder("8c1f"), tree: "sha256:8c1f".to_owned(), commit: None, loaded }
}

/// Both zones are to lose `orders`, which somebody in each of them uses; `beta` is suspended.
fn plan_with_impacts() -> (Plan, Desired) {
    let zones = desired(&["orders", "bills"]).loaded.zones.clone();
    let zones = zones.into_iter().map(|(name, it)| (name, it.zone)).collect();
    let asked = Asked { by: "k1".to_owned(), at: NOW, reason: "an incident".to_owned() };
    let beta = Scope::Zone("beta".try_into().unwrap());
    let observed = Observed { zones, suspended: [(beta, asked)].into(), ..Observed::default() };
    let usage = || ZoneUsage { clients: 1, topics: [("orders".to_owned(), 1)].into() };
    let usage = ["acme", "beta"].map(|name| (name.to_owned(), usage())).into();
    let heartbeat = Heartbeat { usage, ..samples::heartbeat("n1", 1) };
    let connected = Connected::of(&[("n1".to_owned(), heartbeat)].into());
    let desired = desired(&["bills"]);
    (plan(&desired, &observed, &Terms { connected: Some(&connected), ..Terms::default() }), desired)
}

fn after(plan: Plan, desired: &Desired, part: Part) -> (ControllerStatus, Run) {
    ended(&ControllerStatus::default(), &Ended::new(plan, desired, None, part), NOW)
}

fn led() -> Part {
    Part::Led { sequence: None, failed: BTreeMap::new(), logins: Logins::default() }
}

#[test]
fn partners_notice_what_this_node_applied_and_nothing_that_waits() {
    let (plan, desired) = plan_with_impacts();
    assert_eq!(plan.changes.iter().filter(|change| plan.impact(change).is_some()).count(), 2);
    let (_, run) = after(plan.clone(), &desired, led());
    assert_eq!(run.noticed, ["zone/acme/topic/orders: 1 connected client loses `orders`"]);
    assert_eq!(run.held.len(), 1, "{run:?}");
    for part in [Part::Followed, Part::Unexpected("it is another plan".to_owned())] {
        assert_eq!(after(plan.clone(), &desired, part).1.noticed, Vec::<String>::new());
    }
}

#[test]
fn a_status_says_whether_this_node_led_whatever_its_reason_is() {
    let (plan, desired) = plan_with_impacts();
    for (part, by_leader) in
        [(led(), true), (Part::Unexpected("another plan".to_owned()), true), (Part::Followed, false)]
    {
        let (status, run) = after(plan.clone(), &desired, part);
        assert_eq!(status.is_by_leader, by_leader, "{run:?}");
    }
    let busy = || RunError::Source(SourceError::Busy);
    let lost = || RunError::from(StoreError::NotLeader);
    let following = Leadership::Following;
    for (error, leadership, by_leader) in [
        (busy(), &Leadership::Leading, true),
        (busy(), &following, false),
        (lost(), &Leadership::Leading, false),
        (lost(), &following, false),
    ] {
        for was in [false, true] {
            let last = ControllerStatus { is_by_leader: was, ..ControllerStatus::default() };
            let (status, _) = failed(&last, &error, true, leadership, NOW);
            assert_eq!(status.is_by_leader, by_leader, "{error} {leadership:?}");
        }
    }
}

/// Every zone against every change takes many times as long as this allows.
#[test]
fn the_work_of_a_report_grows_with_its_changes_and_not_with_their_square() {
    const ZONES: usize = 40_000;
    let principal = |number: usize| Change {
        address: Address::Principal(format!("zone-{number}").as_str().try_into().unwrap()),
        action: Action::Create,
        before: None,
        after: None,
        source: None,
        origin: Origin::Change,
    };
    let backing: Vec<Change> = (0..ZONES).map(principal).collect();
    let desired = desired(&[]);
    let plan = plan(&desired, &Observed::default(), &Terms { backing: &backing, ..Terms::default() });
    let began = Instant::now();
    let (status, _) = after(plan, &desired, Part::Followed);
    let took = began.elapsed();
    assert!(status.zones.len() >= ZONES);
    assert!(took < Duration::from_secs(2), "{took:?}");
}
