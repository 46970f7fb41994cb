//! The zones' own principals on real Kafka with its own authorizer: what is made, what it may do, what is put right, and what is
//! said of a cluster on which nothing can be done.

mod brokers;
mod data_plane;
mod files;
mod many;
mod rotation;
mod second_lock;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partner_zones::kafka::admin::ScramChange;
use partner_zones::kafka::admin::{
    Acl, AclDeletion, Admin, AdminError, Effect, Operation, Pattern, Resource, ResourceKind,
};
use partner_zones::kafka::client::UpstreamSecurity;
use partner_zones::kafka::sasl::{Credentials, Mechanism};
use partner_zones::manifest::{Known, SourceFile, load};
use partner_zones::policy::principal::{Generation, MasterKey};
use partner_zones::reconcile::principals::{
    self, Clusters, Failures, Leftovers, Records, Setup, Steps, Target, Zone,
};
use partner_zones::sasl::ScramHash;
use partner_zones::secret::Secret;
use partner_zones::store::Store;
use partner_zones::store::memory::MemoryStore;
use partner_zones::zone::{ClusterName, PartnerZone, Principal, ZoneId, ZoneName};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::client::Client;
use crate::support::kafka::{ADMIN, Cluster, GATEWAY, Login, unique};
use crate::support::product::{Product, manifest};

const WITHIN: Duration = Duration::from_secs(30);

fn security(login: Login) -> UpstreamSecurity {
    security_by("SCRAM-SHA-512", login)
}

fn security_by(mechanism: &str, login: Login) -> UpstreamSecurity {
    security_of(mechanism, login.user, login.password)
}

fn security_of(mechanism: &str, user: &str, password: &str) -> UpstreamSecurity {
    let properties = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", user),
        ("sasl.password", password),
    ];
    UpstreamSecurity::from_properties(
        &properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    )
    .unwrap()
}

fn key() -> MasterKey {
    MasterKey::new(&Secret::new("a key of this test, thirty-two bytes and more".to_owned())).unwrap()
}

fn home() -> ClusterName {
    ClusterName::try_from("home").unwrap()
}

fn id(zone: &ZoneName) -> ZoneId {
    ZoneId::derive("home", zone)
}

/// A controller of one cluster, without the rest of it.
struct Controller {
    clusters: Clusters,
    store: Arc<dyn Store>,
    records: Records,
    cancel: CancellationToken,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Controller {
    fn new(bootstrap: &str, login: Login) -> Self {
        Self::with(bootstrap, security(login))
    }

    fn with(bootstrap: &str, security: UpstreamSecurity) -> Self {
        let cancel = CancellationToken::new();
        let store = MemoryStore::start(&TaskTracker::new(), cancel.clone());
        let clusters = Clusters {
            setup: Setup {
                home: home(),
                keys: BTreeMap::from([(home(), key().into())]),
                preferred: security
                    .principals_mechanism()
                    .scram()
                    .map(|hash| (home(), hash))
                    .into_iter()
                    .collect(),
            },
            targets: BTreeMap::from([(home(), Target { bootstrap: bootstrap.to_owned(), security })]),
        };
        Self { clusters, store, records: Records::new(), cancel }
    }

    /// What is to be done on the cluster as it is now. Other tests' zones are left alone: the cluster is theirs too.
    async fn steps(&self, zones: &[PartnerZone], of: &BTreeSet<ZoneName>) -> Steps {
        let view = self.clusters.look().await;
        let zones: Vec<Zone<'_>> = zones
            .iter()
            .map(|zone| Zone { name: &zone.name, id: id(&zone.name), before: None, after: Some(zone) })
            .collect();
        let leftovers = Leftovers::Clear;
        let mut steps = principals::steps(&self.clusters.setup, &view, &self.records, &zones, leftovers, id);
        steps.retain(|step| of.contains(&step.zone));
        steps
    }

    /// Brings the cluster to what these zones want.
    async fn run(&mut self, zones: &[PartnerZone], of: &BTreeSet<ZoneName>) -> Failures {
        let steps = self.steps(zones, of).await;
        for step in &steps {
            let (cluster_id, slots) = (step.cluster_id.clone(), step.slots.clone());
            let of = (step.cluster.clone(), step.zone.clone());
            self.records.insert(of, Principal { cluster_id, slots });
        }
        let mut failures = self.clusters.widen(&*self.store, &steps).await.unwrap();
        failures.extend(self.clusters.narrow(&*self.store, &steps).await.unwrap());
        for step in steps.iter().filter(|step| step.release) {
            self.records.remove(&(step.cluster.clone(), step.zone.clone()));
        }
        failures
    }
}

/// A zone from its written form: `READ orders-v1` shares a topic under its own name.
fn zone(name: &str, topics: &[&str]) -> PartnerZone {
    let topic = |topic: &&str| {
        let (permission, backing) = topic.split_once(' ').unwrap();
        format!("    - {{name: {backing}, backingTopic: {backing}, permission: {permission}}}")
    };
    let topics = topics.iter().map(topic).collect::<Vec<_>>().join("\n");
    let text = format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata: {{name: {name}}}\nspec:\n  cluster: gateway\n  displayName: Z\n  \
         authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n{topics}\n"
    );
    let file = SourceFile { path: "z.yaml".to_owned(), content: Ok(text.into_bytes().into()) };
    let loaded = load([file], &Known::default());
    let zone = loaded.zones.values().next().unwrap_or_else(|| panic!("{:?}", loaded.findings));
    zone.zone.as_ref().clone()
}

