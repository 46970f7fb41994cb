//! Tasks with an owner: none outlives its process's shutdown, and none ends unnoticed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A group of tasks that is told to stop, and waited for, together.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Tasks {
    /// Runs a task that lives as long as the group. One that ends before, by a panic too, takes the whole group with it: a
    /// process without one of its parts must not look alive.
    pub(super) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let guard = Guard { name, cancel: self.cancel.clone(), failed: Arc::clone(&self.failed) };
        self.tracker.spawn(async move {
            let _guard = guard;
            task.await;
        });
    }

    /// Whether a task ended that should not have.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Tells all tasks to stop and waits for them; `false` if some had not ended by the deadline.
    pub(super) async fn stop(&self, deadline: Duration) -> bool {
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

struct Guard {
    name: &'static str,
    cancel: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.cancel.is_cancelled() {
            tracing::error!(task = self.name, "a part of this process ended by itself; stopping");
            self.failed.store(true, Ordering::Release);
            self.cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn stopping_waits_for_every_task() {
        let tasks = Tasks::default();
        let (cancel, (done, ended)) = (tasks.cancel.clone(), tokio::sync::oneshot::channel());
        tasks.spawn("worker", async move {
            cancel.cancelled().await;
            let _ = done.send(());
        });
        assert!(tasks.stop(SOON).await);
        assert!(ended.await.is_ok() && !tasks.failed());
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_stops_the_group() {
        for panics in [false, true] {
            let tasks = Tasks::default();
            tasks.spawn("worker", async move { assert!(!panics, "on purpose") });
            tokio::time::timeout(SOON, tasks.cancel.cancelled()).await.unwrap();
            assert!(tasks.failed());
        }
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_not_waited_for_beyond_the_deadline() {
        let tasks = Tasks::default();
        tasks.spawn("stubborn", std::future::pending());
        assert!(!tasks.stop(Duration::from_millis(20)).await);
    }
}
