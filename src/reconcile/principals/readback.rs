//! What was written on a cluster is read back on each of its brokers: they learn of it one after another, and one that does not
//! know a right yet refuses the partner, which for many producers is the end.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::clusters::{Failures, Half, Target};
use super::{Password, Seen, ZoneSteps};
use crate::kafka::admin::{Acl, Admin, AdminError};
use crate::kafka::client::UpstreamSecurity;
use crate::sasl::ScramHash;
use crate::zone::ZoneName;

/// How long what was written may take to be known everywhere. Longer than a cluster takes to miss a broker that is gone: its
/// `broker.session.timeout.ms` is 9 s.
const WITHIN: Duration = Duration::from_secs(30);
/// What a broker may take for its answer. A list of hundreds of thousands of ACLs takes seconds.
const ANSWER: Duration = Duration::from_secs(30);
/// What remains after that for a second look at a broker that was silent all the time.
const GRACE: Duration = Duration::from_secs(5);
/// Looks at a broker before it is said to be late.
const LOOKS: u32 = 2;
/// Brokers that are asked at the same time: the answer of each lists every ACL.
const AT_ONCE: usize = 32;
/// Between two looks; doubles up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Waits until every broker that lives knows what these steps wrote, and says which zones' it is that one of them still does
/// not know, or cannot be asked about.
///
/// # Errors
/// `admin`, which tells which brokers live, fails.
pub(super) async fn on_every_broker(
    admin: &mut Admin,
    security: &UpstreamSecurity,
    steps: &[&ZoneSteps],
    half: Half,
) -> Result<Failures, AdminError> {
    let look = |broker: String| {
        let security = security.clone();
        async move { Target::see(&mut Admin::connect(&broker, &security, ANSWER).await?).await }
    };
    let missing = |seen: &Seen| {
        let missing = steps.iter().filter(|step| !is_visible(seen, step, half));
        missing.map(|step| step.zone.clone()).collect()
    };
    let zones: BTreeSet<ZoneName> = steps.iter().map(|step| step.zone.clone()).collect();
    Readback { zones: &zones, missing, look, within: WITHIN, grace: GRACE }.of(admin).await
}

/// Tells which brokers live.
pub(super) trait Living {
    fn brokers(&mut self) -> impl Future<Output = Result<Vec<String>, AdminError>> + Send;
}

impl Living for Admin {
    async fn brokers(&mut self) -> Result<Vec<String>, AdminError> {
        Admin::brokers(self).await
    }
}

struct Readback<'a, M, L> {
    zones: &'a BTreeSet<ZoneName>,
    /// Of the zones those that a broker, as seen, does not know.
    missing: M,
    look: L,
    within: Duration,
    grace: Duration,
}

/// A broker, as far as it was asked.
#[derive(Default)]
struct Broker {
    looks: u32,
    is_asked: bool,
    /// Zones that it does not know, and why; nothing before its first answer.
    late: Option<Failures>,
}

impl Broker {
    fn knows(&self) -> bool {
        self.late.as_ref().is_some_and(BTreeMap::is_empty)
    }
}

