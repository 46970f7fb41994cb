//! What one connection owes, and how long it is held back for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::super::close::Close;
use super::super::meter::Meter;
use super::super::metrics::Metrics;
use super::super::shared::Shared;
use super::super::view::Login;
use super::lock;
use super::zone::{Place, ZoneTraffic};
use crate::policy::traffic::{BURST, Ticket};
use crate::zone::Limit;

/// The longest that a connection is held back for bytes. Clients wait 30 s for an answer; what is told to them is less.
const LONGEST_FOR_BYTES: Duration = Duration::from_secs(15);

/// The same for requests and commits: heartbeats of a group wait behind them, every 3 s of sessions that may be 6 s short.
pub(super) const LONGEST_FOR_FEW: Duration = Duration::from_secs(3);

/// The longest that clients are told to wait. If more is owed then, their next request waits for the rest here: meanwhile
/// another node's share may have become this one's.
const LONGEST_TOLD: Duration = Duration::from_secs(5);

/// Until a connection that may not be there is closed, so that a client which comes again at once costs little.
const TURNED_AWAY_AFTER: Duration = Duration::from_secs(1);

/// How often whoever waits looks whether it still has to: a share may have grown, or a limit gone.
pub(crate) const GLANCE: Duration = Duration::from_millis(500);

/// A connection's place in its zone's traffic.
#[derive(Debug)]
pub(crate) struct Pace {
    place: Place,
    debts: Mutex<Vec<Debt>>,
    /// How many Fetches a broker owes an answer, and who wants to know when it has given one.
    fetches: AtomicUsize,
    answered: Notify,
    /// Where it is counted for how long the connection is held back.
    meter: Arc<Meter>,
}

/// Something to wait for: until it is paid, or for the longest time.
#[derive(Debug)]
struct Debt {
    limit: Limit,
    /// None: for the whole time.
    ticket: Option<Ticket>,
    longest: Instant,
}

/// What the limits of a zone leave for one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// What a Fetch may ask for.
    pub(crate) fetch_bytes: i32,
    /// Whether a commit may pass, and what it is answered if not.
    pub(crate) commit: Result<(), ResponseError>,
}

impl Quota {
    #[cfg(any(test, fuzzing))]
    pub(crate) const UNLIMITED: Self = Self { fetch_bytes: i32::MAX, commit: Ok(()) };
}

/// Lets a connection in that has logged in, or says why not, as late as its client should hear of it.
pub(crate) async fn admit(shared: &Shared, login: &Login) -> Result<Pace, Close> {
    let (zone, meter) = (&login.zone, shared.usage.meter(login));
    let traffic = shared.traffic.of(zone.id, &zone.name);
    let Some(place) = traffic.enter(now()) else {
        sleep(TURNED_AWAY_AFTER).await;
        return Err(Close::ConnectionLimit(zone.name.to_string()));
    };
    let limit = Limit::ConnectionRate;
    let Some((ticket, mut left)) = charged(&traffic, limit, 1.0) else { return Ok(Pace::new(place, meter)) };
    if !left.is_zero() {
        shared.metrics.throttled(limit, left.min(LONGEST_TOLD));
        meter.throttled(left.min(LONGEST_TOLD));
    }
    let longest = now() + LONGEST_TOLD;
    while !left.is_zero() {
        if now() >= longest {
            traffic.metered(limit, |meter| meter.take_back(1.0, now()));
            return Err(Close::ConnectionRate(zone.name.to_string()));
        }
        sleep(left.min(GLANCE)).await;
        left = traffic.left(limit, ticket, now()).unwrap_or_default();
    }
    Ok(Pace::new(place, meter))
}

impl Pace {
    fn new(place: Place, meter: Arc<Meter>) -> Self {
        let (fetches, answered) = (AtomicUsize::new(0), Notify::new());
        Self { place, debts: Mutex::default(), fetches, answered, meter }
    }

