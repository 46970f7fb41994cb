//! Faults of everything that the product stands on, and of itself, while clients work: through the gateways, and as the measure
//! directly. `docs/chaos.md` says what is done and what has to hold.
//!
//! `CHAOS_ROUNDS` is how many random faults there are (a few by default, which is for CI), `CHAOS_SEED` repeats a plan, `CHAOS_WITHOUT` names [`means`] to go
//! without.

mod fault;
mod flow;
mod ledger;
mod means;
mod named;
mod network;
mod node;
mod relay;
mod severed;
mod stage;
mod table;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use self::fault::{Fault, Kind};
use self::stage::Stage;
use self::table::{Side, Table};

/// Without [`ROUNDS`], as many as fit.
const SHORT: Duration = Duration::from_secs(50);
const SHORT_ROUNDS: u64 = 4;

const ROUNDS: &str = "CHAOS_ROUNDS";
const SEED: &str = "CHAOS_SEED";

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn random_faults_lose_and_double_nothing_and_everything_comes_back() {
    let wanted = setting(ROUNDS);
    let rounds = wanted.unwrap_or(SHORT_ROUNDS);
    let seed = setting(SEED).unwrap_or_else(|| rand::rng().random());
    eprintln!("{SEED}={seed} {ROUNDS}={rounds}");
    let mut random = StdRng::seed_from_u64(seed);
    let kinds: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.is_possible()).collect();
    let mut stage = Stage::start();
    let (mut table, begun) = (Table::default(), Instant::now());
    for round in 1..=rounds {
        let fault = Fault::random(*kinds.choose(&mut random).unwrap(), &mut random);
        eprintln!("round {round}, after {:.0} s: {fault:?}", begun.elapsed().as_secs_f64());
        endure(&mut stage, fault, &mut table);
        if round % 20 == 0 {
            eprintln!("{table}");
        }
        if wanted.is_none() && begun.elapsed() > SHORT {
            break;
        }
    }
    let counts = stage.settle();
    eprintln!("{SEED}={seed} {ROUNDS}={rounds}\n\n{table}\n{counts:#?}");
    for (owner, counts) in counts {
        assert_eq!(counts.lost, 0, "{owner}");
    }
}

/// One fault from its beginning until everything is as it was, with a commit on its way meanwhile.
fn endure(stage: &mut Stage, fault: Fault, table: &mut Table) {
    let before: Vec<_> = stage.flows.iter().map(|flow| (flow.ledger.counts(), flow.ledger.marks())).collect();
    let since = Instant::now();
    let injected = fault.inject(stage);
    stage.push();
    injected.last(stage);
    injected.heal(stage);
    let healed = Instant::now();
    stage.await_flows();
    stage.await_applied();
    let recovery = healed.elapsed();
    stage.check();
    let sides = [true, false].map(|direct| {
        let flows = stage.flows.iter().zip(&before);
        let mut side = Side::default();
        for (flow, (before, marks)) in flows.filter(|(flow, _)| flow.is_direct() == direct) {
            let now = flow.ledger.counts();
            for twice in flow.ledger.twice().into_iter().skip(usize::try_from(before.duplicated).unwrap()) {
                // A client that has an answer sends nothing again.
                let answered = twice.number < marks[twice.partition].0;
                assert!(!answered, "{fault:?}: {} has {twice:?}, acknowledged before", flow.account.owner);
            }
            side.gap = side.gap.max(flow.ledger.longest_gap(since));
            side.counts.lost += now.lost - before.lost;
            side.counts.duplicated += now.duplicated - before.duplicated;
            side.counts.again += now.again - before.again;
        }
        side
    });
    let [direct, gateway] = sides;
    assert!(gateway.counts.duplicated == 0 || fault.kind.may_double(), "{fault:?}: {gateway:?}, {direct:?}");
    table.add(fault.kind, recovery, gateway, direct);
}
