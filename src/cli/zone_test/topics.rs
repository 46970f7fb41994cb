//! Behind the login: what is there, where it is, and the first record of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::timeout;

use super::connect;
use super::login::{Origin, Setup, Zone, host_and_port};
use super::report::{Report, What};
use super::words::Trouble;
use crate::cli::Failure;
use crate::kafka::admin::Operation as KafkaOperation;
use crate::kafka::client::Connection;
use crate::kafka::probe::{self, Cluster, Fetched, Range, Topic};
use crate::zone::{Operation, Permission, SharedTopic, format_duration};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const AUTHORIZATION_FAILED: [i16; 3] = [29, 30, 31];
/// Between two questions of the same.
const AGAIN: Duration = Duration::from_millis(200);

/// The brokers that Metadata names.
struct Brokers {
    addresses: BTreeMap<i32, String>,
    /// To those that could be reached. One that a failed request has spoilt is opened again for the next.
    connections: BTreeMap<i32, Option<Connection>>,
}

/// Tries every alias of the zone.
pub(super) async fn try_all(
    report: &mut Report,
    zone: &Zone,
    setup: &Setup,
    connected: Option<Connection>,
    within: Duration,
) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    let (over, shared): (Vec<_>, Vec<_>) = zone.written.topics.iter().partition(|topic| topic.is_over(now));
    for topic in over {
        report.skip(What::Topic, topic.alias.as_str(), "not shared any more (deprecated.until)")?;
    }
    let Some(mut connection) = connected else {
        return skip_all(report, &shared, "nobody is logged in", true);
    };
    let aliases: Vec<&str> = shared.iter().map(|topic| topic.alias.as_str()).collect();
    let asked = report.step(What::Metadata, "", metadata(&mut connection, &aliases)).await?;
    let Some(Cluster { brokers, topics }) = asked else {
        return skip_all(report, &shared, "metadata failed", false);
    };
    let mut brokers = Brokers { addresses: brokers, connections: BTreeMap::new() };
    for (id, address) in brokers.addresses.clone() {
        let subject = format!("{id} at {address}");
        let opened = report.step(What::Broker, &subject, broker(&address, setup, within)).await?;
        if let Some(connection) = opened {
            brokers.connections.insert(id, Some(connection));
        }
    }
    // Asked once: it is about no topic in particular.
    let mut producer = None;
    for topic in shared {
        let alias = topic.alias.as_str();
        let behind = zone.behind(topic);
        let found = async { there(topic, &behind, topics.get(alias)) };
        let Some(seen) = report.step(What::Topic, alias, found).await? else {
            skip(report, topic, "the topic is not as it should be")?;
            continue;
        };
        if topic.permission.allows(Operation::Read) {
            fetch(report, alias, seen, &mut brokers, setup, within).await?;
        }
        if topic.permission.allows(Operation::Write) {
            report.step(What::Produce, alias, produce(seen, &mut connection, &mut producer, within)).await?;
        }
    }
    Ok(())
}

fn skip_all(report: &mut Report, shared: &[&SharedTopic], why: &str, metadata: bool) -> Result<(), Failure> {
    if metadata {
        report.skip(What::Metadata, "", why)?;
    }
    for topic in shared {
        report.skip(What::Topic, topic.alias.as_str(), why)?;
        skip(report, topic, why)?;
    }
    Ok(())
}

/// What is done with a topic that is there.
fn skip(report: &mut Report, topic: &SharedTopic, why: &str) -> Result<(), Failure> {
    let alias = topic.alias.as_str();
    if topic.permission.allows(Operation::Read) {
        report.skip(What::Fetch, alias, why)?;
    }
    if topic.permission.allows(Operation::Write) {
        report.skip(What::Produce, alias, why)?;
    }
    Ok(())
}

async fn metadata(connection: &mut Connection, aliases: &[&str]) -> Result<(Cluster, String), Trouble> {
    let cluster = probe::metadata(connection, aliases).await.map_err(|error| Trouble::of_request(&error))?;
    if cluster.brokers.is_empty() {
        return Err(Trouble::new(
            "no broker is named",
            "the gateway sees no broker of its cluster: look at its log and at clusters.*.bootstrapServers",
        ));
    }
    let (brokers, topics) = (cluster.brokers.len(), cluster.topics.len());
    let seen = format!("{brokers} broker(s), {topics} alias(es)");
    Ok((cluster, seen))
}

