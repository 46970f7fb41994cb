//! After a zone was written: its commit, how it comes into force, and the first credential.

use axum::extract::{Extension, Path, RawQuery};
use axum::http::StatusCode;
use maud::{Markup, html};

use super::credentials::{issue_form, takes_secrets};
use super::path;
use super::zone::{Zone, member, trail};
use crate::ui::failure::Failure;
use crate::ui::form::Form;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{badge, marked, revision};
use crate::ui::rest::segment;
use crate::ui::visitor::Visitor;

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    RawQuery(asked): RawQuery,
) -> Result<Markup, Failure> {
    let name = segment(&name)?;
    let asked = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let zone = match visitor.get::<Zone>(&format!("/zones/{name}")).await {
        Ok(zone) => Some(zone),
        // Its commit is there, and this node has not heard of it yet.
        Err(failure) if failure.status == StatusCode::NOT_FOUND => None,
        Err(failure) => return Err(failure),
    };
    let result = asked.text("result");
    let heading = match result {
        "created" => "Zone created",
        "unchanged" => "Nothing to change",
        _ => "Changes saved",
    };
    let content = html! {
        (trail(name))
        h1 { (heading) }
        section.card {
            (state(zone.as_ref()))
            dl.facts {
                dt { "Zone" } dd { code { (name) } }
                @if let Some(commit) = as_revision(asked.text("commit")) { dt { "Commit" } dd { (revision(commit)) } }
            }
            @if result == "unchanged" { p.muted { "The source says so already: there was nothing to commit." } }
        }
        @if result == "created" { div #first data-live { (first_credential(&visitor, zone.as_ref())) } }
        p { a.button href=(path(name)) { "Open the zone" } }
    };
    Ok(page::whole(&visitor, &Title::new(heading).at(Place::Zones), &content))
}

/// How far it is: brought up to date while somebody looks.
fn state(zone: Option<&Zone>) -> Markup {
    let ready = |zone: &Zone| {
        let conditions = zone.list("/status/conditions").iter();
        let ready = conditions.into_iter().find(|it| member(it, "/type") == Some("Ready"));
        ready.and_then(|ready| member(ready, "/message")).map(str::to_owned)
    };
    html! {
        div #state data-live role="status" {
            p.standing {
                @match zone {
                    Some(zone) => {
                        (badge(zone.phase())) " "
                        @if let Some(message) = ready(zone) { span.said { (marked(&message)) } }
                    },
                    None => { (badge("PENDING")) " It is committed, and being applied." },
                }
            }
            @if zone.is_none_or(|zone| zone.phase() == "PENDING") {
                p.muted { "It is READY as soon as every gateway serves it. Load the page again to see how far it is." }
            }
        }
    }
}

fn first_credential(visitor: &Visitor, zone: Option<&Zone>) -> Markup {
    html! {
        section.card aria-labelledby="first-title" {
            h2 #first-title { "Issue its first credential" }
            @match zone {
                None => p { "It can be issued as soon as the zone is in force." },
                Some(zone) if takes_secrets(zone) => {
                    p { "The partner logs in with it. Its secret is shown once, with files for the partner's client." }
                    (issue_form(visitor, zone))
                },
                Some(_) => p { "No secret is made here: the partner logs in with what its authority or issuer gives it. The zone's page says where it connects to." },
            }
        }
    }
}

/// A commit, as the query names it: what looks like none is not shown.
fn as_revision(text: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@:/._-".contains(&byte);
    (!text.is_empty() && text.len() <= 200 && text.contains("@sha") && text.bytes().all(is_plain))
        .then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_commit_is_shown_as_one() {
        assert!(as_revision("main@sha1:8c1f00d").is_some());
        for bad in ["", "call 555", "8c1f", "main@sha1:<b>", &format!("main@sha1:{}", "a".repeat(200))] {
            assert!(as_revision(bad).is_none(), "{bad}");
        }
    }
}
