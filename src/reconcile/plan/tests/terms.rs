//! What a plan is made under: a base, one zone alone, without live state, with a backing cluster's changes.

use super::*;

fn origins(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} {}", change.origin.as_str(), change.address)).collect()
}

#[test]
fn what_the_base_wants_as_well_is_drift_and_the_rest_is_this_change() {
    let in_force = observed("one", &[zone("acme", &[ORDERS]), zone("beta", &[ORDERS]), zone("old", &[])]);
    // Somebody's merge is not applied yet: BILLS for acme, and no `old` any more.
    let base = desired("base", &[zone("acme", &[ORDERS, BILLS]), zone("beta", &[ORDERS])]);
    let write = ("orders", "orders-v1", "WRITE");
    let head = desired("head", &[zone("acme", &[write, BILLS]), zone("beta", &[BILLS])]);
    let plan = plan(&head, &in_force, &Terms { base: Some(&base), ..Terms::default() });
    assert_eq!(
        origins(&plan),
        [
            "drift zone/acme/topic/bills",
            "change zone/acme/topic/orders",
            "change zone/beta/topic/bills",
            "change zone/beta/topic/orders",
            "drift zone/old",
        ]
    );
    assert_eq!(plan.summary().drift, 2);
    assert_eq!(plan.base.as_ref().map(Revision::as_str), Some("base"));
    let without = self::plan(&head, &in_force, &Terms::default());
    assert_eq!(plan.digest, without.digest, "who asked for it is no part of what is done");
}

#[test]
fn one_zone_alone_is_planned_and_no_other_is_pruned() {
    let in_force = observed("one", &[zone("acme", &[ORDERS]), zone("beta", &[ORDERS]), zone("gone", &[])]);
    let wanted = desired("two", &[zone("acme", &[BILLS]), zone("new", &[])]);
    let only = |name: &str| {
        let name = ZoneName::try_from(name).unwrap();
        plan(&wanted, &in_force, &Terms { only: Some(&name), ..Terms::default() })
    };
    let acme = only("acme");
    assert_eq!(lines(&acme), ["create zone/acme/topic/bills", "delete zone/acme/topic/orders"]);
    assert_eq!(applicable(&acme), ["Update acme"]);
    assert!(!acme.is_complete(), "the revision is not in force with one zone of it");
    assert_eq!(applicable(&only("gone")), ["Delete gone"]);
    assert_eq!(applicable(&only("new")), ["Create new"]);
    assert!(only("nobody").changes.is_empty());
}

#[test]
fn a_plan_without_live_state_says_so_and_compares_with_the_base_alone() {
    let head = desired("head", &[zone("acme", &[ORDERS, BILLS])]);
    let alone = plan_offline(&head, &Terms::default());
    assert!(alone.changes.is_empty() && !alone.is_complete());
    assert_eq!(alone.to_json()["mode"], "offline");
    let base = desired("base", &[zone("acme", &[ORDERS]), zone("beta", &[])]);
    let terms = Terms { base: Some(&base), ..Terms::default() };
    let against = plan_offline(&head, &terms);
    assert_eq!(lines(&against), ["create zone/acme/topic/bills", "delete zone/beta"]);
    assert_ne!(
        against.digest,
        plan(&head, &observed("one", &[zone("acme", &[ORDERS]), zone("beta", &[])]), &terms).digest
    );
    // What production would refuse is said; the digest that `apply` wants is not known here.
    let emptied = plan_offline(&desired("head", &[]), &terms);
    assert!(emptied.guard.is_refusing());
    assert!(emptied.guard.ways_out().all(|it| it.contains("--expect-plan DIGEST ")));
}

#[test]
fn what_changes_on_a_backing_cluster_is_part_of_the_plan_and_is_held_with_its_zone() {
    let acl = |zone: &str, action| Change {
        address: Address::Acl {
            zone: zone.try_into().unwrap(),
            cluster: "default".try_into().unwrap(),
            name: format!("User:{zone}/topic/orders-v1/READ"),
        },
        action,
        before: None,
        after: Some(json!({"operation": "READ"}).into()),
        source: None,
        origin: Origin::Drift,
    };
    let in_force = observed("one", &[zone("acme", &[ORDERS]), zone("beta", &[ORDERS])]);
    let backing = [acl("beta", Action::Delete), acl("acme", Action::Create)];
    let wanted = desired("two", &[zone("acme", &[ORDERS])]);
    let broken: ZoneName = "broken".try_into().unwrap();
    let mut with_error = wanted.clone();
    let at = Location { file: "b.yaml".into(), line: 1, column: 1, span: 0..0 };
    Arc::make_mut(&mut with_error.loaded).unreadable.zones.insert(broken, at);
    let terms = Terms { backing: &backing, ..Terms::default() };
    let plan = plan(&with_error, &in_force, &terms);
    assert_eq!(
        lines(&plan),
        [
            "create cluster/default/acl/User:acme/topic/orders-v1/READ",
            "delete zone/beta",
            "delete zone/beta/topic/orders",
            "delete cluster/default/acl/User:beta/topic/orders-v1/READ",
        ]
    );
    let held: Vec<_> = plan.changes.iter().map(|change| plan.is_held(change)).collect();
    assert_eq!(held, [false, true, true, true], "nothing of a zone that stays is taken away");
    assert_ne!(plan.digest, self::plan(&with_error, &in_force, &Terms::default()).digest);
}

