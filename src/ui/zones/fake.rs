//! Test support: an API that answers what a test says, and a browser that fills in forms and presses buttons.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, COOKIE, IF_MATCH, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use form_urlencoded::Serializer;
use regex::Regex;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::ui::pages;

type Answer = (StatusCode, Value);

/// What the API was asked to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    pub(super) method: Method,
    /// Behind `/api/v1`, with its query.
    pub(super) path: String,
    pub(super) tag: Option<String>,
    pub(super) body: Value,
}

/// What the API answers. A test changes it as it goes.
#[derive(Debug)]
pub(super) struct Says {
    pub(super) role: &'static str,
    pub(super) zone: Answer,
    pub(super) topics: Answer,
    pub(super) nodes: Answer,
    pub(super) credentials: Answer,
    pub(super) dry_run: Answer,
    pub(super) write: Answer,
    pub(super) writes: Vec<Write>,
}

#[derive(Debug, Clone)]
pub(super) struct Api(Arc<Mutex<Says>>);

pub(super) fn problem(status: StatusCode, detail: &str) -> Answer {
    (status, json!({ "status": status.as_u16(), "detail": detail }))
}

pub(super) fn outcome(result: &str, commit: &Value) -> Answer {
    let plan = json!({
        "changes": [{"address": "zone/acme", "actions": ["create"], "origin": "change", "impact": null}],
        "findings": [{"code": "PZ0400", "severity": "warning", "message": "no such topic", "help": null, "source": {"file": "zones/acme.yaml"}}],
        "guard": {"refused": false, "reasons": []},
    });
    let diff = "--- /dev/null\n+++ b/zones/acme.yaml\n@@ -0,0 +1 @@\n+name: <acme>\n";
    (
        StatusCode::OK,
        json!({"result": result, "file": "zones/acme.yaml", "diff": diff, "plan": plan, "commit": commit}),
    )
}

pub(super) fn committed(is_proposal: bool) -> Value {
    json!({"revision": "main@sha1:8c1f00d", "reference": "refs/heads/partner-zones/acme-12345678", "isProposal": is_proposal})
}

impl Api {
    pub(super) fn new() -> Self {
        let topics = json!({"cluster": "default", "items": [
            {"name": "sales.orders", "partitions": 3, "sharedWith": [], "shares": 2},
            {"name": "sales.returns", "partitions": 1, "sharedWith": [], "shares": 0},
        ], "total": 2, "nextPageToken": null, "observedAt": "2026-11-30T12:00:00Z", "isPartial": false});
        Self(Arc::new(Mutex::new(Says {
            role: "admin",
            zone: problem(StatusCode::NOT_FOUND, "there is no zone of this name"),
            topics: (StatusCode::OK, topics),
            nodes: (StatusCode::OK, json!({"items": []})),
            credentials: (StatusCode::OK, json!({"items": []})),
            dry_run: outcome("created", &Value::Null),
            write: outcome("created", &committed(false)),
            writes: Vec::new(),
        })))
    }

    pub(super) fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.0.lock().unwrap());
    }

    /// What was asked for last.
    pub(super) fn last(&self) -> Write {
        self.0.lock().unwrap().writes.last().unwrap().clone()
    }

    fn router(&self) -> Router {
        let api = self.clone();
        Router::new().fallback(async move |request: Request| api.answer(request).await)
    }

    async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path_and_query().unwrap().as_str();
        let path = path.strip_prefix("/api/v1").unwrap().to_owned();
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let mut says = self.0.lock().unwrap();
        let (status, answer) = if method != Method::GET {
            let tag = headers.get(IF_MATCH).map(|tag| tag.to_str().unwrap().to_owned());
            let answer = if path.contains("dryRun=true") { &says.dry_run } else { &says.write }.clone();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            says.writes.push(Write { method, path, tag, body });
            answer
        } else if path == "/session" {
            (StatusCode::OK, json!({"id": "key1", "role": says.role}))
        } else if path.starts_with("/topics") {
            says.topics.clone()
        } else if path.starts_with("/nodes") {
            says.nodes.clone()
        } else if path.ends_with("/credentials") {
            says.credentials.clone()
        } else if path.starts_with("/zones/") {
            says.zone.clone()
        } else {
            (StatusCode::OK, json!({"items": [], "total": 0}))
        };
        (status, answer.to_string()).into_response()
    }
}