async fn broker(address: &str, setup: &Setup, within: Duration) -> Result<(Connection, String), Trouble> {
    if let Some((host, port)) = host_and_port(address) {
        connect::resolved(host, port, Origin::Gateways, within).await?;
    }
    let opened = connect::open(address, setup, within).await;
    let connection = opened.map_err(|error| Trouble::of_broker(&error, setup))?;
    Ok((connection, "reached and logged in".to_owned()))
}

/// What is told of an alias, if it is whole.
fn there<'a>(
    topic: &SharedTopic,
    behind: &str,
    seen: Option<&'a Topic>,
) -> Result<(&'a Topic, String), Trouble> {
    let not_yet = "the gateway does not serve this alias (yet): `get nodes` says which state each one serves, `get zone NAME` what \
                   is wrong with the zone";
    let Some(seen) = seen else { return Err(Trouble::new("the gateway says nothing of it", not_yet)) };
    let partitions = seen.partitions.len();
    match seen.error {
        0 => {}
        UNKNOWN_TOPIC_OR_PARTITION => {
            return Err(Trouble::new(
                "it does not exist (UNKNOWN_TOPIC_OR_PARTITION)",
                format!(
                    "create {behind} on the backing cluster, or correct backingTopic; the alias works by itself then"
                ),
            ));
        }
        code if AUTHORIZATION_FAILED.contains(&code) => {
            return Err(Trouble::new(format!("it is not allowed ({})", probe::error_name(code)), not_yet));
        }
        code => {
            return Err(Trouble::new(
                probe::error_name(code),
                format!("look at {behind} on the backing cluster"),
            ));
        }
    }
    let leaderless: Vec<String> =
        seen.partitions.iter().filter(|(_, leader)| leader.is_none()).map(|(id, _)| id.to_string()).collect();
    if !leaderless.is_empty() || partitions == 0 {
        let cause = format!(
            "{} of {partitions} partitions have no leader ({})",
            leaderless.len(),
            leaderless.join(", ")
        );
        let next = format!(
            "look at the replicas of {behind} on the backing cluster; with topics[].replay a partition has no leader until its \
             window is known"
        );
        return Err(Trouble::new(cause, next));
    }
    Ok((seen, format!("{}, {partitions} partition(s), each with a leader", may(topic.permission, seen))))
}

fn may(permission: Permission, seen: &Topic) -> String {
    let told = |operation| seen.may.as_ref().is_some_and(|may| may.contains(&operation));
    match (told(KafkaOperation::Read), told(KafkaOperation::Write)) {
        (true, true) => "to read and write".to_owned(),
        (true, false) => "to read".to_owned(),
        (false, true) => "to write".to_owned(),
        (false, false) => permission.as_str().to_owned(),
    }
}

/// Reads one record, of whichever partition has one.
async fn fetch(
    report: &mut Report,
    alias: &str,
    seen: &Topic,
    brokers: &mut Brokers,
    setup: &Setup,
    within: Duration,
) -> Result<(), Failure> {
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (&partition, leader) in &seen.partitions {
        by_leader.entry(leader.unwrap_or(-1)).or_default().push(partition);
    }
    by_leader.retain(|leader, _| brokers.connections.contains_key(leader));
    if by_leader.is_empty() {
        return report.skip(What::Fetch, alias, "no leader of its partitions can be reached");
    }
    let first = async {
        let reading = first_record(alias, &by_leader, brokers, setup, within);
        let late = || Err(Trouble::new(format!("no answer within {}", format_duration(within)), SLOW));
        timeout(within, reading).await.unwrap_or_else(|_| late()).map(|seen| ((), seen))
    };
    report.step(What::Fetch, alias, first).await.map(drop)
}

const SLOW: &str = "look at the gateway's log, at spec.trafficControlPolicies of the zone, and at the brokers of its cluster";

async fn first_record(
    alias: &str,
    by_leader: &BTreeMap<i32, Vec<i32>>,
    brokers: &mut Brokers,
    setup: &Setup,
    within: Duration,
) -> Result<String, Trouble> {
    let mut marks = false;
    for (&id, partitions) in by_leader {
        let mut leader = brokers.take(id, setup, within).await?;
        let ranges = probe::ranges(&mut leader, alias, partitions).await;
        let ranges = ranges.map_err(|error| Trouble::of_request(&error))?;
        for (partition, range) in ranges {
            let Range { first, end } = range.map_err(|code| refused("its offsets are not told", code))?;
            if first >= end {
                continue;
            }
            let fetched = probe::fetch(&mut leader, alias, partition, first).await;
            match fetched.map_err(|error| Trouble::of_request(&error))? {
                Fetched::Record(bytes) => {
                    brokers.connections.insert(id, Some(leader));
                    let at = format!("partition {partition} (offsets {first} to {})", end.saturating_sub(1));
                    return Ok(format!("a record of {bytes} bytes from {at}"));
                }
                Fetched::Marks | Fetched::Nothing => marks = true,
                Fetched::Refused(code) => return Err(refused("the fetch is refused", code)),
                Fetched::Unreadable(error) => {
                    return Err(Trouble::new(
                        format!("what comes of partition {partition} cannot be read: {error}"),
                        "read the backing topic directly: if that fails too, it is damaged",
                    ));
                }
            }
        }
        brokers.connections.insert(id, Some(leader));
    }
    Ok(if marks { "no record, only marks of transactions and compaction" } else { "no records yet" }
        .to_owned())
}

