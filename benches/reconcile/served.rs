//! From a pushed commit to partners being served by it, with everything real: the `reconciler` process, its state on Kafka.

use std::time::Instant;

use crate::measure::median;
use crate::support::kafka::Cluster;
use crate::support::product::{Product, Setup, manifest};

const ZONES: usize = 50;

/// Prints how long it takes until the API shows a changed zone READY with its change. The repository lies on this machine, so its
/// change is noticed at once: with a remote one, the poll interval or the webhook's way comes on top.
pub(crate) fn run(rounds: usize) {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let names: Vec<String> = (0..ZONES).map(|zone| format!("partner-{zone:02}.yaml")).collect();
    let texts: Vec<String> = (0..ZONES).map(|zone| text(zone, "orders")).collect();
    let zones: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let product = Product::start(&cluster, Setup::KAFKA, &zones);
    product.wait_for_status("partner-07", "READY");
    let seconds = (0..rounds).map(|round| {
        let alias = format!("orders-{round}");
        product.commit("Another name", &[(&names[7], Some(&text(7, &alias)))]);
        let pushed = Instant::now();
        product.wait_for_zone("partner-07", |zone| {
            zone.is_some_and(|zone| {
                zone["status"]["phase"] == "READY" && zone["spec"]["topics"][0]["name"] == alias.as_str()
            })
        });
        pushed.elapsed().as_secs_f64()
    });
    let seconds: Vec<f64> = seconds.collect();
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    println!(
        "commit to served: median {:.2} s, longest {longest:.2} s of {rounds}",
        median(seconds.iter().copied())
    );
}

fn text(zone: usize, alias: &str) -> String {
    manifest(&format!("partner-{zone:02}"), &[(alias, "orders", "READ")])
}
