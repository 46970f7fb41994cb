//! Writes to the source: what somebody asks for becomes a commit, which is then read like any other.
//!
//! The files are edited as they are at the branch's head, checked as a whole and planned, all before the commit. A push of somebody else's
//! that comes between starts it over; so nothing is ever written over what nobody has seen.

mod draft;

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::draft::{Draft, Drafts};
use super::digest::hex;
use super::guard::Limits;
use super::plan::{Connected, Desired, Observed, Terms, plan};
use super::source::{Author, CommitError, History, Onto, Proposal, Pushed, Snapshot, Source};
use crate::manifest::Known;
use crate::store::{self, Leadership, State, Store, StoreError};
use crate::zone::{self, Committed, Effect, Extent, Revision, WriteRefusal, WriteRequest, Written, ZoneName};

/// How often a push of somebody else's may come first.
const TRIES: usize = 4;

/// Proposal branches begin with this.
const BRANCHES: &str = "refs/heads/partner-zones/";

/// A request, and where its outcome goes.
pub type Ask = (WriteRequest, oneshot::Sender<Result<Written, WriteRefusal>>);

/// `source.writeBack.mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WriteBackMode {
    /// Whoever asks is told what to commit.
    #[default]
    None,
    /// A commit on the branch that is followed.
    Commit,
    /// A commit on a branch of its own, for a review.
    Branch,
}

/// What writes need to know.
#[derive(Debug)]
pub struct WriteBackConfig {
    pub mode: WriteBackMode,
    pub source: Source,
    pub known: Known,
    pub limits: Limits,
}

/// Takes one request at a time, on the node that leads.
#[derive(Debug)]
pub struct WriteBack {
    mode: WriteBackMode,
    source: Source,
    limits: Limits,
    store: Arc<dyn Store>,
    drafts: Drafts,
}

impl WriteBack {
    pub fn new(config: WriteBackConfig, store: Arc<dyn Store>) -> Self {
        let WriteBackConfig { mode, source, known, limits } = config;
        let drafts = Drafts::new(source.clone(), known);
        Self { mode, source, limits, store, drafts }
    }

