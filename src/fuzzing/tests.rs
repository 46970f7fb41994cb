use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{RngExt, SeedableRng};

use super::{TARGETS, Target};

/// Random changes that are tried on each target, behind all of its seeds.
const CHANGES: usize = 400;

#[test]
fn every_target_holds_for_its_seeds_and_for_what_random_changes_make_of_them() {
    for target in &TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 1, "{} has no seeds", target.name);
        for seed in &seeds {
            hold(target, seed);
        }
        let mut random = StdRng::seed_from_u64(rand::random());
        for _ in 0..CHANGES {
            hold(target, &changed(&seeds, &mut random));
        }
    }
}

fn hold(target: &Target, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(outcome.is_ok(), "{} does not hold for {input:02x?}", target.name);
}

/// A seed with a few bytes changed, a part taken away or doubled, or the end of another one.
fn changed(seeds: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    const TELLING: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, b'\n'];
    let mut input = seeds.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..=4) {
        let at = (0..=input.len()).choose(random).unwrap();
        let end = input.len().min(at + random.random_range(1..=16));
        match random.random_range(0..6) {
            0 if at < end => input[at] = *TELLING.choose(random).unwrap(),
            1 if at < end => input[at] ^= 1 << random.random_range(0..8),
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                input.splice(at..at, part);
            }
            4 => input.truncate(at),
            5 => {
                let other = seeds.choose(random).unwrap();
                input.splice(at.., other[at.min(other.len())..].iter().copied());
            }
            _ => input.push(random.random()),
        }
    }
    input
}
