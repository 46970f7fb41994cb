//! What a write comes to, tried or done: the file's difference, the plan, the commit; and the pages that follow it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::written::Told;
use super::zone::{member, trail};
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{count, marked, revision};
use crate::ui::visitor::Visitor;

/// Entries of a plan that are shown; the others are counted.
const SHOWN: usize = 100;

/// What the API answers to a write.
#[derive(Debug, Deserialize)]
pub(super) struct Outcome {
    pub(super) result: String,
    pub(super) file: String,
    diff: String,
    #[serde(default)]
    plan: Value,
    pub(super) commit: Option<Commit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Commit {
    pub(super) revision: String,
    reference: String,
    pub(super) is_proposal: bool,
}

impl Outcome {
    /// Where somebody goes whose zone was written.
    pub(super) fn done(&self, visitor: &Visitor, zone: &str) -> Response {
        match &self.commit {
            Some(commit) if commit.is_proposal => self.proposed(visitor, zone, commit),
            commit => {
                let commit = commit.as_ref().map_or("", |commit| &commit.revision);
                let told = Told { zone, result: &self.result, commit };
                Redirect::to(&told.address(visitor)).into_response()
            }
        }
    }

    /// Nothing has happened yet, and nothing will before somebody merges it.
    pub(super) fn proposed(&self, visitor: &Visitor, zone: &str, commit: &Commit) -> Response {
        let what = match self.result.as_str() {
            "created" => "The new zone",
            "deleted" => "The deletion",
            _ => "The change",
        };
        let content = html! {
            @if self.result == "created" { p.trail { a href=(super::LIST) { "Zones" } } } @else { (trail(zone)) }
            h1 { "Proposed" }
            div.notice.waiting role="status" {
                p { strong { (what) " waits for a review." } " It is on a branch of its own. Nothing happens before somebody merges that branch; then it is applied like any commit." }
            }
            section.card {
                dl.facts {
                    dt { "Zone" } dd { code { (zone) } }
                    dt { "Branch" } dd { code { (commit.reference.trim_start_matches("refs/heads/")) } }
                    dt { "Commit" } dd { (revision(&commit.revision)) }
                    dt { "File" } dd { code { (self.file) } }
                }
            }
            (self.difference())
            p { a.button href=(super::LIST) { "Back to the zones" } }
        };
        (StatusCode::ACCEPTED, page::whole(visitor, &Title::new("Proposed").at(Place::Zones), &content))
            .into_response()
    }

    /// What changes in the file.
    pub(super) fn difference(&self) -> Markup {
        html! {
            section.card aria-labelledby="difference-title" {
                h2 #difference-title { "What changes in " code { (self.file) } }
                @if self.diff.is_empty() { p.muted { "Nothing: it says so already." } }
                @else { (difference(&self.diff)) }
            }
        }
    }

    /// What the next run is going to do.
    pub(super) fn plan(&self) -> Markup {
        let changes = list(&self.plan, "/changes");
        let messages = list(&self.plan, "/notices").iter().chain(list(&self.plan, "/held"));
        html! {
            section.card aria-labelledby="plan-title" {
                h2 #plan-title { "What will happen" }
                (self.guard())
                @for message in messages.filter_map(|it| member(it, "/message")) {
                    div.notice.waiting { p { (marked(message)) } }
                }
                @if changes.is_empty() { p.muted { "Nothing changes for anybody." } }
                @else {
                    ul.plan {
                        @for change in changes.iter().take(SHOWN) { (self::change(change)) }
                        @if changes.len() > SHOWN { li.muted { "and " (count((changes.len() - SHOWN) as u64)) " more" } }
                    }
                }
                (self.findings())
            }
        }
    }

    fn guard(&self) -> Markup {
        let is_refused = self.plan.pointer("/guard/refused").and_then(Value::as_bool).unwrap_or_default();
        html! {
            @if is_refused {
                div.notice.bad {
                    p { strong { "A guard will hold this back." } }
                    @for what in ["/guard/reasons", "/guard/waysOut"] {
                        ul { @for reason in list(&self.plan, what).iter().filter_map(Value::as_str) { li { (marked(reason)) } } }
                    }
                }
            }
        }
    }

    /// Of this file: the plan has those of all.
    fn findings(&self) -> Markup {
        let is_ours = |it: &&Value| member(it, "/source/file").is_none_or(|file| file == self.file);
        let findings: Vec<_> = list(&self.plan, "/findings").iter().filter(is_ours).take(SHOWN).collect();
        html! {
            @if !findings.is_empty() {
                h3 { "To know" }
                ul.findings {
                    @for finding in findings {
                        li {
                            span.badge.(if member(finding, "/severity") == Some("warning") { "waiting" } else { "plain" }) {
                                (member(finding, "/severity").unwrap_or("note"))
                            } " "
                            (marked(member(finding, "/message").unwrap_or_default()))
                            @if let Some(help) = member(finding, "/help") { span.muted { " " (marked(help)) } }
                        }
                    }
                }
            }
        }
    }
}

fn change(change: &Value) -> Markup {
    let action = change.pointer("/actions/0").and_then(Value::as_str).unwrap_or("change");
    let kind = match action {
        "create" => "good",
        "delete" => "bad",
        _ => "waiting",
    };
    html! {
        li {
            span.badge.(kind) { (action) } " " code { (member(change, "/address").unwrap_or_default()) }
            @if let Some(impact) = member(change, "/impact/message") { span.sub { (marked(impact)) } }
        }
    }
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Lines as `diff -u` has them. A sign in front of each says it too, for those who see no colours.
pub(super) fn difference(diff: &str) -> Markup {
    let kind = |line: &str| {
        if line.starts_with("+++") || line.starts_with("---") || line.starts_with("@@") {
            "hunk"
        } else if line.starts_with('+') {
            "added"
        } else if line.starts_with('-') {
            "removed"
        } else {
            "same"
        }
    };
    html! {
        pre.code tabindex="0" role="region" aria-label="Difference" {
            @for line in diff.lines() { span.(kind(line)) { (line) "\n" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_difference_have_their_kind_and_are_text() {
        let shown = difference("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a: <b>\n+a: c\n d: e\n").into_string();
        for line in [
            "<span class=\"hunk\">--- a/x\n</span>",
            "<span class=\"removed\">-a: &lt;b&gt;\n</span>",
            "<span class=\"added\">+a: c\n</span>",
            "<span class=\"same\"> d: e\n</span>",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
    }
}
