//! A zone made in five steps, from the first field to a real client that works through it.

use std::process::Command;

use serde_json::{Value, json};

use super::credentials::Shown;
use super::{Stage, topic, zone};
use crate::support::browser::{Page, named};
use crate::support::client::{Client, Connection};
use crate::support::kafka::{Cluster, unique};

const NAME: &str = "acme-logistik-koln";

fn stage(mode: &str) -> (Stage, String) {
    let orders = topic("wizard.orders");
    let stage = Stage::writing(mode, &[("keep", zone("keep", &[("orders", &orders, "READ")], json!({})))]);
    stage.product.wait_for_status("keep", "READY");
    (stage, orders)
}

fn next(page: &Page<'_>) {
    page.follow(named(".buttons button", "Next"));
}

/// A step is not left while something on it is wrong: each complaint is at its field, and above with a way there.
fn is_held_at(page: &Page<'_>, field: &str, words: &str) {
    assert_eq!(page.status(), 422);
    page.wait_for(named("[role=alert] li", words));
    page.wait_for(named(&format!("[id='{field}-help']"), words));
    assert_eq!(
        page.value(&format!("document.getElementById('{field}').getAttribute('aria-invalid')")),
        "true"
    );
    page.click(named("[role=alert] a", words));
    assert_eq!(page.value("document.activeElement.id"), field, "the complaint leads to the field");
}

fn is_at(page: &Page<'_>, step: &str) {
    page.wait_for(named(".steps [aria-current=step]", step));
}

