//! What is said of one method of a path.

mod document;

use schemars::{JsonSchema, Schema, SchemaGenerator};

pub(super) use self::document::common;
use super::forms::Problem;
use super::words::{ApiKeyId, KeyId, ZoneName};

/// Roles that there are.
const ROLES: usize = 4;

/// What belongs together for those who look something up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Tag {
    Zones,
    Credentials,
    Usage,
    Service,
    Controller,
    Keys,
}

impl Tag {
    pub(super) const ALL: [(Self, &str, &str); 6] = [
        (
            Self::Zones,
            "zones",
            "What is shared with whom, and how that stands. Each write is a commit to the source.",
        ),
        (Self::Credentials, "credentials", "What partners log in with. A secret is shown once."),
        (Self::Usage, "usage", "What partners used, by month."),
        (
            Self::Service,
            "service",
            "The service as a whole: its nodes, its state, its log, the topics behind it.",
        ),
        (Self::Controller, "controller", "What the controller does, and what operators ask of it."),
        (Self::Keys, "keys", "Keys of this API, and sessions that are begun with them."),
    ];

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(tag, ..)| *tag == self).map_or("", |(_, name, _)| name)
    }
}

#[derive(Debug)]
struct Parameter {
    name: &'static str,
    /// `path`, `query` or `header`.
    place: &'static str,
    about: &'static str,
    schema: Schema,
}

/// Makes the form of a body.
pub(super) type Form = fn(&mut SchemaGenerator) -> Schema;

/// What is sent.
#[derive(Debug)]
enum Sent {
    /// An empty body is as good as `{}`, if that is.
    Json { form: Form, is_required: bool },
    /// A zone, as JSON or YAML.
    Zone,
    /// Whatever a forge sends.
    Anything,
}

/// What an answer has in it.
#[derive(Debug)]
enum Content {
    Nothing,
    Text(&'static str),
    Json(Form),
    /// JSON or CSV, as is asked for.
    Table(Form),
    Problem(Form),
    /// A problem that is said of many paths in the same words.
    Common(&'static str),
}

#[derive(Debug)]
struct Answer {
    status: u16,
    about: &'static str,
    content: Content,
    headers: Vec<(&'static str, &'static str)>,
    links: Vec<Link>,
}

/// What can be asked next, with something that the answer tells.
#[derive(Debug)]
struct Link {
    operation: &'static str,
    parameter: &'static str,
    value: &'static str,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// Whoever has a key.
    Key,
    Anybody,
    /// Whoever knows the secret of hints.
    Forge,
}

/// What is said of one method of a path.
#[derive(Debug)]
pub(in crate::api) struct Operation {
    id: &'static str,
    tag: Tag,
    summary: &'static str,
    about: Option<&'static str>,
    parameters: Vec<Parameter>,
    sent: Option<Sent>,
    answers: Vec<Answer>,
    asking: Asking,
}

impl Operation {
    /// `id` is for programs that are made of the document: it stays as it is.
    pub(in crate::api) fn new(id: &'static str, tag: Tag, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            about: None,
            parameters: Vec::new(),
            sent: None,
            answers: Vec::new(),
            asking: Asking::Key,
        }
    }

    pub(super) fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
    }

    pub(super) fn for_anybody(self) -> Self {
        Self { asking: Asking::Anybody, ..self }
    }

    pub(super) fn for_forges(self) -> Self {
        Self { asking: Asking::Forge, sent: Some(Sent::Anything), ..self }
    }

    pub(super) fn query<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter::<T>("query", name, about)
    }

    pub(super) fn header<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter::<T>("header", name, about)
    }

    fn parameter<T: JsonSchema>(
        mut self,
        place: &'static str,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        let schema = SchemaGenerator::default().subschema_for::<T>();
        self.parameters.push(Parameter { name, place, about, schema });
        self
    }

    /// A JSON body that has to be there.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        let form = SchemaGenerator::subschema_for::<T>;
        Self { sent: Some(Sent::Json { form, is_required: true }), ..self }
    }

    /// A JSON body that says no more than what is left out stands for.
    pub(super) fn may_take<T: JsonSchema>(self) -> Self {
        let form = SchemaGenerator::subschema_for::<T>;
        Self { sent: Some(Sent::Json { form, is_required: false }), ..self }
    }

    pub(super) fn takes_a_zone(self) -> Self {
        Self { sent: Some(Sent::Zone), ..self }
    }

    fn answer(mut self, status: u16, about: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, about, content, headers: Vec::new(), links: Vec::new() });
        self
    }

    pub(super) fn answers<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Content::Json(SchemaGenerator::subschema_for::<T>))
    }

    pub(super) fn answers_table<T: JsonSchema>(self, about: &'static str) -> Self {
        self.answer(200, about, Content::Table(SchemaGenerator::subschema_for::<T>))
    }

    pub(super) fn answers_text(self, media_type: &'static str, about: &'static str) -> Self {
        self.answer(200, about, Content::Text(media_type))
    }

    pub(super) fn answers_nothing(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Content::Nothing)
    }

    /// A header of the answer that was named last.
    pub(super) fn with_header(mut self, name: &'static str, about: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, about));
        }
        self
    }

    /// These operations take a part of the answer that was named last as this parameter.
    pub(super) fn with_links(
        mut self,
        parameter: &'static str,
        value: &'static str,
        operations: &[&'static str],
    ) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.links.extend(operations.iter().map(|operation| Link { operation, parameter, value }));
        }
        self
    }

    pub(super) fn refuses(self, status: u16, about: &'static str) -> Self {
        self.refuses_with::<Problem>(status, about)
    }

    /// A problem that says more than others.
    pub(super) fn refuses_with<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.answer(status, about, Content::Problem(SchemaGenerator::subschema_for::<T>))
    }

    /// Problems that are told in the same words as elsewhere.
    pub(super) fn shares(mut self, statuses: &[u16]) -> Self {
        for (status, name, _) in COMMON {
            let is_new = self.answers.iter().all(|answer| answer.status != status);
            if statuses.contains(&status) && is_new {
                self = self.answer(status, "", Content::Common(name));
            }
        }
        self
    }

    /// With what goes for every path of this kind.
    fn whole(mut self, path: &'static str) -> Self {
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            self = match name {
                "name" => self.parameter::<ZoneName>("path", name, "The zone's name."),
                "key_id" => self.parameter::<KeyId>("path", name, "The credential's public half."),
                _ => self.parameter::<ApiKeyId>("path", name, "The API key's id."),
            }
            .shares(&[404]);
        }
        if self.parameters.iter().any(|it| it.place != "path") {
            self = self.shares(&[400]);
        }
        match self.sent {
            None => self,
            Some(Sent::Anything) => self.shares(&[413]),
            Some(Sent::Json { .. } | Sent::Zone) => self.shares(&[400, 413, 415]),
        }
    }
}

/// Answers that many paths have: status, name, and what it means.
const COMMON: [(u16, &str, &str); 8] = [
    (400, "BadRequest", "A parameter or the body is not what is wanted here; `detail` says what is."),
    (401, "Unauthorized", "There is no key, or it is not a good one."),
    (403, "Forbidden", "The key is a good one, and may not do this."),
    (404, "NotFound", "There is nothing of this name, or nothing that this key sees."),
    (413, "TooLarge", "The body is too large."),
    (415, "UnsupportedMediaType", "The body is of another kind than is taken here."),
    (429, "TooManyRequests", "This key sends too many requests, or this address has tried too many keys."),
    (
        503,
        "Unavailable",
        "It cannot be done at the moment: the leader changes, the store or the source is away.",
    ),
];
