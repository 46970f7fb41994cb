use time::OffsetDateTime;

use super::super::fixture::{
    KEY_ID, LOCAL, SECRET, cluster, clusters, config, present, served, topic, view, zone,
};
use super::super::sasl;
use super::*;

fn plain(user: &str, password: &str) -> Vec<u8> {
    format!("\0{user}\0{password}").into_bytes()
}

fn login(view: &GatewayView, user: &str, password: &str) -> Option<Login> {
    sasl::plain::authenticate(view, LOCAL, &plain(user, password), OffsetDateTime::UNIX_EPOCH)
}

#[test]
fn a_partner_logs_in_as_service_account_or_key_id_with_the_right_secret_only() {
    let view = view(&served(1, vec![zone("acme", &[]), zone("other", &[])]), &clusters(&[]));
    assert_eq!(login(&view, "acme-app", SECRET).unwrap().zone.name.as_str(), "acme");
    assert!(login(&view, KEY_ID, SECRET).is_some());
    for (user, password) in [("acme-app", "wrong"), ("acme", SECRET), ("nobody", SECRET), ("", SECRET)] {
        assert!(login(&view, user, password).is_none(), "{user}");
    }
}

#[test]
fn an_expired_credential_is_no_credential() {
    let mut zone = zone("acme", &[]);
    let mut credential = (*zone.credentials[0]).clone();
    credential.expires_at = Some(OffsetDateTime::UNIX_EPOCH);
    zone.credentials = vec![Arc::new(credential)];
    let view = view(&served(1, vec![zone]), &clusters(&[]));
    assert!(login(&view, "acme-app", SECRET).is_none());
}

#[test]
fn a_zone_that_did_not_change_keeps_its_view_and_one_that_did_gets_a_new_one() {
    let topics = clusters(&[("b-one", present("b-one")), ("b-two", present("b-two"))]);
    let all = served(1, vec![zone("acme", &[("one", "b-one")]), zone("other", &[("two", "b-two")])]);
    let before = view(&all, &topics);
    let renamed = served(2, vec![zone("acme", &[("uno", "b-one")]), zone("other", &[("two", "b-two")])]);
    let after = GatewayView::build(&config(), Some(&renamed), &topics, &before);
    let name = |text: &str| ZoneName::try_from(text).unwrap();
    assert!(!Arc::ptr_eq(&before.zones[&name("acme")].zone, &after.zones[&name("acme")].zone));
    assert!(Arc::ptr_eq(&before.zones[&name("other")].zone, &after.zones[&name("other")].zone));
    assert!(Arc::ptr_eq(&before.clusters[&cluster()], &after.clusters[&cluster()]));

    let recreated = clusters(&[("b-one", present("b-one again")), ("b-two", present("b-two"))]);
    let later = GatewayView::build(&config(), Some(&renamed), &recreated, &after);
    assert!(
        !Arc::ptr_eq(&after.zones[&name("acme")].zone, &later.zones[&name("acme")].zone),
        "a topic has a new id"
    );
}

#[test]
fn a_login_ends_with_its_zone_its_credential_its_user_name_and_its_cluster() {
    let login =
        login(&view(&served(1, vec![zone("acme", &[])]), &clusters(&[])), "acme-app", SECRET).unwrap();
    let admitted =
        |zones: Vec<ServedZone>| view(&served(2, zones), &clusters(&[])).admitted(&login).is_some();
    assert!(admitted(vec![zone("acme", &[]), zone("other", &[])]));
    assert!(!admitted(vec![zone("other", &[])]));
    let revoked = ServedZone { credentials: Vec::new(), ..zone("acme", &[]) };
    assert!(!admitted(vec![revoked]));
    assert!(!admitted(vec![ServedZone { open: false, ..zone("acme", &[]) }]), "the zone is closed");
    let same_name_again = ServedZone { id: zone("x", &[]).id, ..zone("acme", &[]) };
    assert!(!admitted(vec![same_name_again]));
    let mut renamed = zone("acme", &[]);
    renamed.zone = Arc::clone(&zone("moved", &[]).zone);
    assert!(!admitted(vec![renamed]), "the service account is another one");
}

