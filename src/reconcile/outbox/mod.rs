//! What is told outside: to a webhook, and to the forge as a commit's status.
//!
//! Letters are records of the state. One is written once for what it says, and stays for a while after it was sent: so nobody is told
//! the same thing twice, whoever leads. A process that is killed between a post and its record sends that one letter again,
//! under the same id.

mod compose;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::compose::{Channels, Composer};
pub use self::webhook::{Webhook, WebhookConfig, WebhookError};
use super::forge::{Forge, ForgeError};
use super::source::jittered;
use crate::store::{Change, Leadership, State, Store, StoreError};
use crate::zone::{Content, ControllerStatus, Letter};

const SHORTEST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// Letters that were sent and are kept: as many as are told apart from new ones.
const KEPT: usize = 1_000;
/// Posts between two looks at who leads.
const BATCH: usize = 20;

/// What is counted of it.
#[derive(Debug, Clone, Default)]
pub struct OutboxMetrics {
    posts: Family<PostLabels, Counter>,
    waiting: Gauge,
}

/// `result` is `sent`, or [`WebhookError::reason`] or [`ForgeError::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PostLabels {
    channel: &'static str,
    result: &'static str,
}

impl OutboxMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let outbox = registry.sub_registry_with_prefix("partner_zones_outbox");
        outbox.register(
            "posts",
            "Attempts to tell somebody outside, by how they ended",
            metrics.posts.clone(),
        );
        outbox.register("waiting", "Letters that are still to be sent", metrics.waiting.clone());
        metrics
    }
}

/// Writes and sends letters while this node leads.
#[derive(Debug)]
pub struct Postman {
    webhook: Option<Webhook>,
    forge: Option<Forge>,
    composer: Composer,
    metrics: OutboxMetrics,
}

/// How a look at the outbox ended.
enum Went {
    Well,
    /// Somebody could not be told.
    InPart,
}

/// Why a letter is still there.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
}

impl Postman {
    /// Without a webhook no notices are written, without a forge no statuses.
    pub fn new(webhook: Option<Webhook>, forge: Option<Forge>, metrics: OutboxMetrics) -> Self {
        let channels = Channels { notices: webhook.is_some(), statuses: forge.is_some() };
        Self { webhook, forge, composer: Composer::new(channels), metrics }
    }

    /// Runs until it is cancelled. `status` is what the controller of this process says.
    pub async fn run(
        mut self,
        store: Arc<dyn Store>,
        mut status: watch::Receiver<Arc<ControllerStatus>>,
        cancel: CancellationToken,
    ) {
        let (mut state, mut leadership) = (store.state(), store.leadership());
        let mut backoff = SHORTEST_BACKOFF;
        // After a failure, nothing is tried before this moment.
        let mut not_before = None;
        loop {
            let now = Arc::clone(&status.borrow_and_update());
            let known = state.borrow_and_update().clone();
            let leads = *leadership.borrow_and_update() == Leadership::Leading;
            let mut next_look = None;
            if let Some(known) = known.filter(|_| leads)
                && not_before.is_none_or(|moment| moment <= Instant::now())
            {
                let work = self.work(&*store, &known, &now);
                let Some(went) = cancel.run_until_cancelled(work).await else { return };
                if let Ok(Went::Well) = went {
                    (not_before, backoff) = (None, SHORTEST_BACKOFF);
                    next_look = self.composer.next_look();
                } else {
                    if let Err(error) = went {
                        tracing::warn!(%error, "the outbox cannot be kept");
                    }
                    not_before = Some(Instant::now() + jittered(backoff));
                    backoff = backoff.saturating_mul(2).min(LONGEST_BACKOFF);
                }
            }
            let alarm = not_before.filter(|_| leads).or(next_look);
            tokio::select! {
                () = cancel.cancelled() => return,
                changed = status.changed() => if changed.is_err() { return },
                changed = state.changed() => if changed.is_err() { return },
                changed = leadership.changed() => if changed.is_err() { return },
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
            }
        }
    }

    /// Writes what is new, sends what waits, and forgets what is old.
    async fn work(
        &mut self,
        store: &dyn Store,
        state: &State,
        status: &ControllerStatus,
    ) -> Result<Went, StoreError> {
        let now = OffsetDateTime::now_utc();
        let written = self.composer.letters(status, state, now);
        if !written.is_empty() {
            // The state that comes back has them, and is the next one to be worked on.
            store.commit(written.into_iter().map(Change::PutLetter).collect()).await?;
            return Ok(Went::Well);
        }
        let mut waiting: Vec<&Arc<Letter>> =
            state.outbox.values().filter(|letter| letter.sent_at.is_none()).collect();
        waiting.sort_by_key(|letter| letter.written_at);
        self.metrics.waiting.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        let mut changes = old(state);
        if !waiting.is_empty() {
            store.confirm_leadership().await?;
        }
        let mut failing = Vec::new();
        for letter in waiting.into_iter().take(BATCH) {
            let channel = std::mem::discriminant(&letter.content);
            // Where one was not taken, the next would not be either.
            if failing.contains(&channel) {
                continue;
            }
            match self.post(letter).await {
                Ok(()) => {
                    changes.push(Change::PutLetter(Letter { sent_at: Some(now), ..(**letter).clone() }));
                }
                Err(None) => changes.push(Change::DeleteLetter(letter.content.id())),
                Err(Some(error)) => {
                    tracing::warn!(%error, letter = letter.content.id(), "somebody outside could not be told; trying again");
                    failing.push(channel);
                }
            }
        }
        if !changes.is_empty() {
            store.commit(changes).await?;
        }
        Ok(if failing.is_empty() { Went::Well } else { Went::InPart })
    }

    /// `Err(None)`: nobody wants such letters any more.
    async fn post(&self, letter: &Letter) -> Result<(), Option<PostError>> {
        let (channel, result) = match (&letter.content, &self.webhook, &self.forge) {
            (Content::Notice(notice), Some(webhook), _) => {
                let id = letter.content.id();
                ("webhook", webhook.post(&id, notice, letter.written_at).await.map_err(PostError::from))
            }
            (Content::Status(status), _, Some(forge)) => {
                ("forge", forge.set_status(status).await.map_err(PostError::from))
            }
            _ => return Err(None),
        };
        let label = match &result {
            Ok(()) => "sent",
            Err(PostError::Webhook(error)) => error.reason(),
            Err(PostError::Forge(error)) => error.reason(),
        };
        self.metrics.posts.get_or_create(&PostLabels { channel, result: label }).inc();
        result.map_err(Some)
    }
}

/// Letters that were sent and are beyond those that are kept.
fn old(state: &State) -> Vec<Change> {
    let mut sent: Vec<_> =
        state.outbox.iter().filter_map(|(id, letter)| Some((letter.sent_at?, id))).collect();
    sent.sort_unstable();
    let excess = sent.len().saturating_sub(KEPT);
    sent.into_iter().take(excess).map(|(_, id)| Change::DeleteLetter(id.clone())).collect()
}
