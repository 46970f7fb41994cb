//! A form that was sent: its fields in their order, some of them several times.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use super::failure::Failure;
use super::visitor::Visitor;

/// The field that says that the form is from one of our pages.
pub(super) const CSRF: &str = "csrf";

/// Fields of one form.
const MAX_FIELDS: usize = 20_000;

/// The fields of a form, as they were sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let fields: Vec<_> = form_urlencoded::parse(bytes).into_owned().take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            return Err(Failure::bad_request("The form has too many fields."));
        }
        Ok(Self(fields))
    }

    /// All of them, as they were sent.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One field.
    pub(super) fn of(name: &str, value: String) -> Self {
        Self(vec![(name.to_owned(), value)])
    }

    /// The first value of a field, without blanks around it; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }
}

/// A form of somebody who is signed in, from one of our own pages.
pub(super) struct Sent(pub(super) Form);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let bytes = Bytes::from_request(request, state).await;
        let bytes =
            bytes.map_err(|_| Failure::bad_request("The form is too long, or did not arrive whole."))?;
        let form = Form::parse(&bytes)?;
        if !visitor.is_some_and(|visitor| visitor.is_csrf(form.text(CSRF))) {
            return Err(Failure::bad_request(
                "The form is not from a page of this session. Go back, load the page again, and repeat what you did.",
            ));
        }
        Ok(Self(form))
    }
}
