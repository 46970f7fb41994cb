//! Who should lead: the member of the leader group that owns the state topic's partition.
//!
//! This is for liveness alone: the group notices that a leader died. Safety is the [writer](super::writer)'s.

use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Names;
use super::connection::{Connection, POLL, Reports};
use super::reader::Asked;
use super::time_of_day::TimeOfDay;
use crate::store::StoreError;

/// Whether this process should try to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidacy {
    Candidate,
    Bystander,
}

/// Who else might lead.
#[derive(Debug)]
pub(super) enum Rivals {
    /// The other members of the leader group; this process is out of it until then.
    Group(watch::Sender<Instant>),
    /// Nobody is asked. The sender says so for as long as it lives.
    NoMatter { _candidacy: watch::Sender<Candidacy> },
}

impl Rivals {
    /// Takes this process out of the election for a while, so that the group gives the leadership to another one.
    pub(super) fn let_others(&self, time: Duration) {
        if let Self::Group(back_at) = self {
            back_at.send_replace(Instant::now() + time);
        }
    }
}

/// For a process that leads whoever else does.
pub(super) fn unopposed() -> (watch::Receiver<Candidacy>, Rivals) {
    let (sender, candidacy) = watch::channel(Candidacy::Candidate);
    (candidacy, Rivals::NoMatter { _candidacy: sender })
}

/// Joins the leader group on a thread of its own, and leaves it at `cancel`.
pub(super) fn start(
    connection: &Connection,
    names: &Names,
    session: Duration,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<(watch::Receiver<Candidacy>, Rivals), StoreError> {
    let (sender, candidacy) = watch::channel(Candidacy::Bystander);
    let (rivals, back_at) = watch::channel(Instant::now());
    let mut member = Some(join(connection, names, session, sender.clone())?);
    let (connection, names) = (connection.clone(), names.clone());
    let dropped = tracker.clone();
    tracker.spawn_blocking(move || {
        let mut time_of_day = TimeOfDay::now();
        while !cancel.is_cancelled() {
            if time_of_day.was_set_back()
                && let Some(old) = member.take()
            {
                tracing::warn!("the time of day was set back; the leader group is joined anew");
                sender.send_replace(Candidacy::Bystander);
                // It does not answer to the group any more, and may take its time to go.
                dropped.spawn_blocking(move || drop(old));
            }
            if *back_at.borrow() > Instant::now() {
                // Dropped, it leaves the group.
                if member.take().is_some() {
                    sender.send_replace(Candidacy::Bystander);
                }
                std::thread::sleep(POLL);
                continue;
            }
            let Some(consumer) = &member else {
                match join(&connection, &names, session, sender.clone()) {
                    Ok(joined) => member = Some(joined),
                    Err(error) => {
                        tracing::error!(%error, "the leader group cannot be joined");
                        std::thread::sleep(POLL);
                    }
                }
                continue;
            };
            match consumer.poll() {
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    tracing::error!(%code, "the leader group is lost; joining it anew");
                    sender.send_replace(Candidacy::Bystander);
                    member = None;
                }
                Some(Err(error)) => tracing::debug!(%error, "leader group"),
                // The partition is paused: only the membership matters.
                Some(Ok(_)) | None => {}
            }
        }
        sender.send_replace(Candidacy::Bystander);
    });
    Ok((candidacy, Rivals::Group(rivals)))
}

fn join(
    connection: &Connection,
    names: &Names,
    session: Duration,
    candidacy: watch::Sender<Candidacy>,
) -> Result<Asked<Member>, StoreError> {
    let session_ms = session.as_millis().to_string();
    let heartbeat_ms = (session / 4).as_millis().to_string();
    let ours = [
        ("group.id", names.leader_group.as_str()),
        ("session.timeout.ms", session_ms.as_str()),
        ("heartbeat.interval.ms", heartbeat_ms.as_str()),
        // With the others, each newcomer would move the leadership about.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "latest"),
        ("allow.auto.create.topics", "false"),
    ];
    let reports = Reports::default();
    let member = Member { reports: reports.clone(), candidacy };
    let consumer: BaseConsumer<Member> = connection.client(&ours, member)?;
    consumer
        .subscribe(&[&names.state])
        .map_err(|error| reports.unreachable("joining the leader group", &error))?;
    Ok(Asked::new(consumer))
}

/// Follows the rebalances of the leader group.
struct Member {
    reports: Reports,
    candidacy: watch::Sender<Candidacy>,
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.reports.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reports.error(error, reason);
    }
}

impl ConsumerContext for Member {
    /// Steps down before the partition goes to somebody else.
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) if partitions.count() == 0 => {}
            Rebalance::Revoke(_) | Rebalance::Error(_) => {
                self.candidacy.send_replace(Candidacy::Bystander);
            }
            Rebalance::Assign(_) => {}
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance
            && partitions.count() > 0
        {
            if let Err(error) = consumer.pause(partitions) {
                tracing::debug!(%error, "the leader group's partition is not paused; its records are dropped");
            }
            self.candidacy.send_replace(Candidacy::Candidate);
        }
    }
}
