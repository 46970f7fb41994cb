//! The value of a header that is added: text with placeholders.

use std::fmt;
use std::str::FromStr;

use super::HeaderError;

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The name that the client gave itself; nothing if it gave none.
    ClientId,
    /// Where the connection comes from.
    UserIp,
    /// The name that the partner logged in with.
    User,
    /// The Kafka API key of the request that the records came in: 0, Produce.
    ApiKey,
    /// The version of that request.
    ApiKeyVersion,
    /// The host that partners are told (`gateway.advertisedHost`).
    GatewayHost,
    /// When the gateway took the request, in milliseconds since 1970.
    TimestampMillis,
}

impl Field {
    pub const ALL: [Self; 7] = [
        Self::ClientId,
        Self::UserIp,
        Self::User,
        Self::ApiKey,
        Self::ApiKeyVersion,
        Self::GatewayHost,
        Self::TimestampMillis,
    ];

    /// As it is written between the braces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "clientId",
            Self::UserIp => "userIp",
            Self::User => "user",
            Self::ApiKey => "apiKey",
            Self::ApiKeyVersion => "apiKeyVersion",
            Self::GatewayHost => "gatewayHost",
            Self::TimestampMillis => "timestampMillis",
        }
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Field(Field),
}

/// Text with placeholders, such as `{{user}} from {{userIp}}`. Two opening braces always begin one.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

impl Template {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl FromStr for Template {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let at = text.len() - behind.len() - 2;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let Some((name, behind)) = behind.split_once("}}") else {
                return Err(HeaderError { at, problem: "this template does not end with `}}`".to_owned() });
            };
            let field = Field::ALL.into_iter().find(|field| field.as_str() == name);
            let unknown = || HeaderError { at, problem: format!("there is no template `{{{{{name}}}}}`") };
            pieces.push(Piece::Field(field.ok_or_else(unknown)?));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, String) {
        let error = text.parse::<Template>().unwrap_err();
        (error.at, error.problem)
    }

    #[test]
    fn text_stands_around_what_is_filled_in() {
        let template: Template = "é {{user}}@{{userIp}}{{timestampMillis}} }} {".parse().unwrap();
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            template.pieces(),
            [
                text("é "),
                Piece::Field(Field::User),
                text("@"),
                Piece::Field(Field::UserIp),
                Piece::Field(Field::TimestampMillis),
                text(" }} {"),
            ]
        );
        for field in Field::ALL {
            let template: Template = format!("{{{{{}}}}}", field.as_str()).parse().unwrap();
            assert_eq!(template.pieces(), [Piece::Field(field)]);
        }
        assert_eq!("".parse::<Template>().unwrap().pieces(), []);
    }

    #[test]
    fn what_is_unknown_or_does_not_end_is_refused_with_its_place() {
        assert_eq!(problem("é{{uuid}}"), (2, "there is no template `{{uuid}}`".to_owned()));
        assert_eq!(problem("{{user}}{{ user }}"), (8, "there is no template `{{ user }}`".to_owned()));
        assert_eq!(problem("a{{user}"), (1, "this template does not end with `}}`".to_owned()));
        assert_eq!(problem("{{{user}}"), (0, "there is no template `{{{user}}`".to_owned()));
    }
}
