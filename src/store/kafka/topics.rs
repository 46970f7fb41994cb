//! The four topics: made by a controller, checked by everyone.
//!
//! A state topic that some client auto-created with time retention would evaporate: such a topic is refused, never repaired,
//! since it may belong to somebody else.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::{Instant, sleep};

use super::connection::{Connection, Reports};
use super::{Names, Role};
use crate::store::StoreError;

/// What making the topics, and waiting until they have a leader, may take.
const SETUP: Duration = Duration::from_secs(30);
/// What one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// Between two looks at something that is about to change.
const PAUSE: Duration = Duration::from_millis(200);
const DEFAULT_REPLICATION: usize = 3;

/// How a topic of ours must be. All have one partition.
struct Form<'a> {
    name: &'a str,
    /// Checked at every start.
    required: &'static [(&'static str, &'static str)],
    /// Set when we make the topic; the operator's to change.
    initial: &'static [(&'static str, &'static str)],
}

fn forms(names: &Names) -> [Form<'_>; 4] {
    [
        Form {
            name: &names.state,
            required: &[("cleanup.policy", "compact")],
            // Leases are renewed for ever: without short segments a new reader would read a week of them.
            initial: &[
                ("segment.ms", "3600000"),
                ("min.cleanable.dirty.ratio", "0.1"),
                ("max.message.bytes", "4194304"),
                ("unclean.leader.election.enable", "false"),
            ],
        },
        Form {
            name: &names.status,
            required: &[("cleanup.policy", "delete"), ("retention.ms", "3600000")],
            initial: &[("segment.ms", "600000")],
        },
        Form {
            name: &names.audit,
            required: &[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")],
            initial: &[("unclean.leader.election.enable", "false")],
        },
        Form {
            name: &names.usage,
            required: &[("cleanup.policy", "compact")],
            // Every node that counts writes all the time, and every node reads all of it when it starts.
            initial: &[
                ("segment.ms", "3600000"),
                ("min.cleanable.dirty.ratio", "0.1"),
                ("max.message.bytes", "2097152"),
                ("unclean.leader.election.enable", "false"),
            ],
        },
    ]
}

/// Makes all topics but the state's again if they are missing, and sets them right if somebody else has made them: brokers
/// that create topics by themselves do so at the next heartbeat. They were checked when this process started, so they are ours.
pub(super) async fn mend(
    admin: &AdminClient<Reports>,
    connection: &Connection,
    names: &Names,
    replication: Option<u16>,
) -> Result<(), StoreError> {
    let reports = Reports::clone(admin.inner().context());
    let [_, others @ ..] = forms(names);
    for form in others {
        match described(admin, form.name).await {
            Ok(settings) if check_settings(&form, &settings).is_ok() => {}
            Ok(settings) => {
                tracing::error!(
                    topic = form.name,
                    "a topic of the store is not as it must be; it is set right"
                );
                set(admin, &form, &settings).await?;
            }
            Err(error) if is_unknown(&error) => {
                tracing::error!(
                    topic = form.name,
                    "a topic of the store is gone, with what was in it; it is made again"
                );
                let reader = connection.reader(&names.reader_group, reports.clone())?;
                let observer = Observer { reader, reports: reports.clone() };
                let (_, cluster) = observer.look(names).await?;
                create(admin, &[&form], replication, cluster.brokers).await?;
            }
            Err(error) => return Err(reports.unreachable("looking after the store's topics", &error)),
        }
    }
    Ok(())
}

/// Beside what the topic is set to otherwise.
async fn set(
    admin: &AdminClient<Reports>,
    form: &Form<'_>,
    settings: &ConfigResource,
) -> Result<(), StoreError> {
    let own = settings.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
    let own = own.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)));
    let entries: HashMap<&str, &str> = own.chain(form.required.iter().copied()).collect();
    let config = AlterConfig { specifier: ResourceSpecifier::Topic(form.name), entries };
    let options = AdminOptions::new().request_timeout(Some(REQUEST));
    let altered = admin.alter_configs([&config], &options).await;
    match altered.map(|mut all| all.pop()) {
        Ok(Some(Err((_, code)))) => {
            Err(StoreError::Unreachable(format!("topic `{}` cannot be set right: {code}", form.name)))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(admin.inner().context().unreachable("setting a topic right", &error)),
    }
}