fn names(zones: &[PartnerZone]) -> BTreeSet<ZoneName> {
    zones.iter().map(|zone| zone.name.clone()).collect()
}

async fn admin(cluster: &Cluster) -> Admin {
    Admin::connect(cluster.sasl_bootstrap(), &security(ADMIN), WITHIN).await.unwrap()
}

fn foreign(principal: &str, topic: &str, effect: Effect) -> Acl {
    Acl {
        principal: principal.into(),
        resource: Resource { kind: ResourceKind::Topic, pattern: Pattern::Literal, name: topic.into() },
        operation: Operation::Read,
        effect,
        host: "*".into(),
    }
}

#[tokio::test]
async fn drift_either_way_is_put_right_and_what_is_somebody_elses_stays() {
    let cluster = Cluster::shared();
    let zones = [zone(&unique("drift"), &["READ orders-v1", "WRITE bills-v1"])];
    let (of, name) = (names(&zones), zones[0].name.clone());
    let mut controller = Controller::new(cluster.sasl_bootstrap(), ADMIN);
    assert_eq!(controller.run(&zones, &of).await, Failures::new());
    assert_eq!(controller.steps(&zones, &of).await, vec![], "what was written is seen at once");

    let mut admin = admin(cluster).await;
    let ours = format!("User:partner-zones.{name}");
    let others =
        [foreign("User:somebody", "orders-v1", Effect::Allow), foreign(&ours, "orders-v1", Effect::Deny)];
    let added = foreign(&ours, "secrets-v1", Effect::Allow);
    for outcome in admin.create_acls(&[others[0].clone(), others[1].clone(), added.clone()]).await.unwrap() {
        outcome.unwrap();
    }
    let taken = admin
        .acls()
        .await
        .unwrap()
        .into_iter()
        .find(|acl| *acl.principal == *ours && acl.effect == Effect::Allow);
    let taken = taken.unwrap();
    admin.delete_acls(&[AclDeletion::One(taken.clone())]).await.unwrap().remove(0).unwrap();
    // A password set by hand, and one taken away.
    let by_hand = ScramChange::Put {
        login: Credentials::new(
            Mechanism::ScramSha256,
            format!("partner-zones.{name}"),
            Secret::new("known to somebody".to_owned()),
        ),
        hash: ScramHash::Sha256,
        rounds: 4096,
    };
    let gone = ScramChange::Delete { user: format!("partner-zones.{name}"), hash: ScramHash::Sha512 };
    assert!(admin.alter_scram_users(&[by_hand, gone]).await.unwrap().is_empty());
    let changed = BTreeMap::from([(ScramHash::Sha256, 4096)]);
    while admin.scram_users().await.unwrap().get(&format!("partner-zones.{name}")) != Some(&changed) {}

    let steps = controller.steps(&zones, &of).await;
    assert_eq!((&steps[0].create, &steps[0].delete), (&BTreeSet::from([taken]), &BTreeSet::from([added])));
    assert_eq!(steps[0].put.len(), 2);
    assert_eq!(controller.run(&zones, &of).await, Failures::new());
    assert_eq!(controller.steps(&zones, &of).await, vec![]);

    // The zone goes: its principal and ACLs with it, and nothing else.
    assert_eq!(controller.run(&[], &of).await, Failures::new());
    let left = admin.acls().await.unwrap();
    assert!(others.iter().all(|acl| left.contains(acl)), "{left:?}");
    assert!(!left.iter().any(|acl| *acl.principal == *ours && acl.effect == Effect::Allow));
    assert!(!admin.scram_users().await.unwrap().contains_key(&format!("partner-zones.{name}")));
    // What is gone already is gone.
    let again = [&others[0], &others[1], &others[0]].map(|acl| AclDeletion::One(acl.clone()));
    for outcome in admin.delete_acls(&again).await.unwrap() {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_user_that_was_not_made_here_is_not_taken_over() {
    let cluster = Cluster::shared();
    let zones = [zone(&unique("taken"), &["READ orders-v1"])];
    let name = zones[0].name.clone();
    let mut admin = admin(cluster).await;
    let theirs = ScramChange::Put {
        login: Credentials::new(
            Mechanism::ScramSha256,
            format!("partner-zones.{name}"),
            Secret::new("theirs".to_owned()),
        ),
        hash: ScramHash::Sha256,
        rounds: 4096,
    };
    assert!(admin.alter_scram_users(&[theirs]).await.unwrap().is_empty());
    let mut controller = Controller::new(cluster.sasl_bootstrap(), ADMIN);
    assert_eq!(controller.run(&zones, &names(&zones)).await, Failures::new());
    let view = controller.clusters.look().await;
    let found = principals::obstacles(
        &controller.clusters.setup,
        &view,
        &controller.records,
        [(id(&name), &zones[0])],
    );
    assert_eq!(found[&name].code.as_str(), "PZ0411", "{found:?}");
    let users = admin.scram_users().await.unwrap();
    assert_eq!(users[&format!("partner-zones.{name}")], BTreeMap::from([(ScramHash::Sha256, 4096)]));
    assert!(!admin.acls().await.unwrap().iter().any(|acl| acl.principal.ends_with(name.as_str())));
}

/// A client that logs in as the zone's principal.
fn client(cluster: &Cluster, zone: &ZoneName, mechanism: &str) -> ClientConfig {
    let password = key().password(id(zone), Generation::FIRST);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", cluster.sasl_bootstrap())
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", format!("partner-zones.{zone}"))
        .set("sasl.password", password.expose())
        .set("message.timeout.ms", "10000")
        .set("transaction.timeout.ms", "10000");
    config
}

/// What a broker says to one record.
fn produce(config: &ClientConfig, topic: &str) -> Option<RDKafkaErrorCode> {
    use rdkafka::message::DeliveryResult;
    use rdkafka::producer::ProducerContext;
    use std::sync::mpsc::{Sender, channel};

    struct Tell(std::sync::Mutex<Sender<Option<RDKafkaErrorCode>>>);
    impl rdkafka::ClientContext for Tell {}
    impl ProducerContext for Tell {
        type DeliveryOpaque = ();
        fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
            let code = result.as_ref().err().and_then(|(error, _)| error.rdkafka_error_code());
            self.0.lock().unwrap().send(code).unwrap();
        }
    }
    let (tell, told) = channel();
    let producer: ThreadedProducer<Tell> =
        config.create_with_context(Tell(std::sync::Mutex::new(tell))).unwrap();
    producer.send(BaseRecord::<(), str>::to(topic).payload("x")).map_err(|(error, _)| error).unwrap();
    producer.flush(WITHIN).unwrap();
    told.recv_timeout(WITHIN).unwrap()
}

/// Reads the one record of a topic in a group, or says what the broker has against it.
fn consume(config: &ClientConfig, topic: &str, group: &str) -> Result<usize, RDKafkaErrorCode> {
    let mut config = config.clone();
    config.set("group.id", group).set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let until = Instant::now() + WITHIN;
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(_)) => {
                return match consumer.commit_consumer_state(rdkafka::consumer::CommitMode::Sync) {
                    Ok(()) => Ok(1),
                    Err(error) => Err(error.rdkafka_error_code().unwrap()),
                };
            }
            Some(Err(KafkaError::MessageConsumption(code))) => return Err(code),
            Some(Err(_)) | None => {}
        }
    }
    Ok(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zones_principal_logs_in_with_its_derived_password_and_can_do_what_its_zone_says_and_nothing_else()
{
    use RDKafkaErrorCode::{
        GroupAuthorizationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
    };

    let cluster = Cluster::shared();
    let [read, write, other] = ["read", "write", "other"].map(|stem| unique(&format!("principal-{stem}")));
    for topic in [&read, &write, &other] {
        cluster.create_topic(topic, 1);
    }
    let name = unique("principal");
    let zones = [zone(&name, &[&format!("READ {read}"), &format!("WRITE {write}")])];
    let of = names(&zones);
    let mut controller = Controller::new(cluster.sasl_bootstrap(), ADMIN);
    assert_eq!(controller.run(&zones, &of).await, Failures::new());

    let zone = zones[0].name.clone();
    tokio::task::spawn_blocking(move || {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let config = client(cluster, &zone, mechanism);
            // Rights reach each broker in its own time.
            let until = Instant::now() + WITHIN;
            while produce(&config, &write).is_some() && Instant::now() < until {}
            assert_eq!(produce(&config, &write), None, "{mechanism}");
            let mut idempotent = config.clone();
            idempotent.set("enable.idempotence", "true");
            assert_eq!(produce(&idempotent, &write), None, "{mechanism}");
            assert_eq!(consume(&config, &write, &format!("{zone}:{mechanism}")), Ok(1));
            assert_eq!(produce(&config, &read), Some(TopicAuthorizationFailed));
            assert_eq!(produce(&config, &other), Some(TopicAuthorizationFailed));
            assert_eq!(consume(&config, &write, "somebody-elses"), Err(GroupAuthorizationFailed));
            // A neighbour whose name begins alike.
            assert_eq!(consume(&config, &write, &format!("{zone}0:group")), Err(GroupAuthorizationFailed));
            let asked = consume(&config, &other, &format!("{zone}:{mechanism}"));
            assert_eq!(asked, Err(TopicAuthorizationFailed));
            for (transaction, allowed) in [(format!("{zone}:t"), true), (format!("{zone}0:t"), false)] {
                let mut config = config.clone();
                config.set("transactional.id", &transaction);
                let producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext> =
                    config.create().unwrap();
                match producer.init_transactions(WITHIN) {
                    Ok(()) => assert!(allowed, "{transaction}"),
                    Err(error) => {
                        assert!(!allowed, "{transaction}: {error}");
                        assert_eq!(error.rdkafka_error_code(), Some(TransactionalIdAuthorizationFailed));
                    }
                }
            }
        }
        let password = key().password(id(&zone), Generation::FIRST);
        let user = format!("partner-zones.{zone}");
        (user, password)
    })
    .await
    .map(|(user, password)| async move {
        let properties = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", user.as_str()),
            ("sasl.password", password.expose()),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let as_zone = UpstreamSecurity::from_properties(&properties).unwrap();
        let mut admin = Admin::connect(cluster.sasl_bootstrap(), &as_zone, WITHIN).await.unwrap();
        assert!(matches!(admin.acls().await, Err(AdminError::Forbidden(_))), "nothing on the cluster");
    })
    .unwrap()
    .await;
    assert_eq!(controller.run(&[], &of).await, Failures::new());
}

