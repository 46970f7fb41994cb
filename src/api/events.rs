//! Server-sent events for those who look on: that something has changed, and not what. Whoever hears one asks again, with their own
//! rights.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::{Extension, State as Shared};
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use crate::store::{Heartbeat, Nodes, State};
use crate::zone::status::ControllerStatus;
use crate::zone::{Revision, Sequence};

/// Streams of one node at a time. Each is a connection of the API's.
pub(super) const MAX_STREAMS: usize = 200;

/// Between two events. What changes meanwhile is in the next one.
const GAP: Duration = Duration::from_millis(500);

/// Between two signs of life: proxies cut off who is silent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// nginx would keep events until it has a buffer full of them.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) async fn stream(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<impl IntoResponse, Problem> {
    if *api.config.leaving.borrow() {
        return Err(Problem::unavailable("this node is about to stop"));
    }
    let permit = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        Problem::unavailable(format!(
            "{MAX_STREAMS} others listen to this node already; ask every now and then"
        ))
    })?;
    let listening = Listening {
        state: api.config.store.state(),
        nodes: api.config.store.nodes(),
        controller: api.config.controller.clone(),
        leaving: api.config.leaving.clone(),
        ends: caller.left(OffsetDateTime::now_utc()).map(|left| Instant::now() + left),
        caller,
        told: None,
        not_before: Instant::now(),
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    Ok(([UNBUFFERED], Sse::new(Events { next: Some(Box::pin(listening.next())) }).keep_alive(keep_alive)))
}

/// One caller who looks on.
struct Listening {
    state: watch::Receiver<Option<Arc<State>>>,
    nodes: watch::Receiver<Arc<Nodes>>,
    controller: watch::Receiver<Arc<ControllerStatus>>,
    leaving: watch::Receiver<bool>,
    /// A stream ends with their key, or with their session.
    caller: Caller,
    ends: Option<Instant>,
    told: Option<Seen>,
    not_before: Instant,
    _permit: OwnedSemaphorePermit,
}

/// What is news if it is another. Heartbeats and leases are renewed every few seconds, and say the same.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    sequence: Sequence,
    revision: Option<Revision>,
    leader: Option<String>,
    nodes: BTreeMap<String, NodeSeen>,
    controller: Arc<ControllerStatus>,
}

#[derive(Debug, Clone, PartialEq)]
struct NodeSeen {
    serving: u64,
    connections: u64,
    problems: BTreeMap<String, String>,
}

impl NodeSeen {
    fn of(heartbeat: &Heartbeat) -> Self {
        let Heartbeat { serving, connections, problems, .. } = heartbeat;
        Self { serving: *serving, connections: *connections, problems: problems.clone() }
    }
}

/// All but when a run was, and how many did the same.
fn says_the_same(a: &ControllerStatus, b: &ControllerStatus) -> bool {
    (&a.conditions, &a.problems, &a.refused, &a.zones, &a.locks, &a.plan)
        == (&b.conditions, &b.problems, &b.refused, &b.zones, &b.locks, &b.plan)
        && revisions(a) == revisions(b)
        && last_run(a) == last_run(b)
}

fn revisions(status: &ControllerStatus) -> [Option<&Revision>; 3] {
    [&status.last_observed, &status.last_attempted, &status.last_applied]
        .map(|seen| seen.as_ref().map(|seen| &seen.revision))
}

fn last_run(status: &ControllerStatus) -> Option<impl PartialEq + '_> {
    let run = status.runs.iter().next()?;
    Some((&run.request, run.outcome, &run.message, &run.plan, run.sequence))
}

impl Listening {
    /// The next event, once there is news; `None` at the end.
    async fn next(mut self) -> Option<(Self, Event)> {
        let ends = self.ends;
        loop {
            tokio::select! {
                // Whoever is to wait for the end of all requests waits for this.
                _ = self.leaving.wait_for(|leaving| *leaving) => return None,
                () = end(ends) => return None,
                () = sleep_until(self.not_before) => {}
            }
            let seen = self.look()?;
            if self.told.as_ref() != Some(&seen) {
                let data = json!({
                    "sequence": seen.sequence.0,
                    "revision": seen.revision.as_ref().map(Revision::as_str),
                });
                self.told = Some(seen);
                self.not_before = Instant::now() + GAP;
                return Some((self, Event::default().event("zones").data(data.to_string())));
            }
            tokio::select! {
                _ = self.leaving.wait_for(|leaving| *leaving) => return None,
                () = end(ends) => return None,
                () = changed(&mut self.state) => {}
                () = changed(&mut self.nodes) => {}
                () = changed(&mut self.controller) => {}
            }
        }
    }

    /// `None` if the caller may not know any more.
    fn look(&mut self) -> Option<Seen> {
        let state = self.state.borrow_and_update().clone()?;
        if !self.caller.is_let_in(&state) {
            return None;
        }
        let nodes = self.nodes.borrow_and_update().clone();
        let nodes = nodes.iter().map(|(node, heartbeat)| (node.clone(), NodeSeen::of(heartbeat)));
        let controller = self.controller.borrow_and_update().clone();
        let last = self.told.as_ref().map(|told| &told.controller);
        Some(Seen {
            sequence: state.sequence,
            revision: state.revision.clone(),
            leader: state.leader.as_ref().map(|leader| leader.node.clone()),
            nodes: nodes.collect(),
            controller: last.filter(|last| says_the_same(last, &controller)).cloned().unwrap_or(controller),
        })
    }
}

async fn end(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// A node without a controller has one that never changes.
async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        pending::<()>().await;
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Listening, Event)>> + Send>>;

struct Events {
    /// `None` after the last one.
    next: Option<Next>,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let event = ready!(next.as_mut().poll(cx));
        let (next, event) =
            event.map(|(listening, event)| (Box::pin(listening.next()) as Next, Ok(event))).unzip();
        self.next = next;
        Poll::Ready(event)
    }
}
