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
const PAGE: usize = 50;

/// Stretches of the log that are read for a page at most. One has about 1 000 events.
const STRETCHES: usize = 5;

/// What people look for, by the first part of an event's type.
const KINDS: [(&str, &str); 7] = [
    ("", "Everything"),
    ("zone", "Zones"),
    ("credential", "Credentials"),
    ("api-key", "API keys"),
    ("controller", "Controller"),
    ("logins", "Log-ins"),
    ("session", "Sign-ins"),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    items: Vec<Value>,
    next_page_token: Option<String>,
}

/// Which events somebody looks for; what is empty is left open.
#[derive(Debug, Default)]
pub(super) struct Search<'s> {
    pub(super) zone: &'s str,
    pub(super) kind: &'s str,
    /// Behind which event they begin.
    pub(super) page: &'s str,
    pub(super) limit: usize,
    /// How much of the log is read for them: each is a question to the brokers.
    pub(super) stretches: usize,
}

impl Search<'_> {
    /// One request reads one stretch of the log, and where much happens nothing in it may fit: more of them are read until there are
    /// enough events, and not the whole log.
    pub(super) async fn ask(&self, visitor: &Visitor) -> Result<Events, Failure> {
        let mut found = self.part(visitor, (self.page, self.limit)).await?;
        for _ in 1..self.stretches {
            let left = self.limit.saturating_sub(found.items.len());
            let Some(token) = found.next_page_token.as_deref().filter(|_| left > 0) else { break };
            // What is there is shown. Its token goes on behind it.
            let Ok(more) = self.part(visitor, (token, left)).await else { break };
            found.items.extend(more.items);
            found.next_page_token = more.next_page_token;
        }
        Ok(found)
    }

    async fn part(&self, visitor: &Visitor, (token, limit): (&str, usize)) -> Result<Events, Failure> {
        let limit = limit.to_string();
        let asked = [("zone", self.zone), ("type", self.kind), ("pageToken", token), ("limit", &limit)];
        visitor.get(&format!("/audit{}", query(&asked))).await
    }
}

impl Events {
    /// And nothing older either.
    fn is_nothing(&self) -> bool {
        self.items.is_empty() && self.next_page_token.is_none()
    }

    /// The newest of them, but for what strangers alone can make happen: it would push out the rest.
    pub(super) fn without_guesses(mut self, most: usize) -> Self {
        let is_guess = |event: &Value| {
            member(event, "/type").is_some_and(|kind| kind.starts_with("partner-zones.logins."))
        };
        self.items.retain(|event| !is_guess(event));
        self.items.truncate(most);
        self
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    RawQuery(asked): RawQuery,
) -> Result<Markup, Failure> {
    let form = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let (zone, page) = (form.text("zone"), form.text("page"));
    let kind = KINDS.iter().find(|(kind, _)| *kind == form.text("type")).map_or("", |(kind, _)| kind);
    let events = Search { zone, kind, page, limit: PAGE, stretches: STRETCHES }.ask(&visitor).await;
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
    use axum::http::StatusCode;

    use super::*;
    use crate::ui::fake::{Api, Browser, STRETCH, event};

    #[test]
    fn what_happened_is_said_in_words() {
        assert_eq!(words("zone.create-committed"), "Zone create committed");
        assert_eq!(words(""), "");
        assert!(about("zone/acme/topic").into_string().contains("/ui/zones/acme\""));
        assert!(about("controller/zone/acme").into_string().contains("/ui/zones/acme\""));
        assert!(!about("zone/<b>").into_string().contains("<b>"));
    }

    #[tokio::test]
    async fn what_people_look_for_are_types_that_there_are() {
        let types = [
            "zone.updated",
            "credential.issued",
            "api-key.created",
            "controller.suspended",
            "logins.failed",
            "session.begun",
        ];
        let api = Api::new();
        api.says(|says| says.log = types.iter().map(|kind| event(kind, "zone/acme")).collect());
        for ((kind, _), wanted) in KINDS.iter().skip(1).zip(types) {
            let browser = Browser::open(&api, &format!("{PATH}?type={kind}")).await;
            for kind in types {
                assert_eq!(browser.shows(&format!("<code>{kind}</code>")), kind == wanted, "{kind}");
            }
        }
    }

    #[tokio::test]
    async fn where_much_happens_some_stretches_of_the_log_are_read_and_not_all_of_it() {
        let api = Api::new();
        let shown = |browser: &Browser| browser.page.matches("<code>zone.updated</code>").count();
        api.says(|says| {
            says.log = vec![event("session.begun", "session/key1"); STRETCH * 20];
            says.log[STRETCH * 4] = event("zone.updated", "zone/acme");
            says.log[STRETCH * 9] = event("zone.updated", "zone/acme");
        });
        let mut browser = Browser::open(&api, &format!("{PATH}?zone=acme")).await;
        assert_eq!((browser.status, shown(&browser)), (StatusCode::OK, 1));
        assert_eq!(api.says(|says| says.stretches), STRETCHES);
        let next = format!("{PATH}?zone=acme&page={}", STRETCH * STRETCHES);
        assert!(browser.shows(&format!("href=\"{}\"", next.replace('&', "&amp;"))), "{}", browser.page);
        browser.go(&next).await;
        assert_eq!(shown(&browser), 1, "{}", browser.page);
        browser.go(&format!("{PATH}?zone=globex")).await;
        assert!(browser.shows("Older entries may fit."), "{}", browser.page);

        // What is enough is enough, and nothing is shown twice or left out.
        api.says(|says| {
            says.stretches = 0;
            let updated = |number| event("zone.updated", &format!("zone/z{number}"));
            says.log = (0..PAGE + 7).map(updated).collect();
        });
        browser.go(PATH).await;
        assert_eq!((shown(&browser), api.says(|says| says.stretches)), (PAGE, PAGE / STRETCH));
        browser.go(&format!("{PATH}?page={PAGE}")).await;
        assert_eq!(shown(&browser), 7);
    }
}
