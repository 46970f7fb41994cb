//! When a page cannot be shown, or what it asked for cannot be done.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::page::{self, Title};
use super::parts::marked;
use super::rest::Problem;
use super::visitor::Visitor;
use super::{sign_in, zones};

/// What went wrong, in words for whoever looks.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    /// What the API says beside it: findings, reasons, a text to commit.
    pub(super) more: serde_json::Map<String, Value>,
}

impl Failure {
    pub(super) fn of(status: StatusCode, problem: Problem) -> Self {
        Self { status, detail: sentence(&problem.detail), more: problem.more }
    }

    pub(super) fn new(status: StatusCode, detail: &str) -> Self {
        Self { status, detail: detail.to_owned(), more: serde_json::Map::new() }
    }

    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn internal(detail: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// As a part of a page, which goes on.
    pub(super) fn notice(&self) -> Markup {
        html! { div.notice.bad role="alert" { (self.said()) } }
    }

    /// In place of a part that is missed. It is not read aloud: there may be several, and they come again with each refresh.
    pub(super) fn aside(&self) -> Markup {
        html! { div.notice.bad { (self.said()) } }
    }

    fn said(&self) -> Markup {
        html! {
            p { strong { (self.headline()) } " " (marked(&self.detail)) }
            (self.details())
        }
    }

    /// As a page of its own, for whoever is signed in.
    pub(super) fn page(&self, visitor: &Visitor) -> Response {
        let title = self.headline().trim_end_matches('.');
        (self.status, page::whole(visitor, &Title::new(title), &self.content())).into_response()
    }

    fn content(&self) -> Markup {
        html! {
            h1 { (self.headline().trim_end_matches('.')) }
            div.notice.bad role="alert" { p { (marked(&self.detail)) } (self.details()) }
            p { a href=(zones::LIST) { "Back to the zones" } }
        }
    }

    fn details(&self) -> Markup {
        html! {
            (self.findings())
            @if let Some(Value::String(text)) = self.more.get("text") {
                p { "Commit this yourself" @if let Some(Value::String(file)) = self.more.get("file") { " as " code { (file) } } ":" }
                pre.code tabindex="0" { (text) }
            }
            // Of a file that holds more than whoever asks may see.
            @if let Some(Value::String(document)) = self.more.get("document") {
                p { "Have this put there:" }
                pre.code tabindex="0" { (document) }
            }
        }
    }

    fn findings(&self) -> Markup {
        let list = |name: &str| self.more.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        html! {
            @if !list("findings").is_empty() {
                ul.findings {
                    @for finding in list("findings") {
                        li {
                            code { (text(finding, "code")) } " " (marked(&text(finding, "message")))
                            @if !text(finding, "help").is_empty() { span.muted { " " (marked(&text(finding, "help"))) } }
                        }
                    }
                }
            }
            @for name in ["reasons", "waysOut"] {
                @if !list(name).is_empty() {
                    ul { @for reason in list(name).iter().filter_map(Value::as_str) { li { (marked(reason)) } } }
                }
            }
        }
    }

    fn headline(&self) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => "Not found.",
            StatusCode::FORBIDDEN => "You may not do this.",
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => "Nothing was changed.",
            StatusCode::TOO_MANY_REQUESTS => "Too fast.",
            StatusCode::SERVICE_UNAVAILABLE => "Not now.",
            status if status.is_client_error() => "That did not work.",
            _ => "Something is broken here.",
        }
    }
}

/// The API's texts begin small and end without a stop.
pub(super) fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let Some(first) = letters.next() else { return "The server gave no reason.".to_owned() };
    let end = if detail.ends_with(['.', '!', '?', '`']) { "" } else { "." };
    // A name in code marks keeps its case.
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            return Redirect::to(sign_in::PATH).into_response();
        }
        let title = self.headline().trim_end_matches('.');
        let mut response = (self.status, page::bare(title, &self.content())).into_response();
        // Where somebody is signed in it is shown in their frame.
        response.extensions_mut().insert(self);
        response
    }
}

pub(super) async fn no_such_page() -> Failure {
    Failure::not_found("There is no page at this address.")
}

pub(super) async fn no_such_order() -> Failure {
    let detail = "There is nothing at this address that is asked for in this way.";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
