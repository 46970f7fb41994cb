//! `make bench`: what a large repository costs the control plane. Everything is measured in a process of its own, so that peaks of
//! memory are its own, and beside the bare parse of the same files, which is the floor.
//!
//! What counts is the ratio within a round: the absolute figures are those of a shared machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod lists;
mod measure;
mod principals;
mod repository;
mod scenarios;
mod served;
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

use measure::{Figures, median};
use repository::Repository;
use scenarios::{SCENARIOS, Scenario};

const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_ZONES: usize = 10_000;
/// Topics of each zone.
const TOPICS: usize = 20;

fn main() {
    let number = |name, default| argument(name).map_or(default, |value| value.parse().unwrap());
    let zones = number("--zones", DEFAULT_ZONES);
    if let Some(name) = argument("--one") {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
        return (scenario.run)(&Repository::at(argument("--in").unwrap().as_ref(), zones)).print();
    }
    let only = argument("--only").unwrap_or_default();
    let brokers = argument("--brokers").map_or(vec![1, 3], |value| vec![value.parse().unwrap()]);
    if only == "principals" {
        return principals::run(zones, &brokers);
    }
    let rounds = number("--rounds", DEFAULT_ROUNDS);
    if only == "lists" {
        return lists::run(rounds, zones);
    }
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::create(folder.path(), zones, TOPICS);
    eprintln!("{rounds} rounds, {zones} zones of {TOPICS} topics, {:.1} MB", repository.bytes() as f64 / 1e6);
    println!(
        "{:<28} {:>9} {:>21}  {:>9} {:>9}  {:>9}",
        "scenario", "ms", "of the bare parse", "CPU ms", "peak MiB", "then MiB"
    );
    let mut rows = vec![Vec::new(); SCENARIOS.len()];
    for _ in 0..rounds {
        for (row, scenario) in rows.iter_mut().zip(SCENARIOS) {
            // The first is the floor, which the others need.
            if scenario.name.contains(&only) || scenario.name == SCENARIOS[0].name {
                row.push(in_a_process(scenario, folder.path().to_str().unwrap(), zones));
            }
        }
    }
    for (row, scenario) in rows.iter().zip(SCENARIOS).filter(|(row, _)| !row.is_empty()) {
        print(scenario, row, &rows[0]);
    }
    if "served".contains(&only) {
        served::run(rounds);
    }
    if only.is_empty() {
        lists::run(rounds, zones);
        principals::run(zones, &brokers);
    }
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name).and_then(|_| arguments.next())
}

fn in_a_process(scenario: &Scenario, folder: &str, zones: usize) -> Figures {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--one", scenario.name, "--in", folder, "--zones", &zones.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", scenario.name, String::from_utf8_lossy(&output.stderr));
    Figures::parse(&String::from_utf8(output.stdout).unwrap())
}

fn print(scenario: &Scenario, row: &[Figures], floor: &[Figures]) {
    let of = |figure: fn(&Figures) -> f64| median(row.iter().map(figure));
    let mut ratios: Vec<_> =
        row.iter().zip(floor).map(|(it, floor)| it.milliseconds / floor.milliseconds).collect();
    ratios.sort_by(f64::total_cmp);
    let extremes = format!("({:.2}…{:.2})", ratios[0], ratios[ratios.len() - 1]);
    println!(
        "{:<28} {:>9.0} {:>7.2} {:>13}  {:>9.0} {:>9.0}  {:>9.0}",
        scenario.name,
        of(|it| it.milliseconds),
        median(ratios.iter().copied()),
        extremes,
        of(|it| it.cpu),
        of(|it| it.peak),
        of(|it| it.then),
    );
}
