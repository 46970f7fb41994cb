//! The oracle: request by request, what the gateway answers is what a real broker with real ACLs says to a principal that
//! has the zone's rights.
//!
//! Both sides are asked the same, at the lowest and the highest version of every API that the gateway serves: with names
//! that are allowed, allowed for less, forbidden and unknown. The zone's aliases are the topics' own names here, so that the
//! answers can be equal to the letter; whatever may differ has a line with its reason. The gateway itself stands
//! in front of the broker as a super user: what is refused, it refuses.

mod data;
mod groups;
mod refused;
mod side;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::{ApiVersionsRequest, CreateAclsRequest};
use kafka_protocol::protocol::Request;

use self::side::Side;
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, GATEWAY};

/// READ and WRITE.
const ORDERS: &str = "orders";
/// READ only.
const READABLE: &str = "readable";
/// WRITE without READ.
const PRODUCED: &str = "produced";
/// Exists, and is not shared.
const HIDDEN: &str = "hidden";
const NOWHERE: &str = "nowhere";

/// A field whose value may differ, and why.
type Allowed = (&'static str, &'static str);

const EVERYWHERE: [Allowed; 6] = [
    ("throttle_time_ms", "quotas are each principal's own"),
    ("error_message", "a broker's words may hold real names, so they are dropped"),
    ("host", "the gateway's address stands for the broker's"),
    ("port", "the gateway's address stands for the broker's"),
    ("cluster_id", "a zone is a cluster of its own"),
    ("client_host", "the broker sees the gateway's host, which is nobody's business"),
];

/// What is served and not compared here.
/// Telemetry (71, 72) is not advertised in front of these brokers, which have no metrics receiver.
const NOT_COMPARED: [(i16, &str); 3] = [
    (17, "a login is this gateway's own; compared by the clients' tests"),
    (18, "names what is served; proven by its own tests"),
    (36, "a login is this gateway's own; compared by the clients' tests"),
];

struct Oracle {
    /// The broker first, then the gateway.
    sides: [Side; 2],
    served: BTreeMap<i16, (i16, i16)>,
    asked: BTreeSet<i16>,
    findings: String,
}

impl Oracle {
    fn serves(&self, key: i16) -> bool {
        self.served.contains_key(&key)
    }

    /// Asks both sides for everything that `build` gives, at the lowest and the highest version, and compares the answers
    /// once `tidy` has put in order what comes in none.
    fn compare<R: Request<Response: Debug> + Debug>(
        &mut self,
        allowed: &[Allowed],
        build: impl Fn(i16, &mut Side) -> Vec<R>,
        tidy: impl Fn(&mut R::Response),
    ) {
        let Some(&(first, last)) = self.served.get(&R::KEY) else {
            writeln!(self.findings, "key {} is not served", R::KEY).unwrap();
            return;
        };
        self.asked.insert(R::KEY);
        // Advertised for the sake of librdkafka, served by nobody.
        let first = if R::KEY == 0 { 3 } else { first };
        for version in BTreeSet::from([first, last]) {
            let [broker, gateway] = &mut self.sides;
            let requests: Vec<_> = build(version, broker).into_iter().zip(build(version, gateway)).collect();
            assert!(!requests.is_empty());
            for (to_broker, to_gateway) in requests {
                let asked = format!("{to_gateway:?}");
                let [theirs, ours] =
                    [(&mut *broker, to_broker), (&mut *gateway, to_gateway)].map(|(side, request)| {
                        let mut answer = side.ask(&request, version);
                        tidy(&mut answer);
                        let fields = allowed.iter().chain(&EVERYWHERE).map(|(field, _)| *field);
                        side.plain(&format!("{answer:?}"), fields)
                    });
                if theirs != ours {
                    let same =
                        theirs.chars().zip(ours.chars()).take_while(|(one, other)| one == other).count();
                    let tail = |text: &str| {
                        text.chars().skip(same.saturating_sub(200)).take(600).collect::<String>()
                    };
                    let (theirs, ours) = (tail(&theirs), tail(&ours));
                    let context = format!("key {} v{version}: {asked}", R::KEY);
                    write!(self.findings, "\n{context}\n  broker:  … {theirs}\n  gateway: … {ours}\n")
                        .unwrap();
                }
            }
        }
    }
}

