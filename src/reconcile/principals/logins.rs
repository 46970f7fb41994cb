//! Whoever was given a password logs in with it, on each broker: that a broker lists a user does not say that it lets the user in.
//!
//! The controller does it and not the gateways: it knows what was written, once and for all nodes, and a zone is not served before
//! its principal is proved. It costs a connection for each such zone and broker, and the rounds of one password for each zone.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::clusters::Failures;
use super::readback::Living;
use crate::kafka::admin::{Admin, AdminError};
use crate::kafka::client::{ClientError, Connection, UpstreamSecurity};
use crate::kafka::sasl::Credentials;
use crate::zone::ZoneName;

/// What brokers see as the client id.
pub(super) const CLIENT_ID: &str = "partner-zones-controller";
/// How long who was refused may be refused, counted from the end of the first round.
const WITHIN: Duration = Duration::from_secs(30);
/// What one login may take.
pub(super) const LOGIN: Duration = Duration::from_secs(10);
/// Logins at the same time.
const AT_ONCE: usize = 32;
/// Rounds before somebody is said to be refused.
const ROUNDS: u32 = 2;
/// Between two rounds.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Logs each zone in on every broker that lives, and says which zones' principals are refused by one of them.
///
/// # Errors
/// `admin`, which tells which brokers live, fails.
pub(super) async fn on_every_broker(
    admin: &mut Admin,
    security: &UpstreamSecurity,
    principals: &BTreeMap<ZoneName, Credentials>,
) -> Result<Failures, AdminError> {
    let login = |broker: String, credentials: Credentials| {
        let security = UpstreamSecurity { tls: security.tls.clone(), sasl: Some(credentials) };
        async move { Connection::connect(&broker, &security, CLIENT_ID, LOGIN).await.map(drop) }
    };
    Logins { login, within: WITHIN, pause: PAUSE }.of(admin, principals).await
}

/// Logins as many zones.
pub(super) struct Logins<L> {
    /// Logs in to this broker with these credentials.
    pub(super) login: L,
    pub(super) within: Duration,
    pub(super) pause: Duration,
}

/// A zone on a broker.
type Visit = (ZoneName, String);

/// Visits that were not received, and why.
type Refused = BTreeMap<Visit, Cause>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    text: String,
    /// Nothing that time changes: the listener is set up otherwise.
    is_final: bool,
}

impl<L, F> Logins<L>
where
    L: Fn(String, Credentials) -> F,
    F: Future<Output = Result<(), ClientError>> + Send + 'static,
{
    pub(super) async fn of(
        &self,
        cluster: &mut impl Living,
        principals: &BTreeMap<ZoneName, Credentials>,
    ) -> Result<Failures, AdminError> {
        if principals.is_empty() {
            return Ok(Failures::new());
        }
        let brokers = cluster.brokers().await?;
        // A zone's brokers one after another: they share the salted password, and one that hangs holds up a part of the logins.
        let all =
            principals.keys().flat_map(|zone| brokers.iter().map(|broker| (zone.clone(), broker.clone())));
        let mut refused = self.round(all.collect(), principals).await;
        let deadline = Instant::now() + self.within;
        for round in 1.. {
            // Who stops meanwhile is not waited for.
            let living: BTreeSet<String> = cluster.brokers().await?.into_iter().collect();
            refused.retain(|(_, broker), _| living.contains(broker));
            let may_change = refused.values().any(|cause| !cause.is_final);
            if !may_change || (round >= ROUNDS && Instant::now() >= deadline) {
                break;
            }
            sleep(self.pause).await;
            let again = refused.extract_if(.., |_, cause| !cause.is_final).map(|(visit, _)| visit).collect();
            let still = self.round(again, principals).await;
            refused.extend(still);
        }
        let told = refused.into_iter().map(|((zone, broker), cause)| {
            (zone, format!("broker {broker} does not let the zone's principal in: {}", cause.text))
        });
        Ok(told.collect())
    }

    /// Each of these once. A broker that cannot be reached is not tried for each zone anew.
    async fn round(&self, visits: Vec<Visit>, principals: &BTreeMap<ZoneName, Credentials>) -> Refused {
        let (mut running, mut refused) = (JoinSet::new(), Refused::new());
        let gone: Arc<Mutex<BTreeMap<String, Cause>>> = Arc::default();
        let known = |broker: &str| gone.lock().unwrap_or_else(PoisonError::into_inner).get(broker).cloned();
        for visit in visits {
            while running.len() >= AT_ONCE
                && let Some(ended) = running.join_next().await
            {
                refused.extend(ended.ok().flatten());
            }
            if let Some(cause) = known(&visit.1) {
                refused.insert(visit, cause);
                continue;
            }
            let Some(credentials) = principals.get(&visit.0) else { continue };
            let (login, gone) = ((self.login)(visit.1.clone(), credentials.clone()), Arc::clone(&gone));
            running.spawn(async move {
                let error = login.await.err()?;
                let cause = Cause { text: error.to_string(), is_final: is_final(&error) };
                if is_out_of_reach(&error) {
                    let mut gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
                    gone.insert(visit.1.clone(), cause.clone());
                }
                Some((visit, cause))
            });
        }
        while let Some(ended) = running.join_next().await {
            refused.extend(ended.ok().flatten());
        }
        refused
    }
}

