//! Test support: an API that answers what a test says, and a browser that fills in forms and presses buttons.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, COOKIE, IF_MATCH, LOCATION, SET_COOKIE};
use axum::http::request::Builder;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use form_urlencoded::Serializer;
use regex::Regex;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::pages;

type Answer = (StatusCode, Value);

/// Events that one request for the audit log reads.
pub(super) const STRETCH: usize = 10;

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
    /// Of the session, whatever its token is.
    pub(super) session: &'static str,
    /// The token that the session goes on with.
    pub(super) renewed: Option<&'static str>,
    pub(super) zone: Answer,
    pub(super) topics: Answer,
    pub(super) nodes: Answer,
    pub(super) credentials: Answer,
    pub(super) usage: Answer,
    pub(super) traffic: Answer,
    pub(super) dry_run: Answer,
    pub(super) write: Answer,
    pub(super) writes: Vec<Write>,
    /// The audit log, the newest first.
    pub(super) log: Vec<Value>,
    /// How often it was read.
    pub(super) stretches: usize,
    /// Requests for a credential that were answered with one.
    issued: Vec<String>,
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

/// An event of the audit log.
pub(super) fn event(kind: &str, subject: &str) -> Value {
    json!({"type": format!("partner-zones.{kind}"), "subject": subject, "time": "2026-11-30T12:00:00Z", "data": {}})
}

impl Says {
    fn new() -> Self {
        let topics = json!({"cluster": "default", "items": [
            {"name": "sales.orders", "partitions": 3, "sharedWith": [], "shares": 2},
            {"name": "sales.returns", "partitions": 1, "sharedWith": [], "shares": 0},
        ], "total": 2, "nextPageToken": null, "observedAt": "2026-11-30T12:00:00Z", "isPartial": false});
        Self {
            role: "admin",
            session: "one",
            renewed: None,
            zone: problem(StatusCode::NOT_FOUND, "there is no zone of this name"),
            topics: (StatusCode::OK, topics),
            nodes: (StatusCode::OK, json!({"items": []})),
            credentials: (StatusCode::OK, json!({"items": []})),
            usage: (StatusCode::OK, json!({"month": "2026-11", "total": {}})),
            traffic: (StatusCode::OK, json!({"everySeconds": 900, "points": []})),
            dry_run: outcome("created", &Value::Null),
            write: outcome("created", &committed(false)),
            writes: Vec::new(),
            log: Vec::new(),
            stretches: 0,
            issued: Vec::new(),
        }
    }

    fn read(&mut self, path: &str) -> Answer {
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let of_zone = place.strip_prefix("/zones/").and_then(|rest| rest.split('/').nth(1));
        match (place, of_zone) {
            ("/session", _) => {
                let renewed = self.renewed.map(|token| json!({ "token": token }));
                let session =
                    json!({"id": "key1", "role": self.role, "session": self.session, "renewed": renewed});
                (StatusCode::OK, session)
            }
            ("/topics", _) => self.topics.clone(),
            ("/nodes", _) => self.nodes.clone(),
            ("/audit", _) => (StatusCode::OK, self.part_of_the_log(query)),
            (_, Some("credentials")) => self.credentials.clone(),
            (_, Some("usage")) => self.usage.clone(),
            (_, Some("traffic")) => self.traffic.clone(),
            _ if place.starts_with("/zones/") => self.zone.clone(),
            _ => (StatusCode::OK, json!({"items": [], "total": 0})),
        }
    }

    /// As the API has it: one request reads one stretch, and whatever fits there is answered, with a token to go on behind it.
    fn part_of_the_log(&mut self, query: &str) -> Value {
        self.stretches += 1;
        let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let text = |name: &str| asked.get(name).map_or("", String::as_str);
        let is_in = |text: &str, whole: &str, separator: char| {
            whole.is_empty()
                || text.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
        };
        let fits = |event: &Value| {
            let kind = event["type"].as_str().unwrap().trim_start_matches("partner-zones.");
            let zone = event["subject"].as_str().unwrap().trim_start_matches("zone/");
            is_in(kind, text("type"), '.') && is_in(zone, text("zone"), '/')
        };
        let start: usize = text("pageToken").parse().unwrap_or_default();
        let end = self.log.len().min(start + STRETCH);
        let mut fitting = (start..end).filter(|at| fits(&self.log[*at]));
        let shown: Vec<_> = fitting.by_ref().take(text("limit").parse().unwrap()).collect();
        let older = (end < self.log.len()).then_some(end);
        let next = if fitting.next().is_some() { shown.last().map(|last| last + 1) } else { older };
        let items: Vec<_> = shown.iter().map(|at| &self.log[*at]).collect();
        json!({"items": items, "nextPageToken": next.map(|next| next.to_string())})
    }

