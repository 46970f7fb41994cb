//! What came of each kind of fault.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Kind;
use super::ledger::Counts;

/// One side: through the gateways, or directly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Side {
    pub(super) gap: Duration,
    pub(super) counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    rounds: usize,
    recovery: Duration,
    gateway: Side,
    direct: Side,
}

/// A row for each kind, worst cases and sums.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<Kind, Row>);

impl Side {
    fn add(&mut self, other: Self) {
        self.gap = self.gap.max(other.gap);
        self.counts.acknowledged += other.counts.acknowledged;
        self.counts.lost += other.counts.lost;
        self.counts.duplicated += other.counts.duplicated;
        self.counts.again += other.counts.again;
    }
}

impl Table {
    pub(super) fn add(&mut self, kind: Kind, recovery: Duration, gateway: Side, direct: Side) {
        let row = self.0.entry(kind).or_default();
        row.rounds += 1;
        row.recovery = row.recovery.max(recovery);
        row.gateway.add(gateway);
        row.direct.add(direct);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            to,
            "| fault | times | longest gap, gateway | longest gap, direct | all as before after | lost | duplicated | read again, gateway | read again, direct |"
        )?;
        writeln!(to, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for (kind, row) in &self.0 {
            writeln!(
                to,
                "| {} | {} | {:.1} s | {:.1} s | {:.1} s | {} | {} | {} | {} |",
                kind.describe(),
                row.rounds,
                row.gateway.gap.as_secs_f64(),
                row.direct.gap.as_secs_f64(),
                row.recovery.as_secs_f64(),
                both(row.gateway.counts.lost, row.direct.counts.lost),
                both(row.gateway.counts.duplicated, row.direct.counts.duplicated),
                row.gateway.counts.again,
                row.direct.counts.again,
            )?;
        }
        Ok(())
    }
}

fn both(gateway: u64, direct: u64) -> String {
    if gateway == direct { gateway.to_string() } else { format!("{gateway}; {direct} directly") }
}
