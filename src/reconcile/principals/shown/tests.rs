use super::*;
use crate::kafka::admin::{Effect, Operation, Pattern, ResourceKind};
use crate::reconcile::principals::samples::{home, setup};
use crate::reconcile::principals::{Leftovers, Seen, steps};
use crate::zone::sample::{topic, zone};
use crate::zone::{ClusterName, PartnerZone, Permission, Principal, ZoneId};

fn id(zone: &ZoneName) -> ZoneId {
    ZoneId::derive("home-id", zone)
}

fn acme() -> PartnerZone {
    zone("acme", vec![topic("orders", "orders-v1", Permission::Read)])
}

/// The lines for a zone on a cluster that has these ACLs, and no user.
fn lines(
    before: Option<&PartnerZone>,
    after: Option<&PartnerZone>,
    acls: BTreeSet<Acl>,
    made: bool,
) -> Vec<String> {
    let name = before.or(after).unwrap().name.clone();
    let view = View { clusters: BTreeMap::from([(home(), Ok(Seen::new("c", BTreeMap::new(), acls)))]) };
    let slots = Some(Slots::both(setup().keys[&home()].current(), ScramHash::Sha512));
    let record = Principal { cluster_id: "c".to_owned(), slots };
    let records = if made { Records::from([((home(), name.clone()), record)]) } else { Records::new() };
    let zones = [Zone { name: &name, id: id(&name), before, after }];
    let steps = steps(&setup(), &view, &records, &zones, Leftovers::Clear, id);
    let line = |change: Change| {
        let operations = |form: Option<Form>| {
            let form = form.map(|form| form.value());
            form.map_or_else(String::new, |form| form.get("operations").unwrap_or(&form["user"]).to_string())
        };
        let (address, action, origin) = (change.address, change.action.as_str(), change.origin.as_str());
        format!("{address} {action} {origin}: {} → {}", operations(change.before), operations(change.after))
    };
    changes(&setup(), &view, &records, &zones, &steps).into_iter().map(line).collect()
}

#[test]
fn a_new_zone_is_a_line_for_its_principal_and_one_for_each_thing_it_may_use() {
    assert_eq!(
        lines(None, Some(&acme()), BTreeSet::new(), false),
        [
            r#"zone/acme/principal create change:  → "partner-zones.acme""#,
            r#"cluster/home/acl/User:partner-zones.acme/topic/literal/orders-v1 create change:  → ["READ","DESCRIBE","DESCRIBE_CONFIGS"]"#,
            r#"cluster/home/acl/User:partner-zones.acme/group/prefixed/acme: create change:  → ["READ","DELETE","DESCRIBE"]"#,
            r#"cluster/home/acl/User:partner-zones.acme/transactional-id/prefixed/acme: create change:  → ["WRITE","DESCRIBE"]"#,
        ]
    );
}

#[test]
fn what_the_file_did_not_change_is_drift_and_the_rest_is_a_change() {
    let mut now = acme();
    now.topics.push(topic("bills", "bills-v1", Permission::Produce));
    let mut acls = rules::acls(&acme());
    acls.retain(|acl| {
        acl.operation != Operation::DescribeConfigs && acl.resource.kind != ResourceKind::Group
    });
    let mut foreign = acls.first().unwrap().clone();
    foreign.host = "10.0.0.1".into();
    foreign.resource =
        Resource { kind: ResourceKind::Group, pattern: Pattern::Prefixed, name: "acme:".into() };
    acls.insert(foreign);
    let found = lines(Some(&acme()), Some(&now), acls, true);
    assert_eq!(
        found,
        [
            r#"zone/acme/principal create drift:  → "partner-zones.acme""#,
            r#"cluster/home/acl/User:partner-zones.acme/topic/literal/bills-v1 create change:  → ["WRITE","DESCRIBE","DESCRIBE_CONFIGS"]"#,
            r#"cluster/home/acl/User:partner-zones.acme/topic/literal/orders-v1 update drift: ["READ","DESCRIBE"] → ["READ","DESCRIBE","DESCRIBE_CONFIGS"]"#,
            r#"cluster/home/acl/User:partner-zones.acme/group/prefixed/acme: update drift: ["READ from 10.0.0.1"] → ["READ","DELETE","DESCRIBE"]"#,
        ]
    );
    let gone = lines(Some(&acme()), None, rules::acls(&acme()), true);
    assert!(gone.len() == 3 && gone.iter().all(|line| line.contains(" delete change: ")), "{gone:?}");
}