/// Makes what is missing, where the role may, and checks all; gives the home cluster's id.
pub(super) async fn prepare(
    connection: &Connection,
    names: &Names,
    replication: Option<u16>,
    role: Role,
) -> Result<String, StoreError> {
    let reports = Reports::default();
    let admin: AdminClient<Reports> = connection.client(&[], reports.clone())?;
    let observer = Observer { reader: connection.reader(&names.reader_group, reports.clone())?, reports };
    let (observer, mut cluster) = observer.look(names).await?;
    // Gateways are upgraded before the controllers that make what is new: none needs the usage topic to serve partners.
    let is_needed = |form: &Form<'_>| role != Role::Gateway || form.name != names.usage;
    let forms: Vec<_> = forms(names).into_iter().filter(is_needed).collect();
    let missing: Vec<&Form<'_>> = forms.iter().filter(|form| cluster.topic(form.name).is_none()).collect();
    if let Some(form) = missing.first() {
        match role {
            Role::Gateway => return Err(StoreError::NotSetUp(form.name.to_owned())),
            Role::Controller | Role::Restorer => {
                create(&admin, &missing, replication, cluster.brokers).await?;
            }
        }
        cluster = observer.await_leaders(names).await?;
    }
    for form in &forms {
        let topic = cluster.topic(form.name).ok_or_else(|| StoreError::NotSetUp(form.name.to_owned()))?;
        check_copies(topic, replication, cluster.brokers)?;
        check_settings(form, &settings(&admin, form.name).await?)?;
    }
    Ok(cluster.id)
}

async fn create(
    admin: &AdminClient<Reports>,
    missing: &[&Form<'_>],
    replication: Option<u16>,
    brokers: usize,
) -> Result<(), StoreError> {
    let copies = replication.map_or(DEFAULT_REPLICATION.min(brokers), usize::from);
    let factor = i32::try_from(copies).unwrap_or(i32::MAX);
    // With three copies a write survives any one broker; with fewer, this would stop all writes with one broker.
    let in_sync = if copies >= DEFAULT_REPLICATION { "2" } else { "1" };
    let topics = missing.iter().map(|form| {
        let topic = NewTopic::new(form.name, 1, TopicReplication::Fixed(factor));
        form.required
            .iter()
            .chain(form.initial)
            .fold(topic, |topic, (key, value)| topic.set(key, value))
            .set("min.insync.replicas", in_sync)
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST));
    let results = admin
        .create_topics(&topics, &options)
        .await
        .map_err(|error| admin.inner().context().unreachable("creating the store's topics", &error))?;
    for result in results {
        match result {
            Ok(name) => tracing::info!(topic = name, copies, "created a topic of the store"),
            // Another controller was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(StoreError::Unreachable(format!("topic `{name}` cannot be created: {code}")));
            }
        }
    }
    Ok(())
}

/// What metadata says of the cluster.
struct Cluster {
    id: String,
    brokers: usize,
    topics: Vec<Topic>,
}

struct Topic {
    name: String,
    /// Copies of each partition; 0 where a partition has no leader yet.
    copies: Vec<usize>,
}

impl Topic {
    fn new(topic: &MetadataTopic) -> Self {
        let copies = |p: &rdkafka::metadata::MetadataPartition| {
            if p.leader() < 0 { 0 } else { p.replicas().len() }
        };
        Self { name: topic.name().to_owned(), copies: topic.partitions().iter().map(copies).collect() }
    }
}

impl Cluster {
    fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }
}

/// Reads metadata as a consumer and of all topics at once: asking for a single one may create it.
struct Observer {
    reader: BaseConsumer<Reports>,
    reports: Reports,
}

