//! Figures of all rounds, and the lines that they come to.

use std::collections::BTreeMap;

/// One scenario over all rounds, by peer.
#[derive(Default)]
pub(crate) struct Row {
    /// MB of records a second.
    speed: BTreeMap<&'static str, Vec<f64>>,
    /// CPU seconds per GB of records, of the peer's own process.
    cpu: BTreeMap<&'static str, Vec<f64>>,
}

impl Row {
    pub(crate) fn add(&mut self, peer: &'static str, bytes: usize, seconds: f64, cpu: Option<f64>) {
        let gigabytes = bytes as f64 / 1e9;
        self.speed.entry(peer).or_default().push(gigabytes * 1e3 / seconds);
        if let Some(cpu) = cpu {
            self.cpu.entry(peer).or_default().push(cpu / gigabytes);
        }
    }

    pub(crate) fn print_head() {
        println!(
            "{:<34} {:>7} {:>7} {:>7}  {:>8} {:>8}  {:>24}",
            "", "direct", "haproxy", "gateway", "haproxy", "gateway", "gateway / haproxy"
        );
        println!(
            "{:<34} {:>23}  {:>17}  {:>24}",
            "scenario", "MB/s", "CPU s per GB", "CPU per GB (min … max)"
        );
    }

    pub(crate) fn print(&self, name: &str) {
        let speed = |peer| self.speed.get(peer).map_or(f64::NAN, |all| median(all));
        let cpu = |peer| self.cpu.get(peer).map_or(f64::NAN, |all| median(all));
        let ratios = match (self.cpu.get("gateway"), self.cpu.get("haproxy")) {
            (Some(gateway), Some(haproxy)) => {
                spread(&gateway.iter().zip(haproxy).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
            }
            _ => "-".to_owned(),
        };
        println!(
            "{name:<34} {:>7.0} {:>7.0} {:>7.0}  {:>8.2} {:>8.2}  {ratios:>24}",
            speed("direct"),
            speed("haproxy"),
            speed("gateway"),
            cpu("haproxy"),
            cpu("gateway"),
        );
    }
}

/// Median, and the extremes.
pub(crate) fn spread(values: &[f64]) -> String {
    format!("{:.2} ({:.2} … {:.2})", median(values), quantile(values, 0.0), quantile(values, 1.0))
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The nearest-rank quantile; `at` is 0 to 1.
pub(crate) fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    let index = ((sorted.len() - 1) as f64 * at).round() as usize;
    sorted[index]
}
