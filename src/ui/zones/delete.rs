//! A zone goes: first who and what goes with it, then, if somebody types the word, a commit.

use axum::extract::{Extension, Path};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::credentials::Credentials;
use super::outcome::Outcome;
use super::part::Part;
use super::zone::{Zone, member, path, trail};
use super::{lately, theirs};
use crate::ui::failure::Failure;
use crate::ui::form::Sent;
use crate::ui::moment::when;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{Field, Need, badge, count, counted, csrf, marked};
use crate::ui::rest::{Call, query, segment};
use crate::ui::visitor::Visitor;

/// What has to be typed.
const WORD: &str = "DELETE";

/// What somebody has typed, and what came of it.
#[derive(Debug, Default)]
struct Said {
    /// Of the zone that was seen first.
    tag: Option<String>,
    confirm: String,
    reason: String,
    error: Option<String>,
    failure: Option<Failure>,
}

pub(super) async fn ask(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    show(&visitor, segment(&name)?, Said::default()).await
}

pub(super) async fn delete(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Sent(form): Sent,
) -> Result<Response, Failure> {
    let name = segment(&name)?;
    let text = |field: &str| form.text(field).to_owned();
    let (tag, said) =
        (text("etag"), Said { confirm: text("confirm"), reason: text("reason"), ..Said::default() });
    if said.confirm != WORD {
        let error = Some(format!("Type {WORD}, in capitals, to delete the zone."));
        return show(&visitor, name, Said { tag: Some(tag), error, ..said }).await;
    }
    match send(&visitor, name, (&tag, &[("reason", &said.reason)])).await {
        Ok(outcome) => Ok(match &outcome.commit {
            Some(commit) if commit.is_proposal => outcome.proposed(&visitor, name, commit),
            _ => Redirect::to(&format!("{}{}", super::LIST, query(&[("deleted", name)]))).into_response(),
        }),
        Err(failure) if failure.status == StatusCode::UNAUTHORIZED => Err(failure),
        Err(failure) => {
            // Whoever saw another zone than there is now looks again, and types again.
            let is_changed = failure.status == StatusCode::PRECONDITION_FAILED;
            let tag = Some(tag).filter(|_| !is_changed);
            let confirm = if is_changed { String::new() } else { said.confirm };
            show(&visitor, name, Said { tag, confirm, failure: Some(failure), ..said }).await
        }
    }
}

async fn send(
    visitor: &Visitor,
    name: &str,
    (tag, parameters): (&str, &[(&str, &str)]),
) -> Result<Outcome, Failure> {
    let path = format!("/zones/{name}{}", query(parameters));
    visitor.send(Call::new(Method::DELETE, &path).if_match(tag)).await
}

async fn show(visitor: &Visitor, name: &str, said: Said) -> Result<Response, Failure> {
    let zone = visitor.get::<Zone>(&format!("/zones/{name}")).await?;
    if let Some(why) = theirs::why_not(visitor, &zone) {
        return Ok(theirs::refusal(visitor, why));
    }
    let tag = said.tag.as_deref().or(zone.text("/status/etag")).unwrap_or_default();
    let tried = send(visitor, name, (tag, &[("dryRun", "true")])).await;
    let credentials = Part::of(visitor.get::<Credentials>(&format!("/zones/{name}/credentials")).await)?;
    let nodes =
        if visitor.sees_service() { Part::of(visitor.get::<Value>("/nodes").await)? } else { Part::Hidden };
    let refused = said.failure.as_ref().or(tried.as_ref().err());
    let status = match (refused, &said.error) {
        (Some(failure), _) => failure.status,
        (None, Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, None) => StatusCode::OK,
    };
    let content = html! {
        (trail(name))
        h1 { "Delete " (zone.title()) }
        @if let Some(failure) = refused { (failure.notice()) }
        (consequences(&zone, &nodes, &credentials))
        (credentials.show(lost))
        @if let Ok(outcome) = &tried {
            (outcome.plan())
            (outcome.difference())
            (confirm(visitor, name, (&said, tag)))
        }
        p { a href=(path(name)) { "Keep the zone" } }
    };
    let page = page::whole(visitor, &Title::new(format!("Delete {name}")).at(Place::Zones), &content);
    Ok((status, page).into_response())
}