/// Rights of the broker's principal: (kind, name, pattern, operations, permission). The groups and transactions of the zone are
/// on the same broker; this principal must not see them.
const RIGHTS: [(i8, &str, i8, &[i8], i8); 9] = [
    (TOPIC, ORDERS, LITERAL, &[READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS], ALLOW),
    (TOPIC, READABLE, LITERAL, &[READ, DESCRIBE, DESCRIBE_CONFIGS], ALLOW),
    (TOPIC, PRODUCED, LITERAL, &[WRITE, DESCRIBE, DESCRIBE_CONFIGS], ALLOW),
    (GROUP, "*", LITERAL, &[READ, DESCRIBE, DELETE], ALLOW),
    (GROUP, "acme:", PREFIXED, &[ALL], DENY),
    (GROUP, "warm-", PREFIXED, &[ALL], DENY),
    (TRANSACTIONAL_ID, "*", LITERAL, &[WRITE, DESCRIBE], ALLOW),
    (TRANSACTIONAL_ID, "acme:", PREFIXED, &[ALL], DENY),
    (TRANSACTIONAL_ID, "warm-", PREFIXED, &[ALL], DENY),
];
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const TRANSACTIONAL_ID: i8 = 5;
const ALL: i8 = 2;
const READ: i8 = 3;
const WRITE: i8 = 4;
const DELETE: i8 = 6;
const DESCRIBE: i8 = 8;
const DESCRIBE_CONFIGS: i8 = 10;

fn grant(cluster: &Cluster) {
    let right =
        |&(kind, name, pattern, operations, permission): &(i8, &'static str, i8, &'static [i8], i8)| {
            operations.iter().map(move |&operation| {
                AclCreation::default()
                    .with_resource_type(kind)
                    .with_resource_name(name.into())
                    .with_resource_pattern_type(pattern)
                    .with_principal(format!("User:{}", GATEWAY.user).into())
                    .with_host("*".into())
                    .with_operation(operation)
                    .with_permission_type(permission)
            })
        };
    let request = CreateAclsRequest::default().with_creations(RIGHTS.iter().flat_map(right).collect());
    let answer = Side::open(cluster.bootstrap()).ask(&request, 3);
    assert!(answer.results.iter().all(|result| result.error_code == 0), "{answer:?}");
}

#[test]
fn the_gateway_answers_like_a_broker_with_acls_in_every_api_it_serves() {
    let cluster = Cluster::private(1);
    for topic in [ORDERS, READABLE, PRODUCED, HIDDEN] {
        cluster.create_topic(topic, 1);
    }
    grant(&cluster);
    Side::open(cluster.bootstrap()).await_coordinators();
    let gateway = InProcess::start(&cluster);
    let topics = [(ORDERS, "WRITE"), (READABLE, "READ"), (PRODUCED, "PRODUCE")];
    gateway.serve([zone("acme", &topics.map(|(topic, permission)| (topic, topic, permission)))]);
    let mut direct = Side::log_in(cluster.sasl_bootstrap(), GATEWAY.user, GATEWAY.password);
    let mut through = Side::log_in(&gateway.bootstrap(), "acme", SECRET);
    let served = through.ask(&ApiVersionsRequest::default(), 0).api_keys;
    let served = served.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
    direct.learn_ids();
    through.learn_ids();
    let (asked, findings) = (BTreeSet::new(), String::new());
    let mut oracle = Oracle { sides: [direct, through], served, asked, findings };
    data::compare(&mut oracle);
    groups::compare(&mut oracle);
    transactions::compare(&mut oracle);
    refused::compare(&mut oracle);
    assert!(oracle.findings.is_empty(), "{}", oracle.findings);
    let skipped = NOT_COMPARED.iter().map(|(key, _)| *key);
    let compared: BTreeSet<i16> = oracle.asked.iter().copied().chain(skipped).collect();
    assert_eq!(oracle.served.keys().copied().collect::<BTreeSet<_>>(), compared, "every API is compared");
}
