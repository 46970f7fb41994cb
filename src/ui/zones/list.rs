//! The list of zones: searched, filtered, in an order, in parts.

use axum::extract::{Extension, RawQuery};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::zone::{Zone, web_address};
use crate::ui::failure::Failure;
use crate::ui::form::Form;
use crate::ui::moment::when;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{badge, bytes, count, empty, more};
use crate::ui::rest::{query, segment};
use crate::ui::visitor::Visitor;

/// Zones of a page.
const PAGE: &str = "50";

const STATUSES: [(&str, &str); 4] =
    [("", "Any status"), ("READY", "Ready"), ("PENDING", "Pending"), ("FAILED", "Failed")];

const ORDERS: [(&str, &str); 5] = [
    ("name", "Name, A to Z"),
    ("-name", "Name, Z to A"),
    ("-updatedAt", "Last changed first"),
    ("updatedAt", "First changed first"),
    ("status", "Failed first"),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zones {
    items: Vec<Zone>,
    total: u64,
    #[serde(default)]
    total_topics: u64,
    next_page_token: Option<String>,
}

/// What the visitor wants to see.
struct Wanted {
    search: String,
    status: String,
    label: String,
    sort: String,
    page: String,
}

impl Wanted {
    fn of(form: &Form) -> Self {
        let known = |name: &str, choices: &[(&str, &str)]| {
            let asked = form.text(name);
            let is_known = choices.iter().any(|(choice, _)| *choice == asked);
            if is_known { asked.to_owned() } else { choices.first().map_or("", |first| first.0).to_owned() }
        };
        Self {
            search: form.text("search").to_owned(),
            status: known("status", &STATUSES),
            label: form.text("label").to_owned(),
            sort: known("sort", &ORDERS),
            page: form.text("page").to_owned(),
        }
    }

    fn is_filtered(&self) -> bool {
        !(self.search.is_empty() && self.status.is_empty() && self.label.is_empty())
    }

    /// Of the API.
    fn question(&self) -> String {
        let asked = [
            ("search", self.search.as_str()),
            ("status", &self.status),
            ("label", &self.label),
            ("sort", &self.sort),
            ("pageToken", &self.page),
            ("limit", PAGE),
            ("include", "usage"),
        ];
        format!("/zones{}", query(&asked))
    }

    /// The same list, from another place on.
    fn at(&self, page: &str) -> String {
        let asked = [
            ("search", self.search.as_str()),
            ("status", &self.status),
            ("label", &self.label),
            ("sort", &self.sort),
            ("page", page),
        ];
        format!("{}{}", super::LIST, query(&asked))
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    RawQuery(asked): RawQuery,
) -> Result<Markup, Failure> {
    let asked = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let (wanted, deleted) = (Wanted::of(&asked), deleted(&visitor, asked.text("deleted")).await);
    let zones = visitor.get::<Zones>(&wanted.question()).await;
    let all = visitor.get::<Zones>("/zones?limit=1").await?;
    let failed = visitor.get::<Zones>("/zones?limit=1&status=FAILED").await?;
    let pending = visitor.get::<Zones>("/zones?limit=1&status=PENDING").await?;
    let content = html! {
        @if let Some(deleted) = &deleted { (deleted) }
        div.heading {
            h1 { "Zones" }
            @if visitor.shares() { a.button.primary href="/ui/zones/new" { "New zone" } }
        }
        dl #totals .tiles data-live {
            (tile("Zones", all.total, super::LIST, ""))
            (tile("Shared topics", all.total_topics, "/ui/topics", ""))
            (tile("Pending", pending.total, "/ui/zones?status=PENDING", "waiting"))
            (tile("Failed", failed.total, "/ui/zones?status=FAILED", "bad"))
        }
        @if all.total > 0 { (filters(&wanted)) }
        div #zones data-live {
            @match &zones {
                Err(failure) => (failure.notice()),
                Ok(zones) if zones.items.is_empty() => (nothing(&visitor, &wanted)),
                Ok(zones) => (table(&visitor, &wanted, zones)),
            }
        }
    };
    Ok(page::whole(&visitor, &Title::new("Zones").at(Place::Zones), &content))
}

/// Where somebody comes from who has deleted a zone: whether it is gone, the API says.
async fn deleted(visitor: &Visitor, name: &str) -> Option<Markup> {
    let name = segment(name).ok()?;
    let is_gone = match visitor.get::<Zone>(&format!("/zones/{name}")).await {
        Ok(_) => false,
        Err(failure) => failure.status == StatusCode::NOT_FOUND,
    };
    Some(html! {
        div #deleted.notice role="status" data-live {
            p {
                strong { "Zone " code { (name) } }
                @if is_gone { " is deleted." } @else { " is still there: a deletion comes into force some seconds after its commit." }
            }
        }
    })
}

