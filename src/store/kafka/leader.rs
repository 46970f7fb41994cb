//! The leader's task: takes over, renews its lease, writes what it is asked to, steps down.
//!
//! The order of a take-over is what makes it safe: the writer's `init_transactions` first (it aborts what the predecessor
//! left open), then the tail reads to the end, and only then this process leads.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Names;
use super::connection::Connection;
use super::election::{Candidacy, Rivals};
use super::ledger;
use super::tail::Tail;
use super::time_of_day::{TimeOfDay, unless_set_back};
use super::writer::{After, Failure, Writer};
use crate::store::continuity::{self, Tally};
use crate::store::record::{CommitEnd, Line};
use crate::store::{
    Change, Health, LEADER_VERSION, Leadership, Lease, Ledger, Nodes, State, StoreError, changes,
};
use crate::zone::Sequence;

/// How long the tail may take to read what was written before.
const CATCH_UP: Duration = Duration::from_secs(30);
/// Between two tries to lead.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a node that must not lead leaves it to others. One that is of a later version, or reads what this one cannot, has the
/// lead by then and keeps it.
const ASIDE: Duration = Duration::from_secs(10);

/// What the leader is asked to do. The answer is dropped unsent when nobody leads.
#[derive(Debug)]
pub(super) enum Command {
    Commit(Vec<Change>, oneshot::Sender<Result<Sequence, StoreError>>),
    Confirm(oneshot::Sender<Result<(), StoreError>>),
}

/// What a leader says of itself in its lease.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) node: String,
    pub(super) url: String,
}

pub(super) struct Leader {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) identity: Identity,
    pub(super) lease_renewal: Duration,
    pub(super) tail: Tail,
    pub(super) ledger: Arc<Ledger>,
    pub(super) candidacy: watch::Receiver<Candidacy>,
    pub(super) rivals: Rivals,
    /// The nodes that serve partners, and from when on those that live have been heard.
    pub(super) nodes: watch::Receiver<Arc<Nodes>>,
    pub(super) all_heard: Instant,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) leadership: watch::Sender<Leadership>,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// One time of leading: what was written last, so that nothing has to be read for the next record.
struct Term {
    writer: Arc<Writer>,
    end: CommitEnd,
}

