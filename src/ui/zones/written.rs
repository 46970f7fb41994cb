//! After a zone was written: its commit, how it comes into force, and the first credential.

use axum::extract::{Extension, Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::credentials::{issue_form, takes_secrets};
use super::path;
use super::theirs::is_theirs;
use super::zone::{Zone, member, trail};
use crate::ui::failure::Failure;
use crate::ui::form::Form;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{badge, marked, revision};
use crate::ui::rest::{query, segment};
use crate::ui::visitor::Visitor;

/// What was written, as the page's address says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'t> {
    pub(super) zone: &'t str,
    pub(super) result: &'t str,
    /// Empty if there was nothing to commit.
    pub(super) commit: &'t str,
}

impl Told<'_> {
    /// Where the page is. It is sealed: whoever makes such a link tells nobody of a commit that there is not.
    pub(super) fn address(self, visitor: &Visitor) -> String {
        let seal = visitor.seal(("written", &self.text()));
        let said = query(&[("result", self.result), ("commit", self.commit), ("seal", &seal)]);
        format!("{}/written{said}", path(self.zone))
    }

    fn text(self) -> String {
        let Self { zone, result, commit } = self;
        format!("{zone}\n{result}\n{commit}")
    }
}

pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    RawQuery(asked): RawQuery,
) -> Result<Response, Failure> {
    let name = segment(&name)?;
    let asked = Form::parse(asked.unwrap_or_default().as_bytes())?;
    let told = Told { zone: name, result: asked.text("result"), commit: asked.text("commit") };
    if !visitor.is_sealed(("written", &told.text()), asked.text("seal")) {
        return Ok(Redirect::to(&path(name)).into_response());
    }
    let zone = match visitor.get::<Zone>(&format!("/zones/{name}")).await {
        Ok(zone) => Some(zone),
        // Its commit is there, and this node has not heard of it yet.
        Err(failure) if failure.status == StatusCode::NOT_FOUND => None,
        Err(failure) => return Err(failure),
    };
    let heading = match told.result {
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
                @if !told.commit.is_empty() { dt { "Commit" } dd { (revision(told.commit)) } }
            }
            @if told.result == "unchanged" { p.muted { "The source says so already: there was nothing to commit." } }
        }
        @if told.result == "created" { div #first data-live { (first_credential(&visitor, zone.as_ref())) } }
        p { a.button href=(path(name)) { "Open the zone" } }
    };
    Ok(page::whole(&visitor, &Title::new(heading).at(Place::Zones), &content).into_response())
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
                Some(zone) if !is_theirs(visitor, zone) => p { "It is issued by whoever may change the zone." },
                Some(zone) if takes_secrets(zone) => {
                    p { "The partner logs in with it. Its secret is shown once, with files for the partner's client." }
                    (issue_form(visitor, zone.name()))
                },
                Some(_) => p { "No secret is made here: the partner logs in with what its authority or issuer gives it. The zone's page says where it connects to." },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ui::fake::{Api, Browser};

    #[tokio::test]
    async fn only_what_was_written_is_told_and_a_credential_is_offered_to_whoever_may_issue_it() {
        let api = Api::new();
        let mut browser = Browser::open(&api, "/ui/zones/new").await;
        browser.fill("spec.displayName", "Acme");
        browser.press("step:review").await;
        browser.press("write").await;
        let written = browser.path().to_owned();
        let zone = json!({"metadata": {"name": "acme"}, "spec": {"authenticationMode": {"type": "PLAIN"}}, "status": {"phase": "READY"}});
        api.says(|says| says.zone = (StatusCode::OK, zone));
        browser.go(&written).await;
        assert!(browser.shows("Zone created") && browser.shows("Issue a credential"), "{}", browser.page);
        api.says(|says| says.role = "viewer");
        browser.go(&written).await;
        assert!(browser.shows("Zone created") && !browser.shows("Issue a credential"), "{}", browser.page);

        let (said, seal) = written.split_once("&seal=").unwrap();
        let forged = [
            said.to_owned(),
            format!("{said}&seal=x"),
            format!("{}&seal={seal}", said.replace("created", "updated")),
            format!("{}&seal={seal}", said.replace("8c1f00d", "8c1f00e")),
        ];
        for forged in forged {
            browser.go(&forged).await;
            assert_eq!(browser.status, StatusCode::SEE_OTHER, "{forged}");
            assert_eq!(browser.path(), "/ui/zones/acme", "{forged}");
        }
        browser.go(&written.replace("/acme/", "/globex/")).await;
        assert_eq!(browser.path(), "/ui/zones/globex");
        // Nor is it told in another session than the one that has written.
        api.says(|says| says.session = "two");
        browser.go(&written).await;
        assert_eq!(browser.path(), "/ui/zones/acme");
    }
}