#[tokio::test]
async fn a_cluster_on_which_nothing_can_be_done_says_why_and_what_to_do() {
    // Without an authorizer.
    let open = Cluster::private_with(1, &["authorizer.class.name="]);
    // Without the right to administer. This daemon lives on afterwards, which librdkafka's own call would not let it.
    let shared = Cluster::shared();
    let (zones, nobody) = ([zone(&unique("unable"), &["READ orders-v1"])], "127.0.0.1:1");
    for (bootstrap, login, cause) in [
        (open.sasl_bootstrap(), ADMIN, "no authorizer"),
        (shared.sasl_bootstrap(), GATEWAY, "may not do DescribeAcls"),
        (shared.sasl_bootstrap(), Login { user: "admin", password: "wrong" }, "refused the login"),
        (nobody, ADMIN, "no bootstrap server answers"),
    ] {
        let mut controller = Controller::new(bootstrap, login);
        assert_eq!(controller.run(&zones, &names(&zones)).await, Failures::new());
        assert!(controller.records.is_empty(), "nothing is done");
        let view = controller.clusters.look().await;
        let setup = &controller.clusters.setup;
        let found =
            principals::obstacles(setup, &view, &controller.records, [(id(&zones[0].name), &zones[0])]);
        let obstacle = &found[&zones[0].name];
        assert!(obstacle.message.contains(cause), "{obstacle:?}");
        assert_eq!(obstacle.code.as_str(), "PZ0410");
    }
    // Another cluster behind the same address, since it was looked at.
    let controller = Controller::new(shared.sasl_bootstrap(), ADMIN);
    let mut steps = controller.steps(&zones, &names(&zones)).await;
    steps[0].cluster_id = "the-one-before".to_owned();
    let failures = controller.clusters.widen(&*controller.store, &steps).await.unwrap();
    assert!(failures[&zones[0].name].contains("was the-one-before a moment ago"), "{failures:?}");
    assert_eq!(controller.steps(&zones, &names(&zones)).await.len(), 1, "nothing was written");
}