    fn write(&mut self, path: &str, headers: &HeaderMap) -> Answer {
        if path.contains("dryRun=true") {
            return self.dry_run.clone();
        }
        let request = headers.get("idempotency-key").map(|request| request.to_str().unwrap().to_owned());
        let Some(request) = request else { return self.write.clone() };
        if self.issued.contains(&request) {
            let (status, mut refusal) = problem(StatusCode::CONFLICT, "this request has issued a credential");
            refusal["keyId"] = json!("pzabc");
            return (status, refusal);
        }
        if self.write.0.is_success() {
            self.issued.push(request);
        }
        self.write.clone()
    }
}

impl Api {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Says::new())))
    }

    pub(super) fn says<T>(&self, change: impl FnOnce(&mut Says) -> T) -> T {
        change(&mut self.0.lock().unwrap())
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
        let (status, answer) = if method == Method::GET {
            says.read(&path)
        } else {
            let tag = headers.get(IF_MATCH).map(|tag| tag.to_str().unwrap().to_owned());
            let answer = says.write(&path, &headers);
            let body = serde_json::from_slice(&body).unwrap_or_default();
            says.writes.push(Write { method, path, tag, body });
            answer
        };
        (status, answer.to_string()).into_response()
    }
}

/// The page that somebody looks at.
#[derive(Debug)]
pub(super) struct Browser {
    site: Router,
    path: String,
    /// The session's token, as it is kept.
    pub(super) cookie: String,
    pub(super) status: StatusCode,
    pub(super) page: String,
    /// Where the page's form is sent.
    action: String,
    /// What is in the page's form.
    pub(super) fields: Vec<(String, String)>,
    /// The form that was sent last, and where.
    sent: (String, String),
}

impl Browser {
    pub(super) async fn open(api: &Api, path: &str) -> Self {
        let mut browser = Self {
            site: pages(api.router(), "http://127.0.0.1:8080"),
            path: String::new(),
            cookie: "pzs_x".to_owned(),
            status: StatusCode::OK,
            page: String::new(),
            action: String::new(),
            fields: Vec::new(),
            sent: (String::new(), String::new()),
        };
        browser.go(path).await;
        browser
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let cookie = format!("partner-zones-session={}", self.cookie);
        let request = Request::builder().method(method).uri(path).header(COOKIE, cookie);
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    async fn send(&mut self, request: Builder, body: String) {
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let response = self.site.clone().oneshot(request).await.unwrap();
        self.status = response.status();
        let header =
            |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(location) = header(LOCATION) {
            self.path = location;
        }
        if let Some(cookie) = header(SET_COOKIE) {
            let kept = cookie.strip_prefix("partner-zones-session=").and_then(|rest| rest.split(';').next());
            self.cookie = kept.unwrap().to_owned();
        }
        self.page =
            String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(!self.page.contains(" style="), "the policy for contents refuses it");
        let main = self.page.split_once("<main").and_then(|(_, main)| main.split_once("<form"));
        let form = main.and_then(|(_, rest)| rest.split("</form>").next()).unwrap_or_default();
        (self.action, self.fields) = (attribute(form, "action"), fields(form));
    }

    /// Where the last answer sent it, or what it asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) async fn go(&mut self, path: &str) {
        path.clone_into(&mut self.path);
        self.follow().await;
    }

    pub(super) async fn follow(&mut self) {
        let request = self.request(Method::GET, &self.path);
        self.send(request, String::new()).await;
    }

    /// Asks for the page once more, as its script does by itself.
    pub(super) async fn refresh(&mut self) {
        let request = self.request(Method::GET, &self.path).header("X-Partner-Zones-Refresh", "1");
        self.send(request, String::new()).await;
    }

    /// Asks in a way in which no page asks.
    pub(super) async fn order(&mut self, method: Method, path: &str) {
        let request = self.request(method, path);
        self.send(request, String::new()).await;
    }

    /// Presses the button that is on every page.
    pub(super) async fn sign_out(&mut self) {
        let request = self.request(Method::POST, "/ui/sign-out");
        let form = Serializer::new(String::new()).append_pair("csrf", self.value("csrf")).finish();
        self.send(request, form).await;
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
        self.fields.push(("go".to_owned(), go.to_owned()));
        self.submit().await;
    }

    /// Sends the form with its only button, which has no value.
    pub(super) async fn submit(&mut self) {
        let body = Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        self.sent = (self.action.clone(), body);
        self.resend().await;
    }

    /// Sends the last form once more, as a second click does, or a reload of the page that came of it.
    pub(super) async fn resend(&mut self) {
        let (path, body) = self.sent.clone();
        let request = self.request(Method::POST, &path);
        self.send(request, body).await;
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
