//! `reconciler plan` as people and pipelines run it: the binary, with live state on real Kafka.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use partner_zones::manifest::{Known, SourceFile, load};
use partner_zones::store::kafka::{KafkaOptions, KafkaStore, Names, Role, Timing};
use partner_zones::store::{Change, Leadership, Store, ZoneRecord};
use partner_zones::zone::{Revision, Sequence, ZoneId};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::git::Repository;
use crate::support::kafka::Cluster;
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

/// Starts a controller's store, which makes the topics, and puts one zone in force.
fn put_in_force(cluster: &Cluster, zone: &str) {
    let file = SourceFile { path: "acme.yaml".to_owned(), content: Ok(zone.as_bytes().into()) };
    let loaded = load([file], &Known::default());
    let zone = loaded.zones.values().next().unwrap().zone.as_ref().clone();
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
        let revision = Revision::recorded("main@sha1:8c1f00000000000000000000000000000000000f".to_owned());
        let record = ZoneRecord {
            id: ZoneId::derive(store.cluster_id(), &zone.name),
            zone: zone.into(),
            changed: Sequence(0),
            revision: revision.clone(),
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        store.commit(vec![Change::PutZone(Box::new(record)), Change::Applied(revision)]).await.unwrap();
        cancel.cancel();
        tasks.close();
        tasks.wait().await;
    });
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

    put_in_force(&cluster, &manifest("acme", "orders-v1"));
    let (code, out, all) = plan(folder, &["--zones", "zones", "--fail-on-changes"]);
    assert_eq!(code, 0, "{all}");
    assert!(out.ends_with("Plan: 0 to add, 0 to change, 0 to delete"), "{all}");

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
    assert_eq!(of_source(&["--ref", "refs/heads/none"]).0, 5);

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