impl Brokers {
    /// The connection to a broker that could be reached, opened again if the last request on it failed.
    async fn take(&mut self, id: i32, setup: &Setup, within: Duration) -> Result<Connection, Trouble> {
        if let Some(connection) = self.connections.get_mut(&id).and_then(Option::take) {
            return Ok(connection);
        }
        let address = self.addresses.get(&id).map(String::as_str).unwrap_or_default();
        connect::open(address, setup, within).await.map_err(|error| Trouble::of_broker(&error, setup))
    }
}

fn refused(what: &str, code: i16) -> Trouble {
    let next = if AUTHORIZATION_FAILED.contains(&code) {
        "the gateway's own login lacks a right on the backing topic (READ, DESCRIBE), or the zone was changed a moment ago: `get zone \
         NAME` has the condition of its principal"
    } else {
        "look at the gateway's log and at the brokers of the cluster"
    };
    Trouble::new(format!("{what}: {}", probe::error_name(code)), next)
}

/// What can be known of a topic to write to without writing.
async fn produce(
    seen: &Topic,
    connection: &mut Connection,
    producer: &mut Option<Result<(), Trouble>>,
    within: Duration,
) -> Result<((), String), Trouble> {
    if seen.may.as_ref().is_some_and(|may| !may.contains(&KafkaOperation::Write)) {
        return Err(Trouble::new(
            "the gateway does not allow writing",
            "it does not serve the zone's permissions of now: `get nodes` says which state each one serves",
        ));
    }
    if producer.is_none() {
        *producer = Some(identity(connection, within).await);
    }
    match producer {
        Some(Err(trouble)) => Err(trouble.clone()),
        _ => Ok(((), "allowed, and a producer gets its identity; nothing was written".to_owned())),
    }
}

/// Asks for a producer's identity, again and again while the answer is one that clients wait out too.
async fn identity(connection: &mut Connection, within: Duration) -> Result<(), Trouble> {
    let started = Instant::now();
    loop {
        match probe::producer_id(connection).await.map_err(|error| Trouble::of_request(&error))? {
            Ok(()) => return Ok(()),
            Err(code) if probe::is_passing(code) && started.elapsed() + AGAIN < within => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(code) => return Err(refused("an idempotent producer gets no identity", code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(permission: Permission) -> SharedTopic {
        crate::zone::sample::topic("orders", "eu.orders", permission)
    }

    fn seen(error: i16, partitions: &[(i32, Option<i32>)], may: &[KafkaOperation]) -> Topic {
        Topic {
            error,
            partitions: partitions.iter().copied().collect(),
            may: Some(may.iter().copied().collect()),
        }
    }

    #[test]
    fn an_alias_is_there_with_all_its_leaders_or_the_next_step_is_said() {
        use KafkaOperation::{Read, Write};
        let topic = topic(Permission::Write);
        let told = |it: Option<&Topic>| there(&topic, "`eu.orders`", it).map(|(_, seen)| seen);
        let both = [(0, Some(1)), (1, Some(2))];
        let whole = told(Some(&seen(0, &both, &[Read, Write])));
        assert_eq!(whole, Ok("to read and write, 2 partition(s), each with a leader".to_owned()));
        let missing = told(Some(&seen(3, &[], &[]))).unwrap_err();
        assert!(missing.cause.contains("UNKNOWN_TOPIC") && missing.next.contains(topic.backing.as_str()));
        let half = told(Some(&seen(0, &[(0, Some(1)), (1, None)], &[]))).unwrap_err();
        assert!(half.cause.contains("1 of 2 partitions have no leader (1)"), "{half:?}");
        assert!(told(Some(&seen(29, &[], &[]))).unwrap_err().cause.contains("TOPIC_AUTHORIZATION_FAILED"));
        assert!(told(Some(&seen(0, &[], &[]))).is_err(), "no partition is no topic");
        assert!(told(None).is_err());
    }
}
