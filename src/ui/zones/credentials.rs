//! A zone's credentials: given, replaced and taken back. A secret is on one page, once.

mod issue;

use axum::extract::{Extension, Path};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::issue::{issue, issue_form};
use super::part::Part;
use super::theirs::is_theirs;
use super::zone::{Zone, path, trail};
use crate::client_files::{ClientFile, ClientSetup, Proof};
use crate::sasl::Mechanism;
use crate::ui::failure::Failure;
use crate::ui::form::Sent;
use crate::ui::moment::{at, when};
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{badge, csrf, empty};
use crate::ui::rest::{Call, segment};
use crate::ui::visitor::Visitor;

#[derive(Debug, Deserialize)]
pub(super) struct Credentials {
    pub(super) items: Vec<Credential>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    pub(super) key_id: String,
    pub(super) state: String,
    pub(super) replaced_by: Option<String>,
    #[serde(default)]
    mechanisms: Vec<String>,
    pub(super) created_at: Option<String>,
    expires_at: Option<String>,
    pub(super) last_used_at: Option<String>,
    pub(super) last_used_from: Option<String>,
}

/// A credential with its secret, as it is issued.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    key_id: String,
    secret: String,
    mechanisms: Vec<String>,
    bootstrap_servers: String,
    security_protocol: Option<String>,
    expires_at: Option<String>,
    replaces: Option<Value>,
}

/// As a part of the zone's page.
pub(super) fn section(visitor: &Visitor, zone: &Zone, credentials: &Part<Credentials>) -> Markup {
    let renews = is_theirs(visitor, zone) || visitor.role() == "partner";
    let takes_secrets = takes_secrets(zone);
    html! {
        section #credentials .card aria-labelledby="credentials-title" {
            h2 #credentials-title { "Credentials" }
            div #credentials-list data-live {
                @if !takes_secrets {
                    p.muted { "The partner logs in with what its authority or issuer gives it: no secrets are made here." }
                } @else { (credentials.show(|credentials| table(zone, credentials, renews))) }
            }
            @if takes_secrets && is_theirs(visitor, zone) { (issue_form(visitor, zone.name())) }
        }
    }
}

/// Whether its partner logs in with what is made here.
pub(super) fn takes_secrets(zone: &Zone) -> bool {
    !matches!(zone.text("/spec/authenticationMode/type"), Some("MTLS" | "OAUTHBEARER"))
}

