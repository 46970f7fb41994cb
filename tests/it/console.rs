//! What Conduktor's command line and Terraform provider send, byte for byte where it is odd, and what they need back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, manifest};
use crate::support::rest::{Answer, Rest};
use crate::writes::writing;

/// As its command line says who it is.
const CLI: (&str, &str) = ("x-cdk-client", "CLI/v0.6.2");
/// It sends JSON as this.
const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
const ZONES: &str = "/public/console/v2/partner-zone";

/// The resource in full, as it is published, with topics of ours.
fn published(name: &str, topic: &str) -> Value {
    json!({
        "apiVersion": "v2", "kind": "PartnerZone",
        "metadata": {"name": name, "labels": {"project": "projectA"}},
        "spec": {
            "cluster": "gateway", "displayName": "External Partner Zone",
            "description": "An external partner to exchange data with.", "url": "https://partner1.com",
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("partner-{name}")},
            "topics": [
                {"name": "topic-a", "backingTopic": topic, "permission": "WRITE"},
                {"name": "topic-b", "backingTopic": topic, "permission": "READ"},
            ],
            "partner": {"name": "John Doe", "role": "Data analyst", "email": "johndoe@partner.io", "phone": "07827 837 177"},
            "trafficControlPolicies": {"maxProduceRate": 1_000_000, "maxConsumeRate": 1_000_000, "limitCommitOffset": 30},
        },
    })
}

fn upsert(rest: &Rest, zone: &Value, query: &str) -> Answer {
    rest.send(Method::PUT, &format!("{ZONES}{query}"), &[CLI, TEXT], &zone.to_string())
}

fn product(mode: &str) -> (Product, String) {
    let topic = unique("console");
    Cluster::shared().create_topic(&topic, 1);
    let keep = manifest("keep", &[("orders", &topic, "READ")]);
    (writing(mode, "", &[("keep.yaml", &keep)]), topic)
}

