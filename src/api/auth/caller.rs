//! Somebody who has proved who they are.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::store::State;
use crate::zone::{ApiKey, ApiKeyRole, Asker, Author, Person};

/// Who a request comes from; handlers take it as an extension.
#[derive(Debug, Clone)]
pub(in crate::api) struct Caller {
    who: Who,
    /// The session by which they are here; whoever brings a key is in none.
    session: Option<InSession>,
}

#[derive(Debug, Clone)]
struct InSession {
    id: String,
    until: OffsetDateTime,
}

#[derive(Debug, Clone)]
enum Who {
    Key(Arc<ApiKey>),
    Person(Arc<Member>),
}

/// A person, and what they are here.
#[derive(Debug)]
struct Member {
    /// Unlike that of any key, which has neither `:` nor as many letters.
    id: String,
    person: Person,
    role: ApiKeyRole,
}

impl Caller {
    pub(in crate::api) fn of_key(key: Arc<ApiKey>) -> Self {
        Self { who: Who::Key(key), session: None }
    }

    pub(in crate::api) fn of_person(person: Person, role: ApiKeyRole) -> Self {
        let id = format!("person:{}", person.subject);
        Self { who: Who::Person(Arc::new(Member { id, person, role })), session: None }
    }

    /// The same in a session, which ends then.
    pub(in crate::api) fn in_session(self, id: String, until: OffsetDateTime) -> Self {
        Self { session: Some(InSession { id, until }), ..self }
    }

    /// What nobody else has.
    pub(in crate::api) fn id(&self) -> &str {
        match &self.who {
            Who::Key(key) => &key.id,
            Who::Person(member) => &member.id,
        }
    }

    pub(in crate::api) fn role(&self) -> &ApiKeyRole {
        match &self.who {
            Who::Key(key) => &key.role,
            Who::Person(member) => &member.role,
        }
    }

    /// A person; `None` of a key.
    pub(in crate::api) fn person(&self) -> Option<&Person> {
        match &self.who {
            Who::Key(_) => None,
            Who::Person(member) => Some(&member.person),
        }
    }

    pub(in crate::api) fn asker(&self) -> Asker {
        match &self.who {
            Who::Key(key) => Asker::ApiKey(key.id.clone()),
            Who::Person(member) => Asker::Person(member.person.clone()),
        }
    }

    /// Who a commit names. Without an address of their own, one that leads nowhere (RFC 2606).
    pub(in crate::api) fn author(&self) -> Author {
        match &self.who {
            Who::Key(key) => {
                Author { name: format!("API key {}", key.id), email: format!("{}@api-key.invalid", key.id) }
            }
            Who::Person(member) => {
                let Person { subject, name, email } = &member.person;
                let nowhere = || format!("{}@person.invalid", subject.replace('@', "-"));
                Author { name: name.clone(), email: email.clone().unwrap_or_else(nowhere) }
            }
        }
    }

    /// Whether they are still let in, for what goes on for long. A person is for as long as their session.
    pub(in crate::api) fn is_let_in(&self, state: &State) -> bool {
        if self.session.as_ref().is_some_and(|session| state.ended_sessions.contains_key(&session.id)) {
            return false;
        }
        match &self.who {
            Who::Key(key) => state.api_keys.contains_key(&key.id),
            Who::Person(_) => true,
        }
    }

    /// How long they still are, if their session ends.
    pub(in crate::api) fn left(&self, now: OffsetDateTime) -> Option<std::time::Duration> {
        self.session.as_ref().map(|session| (session.until - now).try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::key::new_api_key;

    fn person(subject: &str, email: Option<&str>) -> Caller {
        let email = email.map(str::to_owned);
        let person = Person { subject: subject.to_owned(), name: "Ada Lovelace".to_owned(), email };
        Caller::of_person(person, ApiKeyRole::Viewer)
    }

    #[test]
    fn a_person_is_no_key_whatever_they_are_called() {
        let (key, _) = new_api_key(ApiKeyRole::Admin, OffsetDateTime::UNIX_EPOCH);
        let key = Caller::of_key(Arc::new(key));
        let alike = person(key.id(), None);
        assert_ne!(alike.id(), key.id());
        assert_ne!(alike.asker().to_string(), key.asker().to_string());
        assert_eq!(alike.asker().to_string(), format!("Ada Lovelace ({})", key.id()));
        assert_ne!(alike.author(), key.author());
    }

    #[test]
    fn a_commit_names_a_person_with_an_address() {
        let named = |caller: &Caller| (caller.author().name, caller.author().email);
        let ada = person("248", Some("ada@example.com"));
        assert_eq!(named(&ada), ("Ada Lovelace".to_owned(), "ada@example.com".to_owned()));
        let hidden = person("ada@idp", None);
        assert_eq!(named(&hidden), ("Ada Lovelace".to_owned(), "ada-idp@person.invalid".to_owned()));
    }
}
