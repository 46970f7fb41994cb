//! A token bucket with debt: what comes is taken, and the next one waits until it is paid for.

use std::time::{Duration, Instant};

/// Longer waits are of no interest to anybody.
const LONGEST: Duration = Duration::from_hours(1);

/// Over how long use is averaged: a few frames of a client that sends large ones.
const USE_AVERAGED: f64 = 3.0;

/// Over how long being held back is averaged: a node that needs more says so with its next report.
const HELD_AVERAGED: f64 = 1.0;

/// How fast, in units of whatever is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    pub per_second: f64,
    /// What may come at once after a pause.
    pub burst: f64,
    /// What may be owed at most.
    pub most_owed: f64,
}

/// Counts what is charged against what time pays. Whoever is charged holds a [`Ticket`], and waits until it is paid: however many share
/// a meter, together they get its rate, and each waits for what was charged up to itself, not for those behind it.
#[derive(Debug)]
pub struct Meter {
    pace: Pace,
    /// All that was ever charged.
    charged: f64,
    /// What time has paid of it; up to the burst ahead of it.
    paid: f64,
    /// Up to when.
    at: Instant,
    /// Units per second in the last seconds.
    used: f64,
    /// The part of the last time in which something was owed.
    owing: f64,
}

/// A charge, by what had been charged with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ticket(f64);

impl Meter {
    /// One that nothing was charged to for a long time.
    pub fn new(pace: Pace, now: Instant) -> Self {
        Self { pace, charged: 0.0, paid: pace.burst, at: now, used: 0.0, owing: 0.0 }
    }

    /// Another pace from now on. What is owed is owed; what was saved is not more than the new burst.
    pub fn set(&mut self, pace: Pace, now: Instant) {
        self.settle(now);
        self.pace = pace;
        self.bound();
    }

    pub fn charge(&mut self, amount: f64, now: Instant) -> Ticket {
        self.settle(now);
        self.charged += amount;
        self.used += amount / USE_AVERAGED;
        self.bound();
        Ticket(self.charged)
    }

    /// Takes a charge back, for something that was not let in after all.
    pub fn take_back(&mut self, amount: f64, now: Instant) {
        self.settle(now);
        self.charged -= amount;
        self.bound();
    }

    /// How long until a charge is paid.
    pub fn left(&mut self, ticket: Ticket, now: Instant) -> Duration {
        self.settle(now);
        self.time_for(ticket.0)
    }

    /// How long somebody would wait who was charged so much now.
    pub fn would_wait(&mut self, amount: f64, now: Instant) -> Duration {
        self.settle(now);
        self.time_for(self.charged + amount)
    }

    /// Units per second in the last seconds, and whether something was owed for most of the last one.
    pub fn demand(&mut self, now: Instant) -> (f64, bool) {
        self.settle(now);
        (self.used, self.owing > 0.5)
    }

    pub fn per_second(&self) -> f64 {
        self.pace.per_second
    }

    fn time_for(&self, charged: f64) -> Duration {
        let seconds = ((charged - self.paid) / self.pace.per_second).clamp(0.0, LONGEST.as_secs_f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
    }

    fn settle(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.at = now;
        let in_debt = ((self.charged - self.paid) / self.pace.per_second).clamp(0.0, seconds);
        self.owing = 1.0 - (1.0 - self.owing) * (-in_debt / HELD_AVERAGED).exp();
        self.owing *= (-(seconds - in_debt) / HELD_AVERAGED).exp();
        self.used *= (-seconds / USE_AVERAGED).exp();
        self.paid += self.pace.per_second * seconds;
        self.bound();
    }

    fn bound(&mut self) {
        self.paid = self.paid.min(self.charged + self.pace.burst).max(self.charged - self.pace.most_owed);
    }
}
