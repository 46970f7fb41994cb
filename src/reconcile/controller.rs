//! The loop of the control plane. Level-triggered: every run reads the source and the state anew and does what is missing;
//! why it was woken plays no part.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::apply::{Applier, ApplyError};
use super::attempts::{Attempts, backoff};
use super::backing::Backing;
use super::data_plane::DataPlane;
use super::flapping::Flapping;
use super::guard::Limits;
use super::identity::Address;
use super::metrics::ReconcileMetrics;
use super::plan::{Desired, Observed, SelfHeal};
use super::reader::Reader;
use super::report::{self, Ended};
use super::source::{History, Source, SourceError, Watch};
use crate::manifest::Known;
use crate::store::{Change, Leadership, State, Store, StoreError};
use crate::zone::{ApplyRequest, ControllerStatus, Controls};

/// What a controller needs to know.
#[derive(Debug)]
pub struct ControllerConfig {
    pub source: Source,
    pub poll_interval: Duration,
    /// What the files are checked against.
    pub known: Known,
    pub limits: Limits,
    pub self_heal: SelfHeal,
    pub applier: Applier,
    /// The clusters, which are asked who they are before anything is planned.
    pub clusters: Vec<Address>,
    /// `None`: every cluster has `isolation: shared`, so that there is nothing to do on them.
    pub backing: Option<Arc<dyn Backing>>,
    /// Who the gateways are to the home cluster; `None` where they serve each zone as its principal there.
    pub data_plane: Option<DataPlane>,
    /// Runs that somebody asks for.
    pub requests: mpsc::Receiver<ApplyRequest>,
    pub metrics: ReconcileMetrics,
}

/// Reads on every node that has the role; applies on the one that leads.
#[derive(Debug)]
pub struct Controller {
    reader: Reader,
    watch: Watch,
    pub(super) limits: Limits,
    pub(super) self_heal: SelfHeal,
    pub(super) applier: Applier,
    pub(super) clusters: Vec<Address>,
    pub(super) backing: Option<Arc<dyn Backing>>,
    pub(super) data_plane: Option<DataPlane>,
    requests: mpsc::Receiver<ApplyRequest>,
    metrics: ReconcileMetrics,
    pub(super) store: Arc<dyn Store>,
    pub(super) attempts: Attempts,
    pub(super) flapping: Flapping,
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

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Apply(error.into())
    }
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

/// What ended the wait for the next run.
enum Woken {
    Look,
    Asked(ApplyRequest),
    Ended,
}

impl Controller {
    pub fn new(config: ControllerConfig, store: Arc<dyn Store>) -> Self {
        let watch = Watch::new(&config.source, config.poll_interval);
        Self {
            reader: Reader::new(config.source, config.known),
            watch,
            limits: config.limits,
            self_heal: config.self_heal,
            applier: config.applier,
            clusters: config.clusters,
            backing: config.backing,
            data_plane: config.data_plane,
            requests: config.requests,
            metrics: config.metrics,
            store,
            attempts: Attempts::default(),
            flapping: Flapping::default(),
            status: watch::Sender::new(Arc::default()),
        }
    }

    pub fn status(&self) -> watch::Receiver<Arc<ControllerStatus>> {
        self.status.subscribe()
    }

