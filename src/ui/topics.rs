//! The topics of a backing cluster, and with whom each is shared.

use axum::extract::{Extension, RawQuery};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;
use super::form::Form;
use super::moment::when;
use super::page::{self, Place, Title};
use super::parts::{count, counted, empty, more, permission};
use super::rest::query;
use super::visitor::Visitor;
use super::zones::{self, member};

const PATH: &str = "/ui/topics";

/// Topics of a page.
const PAGE: &str = "100";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Topics {
    pub(super) cluster: String,
    pub(super) items: Vec<Topic>,
    pub(super) total: u64,
    pub(super) next_page_token: Option<String>,
    observed_at: Option<String>,
    is_partial: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) partitions: u64,
    shared_with: Vec<Value>,
    pub(super) shares: u64,
}

/// Which topics somebody looks for; what is empty is left open.
#[derive(Debug, Default)]
pub(super) struct Search<'s> {
    pub(super) cluster: &'s str,
    pub(super) text: &'s str,
    pub(super) page: &'s str,
    pub(super) limit: &'s str,
}

impl Search<'_> {
    pub(super) async fn ask(&self, visitor: &Visitor) -> Result<Topics, Failure> {
        let asked = [
            ("cluster", self.cluster),
            ("search", self.text),
            ("pageToken", self.page),
            ("limit", self.limit),
        ];
        visitor.get(&format!("/topics{}", query(&asked))).await
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    RawQuery(asked): RawQuery,
) -> Result<Markup, Failure> {
    let form = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let (cluster, search, page) = (form.text("cluster"), form.text("search"), form.text("page"));
    let topics = Search { cluster, text: search, page, limit: PAGE }.ask(&visitor).await;
    if let Err(failure) = &topics
        && failure.status == StatusCode::FORBIDDEN
    {
        return Err(failure.clone());
    }
    let at =
        |page: &str| format!("{PATH}{}", query(&[("cluster", cluster), ("search", search), ("page", page)]));
    let shown = topics.as_ref().map_or(cluster, |topics| &topics.cluster);
    let content = html! {
        h1 { "Topics" }
        form.filters role="search" method="get" action=(PATH) {
            div.field {
                label for="search" { "Search" }
                input #search type="search" name="search" value=(search) maxlength="200" placeholder="Part of a name" spellcheck="false";
            }
            div.field {
                label for="cluster" { "Cluster" }
                input #cluster name="cluster" value=(shown) maxlength="100" spellcheck="false";
            }
            button type="submit" { "Show" }
            @if !(search.is_empty() && cluster.is_empty()) { a.button.quiet href=(PATH) { "Clear" } }
        }
        @match &topics {
            Err(failure) => (failure.notice()),
            Ok(topics) if topics.items.is_empty() => (empty(
                "No topic fits",
                "The cluster has no topic of this kind that you may see. Kafka's own topics are left out.",
                None,
            )),
            Ok(topics) => {
                (table(topics))
                (more(topics.next_page_token.as_deref().map(at), page.is_empty(), &at("")))
            }
        }
    };
    Ok(page::whole(&visitor, &Title::new("Topics").at(Place::Topics), &content))
}

fn table(topics: &Topics) -> Markup {
    html! {
        p.muted.note {
            (counted(topics.total, "topic")) " of cluster " code { (topics.cluster) } ", as it said " (when(topics.observed_at.as_deref())) "."
            @if topics.is_partial { " It has more than can be listed." }
        }
        table.list {
            caption.unseen { "Topics" }
            thead { tr {
                th scope="col" { "Topic" } th.number scope="col" { "Partitions" } th scope="col" { "Shared with" }
            } }
            tbody { @for topic in &topics.items { tr {
                th scope="row" data-label="Topic" { code { (topic.name) } }
                td.number data-label="Partitions" { (count(topic.partitions)) }
                td data-label="Shared with" { (shares(topic)) }
            } } }
        }
    }
}

fn shares(topic: &Topic) -> Markup {
    let hidden = topic.shares.saturating_sub(topic.shared_with.len() as u64);
    html! {
        @if topic.shares == 0 { span.muted { "nobody" } }
        @else {
            ul.shares {
                @for share in &topic.shared_with {
                    @let zone = member(share, "/zone").unwrap_or_default();
                    li {
                        a href=(zones::path(zone)) { (zone) } " as " code { (member(share, "/alias").unwrap_or_default()) } " "
                        (permission(member(share, "/permission").unwrap_or_default()))
                    }
                }
                @if hidden > 0 { li.muted { "and " (counted(hidden, "more zone")) } }
            }
        }
    }
}
