//! What a hostile partner, and somebody who is none, can do to the product with bytes of their own making.

mod neighbours;
mod siege;

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Partner, Product, Setup, manifest};
use crate::support::wire::{Wire, bytes, fetch, framed, request, string};

/// What the process has in memory now, in MiB.
fn resident(product: &Product) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", product.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// The first broker's port, counted from the bootstrap port.
const FIRST_BROKER: u16 = 1;

fn logged_in(product: &Product, partner: &Partner) -> Wire {
    Wire::logged_in(product.port + FIRST_BROKER, &partner.username, &partner.secret)
}

/// One zone with a readable alias, its product and its partner's credential.
fn shared_zone() -> (Product, Partner) {
    let cluster = Cluster::shared();
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let product = Product::start(
        cluster,
        Setup::MEMORY,
        &[("acme.yaml", &manifest("acme", &[("r", &backing, "READ")]))],
    );
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    (product, partner)
}

#[test]
fn bytes_that_are_no_login_end_their_own_connection_and_nothing_else() {
    let (product, partner) = shared_zone();
    let claim = |length: i32| [&length.to_be_bytes()[..], b"abc"].concat();
    let name_of = |length: u8| {
        [&[0, 18, 0, 3, 0, 0, 0, 1, 0, 1, b'x', 0][..], &[0xff, 0xff, 0xff, 0xff, length]].concat()
    };
    for hostile in [
        claim(-1),
        claim(0),
        claim(3),
        claim(i32::MAX),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        framed(&[0xff; 40]),
        framed(&name_of(7)),
        request(3, 1, &i32::MAX.to_be_bytes()),
        request(36, 0, &bytes(b"\0acme-account\0secret")),
        request(999, 0, b""),
    ] {
        let mut stranger = Wire::connect(product.port);
        assert_eq!(stranger.ask(&hostile), None, "{hostile:?}");
    }
    for hostile in [
        claim(0),
        request(1, 4, &[&[0; 17][..], &i32::MAX.to_be_bytes()].concat()),
        request(3, 1, &(-2_i32).to_be_bytes()),
        request(3, 99, b""),
        request(19, 1, &[0; 12]),
        request(-1, 0, b""),
    ] {
        assert_eq!(logged_in(&product, &partner).ask(&hostile), None, "{hostile:?}");
    }
    logged_in(&product, &partner);
}

#[test]
fn a_fetch_session_does_not_grow_with_what_was_never_shared() {
    let (product, partner) = shared_zone();
    let mut attacker = logged_in(&product, &partner);
    let opened = attacker.ask(&fetch(0, 0, "r", &[0], 0)).unwrap();
    let session = i32::from_be_bytes(opened[10..14].try_into().unwrap());
    assert_ne!(session, 0);
    let before = resident(&product);
    for epoch in 1..=40 {
        attacker.ask(&fetch(session, epoch, &format!("hidden-{epoch}"), &[0], 1_000_000)).unwrap();
    }
    let after = resident(&product);
    assert!(after < before + 100, "{before} MiB became {after} MiB");
}

#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let (product, partner) = shared_zone();
    let mut attacker = logged_in(&product, &partner);
    // OffsetFetch v5 about a million partitions of a topic that is not shared: 4 MB ask for 20 MB.
    let partitions = bytes(&[0; 4]).into_iter().skip(4).cycle().take(4_000_000);
    let mut body =
        [string("g"), 1_i32.to_be_bytes().to_vec(), string("hidden"), 1_000_000_i32.to_be_bytes().to_vec()]
            .concat();
    body.extend(partitions);
    let question = request(9, 5, &body);
    let before = resident(&product);
    let mut most = before;
    for _ in 0..20 {
        if attacker.socket.write_all(&question).is_err() {
            break;
        }
        most = most.max(resident(&product));
    }
    assert!(most < before + 300, "{before} MiB became {most} MiB");
    logged_in(&product, &partner);
}

/// A login with the partner's name and a wrong secret, until it is refused.
fn guess(port: u16, user: &str) {
    let mut stranger = Wire::connect(port);
    let token = format!("\0{user}\0a-guess");
    stranger.ask(&request(17, 1, &string("PLAIN"))).unwrap();
    let refused = stranger.ask(&request(36, 0, &bytes(token.as_bytes()))).unwrap();
    assert_eq!(refused[4..6], 58_i16.to_be_bytes());
}

#[test]
fn who_guesses_waits_for_each_refusal_and_is_told_of_and_whoever_has_the_secret_does_not_wait() {
    let (mut product, partner) = shared_zone();
    logged_in(&product, &partner);
    let (port, user) = (product.port, partner.username.as_str());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || (0..3).for_each(|_| guess(port, user)));
        }
    });
    // From the same address, under the same name. Once more if the machine stood still in between.
    let overtakes = || {
        thread::scope(|scope| {
            let guess = scope.spawn(move || {
                guess(port, user);
                Instant::now()
            });
            thread::sleep(Duration::from_millis(50));
            logged_in(&product, &partner);
            let right = Instant::now();
            right < guess.join().unwrap()
        })
    };
    assert!((0..5).any(|_| overtakes()), "the right secret waits with the wrong ones");
    assert!(!product.metrics().contains("gateway_slowed_logins_total 0"), "{}", product.metrics());
    product.wait_for_line("logins fail again and again");
}
