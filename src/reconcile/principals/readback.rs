//! What was written on a cluster is read back on each of its brokers: they learn of it one after another, and one that does not
//! know a right yet refuses the partner, which for many producers is the end.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::clusters::{Failures, Half, Target};
use super::{Seen, ZoneSteps};
use crate::kafka::admin::{Acl, Admin, AdminError};
use crate::kafka::client::UpstreamSecurity;
use crate::sasl::ScramHash;
use crate::zone::ZoneName;

/// How long what was written may take to be known everywhere. Longer than a cluster takes to miss a broker that is gone: its
/// `broker.session.timeout.ms` is 9 s.
const WITHIN: Duration = Duration::from_secs(15);
/// What a broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(5);
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
    let deadline = Instant::now() + WITHIN;
    let mut pause = SHORTEST_PAUSE;
    let mut know = BTreeSet::new();
    loop {
        // Asked each time: who stops meanwhile is not waited for. Who starts has caught up before it is in this list.
        let brokers = admin.brokers().await?;
        let mut late = Failures::new();
        for broker in brokers.iter().filter(|broker| !know.contains(*broker)).cloned().collect::<Vec<_>>() {
            let missing = missing_on(&broker, security, steps, half).await;
            if missing.is_empty() {
                know.insert(broker);
            }
            late.extend(missing);
        }
        if late.is_empty() || Instant::now() >= deadline {
            return Ok(late);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn missing_on(broker: &str, security: &UpstreamSecurity, steps: &[&ZoneSteps], half: Half) -> Failures {
    let of = |missing: BTreeSet<&ZoneName>, cause: String| {
        missing.into_iter().map(|zone| (zone.clone(), cause.clone())).collect()
    };
    let seen = async { Target::see(&mut Admin::connect(broker, security, ANSWER).await?).await };
    match seen.await {
        Ok(seen) => {
            let missing = steps.iter().filter(|step| !is_visible(&seen, step, half)).map(|step| &step.zone);
            of(
                missing.collect(),
                format!("broker {broker} does not know of what was written after {WITHIN:?}"),
            )
        }
        Err(error) => {
            let error = if let AdminError::NoBroker(cause) = error { cause } else { error.to_string() };
            of(
                steps.iter().map(|step| &step.zone).collect(),
                format!("broker {broker} cannot be asked whether it knows of what was written: {error}"),
            )
        }
    }
}

fn is_visible(seen: &Seen, step: &ZoneSteps, half: Half) -> bool {
    let user = seen.users.get(&step.zone);
    let allowed = seen.allowed.get(&step.zone);
    let has = |acl: &Acl| allowed.is_some_and(|allowed| allowed.contains(acl));
    match half {
        Half::Widening => {
            let is_put = |(hash, rounds): (&ScramHash, &u32)| {
                let is = user.and_then(|user| user.get(hash)).copied();
                is.is_some() && is == i32::try_from(*rounds).ok()
            };
            step.put.iter().all(is_put) && step.create.iter().all(has)
        }
        Half::Narrowing => !(step.delete.iter().any(has) || (step.release && user.is_some())),
    }
}
