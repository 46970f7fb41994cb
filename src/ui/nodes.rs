//! The gateways that live: what each serves, and how busy it is.

use axum::extract::Extension;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::conditions;
use super::failure::Failure;
use super::moment::when;
use super::page::{self, Place, Title};
use super::parts::{count, empty, marked, revision};
use super::visitor::Visitor;
use super::zones::{self, member};

#[derive(Debug, Deserialize)]
struct Nodes {
    items: Vec<Value>,
    leader: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Controller {
    node: String,
    leading: bool,
    revision: Option<String>,
    source: Value,
}

impl Controller {
    /// Its node, if it is the one that leads.
    fn leader(&self) -> Option<&str> {
        self.leading.then_some(self.node.as_str())
    }
}

pub(super) async fn show(Extension(visitor): Extension<Visitor>) -> Result<Markup, Failure> {
    let nodes = visitor.get::<Nodes>("/nodes").await?;
    let controller = visitor.get::<Controller>("/controller").await;
    let content = html! {
        h1 { "Nodes" }
        div #controller data-live {
            @match &controller {
                Err(failure) => (failure.notice()),
                Ok(controller) => (leading(controller, nodes.leader.as_ref())),
            }
        }
        div #nodes data-live {
            @if nodes.items.is_empty() {
                (empty("No gateway lives", "Partners cannot connect. Start a process with the role `all` or `gateway`.", None))
            } @else { (table(&nodes.items)) (problems(&nodes.items)) }
        }
    };
    Ok(page::whole(&visitor, &Title::new("Nodes").at(Place::Nodes), &content))
}

/// Who leads, and how the source stands.
fn leading(controller: &Controller, leader: Option<&Value>) -> Markup {
    let conditions = controller.source.get("conditions").and_then(Value::as_array);
    html! {
        section.card aria-labelledby="leader-title" {
            h2 #leader-title { "Controller" }
            dl.facts {
                dt { "Leads" } dd { @match controller.leader().or(leader.and_then(|leader| member(leader, "/node"))) {
                    Some(node) => code { (node) },
                    None => span.badge.bad { "nobody" },
                } }
                dt { "Revision in force" } dd { @match &controller.revision { Some(text) => (revision(text)), None => "none yet" } }
                @if let Some(seen) = member(&controller.source, "/lastObserved") { dt { "Revision seen" } dd { (revision(seen)) } }
            }
            (conditions::list(conditions.map_or(&[], Vec::as_slice), "controller-conditions"))
        }
    }
}

fn table(nodes: &[Value]) -> Markup {
    html! {
        table.list {
            caption.unseen { "Nodes" }
            thead { tr {
                th scope="col" { "Node" } th scope="col" { "Serves" } th.number scope="col" { "Connections" } th.number scope="col" { "Clients" }
                th.number scope="col" { "Busy zones" } th.number scope="col" { "Held back" } th scope="col" { "Last heard" }
            } }
            tbody { @for node in nodes { (row(node)) } }
        }
    }
}

fn row(node: &Value) -> Markup {
    let load =
        |what: &str| node.pointer(&format!("/load/{what}")).and_then(Value::as_u64).unwrap_or_default();
    let is_current = node.get("isCurrent").and_then(Value::as_bool).unwrap_or_default();
    html! {
        tr {
            th scope="row" data-label="Node" { code { (member(node, "/node").unwrap_or_default()) } }
            td data-label="Serves" {
                @if is_current { span.badge.good { "up to date" } } @else { span.badge.waiting { "behind" } }
                @if let Some(text) = member(node, "/revision") { span.sub { (revision(text)) } }
            }
            td.number data-label="Connections" { (count(load("connections"))) }
            td.number data-label="Clients" { (count(load("clients"))) }
            td.number data-label="Busy zones" { (count(load("zones"))) }
            td.number data-label="Held back" { (count(load("heldZones"))) }
            td data-label="Last heard" { (when(member(node, "/at"))) }
        }
    }
}

/// Zones that a node cannot serve as wanted.
fn problems(nodes: &[Value]) -> Markup {
    let of = |node: &Value| node.get("problems").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    html! {
        @for node in nodes {
            @let problems = of(node);
            @if !problems.is_empty() {
                section.card {
                    h2 { "Not served as wanted by " code { (member(node, "/node").unwrap_or_default()) } }
                    dl.facts { @for (zone, why) in &problems {
                        dt { a href=(zones::path(zone)) { (zone) } } dd { (marked(why.as_str().unwrap_or_default())) }
                    } }
                }
            }
        }
    }
}
