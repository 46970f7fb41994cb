//! `make bench`: produce, consume and latency through the gateway and directly, interleaved in one run on real Kafka.
//!
//! What counts is the ratio within a round; the absolute figures are those of a shared machine. The gateway's CPU time is
//! read from the kernel, for its process alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod gateway;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod work;

use gateway::Gateway;
use support::kafka::Cluster;
use work::{Figures, Target};

const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_MEGABYTES: usize = 128;
const PARTITIONS: i32 = 4;

fn main() {
    let (rounds, megabytes) =
        (argument("--rounds", DEFAULT_ROUNDS), argument("--megabytes", DEFAULT_MEGABYTES));
    let cluster = Cluster::private(1);
    cluster.create_topic(gateway::BACKING_TOPIC, PARTITIONS);
    let gateway = Gateway::start(&cluster);
    let direct = Target::direct(cluster.bootstrap());
    let through = gateway.target();
    eprintln!(
        "{rounds} rounds of {megabytes} MB, records of {} bytes, {PARTITIONS} partitions",
        work::RECORD_BYTES
    );

    let mut table = Table::default();
    for round in 0..=rounds {
        // Which one goes first alternates, so that neither always gets the warmer broker.
        let swap = round % 2 == 1;
        for (name, work) in work::WORKLOADS {
            let run_direct = || work(&direct, megabytes);
            let run_through = || {
                let before = gateway.cpu_seconds();
                let figures = work(&through, megabytes);
                (figures, gateway.cpu_seconds() - before)
            };
            let (plain, (relayed, cpu)) = if swap {
                let relayed = run_through();
                (run_direct(), relayed)
            } else {
                let plain = run_direct();
                (plain, run_through())
            };
            // The first round warms up the JVM and the page cache.
            if round > 0 {
                table.add(name, plain, relayed, cpu);
            }
        }
    }
    table.print();
}

fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name).and_then(|_| arguments.next()).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {value:?}"))
    })
}

/// One row a workload; each cell is the median over the rounds.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    direct: Vec<f64>,
    gateway: Vec<f64>,
    /// gateway / direct, within each round.
    ratio: Vec<f64>,
    cpu_per_gb: Vec<f64>,
    unit: &'static str,
}

impl Table {
    fn add(&mut self, name: &'static str, direct: Figures, gateway: Figures, cpu_seconds: f64) {
        let index = self.rows.iter().position(|row| row.name == name && row.unit == direct.unit);
        let index = index.unwrap_or_else(|| {
            let (direct, gateway, ratio, cpu_per_gb) = (vec![], vec![], vec![], vec![]);
            self.rows.push(Row { name, direct, gateway, ratio, cpu_per_gb, unit: "" });
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        row.unit = direct.unit;
        row.ratio.push(gateway.value / direct.value);
        row.direct.push(direct.value);
        row.gateway.push(gateway.value);
        if gateway.bytes > 0 {
            row.cpu_per_gb.push(cpu_seconds / (gateway.bytes as f64 / 1e9));
        }
    }

    fn print(&self) {
        println!(
            "{:<24} {:>12} {:>12} {:>8} {:>17} {:>14}",
            "workload", "direct", "gateway", "ratio", "(min … max)", "CPU s per GB"
        );
        for row in &self.rows {
            let cpu = if row.cpu_per_gb.is_empty() {
                "-".to_owned()
            } else {
                format!("{:.2}", median(&row.cpu_per_gb))
            };
            let (low, high) = (quantile(&row.ratio, 0.0), quantile(&row.ratio, 1.0));
            println!(
                "{:<24} {:>12} {:>12} {:>8.2} {:>17} {cpu:>14}",
                row.name,
                format!("{:.0} {}", median(&row.direct), row.unit),
                format!("{:.0} {}", median(&row.gateway), row.unit),
                median(&row.ratio),
                format!("({low:.2} … {high:.2})"),
            );
        }
    }
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The nearest-rank quantile; `at` is 0 to 1.
fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    let index = ((sorted.len() - 1) as f64 * at).round() as usize;
    sorted[index]
}