#[test]
fn a_zone_is_applied_read_used_and_deleted_as_their_command_line_does_it() {
    let (product, topic) = product("commit");
    let rest = Rest::admin(&product);
    product.wait_for_status("keep", "READY");
    // At its start it asks for a catalogue, and takes its own if there is none.
    for path in ["/public/docs/docs.yaml", "/api/public/docs/docs.yaml"] {
        assert_eq!(rest.get(path).status, 404, "{path}");
    }
    let zone = published("external-partner-zone", &topic);
    let dry = upsert(&rest, &zone, "?dryMode=true").expect(200);
    assert_eq!(dry["upsertResult"], "CREATED", "{dry:#}");
    assert_eq!(rest.get(&format!("{ZONES}/external-partner-zone")).status, 404, "a dry run makes nothing");

    let created = upsert(&rest, &zone, "").expect(200);
    assert_eq!(created["upsertResult"], "CREATED", "{created:#}");
    assert_eq!(created["resource"]["spec"], zone["spec"], "{created:#}");
    product.wait_for_status("external-partner-zone", "READY");
    assert_eq!(upsert(&rest, &zone, "").expect(200)["upsertResult"], "NOT_CHANGED");
    // The older spelling says the same; what is sent back is the newer one.
    let mut older = zone.clone();
    older["apiVersion"] = json!("console/v2");
    let spec = older["spec"].as_object_mut().unwrap();
    spec.remove("authenticationMode");
    spec.insert("serviceAccount".to_owned(), json!("partner-external-partner-zone"));
    let same = upsert(&rest, &older, "?dryMode=false").expect(200);
    assert_eq!(same["upsertResult"], "NOT_CHANGED", "{same:#}");
    assert_eq!(same["resource"]["spec"], zone["spec"], "{same:#}");

    let one = rest.get(&format!("/api{ZONES}/external-partner-zone")).expect(200);
    let metadata = &one["metadata"];
    assert_eq!((&metadata["status"], &metadata["labels"]["project"]), (&json!("READY"), &json!("projectA")));
    assert_eq!(metadata["id"].as_str().unwrap().len(), 36, "{one:#}");
    assert!(metadata["updatedAt"].as_str().unwrap().ends_with('Z'), "{one:#}");
    assert_eq!(one.get("status"), None, "what is the server's is in the metadata");
    // A resource that was read can be sent back as it is: `edit` does that.
    assert_eq!(upsert(&rest, &one, "").expect(200)["upsertResult"], "NOT_CHANGED");
    let all = rest.get(ZONES).expect(200);
    let names: Vec<_> = all.as_array().unwrap().iter().map(|zone| zone["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["external-partner-zone", "keep"]);

    let mut changed = one.clone();
    changed["spec"]["description"] = json!("Changed.");
    let body = changed.to_string();
    let updated = rest.send(Method::PUT, ZONES, &[("content-type", "application/json")], &body).expect(200);
    assert_eq!(updated["upsertResult"], "UPDATED", "{updated:#}");

    a_partner_uses_it(&product, &rest);

    let path = format!("{ZONES}/external-partner-zone");
    let deleted = rest.send(Method::DELETE, &path, &[CLI], "");
    assert!(deleted.status.is_success(), "{deleted:#?}");
    product.wait_for_zone("external-partner-zone", |zone| zone.is_none());
    is_told(rest.send(Method::DELETE, &path, &[CLI], ""), 404);
}

/// `conduktor run partnerZoneGenerateCredentials`, and the file for the partner's client.
fn a_partner_uses_it(product: &Product, rest: &Rest) {
    let path = "/public/partner-zone/v2/external-partner-zone/generate-credentials";
    let secret =
        rest.send(Method::POST, path, &[CLI, ("content-type", "application/json")], "null").expect(200);
    let configuration = rest.get(&format!("{ZONES}/external-partner-zone/kafka-configuration")).expect(200);
    let lines: Vec<_> = configuration.as_str().unwrap().lines().collect();
    let [servers, protocol, mechanism, jaas] = lines[..] else { panic!("{configuration}") };
    assert_eq!([protocol, mechanism], ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN"]);
    assert_eq!(
        jaas,
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         username='partner-external-partner-zone' password='***';"
    );
    let bootstrap = servers.strip_prefix("bootstrap.servers=").unwrap();
    let secret = secret.as_str().unwrap();
    let connection = Connection::sasl(bootstrap, "PLAIN", "partner-external-partner-zone", secret);
    for client in [Client::Java, Client::Librdkafka] {
        let made =
            client.run(&connection, &["produce", "--topic", "topic-a", "--count", "2", "--value", "v{i}"]);
        assert_eq!((made.errors().len(), made.acked().len()), (0, 2), "{client:?}: {made:?}");
    }
    product.wait_for_status("external-partner-zone", "READY");
}

#[test]
fn errors_have_the_published_form_and_status() {
    let (product, topic) = product("commit");
    let rest = Rest::admin(&product);
    product.wait_for_status("keep", "READY");
    is_told(rest.get(&format!("{ZONES}/nobody")), 404);
    is_told(rest.send(Method::PUT, ZONES, &[TEXT], "{"), 400);
    let mut wrong = published("wrong", &topic);
    wrong["spec"]["topics"][0]["permission"] = json!("EVERYTHING");
    let told = is_told(upsert(&rest, &wrong, ""), 400);
    assert!(told["cause"].as_str().unwrap().contains("PZ0104"), "{told:#}");
    let mut name = published("wrong", &topic);
    name["metadata"]["name"] = json!("Not A Name");
    is_told(upsert(&rest, &name, ""), 400);
    is_told(Rest::new(product.url(), "pzk_nobody_x".to_owned()).get(ZONES), 401);
    let viewer = Rest::new(product.url(), product.viewer_key());
    assert_eq!(viewer.get(ZONES).status, 200);
    is_told(upsert(&viewer, &published("external", &topic), ""), 403);
}

#[test]
fn a_log_in_by_user_and_password_gives_a_token_that_is_good() {
    let (product, _) = product("none");
    let key = product.admin_key();
    let (id, secret) = key.strip_prefix("pzk_").unwrap().split_once('_').unwrap();
    let nobody = Rest::new(product.url(), String::new());
    let log_in = |path: &str, password: &str| {
        let body = json!({"username": id, "password": password}).to_string();
        nobody.send(Method::POST, path, &[CLI, ("content-type", "application/json")], &body)
    };
    for path in ["/login", "/api/login"] {
        let token = log_in(path, secret).expect(200)["access_token"].as_str().unwrap().to_owned();
        assert_eq!(Rest::new(product.url(), token).get(ZONES).status, 200);
        is_told(log_in(path, "wrong"), 401);
    }
}

#[test]
fn without_write_back_their_command_line_shows_what_to_commit() {
    let (product, topic) = product("none");
    let rest = Rest::admin(&product);
    let told = is_told(upsert(&rest, &published("external", &topic), ""), 409);
    assert!(told["cause"].as_str().unwrap().contains("name: external"), "{told:#}");
}

#[test]
fn a_proposal_names_its_branch_and_a_deletion_that_is_one_is_not_said_to_be_done() {
    let (product, topic) = product("branch");
    let rest = Rest::admin(&product);
    product.wait_for_status("keep", "READY");
    let proposed = upsert(&rest, &published("external", &topic), "").expect(200);
    assert_eq!(proposed["upsertResult"], "CREATED", "{proposed:#}");
    let branch = proposed["proposal"].as_str().unwrap();
    assert!(branch.starts_with("refs/heads/partner-zones/external-"), "{branch}");
    let told = is_told(rest.send(Method::DELETE, &format!("{ZONES}/keep"), &[CLI], ""), 202);
    assert!(told["msg"].as_str().unwrap().contains("refs/heads/partner-zones/keep-"), "{told:#}");
    assert_eq!(rest.get(&format!("{ZONES}/keep")).status, 200);
}

/// Their form of an error, with this status.
fn is_told(answer: Answer, status: u16) -> Value {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:#?}");
    let told = answer.expect(status);
    for part in ["title", "msg", "cause"] {
        assert!(told[part].as_str().is_some_and(|text| !text.is_empty()), "{told:#}");
    }
    told
}