#[tokio::test]
async fn thousands_of_acls_are_a_few_requests() {
    const ZONES: usize = 250;
    let cluster = Cluster::private(1);
    let stem = unique("bulk");
    let zones: Vec<PartnerZone> = (0..ZONES)
        .map(|number| {
            let topics: Vec<String> = (0..20).map(|topic| format!("READ {stem}-{number}-{topic}")).collect();
            zone(&format!("{stem}-{number}"), &topics.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect();
    let of = names(&zones);
    let mut controller = Controller::new(cluster.sasl_bootstrap(), ADMIN);
    let started = Instant::now();
    assert_eq!(controller.run(&zones, &of).await, Failures::new());
    let made = started.elapsed();
    let started = Instant::now();
    assert_eq!(controller.steps(&zones, &of).await, vec![]);
    let compared = started.elapsed();
    let acls = admin(&cluster).await.acls().await.unwrap().len();
    assert_eq!(acls, ZONES * (20 * 3 + 5));
    eprintln!("{acls} ACLs and {ZONES} users: made in {made:?}, read and compared in {compared:?}");
    assert!(made < Duration::from_mins(1) && compared < Duration::from_secs(5), "{made:?} {compared:?}");
    let started = Instant::now();
    assert_eq!(controller.run(&[], &of).await, Failures::new());
    eprintln!("deleted in {:?}", started.elapsed());
    assert!(admin(&cluster).await.acls().await.unwrap().is_empty());
}

/// The whole product: what a commit shares is there for the zone's principal before it is served, the gateway is nobody but
/// that principal, and what somebody takes away by hand comes back.
#[test]
fn the_gateway_serves_a_zone_as_its_own_principal_and_drift_on_the_cluster_is_put_right() {
    let cluster = Cluster::shared();
    let (zone, topic) = (unique("own"), unique("own-topic"));
    cluster.create_topic(&topic, 1);
    let text = manifest(&zone, &[("orders", &topic, "WRITE")]);
    let product = Product::start_with(&[("own.yaml", &text)], |port, _| {
        format!(
            "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
             clusters: {{default: {{bootstrapServers: \"{}\", isolation: principal, properties: {{security.protocol: SASL_PLAINTEXT, \
             sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}}}}}\n\
             masterKey: a key of this test, thirty-two bytes and more\nstore: memory\n",
            cluster.sasl_bootstrap(),
            ADMIN.user,
            ADMIN.password,
        )
    });
    product.wait_for_status(&zone, "READY");
    let is_shut = |lock: &Value| lock["type"] == "SecondLock" && lock["reason"] == "OwnPrincipal";
    let has_asked = |zone: &Value| zone["status"]["conditions"].as_array().unwrap().iter().any(is_shut);
    product.wait_for_zone(&zone, |zone| zone.is_some_and(has_asked));
    let connection = product.partner(&zone).connection();
    let produced = |timeout: &str| {
        Client::Librdkafka
            .run(&connection, &["produce", "--topic", "orders", "--value", "x", "--timeout", timeout])
            .acked()
            .len()
    };
    assert_eq!(produced("20000"), 1);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut admin = admin(cluster).await;
        let ours: Vec<Acl> = of_zone(&mut admin, &zone).await;
        assert!(!ours.is_empty());
        let all = [AclDeletion::AllAllowed { principal: ours[0].principal.clone(), about: ours.len() }];
        admin.delete_acls(&all).await.unwrap().remove(0).unwrap();
        let started = Instant::now();
        // Each broker learns of them in its own time, and a producer that is refused once has had it.
        for broker in admin.brokers().await.unwrap() {
            let mut admin = Admin::connect(&broker, &security(ADMIN), WITHIN).await.unwrap();
            while of_zone(&mut admin, &zone).await != ours {
                assert!(started.elapsed() < WITHIN, "{broker}: {}", product.transcript());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    assert_eq!(produced("20000"), 1);
}

async fn of_zone(admin: &mut Admin, zone: &str) -> Vec<Acl> {
    let principal = format!("User:partner-zones.{zone}");
    admin.acls().await.unwrap().into_iter().filter(|acl| *acl.principal == *principal).collect()
}
