//! Figures of all rounds, and the lines that they come to.

use super::process::Spent;

/// What a peer did in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) bytes: usize,
    pub(crate) seconds: f64,
    /// By the peer's own process; of the broker's nothing is known.
    pub(crate) cpu: Option<Spent>,
}

/// One scenario: all runs of the peers, round by round, and their memory.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) direct: Vec<Run>,
    pub(crate) haproxy: Vec<Run>,
    pub(crate) gateway: Vec<Run>,
    /// MiB that a process had more at most than when it was idle and new: HAProxy, the gateway.
    pub(crate) peak: [f64; 2],
    /// MiB that were taken at most of the gateway's budget for large frames.
    pub(crate) budget: f64,
}

impl Run {
    fn gigabytes(&self) -> f64 {
        self.bytes as f64 / 1e9
    }

    pub(crate) fn speed(&self) -> f64 {
        self.gigabytes() * 1e3 / self.seconds
    }

    pub(crate) fn cpu_per_gigabyte(&self) -> f64 {
        self.cpu.map_or(f64::NAN, |cpu| cpu.seconds / self.gigabytes())
    }
}

impl Row {
    pub(crate) fn print_head() {
        println!(
            "{:<34} {:>42}  {:>35}  {:>23}",
            "", "MB/s, gateway / HAProxy", "CPU s per GB, gateway / HAProxy", "peak MiB"
        );
        println!(
            "{:<34} {:>6} {:>7} {:>7} {:>19}  {:>7} {:>7} {:>19}  {:>7} {:>7} {:>7}",
            "scenario",
            "direct",
            "HAProxy",
            "gateway",
            "median (extremes)",
            "HAProxy",
            "gateway",
            "median (extremes)",
            "HAProxy",
            "gateway",
            "budget"
        );
    }

    pub(crate) fn print(&self, name: &str) {
        let of = |runs: &[Run], figure: fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
        println!(
            "{name:<34} {:>6.0} {:>7.0} {:>7.0} {:>19}  {:>7.2} {:>7.2} {:>19}  {:>7.1} {:>7.1} {:>7.1}",
            of(&self.direct, Run::speed),
            of(&self.haproxy, Run::speed),
            of(&self.gateway, Run::speed),
            self.ratio(Run::speed),
            of(&self.haproxy, Run::cpu_per_gigabyte),
            of(&self.gateway, Run::cpu_per_gigabyte),
            self.ratio(Run::cpu_per_gigabyte),
            self.peak[0],
            self.peak[1],
            self.budget,
        );
    }

    /// The gateway's figure over HAProxy's of the same round.
    fn ratio(&self, figure: fn(&Run) -> f64) -> String {
        let [ours, theirs] =
            [&self.gateway, &self.haproxy].map(|runs| runs.iter().map(figure).collect::<Vec<_>>());
        ratios(&ours, &theirs)
    }

    /// User and kernel time of all rounds together, since the kernel counts them in steps.
    pub(crate) fn print_split(&self) {
        let of = |runs: &[Run], mode: fn(&Spent) -> f64| {
            let spent: f64 = runs.iter().filter_map(|run| run.cpu.as_ref()).map(mode).sum();
            spent / runs.iter().map(Run::gigabytes).sum::<f64>()
        };
        let [haproxy, gateway] = [&self.haproxy, &self.gateway]
            .map(|runs| format!("{:.2} + {:.2}", of(runs, |cpu| cpu.user), of(runs, |cpu| cpu.system)));
        println!("    user + kernel, CPU s per GB: HAProxy {haproxy}, gateway {gateway}");
    }
}

/// Of figures of the same rounds.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> String {
    spread(&ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
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
