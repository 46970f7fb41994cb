//! `reconciler plan` as people and pipelines run it: the binary, with live state on real Kafka.

mod as_the_daemon;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use partner_zones::manifest::{Known, SourceFile, load};
use partner_zones::store::kafka::{KafkaOptions, KafkaStore, Names, Role, Timing};
use partner_zones::store::{Change, Leadership, Store, ZoneRecord};
use partner_zones::zone::{Revision, Sequence, ZoneId};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::git::Repository;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{self, Product, Setup};
use crate::support::reconciler::reconciler;

const PATIENCE: Duration = Duration::from_mins(1);

fn manifest(name: &str, backing: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  displayName: {name}\n  \
         authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n    - name: orders\n      \
         backingTopic: {backing}\n      permission: READ\n"
    )
}

fn write(folder: &Path, file: &str, text: &str) {
    let file = folder.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Exit code and standard output of `reconciler plan`; the transcript for messages.
fn plan(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let arguments: Vec<&str> = ["plan"].iter().chain(arguments).copied().collect();
    let mut process = reconciler(folder, &arguments);
    let status = process.wait(PATIENCE);
    (status.code().unwrap(), process.stdout().join("\n"), process.transcript())
}

/// Starts a controller's store, which makes the topics, and puts one zone in force, with what else there is to be in the state.
fn put_in_force(cluster: &Cluster, zone: &str, more: &[Change]) {
    let file = SourceFile { path: "acme.yaml".to_owned(), content: Ok(zone.as_bytes().into()) };
    let loaded = load([file], &Known::default());
    let zone = loaded.zones.values().next().unwrap().zone.as_ref().clone();
    commit(cluster, |store| {
        let revision = Revision::recorded("main@sha1:8c1f00000000000000000000000000000000000f".to_owned());
        let record = ZoneRecord {
            id: ZoneId::derive(store.cluster_id(), &zone.name),
            zone: zone.into(),
            changed: Sequence(0),
            revision: revision.clone(),
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        let zone = [Change::PutZone(Box::new(record)), Change::Applied(revision)];
        [&zone, more].concat()
    });
}

/// Changes the state as a controller does.
fn commit(cluster: &Cluster, changes: impl FnOnce(&KafkaStore) -> Vec<Change>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let options = KafkaOptions {
            bootstrap_servers: cluster.bootstrap().to_owned(),
            properties: BTreeMap::new(),
            replication: Some(1),
            role: Role::Controller,
            node: "controller-1".to_owned(),
            advertised_url: "http://127.0.0.1:1".to_owned(),
            names: Names::default(),
            timing: Timing { session: Duration::from_secs(6), ..Timing::default() },
        };
        let store = KafkaStore::open(options, &tasks, cancel.clone()).await.unwrap();
        store.leadership().wait_for(|it| *it == Leadership::Leading).await.unwrap();
        store.commit(changes(&store)).await.unwrap();
        cancel.cancel();
        tasks.close();
        tasks.wait().await;
    });
}

/// The zone in force is one of `main`; the branch `gamma` adds another.
fn a_repository_is_read_like_a_folder(folder: &Path, config: &str) {
    let repository = Repository::new();
    repository.write("zones/acme.yaml", manifest("acme", "orders-v1"));
    repository.push("Share orders with acme");
    repository.write("zones/gamma.yaml", manifest("gamma", "orders-v1"));
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--message", "Share orders with gamma"]);
    repository.git(&["push", "origin", "HEAD:refs/heads/gamma"]);
    write(folder, "git.yaml", &format!("source:\n  url: {}\n{config}", repository.url().display()));
    let of_source = |arguments: &[&str]| plan(folder, &[&["--config", "git.yaml"], arguments].concat());
    let (code, _, all) = of_source(&[]);
    assert_eq!(code, 5, "the applied commit is not in this history: {all}");
    let (code, out, all) = of_source(&["--ref", "refs/heads/gamma"]);
    assert!(code == 0 && out.contains("+ zone/gamma (zones/gamma.yaml:4)"), "{all}");
    let (code, out, all) = of_source(&["--ref", "refs/heads/gamma", "--base", "main"]);
    assert!(
        code == 0 && out.contains("+ zone/gamma (zones/gamma.yaml:4)\n"),
        "no drift, but this change: {all}"
    );
    assert!(out.lines().any(|line| line.starts_with("base main@sha1:")), "{all}");
    let (code, out, all) = of_source(&["--ref", "refs/heads/gamma", "--base", "refs/heads/gamma"]);
    assert!(code == 0 && out.contains("+ zone/gamma (zones/gamma.yaml:4) [drift]"), "{all}");
    assert_eq!(of_source(&["--ref", "refs/heads/none"]).0, 5);
}