/// The page that somebody looks at.
#[derive(Debug)]
pub(super) struct Browser {
    site: Router,
    path: String,
    pub(super) status: StatusCode,
    pub(super) page: String,
    /// What is in the page's form.
    pub(super) fields: Vec<(String, String)>,
}

impl Browser {
    pub(super) async fn open(api: &Api, path: &str) -> Self {
        let (site, path) = (pages(api.router(), "http://127.0.0.1:8080"), path.to_owned());
        let mut browser = Self {
            site,
            path: path.clone(),
            status: StatusCode::OK,
            page: String::new(),
            fields: Vec::new(),
        };
        browser.send(Method::GET, &path, Body::empty()).await;
        browser
    }

    async fn send(&mut self, method: Method, path: &str, body: Body) {
        let request =
            Request::builder().method(method).uri(path).header(COOKIE, "partner-zones-session=pzs_x");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let response = self.site.clone().oneshot(request).await.unwrap();
        self.status = response.status();
        if let Some(location) = response.headers().get(LOCATION) {
            self.path = location.to_str().unwrap().to_owned();
        }
        self.page =
            String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(!self.page.contains(" style="), "the policy for contents refuses it");
        let form = self.page.split("<main").nth(1).and_then(|main| main.split("</form>").next());
        self.fields = form.map(fields).unwrap_or_default();
    }

    /// Where the last answer sent it, or what it asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) async fn follow(&mut self) {
        let path = self.path.clone();
        self.send(Method::GET, &path, Body::empty()).await;
    }

    /// Writes into a field, in place of what is there.
    pub(super) fn fill(&mut self, name: &str, value: &str) {
        assert!(
            self.page.contains(&format!("name=\"{name}\"")),
            "the page has no field {name}: {}",
            self.page
        );
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Presses the button of this value.
    pub(super) async fn press(&mut self, go: &str) {
        assert!(
            self.page.contains(&format!("name=\"go\" value=\"{go}\"")),
            "there is no button {go}: {}",
            self.page
        );
        let fields = self.fields.clone().into_iter().chain([("go".to_owned(), go.to_owned())]);
        self.post(fields.collect()).await;
    }

    /// Sends the form with its only button, which has no value.
    pub(super) async fn submit(&mut self) {
        self.post(self.fields.clone()).await;
    }

    async fn post(&mut self, fields: Vec<(String, String)>) {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let path = self.path.clone();
        self.send(Method::POST, &path, Body::from(body)).await;
    }

    /// Which step is shown.
    pub(super) fn step(&self) -> &str {
        self.value("step")
    }

    pub(super) fn shows(&self, text: &str) -> bool {
        self.page.contains(text)
    }
}

/// The value of an attribute, which maud writes in quotes.
fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| unescaped(value)).unwrap_or_default()
}

/// The fields of a form as a browser would send them, without its buttons.
fn fields(html: &str) -> Vec<(String, String)> {
    let tags = r"(?s)<input([^>]*)>|<textarea([^>]*)>(.*?)</textarea>|<select([^>]*)>(.*?)</select>";
    let mut fields = Vec::new();
    for tag in Regex::new(tags).unwrap().captures_iter(html) {
        let part = |group: usize| tag.get(group).map_or("", |part| part.as_str());
        let (input, area, choice) = (part(1), part(2), part(4));
        if !input.is_empty() {
            let is_box = matches!(attribute(input, "type").as_str(), "checkbox" | "radio");
            if !is_box || input.contains(" checked") {
                fields.push((attribute(input, "name"), attribute(input, "value")));
            }
        } else if !area.is_empty() {
            fields.push((attribute(area, "name"), unescaped(part(3))));
        } else {
            let options: Vec<_> = part(5).split("<option").skip(1).collect();
            let chosen = options.iter().find(|option| option.contains(" selected")).or(options.first());
            fields.push((attribute(choice, "name"), attribute(chosen.unwrap(), "value")));
        }
    }
    fields
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
