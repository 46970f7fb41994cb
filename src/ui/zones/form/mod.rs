//! A zone filled in, step by step: to make one, and to change one.
//!
//! One form holds it all. Each button sends the whole of it and says where to go ([`Go`]); what the step does not show is hidden in it
//! ([`draft`]). Whether it is right, the API says: before each next step it is asked for a dry run, and what it finds is said at the
//! fields of that step ([`wrong`]). The last step shows the dry run itself, and is the only one that writes.

mod authentication;
mod details;
mod document;
mod draft;
mod fields;
mod go;
mod ids;
mod policies;
mod review;
mod sheet;
mod topics;
mod wrong;

use std::time::Duration;

use axum::extract::{Extension, Path};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tokio::time::timeout;

use self::draft::{Draft, MAX_TOPICS};
use self::fields::{AUTHENTICATION, GATEWAY, NAME, Step};
use self::go::Go;
use self::sheet::Said;
use self::wrong::Wrong;
use super::outcome::Outcome;
use super::zone::Zone;
use super::{NEW, path, theirs};
use crate::ui::failure::Failure;
use crate::ui::form::{Form, Sent};
use crate::ui::rest::{Call, query, segment};
use crate::ui::visitor::Visitor;

/// How long a step waits to hear what is wrong with it: a repository may be slow, and the last step asks again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is being filled in, and by whom.
#[derive(Debug)]
struct Filling {
    visitor: Visitor,
    task: Task,
    draft: Draft,
}

#[derive(Debug)]
enum Task {
    New,
    Edit(Seen),
}

/// A zone that is to be changed.
#[derive(Debug)]
struct Seen {
    name: String,
    /// Of the form that the draft was begun with.
    tag: String,
    /// As it is now.
    zone: Zone,
}

impl Task {
    fn path(&self) -> String {
        match self {
            Self::New => NEW.to_owned(),
            Self::Edit(seen) => format!("{}/edit", path(&seen.name)),
        }
    }
}

/// Why somebody makes no zone.
fn shares_nothing(visitor: &Visitor) -> Option<Response> {
    const WHY: &str = "This key shares nothing: ask an administrator for a zone.";
    (!visitor.shares()).then(|| theirs::refusal(visitor, WHY))
}

/// Why somebody does not change this zone here.
fn not_changed(visitor: &Visitor, zone: &Zone) -> Option<Response> {
    let is_long = zone.list("/spec/topics").len() > MAX_TOPICS;
    let too_long = is_long.then_some(
        "This zone shares more topics than a form can hold: change its file, or use `reconciler edit`.",
    );
    theirs::why_not(visitor, zone).or(too_long).map(|why| theirs::refusal(visitor, why))
}

pub(super) async fn begin(Extension(visitor): Extension<Visitor>) -> Response {
    if let Some(refusal) = shares_nothing(&visitor) {
        return refusal;
    }
    let mut draft = Draft::default();
    draft.set(AUTHENTICATION, "PLAIN");
    draft.set(GATEWAY, &details::likely_gateway(&visitor).await);
    Filling { visitor, task: Task::New, draft }.sheet(Step::Details, &Said::default()).await
}

pub(super) async fn go_on(
    Extension(visitor): Extension<Visitor>,
    Sent(form): Sent,
) -> Result<Response, Failure> {
    if let Some(refusal) = shares_nothing(&visitor) {
        return Ok(refusal);
    }
    let mut draft = Draft::read(&form)?;
    draft.derive();
    Filling { visitor, task: Task::New, draft }.go(&form).await
}

pub(super) async fn edit(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let zone = visitor.get::<Zone>(&format!("/zones/{}", segment(&name)?)).await?;
    if let Some(refusal) = not_changed(&visitor, &zone) {
        return Ok(refusal);
    }
    let draft = Draft::of(&zone.0);
    let tag = zone.text("/status/etag").unwrap_or_default().to_owned();
    let task = Task::Edit(Seen { name, tag, zone });
    Ok(Filling { visitor, task, draft }.sheet(Step::Details, &Said::default()).await)
}

pub(super) async fn go_on_editing(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Sent(form): Sent,
) -> Result<Response, Failure> {
    if let Some(refusal) = shares_nothing(&visitor) {
        return Ok(refusal);
    }
    let asked = visitor.get::<Zone>(&format!("/zones/{}", segment(&name)?)).await;
    if let Some(refusal) = asked.as_ref().ok().and_then(|zone| not_changed(&visitor, zone)) {
        return Ok(refusal);
    }
    let mut draft = Draft::read(&form)?;
    // A zone cannot be renamed, whatever a form says.
    draft.replace(NAME, &name);
    let tag = form.text("etag").to_owned();
    let (zone, failure) = match asked {
        Ok(zone) => (zone, None),
        Err(failure) if failure.status == StatusCode::UNAUTHORIZED => return Err(failure),
        // What somebody has written is not lost with it.
        Err(failure) => (Zone(document::blank()), Some(failure)),
    };
    let filling = Filling { visitor, task: Task::Edit(Seen { name, tag, zone }), draft };
    match failure {
        Some(failure) => Ok(filling.stay(&form, &failure).await),
        None => filling.go(&form).await,
    }
}