/// A number that says where to look. Nothing to worry about has no colour.
fn tile(name: &str, number: u64, path: &str, kind: &str) -> Markup {
    let kind = if number == 0 { "" } else { kind };
    html! { div.tile.(kind) { dt { a href=(path) { (name) } } dd { (count(number)) } } }
}

fn filters(wanted: &Wanted) -> Markup {
    html! {
        form.filters role="search" method="get" action=(super::LIST) {
            div.field {
                label for="search" { "Search" }
                input #search type="search" name="search" value=(wanted.search) maxlength="200" placeholder="Name, topic, partner, URL";
            }
            (choice("status", "Status", &STATUSES, &wanted.status))
            div.field {
                label for="label" { "Label" }
                input #label name="label" value=(wanted.label) maxlength="200" placeholder="team=sales" spellcheck="false";
            }
            (choice("sort", "Order", &ORDERS, &wanted.sort))
            button type="submit" { "Show" }
            @if wanted.is_filtered() { a.button.quiet href=(super::LIST) { "Clear" } }
        }
    }
}

fn choice(name: &str, label: &str, choices: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, text) in choices { option value=(value) selected[*value == chosen] { (text) } }
            }
        }
    }
}

fn nothing(visitor: &Visitor, wanted: &Wanted) -> Markup {
    let new = html! { a.button.primary href="/ui/zones/new" { "New zone" } };
    if wanted.is_filtered() {
        let clear = html! { a.button href=(super::LIST) { "Show all zones" } };
        empty("No zone fits", "Nothing that you can see has all of what you asked for.", Some(clear))
    } else if visitor.shares() {
        empty(
            "Nothing is shared yet",
            "A zone shares chosen topics with one partner, under names of your choice.",
            Some(new),
        )
    } else {
        empty(
            "Nothing is shared yet",
            "Zones appear here as soon as somebody shares topics that you may see.",
            None,
        )
    }
}

fn table(visitor: &Visitor, wanted: &Wanted, zones: &Zones) -> Markup {
    let fitting = if wanted.is_filtered() { "that fit" } else { "in all" };
    html! {
        p.muted.note { (count(zones.total)) " " (fitting) }
        table.list {
            caption.unseen { "Zones" }
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Partner" } th.number scope="col" { "Topics" }
                @if zones.items.iter().any(Zone::is_whole) { th scope="col" { "Gateway" } }
                th scope="col" { "Status" } th scope="col" { "Changed" } th.number scope="col" { "Traffic this month" }
                th scope="col" { span.unseen { "Actions" } }
            } }
            tbody { @for zone in &zones.items { (row(visitor, zones, zone)) } }
        }
        (more(zones.next_page_token.as_deref().map(|token| wanted.at(token)), wanted.page.is_empty(), &wanted.at("")))
    }
}

fn row(visitor: &Visitor, zones: &Zones, zone: &Zone) -> Markup {
    let traffic =
        |direction: &str| zone.number(&format!("/status/usage/{direction}/bytes")).unwrap_or_default();
    html! {
        tr {
            th scope="row" data-label="Name" {
                a.name href=(zone.path()) { (zone.title()) }
                @if zone.title() != zone.name() { span.sub { (zone.name()) } }
            }
            td data-label="Partner" {
                @match zone.text("/spec/url") {
                    Some(url) if web_address(url).is_some() => a href=(url) rel="noopener noreferrer nofollow" { (url) },
                    Some(text) => (text),
                    None => (zone.text("/spec/partner/name").unwrap_or("–")),
                }
            }
            td.number data-label="Topics" { (count(zone.list("/spec/topics").len() as u64)) }
            @if zones.items.iter().any(Zone::is_whole) { td data-label="Gateway" { (zone.text("/spec/cluster").unwrap_or("–")) } }
            td data-label="Status" { (badge(zone.phase())) }
            td data-label="Changed" { (when(zone.text("/status/updatedAt"))) }
            td.number data-label="Traffic" {
                span title="produced by the partner" { "↑ " (bytes(traffic("produced"))) } " "
                span title="consumed by the partner" { "↓ " (bytes(traffic("consumed"))) }
            }
            td.actions {
                details.menu {
                    summary { span.unseen { "Actions for " (zone.title()) } span.dots aria-hidden="true" { "⋯" } }
                    div.panel {
                        a href=(zone.path()) { "Open" }
                        @if zone.is_theirs(visitor) {
                            a href={ (zone.path()) "/edit" } { "Edit" }
                            a href={ (zone.path()) "#credentials" } { "Credentials" }
                            a.danger href={ (zone.path()) "/delete" } { "Delete…" }
                        }
                    }
                }
            }
        }
    }
}
