use time::OffsetDateTime;

use super::super::config::Limits;
use super::super::fixture::{
    KEY_ID, LOCAL, SECRET, cluster, clusters, config, present, served, topic, view, zone,
};
use super::super::issuers::tests::{shared_for_tokens, token_view, token_zone};
use super::super::sasl;
use super::*;
use crate::zone::{AuthenticationMode, PartnerZone};

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

#[test]
fn a_token_login_lasts_while_its_zone_takes_the_tokens_of_its_issuer_for_that_account() {
    let (shared, _views, _) = shared_for_tokens(Limits::default());
    let issuer = shared.config.issuers[0].name.clone();
    let ends = OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(1);
    let enter = |view: &GatewayView, subject: &str| {
        view.bearer(issuer.clone(), Bearer { subject: subject.to_owned(), ends }, LOCAL)
    };
    let login = enter(&shared.view(), "acme-app").unwrap();
    let standing = |zone: ServedZone| token_view(&shared, vec![zone]).standing(&login).map(|it| it.ends);
    let with = |change: fn(&mut PartnerZone)| {
        let mut zone = token_zone("acme");
        change(Arc::make_mut(&mut zone.zone));
        zone
    };
    assert_eq!(standing(token_zone("acme")), Some(Some(ends)));
    let named = |zone: &mut PartnerZone| zone.authentication.issuer = Some("main".try_into().unwrap());
    assert_eq!(standing(with(named)), Some(Some(ends)), "it names the issuer that was the first");
    for (gone, why) in [
        (ServedZone { open: false, ..token_zone("acme") }, "closed"),
        (ServedZone { id: zone("x", &[]).id, ..token_zone("acme") }, "another zone of this name"),
        (with(|zone| zone.authentication.issuer = Some("other".try_into().unwrap())), "another issuer"),
        (with(|zone| zone.authentication.mode = AuthenticationMode::Scram), "no tokens"),
        (with(|zone| zone.authentication.service_account = "else".try_into().unwrap()), "another account"),
        (with(|zone| zone.access.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()]), "not from here"),
    ] {
        assert_eq!(standing(gone.clone()), None, "{why}");
        let view = token_view(&shared, vec![gone]);
        let anew = enter(&view, "acme-app").is_some();
        assert_eq!(anew, why == "another zone of this name", "{why}");
    }
}

#[test]
fn a_zone_for_tokens_of_an_issuer_that_is_not_there_says_what_to_correct() {
    let (shared, _views, _) = shared_for_tokens(Limits::default());
    let mut zone = token_zone("acme");
    Arc::make_mut(&mut zone.zone).authentication.issuer = Some("other".try_into().unwrap());
    let problems = token_view(&shared, vec![zone]).problems;
    let problem = problems.values().next().unwrap();
    assert!(problem.contains("no issuer `other`") && problem.contains("oauth.issuers"), "{problem}");
    let none = view(&served(1, vec![token_zone("acme")]), &clusters(&[])).problems;
    assert!(none.values().next().unwrap().contains("no issuer of tokens"), "{none:?}");
}