#[test]
fn live_state_decides_and_where_it_is_unknown_there_is_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    let config = format!("clusters:\n  default:\n    bootstrapServers: {}\n", cluster.bootstrap());
    write(folder, "reconciler.yaml", &config);
    write(folder, "zones/acme.yaml", &manifest("acme", "orders-v1"));

    // Nobody has made the state topic yet: unknown is not empty.
    let (code, out, all) = plan(folder, &["--zones", "zones"]);
    assert_eq!((code, out.as_str()), (5, ""), "{all}");

    put_in_force(&cluster, &manifest("acme", "orders-v1"), &[]);
    let (code, out, all) = plan(folder, &["--zones", "zones", "--fail-on-changes"]);
    assert_eq!(code, 0, "{all}");
    assert!(out.ends_with("Plan: 0 to add, 0 to change, 0 to delete"), "{all}");

    // What is in force can be written down, and plans to nothing.
    let mut export = reconciler(folder, &["export", "--dir", "exported"]);
    assert!(export.wait(PATIENCE).success(), "{}", export.transcript());
    let (code, out, all) = plan(folder, &["--zones", "exported", "--fail-on-changes"]);
    assert!(code == 0 && out.ends_with("Plan: 0 to add, 0 to change, 0 to delete"), "{all}");
    let mut export = reconciler(folder, &["export"]);
    assert!(export.wait(PATIENCE).success(), "{}", export.transcript());
    assert_eq!(
        export.stdout().join("\n") + "\n",
        fs::read_to_string(folder.join("exported/acme.yaml")).unwrap()
    );
    let mut again = reconciler(folder, &["export", "--dir", "exported"]);
    assert_eq!(again.wait(PATIENCE).code(), Some(2), "{}", again.transcript());

    write(folder, "zones/beta.yaml", &manifest("beta", "no-such-topic"));
    let (code, out, all) =
        plan(folder, &["--zones", "zones", "--output", "text", "--output", "json=plan.json"]);
    assert_eq!(code, 0, "a warning is no failure: {all}");
    for line in [
        "+ zone/beta (zones/beta.yaml:4)",
        "+ zone/beta/topic/orders: READ of no-such-topic (zones/beta.yaml:10)",
    ] {
        assert!(out.lines().any(|it| it == line), "{line} is not in {all}");
    }
    let json: Value = serde_json::from_slice(&fs::read(folder.join("plan.json")).unwrap()).unwrap();
    assert_eq!(json["summary"]["add"], 2);
    assert_eq!(
        (&json["findings"][0]["code"], &json["findings"][0]["source"]["line"]),
        (&"PZ0400".into(), &10.into())
    );
    assert_eq!(plan(folder, &["--zones", "zones", "--fail-on-changes"]).0, 3);

    fs::remove_file(folder.join("zones/acme.yaml")).unwrap();
    fs::remove_file(folder.join("zones/beta.yaml")).unwrap();
    let (code, out, all) = plan(folder, &["--zones", "zones"]);
    assert_eq!(code, 4, "{all}");
    assert!(out.contains("- zone/acme [refused]"), "{all}");

    a_repository_is_read_like_a_folder(folder, &config);

    // The state was made on another cluster: whatever is missing here says nothing.
    let elsewhere = Change::PutCluster("default".try_into().unwrap(), "another".to_owned());
    put_in_force(&cluster, &manifest("acme", "orders-v1"), &[elsewhere]);
    write(folder, "zones/acme.yaml", &manifest("acme", "orders-v1"));
    write(folder, "zones/beta.yaml", &manifest("beta", "orders-v1"));
    let (code, out, all) = plan(folder, &["--zones", "zones"]);
    assert_eq!(code, 4, "{all}");
    assert!(out.contains("cluster `default` is another one: its id is `"), "{all}");
    assert!(out.contains("+ zone/beta (zones/beta.yaml:4) [refused]"), "{all}");

    write(folder, "zones/beta.yaml", "kind: PartnerZone\n<<<<<<< HEAD\n");
    assert_eq!(plan(folder, &["--zones", "zones"]).0, 1);
    assert_eq!(plan(folder, &["--zones", "no-such-folder"]).0, 2);
}

#[test]
fn a_short_ref_is_a_usage_error_and_without_a_broker_there_is_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = "source:\n  url: zones.git\nclusters:\n  default:\n    bootstrapServers: 127.0.0.1:1\n";
    write(folder, "reconciler.yaml", config);
    let (code, out, all) = plan(folder, &["--ref", "main"]);
    assert_eq!((code, out.as_str()), (2, ""), "{all}");
    assert!(all.contains("refs/heads/main"), "{all}");
    let (code, out, all) = plan(folder, &[]);
    assert_eq!((code, out.as_str()), (5, ""), "{all}");
}

