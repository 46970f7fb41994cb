//! A new credential: the form that asks for one, and what comes of it.

use axum::extract::{Extension, Path};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Issued, address, shown_once};
use crate::ui::failure::Failure;
use crate::ui::form::{Form, Sent};
use crate::ui::moment::today;
use crate::ui::page::{self, Place, Title};
use crate::ui::parts::{csrf, marked};
use crate::ui::rest::{Call, segment};
use crate::ui::visitor::Visitor;
use crate::ui::zones::zone::{path, trail};

/// The field that tells a form from all others.
const REQUEST: &str = "request";

/// What is asked for.
#[derive(Debug)]
struct Wanted {
    /// The last day; empty: it has none.
    expires: String,
    /// A form that is sent twice, by a second click or a reload, is one request.
    request: Uuid,
}

impl Wanted {
    fn anew() -> Self {
        Self { expires: String::new(), request: Uuid::new_v4() }
    }

    fn of(form: &Form) -> Self {
        let request = Uuid::try_parse(form.text(REQUEST));
        Self { expires: form.text("expires").to_owned(), request: request.unwrap_or_else(|_| Uuid::new_v4()) }
    }

    fn body(&self) -> Value {
        if self.expires.is_empty() {
            json!({})
        } else {
            json!({ "expiresAt": format!("{}T23:59:59Z", self.expires) })
        }
    }
}

/// The form, empty.
pub(in crate::ui::zones) fn issue_form(visitor: &Visitor, zone: &str) -> Markup {
    form(visitor, zone, (&Wanted::anew(), None))
}

fn form(visitor: &Visitor, zone: &str, (wanted, error): (&Wanted, Option<&str>)) -> Markup {
    html! {
        form.inline method="post" action={ (path(zone)) "/credentials" } {
            (csrf(visitor))
            input type="hidden" name=(REQUEST) value=(wanted.request.to_string());
            div.field.wrong[error.is_some()] {
                label for="expires" { "Ends on " span.muted { "optional" } }
                input #expires type="date" name="expires" value=(wanted.expires) min=(today())
                    aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "expires-help")];
                @if let Some(error) = error { p #expires-help .help { span.error { (marked(error)) } } }
            }
            button.primary type="submit" { "Issue a credential" }
        }
    }
}

pub(in crate::ui::zones) async fn issue(
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Sent(form): Sent,
) -> Result<Response, Failure> {
    let name = segment(&name)?;
    let wanted = Wanted::of(&form);
    let (path, request) = (format!("/zones/{name}/credentials"), wanted.request.to_string());
    let call = Call::new(Method::POST, &path).with(wanted.body()).once(&request);
    match visitor.send::<Issued>(call).await {
        Ok(issued) => Ok(shown_once(&visitor, name, &issued).into_response()),
        Err(failure) => not_issued(&visitor, name, (&wanted, failure)),
    }
}

/// The form again, with what was in the way. Whoever may not have it is told so and no more.
fn not_issued(
    visitor: &Visitor,
    zone: &str,
    (wanted, failure): (&Wanted, Failure),
) -> Result<Response, Failure> {
    let earlier = failure.more.get("keyId").and_then(Value::as_str);
    let content = match failure.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Err(failure),
        StatusCode::CONFLICT if earlier.is_some() => html! {
            (already(zone, earlier.unwrap_or_default()))
            section.card { h2 { "Issue another" } (issue_form(visitor, zone)) }
        },
        StatusCode::BAD_REQUEST => html! {
            div.notice.bad role="alert" { p { a href="#expires" { (marked(&failure.detail)) } } }
            section.card { (form(visitor, zone, (wanted, Some(&failure.detail)))) }
        },
        _ => html! {
            (failure.notice())
            section.card { (form(visitor, zone, (wanted, None))) }
        },
    };
    let content = html! {
        (trail(zone))
        h1 { "Issue a credential" }
        (content)
        p { a href={ (path(zone)) "#credentials" } { "Back to the zone" } }
    };
    let title = Title::new("Issue a credential").at(Place::Zones);
    Ok((failure.status, page::whole(visitor, &title, &content)).into_response())
}

/// The page with the secret is gone, and nobody can show it again.
fn already(zone: &str, key_id: &str) -> Markup {
    html! {
        div.notice.waiting role="alert" {
            p {
                strong { "It was issued already." } " This form has made the credential " code { (key_id) }
                ", and its secret was shown then, once. If you did not keep it, revoke that one and issue another."
            }
            @if segment(key_id).is_ok() { p { a href=(address(zone, key_id)) { "Revoke " code { (key_id) } } } }
        }
    }
}