impl Observer {
    async fn look(self, names: &Names) -> Result<(Self, Cluster), StoreError> {
        let ours = names.topics().map(str::to_owned);
        let looked = tokio::task::spawn_blocking(move || {
            let metadata = self.reader.fetch_metadata(None, REQUEST).map_err(|error| {
                // The client tells its reasons to whoever polls.
                drop(self.reader.poll(PAUSE));
                self.reports.unreachable("reading the cluster's metadata", &error)
            })?;
            let id = self.reader.client().fetch_cluster_id(REQUEST).ok_or_else(|| {
                StoreError::Unreachable("the brokers do not say which cluster they are".to_owned())
            })?;
            let topics =
                metadata.topics().iter().filter(|t| ours.iter().any(|name| name == t.name())).map(Topic::new);
            let cluster = Cluster { id, brokers: metadata.brokers().len(), topics: topics.collect() };
            Ok((self, cluster))
        });
        looked.await.map_err(|error| StoreError::Unreachable(error.to_string()))?
    }

    async fn await_leaders(mut self, names: &Names) -> Result<Cluster, StoreError> {
        let deadline = Instant::now() + SETUP;
        loop {
            let cluster;
            (self, cluster) = self.look(names).await?;
            let led = |topic: &Topic| !topic.copies.is_empty() && !topic.copies.contains(&0);
            if cluster.topics.len() == names.topics().len() && cluster.topics.iter().all(led) {
                return Ok(cluster);
            }
            if Instant::now() >= deadline {
                let text = "the store's new topics have no leader yet; look at the brokers and start again";
                return Err(StoreError::Unreachable(text.to_owned()));
            }
            sleep(PAUSE).await;
        }
    }
}

fn check_copies(topic: &Topic, replication: Option<u16>, brokers: usize) -> Result<(), StoreError> {
    let name = &topic.name;
    let [copies] = topic.copies.as_slice() else {
        let text = format!("topic `{name}` has {} partitions and must have 1", topic.copies.len());
        return Err(StoreError::Unfit(text));
    };
    match replication.map(usize::from) {
        // A partition without a leader at this moment says nothing about its copies.
        Some(wanted) if *copies != 0 && *copies < wanted => Err(StoreError::Unfit(format!(
            "topic `{name}` has {copies} copies and `stateReplicationFactor` is {wanted}; reassign its partition"
        ))),
        None if *copies != 0 && *copies < DEFAULT_REPLICATION.min(brokers) => {
            tracing::warn!(topic = name, copies, brokers, "a topic of the store has few copies; reassign it");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_settings(form: &Form<'_>, settings: &ConfigResource) -> Result<(), StoreError> {
    for (key, wanted) in form.required {
        let found = settings.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or("unknown");
        if found != *wanted {
            return Err(StoreError::Unfit(format!(
                "topic `{}` has {key}={found} and must have {key}={wanted}; if it is ours, correct it with \
                 `kafka-configs --alter --topic {0} --add-config {key}={wanted}`",
                form.name
            )));
        }
    }
    Ok(())
}

async fn settings(admin: &AdminClient<Reports>, topic: &str) -> Result<ConfigResource, StoreError> {
    let deadline = Instant::now() + SETUP;
    loop {
        let error = match described(admin, topic).await {
            Ok(settings) => return Ok(settings),
            Err(error) => error,
        };
        if !is_unknown(&error) || Instant::now() >= deadline {
            let what = format!("reading the settings of topic `{topic}`");
            return Err(admin.inner().context().unreachable(&what, &error));
        }
        sleep(PAUSE).await;
    }
}

async fn described(admin: &AdminClient<Reports>, topic: &str) -> Result<ConfigResource, KafkaError> {
    let options = AdminOptions::new().request_timeout(Some(REQUEST));
    let mut described = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await?;
    match described.pop() {
        Some(Ok(settings)) if !settings.entries.is_empty() => Ok(settings),
        // A broker that has not heard of a new topic yet says so, or says nothing.
        Some(Ok(_)) | None => Err(KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition)),
        Some(Err(code)) => Err(KafkaError::AdminOp(code)),
    }
}

fn is_unknown(error: &KafkaError) -> bool {
    matches!(error, KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition))
}
