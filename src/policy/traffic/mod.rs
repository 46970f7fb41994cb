//! Traffic control: a zone's limit over all nodes, and what one node does about its share of it.
//!
//! * A [`Meter`] holds one node to a rate. What comes is never refused for it: it is charged, and whoever brought it waits until it
//!   is paid for.
//! * A [`share`] divides a limit among the nodes by what they say they need, the same on every node that has heard the same.
//!
//! # How exact it is
//!
//! A zone gets its limit, and once [`BURST`] more after a pause. From that goes what is set aside for nodes that are idle, so that they
//! can begin ([`share::RESERVE`], 5 % of the limit over all of them), and what a node has beyond its need ([`share::HEADROOM`]). What
//! nodes do on reports that are some seconds old can differ for as long; the sum of the shares is the limit for the same reports.

mod meter;
pub mod share;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use meter::{Meter, Pace, Ticket};

use crate::zone::Limit;

/// A share's worth of time that may be used at once after a pause.
pub const BURST: Duration = Duration::from_secs(1);

/// The same for what is counted by the minute: a consumer that leaves a group commits several times in a second.
const COMMIT_BURST: Duration = Duration::from_secs(5);

/// How much of a limit may be owed at most: what many connections send at once. Beyond it nobody waits any longer.
const MOST_OWED: Duration = Duration::from_secs(30);

/// The pace of a node that has so much of a zone's limit, both in the limit's own unit. None for what is no rate.
pub fn pace(limit: Limit, share: f64, of: u64) -> Option<Pace> {
    let seconds = limit.seconds()?;
    // Far beyond any rate the last digits are of no interest.
    #[allow(clippy::cast_precision_loss, reason = "a limit above 2^53 is none")]
    let whole = of as f64 / seconds;
    let per_second = share / seconds;
    let burst = match limit {
        Limit::Produce | Limit::Consume => per_second * BURST.as_secs_f64(),
        Limit::Commits => (per_second * COMMIT_BURST.as_secs_f64()).max(1.0),
        // One at least: there are no parts of a request.
        Limit::Requests | Limit::ConnectionRate | Limit::Connections => {
            (per_second * BURST.as_secs_f64()).max(1.0)
        }
    };
    Some(Pace { per_second, burst, most_owed: whole * MOST_OWED.as_secs_f64() })
}
