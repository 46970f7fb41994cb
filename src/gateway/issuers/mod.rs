//! Issuers of bearer tokens: what is configured of each, and the keys that it publishes, fetched before they are needed.
//!
//! One task per issuer fetches its keys, at intervals and when a token names one that is not known. A login never fetches: it
//! waits, not for long, for a fetch that is due.

mod keeper;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::keeper::Keeper;
use super::metrics::Metrics;
use crate::policy::token::{Bearer, KeySet, Refusal, Rules, Unverified};
use crate::zone::IssuerName;

/// How long a login waits for keys that are being fetched. A client gives up on a connection after ten seconds.
const LOGIN_WAITS: Duration = Duration::from_secs(3);

/// One of `oauth.issuers` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    pub name: IssuerName,
    pub rules: Rules,
    /// Where its keys are; none: its discovery document says it.
    pub jwks_url: Option<Url>,
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    pub refresh: Refresh,
}

/// How often an issuer is asked for its keys, and how long they count without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    pub interval: Duration,
    /// At most once in this time because a token names an unknown key.
    pub unknown_key: Duration,
    /// Keys of an issuer that does not answer count this long.
    pub keep: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(10),
            unknown_key: Duration::from_secs(30),
            keep: Duration::from_hours(24),
        }
    }
}

/// What is known of each issuer's keys.
type Known = BTreeMap<IssuerName, Keys>;

#[derive(Debug, Clone, Default)]
struct Keys {
    /// None before the first answer, and once the last one is too old.
    set: Option<Arc<KeySet>>,
    answered: Option<Instant>,
    /// Attempts to fetch them that have ended, and when the last one did.
    attempts: u64,
    tried: Option<Instant>,
    /// Why the last attempt failed, for the operator.
    trouble: Option<String>,
}

/// All issuers of a gateway.
#[derive(Debug)]
pub(crate) struct Issuers {
    all: Vec<Issuer>,
    known: watch::Receiver<Known>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Issuer {
    config: IssuerConfig,
    /// Asks for the keys to be fetched before their time.
    asked: Arc<Notify>,
}

impl Issuers {
    /// Starts a task for each on `tasks`, which fetches its keys at once.
    pub(crate) fn start(
        configs: &[IssuerConfig],
        metrics: Metrics,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let names = configs.iter().map(|config| (config.name.clone(), Keys::default()));
        let (publish, known) = watch::channel(names.collect::<Known>());
        let publish = Arc::new(publish);
        let all = configs.iter().map(|config| {
            let issuer = Issuer { config: config.clone(), asked: Arc::default() };
            let keeper = Keeper {
                config: config.clone(),
                asked: Arc::clone(&issuer.asked),
                published: Arc::clone(&publish),
            };
            let stop = cancel.clone();
            tasks.spawn(async move { stop.run_until_cancelled(keeper.run()).await });
            issuer
        });
        Self { all: all.collect(), known, metrics }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Changes whenever an issuer has been asked.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized + use<>> {
        self.known.clone()
    }

    /// Waits for the key that the token names, if it is not known and keys are being fetched or may be.
    pub(crate) async fn await_key(&self, token: &str) {
        let Ok(token) = Unverified::parse(token) else { return };
        let Ok(issuer) = self.of(&token) else { return };
        let name = &issuer.config.name;
        let mut known = self.known.clone();
        let before = known.borrow_and_update().get(name).cloned().unwrap_or_default();
        if before.has_key_of(&token) {
            return;
        }
        issuer.asked.notify_one();
        // Within that time there is no other fetch, and nothing to wait for.
        if before.tried.is_some_and(|tried| tried.elapsed() < issuer.config.refresh.unknown_key) {
            return;
        }
        let tried = |known: &Known| known.get(name).is_none_or(|keys| keys.attempts > before.attempts);
        // Out of time or out of issuers: the token is then held against the keys that there are.
        let _ = tokio::time::timeout(LOGIN_WAITS, known.wait_for(tried)).await;
    }

    /// Whose the token is, if it counts now, and by which issuer.
    pub(crate) fn check(&self, token: &str, now: OffsetDateTime) -> Result<(IssuerName, Bearer), Refusal> {
        let token = Unverified::parse(token)?;
        let config = &self.of(&token)?.config;
        let set = self.known.borrow().get(&config.name).and_then(|keys| keys.set.clone());
        let set = set.ok_or(Refusal::UnknownKey)?;
        let bearer = token.check(&set, &config.rules, now)?;
        Ok((config.name.clone(), bearer))
    }

    /// Why nobody can log in by this issuer's tokens; none if somebody can.
    pub(crate) fn trouble(&self, name: &IssuerName) -> Option<String> {
        let known = self.known.borrow();
        let keys = known.get(name).filter(|keys| keys.set.is_none())?;
        let trouble = keys.trouble.as_ref()?;
        Some(format!(
            "issuer `{name}` has no keys here, so that none of its tokens is accepted: {trouble}; see that the gateway can reach \
             it, and correct `oauth.issuers.{name}`"
        ))
    }

    /// Whether the issuer has been asked for its keys, so that no trouble means that there is none.
    pub(crate) fn is_settled(&self, name: &IssuerName) -> bool {
        self.known.borrow().get(name).is_none_or(|keys| keys.attempts > 0)
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        self.metrics.token_refused(refusal.label());
    }

    fn of(&self, token: &Unverified<'_>) -> Result<&Issuer, Refusal> {
        let named = token.issuer()?;
        self.all.iter().find(|issuer| issuer.config.rules.issuer == named).ok_or(Refusal::Issuer)
    }
}

/// Nobody's tokens.
impl Default for Issuers {
    fn default() -> Self {
        Self { all: Vec::new(), known: watch::channel(Known::new()).1, metrics: Metrics::default() }
    }
}

impl Keys {
    fn has_key_of(&self, token: &Unverified<'_>) -> bool {
        self.set.as_ref().is_some_and(|set| token.is_by_known_key(set))
    }
}