impl Leader {
    pub(super) async fn run(mut self) {
        while self.await_candidacy().await {
            match self.take_over().await {
                Ok(term) => {
                    tracing::info!(sequence = %term.end.sequence, "this node leads");
                    self.leadership.send_replace(Leadership::Leading);
                    self.lead(term).await;
                    self.leadership.send_replace(Leadership::Following);
                    tracing::info!("this node no longer leads");
                }
                Err(error) => {
                    tracing::warn!(%error, "this node could not take over as leader; it tries again");
                    if matches!(error, StoreError::Unfit(_)) {
                        self.rivals.let_others(ASIDE);
                    }
                }
            }
            self.cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
    }

    /// False when the process is to end.
    async fn await_candidacy(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return false,
                candidate = self.candidacy.wait_for(|c| *c == Candidacy::Candidate) => return candidate.is_ok(),
                command = self.commands.recv() => match command {
                    Some(unanswered) => drop(unanswered),
                    None => return false,
                },
            }
        }
    }

    async fn take_over(&mut self) -> Result<Term, StoreError> {
        let (connection, names, cancel) = (self.connection.clone(), self.names.clone(), self.cancel.clone());
        let taken = self.tracker.spawn_blocking(move || {
            let writer = Writer::take_over(&connection, &names, cancel)?;
            let end = writer.end()?;
            Ok((Arc::new(writer), end))
        });
        let taken = unless_set_back(taken).await.ok_or_else(set_back)?;
        let (writer, end) = taken.map_err(|error| StoreError::Unreachable(error.to_string()))??;
        let caught_up = self.catch_up(end).await;
        let mut term = Term { writer, end: CommitEnd::default() };
        let state = match caught_up {
            Ok(()) => self.fit_to_lead().await,
            Err(error) => Err(error),
        };
        match state {
            Ok(state) => term.end = continued(&state),
            Err(error) => {
                self.retire(term);
                return Err(error);
            }
        }
        match self.renew(&term).await {
            Ok(()) => Ok(term),
            Err(failure) => {
                self.retire(term);
                Err(failure.error)
            }
        }
    }

    /// The state, if this node may write what comes next.
    async fn fit_to_lead(&self) -> Result<Arc<State>, StoreError> {
        let state = self.tail.state.borrow().clone().unwrap_or_default();
        if state.leader_version > LEADER_VERSION {
            return Err(StoreError::Unfit(format!(
                "a later version of this program has led (it is {}, this one is {LEADER_VERSION}), and knows of things that this one \
                 would spoil; upgrade this node",
                state.leader_version
            )));
        }
        if state.sequence == Sequence::default() && matches!(self.rivals, Rivals::Group(_)) {
            self.cancel.run_until_cancelled(sleep_until(self.all_heard)).await;
            let nodes = self.nodes.borrow();
            let serving = nodes.iter().map(|(node, beat)| (node.as_str(), Sequence(beat.serving)));
            if let Some(problem) = continuity::emptied(serving) {
                return Err(StoreError::Unfit(problem));
            }
        }
        Ok(state)
    }

    /// Waits until the tail has read everything before `end`, and what it read is fit.
    async fn catch_up(&mut self, end: i64) -> Result<(), StoreError> {
        let (mut position, mut health) = (self.tail.position.clone(), self.tail.health.clone());
        let mut candidacy = self.candidacy.clone();
        let there = async {
            let _ = position.wait_for(|p| *p >= end).await;
            let healthy = health.wait_for(|h| *h != Health::Starting).await;
            match healthy.map(|h| h.clone()) {
                Ok(Health::Stale { reason, .. }) if *self.tail.unfit.borrow() => {
                    Err(StoreError::Unfit(reason))
                }
                Ok(Health::Stale { reason, .. }) => Err(StoreError::Unreachable(reason)),
                Ok(Health::Current | Health::Starting) => Ok(()),
                Err(_) => Err(StoreError::NotLeader),
            }
        };
        tokio::select! {
            there = timeout(CATCH_UP, there) => there.unwrap_or_else(|_| {
                let text = format!("the state was not read up to offset {end} within {} s", CATCH_UP.as_secs());
                Err(StoreError::Unreachable(text))
            }),
            _ = candidacy.wait_for(|c| *c == Candidacy::Bystander) => Err(StoreError::NotLeader),
            () = self.cancel.cancelled() => Err(StoreError::NotLeader),
        }
    }

    async fn lead(&mut self, mut term: Term) {
        let mut renewal = interval_at(Instant::now() + self.lease_renewal, self.lease_renewal);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut time_of_day = TimeOfDay::now();
        loop {
            let command = tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                () = time_of_day.set_back() => {
                    tracing::warn!("the time of day was set back; this node takes over anew");
                    break;
                }
                _ = self.candidacy.wait_for(|c| *c == Candidacy::Bystander) => {
                    tracing::info!("the leader group gives the leadership to another node");
                    break;
                }
                _ = self.tail.unfit.wait_for(|unfit| *unfit) => {
                    tracing::error!("the state is not what this node wrote; it writes nothing more");
                    break;
                }
                _ = renewal.tick() => None,
                command = self.commands.recv() => match command {
                    Some(command) => Some(command),
                    None => break,
                },
            };
            let writer = match command {
                Some(command) => self.obey(command, &mut term).await,
                None => self.renew_in_time(&term).await,
            };
            if writer == After::Broken {
                break;
            }
        }
        self.retire(term);
    }

    async fn renew_in_time(&self, term: &Term) -> After {
        match self.renew(term).await {
            Ok(()) => After::Usable,
            Err(failure) => {
                tracing::warn!(error = %failure.error, "the lease was not renewed");
                failure.writer
            }
        }
    }

    async fn obey(&self, command: Command, term: &mut Term) -> After {
        match command {
            Command::Confirm(answer) => self.settle(self.renew(term).await, answer),
            Command::Commit(changes, answer) => self.settle(self.commit(changes, term).await, answer),
        }
    }

    /// Leadership ends before the caller hears why, so that whoever looks then sees it.
    fn settle<T>(
        &self,
        outcome: Result<T, Failure>,
        answer: oneshot::Sender<Result<T, StoreError>>,
    ) -> After {
        let (result, writer) = match outcome {
            Ok(value) => (Ok(value), After::Usable),
            Err(failure) => (Err(failure.error), failure.writer),
        };
        if writer == After::Broken {
            self.leadership.send_replace(Leadership::Following);
        }
        if answer.send(result).is_err() {
            tracing::debug!("nobody waits for the outcome any more");
        }
        writer
    }

    /// A transaction as any other, so that a fenced leader hears of it. It changes no zone, so the sequence stays.
    async fn renew(&self, term: &Term) -> Result<(), Failure> {
        let lease = Lease {
            node: self.identity.node.clone(),
            url: self.identity.url.clone(),
            renewed_at: OffsetDateTime::now_utc(),
        };
        let lines =
            Line::lease(&lease).and_then(|lease| Ok(vec![lease, Line::end(&term.end)?])).map_err(usable)?;
        self.transact(&term.writer, lines).await
    }

    async fn commit(&self, changes: Vec<Change>, term: &mut Term) -> Result<Sequence, Failure> {
        let state = self.tail.state.borrow().clone().unwrap_or_default();
        let (changes, tally) = changes::complete(changes, &state).map_err(usable)?;
        let folds = changes.iter().any(|change| matches!(change, Change::FoldUsage(_)));
        if folds {
            self.read_usage(&term.writer).await.map_err(usable)?;
        }
        self.tail.written.begin(&changes);
        let outcome = self.write(&changes, tally, &state, term).await;
        self.tail.written.end();
        outcome
    }

    /// What is folded has to be all that is there: also what a predecessor, or this leader, folded last. Nobody else folds from here on.
    async fn read_usage(&self, writer: &Arc<Writer>) -> Result<(), StoreError> {
        let writer = Arc::clone(writer);
        let end = self.tracker.spawn_blocking(move || writer.end_of_usage());
        let end = unless_set_back(end).await.ok_or_else(set_back)?;
        let end = end.map_err(|error| StoreError::Unreachable(error.to_string()))??;
        ledger::reaches(&self.ledger, end).await
    }

    /// Writes them, and waits until this process has read them back.
    async fn write(
        &self,
        changes: &[Change],
        tally: Tally,
        state: &State,
        term: &mut Term,
    ) -> Result<Sequence, Failure> {
        let mut end = term.end.clone();
        end.sequence = changes::number(changes, end.sequence);
        end.tally = Some(tally);
        let mut lines = Vec::with_capacity(changes.len() + 1);
        for fold in self.ledger.folds_among(changes).map_err(usable)? {
            lines.extend(Line::fold(fold).map_err(usable)?);
        }
        for change in changes {
            match change {
                Change::Applied(revision) => end.revision = Some(revision.clone()),
                Change::GoesOn { lineage, .. } => end.lineage.extend(lineage),
                _ => {}
            }
            if let Some(line) = Line::of(change, end.sequence).map_err(usable)? {
                lines.push(line.with(&state.later).map_err(usable)?);
            }
        }
        lines.push(Line::end(&end).map_err(usable)?);
        self.transact(&term.writer, lines).await?;
        let sequence = end.sequence;
        term.end = end;
        self.await_tail(sequence).await?;
        Ok(sequence)
    }

    /// The next commit is checked against what the tail has read: a leader whose tail does not follow steps down.
    async fn await_tail(&self, sequence: Sequence) -> Result<(), Failure> {
        let mut state = self.tail.state.clone();
        let seen = state.wait_for(|state| state.as_ref().is_some_and(|s| s.sequence >= sequence));
        if let Ok(Ok(_)) = timeout(CATCH_UP, seen).await {
            return Ok(());
        }
        let text = format!("the change was made as commit {sequence}, but could not be read back");
        Err(Failure { error: StoreError::Unreachable(text), writer: After::Broken })
    }

    async fn transact(&self, writer: &Arc<Writer>, lines: Vec<Line>) -> Result<(), Failure> {
        let writer = Arc::clone(writer);
        let written = self.tracker.spawn_blocking(move || writer.transact(&lines));
        let broken = |error| Err(Failure { error, writer: After::Broken });
        match unless_set_back(written).await {
            Some(Ok(written)) => written,
            Some(Err(error)) => broken(StoreError::Unreachable(error.to_string())),
            None => broken(set_back()),
        }
    }

    /// Closing a producer waits for its broker connections.
    fn retire(&self, term: Term) {
        self.tracker.spawn_blocking(move || drop(term));
    }
}

/// What ends the commits of a new term, until it makes one. A store has an id from its first leader on.
fn continued(state: &State) -> CommitEnd {
    let mut lineage = state.lineage.clone();
    if lineage.is_empty() {
        lineage.insert(Uuid::new_v4());
    }
    CommitEnd {
        sequence: state.sequence,
        revision: state.revision.clone(),
        lineage,
        tally: Some(Tally::of(state)),
        leader_version: LEADER_VERSION,
    }
}

fn set_back() -> StoreError {
    let text = "the time of day was set back meanwhile; whether the change was made will show when this node has taken over anew";
    StoreError::Unreachable(text.to_owned())
}

/// Nothing was sent.
fn usable(error: StoreError) -> Failure {
    Failure { error, writer: After::Usable }
}
