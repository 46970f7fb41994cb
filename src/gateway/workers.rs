//! The threads that serve partners' connections, each with an event loop of its own.
//!
//! A connection stays on the thread it was given to, its broker's side included: whatever arrives wakes the thread that passes
//! it on. In a runtime whose threads share their work, the one that hears of a request wakes another to have it served,
//! which is most of what a small request costs.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    /// All of their tasks, for whoever waits for the end.
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Worker {
    events: Handle,
    tasks: TaskTracker,
}

impl Workers {
    /// One thread for each processor. They end when `cancel` is cancelled and what was spawned has ended, which `tasks` tracks
    /// too.
    pub(crate) fn start(tasks: TaskTracker, cancel: &CancellationToken) -> io::Result<Self> {
        let count = thread::available_parallelism()?.get();
        let workers =
            (0..count).map(|number| Worker::start(number, cancel.clone())).collect::<Result<_, _>>()?;
        Ok(Self { workers, tasks })
    }

    /// Runs a connection's task on the thread that has the fewest. Its sockets have to be made there, so that they belong to
    /// that thread's event loop.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(worker) = self.workers.iter().min_by_key(|worker| worker.tasks.len()) {
            worker.tasks.spawn_on(self.tasks.track_future(task), &worker.events);
        }
    }
}

impl Worker {
    fn start(number: usize, cancel: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let worker = Self { events: runtime.handle().clone(), tasks: TaskTracker::new() };
        let tasks = worker.tasks.clone();
        let serve = move || {
            runtime.block_on(async {
                cancel.cancelled().await;
                tasks.close();
                tasks.wait().await;
            });
        };
        thread::Builder::new().name(format!("partners-{number}")).spawn(serve)?;
        Ok(worker)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn tasks_are_spread_over_all_threads_and_waited_for() {
        const EACH: usize = 3;
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let workers = Workers::start(tasks.clone(), &cancel).unwrap();
        let (seen, threads) = mpsc::channel();
        for _ in 0..workers.workers.len() * EACH {
            let (seen, cancel) = (seen.clone(), cancel.clone());
            workers.spawn(async move {
                seen.send(thread::current().name().unwrap().to_owned()).unwrap();
                cancel.cancelled().await;
            });
        }
        let mut by_thread = BTreeMap::new();
        for _ in 0..workers.workers.len() * EACH {
            *by_thread.entry(threads.recv_timeout(Duration::from_secs(5)).unwrap()).or_insert(0) += 1;
        }
        assert_eq!(by_thread.len(), workers.workers.len());
        assert!(by_thread.values().all(|count| *count == EACH), "{by_thread:?}");
        cancel.cancel();
        tasks.close();
        let waiting = Builder::new_current_thread().enable_time().build().unwrap();
        let ended = async { tokio::time::timeout(Duration::from_secs(5), tasks.wait()).await };
        waiting.block_on(ended).unwrap();
    }
}