#[test]
fn what_others_allow_and_deny_is_said_and_what_keeps_a_zone_waiting_is_an_error() {
    let acl = |principal: &str, effect: Effect, name: &str| Acl {
        principal: principal.into(),
        resource: Resource { kind: ResourceKind::Topic, pattern: Pattern::Literal, name: name.into() },
        operation: Operation::Read,
        effect,
        host: "*".into(),
    };
    let mut acls: BTreeSet<Acl> =
        (0..5).map(|number| acl("User:*", Effect::Allow, &format!("open-{number}"))).collect();
    acls.insert(acl("User:partner-zones.acme", Effect::Deny, "orders-v1"));
    let text = "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: acme\nspec:\n  cluster: gateway\n  displayName: A\n  \
                authenticationMode: {type: PLAIN, serviceAccount: acme}\n  topics:\n    - {name: a, backingTopic: b, permission: READ}\n";
    let file = crate::manifest::SourceFile { path: "z.yaml".to_owned(), content: Ok(text.as_bytes().into()) };
    let loaded = crate::manifest::load([file], &crate::manifest::Known::default());
    let view = View { clusters: BTreeMap::from([(home(), Ok(Seen::new("c", BTreeMap::new(), acls)))]) };
    let said = |view: &View, obstacles: &BTreeMap<ZoneName, Obstacle>, pending: bool| -> Vec<String> {
        findings(&setup(), view, &Records::new(), &loaded, obstacles, |_| pending)
            .iter()
            .map(|it| {
                format!("{} {} {}", it.code.as_str(), it.source.as_ref().map_or(0, |at| at.line), it.message)
            })
            .collect()
    };
    assert_eq!(
        said(&view, &BTreeMap::new(), true),
        [
            "PZ0412 4 cluster `home` denies `partner-zones.acme` READ on `topic/literal/orders-v1`",
            "PZ0413 0 cluster `home` allows everybody READ on `topic/literal/open-0`, READ on `topic/literal/open-1`, \
             READ on `topic/literal/open-2`, and 2 more",
        ]
    );
    // A cluster that cannot be asked is said once, and for each zone that would change.
    let view = View { clusters: BTreeMap::from([(home(), Err("refused".to_owned()))]) };
    let acme = loaded.zones.values().next().unwrap().zone.as_ref();
    let obstacles =
        crate::reconcile::principals::obstacles(&setup(), &view, &Records::new(), [(id(&acme.name), acme)]);
    let message = "cluster `home` cannot be given the zones' principals: refused";
    assert_eq!(said(&view, &obstacles, false), [format!("PZ0410 0 {message}")]);
    assert_eq!(said(&view, &obstacles, true), [format!("PZ0410 0 {message}"), format!("PZ0410 4 {message}")]);
}

#[test]
fn principals_that_nobody_uses_any_more_are_said_once_for_each_cluster() {
    let other = ClusterName::try_from("other").unwrap();
    let record = Principal { cluster_id: "c".to_owned(), slots: None };
    let of =
        |cluster: &ClusterName, zone: &str| ((cluster.clone(), zone.try_into().unwrap()), record.clone());
    let records = Records::from([of(&home(), "acme"), of(&other, "acme"), of(&other, "globex")]);
    let found = left_behind(&records, |cluster| *cluster == home());
    let [only] = &found[..] else { panic!("{found:?}") };
    assert_eq!(only.code.as_str(), "PZ0414");
    assert!(only.message.contains("cluster `other`") && only.message.contains("2 zones"), "{}", only.message);
    assert!(left_behind(&records, |_| true).is_empty());
}
