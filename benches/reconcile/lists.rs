//! How long people wait for lists when there are many zones: over HTTP, from a running product with a store in memory.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::measure::median;
use crate::support::kafka::Cluster;
use crate::support::product::{Product, Setup, manifest};
use crate::support::rest::Rest;

/// What is asked for, and under which name it is shown. The first is the floor: an answer that does not look at zones.
const QUESTIONS: [(&str, &str); 9] = [
    ("who asks", "/api/v1/session"),
    ("a page of 50", "/api/v1/zones?limit=50"),
    ("a page by status", "/api/v1/zones?limit=50&sort=status"),
    ("a page with usage", "/api/v1/zones?limit=50&include=usage"),
    ("what failed", "/api/v1/zones?limit=50&status=FAILED"),
    ("a search", "/api/v1/zones?limit=50&search=09999"),
    ("all zones", "/api/v1/zones"),
    ("the page in a browser", "/ui/zones"),
    ("a zone in a browser", "/ui/zones/partner-09999"),
];

/// A key may ask 50 times a second.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints, for each question, milliseconds until the answer is here, and how many times as long as the floor's.
pub(crate) fn run(rounds: usize, zones: usize) {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let names: Vec<String> = (0..zones).map(|zone| format!("partner-{zone:05}.yaml")).collect();
    let texts: Vec<String> = (0..zones)
        .map(|zone| manifest(&format!("partner-{zone:05}"), &[("orders", "orders", "READ")]))
        .collect();
    let files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let product = Product::start(&cluster, Setup::MEMORY, &files);
    let rest = Rest::admin(&product);
    let session = rest.send(
        Method::POST,
        "/api/v1/sign-in",
        &[("Content-Type", "application/json")],
        &format!("{{\"key\": \"{}\"}}", product.admin_key()),
    );
    let cookie = format!("partner-zones-session={}", session.expect(201)["token"].as_str().unwrap());
    await_zones(&rest, zones);
    println!("lists of {zones} zones: ms until the answer is here, longest, times the floor");
    let mut floor = 0.0;
    for (name, path) in QUESTIONS {
        let taken: Vec<f64> = (0..rounds.max(10)).map(|_| milliseconds(&rest, path, &cookie)).collect();
        let (middle, longest) = (median(taken.iter().copied()), taken.iter().copied().fold(0.0, f64::max));
        if floor == 0.0 {
            floor = middle;
        }
        println!("{name:<28} {middle:>9.1} {longest:>9.1} {:>9.1}", middle / floor);
    }
}

fn await_zones(rest: &Rest, zones: usize) {
    let begun = Instant::now();
    while rest.get("/api/v1/zones?limit=1&status=READY").expect(200)["total"] != zones {
        assert!(begun.elapsed() < Duration::from_mins(5), "not all zones are ready");
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn milliseconds(rest: &Rest, path: &str, cookie: &str) -> f64 {
    std::thread::sleep(PAUSE);
    let asked = Instant::now();
    rest.send(Method::GET, path, &[("Cookie", cookie)], "").expect(200);
    asked.elapsed().as_secs_f64() * 1e3
}
