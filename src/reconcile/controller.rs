//! The loop of the control plane. Level-triggered: every run reads the source and the state anew and does what is missing;
//! why it was woken plays no part.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::apply::{Applier, ApplyError};
use super::guard::Limits;
use super::metrics::ReconcileMetrics;
use super::plan::{Desired, Observed, Plan, Terms, plan};
use super::reader::Reader;
use super::report;
use super::source::{History, Source, SourceError, Watch, jittered};
use crate::manifest::Known;
use crate::store::{Leadership, State, Store, StoreError};
use crate::zone::ControllerStatus;

/// The first wait after a failure that may pass; it doubles up to [`LONGEST_BACKOFF`].
const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// What a controller needs to know.
#[derive(Debug)]
pub struct ControllerConfig {
    pub source: Source,
    pub poll_interval: Duration,
    /// What the files are checked against.
    pub known: Known,
    pub limits: Limits,
    pub applier: Applier,
    pub metrics: ReconcileMetrics,
}

/// Reads on every node that has the role; applies on the one that leads.
#[derive(Debug)]
pub struct Controller {
    reader: Reader,
    watch: Watch,
    limits: Limits,
    applier: Applier,
    metrics: ReconcileMetrics,
    store: Arc<dyn Store>,
    status: watch::Sender<Arc<ControllerStatus>>,
}

/// Why a run did not get to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// When to run next.
enum Next {
    /// When the source may have changed, or this node comes to lead.
    Due,
    /// Soon, since the fault may pass.
    Retry,
    /// It was cancelled.
    Never,
}

impl Controller {
    pub fn new(config: ControllerConfig, store: Arc<dyn Store>) -> Self {
        let ControllerConfig { source, poll_interval, known, limits, applier, metrics } = config;
        let watch = Watch::new(&source, poll_interval);
        let status = watch::Sender::new(Arc::default());
        Self { reader: Reader::new(source, known), watch, limits, applier, metrics, store, status }
    }

    pub fn status(&self) -> watch::Receiver<Arc<ControllerStatus>> {
        self.status.subscribe()
    }

    /// Runs until it is cancelled. A run that has begun to commit is finished first.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut state = self.store.state();
        let mut leadership = self.store.leadership();
        let mut backoff = SHORTEST_BACKOFF;
        // Nothing is compared with a state that has not been read yet. An error means that the store is gone.
        while cancel.run_until_cancelled(is_known(&mut state)).await == Some(true) {
            leadership.mark_unchanged();
            let wait = match self.reconcile(&cancel).await {
                Next::Never => break,
                Next::Due => {
                    backoff = SHORTEST_BACKOFF;
                    None
                }
                Next::Retry => {
                    let wait = jittered(backoff);
                    backoff = backoff.saturating_mul(2).min(LONGEST_BACKOFF);
                    Some(wait)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = async { if let Some(wait) = wait { sleep(wait).await } else { self.watch.due().await } } => {}
                changed = leadership.changed() => if changed.is_err() { break },
            }
        }
    }

    async fn reconcile(&mut self, cancel: &CancellationToken) -> Next {
        let Some(state) = self.store.state().borrow().clone() else { return Next::Retry };
        // A server that does not answer is not waited for; a commit that has begun is.
        let reading = self.reader.read(History::after(state.revision.clone()));
        let Some(read) = cancel.run_until_cancelled(reading).await else { return Next::Never };
        let attempt = match read {
            Ok(desired) => self.attempt(desired, &state).await,
            Err(error) => Err(error.into()),
        };
        match attempt {
            Ok(status) => {
                self.metrics.completed(&status, OffsetDateTime::now_utc());
                self.publish(status);
                Next::Due
            }
            Err(error) => {
                self.metrics.failed();
                let is_transient = is_transient(&error);
                let last = Arc::clone(&self.status.borrow());
                self.publish(report::failure(&last, &error, is_transient));
                if is_transient { Next::Retry } else { Next::Due }
            }
        }
    }

    async fn attempt(&self, desired: Desired, state: &State) -> Result<ControllerStatus, RunError> {
        let observed = Observed::of(state);
        let (plan, desired, observed) = planned(desired, observed, self.limits).await?;
        if *self.store.leadership().borrow() != Leadership::Leading {
            return Ok(report::following(&plan, &desired.loaded, &observed));
        }
        let now = OffsetDateTime::now_utc();
        let applied = self.applier.apply(self.store.as_ref(), &desired, &observed, &plan, now).await?;
        if let Some(sequence) = applied {
            let summary = plan.summary();
            tracing::info!(
                revision = %plan.revision, %sequence, add = summary.add, change = summary.change, delete = summary.delete,
                refused = plan.guard.is_refusing(), "applied"
            );
        }
        Ok(report::applied(&plan, &desired.loaded, &observed))
    }

    fn publish(&self, status: ControllerStatus) {
        self.status.send_if_modified(|last| {
            if **last == status {
                return false;
            }
            report::log(last, &status);
            *last = Arc::new(status);
            true
        });
    }
}

/// Waits for the first state; `false` when there will never be one.
async fn is_known(state: &mut watch::Receiver<Option<Arc<State>>>) -> bool {
    state.wait_for(Option::is_some).await.is_ok()
}

/// Comparing thousands of zones is no work for a thread that other tasks wait for.
async fn planned(
    desired: Desired,
    observed: Observed,
    limits: Limits,
) -> Result<(Plan, Desired, Observed), RunError> {
    let planning = tokio::task::spawn_blocking(move || {
        let plan = plan(
            &desired,
            &observed,
            &Terms { limits, allowances: desired.allowances(), ..Terms::default() },
        );
        (plan, desired, observed)
    });
    planning.await.map_err(|_| RunError::Source(SourceError::Busy))
}

/// Whether the fault may pass by itself. A node that lost the lead is woken when it comes to lead again.
fn is_transient(error: &RunError) -> bool {
    match error {
        RunError::Source(error) => error.is_transient(),
        RunError::Apply(ApplyError::Outdated) => true,
        RunError::Apply(ApplyError::Store(error)) => match error {
            StoreError::Unreachable(_) | StoreError::NotSetUp(_) | StoreError::Conflict(_) => true,
            StoreError::NotLeader | StoreError::Fenced | StoreError::Unfit(_) => false,
        },
    }
}
