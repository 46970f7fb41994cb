//! What a policy costs: zones of one gateway process that differ in nothing else, taken in turns on one broker.

use super::gateway::Gateway;
use super::load::Ready;
use super::process::Cpu;
use super::requests::Topic;
use super::table::{Run, median, ratios};
use super::topics;
use super::wire::Address;

/// Two without a policy, so that the second one shows what a ratio of nothing looks like on this machine.
pub(crate) const WITHOUT: [&str; 2] = ["without", "without-again"];

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Of records, in each run.
    pub(crate) bytes: usize,
}

/// A zone as its partner sees it.
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    /// In the order that they were asked for.
    pub(crate) topics: Vec<Topic>,
}

impl Zone {
    pub(crate) fn of(gateway: &Gateway, name: &'static str, aliases: &[String]) -> Self {
        let address = gateway.address_in(name);
        let topics = topics::known_to(&address, aliases);
        Self { name, address, topics }
    }
}

pub(crate) fn print_head(title: &str) {
    println!(
        "\n{title}: zones of one process; CPU seconds of the gateway per GB of records' values, over the first zone's"
    );
    println!("{:<34} {:<16} {:>6} {:>8}  median (extremes)", "", "zone", "MB/s", "CPU s/GB");
}

/// Takes the zones in turns, and prints a line for each. The first round warms up.
pub(crate) fn compare(
    what: &str,
    gateway: &Gateway,
    zones: &[&Zone],
    effort: Effort,
    prepare: impl Fn(&Zone) -> Ready,
) {
    let mut runs = vec![Vec::new(); zones.len()];
    for round in 0..=effort.rounds {
        for turn in 0..zones.len() {
            let which = (round + turn) % zones.len();
            let ready = prepare(zones[which]);
            let before = Cpu::of(gateway.pid());
            let (bytes, seconds) = ready.run(effort.bytes);
            let cpu = Some(Cpu::of(gateway.pid()).since(&before));
            if round > 0 {
                runs[which].push(Run { bytes, seconds, cpu });
            }
        }
    }
    let figures = |runs: &[Run], figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
    let base = figures(&runs[0], Run::cpu_per_gigabyte);
    for (zone, runs) in zones.iter().zip(&runs) {
        let cpu = figures(runs, Run::cpu_per_gigabyte);
        println!(
            "{what:<34} {:<16} {:>6.0} {:>8.2}  {}",
            zone.name,
            median(&figures(runs, Run::speed)),
            median(&cpu),
            ratios(&cpu, &base),
        );
    }
}
