//! What has happened: the audit log, the newest first.

use axum::extract::{Extension, RawQuery};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::form::Form;
use super::moment::when;
use super::page::{self, Place, Title};
use super::parts::{empty, more, revision};
use super::rest::query;
use super::visitor::Visitor;
use super::zones::{self, member};

const PATH: &str = "/ui/activity";

/// Events of a page.
const PAGE: &str = "50";

/// What people look for, by the beginning of an event's type.
const KINDS: [(&str, &str); 7] = [
    ("", "Everything"),
    ("zone", "Zones"),
    ("credential", "Credentials"),
    ("api-key", "API keys"),
    ("controller", "Controller"),
    ("login", "Log-ins"),
    ("session", "Sign-ins"),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    items: Vec<Value>,
    next_page_token: Option<String>,
}

impl Events {
    /// And nothing older either.
    fn is_nothing(&self) -> bool {
        self.items.is_empty() && self.next_page_token.is_none()
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    RawQuery(asked): RawQuery,
) -> Result<Markup, Failure> {
    let form = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let (zone, page) = (form.text("zone"), form.text("page"));
    let kind = KINDS.iter().find(|(kind, _)| *kind == form.text("type")).map_or("", |(kind, _)| kind);
    let path =
        format!("/audit{}", query(&[("zone", zone), ("type", kind), ("pageToken", page), ("limit", PAGE)]));
    let events = visitor.get::<Events>(&path).await;
    let at = |page: &str| format!("{PATH}{}", query(&[("zone", zone), ("type", kind), ("page", page)]));
    let content = html! {
        h1 { "Activity" }
        form.filters method="get" action=(PATH) {
            div.field {
                label for="zone" { "Zone" }
                input #zone name="zone" value=(zone) maxlength="100" placeholder="Technical name" spellcheck="false";
            }
            div.field {
                label for="type" { "About" }
                select #type name="type" { @for (value, text) in KINDS { option value=(value) selected[value == kind] { (text) } } }
            }
            button type="submit" { "Show" }
            @if !(zone.is_empty() && kind.is_empty()) { a.button.quiet href=(PATH) { "Clear" } }
        }
        div #events .card data-live[page.is_empty()] {
            @match &events {
                Err(failure) => (failure.notice()),
                Ok(events) if events.is_nothing() && !(zone.is_empty() && kind.is_empty()) => {
                    (empty("Nothing fits", "Nothing of this kind has happened.", None))
                }
                Ok(events) => {
                    (entries(events))
                    (more(events.next_page_token.as_deref().map(at), page.is_empty(), &at("")))
                }
            }
        }
    };
    Ok(page::whole(&visitor, &Title::new("Activity").at(Place::Activity), &content))
}

/// As a list, on this page and on that of a zone.
pub(super) fn entries(events: &Events) -> Markup {
    html! {
        @if events.items.is_empty() {
            @if events.next_page_token.is_some() {
                (empty("Nothing in this stretch of the log", "Older entries may fit.", None))
            } @else { (empty("Nothing has happened yet", "Changes of zones, credentials and keys appear here.", None)) }
        } @else {
            ol.events { @for event in &events.items { (entry(event)) } }
        }
    }
}

fn entry(event: &Value) -> Markup {
    let kind = member(event, "/type").unwrap_or_default().trim_start_matches("partner-zones.");
    let subject = member(event, "/subject").unwrap_or_default();
    html! {
        li {
            p {
                strong { (words(kind)) } " " (about(subject))
                " " span.muted { (when(member(event, "/time"))) }
            }
            p.sub {
                @if let Some(by) = member(event, "/data/author").or_else(|| member(event, "/data/by")) { "by " bdi { (by) } " · " }
                @else if let Some(key) = member(event, "/data/apiKey") { "by API key " code { (key) } " · " }
                @else if let Some(name) = member(event, "/data/person/name") { "by " (name) " (" (subject_of(event)) ") · " }
                @if let Some(text) = member(event, "/data/revision") { (revision(text)) " · " }
                code { (kind) }
            }
            @if let Some(subject) = member(event, "/data/subject") { p.said { (subject) } }
            (details(event))
        }
    }
}

/// Who somebody is beside what they are called.
fn subject_of(event: &Value) -> &str {
    member(event, "/data/person/subject").unwrap_or_default()
}

/// `zone.create-committed` as `Zone create committed`.
fn words(kind: &str) -> String {
    let text = kind.replace(['.', '-', '_'], " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// With the way to the zone, if it is one.
fn about(subject: &str) -> Markup {
    match subject
        .trim_start_matches("controller/")
        .strip_prefix("zone/")
        .and_then(|rest| rest.split('/').next())
    {
        Some(zone) if super::rest::segment(zone).is_ok() => html! { a href=(zones::path(zone)) { (zone) } },
        _ => html! { code { (subject) } },
    }
}

/// All that was written down, for who wants to know more.
fn details(event: &Value) -> Markup {
    let data = event.get("data").filter(|data| data.as_object().is_some_and(|data| !data.is_empty()));
    let text = data.and_then(|data| serde_json::to_string_pretty(data).ok());
    html! {
        @if let Some(text) = text {
            details.more { summary { "Details" } pre.code tabindex="0" { (text) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_said_in_words() {
        assert_eq!(words("zone.create-committed"), "Zone create committed");
        assert_eq!(words(""), "");
        assert!(about("zone/acme/topic").into_string().contains("/ui/zones/acme\""));
        assert!(about("controller/zone/acme").into_string().contains("/ui/zones/acme\""));
        assert!(!about("zone/<b>").into_string().contains("<b>"));
    }
}