impl<M, L, F> Readback<'_, M, L>
where
    M: Fn(&Seen) -> BTreeSet<ZoneName>,
    L: Fn(String) -> F,
    F: Future<Output = Result<Seen, AdminError>> + Send + 'static,
{
    async fn of(&self, cluster: &mut impl Living) -> Result<Failures, AdminError> {
        let deadline = Instant::now() + self.within;
        let end = deadline + self.grace;
        let (mut asked, mut brokers) = (JoinSet::new(), BTreeMap::<String, Broker>::new());
        let mut pause = SHORTEST_PAUSE;
        loop {
            // Asked each time: who stops meanwhile is not waited for. Who starts has caught up before it is in this list.
            let living: BTreeSet<String> = cluster.brokers().await?.into_iter().collect();
            brokers.retain(|name, _| living.contains(name));
            for name in living {
                brokers.entry(name).or_default();
            }
            let mut due: Vec<(&String, &mut Broker)> =
                brokers.iter_mut().filter(|(_, broker)| !broker.is_asked && !broker.knows()).collect();
            due.sort_by_key(|(_, broker)| broker.looks);
            due.truncate(AT_ONCE.saturating_sub(asked.len()));
            for (name, broker) in due {
                let until = if broker.looks == 0 { deadline } else { end };
                let within = ANSWER.min(until.saturating_duration_since(Instant::now()));
                (broker.looks, broker.is_asked) = (broker.looks.saturating_add(1), true);
                let (name, look) = (name.clone(), (self.look)(name.clone()));
                asked.spawn(async move { (name, timeout(within, look).await) });
            }
            // One that hangs does not keep the others from being asked again.
            let next = Instant::now() + pause;
            while let Ok(Some(answer)) = timeout_at(next, asked.join_next()).await {
                let Ok((name, answer)) = answer else { continue };
                let Some(broker) = brokers.get_mut(&name) else { continue };
                let answer = answer.unwrap_or_else(|_| Err(AdminError::NoBroker("no answer".to_owned())));
                (broker.late, broker.is_asked) = (Some(self.late(&name, answer)), false);
            }
            let now = Instant::now();
            let is_over = |broker: &Broker| broker.looks >= LOOKS && !broker.is_asked && now >= deadline;
            if now >= end || brokers.values().all(|broker| broker.knows() || is_over(broker)) {
                let silent = |name: &str| self.late(name, Err(AdminError::NoBroker("no answer".to_owned())));
                let late = brokers.into_iter().map(|(name, it)| it.late.unwrap_or_else(|| silent(&name)));
                return Ok(late.flatten().collect());
            }
            sleep_until(next).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn late(&self, broker: &str, answer: Result<Seen, AdminError>) -> Failures {
        let (zones, cause) = match answer {
            Ok(seen) => {
                let cause =
                    format!("broker {broker} does not know of what was written after {:?}", self.within);
                ((self.missing)(&seen), cause)
            }
            Err(error) => {
                let error = if let AdminError::NoBroker(cause) = error { cause } else { error.to_string() };
                let cause =
                    format!("broker {broker} cannot be asked whether it knows of what was written: {error}");
                (self.zones.clone(), cause)
            }
        };
        zones.into_iter().map(|zone| (zone, cause.clone())).collect()
    }
}

fn is_visible(seen: &Seen, step: &ZoneSteps, half: Half) -> bool {
    let user = seen.users.get(&step.zone);
    let allowed = seen.allowed.get(&step.zone);
    let has = |acl: &Acl| allowed.is_some_and(|allowed| allowed.contains(acl));
    match half {
        Half::Widening => {
            let is_put = |(hash, password): (&ScramHash, &Password)| {
                let is = user.and_then(|user| user.get(hash)).copied();
                is.is_some() && is == i32::try_from(password.rounds).ok()
            };
            step.put.iter().all(is_put) && step.create.iter().all(has)
        }
        Half::Narrowing => !(step.delete.iter().any(has) || (step.release && user.is_some())),
    }
}

/// The brokers of a cluster in tests.
#[cfg(test)]
pub(super) struct Fixed(pub(super) &'static [&'static str]);

#[cfg(test)]
impl Living for Fixed {
    async fn brokers(&mut self) -> Result<Vec<String>, AdminError> {
        Ok(self.0.iter().map(|&name| name.to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Who is late, and how often each broker was asked, where `answers` says whether a broker knows at its nth look. One
    /// that gives no answer hangs.
    async fn read_back(
        brokers: &'static [&'static str],
        within: Duration,
        answers: fn(&str, u32) -> Option<bool>,
    ) -> (Failures, BTreeMap<String, u32>) {
        let zones = BTreeSet::from([ZoneName::try_from("acme").unwrap()]);
        let looks = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
        let look = |broker: String| {
            let looks = Arc::clone(&looks);
            async move {
                let look =
                    *looks.lock().unwrap().entry(broker.clone()).and_modify(|it| *it += 1).or_insert(1);
                let Some(knows) = answers(&broker, look) else { return std::future::pending().await };
                Ok(Seen { cluster_id: if knows { "all" } else { "" }.to_owned(), ..Seen::default() })
            }
        };
        let missing = |seen: &Seen| if seen.cluster_id.is_empty() { zones.clone() } else { BTreeSet::new() };
        let grace = Duration::from_secs(1);
        let readback = Readback { zones: &zones, missing, look, within, grace };
        let late = readback.of(&mut Fixed(brokers)).await.unwrap();
        let looks = looks.lock().unwrap().clone();
        (late, looks)
    }

    #[tokio::test]
    async fn a_broker_that_hangs_keeps_no_other_from_being_asked_again_and_gets_a_second_look() {
        let answers = |broker: &str, look: u32| match (broker, look) {
            ("hangs", 1) => None,
            ("lags", 1 | 2) => Some(false),
            _ => Some(true),
        };
        let started = Instant::now();
        let within = Duration::from_millis(400);
        let (late, looks) = read_back(&["hangs", "lags", "quick"], within, answers).await;
        assert_eq!(late, Failures::new(), "after {:?}", started.elapsed());
        let expected = [("hangs", 2), ("lags", 3), ("quick", 1)].map(|(name, it)| (name.to_owned(), it));
        assert_eq!(looks, expected.into());
    }

    #[tokio::test]
    async fn many_that_hang_take_no_longer_than_one_and_say_so() {
        let brokers = &["a", "b", "c", "d", "e", "f", "g", "h"];
        let started = Instant::now();
        let (late, looks) = read_back(brokers, Duration::from_millis(200), |_, _| None).await;
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        assert_eq!(looks.len(), 8);
        assert!(looks.values().all(|looks| *looks == 2), "{looks:?}");
        assert!(late.values().all(|cause| cause.contains("no answer")) && late.len() == 1, "{late:?}");
    }

    #[tokio::test]
    async fn who_still_does_not_know_is_late_whatever_little_time_there_was() {
        let (late, looks) = read_back(&["lags"], Duration::ZERO, |_, _| Some(false)).await;
        assert!(late.values().all(|cause| cause.contains("does not know")) && late.len() == 1, "{late:?}");
        assert_eq!(looks["lags"], 2);
    }
}