/// Runs `git` in a work tree as a developer would.
fn git(folder: &Path, arguments: &[&str]) {
    let status = std::process::Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(status.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn a_fork_is_planned_offline_against_its_base_and_by_the_guards_of_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    for zone in ["acme", "beta", "gamma", "delta"] {
        write(folder, &format!("zones/{zone}.yaml"), &manifest(zone, "orders-v1"));
    }
    // A broker that nobody may connect to: nothing listens there.
    let config = "clusters:\n  default:\n    bootstrapServers: 127.0.0.1:1\nguards: {maxDeletePercent: 30, floor: 4}\n";
    write(folder, "reconciler.yaml", config);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "Share orders"]);
    git(folder, &["switch", "--quiet", "--create", "change"]);
    write(folder, "zones/acme.yaml", &manifest("acme", "orders-v2"));
    let offline =
        |more: &[&str]| plan(folder, &[&["--offline", "--zones", "zones", "--base", "main"], more].concat());
    let (code, out, all) = offline(&["--fail-on-changes"]);
    assert_eq!(code, 3, "{all}");
    assert!(out.contains("~ zone/acme/topic/orders: backingTopic \"orders-v1\" → \"orders-v2\""), "{all}");
    assert!(out.contains("OFFLINE") && out.contains("no pass of the live checks"), "{all}");
    let (code, out, _) = offline(&["--output", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &json["mode"], &json["changes"][0]["origin"]),
        (0, &"offline".into(), &"change".into())
    );

    // The change lifts the guard for itself: that counts for nothing.
    fs::remove_file(folder.join("zones/beta.yaml")).unwrap();
    fs::remove_file(folder.join("zones/gamma.yaml")).unwrap();
    write(folder, "reconciler.yaml", &config.replace("30", "100"));
    let (code, out, all) = offline(&[]);
    assert_eq!(code, 4, "{all}");
    assert!(out.contains("2 of 4 zones would be deleted (50 %), over the limit of 30 %"), "{all}");
    assert!(out.contains("`Reconciler-Allow-Deletes: 2 REASON`"), "{all}");
    let (code, out, all) = offline(&["--only", "acme"]);
    assert_eq!((code, out.contains("zone/beta")), (0, false), "{all}");
    assert_eq!(offline(&["--only", "nobody"]).0, 2);
    assert_eq!(plan(folder, &["--offline", "--zones", "zones", "--base", "origin/main"]).0, 5);
    // Live state is not replaced by a base.
    assert_eq!(
        plan(
            folder,
            &["--zones", "zones", "--base", "main", "--url", "http://127.0.0.1:1", "--api-key", "k"]
        )
        .0,
        5
    );
}

#[test]
fn a_plan_says_what_connected_clients_lose_and_refuses_another_than_was_looked_at() {
    let cluster = Cluster::shared();
    let (orders, bills) = (unique("orders"), unique("bills"));
    cluster.create_topic(&orders, 1);
    cluster.create_topic(&bills, 1);
    let both = product::manifest("acme", &[("orders", &orders, "WRITE"), ("bills", &bills, "READ")]);
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &both)]);
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &partner.bootstrap)
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", &partner.username)
        .set("sasl.password", &partner.secret)
        .set("group.id", unique("readers"))
        .create()
        .unwrap();
    consumer.subscribe(&["orders"]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let fewer = product::manifest("acme", &[("bills", &bills, "READ")]);
    write(folder.path(), "zones/acme.yaml", &fewer);
    let zones = folder.path().join("zones");
    let url = product.url();
    let plan = |more: &[&str]| {
        let arguments = ["plan", "--zones", zones.to_str().unwrap(), "--url", &url, "--output", "json"];
        let output = product.cli(&[&arguments, more].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), json, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    let json = loop {
        // Keeps the client at work.
        consumer.poll(Duration::from_millis(200));
        let (_, json, all) = plan(&[]);
        if json["changes"][0]["impact"].is_object() {
            break json;
        }
        assert!(std::time::Instant::now() < deadline, "nobody is noticed: {json:#} {all}");
    };
    let change = &json["changes"][0];
    assert_eq!(
        (&change["address"], &change["actions"][0]),
        (&"zone/acme/topic/orders".into(), &"delete".into())
    );
    assert_eq!(
        change["impact"]["message"], "1 connected client loses `orders`",
        "however many connections it has"
    );

    let looked_at = folder.path().join("plan.json");
    fs::write(&looked_at, json.to_string()).unwrap();
    let (file, digest) = (looked_at.to_str().unwrap(), json["digest"].as_str().unwrap());
    for expected in [file, digest] {
        assert_eq!(plan(&["--expect-plan", expected]).0, 0);
    }
    write(folder.path(), "zones/acme.yaml", &fewer.replace("READ", "WRITE"));
    let (code, _, said) = plan(&["--expect-plan", file]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("not expected: update zone/acme/topic/bills"), "{said}");
    assert_eq!(plan(&["--expect-plan", digest]).0, 4);

    product.commit("Take orders away", &[("acme.yaml", Some(&fewer))]);
    the_daemon_says_the_same(&product, &consumer);
}

/// Once it applies it: among its runs, and in its log.
fn the_daemon_says_the_same(product: &Product, consumer: &BaseConsumer) {
    let wanted = "zone/acme/topic/orders: 1 connected client loses `orders`";
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        consumer.poll(Duration::from_millis(200));
        let output = product.cli(&["get", "controller", "-o", "json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        if shown["runs"].as_array().unwrap().iter().any(|run| run["noticed"] == serde_json::json!([wanted])) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{shown:#} {}", product.transcript());
    }
    assert!(product.transcript().contains("1 connected client loses `orders`"), "{}", product.transcript());
}