fn table(zone: &Zone, credentials: &Credentials, renews: bool) -> Markup {
    if credentials.items.is_empty() {
        return empty("Nobody can log in yet", "A credential is issued and handed to the partner.", None);
    }
    html! {
        table.list {
            caption.unseen { "Credentials" }
            thead { tr {
                th scope="col" { "Key id" } th scope="col" { "State" } th scope="col" { "Made" } th scope="col" { "Ends" }
                th scope="col" { "Last used" } th scope="col" { span.unseen { "Actions" } }
            } }
            tbody {
                @for credential in &credentials.items {
                    tr {
                        th scope="row" data-label="Key id" {
                            code { (credential.key_id) }
                            span.sub { (credential.mechanisms.join(", ")) }
                        }
                        td data-label="State" {
                            (badge(&credential.state))
                            @if let Some(by) = &credential.replaced_by { span.sub { "by " (by) } }
                        }
                        td data-label="Made" { (when(credential.created_at.as_deref())) }
                        td data-label="Ends" { (when(credential.expires_at.as_deref())) }
                        td data-label="Last used" {
                            (when(credential.last_used_at.as_deref()))
                            @if let Some(from) = &credential.last_used_from { span.sub { "from " (from) } }
                        }
                        td.actions {
                            @if renews { a.button.small href=(address(zone.name(), &credential.key_id)) {
                                "Rotate or revoke" span.unseen { " " (credential.key_id) }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// Where somebody is led who asks again for the page that an order was answered with: to all of the zone's credentials.
pub(super) async fn all(Path(name): Path<String>) -> Result<Redirect, Failure> {
    Ok(Redirect::to(&format!("{}#credentials", path(segment(&name)?))))
}

/// And to the one that was to be rotated.
pub(super) async fn one(Path((name, key_id)): Path<(String, String)>) -> Result<Redirect, Failure> {
    Ok(Redirect::to(&address(segment(&name)?, segment(&key_id)?)))
}

/// Where a credential is replaced or taken back.
fn address(zone: &str, key_id: &str) -> String {
    format!("{}/credentials/{key_id}/revoke", path(zone))
}

/// Before a credential is replaced or taken back: what becomes of those who use it.
pub(super) async fn ask(
    Extension(visitor): Extension<Visitor>,
    Path((name, key_id)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    let (name, key_id) = (segment(&name)?, segment(&key_id)?);
    let credentials = visitor.get::<Credentials>(&format!("/zones/{name}/credentials")).await?;
    let credential = credentials.items.iter().find(|it| it.key_id == key_id);
    let credential = credential.ok_or_else(|| Failure::not_found("There is no such credential any more."))?;
    let base = format!("{}/credentials/{key_id}", path(name));
    let content = html! {
        p.trail { a href=(path(name)) { (name) } }
        h1 { "Credential " code { (key_id) } }
        p.lead {
            (badge(&credential.state)) " Last used " (when(credential.last_used_at.as_deref()))
            @if let Some(from) = &credential.last_used_from { " from " code { (from) } }
            "."
        }
        div.columns {
            section.card {
                h2 { "Rotate" }
                p { "A new credential takes its place. The old one goes on for as long as you say, so that the partner can change over without a pause." }
                form.stack method="post" action={ (base) "/rotate" } {
                    (csrf(&visitor))
                    div.field {
                        label for="overlap" { "The old one goes on for" }
                        select #overlap name="overlap" {
                            option value="1h" { "an hour" } option value="24h" selected { "a day" } option value="7d" { "a week" }
                        }
                    }
                    button.primary type="submit" { "Rotate" }
                }
            }
            section.card.danger {
                h2 { "Revoke" }
                p { "It opens nothing from now on, and connections that logged in with it are closed at once. This cannot be undone." }
                form.stack method="post" action={ (base) "/revoke" } {
                    (csrf(&visitor))
                    button.danger type="submit" { "Revoke now" }
                }
            }
        }
        p { a href=(path(name)) { "Leave it as it is" } }
    };
    Ok(page::whole(&visitor, &Title::new(format!("Credential of {name}")).at(Place::Zones), &content))
}

pub(super) async fn rotate(
    Extension(visitor): Extension<Visitor>,
    Path((name, key_id)): Path<(String, String)>,
    Sent(form): Sent,
) -> Result<Response, Failure> {
    let (name, key_id) = (segment(&name)?, segment(&key_id)?);
    let call = format!("/credentials/{key_id}/rotate");
    let body = json!({ "overlap": form.text("overlap") });
    match visitor.send::<Issued>(Call::new(Method::POST, &call).with(body)).await {
        Ok(issued) => Ok(shown_once(&visitor, name, &issued).into_response()),
        Err(failure) if failure.status == StatusCode::CONFLICT => Ok(not_rotated(&visitor, name, &failure)),
        Err(failure) => Err(failure),
    }
}

/// As after a second click: what was made by the first one is there, and its secret was on the page that is gone.
fn not_rotated(visitor: &Visitor, zone: &str, failure: &Failure) -> Response {
    let content = html! {
        (trail(zone))
        h1 { "Not rotated" }
        (failure.notice())
        p { "If it was you who rotated it and the new secret is lost, rotate the new credential once more." }
        p { a.button href={ (path(zone)) "#credentials" } { "Back to the zone" } }
    };
    let title = Title::new("Not rotated").at(Place::Zones);
    (failure.status, page::whole(visitor, &title, &content)).into_response()
}

pub(super) async fn revoke(
    Extension(visitor): Extension<Visitor>,
    Path((name, key_id)): Path<(String, String)>,
    Sent(_): Sent,
) -> Result<Redirect, Failure> {
    let (name, key_id) = (segment(&name)?, segment(&key_id)?);
    let call = format!("/credentials/{key_id}");
    visitor.send::<Value>(Call::new(Method::DELETE, &call)).await?;
    Ok(Redirect::to(&format!("{}#credentials", path(name))))
}

/// The page that has the secret.
fn shown_once(visitor: &Visitor, zone: &str, issued: &Issued) -> Markup {
    let setup = setup(issued);
    let content = html! {
        p.trail { a href=(path(zone)) { (zone) } }
        h1 { "Hand this to the partner" }
        div.notice.waiting role="status" {
            p { strong { "This is shown once." } " We keep no copy of the secret: whoever loses it needs a new credential." }
        }
        section.card {
            dl.facts {
                dt { "User name" } dd { code { (issued.key_id) } }
                dt { "Secret" } dd {
                    code #secret .secret { (issued.secret) }
                    button.small type="button" data-copy="secret" hidden { "Copy" }
                }
                dt { "Connects to" } dd { code { (issued.bootstrap_servers) } }
                dt { "Ends" } dd { (at(issued.expires_at.as_deref())) }
                @if let Some(old) = issued.replaces.as_ref().and_then(|old| old.get("keyId")).and_then(Value::as_str) {
                    dt { "In place of" } dd { code { (old) } }
                }
            }
        }
        section.card {
            h2 { "For the partner's client" }
            @for (name, extension, file) in FILES { (client_file(zone, (name, extension), &file.of(setup))) }
        }
        p { a.button href=(path(zone)) { "Back to the zone" } }
    };
    page::whole(visitor, &Title::new("New credential").at(Place::Zones), &content)
}

const FILES: [(&str, &str, ClientFile); 4] = [
    ("Java and Kafka's own tools", "properties", ClientFile::Properties),
    ("kcat and librdkafka", "conf", ClientFile::Kcat),
    ("Python", "py", ClientFile::Python),
    ("Spring Boot", "yaml", ClientFile::Spring),
];

/// The first one is open. Without a script the link has the file in itself.
fn client_file(zone: &str, (name, extension): (&str, &str), text: &str) -> Markup {
    let id = format!("file-{extension}");
    let file = format!("data:text/plain;charset=utf-8;base64,{}", STANDARD.encode(text));
    html! {
        details open[extension == "properties"] {
            summary { (name) }
            div.over {
                button.small type="button" data-copy=(id) hidden { "Copy" } " "
                a.button.small href=(file) download={ (zone) "." (extension) } data-save=(id) { "Download" }
            }
            pre.code id=(id) tabindex="0" { (text) }
        }
    }
}

fn setup(issued: &Issued) -> ClientSetup<'_> {
    let named = |name: &String| Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name);
    ClientSetup {
        bootstrap_servers: &issued.bootstrap_servers,
        security_protocol: issued.security_protocol.as_deref().unwrap_or("SASL_SSL"),
        proof: Proof::Secret {
            mechanism: issued.mechanisms.iter().find_map(named).unwrap_or(Mechanism::Plain),
            username: &issued.key_id,
            secret: &issued.secret,
        },
    }
}

#[cfg(test)]
mod tests;