pub(super) fn git(stage: &Stage, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(stage.product.source()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_zone_is_made_in_five_steps_and_used_by_a_real_client() {
    let (stage, orders) = stage("commit");
    let page = stage.administrator();
    page.follow(named("a", "New zone"));
    details(&page);
    topics(&page, &orders);
    authentication(&page);
    policies(&page);
    review(&stage, &page, &orders);
    let shown = first_credential(&page);
    used(&shown, &orders);
    without_script(&stage, &orders);
}

fn details(page: &Page<'_>) {
    is_at(page, "Details");
    assert_eq!(page.text_of("[id='spec.cluster']"), "gateway", "what others have is likely");
    page.examine("wizard-details");
    page.is_used_by_keyboard();
    next(page);
    is_held_at(page, "metadata.name", "Fill in the technical id.");
    page.examine("wizard-details-wrong");
    // Names follow from the one that is typed.
    page.fill("[id='spec.displayName']", "Acme Logistik, Köln");
    assert_eq!(page.text_of("[id='metadata.name']"), NAME);
    assert_eq!(page.text_of("[id='spec.authenticationMode.serviceAccount']"), NAME);
    page.fill("[id='spec.url']", "acme.example");
    next(page);
    is_held_at(page, "spec.url", "http");
    page.fill("[id='spec.url']", "https://acme.example/");
    page.fill("[id='spec.description']", "They send what we order.\nAgreed on in May.");
    page.fill("[id='metadata.labels']", "team=logistics, region=eu-west");
    page.fill("[id='spec.partner.name']", "Jo Doe");
    page.fill("[id='spec.partner.email']", "jo@acme.example");
    page.led(|page| page.press("Enter"));
}

fn topics(page: &Page<'_>, orders: &str) {
    is_at(page, "Topics");
    // Enter in a search searches.
    page.fill("#search", orders);
    page.led(|page| page.press("Enter"));
    is_at(page, "Topics");
    page.click(named(".choice label", orders));
    page.follow(named("button", "Add chosen topics"));
    page.wait_for(named("#spec\\.topics", "Shared topics 1"));
    page.click(named(".choice label", "once more under another alias"));
    page.fill("#typed", "comes-later");
    page.follow(named("button", "Add this topic"));
    page.wait_for(named("#spec\\.topics", "Shared topics 3"));
    page.examine("wizard-topics");
    page.is_used_by_keyboard();
    page.fill("[name='spec.topics[0].name']", "orders");
    page.choose("[name='spec.topics[0].permission']", "WRITE");
    page.fill("[name='spec.topics[1].name']", "orders");
    next(page);
    is_held_at(page, "spec.topics[1].name", "orders");
    page.examine("wizard-topics-wrong");
    page.fill("[name='spec.topics[1].name']", "orders-again");
    page.follow(named("button", "Remove comes-later"));
    page.wait_for(named("#spec\\.topics", "Shared topics 2"));
    next(page);
}

fn authentication(page: &Page<'_>) {
    is_at(page, "Authentication");
    page.examine("wizard-authentication");
    page.is_used_by_keyboard();
    page.click(named("label", "SCRAM"));
    next(page);
}

fn policies(page: &Page<'_>) {
    is_at(page, "Policies");
    page.fill("[id='spec.trafficControlPolicies.maxProduceRate']", "1000000");
    page.fill("[id='spec.access.allowedCidrs']", "127.0.0.0/8\nnowhere");
    page.fill("[name='spec.headers.addOnProduce[0].key']", "partner");
    page.fill("[name='spec.headers.addOnProduce[0].value']", "{{user}}");
    page.follow(named("button", "Add another header"));
    page.wait_for("[name='spec.headers.addOnProduce[1].key']");
    next(page);
    is_held_at(page, "spec.access.allowedCidrs", "nowhere");
    page.examine("wizard-policies");
    page.is_used_by_keyboard();
    page.fill("[id='spec.access.allowedCidrs']", "127.0.0.0/8");
    // Whoever goes back finds all of it again.
    page.follow(named(".buttons button", "Back"));
    assert_eq!(page.value("document.querySelector('[type=radio]:checked').value"), "SCRAM");
    page.follow(named(".steps button", "Review"));
}

fn review(stage: &Stage, page: &Page<'_>, orders: &str) {
    is_at(page, "Review");
    page.wait_for(named(".added", "displayName: Acme Logistik, Köln"));
    for change in [format!("create zone/{NAME}"), format!("create zone/{NAME}/topic/orders-again")] {
        page.wait_for(named(".plan li", &change));
    }
    page.wait_for(named(".facts", "Topics 1 READ 1 WRITE"));
    page.examine("wizard-review");
    page.is_used_by_keyboard();
    let before = git(stage, &["rev-parse", "main"]);
    page.fill("#reason", "They have signed");
    assert_eq!(git(stage, &["rev-parse", "main"]), before, "nothing is written before the last button");
    page.follow(named("button", "Create zone"));

    assert!(page.address().starts_with(&format!("/ui/zones/{NAME}/written?")), "{}", page.address());
    page.wait_for(named("h1", "Zone created"));
    page.wait_for(named("#state .badge.good", "READY"));
    page.wait_for(named("#first button", "Issue a credential"));
    page.examine("wizard-written");
    let log = git(stage, &["log", "-1", "--format=%B", "main"]);
    assert!(log.contains("They have signed"), "{log}");
    let file = git(stage, &["show", &format!("main:zones/{NAME}.yaml")]);
    let file: Value = serde_yaml::from_str(&file).unwrap();
    let wanted = json!({
        "cluster": "gateway", "displayName": "Acme Logistik, Köln", "url": "https://acme.example/",
        "description": "They send what we order.\nAgreed on in May.",
        "authenticationMode": {"type": "SCRAM", "serviceAccount": NAME},
        "topics": [
            {"name": "orders", "backingTopic": orders, "permission": "WRITE"},
            {"name": "orders-again", "backingTopic": orders, "permission": "READ"},
        ],
        "partner": {"name": "Jo Doe", "email": "jo@acme.example"},
        "trafficControlPolicies": {"maxProduceRate": 1_000_000},
        "access": {"allowedCidrs": ["127.0.0.0/8"]},
        "headers": {"addOnProduce": [{"key": "partner", "value": "{{user}}", "overrideIfExists": false}]},
    });
    assert_eq!(file["spec"], wanted);
    assert_eq!(file["metadata"]["labels"], json!({"team": "logistics", "region": "eu-west"}));
}

fn first_credential(page: &Page<'_>) -> Shown {
    page.follow(named("#first button", "Issue a credential"));
    Shown::read(page)
}

/// Through the zone and back, and into the backing topic with the header that the zone asks for.
fn used(shown: &Shown, orders: &str) {
    let partner = Connection::sasl(&shown.address, "SCRAM-SHA-512", &shown.key_id, &shown.secret);
    let produce = ["produce", "--topic", "orders", "--count", "3", "--value", "v{i}"];
    assert_eq!(Client::Java.run(&partner, &produce).acked().len(), 3);
    let group = unique("readers");
    let consume = ["consume", "--topic", "orders-again", "--group", &group, "--max", "3"];
    assert_eq!(Client::Librdkafka.run(&partner, &consume).records().len(), 3);
    let provider = Connection::plaintext(Cluster::shared().bootstrap());
    let group = unique("provider");
    let consume = ["consume", "--topic", orders, "--group", &group, "--max", "3"];
    for record in Client::Librdkafka.run(&provider, &consume).records() {
        assert!(record.headers.iter().any(|(key, _)| key == "partner"), "{record:?}");
    }
}

/// The same without scripts: names are made by the server.
fn without_script(stage: &Stage, orders: &str) {
    let page = stage.anybody().without_script();
    super::sign_in(&page, &stage.product.admin_key());
    page.follow(named("a", "New zone"));
    page.fill("[id='spec.displayName']", "Bluebird Retail");
    next(&page);
    is_at(&page, "Topics");
    page.fill("#typed", orders);
    page.follow(named("button", "Add this topic"));
    page.fill("[name='spec.topics[0].name']", "orders");
    next(&page);
    next(&page);
    next(&page);
    is_at(&page, "Review");
    page.follow(named("button", "Create zone"));
    page.reload_until(named("#state .badge.good", "READY"));
    page.follow(named("#first button", "Issue a credential"));
    let shown = Shown::read(&page);
    let partner = Connection::sasl(&shown.address, "PLAIN", &shown.key_id, &shown.secret);
    assert_eq!(Client::Librdkafka.run(&partner, &["list-topics"]).topics()[0].name, "orders");
    assert_eq!(stage.product.zone("bluebird-retail").unwrap()["spec"]["displayName"], "Bluebird Retail");
}

/// Filled in as far as it has to be, up to the last step.
fn filled_in(page: &Page<'_>, orders: &str) {
    page.go("/ui/zones/new");
    page.fill("[id='spec.displayName']", "Acme");
    page.follow(named(".steps button", "Topics"));
    page.fill("#typed", orders);
    page.follow(named("button", "Add this topic"));
    page.follow(named(".steps button", "Review"));
}

#[test]
fn where_writes_are_proposals_a_zone_waits_for_its_review() {
    let (stage, orders) = stage("branch");
    let page = stage.administrator();
    filled_in(&page, &orders);
    page.follow(named("button", "Create zone"));
    assert_eq!(page.status(), 202);
    page.wait_for(named(".notice", "waits for a review"));
    page.wait_for(named(".facts", "Branch partner-zones/acme-"));
    page.examine("wizard-proposed");
    let branch = git(&stage, &["for-each-ref", "--format=%(refname)", "refs/heads/partner-zones"]);
    git(&stage, &["update-ref", "refs/heads/main", branch.trim()]);
    stage.product.wait_for_status("acme", "READY");
}

#[test]
fn where_nothing_is_written_the_page_has_the_file_to_commit() {
    let (stage, orders) = stage("none");
    let page = stage.administrator();
    filled_in(&page, &orders);
    page.follow(named("button", "Create zone"));
    page.wait_for(named("[role=alert]", "zones/acme.yaml"));
    page.examine("wizard-not-written");
    let file = page.text_of_whole("[role=alert] pre");
    stage.product.commit("By hand", &[("acme.yaml", Some(&file))]);
    stage.product.wait_for_status("acme", "READY");
    page.go("/ui/zones/acme/delete");
    page.fill("#confirm", "DELETE");
    page.follow(named("button", "Delete zone"));
    page.wait_for(named("[role=alert]", "zones/acme.yaml"));
    page.examine("delete-not-written");
}
