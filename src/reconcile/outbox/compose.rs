//! A controller's status → letters. Level-triggered: it looks at what is, and writes what nobody was told yet.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::store::State;
use crate::zone::{
    CommitState, CommitStatus, Condition, ConditionKind, ConditionStatus, Content, ControllerStatus, Letter,
    Notice, Urgency,
};

/// A fault that is being retried is told once it has lasted this long: most pass by themselves.
const PATIENCE: Duration = Duration::from_mins(1);
/// Zones that are told of one by one; a fault of many zones has one cause.
const ZONES_TOLD: usize = 20;

/// Whom there is to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    pub(super) notices: bool,
    pub(super) statuses: bool,
}

#[derive(Debug)]
pub(super) struct Composer {
    channels: Channels,
    /// Faults that are being retried, by reason: since when.
    retried: BTreeMap<&'static str, Instant>,
    next_look: Option<Instant>,
}

impl Composer {
    pub(super) fn new(channels: Channels) -> Self {
        Self { channels, retried: BTreeMap::new(), next_look: None }
    }

    /// When to look again although nothing has changed.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// What is to be told and was not yet.
    pub(super) fn letters(
        &mut self,
        status: &ControllerStatus,
        state: &State,
        now: OffsetDateTime,
    ) -> Vec<Letter> {
        self.next_look = None;
        // The run that this node leads next says it with better knowledge: what was true when another one led is told already, or is
        // not true any more.
        if !status.is_by_leader {
            return Vec::new();
        }
        let mut contents = Vec::new();
        if self.channels.notices {
            let notices = self.notices(status, state).into_iter().map(Content::Notice);
            contents.extend(notices.filter(|content| !state.outbox.contains_key(&content.id())));
        }
        if let Some(status) = commit_status(status).filter(|_| self.channels.statuses) {
            let content = Content::Status(status);
            let is_told = state.outbox.get(&content.id()).is_some_and(|letter| letter.content == content);
            contents.extend((!is_told).then_some(content));
        }
        contents.into_iter().map(|content| Letter { content, written_at: now, sent_at: None }).collect()
    }

    fn notices(&mut self, status: &ControllerStatus, state: &State) -> Vec<Notice> {
        let Some(ready) = condition(status, ConditionKind::Ready) else { return Vec::new() };
        let revision = status.last_attempted.as_ref().map(|seen| seen.revision.clone());
        let about = |reason: &str, urgency, message: &str| Notice {
            zone: None,
            reason: reason.to_owned(),
            revision: revision.clone(),
            urgency,
            message: message.to_owned(),
        };
        if ready.status == ConditionStatus::True {
            self.retried.clear();
            let [applied, recovered] =
                ["Applied", "Recovered"].map(|went| about(went, Urgency::Info, &ready.message));
            if is_in_trouble(state) {
                return vec![recovered];
            }
            // Told with better news already.
            let is_told = state.outbox.contains_key(&Content::Notice(recovered).id());
            return if is_told { Vec::new() } else { vec![applied] };
        }
        if !self.is_certain(status, ready) {
            return Vec::new();
        }
        let mut notices = vec![about(ready.reason, Urgency::Error, &ready.message)];
        let mut of_zones: Vec<Notice> = status
            .problems
            .iter()
            .filter(|problem| problem.zone.is_some())
            .map(|problem| Notice {
                zone: problem.zone.clone(),
                ..about(&problem.code, Urgency::Error, &problem.to_string())
            })
            .collect();
        if of_zones.len() > ZONES_TOLD
            && let Some(first) = of_zones.first()
        {
            let message = format!("{} problems of zones, the first: {}", of_zones.len(), first.message);
            of_zones = vec![about("ManyZones", Urgency::Error, &message)];
        }
        notices.append(&mut of_zones);
        notices
    }

    /// Whether a fault is there to stay: nobody retries it, or that has gone on for a while.
    fn is_certain(&mut self, status: &ControllerStatus, ready: &Condition) -> bool {
        let reconciling = condition(status, ConditionKind::Reconciling);
        if ready.status == ConditionStatus::Unknown {
            return false;
        }
        if reconciling.is_none_or(|it| it.status != ConditionStatus::True) {
            return true;
        }
        self.retried.retain(|reason, _| *reason == ready.reason);
        let certain_at = *self.retried.entry(ready.reason).or_insert_with(Instant::now) + PATIENCE;
        let is_certain = Instant::now() >= certain_at;
        if !is_certain {
            self.next_look = Some(certain_at);
        }
        is_certain
    }
}

fn condition(status: &ControllerStatus, kind: ConditionKind) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether the last thing that was told of all zones together was a fault.
fn is_in_trouble(state: &State) -> bool {
    let told = state.outbox.values().filter_map(|letter| match &letter.content {
        Content::Notice(notice) if notice.zone.is_none() => Some((letter.written_at, notice.urgency)),
        _ => None,
    });
    told.max().is_some_and(|(_, urgency)| urgency == Urgency::Error)
}

/// What the page of the commit that was attempted last is to show.
fn commit_status(status: &ControllerStatus) -> Option<CommitStatus> {
    let attempted = &status.last_attempted.as_ref()?.revision;
    let commit = attempted.commit_id()?.to_owned();
    let ready = condition(status, ConditionKind::Ready)?;
    let is_stalled =
        condition(status, ConditionKind::Stalled).is_some_and(|it| it.status == ConditionStatus::True);
    let is_applied = status.last_applied.as_ref().is_some_and(|seen| seen.revision == *attempted);
    let state = match (is_applied, ready.status) {
        (true, ConditionStatus::True) => CommitState::Success,
        // What went wrong since then, it has not done.
        (true, _) => return None,
        (false, ConditionStatus::False) if is_stalled => CommitState::Failure,
        (false, _) => CommitState::Pending,
    };
    let description = ready.message.replace(char::is_control, " ");
    Some(CommitStatus { commit, state, description })
}