fn consequences(zone: &Zone, nodes: &Part<Value>, credentials: &Part<Credentials>) -> Markup {
    let used = credentials.had().map(lately::used).unwrap_or_default();
    html! {
        section.card aria-labelledby="consequences-title" {
            h2 #consequences-title { "What goes, and what stays" }
            ul.told {
                li { "The partner sees none of the " (counted(zone.list("/spec/topics").len() as u64, "shared topic")) " any more." }
                @match nodes {
                    Part::Had(nodes) => (cut(zone.name(), nodes)),
                    Part::Missed(failure) => li { "Clients that are connected are cut off at once. How many are is not known: " (marked(&failure.detail)) },
                    Part::Hidden => li { "Clients that are connected are cut off at once." },
                }
                @if !used.is_empty() {
                    li { "These were here in the last day, are cut off if they still are, and do not come in again:" (lately::uses(&used)) }
                }
                li { "The topics and their data stay as they are, and so do the partner's committed offsets." }
                li { "A zone of the same name that is made later takes none of the old credentials." }
            }
        }
    }
}

/// How many clients are cut off, and where.
fn cut(name: &str, nodes: &Value) -> Markup {
    let nodes = nodes.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let clients = |node: &Value| {
        let usage = node.get("usage").and_then(|usage| usage.get(name));
        usage.and_then(|usage| usage.get("clients")).and_then(Value::as_u64).unwrap_or_default()
    };
    let total: u64 = nodes.iter().map(clients).sum();
    html! {
        li {
            @if total == 0 { "No client is connected now." }
            @else {
                strong { (counted(total, "client")) } " will be cut off at once:"
                ul {
                    @for node in nodes.iter().filter(|node| clients(node) > 0) {
                        li { (count(clients(node))) " on " code { (member(node, "/node").unwrap_or_default()) } }
                    }
                }
            }
        }
    }
}

fn lost(credentials: &Credentials) -> Markup {
    html! {
        section.card aria-labelledby="lost-title" {
            h2 #lost-title { "Credentials that go with it " span.count { (count(credentials.items.len() as u64)) } }
            @if credentials.items.is_empty() { p.muted { "It has none." } }
            @else {
                table.list {
                    caption.unseen { "Credentials" }
                    thead { tr { th scope="col" { "Key id" } th scope="col" { "State" } th scope="col" { "Last used" } } }
                    tbody { @for credential in &credentials.items { tr {
                        th scope="row" data-label="Key id" { code { (credential.key_id) } }
                        td data-label="State" { (badge(&credential.state)) }
                        td data-label="Last used" {
                            (when(credential.last_used_at.as_deref()))
                            @if let Some(from) = &credential.last_used_from { span.sub { "from " (from) } }
                        }
                    } } }
                }
            }
        }
    }
}

fn confirm(visitor: &Visitor, name: &str, (said, tag): (&Said, &str)) -> Markup {
    html! {
        form.card.danger.stack method="post" action={ (path(name)) "/delete" } novalidate {
            h2 { "Delete it" }
            (csrf(visitor))
            input type="hidden" name="etag" value=(tag);
            (Field { name: "reason", label: "Reason", value: &said.reason, help: "For the commit's message: one line.", ..Field::default() }.show())
            (Field {
                name: "confirm", label: "Type DELETE to confirm", value: &said.confirm, error: said.error.clone(), need: Need::Required, ..Field::default()
            }.show())
            button.danger type="submit" { "Delete zone" }
        }
    }
}

#[cfg(test)]
mod tests;
