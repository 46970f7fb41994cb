//! A step as a page: the form around it, and what is said above it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::draft::{Draft, MAX_ROWS, in_row, row};
use super::fields::{ADDED_HEADERS, REMOVED_HEADERS, Step};
use super::wrong::Wrong;
use super::{Filling, Task, authentication, details, policies, topics};
use crate::ui::form::Form;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{Field, csrf};
use crate::ui::zones::zone::trail;
use crate::ui::zones::{LIST, path};

/// What a step shows beside the draft.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) wrong: Wrong,
    pub(super) notice: Option<Markup>,
    /// What topics are looked for, and from where on they are listed.
    pub(super) search: String,
    pub(super) page: String,
    pub(super) rows: Rows,
}

/// Rows for headers that are empty yet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) added: usize,
    pub(super) removed: usize,
}

impl Said {
    /// As the form had it.
    pub(super) fn of(form: &Form, draft: &Draft) -> Self {
        let sent = |list: &str, member: &str| {
            let is_row = |name: &str| in_row(name, list).is_some_and(|(_, it)| it == member);
            form.fields().filter(|(name, _)| is_row(name)).count()
        };
        let rows = Rows {
            added: sent(ADDED_HEADERS, "key").saturating_sub(draft.added.len()),
            removed: sent(REMOVED_HEADERS, "keyRegex").saturating_sub(draft.removed.len()),
        };
        Self { search: form.text("search").to_owned(), rows, ..Self::default() }
    }
}

impl Rows {
    /// How many are shown below those that are filled in: one at least, as long as a form takes it.
    pub(super) fn shown(wanted: usize, filled: usize) -> usize {
        wanted.max(1).min(MAX_ROWS.saturating_sub(filled))
    }
}

impl Filling {
    pub(super) async fn sheet(&self, step: Step, said: &Said) -> Response {
        let content = match step {
            Step::Details => details::show(self, said).await,
            Step::Topics => topics::show(self, said).await,
            Step::Authentication => authentication::show(self, said),
            Step::Policies => policies::show(self, said),
            // Its page is made of a dry run ([`super::review`]).
            Step::Review => html! {},
        };
        let content = html! {
            @if let Some(notice) = &said.notice { (notice) }
            (said.wrong.summary(step))
            (content)
            div.buttons {
                @if step == Step::Details { a.button.quiet href=(self.way_out()) { "Cancel" } }
                @else { button type="submit" name="go" value="back" { "Back" } }
                button.primary type="submit" name="go" value="next" { "Next" }
            }
        };
        let status = if said.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.page(step, status, &content)
    }

    /// The first button is the one that Enter presses; nobody sees it, since the ones for the way on are below.
    pub(super) fn page(&self, step: Step, status: StatusCode, content: &Markup) -> Response {
        let title = self.title();
        let page = html! {
            @if let Task::Edit(seen) = &self.task { (trail(&seen.name)) } @else { p.trail { a href=(LIST) { "Zones" } } }
            h1 { (title) }
            form.wizard method="post" action=(self.task.path()) novalidate {
                button.unseen type="submit" name="go" value="enter" tabindex="-1" aria-hidden="true" { "Go on" }
                (csrf(&self.visitor))
                input type="hidden" name="step" value=(step.key());
                @if let Task::Edit(seen) = &self.task { input type="hidden" name="etag" value=(seen.tag); }
                (self.draft.hidden(step))
                (steps(step))
                (content)
            }
        };
        let title = Title::new(format!("{title}: {}", step.title())).at(Place::Zones);
        (status, page::whole(&self.visitor, &title, &page)).into_response()
    }

    pub(super) fn title(&self) -> String {
        match &self.task {
            Task::New => "New zone".to_owned(),
            Task::Edit(seen) => format!("Edit {}", seen.name),
        }
    }

    pub(super) fn way_out(&self) -> String {
        match &self.task {
            Task::New => LIST.to_owned(),
            Task::Edit(seen) => path(&seen.name),
        }
    }

    /// The field at a place of the manifest.
    pub(super) fn field<'f>(
        &'f self,
        said: &Said,
        place: &'static str,
        label: &'static str,
        help: &'static str,
    ) -> Field<'f> {
        let (value, error) = (self.draft.text(place), said.wrong.at(place));
        Field { name: place, label, value, help, error, ..Field::default() }
    }
}

/// Every step can be gone to: what is filled in goes along.
fn steps(current: Step) -> Markup {
    html! {
        nav aria-label="Steps" {
            ol.steps {
                @for step in Step::ALL {
                    @let is_current = step == current;
                    li.done[step < current] aria-current=[is_current.then_some("step")] {
                        @if is_current { (step.title()) }
                        @else { button.link type="submit" name="go" value={ "step:" (step.key()) } { (step.title()) } }
                    }
                }
            }
        }
    }
}

/// The name of a row's field, with what is wrong with it.
pub(super) fn cell(said: &Said, list: &str, index: usize, member: &str) -> (String, Option<String>) {
    let name = row(list, index, member);
    let error = said.wrong.at(&name);
    (name, error)
}
