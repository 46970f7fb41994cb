//! Asks one cluster where the windows of its topics begin, again and again as they move.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ClusterStarts, Starts};
use crate::gateway::view::GatewayView;
use crate::kafka::offsets::{Answer, OffsetReader, Offsets};
use crate::zone::{ClusterName, TopicName};

/// A window is asked for again when it has moved by a thousandth of its length, in these bounds. A new partition can be read no
/// later than that.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(30);
const PARTS: u32 = 1000;
/// After an answer that is not complete.
const AGAIN: Duration = Duration::from_secs(1);

/// A topic, and how old its records may be.
type Key = (TopicName, Duration);

/// What is known of a window.
#[derive(Debug)]
struct Known {
    topic_id: Option<Uuid>,
    offsets: Arc<BTreeMap<i32, i64>>,
}

/// Follows the windows of one cluster's topics.
pub(crate) struct Follower {
    pub(crate) cluster: ClusterName,
    pub(crate) reader: OffsetReader,
    pub(crate) views: watch::Receiver<Arc<GatewayView>>,
    pub(crate) published: Arc<watch::Sender<Arc<Starts>>>,
}

impl Follower {
    /// Runs until cancelled.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        let mut known: HashMap<Key, Known> = HashMap::new();
        let mut due: BTreeMap<Key, Instant> = BTreeMap::new();
        loop {
            let wanted = self.views.borrow_and_update().windows_on(&self.cluster);
            let before = known.len();
            known.retain(|key, _| wanted.contains(key));
            due.retain(|key, _| wanted.contains(key));
            let now = Instant::now();
            for key in wanted {
                due.entry(key).or_insert(now);
            }
            let ready: BTreeSet<Key> =
                due.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
            if !ready.is_empty() {
                let complete = self.ask(&ready, &mut known).await;
                for key in ready {
                    let pause = if complete.contains(&key) { interval(key.1) } else { AGAIN };
                    due.insert(key, Instant::now() + pause);
                }
                self.publish(&known);
            } else if before != known.len() {
                self.publish(&known);
            }
            let next = due.values().min().copied();
            let pause = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                changed = self.views.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Asks for each age once, and says for which windows every partition has answered.
    async fn ask(&mut self, ready: &BTreeSet<Key>, known: &mut HashMap<Key, Known>) -> BTreeSet<Key> {
        let mut complete = BTreeSet::new();
        let ages: BTreeSet<Duration> = ready.iter().map(|(_, age)| *age).collect();
        for age in ages {
            let of_age = || ready.iter().filter(|(_, of)| *of == age);
            let topics = of_age().map(|(topic, _)| topic.to_string()).collect();
            let mut answers = match self
                .reader
                .first_since(&topics, oldest(OffsetDateTime::now_utc(), age))
                .await
            {
                Ok(answers) => answers,
                Err(error) => {
                    let cluster = &self.cluster;
                    tracing::warn!(
                        %cluster, %error,
                        "the cluster does not say where replay windows begin; those that are known stand still, the others stay shut"
                    );
                    return complete;
                }
            };
            for key in of_age() {
                let Some(Answer::Known(offsets)) = answers.remove(key.0.as_str()) else { continue };
                if offsets.all().is_some() {
                    complete.insert(key.clone());
                }
                let before = known.remove(key);
                known.insert(key.clone(), Known::after(before, offsets));
            }
        }
        complete
    }

    fn publish(&self, known: &HashMap<Key, Known>) {
        let mut starts = ClusterStarts::default();
        for ((topic, age), known) in known {
            starts.0.entry(topic.clone()).or_default().insert(*age, Arc::clone(&known.offsets));
        }
        self.published.send_if_modified(|published| {
            let is_news = published.clusters.get(&self.cluster).is_none_or(|before| **before != starts);
            if is_news {
                *published = Arc::new(published.with(&self.cluster, starts));
            }
            is_news
        });
    }
}

impl Known {
    /// A window only moves on, though its records' times may not be in order. A topic that was made anew begins anew.
    fn after(before: Option<Self>, now: Offsets) -> Self {
        let Offsets { topic_id, of: mut offsets, .. } = now;
        if let Some(before) = before.filter(|before| before.topic_id == topic_id) {
            for (&partition, &offset) in &*before.offsets {
                // One whose leader does not answer stays where it was.
                let now = offsets.entry(partition).or_insert(offset);
                *now = (*now).max(offset);
            }
        }
        Self { topic_id, offsets: Arc::new(offsets) }
    }
}

fn interval(age: Duration) -> Duration {
    (age / PARTS).clamp(SOONEST, LATEST)
}

/// The time of the oldest record of this age, as Kafka writes it: in milliseconds since 1970.
fn oldest(now: OffsetDateTime, age: Duration) -> i64 {
    let now = now.unix_timestamp_nanos() / 1_000_000;
    let age = i128::try_from(age.as_millis()).unwrap_or(i128::MAX);
    i64::try_from(now.saturating_sub(age).max(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(id: u128, of: &[(i32, i64)]) -> Offsets {
        Offsets {
            topic_id: Some(Uuid::from_u128(id)),
            partitions: of.len(),
            of: of.iter().copied().collect(),
        }
    }

    #[test]
    fn a_window_only_moves_on_unless_the_topic_is_another_one() {
        let first = Known::after(None, offsets(1, &[(0, 10), (1, 20)]));
        let second = Known::after(Some(first), offsets(1, &[(0, 9), (2, 5)]));
        assert_eq!(*second.offsets, [(0, 10), (1, 20), (2, 5)].into());
        let anew = Known::after(Some(second), offsets(2, &[(0, 0)]));
        assert_eq!(*anew.offsets, [(0, 0)].into());
    }

    #[test]
    fn the_oldest_record_of_a_window_is_its_age_before_now() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        assert_eq!(oldest(now, Duration::from_millis(1)), 999_999);
        assert_eq!(oldest(now, Duration::MAX), 0);
        assert_eq!(interval(Duration::from_mins(1)), SOONEST);
        assert_eq!(interval(Duration::from_hours(1)), Duration::from_millis(3600));
        assert_eq!(interval(Duration::from_hours(24 * 7)), LATEST);
    }
}
