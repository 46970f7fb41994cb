//! Clusters on which somebody else makes the zones' users: each zone logs in by its file, from the moment that it is there, and by what is
//! in it now.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use partner_zones::kafka::admin::{
    Acl, Admin, Effect, Operation, Pattern, Resource, ResourceKind, ScramChange,
};
use partner_zones::kafka::sasl::Credentials;
use partner_zones::sasl::{Mechanism, ScramHash};
use partner_zones::secret::Secret;
use serde_json::Value;

use super::rotation::is_served;
use super::{ADMIN, Cluster, Product, WITHIN, manifest, security};
use crate::support::client::{Client, Connection};
use crate::support::wire::Wire;

const PATIENCE: Duration = Duration::from_mins(1);

/// An installation whose zones' logins are in a folder that is empty at first.
struct Site {
    cluster: Cluster,
    product: Product,
    folder: PathBuf,
    port: u16,
}

impl Site {
    fn start(zones: &[(&str, &str)]) -> Self {
        // Brokers that want logins to be renewed all the time.
        let cluster = Cluster::private_with(1, &["connections.max.reauth.ms=4000"]);
        cluster.create_topic("orders-v1", 1);
        let (mut folder, mut first) = (PathBuf::new(), 0);
        let files: Vec<(String, String)> = zones
            .iter()
            .map(|(zone, permission)| {
                (format!("{zone}.yaml"), manifest(zone, &[("orders", "orders-v1", permission)]))
            })
            .collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let product = Product::start_with(&files, |port, below| {
            (folder, first) = (below.join("logins"), port);
            fs::create_dir(&folder).unwrap();
            format!(
                "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
                 clusters: {{default: {{bootstrapServers: \"{}\", principals: {{source: files, directory: {}}}, properties: \
                 {{security.protocol: SASL_PLAINTEXT, sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}}}}}\n\
                 store: kafka\n",
                cluster.sasl_bootstrap(),
                folder.display(),
                ADMIN.user,
                ADMIN.password,
            )
        });
        Self { cluster, product, folder, port: first }
    }

    /// As whoever runs the cluster makes it.
    fn make_user(&self, user: &str, password: &str) {
        let put = ScramChange::Put {
            login: Credentials::new(
                Mechanism::ScramSha512,
                user.to_owned(),
                Secret::new(password.to_owned()),
            ),
            hash: ScramHash::Sha512,
            rounds: 4096,
        };
        let refused =
            administered(&self.cluster, async |admin| admin.alter_scram_users(&[put]).await.unwrap());
        assert!(refused.is_empty(), "{refused:?}");
    }

    fn allow(&self, acls: &[Acl]) {
        assert!(!acls.is_empty());
        let made = administered(&self.cluster, async |admin| admin.create_acls(acls).await.unwrap());
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    fn put_login(&self, zone: &str, user: &str, password: &str) {
        write(&self.folder.join(format!("{zone}.properties")), user, password);
    }

    /// What the plan says of the zone's ACLs, as ACLs of this user.
    fn acls_of_the_plan(&self, zone: &str, user: &str) -> Vec<Acl> {
        let output = self.product.cli(&["plan", "--url", &self.product.url(), "--output", "json"]);
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = plan["findings"].as_array().unwrap();
        let is_it = |it: &&Value| {
            it["code"] == "PZ0419" && it["message"].as_str().unwrap().contains(&format!("zone `{zone}`"))
        };
        let found = findings.iter().find(is_it).unwrap_or_else(|| panic!("{plan:#}"));
        let message = found["message"].as_str().unwrap();
        let listed = message.split("and no more: ").nth(1).unwrap();
        listed.split("; ").flat_map(|rule| acls_of(rule, user)).collect()
    }

    /// Waits until the controller has this to say of the zone's file.
    fn await_problem(&self, code: &str, zone: &str) -> String {
        let begun = Instant::now();
        loop {
            let output = self.product.cli(&["get", "controller", "-o", "json"]);
            let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let problems = shown["source"]["problems"].as_array().cloned().unwrap_or_default();
            let texts =
                problems.iter().filter(|it| it["code"] == code).map(|it| it["message"].as_str().unwrap());
            if let Some(text) = texts.into_iter().find(|text| text.contains(&format!("zone `{zone}`"))) {
                return text.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "no {code}: {shown:#}\n{}", self.product.transcript());
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Waits until the zone's second lock is this, and gives what is said of it.
    fn await_lock(&self, zone: &str, status: &str, reason: &str) -> String {
        let lock = |zone: &Value| {
            let all = zone["status"]["conditions"].as_array().unwrap();
            all.iter().find(|it| it["type"] == "SecondLock").cloned().unwrap()
        };
        let is = |zone: Option<&Value>| {
            zone.map(lock).is_some_and(|lock| lock["status"] == status && lock["reason"] == reason)
        };
        let zone = self.product.wait_for_zone(zone, is).unwrap();
        lock(&zone)["message"].as_str().unwrap().to_owned()
    }

    fn connection(&self, zone: &str) -> Connection {
        self.product.partner(zone).connection()
    }
}

fn write(path: &Path, user: &str, password: &str) {
    // Renamed into place, as whoever cares for whole files does it.
    let next = path.with_extension("next");
    fs::write(&next, format!("# made elsewhere\nsasl.username={user}\nsasl.password={password}\n")).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(next, path).unwrap();
}

fn administered<T>(cluster: &Cluster, work: impl AsyncFnOnce(&mut Admin) -> T) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        work(&mut Admin::connect(cluster.sasl_bootstrap(), &security(ADMIN), WITHIN).await.unwrap()).await
    })
}

/// `READ, DESCRIBE on `topic/literal/orders``.
fn acls_of(rule: &str, user: &str) -> Vec<Acl> {
    let operations = BTreeMap::from(
        [
            Operation::Read,
            Operation::Write,
            Operation::Delete,
            Operation::Describe,
            Operation::DescribeConfigs,
        ]
        .map(|operation| (operation.to_string(), operation)),
    );
    let (listed, resource) = rule.split_once(" on ").unwrap();
    let mut parts = resource.trim_matches('`').splitn(3, '/');
    let kind = match parts.next().unwrap() {
        "topic" => ResourceKind::Topic,
        "group" => ResourceKind::Group,
        _ => ResourceKind::TransactionalId,
    };
    let pattern = if parts.next() == Some("prefixed") { Pattern::Prefixed } else { Pattern::Literal };
    let resource = Resource { kind, pattern, name: parts.next().unwrap().into() };
    let acl = |operation: &str| Acl {
        principal: format!("User:{user}").into(),
        resource: resource.clone(),
        operation: operations[operation],
        effect: Effect::Allow,
        host: "*".into(),
    };
    listed.split(", ").map(acl).collect()
}

fn produced(connection: &Connection) -> usize {
    let arguments = ["produce", "--topic", "orders", "--value", "x", "--timeout", "20000"];
    Client::Librdkafka.run(connection, &arguments).acked().len()
}

fn consumed(connection: &Connection) -> usize {
    let arguments = ["consume", "--topic", "orders", "--group", "app", "--max", "1", "--timeout", "30000"];
    Client::Librdkafka.run(connection, &arguments).records().len()
}

#[test]
fn a_zone_is_served_as_the_user_of_its_file_once_it_is_there_and_follows_its_password() {
    let site = Site::start(&[("acme", "WRITE"), ("beta", "WRITE")]);
    let missing = site.await_problem("PZ0415", "acme");
    assert!(missing.contains("logins/acme.properties is missing"), "{missing}");
    for (zone, user) in [("acme", "cloud-acme"), ("beta", "cloud-beta")] {
        site.make_user(user, "one");
        site.allow(&site.acls_of_the_plan(zone, user));
    }
    // One whose file is there is not held up by one whose file is not.
    site.put_login("beta", "cloud-beta", "one");
    site.product.wait_for_status("beta", "READY");
    let beta = site.connection("beta");
    assert_eq!((produced(&beta), consumed(&beta)), (1, 1));
    assert!(site.product.zone("acme").is_none(), "nobody else's login stands in for it");

    site.put_login("acme", "cloud-acme", "one");
    site.product.wait_for_status("acme", "READY");
    let lock = site.await_lock("acme", "True", "LoginFromFile");
    assert!(lock.contains("`cloud-acme`") && lock.contains("does not reach the state"), "{lock}");
    let partner = site.product.partner("acme");
    let acme = partner.connection();
    assert_eq!((produced(&acme), consumed(&acme)), (1, 1));

    // Its password changes, on the cluster and then in the file. The open connection logs in to the broker every few seconds.
    let mut open = Wire::logged_in(site.port, &partner.username, &partner.secret);
    assert!(is_served(&mut open));
    site.make_user("cloud-acme", "two");
    site.put_login("acme", "cloud-acme", "two");
    assert_eq!((produced(&acme), consumed(&acme)), (1, 1));
    let until = Instant::now() + Duration::from_secs(9);
    while Instant::now() < until {
        assert!(is_served(&mut open), "{}", site.product.transcript());
        thread::sleep(Duration::from_millis(500));
    }
    site.await_lock("acme", "True", "LoginFromFile");

    // A file that goes is told by the gateway, and comes back by itself; the other zone does not notice.
    fs::remove_file(site.folder.join("acme.properties")).unwrap();
    let failed = site.product.wait_for_status("acme", "FAILED");
    let reason = failed["status"]["failedReason"].as_str().unwrap();
    assert!(reason.contains("acme.properties is missing"), "{reason}");
    assert_eq!(produced(&beta), 1);
    site.put_login("acme", "cloud-acme", "two");
    site.product.wait_for_status("acme", "READY");
    assert_eq!(produced(&acme), 1);

    let users = administered(&site.cluster, async |admin| {
        let made =
            admin.acls().await.unwrap().into_iter().filter(|acl| acl.principal.contains("partner-zones"));
        let users = admin.scram_users().await.unwrap();
        made.map(|acl| acl.principal.to_string()).chain(users.into_keys()).collect::<Vec<_>>()
    });
    assert!(!users.iter().any(|name| name.contains("partner-zones")), "nothing is made: {users:?}");
    let log = site.product.transcript();
    assert!(!log.contains("sasl.password=") && !log.contains("=two"), "{log}");
}

#[test]
fn a_login_that_may_too_much_or_is_two_zones_or_is_refused_is_told() {
    let site = Site::start(&[("first", "READ"), ("second", "READ"), ("wide", "READ"), ("wrong", "READ")]);
    site.await_problem("PZ0415", "wide");
    for user in ["cloud-both", "cloud-wide", "cloud-wrong"] {
        site.make_user(user, "one");
    }
    site.allow(&site.acls_of_the_plan("first", "cloud-both"));
    let everything = |kind| Acl {
        principal: "User:cloud-wide".into(),
        resource: Resource { kind, pattern: Pattern::Literal, name: "*".into() },
        operation: Operation::All,
        effect: Effect::Allow,
        host: "*".into(),
    };
    site.allow(&[everything(ResourceKind::Topic), everything(ResourceKind::Group)]);
    for (zone, user, password) in [
        ("first", "cloud-both", "one"),
        ("second", "cloud-both", "one"),
        ("wide", "cloud-wide", "one"),
        ("wrong", "cloud-wrong", "another"),
    ] {
        site.put_login(zone, user, password);
    }
    let lock = site.await_lock("wide", "False", "ReachesState");
    assert!(lock.contains("`cloud-wide`") && lock.contains("_partner-zones.state"), "{lock}");
    let lock = site.await_lock("first", "False", "SharedLogin");
    assert!(lock.contains("zone `second`"), "{lock}");
    site.await_lock("second", "False", "SharedLogin");
    // They are served all the same: it is said, and nothing stops.
    for zone in ["first", "second", "wide"] {
        site.product.wait_for_status(zone, "READY");
    }
    let refused = site.await_problem("PZ0416", "wrong");
    assert!(refused.contains("`cloud-wrong`") && refused.contains("refused the login"), "{refused}");
    assert!(site.product.zone("wrong").is_none());
    assert!(!site.product.transcript().contains("another\""), "a password never shows");
    site.put_login("wrong", "cloud-wrong", "one");
    site.await_lock("wrong", "True", "LoginFromFile");
}