#[test]
fn what_the_base_changes_on_a_backing_cluster_as_well_is_drift() {
    let acl = |name: &str| Change {
        address: Address::Acl {
            zone: "acme".try_into().unwrap(),
            cluster: "default".try_into().unwrap(),
            name: name.to_owned(),
        },
        action: Action::Create,
        before: None,
        after: Some(json!({"operation": "READ"}).into()),
        source: None,
        origin: Origin::Change,
    };
    let in_force = observed("one", &[zone("acme", &[])]);
    let (base, head) = (desired("base", &[zone("acme", &[])]), desired("head", &[zone("acme", &[])]));
    let (both, of_base) = ([acl("merged"), acl("new")], [acl("merged")]);
    let terms = Terms { base: Some(&base), backing: &both, backing_of_base: &of_base, ..Terms::default() };
    let plan = plan(&head, &in_force, &terms);
    assert_eq!(origins(&plan), ["drift cluster/default/acl/merged", "change cluster/default/acl/new"]);
}

#[test]
fn a_plan_says_first_what_is_suspended_and_pinned_and_what_it_was_told_to_say() {
    use crate::zone::{Asked, Rollback, Scope};
    let asked =
        Asked { by: "k1".to_owned(), at: time::OffsetDateTime::UNIX_EPOCH, reason: "an incident".to_owned() };
    let rollback =
        Rollback { commit: "8c1f".to_owned(), until: time::OffsetDateTime::UNIX_EPOCH, asked: asked.clone() };
    let mut in_force = observed("one", &[zone("acme", &[])]);
    in_force.suspended.insert(Scope::All, asked);
    in_force.rollback = Some(rollback);
    let told = [Notice::new(NoticeKind::NotAsked, "cluster `west` does not answer")];
    let terms = Terms { notices: &told, ..Terms::default() };
    let wanted = desired("one", &[zone("acme", &[])]);
    let notices = plan(&wanted, &in_force, &terms).notices;
    let kinds: Vec<_> = notices.iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::NotAsked, NoticeKind::RolledBack, NoticeKind::Suspended]);
    assert!(notices[1].message.contains("8c1f is applied until 1970-01-01T00:00:00Z"), "{notices:?}");
    assert!(notices[2].message.contains("everything, by k1: an incident"), "{notices:?}");
    assert_eq!(plan_offline(&wanted, &Terms::default()).notices[0].kind, NoticeKind::Offline);
}

#[test]
fn a_digest_binds_the_changes_and_not_which_of_them_wait() {
    use crate::zone::{Asked, Scope};
    let acme: ZoneName = "acme".try_into().unwrap();
    let mut in_force = observed("one", &[zone("acme", &[ORDERS])]);
    let wanted = desired("two", &[zone("acme", &[BILLS])]);
    let free = plan(&wanted, &in_force, &Terms::default());
    let strict = Limits { max_update_percent: 0, floor: 0, ..Limits::default() };
    let refused = plan(&wanted, &in_force, &Terms { limits: strict, ..Terms::default() });
    let failed = Holding { failed: [(acme.clone(), "denied".to_owned())].into(), ..Holding::default() };
    let held = plan(&wanted, &in_force, &Terms { holding: Some(&failed), ..Terms::default() });
    let only = plan(&wanted, &in_force, &Terms { only: Some(&acme), ..Terms::default() });
    let asked = Asked { by: "k1".to_owned(), at: time::OffsetDateTime::UNIX_EPOCH, reason: "r".to_owned() };
    in_force.suspended.insert(Scope::All, asked);
    let suspended = plan(&wanted, &in_force, &Terms::default());
    assert_eq!(applicable(&free), ["Update acme"]);
    for waits in [&refused, &held, &suspended] {
        assert_eq!(applicable(waits), Vec::<String>::new());
    }
    for other in [refused, held, only, suspended] {
        assert_eq!(other.digest, free.digest);
    }
}
