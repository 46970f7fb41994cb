//! What the command line says is what the daemon does: one digest, one verdict, the same principals and ACLs.

use std::time::Instant;

use partner_zones::kafka::admin::{Acl, Admin, Effect, Operation, Pattern, Resource, ResourceKind};
use partner_zones::kafka::client::UpstreamSecurity;

use super::*;
use crate::support::kafka::{ADMIN, GATEWAY, Login};

/// What `get controller` shows, once `wanted` holds of it.
fn controller(product: &Product, wanted: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let output = product.cli(&["get", "controller", "-o", "json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if wanted(&shown) {
            return shown;
        }
        assert!(started.elapsed() < PATIENCE, "{shown:#}\n{}", product.transcript());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A configuration whose login is this one, with principals for the zones.
fn with_principals(cluster: &Cluster, login: Login, store: &str, port: u16) -> String {
    format!(
        "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
         clusters: {{default: {{bootstrapServers: \"{}\", isolation: principal, properties: {{security.protocol: SASL_PLAINTEXT, \
         sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}}}}}\n\
         masterKey: a key of this test, thirty-two bytes and more\nstore: {store}\n",
        cluster.sasl_bootstrap(),
        login.user,
        login.password,
    )
}

fn lines(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().unwrap();
    let line = |change: &Value| {
        format!("{} {}", change["actions"][0].as_str().unwrap(), change["address"].as_str().unwrap())
    };
    changes.iter().map(line).collect()
}

#[test]
fn a_pull_requests_head_and_the_daemons_run_after_the_merge_have_one_digest_with_principals_too() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    cluster.create_topic("bills-v1", 1);
    let zone = |name: &str, permission: &str| product::manifest(name, &[("orders", "orders-v1", permission)]);
    let product = Product::start_with(
        &[("acme.yaml", &zone("acme", "READ")), ("gone.yaml", &zone("gone", "READ"))],
        |port, _| with_principals(&cluster, ADMIN, "kafka", port),
    );
    product.wait_for_status("acme", "READY");
    product.wait_for_status("gone", "READY");
    let changes = [
        ("acme.yaml", Some(zone("acme", "WRITE"))),
        ("gone.yaml", None),
        ("new.yaml", Some(zone("new", "READ"))),
    ];
    product.propose("pr", &changes);

    let plan = |more: &[&str]| -> Value {
        let arguments = ["plan", "--ref", "refs/heads/pr", "--output", "json"];
        let output = product.cli(&[&arguments, more].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    let (from_topic, over_http) = (plan(&[]), plan(&["--url", &product.url()]));
    assert_eq!(from_topic["digest"], over_http["digest"], "{from_topic:#} {over_http:#}");
    assert_eq!(from_topic["notices"], serde_json::json!([]));
    let lines = lines(&from_topic);
    for line in [
        "create zone/new/principal",
        "create cluster/default/acl/User:partner-zones.new/topic/literal/orders-v1",
        "update cluster/default/acl/User:partner-zones.acme/topic/literal/orders-v1",
        "delete zone/gone/principal",
        "delete cluster/default/acl/User:partner-zones.gone/topic/literal/orders-v1",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line} is not in {lines:#?}");
    }
    without_the_login(&product, &cluster, &from_topic);

    let merge = product.merge("pr");
    let is_merge = |run: &Value| {
        run["sequence"].is_u64() && run["revision"].as_str().is_some_and(|it| it.ends_with(&merge))
    };
    let runs = |shown: &Value| shown["runs"].as_array().cloned().unwrap_or_default();
    let shown = controller(&product, |shown| runs(shown).iter().any(is_merge));
    let run = runs(&shown).into_iter().find(is_merge).unwrap();
    assert_eq!(run["plan"], from_topic["digest"], "{run:#}\n{}", product.transcript());
    product.wait_for_zone("gone", |zone| zone.is_none());

    // Nothing is left to do, here and there.
    let started = Instant::now();
    while !plan(&[])["changes"].as_array().unwrap().is_empty() {
        assert!(started.elapsed() < PATIENCE, "{:#}", plan(&[]));
    }
}

/// In CI, with an API key alone: the plan says loudly what it lacks, and the guards are those of the server.
fn without_the_login(product: &Product, cluster: &Cluster, full: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "source: {{url: {}}}\nguards: {{maxDeletePercent: 1, maxUpdatePercent: 1, floor: 1}}\n\
         clusters: {{default: {{bootstrapServers: \"{}\"}}}}\n",
        product.source().display(),
        cluster.bootstrap()
    );
    write(folder.path(), "reconciler.yaml", &config);
    let (url, key) = (product.url(), product.admin_key());
    let arguments = ["--ref", "refs/heads/pr", "--url", &url, "--api-key", &key];
    let (code, out, all) =
        plan(folder.path(), &[&arguments[..], &["--output", "text", "--output", "json=plan.json"]].concat());
    assert_eq!(code, 0, "the local limits count for nothing: {all}");
    assert!(out.starts_with("NOT ASKED: cluster `default` does not say here"), "{all}");
    let json: Value = serde_json::from_slice(&fs::read(folder.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(json["notices"][0]["kind"], "NotAsked");
    assert_ne!(json["digest"], full["digest"], "it cannot be taken for the whole plan");
    assert!(!lines(&json).iter().any(|line| line.contains("partner-zones.")), "{json:#}");
}

#[test]
fn a_cluster_that_became_another_one_is_refused_by_a_guard_of_the_daemon_too() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    let zone = |name: &str| product::manifest(name, &[("orders", "orders-v1", "READ")]);
    let mut product = Product::start(&cluster, Setup::KAFKA, &[("acme.yaml", &zone("acme"))]);
    product.wait_for_status("acme", "READY");
    product.stop();
    commit(&cluster, |_| vec![Change::PutCluster("default".try_into().unwrap(), "another".to_owned())]);
    product.restart();
    product.commit("Share with another", &[("beta.yaml", Some(&zone("beta")))]);
    let blocked = |shown: &Value| -> Option<String> {
        let conditions = shown["source"]["conditions"].as_array()?;
        let guard = conditions.iter().find(|it| it["type"] == "GuardBlocked" && it["status"] == "True")?;
        Some(guard["message"].as_str()?.to_owned())
    };
    let head = product.head();
    let shown = controller(&product, |shown| {
        let observed = shown["source"]["observed"]["revision"].as_str().unwrap_or_default();
        observed.ends_with(&head) && blocked(shown).is_some()
    });
    let message = blocked(&shown).unwrap();
    assert!(message.contains("cluster `default` is another one: its id is `"), "{message}");
    assert_eq!(shown["runs"][0]["outcome"], "Refused", "{shown:#}");
    let metrics = product.metrics();
    let line = "partner_zones_reconcile_condition{condition=\"GuardBlocked\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(product.zone("beta").is_none(), "nothing is applied");
}

/// Lets the gateway's user look at principals and ACLs, and no more.
fn let_look(cluster: &Cluster) {
    let look = Acl {
        principal: format!("User:{}", GATEWAY.user).into(),
        resource: Resource {
            kind: ResourceKind::Cluster,
            pattern: Pattern::Literal,
            name: "kafka-cluster".into(),
        },
        operation: Operation::Describe,
        effect: Effect::Allow,
        host: "*".into(),
    };
    let login = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", ADMIN.user),
        ("sasl.password", ADMIN.password),
    ];
    let login = login.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let security = UpstreamSecurity::from_properties(&login).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut admin = Admin::connect(cluster.sasl_bootstrap(), &security, PATIENCE).await.unwrap();
        admin.create_acls(&[look]).await.unwrap().remove(0).unwrap();
    });
}

#[test]
fn an_apply_that_cannot_bring_a_zone_to_what_it_asks_ends_with_6_and_says_so_in_every_form() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    let_look(&cluster);
    let acme = product::manifest("acme", &[("orders", "orders-v1", "READ")]);
    let product = Product::start_with(&[("acme.yaml", &acme)], |port, _| {
        with_principals(&cluster, GATEWAY, "memory", port)
    });
    let folder = tempfile::tempdir().unwrap();
    let junit = format!("junit={}", folder.path().join("junit.xml").display());
    let output = product.cli(&["apply", "--output", "json", "--output", &junit]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said} {}", String::from_utf8_lossy(&output.stdout));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["run"]["outcome"], "PartlyApplied", "{json:#}");
    assert_eq!(json["run"]["failed"][0]["zone"], "acme", "{json:#}");
    assert_eq!(json["run"]["plan"], json["digest"], "{json:#}");
    let junit = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("Not applied: acme: ") && junit.contains("failures=\"1\""), "{junit}");
    assert!(product.zone("acme").is_none(), "nobody is served what has no rights of its own");
}
