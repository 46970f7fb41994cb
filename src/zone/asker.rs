//! Who asks for something, as values: for commits, for the audit log, and for whoever reads what stands in the state.

use std::fmt;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// By its id.
    ApiKey(String),
    Person(Person),
}

/// Somebody whom an issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who it is, among all of the issuer's: visible ASCII letters.
    pub subject: String,
    /// One line for people: nothing follows from it.
    pub name: String,
    /// One that the issuer does not call unverified.
    pub email: Option<String>,
}

/// A key by its id; a person by name and subject, which no key's id looks like.
impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => f.write_str(id),
            Self::Person(person) => write!(f, "{} ({})", person.name, person.subject),
        }
    }
}