#[test]
fn a_zone_that_asks_for_an_unbuilt_protection_is_not_served_at_all() {
    let mut guarded = zone("acme", &[("one", "b-one")]);
    Arc::make_mut(&mut guarded.zone).traffic_control.max_connections = Some(3);
    let served = served(1, vec![guarded]);
    let view = view(&served, &clusters(&[]));
    assert!(login(&view, "acme-app", SECRET).is_none());
    let problem = view.problems.values().next().unwrap();
    assert!(
        problem.contains("spec.trafficControlPolicies") && problem.contains("needs a later version"),
        "{problem}"
    );
    assert!(wanted_topics(&config(), Some(&served))[&cluster()].is_empty());
}

#[test]
fn who_comes_from_elsewhere_has_no_credentials_and_goes_once_that_is_so() {
    let from = |blocks: &[&str]| {
        let mut zone = zone("acme", &[]);
        let blocks = blocks.iter().map(|block| block.parse().unwrap()).collect();
        Arc::make_mut(&mut zone.zone).access.allowed_cidrs = blocks;
        view(&served(1, vec![zone]), &clusters(&[]))
    };
    let ours = login(&from(&["192.0.2.0/24", "127.0.0.0/8"]), "acme-app", SECRET).unwrap();
    let elsewhere = from(&["192.0.2.0/24", "::/0"]);
    assert!(login(&elsewhere, "acme-app", SECRET).is_none());
    assert!(from(&[]).admitted(&ours).is_some());
    assert!(elsewhere.admitted(&ours).is_none(), "a connection that is there already");
    let mapped = Login { address: "::ffff:127.0.0.1".parse().unwrap(), ..ours };
    assert!(elsewhere.admitted(&mapped).is_none(), "an IPv4 address in another form is no IPv6 address");
    assert!(from(&["127.0.0.1/32"]).admitted(&mapped).is_some());
}

#[test]
fn zones_of_an_unknown_cluster_or_another_gateway_say_what_to_correct() {
    let mut elsewhere = zone("elsewhere", &[]);
    elsewhere.cluster = ClusterName::try_from("prod").unwrap();
    let mut foreign = zone("foreign", &[]);
    Arc::make_mut(&mut foreign.zone).cluster = "gateway-2".to_owned();
    let view = view(&served(1, vec![elsewhere, foreign]), &clusters(&[]));
    let problem = |name: &str| view.problems[&ZoneName::try_from(name).unwrap()].as_str();
    assert!(problem("elsewhere").contains("unknown cluster `prod`"));
    assert!(problem("foreign").contains("`gateway-2`") && problem("foreign").contains("`gateway`"));
}

#[test]
fn a_missing_backing_topic_is_a_problem_and_the_other_aliases_are_served() {
    let topics = clusters(&[("b-one", present("b-one")), ("b-two", TopicState::Missing)]);
    let view = view(&served(1, vec![zone("acme", &[("one", "b-one"), ("two", "b-two")])]), &topics);
    assert!(view.settled);
    let problem = view.problems.values().next().unwrap();
    assert!(problem.contains("`b-two`") && !problem.contains("`b-one`"), "{problem}");
    let zone = login(&view, "acme-app", SECRET).unwrap().zone;
    assert!(zone.by_alias("one").unwrap().ids.is_some());
    assert!(zone.by_alias("two").unwrap().ids.is_none());
}

#[test]
fn nothing_is_settled_before_the_cluster_was_asked() {
    let zones = served(1, vec![zone("acme", &[("one", "b-one")])]);
    assert!(!view(&zones, &Clusters::new()).settled);
    assert!(!view(&zones, &clusters(&[])).settled, "reached, but not asked for this topic");
    let mut unreachable = clusters(&[]);
    unreachable.get_mut(&cluster()).unwrap().trouble = Some("connection refused".to_owned());
    let view = view(&zones, &unreachable);
    assert!(view.settled, "what is wrong is known");
    assert!(view.problems.values().next().unwrap().contains("connection refused"));
}

#[test]
fn only_backing_topics_of_served_zones_are_asked_for() {
    let zones =
        served(1, vec![zone("acme", &[("one", "b-one"), ("two", "b-one")]), zone("other", &[("x", "b-x")])]);
    let wanted = wanted_topics(&config(), Some(&zones));
    assert_eq!(wanted[&cluster()], BTreeSet::from([topic("b-one"), topic("b-x")]));
    assert!(wanted_topics(&config(), None)[&cluster()].is_empty());
}
