//! The gateway under measure: the `reconciler` binary in a process of its own, with one zone from a Git repository.

use std::fs;

use super::support::kafka::Cluster;
use super::support::product::{Partner, Product, Setup, manifest};
use super::work::Target;

pub(crate) const BACKING_TOPIC: &str = "bench.orders.v1";
const ALIAS: &str = "orders";
const ZONE: &str = "bench";

pub(crate) struct Gateway {
    product: Product,
    partner: Partner,
}

impl Gateway {
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let zone = manifest(ZONE, &[(ALIAS, BACKING_TOPIC, "WRITE")]);
        let product = Product::start(cluster, Setup::MEMORY, &[("bench.yaml", &zone)]);
        product.wait_for_status(ZONE, "READY");
        let partner = product.partner(ZONE);
        Self { product, partner }
    }

    pub(crate) fn target(&self) -> Target {
        Target::new(
            &self.partner.bootstrap,
            ALIAS,
            &[
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", "PLAIN"),
                ("sasl.username", &self.partner.username),
                ("sasl.password", &self.partner.secret),
            ],
        )
    }

    /// User and system time of the gateway's process since it started (proc(5), fields 14 and 15; 100 ticks a second).
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.product.pid())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        ticks as f64 / 100.0
    }
}