impl Filling {
    /// Where the button leads that was pressed.
    async fn go(mut self, form: &Form) -> Result<Response, Failure> {
        let step = Step::find(form.text("step")).unwrap_or(Step::Details);
        let picked = form.fields().filter(|(name, _)| matches!(*name, "pick" | "typed"));
        if let Err(failure) = self.draft.share(picked.map(|(_, topic)| topic)) {
            return Ok(self.stay(form, &failure).await);
        }
        let mut said = Said::of(form, &self.draft);
        match Go::read(form, step) {
            Go::Next => self.forward(step).await,
            Go::Stay => Ok(self.sheet(step, &said).await),
            Go::Page(token) => {
                token.clone_into(&mut said.page);
                Ok(self.sheet(step, &said).await)
            }
            Go::To(step) => self.open(step).await,
            Go::TakeBack(index) => {
                self.draft.take_back(index);
                Ok(self.sheet(step, &said).await)
            }
            Go::AnotherHeader => {
                said.rows.added += 1;
                Ok(self.sheet(step, &said).await)
            }
            Go::AnotherPattern => {
                said.rows.removed += 1;
                Ok(self.sheet(step, &said).await)
            }
            Go::Renew => {
                if let Task::Edit(seen) = &mut self.task {
                    seen.tag = seen.zone.text("/status/etag").unwrap_or_default().to_owned();
                }
                self.open(Step::Review).await
            }
            Go::Write => self.write().await,
        }
    }

    /// The step as it was sent, with what went wrong.
    async fn stay(&self, form: &Form, failure: &Failure) -> Response {
        let step =
            Step::find(form.text("step")).filter(|step| *step != Step::Review).unwrap_or(Step::Details);
        let said = Said { notice: Some(failure.notice()), ..Said::of(form, &self.draft) };
        self.sheet(step, &said).await
    }

    /// On to the next step, if this one is right.
    async fn forward(&self, step: Step) -> Result<Response, Failure> {
        let wrong = self.wrong_in(step).await?;
        if wrong.is_empty() {
            return self.open(step.next()).await;
        }
        Ok(self.sheet(step, &Said { wrong, ..Said::default() }).await)
    }

    async fn wrong_in(&self, step: Step) -> Result<Wrong, Failure> {
        if matches!(self.task, Task::New) && step == Step::Details && self.is_taken().await {
            return Ok(Wrong::at_field(NAME, "there is a zone of this name already"));
        }
        match timeout(PATIENCE, self.try_out()).await {
            Ok(Err(failure)) if failure.status == StatusCode::UNAUTHORIZED => Err(failure),
            Ok(Err(failure)) => Ok(Wrong::of(&failure, &self.draft).in_step(step)),
            Ok(Ok(_)) | Err(_) => Ok(Wrong::default()),
        }
    }

    async fn is_taken(&self) -> bool {
        let Ok(name) = segment(self.draft.text(NAME)) else { return false };
        self.visitor.get::<Zone>(&format!("/zones/{name}")).await.is_ok()
    }

    /// A step; the last one only if the others are right.
    async fn open(&self, step: Step) -> Result<Response, Failure> {
        if step != Step::Review {
            return Ok(self.sheet(step, &Said::default()).await);
        }
        match self.try_out().await {
            Ok(outcome) => Ok(self.review(&outcome)),
            Err(failure) => self.refused(&failure).await,
        }
    }

    async fn write(&self) -> Result<Response, Failure> {
        let sent = self.send(&[("reason", &self.draft.reason)]).await;
        match sent {
            Ok(outcome) => Ok(outcome.done(&self.visitor, self.draft.text(NAME))),
            Err(failure) => self.refused(&failure).await,
        }
    }

    /// Back to the fields that are wrong, or to the last step with what the API says.
    async fn refused(&self, failure: &Failure) -> Result<Response, Failure> {
        if failure.status == StatusCode::UNAUTHORIZED {
            return Err(Failure::new(failure.status, &failure.detail));
        }
        let wrong = Wrong::of(failure, &self.draft);
        match wrong.first_step() {
            Some(step) => Ok(self.sheet(step, &Said { wrong, ..Said::default() }).await),
            None => Ok(self.not_reviewed(failure)),
        }
    }

    async fn try_out(&self) -> Result<Outcome, Failure> {
        self.send(&[("dryRun", "true")]).await
    }

    async fn send(&self, parameters: &[(&str, &str)]) -> Result<Outcome, Failure> {
        let query = query(parameters);
        let (path, call) = match &self.task {
            Task::New => (format!("/zones{query}"), Method::POST),
            Task::Edit(seen) => (format!("/zones/{}{query}", seen.name), Method::PUT),
        };
        let call = Call::new(call, &path);
        let call = match &self.task {
            Task::New => call.with(self.draft.onto(document::blank())),
            Task::Edit(seen) => {
                call.with(self.draft.onto(document::written(seen.zone.0.clone()))).if_match(&seen.tag)
            }
        };
        self.visitor.send(call).await
    }
}

#[cfg(test)]
mod tests;