fn is_final(error: &ClientError) -> bool {
    matches!(error, ClientError::NoSasl | ClientError::Mechanism { .. })
}

/// Nothing that has to do with who logs in.
fn is_out_of_reach(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable(_) | ClientError::TimedOut(_))
}

#[cfg(test)]
mod tests {
    use super::super::readback::Fixed;
    use super::*;
    use crate::sasl::Mechanism;
    use crate::secret::Secret;

    fn principals(zones: usize) -> BTreeMap<ZoneName, Credentials> {
        let principal = |number: usize| {
            let name = ZoneName::try_from(format!("z{number}").as_str()).unwrap();
            let credentials =
                Credentials::new(Mechanism::ScramSha512, format!("u{number}"), Secret::new("p".to_owned()));
            (name, credentials)
        };
        (0..zones).map(principal).collect()
    }

    fn wrong() -> Result<(), ClientError> {
        Err(ClientError::Authentication { code: 58, reason: "wrong".to_owned() })
    }

    /// Who is refused, and how often each (broker, user) was tried, where `answer` says what comes of the nth attempt.
    async fn tried(
        brokers: &'static [&'static str],
        zones: usize,
        within: Duration,
        answer: fn(&str, &str, u32) -> Result<(), ClientError>,
    ) -> (Failures, BTreeMap<(String, String), u32>) {
        let tries = Arc::new(Mutex::new(BTreeMap::<(String, String), u32>::new()));
        let login = |broker: String, credentials: Credentials| {
            let tries = Arc::clone(&tries);
            async move {
                let key = (broker.clone(), credentials.username.clone());
                let nth = *tries.lock().unwrap().entry(key).and_modify(|it| *it += 1).or_insert(1);
                answer(&broker, &credentials.username, nth)
            }
        };
        let logins = Logins { login, within, pause: Duration::from_millis(1) };
        let failures = logins.of(&mut Fixed(brokers), &principals(zones)).await.unwrap();
        let tries = tries.lock().unwrap().clone();
        (failures, tries)
    }

    #[tokio::test]
    async fn everybody_is_let_in_everywhere_and_only_who_was_refused_tries_again() {
        let answer = |broker: &str, user: &str, nth: u32| match (broker, user, nth) {
            ("lags", "u1", 1 | 2) => wrong(),
            _ => Ok(()),
        };
        let (failures, tries) = tried(&["quick", "lags"], 50, Duration::from_mins(1), answer).await;
        assert_eq!(failures, Failures::new());
        assert_eq!(tries.len(), 100);
        let more: Vec<_> = tries.iter().filter(|(_, count)| **count > 1).collect();
        assert_eq!(more, [(&("lags".to_owned(), "u1".to_owned()), &3)]);
    }

    #[tokio::test]
    async fn who_is_never_let_in_fails_alone_with_broker_and_cause() {
        let answer = |_: &str, user: &str, _| if user == "u2" { wrong() } else { Ok(()) };
        let (failures, tries) = tried(&["b1"], 4, Duration::ZERO, answer).await;
        let told: Vec<_> = failures.iter().map(|(zone, cause)| (zone.as_str(), cause.as_str())).collect();
        assert!(
            matches!(told[..], [("z2", cause)] if cause.contains("broker b1") && cause.contains("wrong")),
            "{told:?}"
        );
        assert_eq!(tries[&("b1".to_owned(), "u2".to_owned())], ROUNDS);
    }

    #[tokio::test]
    async fn a_broker_out_of_reach_is_not_tried_for_thousands_of_zones() {
        let answer = |broker: &str, _: &str, _| match broker {
            "gone" => Err(ClientError::TimedOut(LOGIN)),
            _ => Ok(()),
        };
        let (failures, tries) = tried(&["gone", "here"], 2_000, Duration::ZERO, answer).await;
        assert_eq!(failures.len(), 2_000);
        let attempts: u32 = tries.iter().filter(|((broker, _), _)| broker == "gone").map(|(_, it)| *it).sum();
        assert!(usize::try_from(attempts).unwrap() <= 2 * AT_ONCE, "{attempts}");
    }
}
