//! How a limit is divided among nodes: max-min fair by what each of them needs.
//!
//! Every node calculates the same from the same reports, so nobody has to ask, and nobody decides.

use std::collections::BTreeMap;

use crate::zone::Demand;

/// The part of a limit that is set aside for nodes with nothing to do, over all of them: the first records pass while the others hear
/// that there is a demand.
pub const RESERVE: f64 = 0.05;

/// What a node may use beyond what it uses: who needs no more than it has is soon held back where it grows, and gets more then.
pub const HEADROOM: f64 = 1.1;

/// What each node last said of one limit, by the node's name.
pub type Demands<'a> = BTreeMap<&'a str, Demand>;

/// A node's part of a rate, in the limit's unit; none if it is not among those heard. The parts of all nodes are the limit together.
pub fn of_rate(limit: u64, node: &str, demands: &Demands<'_>) -> Option<f64> {
    let me = demands.get(node)?;
    let (limit, nodes) = (exact(limit), count(demands.len()));
    let reserve = limit * RESERVE / nodes;
    let wish = |demand: &Demand| {
        if demand.held { f64::INFINITY } else { (exact(demand.used) * HEADROOM).max(reserve) }
    };
    let mut wishes: Vec<f64> = demands.values().map(wish).collect();
    wishes.sort_by(f64::total_cmp);
    // From the smallest wish up, each takes what it wishes, or an equal part of what is left.
    let (mut rest, mut takers) = (limit, nodes);
    let mut level = f64::INFINITY;
    for wish in wishes {
        level = rest / takers;
        if wish > level {
            break;
        }
        rest -= wish;
        takers -= 1.0;
        level = f64::INFINITY;
    }
    // Where all wishes are fulfilled, what is left is everybody's.
    let spare = if level.is_finite() { 0.0 } else { rest / nodes };
    Some(wish(me).min(level) + spare)
}

/// How many connections a node may have, one at least; none if it is not among those heard. Those that are open are not closed
/// for others, so that only what is free is divided: among nodes that had to turn somebody away, or among all.
pub fn of_connections(limit: u64, node: &str, demands: &Demands<'_>) -> Option<u64> {
    let me = demands.get(node)?;
    let open = demands.values().fold(0_u64, |sum, demand| sum.saturating_add(demand.used));
    let Some(free) = limit.checked_sub(open) else { return Some(fewer(limit, me.used, demands)) };
    let somebody_waits = demands.values().any(|demand| demand.held);
    let takers: Vec<&str> =
        demands.iter().filter(|(_, demand)| demand.held || !somebody_waits).map(|(name, _)| *name).collect();
    let Some(place) = takers.iter().position(|taker| *taker == node) else { return Some(me.used.max(1)) };
    let (place, takers) = (whole(place), whole(takers.len()));
    let more = free / takers + u64::from(place < free % takers);
    Some((me.used + more).max(1))
}

/// More is open than may be: nobody has more than an equal part, unless others need less.
fn fewer(limit: u64, mine: u64, demands: &Demands<'_>) -> u64 {
    let mut open: Vec<u64> = demands.values().map(|demand| demand.used).collect();
    open.sort_unstable();
    let (mut rest, mut takers) = (limit, whole(open.len()));
    for used in open {
        if used > rest / takers {
            return mine.min(rest / takers).max(1);
        }
        rest -= used;
        takers -= 1;
    }
    mine.max(1)
}

/// The part of a node that hears nobody, not even itself: equal parts among as many as there were.
pub fn equal_part(limit: u64, nodes: usize) -> f64 {
    exact(limit) / count(nodes.max(1))
}

/// As [`equal_part`], for connections: one at least.
pub fn equal_connections(limit: u64, nodes: usize) -> u64 {
    (limit / whole(nodes.max(1))).max(1)
}

#[allow(clippy::cast_precision_loss, reason = "a limit above 2^53 is none")]
fn exact(limit: u64) -> f64 {
    limit as f64
}

fn count(nodes: usize) -> f64 {
    u32::try_from(nodes).map_or(f64::from(u32::MAX), f64::from)
}

fn whole(nodes: usize) -> u64 {
    u64::try_from(nodes).unwrap_or(u64::MAX)
}