    /// Runs until it is cancelled. A run that has begun to commit is finished first.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut state = self.store.state();
        let mut leadership = self.store.leadership();
        let mut failures = 0;
        let mut request = None;
        // Nothing is compared with a state that has not been read yet. An error means that the store is gone.
        while cancel.run_until_cancelled(is_known(&mut state)).await == Some(true) {
            leadership.mark_unchanged();
            let controls = state.borrow().as_ref().map(|state| state.controls.clone()).unwrap_or_default();
            let wait = match self.reconcile(request.take(), &cancel).await {
                Next::Never => break,
                Next::Due => {
                    failures = 0;
                    None
                }
                Next::Retry => {
                    failures += 1;
                    Some(backoff(failures))
                }
            };
            match self.wait(wait, &controls, &mut state, &mut leadership, &cancel).await {
                Woken::Ended => break,
                Woken::Look => {}
                Woken::Asked(asked) => request = Some(asked),
            }
        }
    }

    /// Waits for whatever comes first: the source, a failed zone's next try, the end of a rollback, the lead, an operator's word.
    async fn wait(
        &mut self,
        retry: Option<Duration>,
        controls: &Controls,
        state: &mut watch::Receiver<Option<Arc<State>>>,
        leadership: &mut watch::Receiver<Leadership>,
        cancel: &CancellationToken,
    ) -> Woken {
        let zone_due = self.attempts.next_due();
        let rollback_ends = controls.rollback.as_ref().map(|rollback| rollback.until);
        let spoken =
            |state: &Option<Arc<State>>| state.as_ref().is_some_and(|state| state.controls != *controls);
        tokio::select! {
            () = cancel.cancelled() => Woken::Ended,
            () = async { if let Some(retry) = retry { sleep(retry).await } else { self.watch.due().await } } => Woken::Look,
            () = async { if let Some(due) = zone_due { sleep_until(due).await } else { pending().await } } => Woken::Look,
            () = until(rollback_ends) => Woken::Look,
            changed = leadership.changed() => if changed.is_ok() { Woken::Look } else { Woken::Ended },
            known = state.wait_for(spoken) => if known.is_ok() { Woken::Look } else { Woken::Ended },
            Some(asked) = self.requests.recv() => Woken::Asked(asked),
        }
    }

    async fn reconcile(&mut self, request: Option<ApplyRequest>, cancel: &CancellationToken) -> Next {
        let (began, at) = (Instant::now(), OffsetDateTime::now_utc());
        let Some(state) = self.store.state().borrow().clone() else { return Next::Retry };
        // A server that does not answer is not waited for; a commit that has begun is.
        let reading = self.reader.read(history(&state.controls, &state, at), Observed::of(&state).zones);
        let Some(read) = cancel.run_until_cancelled(reading).await else { return Next::Never };
        let attempt = match read {
            Ok(desired) => self.attempt(desired, &state, request.as_ref(), at, cancel).await,
            Err(error) => Err(error.into()),
        };
        let last = Arc::clone(&self.status.borrow());
        let (mut status, mut run, next) = match attempt {
            Ok(ended) => {
                let (status, run) = report::ended(&last, &ended, at);
                (status, run, Next::Due)
            }
            Err(error) => {
                let is_transient = is_transient(&error);
                let leadership = self.store.leadership().borrow().clone();
                let (status, run) = report::failed(&last, &error, is_transient, &leadership, at);
                (status, run, if is_transient { Next::Retry } else { Next::Due })
            }
        };
        // What a run of one zone found says nothing of the others: the status stays that of the last whole one.
        if request.as_ref().is_some_and(|request| request.only.is_some()) {
            status = ControllerStatus::clone(&last);
        }
        run.request = request.map(|request| request.id);
        run.took = began.elapsed();
        self.metrics.ran(&run, &status, &state.controls);
        status.runs.record(run);
        report::log(&last, &status);
        self.status.send_replace(Arc::new(status));
        next
    }

    async fn attempt(
        &mut self,
        desired: Desired,
        state: &Arc<State>,
        request: Option<&ApplyRequest>,
        at: OffsetDateTime,
        cancel: &CancellationToken,
    ) -> Result<Ended, RunError> {
        self.attempts.begin(&desired.tree);
        if request.is_some() {
            self.attempts.all_are_due(Instant::now());
        }
        if *self.store.leadership().borrow() != Leadership::Leading {
            // Whoever asks for a run is not told that it went well where nobody applied anything.
            return match request {
                Some(_) => Err(StoreError::NotLeader.into()),
                None => self.look(desired, state, at).await,
            };
        }
        self.end_rollback(state, at).await?;
        self.lead(desired, state, request, at, cancel).await
    }

    /// A rollback that is over leaves the state, so that nobody has to look at the clock to know.
    async fn end_rollback(&self, state: &State, at: OffsetDateTime) -> Result<(), StoreError> {
        let Some(over) = state.controls.rollback.as_ref().filter(|rollback| rollback.until <= at) else {
            return Ok(());
        };
        let data = serde_json::json!({ "commit": over.commit, "reason": "its time is over" });
        let event = self.applier.event("controller.rollback-ended", "controller/source", &data, at);
        self.store.commit(vec![Change::EndRollback, Change::Audit(event)]).await?;
        tracing::warn!(commit = over.commit, "the rollback is over; the branch is followed again");
        Ok(())
    }
}

/// Which commits may be read, as operators decided.
fn history(controls: &Controls, state: &State, at: OffsetDateTime) -> History {
    History {
        applied: state.revision.clone(),
        accepted: controls.accepted.as_ref().map(|acceptance| acceptance.commit.clone()),
        pinned: controls.rollback_at(at).map(|rollback| rollback.commit.clone()),
    }
}

/// Waits for the first state; `false` when there will never be one.
async fn is_known(state: &mut watch::Receiver<Option<Arc<State>>>) -> bool {
    state.wait_for(Option::is_some).await.is_ok()
}

/// Sleeps until then by the wall clock, looking at it every now and then: it may be set.
async fn until(end: Option<OffsetDateTime>) {
    const LOOK: Duration = Duration::from_secs(30);
    let Some(end) = end else { return pending().await };
    while let Ok(left) = Duration::try_from(end - OffsetDateTime::now_utc()) {
        sleep(left.min(LOOK)).await;
    }
}

/// Whether the fault may pass by itself. A node that lost the lead is woken when it comes to lead again.
fn is_transient(error: &RunError) -> bool {
    match error {
        RunError::Source(error) => error.is_transient(),
        RunError::Apply(ApplyError::Outdated | ApplyError::NotReadBack(_)) => true,
        RunError::Apply(ApplyError::Store(error)) => match error {
            StoreError::Unreachable(_) | StoreError::NotSetUp(_) | StoreError::Conflict(_) => true,
            StoreError::NotLeader | StoreError::Fenced | StoreError::Unfit(_) => false,
        },
    }
}
