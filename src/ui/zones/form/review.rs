//! The last step: what the zone is going to be, what changes in the file, what will happen; and the button that writes it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::draft::Draft;
use super::fields::{
    AUTHENTICATION, CLUSTER, CONTACT, DISPLAY_NAME, FIELDS, GATEWAY, NAME, REASON, SERVICE_ACCOUNT, Step,
};
use super::{Filling, Seen, Task};
use crate::ui::failure::Failure;
use crate::ui::parts::{Field, count, counted, permission};
use crate::ui::zones::outcome::Outcome;
use crate::ui::zones::path;

impl Filling {
    pub(super) fn review(&self, outcome: &Outcome) -> Response {
        let is_change = outcome.result != "unchanged";
        let content = html! {
            (self.losses(outcome))
            (outcome.plan())
            (outcome.difference())
            (summary(&self.draft))
            section.card {
                (Field { name: REASON, label: "Reason", value: &self.draft.reason, help: "For the commit's message: one line.", ..Field::default() }.show())
            }
            div.buttons {
                button type="submit" name="go" value="back" { "Back" }
                @if is_change { button.primary type="submit" name="go" value="write" { (self.action()) } }
                @else { a.button href=(self.way_out()) { "Leave it as it is" } }
            }
        };
        self.page(Step::Review, StatusCode::OK, &content)
    }

    /// It cannot be written as it is: why, and with all that was filled in.
    pub(super) fn not_reviewed(&self, failure: &Failure) -> Response {
        let notice = match &self.task {
            Task::Edit(seen) if failure.status == StatusCode::PRECONDITION_FAILED => changed(seen),
            _ => failure.notice(),
        };
        let content = html! {
            (notice)
            (summary(&self.draft))
            @if !self.draft.reason.is_empty() { input type="hidden" name=(REASON) value=(self.draft.reason); }
            div.buttons {
                button type="submit" name="go" value="back" { "Back" }
                button type="submit" name="go" value="step:review" { "Try again" }
            }
        };
        self.page(Step::Review, failure.status, &content)
    }

    fn action(&self) -> &'static str {
        match self.task {
            Task::New => "Create zone",
            Task::Edit(_) => "Save changes",
        }
    }

    /// Whom an alias is taken from. The plan tells those who see the whole of it as well, but not under which name.
    fn losses(&self, outcome: &Outcome) -> Markup {
        let Task::Edit(seen) = &self.task else { return html! {} };
        let lost = self.draft.lost(&seen.zone.0);
        html! {
            @if !lost.is_empty() && outcome.result != "unchanged" {
                div.notice.waiting {
                    p {
                        strong { "The partner's clients lose " (counted(lost.len() as u64, "alias")) }
                        ": whoever reads or writes one of them gets Kafka's error for a topic that is not there."
                    }
                    ul { @for alias in lost { li { code { (alias) } } } }
                }
            }
        }
    }
}

/// Somebody else was faster. Nothing that was written here is lost.
fn changed(seen: &Seen) -> Markup {
    html! {
        div.notice.waiting role="alert" {
            p { strong { "Somebody changed this zone meanwhile. Nothing was written." } " What you have filled in is still here." }
            p {
                a href=(path(&seen.name)) target="_blank" rel="noopener" { "Look at the zone as it is now" }
                ". Then put what you have filled in over it: what changes by that, you see before it is written. Or begin anew with the zone as it is."
            }
            p.help { "If it says this again, the change is committed and not yet in force: try again in a moment." }
            div.actions {
                button type="submit" name="go" value="renew" { "Put mine over it" } " "
                a.button.quiet href={ (path(&seen.name)) "/edit" } { "Begin anew" }
            }
        }
    }
}

fn summary(draft: &Draft) -> Markup {
    let fact = |label: &str, place: &str| {
        let text = draft.text(place);
        html! { @if !text.is_empty() { dt { (label) } dd.prose { (text) } } }
    };
    html! {
        section.card aria-labelledby="summary-title" {
            h2 #summary-title { "The zone" }
            dl.facts {
                (fact("Name", DISPLAY_NAME))
                (fact("Technical id", NAME))
                (fact("Partner's site", "spec.url"))
                (fact("Why", "spec.description"))
                (fact("Contact", CONTACT))
                (fact("Labels", "metadata.labels"))
                (fact("Gateway", GATEWAY))
                (fact("Source cluster", CLUSTER))
                (fact("Authentication", AUTHENTICATION))
                (fact("Service account", SERVICE_ACCOUNT))
                (fact("Opens", "spec.access.validFrom"))
                (fact("Ends", "spec.access.validUntil"))
                (fact("Allowed networks", "spec.access.allowedCidrs"))
                dt { "Limits" } dd { (counted_or_none(limits(draft))) }
                dt { "Headers" } dd { (counted_or_none(draft.added.len() + draft.removed.len())) }
                dt { "Topics" } dd { (topics(draft)) }
            }
        }
    }
}

fn limits(draft: &Draft) -> usize {
    let limits = FIELDS.iter().filter(|(place, _)| place.starts_with("spec.trafficControlPolicies."));
    limits.filter(|(place, _)| !draft.text(place).is_empty()).count()
}

fn counted_or_none(number: usize) -> Markup {
    html! { @if number == 0 { "none" } @else { (count(number as u64)) } }
}

/// How many of each permission: the plan names them.
fn topics(draft: &Draft) -> Markup {
    let mut by_permission = BTreeMap::<&str, u64>::new();
    for topic in &draft.topics {
        *by_permission.entry(&topic.permission).or_default() += 1;
    }
    html! {
        @if by_permission.is_empty() { "none" }
        @for (name, number) in by_permission { (count(number)) " " (permission(name)) " " }
    }
}
