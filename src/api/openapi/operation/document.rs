//! An operation as the document has it.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{Answer, Asking, COMMON, Content, Link, Operation, Parameter, ROLES, Sent};
use crate::api::access::Needs;
use crate::api::openapi::forms::Problem;
use crate::api::openapi::{Schemas, published};

impl Operation {
    /// As the document has it. `needs`: nothing, where no key is asked for.
    pub(in crate::api::openapi) fn document(
        self,
        path: &'static str,
        needs: Option<Needs>,
        schemas: &mut Schemas,
    ) -> Value {
        let roles = needs.map(Needs::roles);
        let mut whole = self.whole(path);
        if let Some(roles) = roles {
            whole = whole.shares(if roles.len() < ROLES { &[401, 403, 429, 503] } else { &[401, 429, 503] });
        }
        let who = roles.map(|roles| format!("For {}.", listed(roles)));
        let about: Vec<_> = whole.about.map(str::to_owned).into_iter().chain(who).collect();
        let answers: Map<_, _> =
            whole.answers.iter().map(|it| (it.status.to_string(), it.document(schemas))).collect();
        let security = match whole.asking {
            Asking::Key => None,
            Asking::Anybody => Some(json!([])),
            Asking::Forge => Some(json!([{"hubSignature": []}, {"gitlabToken": []}])),
        };
        let parameters: Vec<_> = whole.parameters.iter().map(Parameter::document).collect();
        members([
            ("operationId", Some(whole.id.into())),
            ("tags", Some(json!([whole.tag.name()]))),
            ("summary", Some(whole.summary.into())),
            ("description", Some(about.join("\n\n").into()).filter(|_| !about.is_empty())),
            ("parameters", Some(parameters.into()).filter(|_| !whole.parameters.is_empty())),
            ("requestBody", whole.sent.map(|sent| sent.document(schemas))),
            ("responses", Some(answers.into())),
            ("security", security),
        ])
    }
}

/// An object of those that are there.
fn members<const N: usize>(all: [(&str, Option<Value>); N]) -> Value {
    let there = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

impl Parameter {
    fn document(&self) -> Value {
        let Self { name, place, about, schema } = self;
        json!({"name": name, "in": place, "required": *place == "path", "description": about, "schema": schema})
    }
}

fn listed(roles: &[&str]) -> String {
    match roles {
        _ if roles.len() == ROLES => "keys of every role, which see what is theirs".to_owned(),
        [most @ .., last] if !most.is_empty() => format!("keys of the roles {} and {last}", most.join(", ")),
        one => format!("keys of the role {}", one.concat()),
    }
}

impl Sent {
    fn document(&self, schemas: &mut Schemas) -> Value {
        match self {
            Self::Json { form, is_required } => {
                let schema = schemas.sent(*form);
                json!({"required": is_required, "content": {"application/json": {"schema": schema}}})
            }
            Self::Zone => {
                let schema = json!({"$ref": "#/components/schemas/PartnerZone"});
                let content = json!({"schema": schema, "example": published::example()});
                json!({"required": true, "content": {"application/json": content, "application/yaml": content}})
            }
            Self::Anything => json!({"required": false, "content": {"*/*": {"schema": true}}}),
        }
    }
}

impl Answer {
    fn document(&self, schemas: &mut Schemas) -> Value {
        let one = |media_type: &str, schema: Value| json!({media_type: {"schema": schema}});
        let content = match self.content {
            Content::Nothing => None,
            Content::Common(name) => return json!({"$ref": format!("#/components/responses/{name}")}),
            Content::Text(media_type) => Some(one(media_type, json!({"type": "string"}))),
            Content::Json(form) => Some(one("application/json", schemas.answered(form))),
            Content::Problem(form) => Some(one("application/problem+json", schemas.answered(form))),
            Content::Table(form) => Some(json!({
                "application/json": {"schema": schemas.answered(form)},
                "text/csv": {"schema": {"type": "string"}},
            })),
        };
        let headers: Map<_, _> = self.headers.iter().map(header).collect();
        let links: Map<_, _> = self.links.iter().map(Link::document).collect();
        members([
            ("description", Some(self.about.into())),
            ("content", content),
            ("headers", Some(headers.into()).filter(|_| !self.headers.is_empty())),
            ("links", Some(links.into()).filter(|_| !self.links.is_empty())),
        ])
    }
}

impl Link {
    fn document(&self) -> (String, Value) {
        let Self { operation, parameter, value } = self;
        ((*operation).to_owned(), json!({"operationId": operation, "parameters": {*parameter: value}}))
    }
}

fn header((name, about): &(&'static str, &'static str)) -> (String, Value) {
    ((*name).to_owned(), json!({"description": about, "schema": {"type": "string"}}))
}

/// They, as components.
pub(in crate::api::openapi) fn common(schemas: &mut Schemas) -> Value {
    let document = |(status, name, about): (u16, &'static str, &'static str)| {
        let content = Content::Problem(SchemaGenerator::subschema_for::<Problem>);
        let headers = match status {
            401 => vec![("WWW-Authenticate", "`Bearer`.")],
            429 | 503 => vec![("Retry-After", "Seconds after which it may be tried again.")],
            _ => Vec::new(),
        };
        (name.to_owned(), Answer { status, about, content, headers, links: Vec::new() }.document(schemas))
    };
    Value::Object(COMMON.into_iter().map(document).collect())
}
