//! One zone: what is shared, who comes in, how it stands, what was used, and what has changed.

use axum::extract::{Extension, Path};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::credentials::{self, Credentials};
use super::lately;
use super::part::Part;
use super::theirs::is_theirs;
use super::traffic::{self, Traffic, Usage};
use super::zone::{Zone, member, web_address};
use crate::ui::activity;
use crate::ui::conditions;
use crate::ui::failure::Failure;
use crate::ui::moment::{at, when};
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{badge, count, counted, empty, marked, permission, revision};
use crate::ui::rest::segment;
use crate::ui::visitor::Visitor;

/// Nodes, as far as a zone is concerned.
#[derive(Debug, Deserialize)]
struct Nodes {
    items: Vec<Value>,
}

/// Events of the audit log that are shown.
const CHANGES: usize = 8;
/// Events that are read for them: refused log-ins are not shown, and there can be many.
const READ: usize = 32;

/// All that the page is made of.
struct Seen {
    zone: Zone,
    credentials: Part<Credentials>,
    usage: Part<Usage>,
    traffic: Part<Traffic>,
    nodes: Part<Nodes>,
    changes: Part<activity::Events>,
}

impl Seen {
    async fn ask(visitor: &Visitor, name: &str) -> Result<Self, Failure> {
        let of_zone = |what: &str| format!("/zones/{name}/{what}");
        let zone = visitor.get(&format!("/zones/{name}")).await?;
        let (nodes, changes) = if visitor.sees_service() {
            let search =
                activity::Search { zone: name, limit: READ, stretches: 2, ..activity::Search::default() };
            let changes = search.ask(visitor).await.map(|events| events.without_guesses(CHANGES));
            (Part::of(visitor.get("/nodes").await)?, Part::of(changes)?)
        } else {
            (Part::Hidden, Part::Hidden)
        };
        Ok(Self {
            zone,
            credentials: Part::of(visitor.get(&of_zone("credentials")).await)?,
            usage: Part::of(visitor.get(&of_zone("usage")).await)?,
            traffic: Part::of(visitor.get(&of_zone("traffic")).await)?,
            nodes,
            changes,
        })
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Markup, Failure> {
    let seen = Seen::ask(&visitor, segment(&name)?).await?;
    let zone = &seen.zone;
    let is_owner = visitor.role() == "owner";
    let content = html! {
        p.trail { a href=(super::LIST) { "Zones" } }
        (heading(&visitor, zone))
        div #state data-live { (state(zone)) }
        div.columns.wide-left {
            div {
                (topics(&seen))
                @if !seen.credentials.is_hidden() { (credentials::section(&visitor, zone, &seen.credentials)) }
                (traffic::section(zone, &seen.usage, &seen.traffic))
                @if !seen.changes.is_hidden() { (recent(zone, &seen.changes)) }
                @else if is_owner { (lately::changes(zone, &seen.credentials)) }
            }
            div {
                (about(zone))
                @if visitor.role() == "partner" || zone.is_whole() { (connection(zone)) }
                @if !seen.nodes.is_hidden() { (clients(zone, &seen.nodes)) }
                @else if is_owner { (lately::clients(zone, &seen.credentials)) }
                (conditions(zone))
            }
        }
    };
    Ok(page::whole(&visitor, &Title::new(zone.title()).at(Place::Zones), &content))
}

fn heading(visitor: &Visitor, zone: &Zone) -> Markup {
    html! {
        div.heading {
            div {
                h1 { (zone.title()) }
                p.muted {
                    code { (zone.name()) }
                    @if let Some(url) = zone.text("/spec/url") {
                        " · "
                        @if web_address(url).is_some() { a href=(url) rel="noopener noreferrer nofollow" { (url) } } @else { (url) }
                    }
                }
            }
            @if is_theirs(visitor, zone) {
                div.actions {
                    a.button href={ (zone.path()) "/edit" } { "Edit" }
                    a.button.danger href={ (zone.path()) "/delete" } { "Delete…" }
                }
            }
        }
    }
}

/// How it stands, and why if that is not as wanted.
fn state(zone: &Zone) -> Markup {
    let ready = zone.list("/status/conditions").iter().find(|it| member(it, "/type") == Some("Ready"));
    let message =
        zone.text("/status/failedReason").or_else(|| ready.and_then(|ready| member(ready, "/message")));
    html! {
        p.standing {
            (badge(zone.phase())) " "
            @if let Some(message) = message { span.said { (marked(message)) } }
            span.muted { " · changed " (when(zone.text("/status/updatedAt"))) }
        }
        @for drift in zone.list("/status/conditions").iter().filter(|it| is_true(it, "Drifted")) {
            div.notice.waiting role="status" {
                p { strong { "Drift." } " " (marked(member(drift, "/message").unwrap_or("Something in force is not as the source asks."))) }
            }
        }
    }
}

fn is_true(condition: &Value, kind: &str) -> bool {
    member(condition, "/type") == Some(kind) && member(condition, "/status") == Some("True")
}

fn topics(seen: &Seen) -> Markup {
    let zone = &seen.zone;
    let shared = zone.list("/spec/topics");
    let hidden = zone.number("/status/otherTopics").unwrap_or_default();
    html! {
        section.card aria-labelledby="topics-title" {
            h2 #topics-title { "Shared topics " span.count { (count(shared.len() as u64)) } }
            @if shared.is_empty() { (empty("No topics", "The partner logs in and sees an empty cluster.", None)) }
            @else {
                table.list {
                    caption.unseen { "Shared topics" }
                    thead { tr {
                        th scope="col" { "Alias" } @if is_backing_seen(shared) { th scope="col" { "Backing topic" } } th scope="col" { "Permission" }
                        th scope="col" { "Health" } th.number scope="col" { "This month" }
                    } }
                    tbody #topics data-live { @for topic in shared { (topic_row(seen, shared, topic)) } }
                }
            }
            @if hidden > 0 { p.muted { "It shares " (counted(hidden, "other topic")) " that you do not see." } }
        }
    }
}

/// A partner sees no backing topics.
fn is_backing_seen(shared: &[Value]) -> bool {
    shared.iter().any(|topic| member(topic, "/backingTopic").is_some())
}

fn topic_row(seen: &Seen, shared: &[Value], topic: &Value) -> Markup {
    let alias = member(topic, "/name").unwrap_or_default();
    let used = seen.usage.had().and_then(|usage| usage.topic(alias));
    html! {
        tr {
            th scope="row" data-label="Alias" {
                code { (alias) }
                @if let Some(text) = member(topic, "/description") { span.sub.free { (text) } }
                @if let Some(until) = member(topic, "/deprecated/until") { span.sub { "ends " (at(Some(until))) } }
            }
            @if is_backing_seen(shared) { td data-label="Backing topic" { code { (member(topic, "/backingTopic").unwrap_or("–")) } } }
            td data-label="Permission" { (permission(member(topic, "/permission").unwrap_or("READ"))) }
            td data-label="Health" { (health(&seen.zone, topic, seen.usage.had())) }
            td.number data-label="This month" { @match used { Some(used) => (used.volumes()), None => span.muted { "–" } } }
        }
    }
}

/// Whether a topic works: what a condition says of it by name, or else whether it is used.
fn health(zone: &Zone, topic: &Value, usage: Option<&Usage>) -> Markup {
    let alias = member(topic, "/name").unwrap_or_default();
    let behind = usage.map_or(0, |usage| usage.behind(alias));
    let backing = member(topic, "/backingTopic").unwrap_or_default();
    let named = |text: &str| !backing.is_empty() && text.contains(&format!("`{backing}`"));
    let conditions = zone.list("/status/conditions").iter();
    let mut texts =
        conditions.filter_map(|it| member(it, "/message")).chain(zone.text("/status/failedReason"));
    let is_blamed = zone.phase() == "FAILED" && texts.any(named);
    html! {
        @if is_blamed { span.badge.bad { "broken" } }
        @else if zone.phase() == "PENDING" { span.badge.waiting { "pending" } }
        @else if behind > 0 { span.badge.plain { (count(behind)) " behind" } }
        @else {
            @match usage {
                Some(usage) if usage.topic(alias).is_some() => span.badge.good { "in use" },
                Some(_) => span.badge.plain { "not used yet" },
                None => span.muted { "–" },
            }
        }
    }
}

fn about(zone: &Zone) -> Markup {
    let contact = |what: &str| zone.text(&format!("/spec/partner/{what}"));
    html! {
        section.card aria-labelledby="about-title" {
            @if zone.is_whole() {
                h2 #about-title { "Why it is shared" }
                @match zone.text("/spec/description") {
                    Some(text) => p.prose { (text) },
                    None => p.muted { "Nobody has written down a reason." },
                }
                h3 { "Contact" }
            } @else { h2 #about-title { "Contact" } }
            @if let Some(name) = contact("name") {
                p.contact {
                    // Each for itself: one that is written from right to left turns no other around.
                    bdi { (name) } @if let Some(role) = contact("role") { ", " bdi { (role) } }
                    @if let Some(email) = contact("email") { br; bdi { (email) } }
                    @if let Some(phone) = contact("phone") { br; bdi { (phone) } }
                }
            } @else { p.muted { "Nobody is named." } }
            @if zone.labels().next().is_some() {
                h3 { "Labels" }
                ul.labels { @for (key, value) in zone.labels() {
                    li { a href={ (super::LIST) (crate::ui::rest::query(&[("label", &format!("{key}={value}"))])) } { (key) "=" (value) } }
                } }
            }
        }
    }
}

fn connection(zone: &Zone) -> Markup {
    let fact = |name: &str, value: Option<&str>| {
        html! {
            @if let Some(value) = value { dt { (name) } dd { code { (value) } } }
        }
    };
    html! {
        section.card aria-labelledby="connection-title" {
            h2 #connection-title { "Connection" }
            dl.facts {
                (fact("Address", zone.text("/status/bootstrapServers")))
                (fact("Protocol", zone.text("/status/securityProtocol")))
                (fact("Authentication", zone.text("/spec/authenticationMode/type")))
                (fact("Service account", zone.text("/spec/authenticationMode/serviceAccount")))
                (fact("Gateway", zone.text("/spec/cluster")))
                (fact("Backing cluster", zone.text("/spec/underlyingCluster")))
                (fact("Open from", zone.text("/spec/access/validFrom")))
                (fact("Open until", zone.text("/spec/access/validUntil")))
                @if let Some(text) = zone.text("/status/revision") { dt { "Revision" } dd { (revision(text)) } }
            }
            (limits(zone))
        }
    }
}

const LIMITS: [(&str, &str, &str); 6] = [
    ("maxProduceRate", "Produce", "B/s"),
    ("maxConsumeRate", "Consume", "B/s"),
    ("limitCommitOffset", "Commits", "a minute"),
    ("maxConnections", "Connections", "at a time"),
    ("maxConnectionRate", "New connections", "a second"),
    ("maxRequestRate", "Requests", "a second"),
];

fn limits(zone: &Zone) -> Markup {
    let limit = |key: &str| zone.number(&format!("/spec/trafficControlPolicies/{key}"));
    let set: Vec<_> = LIMITS.iter().filter_map(|(key, name, unit)| Some((name, limit(key)?, unit))).collect();
    html! {
        h3 { "Limits" }
        @if set.is_empty() { p.muted { "None." } }
        @else { dl.facts { @for (name, value, unit) in set { dt { (name) } dd { (count(value)) " " (unit) } } } }
    }
}

fn clients(zone: &Zone, nodes: &Part<Nodes>) -> Markup {
    html! {
        section.card aria-labelledby="clients-title" {
            h2 #clients-title { "Connected clients" }
            div #clients data-live { (nodes.show(|nodes| connected(zone, nodes))) }
        }
    }
}

fn connected(zone: &Zone, nodes: &Nodes) -> Markup {
    let of = |node: &Value| {
        node.pointer(&format!("/usage/{}/clients", zone.name())).and_then(Value::as_u64).unwrap_or_default()
    };
    html! {
        @if nodes.items.iter().all(|node| of(node) == 0) { p.muted { "Nobody is connected." } }
        @else {
            dl.facts { @for node in nodes.items.iter().filter(|node| of(node) > 0) {
                dt { (member(node, "/node").unwrap_or_default()) } dd { (counted(of(node), "client")) }
            } }
        }
    }
}

fn conditions(zone: &Zone) -> Markup {
    html! {
        section.card aria-labelledby="conditions-title" {
            h2 #conditions-title { "Conditions" }
            (conditions::list(zone.list("/status/conditions"), "conditions"))
        }
    }
}

fn recent(zone: &Zone, changes: &Part<activity::Events>) -> Markup {
    html! {
        section.card aria-labelledby="changes-title" {
            h2 #changes-title { "Recent changes" }
            div #changes data-live { (changes.show(activity::entries)) }
            p { a href={ "/ui/activity?zone=" (zone.name()) } { "All of this zone's activity" } }
        }
    }
}

#[cfg(test)]
mod tests;
