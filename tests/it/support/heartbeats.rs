//! Several gateways of one process that hear of each other's demand, as they do over the store.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use partner_zones::gateway::Reports;

use super::gateway::InProcess;

/// As of a process.
const EACH: Duration = Duration::from_secs(2);

/// Heartbeats between gateways, until dropped.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    stop: AtomicBool,
    /// Which of them are neither heard nor hear anybody, by place.
    pub(crate) cut_off: Mutex<Vec<usize>>,
}

impl Heartbeats {
    /// Does `work` while these nodes hear each other, each every two seconds.
    pub(crate) fn between<T>(nodes: &[InProcess], work: impl FnOnce(&Self) -> T) -> T {
        let heartbeats = Self::default();
        std::thread::scope(|scope| {
            scope.spawn(|| heartbeats.run(nodes));
            // The scope waits for the heartbeats, after a failure too.
            let _stop = StopOnDrop(&heartbeats.stop);
            work(&heartbeats)
        })
    }

    fn run(&self, nodes: &[InProcess]) {
        let mut reports = Reports::new();
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let cut_off = self.cut_off.lock().unwrap().clone();
            let speaks = turn % nodes.len();
            if cut_off.contains(&speaks) {
                reports.remove(&name(speaks));
            } else {
                reports.insert(name(speaks), nodes[speaks].handle().demands());
            }
            for (place, node) in nodes.iter().enumerate() {
                let heard = if cut_off.contains(&place) { Reports::new() } else { reports.clone() };
                node.handle().hear(&name(place), heard);
            }
            sleep(EACH / u32::try_from(nodes.len()).unwrap());
        }
    }
}

fn name(place: usize) -> String {
    format!("node-{place}")
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