    /// Runs until it is cancelled. A push that has begun is finished first.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Ask>, cancel: CancellationToken) {
        while let Some(Some((request, answer))) = cancel.run_until_cancelled(requests.recv()).await {
            // Whoever has gone does not know what would come of it.
            if !answer.is_closed() {
                let outcome = self.write(&request).await;
                if let Err(refusal) = &outcome {
                    tracing::info!(zone = %request.zone, author = request.author.name, ?refusal, "a write was refused");
                }
                let _ = answer.send(outcome);
            }
        }
    }

    async fn write(&mut self, request: &WriteRequest) -> Result<Written, WriteRefusal> {
        // Branches that have the name of ours, and are something else.
        let mut taken = 0;
        for _ in 0..TRIES {
            let state = self.leading()?;
            let snapshot = self.head(&state).await?;
            let base = snapshot.revision.commit_id().map(str::to_owned);
            let draft = self.drafts.draft(snapshot, &Observed::of(&state), request).await?;
            let planned = self.planned(&draft, &state, request).await?;
            let written = written(&draft, planned.json);
            if request.extent == Extent::DryRun || draft.effect == Effect::Unchanged {
                return Ok(written);
            }
            let base = base.ok_or(WriteRefusal::NotARepository)?;
            if self.mode == WriteBackMode::None {
                return Err(off(draft));
            }
            let mut proposal = proposal(base, draft, request);
            if self.mode == WriteBackMode::Branch {
                // Whoever reviews a proposal decides about the guard as well.
                proposal.onto = Onto::Branch(branch(&request.zone, &proposal, taken));
            } else if let Some(refusal) = planned.refusal {
                return Err(refusal);
            }
            self.store.confirm_leadership().await.map_err(|error| not_leading(&error))?;
            let is_proposal = proposal.onto != Onto::Source;
            match self.source.commit(proposal).await {
                Ok(pushed) => {
                    tracing::info!(
                        zone = %request.zone, author = request.author.name, commit = pushed.commit, reference = pushed.reference,
                        "written to the source"
                    );
                    let commit = committed(pushed, is_proposal);
                    self.tell(request, &written, &commit).await;
                    return Ok(Written { commit: Some(commit), ..written });
                }
                // Whoever asked for it may not have heard the answer.
                Err(CommitError::Proposed(pushed)) => {
                    return Ok(Written { commit: Some(committed(pushed, true)), ..written });
                }
                Err(CommitError::Exists(_)) => taken += 1,
                Err(CommitError::Moved(_)) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Err(WriteRefusal::Raced)
    }

    /// Tells the audit log of a commit: here, since whoever asked for it may be gone by now. A failure is logged and not theirs: what they
    /// asked for has been done.
    async fn tell(&self, request: &WriteRequest, written: &Written, commit: &Committed) {
        let kind = match written.effect {
            Effect::Created => "zone.create-committed",
            Effect::Updated | Effect::Unchanged => "zone.update-committed",
            Effect::Deleted => "zone.delete-committed",
        };
        let (revision, reference) = (commit.revision.as_str(), &commit.reference);
        let mut data = json!({ "revision": revision, "reference": reference, "file": written.file });
        if let Value::Object(data) = &mut data {
            store::name_asker(data, &request.by);
        }
        let (subject, now) = (format!("zone/{}", request.zone), OffsetDateTime::now_utc());
        let event = store::event(&request.node, kind, &subject, now, &data);
        if let Err(error) = self.store.audit(event).await {
            tracing::error!(%error, kind, subject, "an audit event could not be written; what it tells was done");
        }
    }

    /// The state, of a node that leads.
    fn leading(&self) -> Result<Arc<State>, WriteRefusal> {
        if *self.store.leadership().borrow() != Leadership::Leading {
            return Err(WriteRefusal::NotLeading);
        }
        self.store.state().borrow().clone().ok_or(WriteRefusal::NotLeading)
    }

    /// The files at the branch's head, whatever is pinned: there is where a commit goes.
    async fn head(&self, state: &State) -> Result<Snapshot, WriteRefusal> {
        if let Some(rollback) = state.controls.rollback_at(OffsetDateTime::now_utc()) {
            return Err(WriteRefusal::Held(format!(
                "the zones are rolled back to commit {} until {}; end that first (`reconciler resume`)",
                rollback.commit, rollback.until
            )));
        }
        let accepted = state.controls.accepted.as_ref().map(|acceptance| acceptance.commit.clone());
        let history = History { applied: state.revision.clone(), accepted, pinned: None };
        self.source.read(history).await.map_err(|error| {
            let why = format!("nothing was written: {error}");
            if error.is_transient() { WriteRefusal::Unreachable(why) } else { WriteRefusal::Held(why) }
        })
    }

    /// What the next run would make of it.
    async fn planned(
        &self,
        draft: &Draft,
        state: &State,
        request: &WriteRequest,
    ) -> Result<Planned, WriteRefusal> {
        let (desired, observed, limits) = (draft.desired.clone(), Observed::of(state), self.limits);
        let connected = Connected::of(&self.store.nodes().borrow());
        let zone = request.zone.clone();
        let planning = tokio::task::spawn_blocking(move || {
            let terms = Terms {
                limits,
                allowances: desired.allowances(),
                connected: Some(&connected),
                ..Terms::default()
            };
            let plan = plan(&desired, &observed, &terms);
            let is_guarded = plan.guard.is_refusing()
                && plan.hold_of(&zone).is_none()
                && plan.changes_of(&zone).iter().any(|change| plan.is_held(change));
            let refusal = is_guarded.then(|| WriteRefusal::Guarded {
                reasons: plan.guard.reasons().map(str::to_owned).collect(),
                ways_out: plan.guard.ways_out().map(str::to_owned).collect(),
            });
            let of_zone = Terms { only: Some(&zone), ..terms };
            let mut json = super::plan::plan(&desired, &observed, &of_zone).to_json();
            if let Some(json) = json.as_object_mut() {
                // They are of a commit, and there is none yet.
                for of_a_commit in ["digest", "tree", "revision", "inForce"] {
                    json.remove(of_a_commit);
                }
            }
            Planned { json: json.to_string(), refusal }
        });
        planning.await.map_err(|_| {
            WriteRefusal::Unreachable("nothing was written: the plan could not be made".to_owned())
        })
    }
}

struct Planned {
    json: String,
    /// A guard would hold the zone's change back.
    refusal: Option<WriteRefusal>,
}

fn written(draft: &Draft, plan: String) -> Written {
    let (file, diff, excerpt) = (draft.file.clone(), draft.diff(), draft.excerpt.clone());
    Written { effect: draft.effect, file, diff, excerpt, plan, version: draft.version.clone(), commit: None }
}

fn off(draft: Draft) -> WriteRefusal {
    WriteRefusal::Off { diff: draft.diff(), file: draft.file, text: draft.after, excerpt: draft.excerpt }
}

/// Each proposal has a branch of its own, and who asks for the same again gets the same one. `taken`: how many of its names have turned
/// out to be of something else, such as itself with a reviewer's commit on top.
fn branch(zone: &ZoneName, proposal: &Proposal, taken: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{}\n{taken}\n{}\0", proposal.base, proposal.message));
    for (path, content) in &proposal.files {
        hash.update(path);
        // What is empty is another thing than what goes.
        hash.update(if content.is_some() { "\0+" } else { "\0-" });
        hash.update(content.as_deref().unwrap_or_default());
    }
    let unique = hex(&hash.finalize());
    format!("{BRANCHES}{zone}-{}", unique.get(..8).unwrap_or(&unique))
}

/// What is to be committed, onto the source.
fn proposal(base: String, draft: Draft, request: &WriteRequest) -> Proposal {
    let files = vec![(draft.file, draft.after.map(String::into_bytes))];
    let message = message(draft.effect, request);
    let zone::Author { name, email } = request.author.clone();
    Proposal { base, files, author: Author { name, email }, message, onto: Onto::Source }
}

/// The last paragraph is ours, whatever the reason says: in it, words could lift guards.
fn message(effect: Effect, request: &WriteRequest) -> String {
    let verb = match effect {
        Effect::Created => "Add",
        Effect::Updated | Effect::Unchanged => "Change",
        Effect::Deleted => "Remove",
    };
    let why = request.reason.as_ref().map(|reason| {
        let one_line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("\nWhy: {one_line}\n")
    });
    // Names are anybody's to choose: the address says whose it is.
    let zone::Author { name, email } = &request.author;
    let author = format!("{name} <{email}>").split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{verb} zone {}\n{}\nAsked-by: {author}\n", request.zone, why.unwrap_or_default())
}

fn committed(pushed: Pushed, is_proposal: bool) -> Committed {
    let revision = Revision::commit(&pushed.reference, &pushed.commit);
    Committed { revision, reference: pushed.reference, is_proposal }
}

fn not_leading(error: &StoreError) -> WriteRefusal {
    tracing::warn!(%error, "leadership could not be confirmed; nothing was written to the source");
    WriteRefusal::NotLeading
}

fn refused(error: CommitError) -> WriteRefusal {
    match error {
        CommitError::Moved(_) | CommitError::Exists(_) | CommitError::Proposed(_) => WriteRefusal::Raced,
        CommitError::Refused(words) => WriteRefusal::Refused(words),
        error @ (CommitError::Unreachable(_) | CommitError::Busy) => {
            WriteRefusal::Unreachable(error.to_string())
        }
        error @ CommitError::Unknown(_) => WriteRefusal::Unknown(error.to_string()),
        CommitError::NotARepository => WriteRefusal::NotARepository,
        error @ CommitError::Invalid(_) => WriteRefusal::File(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
