//! What this API is, as an OpenAPI 3.1 document: made of the table of paths ([`super::routes`]), each row of which says what is sent
//! and answered there, so that none is missing.
//!
//! Bodies that are read, and answers that are written from types, have the forms of those types. Answers that are put together have a
//! form beside their operation; the tests of this API hold every answer against it, and allow no member that it does not name.
//!
//! `schema/openapi.json` is this document as text.

pub(super) mod controller;
pub(super) mod credentials;
mod forms;
pub(super) mod keys;
mod operation;
mod published;
pub(super) mod service;
pub(super) mod usage;
pub(super) mod words;
mod zone;
pub(super) mod zones;

use std::sync::LazyLock;

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub(super) use self::operation::Operation;
use self::operation::{Form, Tag};
use super::routes;

static TEXT: LazyLock<String> = LazyLock::new(text);

/// It holds nothing of this installation: whoever makes a client of it needs no key.
pub(super) async fn show() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], &TEXT)
}

/// The committed text: what `reconciler schema openapi` prints.
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut paths: Map<String, Value> = Map::new();
    let with_key = routes::all().into_iter().map(|it| {
        let route = it.route;
        (route.path, route.method, Some(route.needs), it.operation)
    });
    let open = routes::open().into_iter().map(|it| (it.path, it.method, None, it.operation));
    for (path, method, needs, operation) in with_key.chain(open) {
        let operation = operation().document(path, needs, &mut schemas);
        if let Value::Object(methods) = paths.entry(path).or_insert_with(|| json!({})) {
            methods.insert(method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let common = operation::common(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Partner Zones",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": ABOUT,
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}, {"basic": []}],
        "tags": Tag::ALL.map(|(_, name, about)| json!({"name": name, "description": about})),
        "paths": paths,
        "components": {
            "schemas": schemas.whole(),
            "responses": common,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A whole API key, `pzk_…`, or a session."},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "An API key's id and its secret; or any name, and the whole key as password.",
                },
                "hubSignature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Hub-Signature-256",
                    "description": "HMAC-SHA256 of the body with the secret of `source.webhook.secretFile`, in hex; `sha256=` may stand before it. \
                                    `X-Hub-Signature`, `X-Gitea-Signature` and `X-Forgejo-Signature` are as good.",
                },
                "gitlabToken": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Gitlab-Token",
                    "description": "The secret of `source.webhook.secretFile` itself.",
                },
            },
        },
    })
}

const ABOUT: &str = "Share Kafka topics with outside partners from a Git repository.\n\n\
    Answers may have more members in a later version, and never fewer. What goes wrong is told as `application/problem+json` (RFC 9457); \
    a failure of the server itself is 500 in the same form.";

/// The forms that the document refers to.
#[derive(Debug)]
pub(super) struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let generator =
            |settings: SchemaSettings| settings.with(|it| it.definitions_path = "/components/schemas".into());
        let settings =
            SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_what_is_rusts));
        Self {
            sent: generator(settings.clone().for_deserialize()).into_generator(),
            answered: generator(settings.for_serialize()).into_generator(),
        }
    }
}

impl Schemas {
    fn sent(&mut self, form: Form) -> Value {
        form(&mut self.sent).to_value()
    }

    fn answered(&mut self, form: Form) -> Value {
        form(&mut self.answered).to_value()
    }

    /// All of them by name.
    fn whole(mut self) -> Map<String, Value> {
        zone::refer(&mut self.answered);
        let mut all = published::schemas();
        all.extend(self.sent.take_definitions(true));
        all.extend(self.answered.take_definitions(true));
        zone::add_views(&mut all);
        all
    }
}

/// Removes what says how Rust keeps a number, but for what it cannot hold, and what a member is when an older version left it out.
fn without_what_is_rusts(schema: &mut Schema) {
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
        schema.remove("format");
        if schema.get("maximum").is_none() {
            schema.insert("maximum".to_owned(), u64::MAX.into());
        }
    }
    schema.remove("default");
}

#[cfg(test)]
pub(super) mod tests;