    /// What the connection counts on.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    fn zone(&self) -> &ZoneTraffic {
        &self.place.0
    }

    /// Charges what has come or goes out; the connection is held back until it is paid.
    pub(crate) fn charge(&self, limit: Limit, amount: usize, metrics: &Metrics) {
        #[allow(clippy::cast_precision_loss, reason = "no frame is that long")]
        let amount = amount as f64;
        let Some((ticket, left)) = charged(self.zone(), limit, amount) else { return };
        if !left.is_zero() {
            self.owe(limit, Some(ticket), left.min(longest(limit)), metrics);
        }
    }

    /// A Fetch goes to the broker.
    pub(crate) fn fetch_sent(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer to it is here: so many bytes of it are charged.
    pub(crate) fn fetch_answered(&self, bytes: usize, metrics: &Metrics) {
        self.charge(Limit::Consume, bytes, metrics);
        self.fetches.fetch_sub(1, Ordering::Relaxed);
        self.answered.notify_waiters();
    }

    /// Whether a Fetch is under way that another one has to wait for, since it is limited what comes.
    pub(crate) fn owes_fetch(&self) -> bool {
        self.fetches.load(Ordering::Relaxed) > 0 && self.zone().metered(Limit::Consume, |_| ()).is_some()
    }

    /// Waits until there is none.
    pub(crate) async fn fetch_is_answered(&self) {
        loop {
            // Before the look: what is notified in between is not missed.
            let answered = self.answered.notified();
            if !self.owes_fetch() {
                return;
            }
            // The limit may go meanwhile.
            let _ = timeout(GLANCE, answered).await;
        }
    }

    /// What is left for a request; commits are charged here, since they may be refused.
    pub(crate) fn quota(&self, is_commit: bool, metrics: &Metrics) -> Quota {
        let fetch_bytes = self.zone().metered(Limit::Consume, |meter| meter.per_second());
        Quota {
            fetch_bytes: fetch_bytes.map_or(i32::MAX, |rate| whole(rate * BURST.as_secs_f64())),
            commit: if is_commit { self.commit(metrics) } else { Ok(()) },
        }
    }

    fn commit(&self, metrics: &Metrics) -> Result<(), ResponseError> {
        let would_wait = self.zone().metered(Limit::Commits, |meter| meter.would_wait(1.0, now()));
        match would_wait.unwrap_or_default().checked_sub(LONGEST_FOR_FEW) {
            Some(beyond) if !beyond.is_zero() => {
                metrics.refused_commits.inc();
                self.owe(Limit::Commits, None, beyond.min(LONGEST_FOR_FEW), metrics);
                Err(ResponseError::CoordinatorLoadInProgress)
            }
            _ => {
                self.charge(Limit::Commits, 1, metrics);
                Ok(())
            }
        }
    }

    fn owe(&self, limit: Limit, ticket: Option<Ticket>, wait: Duration, metrics: &Metrics) {
        // For all that it owes a connection waits at the same time: only what this adds to that counts.
        let added = wait.saturating_sub(self.left().unwrap_or_default());
        metrics.throttled(limit, added);
        self.meter.throttled(added);
        // What is owed may take longer than it looks now, if a share becomes smaller.
        let longest = if ticket.is_some() { longest(limit) } else { wait };
        let debt = Debt { limit, ticket, longest: now() + longest };
        let mut debts = lock(&self.debts);
        debts.retain(|debt| debt.limit != limit);
        debts.push(debt);
    }

    /// How long nothing is read from this connection, as it looks now.
    pub(crate) fn left(&self) -> Option<Duration> {
        let mut debts = lock(&self.debts);
        if debts.is_empty() {
            return None;
        }
        let now = now();
        let left = |debt: &Debt| {
            let longest = debt.longest.saturating_duration_since(now);
            let left = debt.ticket.map_or(Some(longest), |it| self.zone().left(debt.limit, it, now));
            left.map(|left| left.min(longest)).filter(|left| !left.is_zero())
        };
        debts.retain(|debt| left(debt).is_some());
        debts.iter().filter_map(left).max()
    }

    /// The same for a client, in milliseconds; none if it need not wait.
    pub(crate) fn throttle_time(&self) -> Option<i32> {
        let told = self.left()?.min(LONGEST_TOLD);
        i32::try_from(told.as_millis()).ok().filter(|ms| *ms > 0)
    }
}

fn charged(zone: &ZoneTraffic, limit: Limit, amount: f64) -> Option<(Ticket, Duration)> {
    let now = now();
    zone.metered(limit, |meter| {
        let ticket = meter.charge(amount, now);
        (ticket, meter.left(ticket, now))
    })
}

fn longest(limit: Limit) -> Duration {
    match limit {
        Limit::Produce | Limit::Consume => LONGEST_FOR_BYTES,
        Limit::Commits | Limit::Requests | Limit::Connections | Limit::ConnectionRate => LONGEST_FOR_FEW,
    }
}

/// Tokio's, which stands still in tests that say so.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[allow(clippy::cast_possible_truncation, reason = "saturates, which is no limit")]
fn whole(bytes: f64) -> i32 {
    (bytes as i32).max(1)
}
