//! People whom an issuer vouches for: what is believed of their claims, and which role they have.

use serde_json::{Map, Value};

use crate::zone::{ApiKeyRole, Person};

/// Letters of a name.
const MAX_NAME: usize = 100;

/// Letters of an address (RFC 5321).
const MAX_EMAIL: usize = 254;

/// Of claims whose `sub` is checked ([`super::token`]).
pub fn person(subject: &str, claims: &Map<String, Value>) -> Person {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let email = text("email").filter(|email| is_address(email) && !is_denied(claims.get("email_verified")));
    let named = ["name", "preferred_username"].into_iter().filter_map(text).map(one_line);
    let name = named.chain(email.map(str::to_owned)).find(|name| !name.is_empty());
    Person {
        subject: subject.to_owned(),
        name: name.unwrap_or_else(|| one_line(subject)),
        email: email.map(str::to_owned),
    }
}

/// Some issuers write booleans as text. One that says nothing has its own addresses.
fn is_denied(verified: Option<&Value>) -> bool {
    verified.is_some_and(|verified| *verified != Value::Bool(true) && verified.as_str() != Some("true"))
}

/// What can be written between `<` and `>` as it is.
fn is_address(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\\\"'`,;:()[]".contains(&byte);
    let halves = text.split_once('@');
    text.len() <= MAX_EMAIL
        && text.bytes().all(is_plain)
        && halves.is_some_and(|(left, right)| {
            !left.is_empty() && !right.contains('@') && right.starts_with(|c: char| c.is_ascii_alphanumeric())
        })
}

/// Without what breaks a line, turns it around or is not seen, and not too long.
fn one_line(text: &str) -> String {
    let is_seen = |c: &char| !c.is_control() && !is_unseen(*c);
    let clean: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(is_seen).collect();
    let words: Vec<&str> = clean.split(' ').filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(MAX_NAME).collect();
    line.trim_end().to_owned()
}

fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Which claim says what somebody is, and what that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// A text or a list of texts.
    pub claim: String,
    /// The first that fits counts.
    pub rules: Vec<RoleRule>,
}

/// Who has this among the values of the claim has this role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    pub value: String,
    pub role: ApiKeyRole,
}

impl Roles {
    /// `None`: nothing that the claim holds is anything here.
    pub fn of(&self, claims: &Map<String, Value>) -> Option<&RoleRule> {
        let claim = claims.get(&self.claim)?;
        let several = claim.as_array().map(Vec::as_slice).unwrap_or_default();
        let values: Vec<&str> =
            claim.as_str().into_iter().chain(several.iter().filter_map(Value::as_str)).collect();
        self.rules.iter().find(|rule| values.contains(&rule.value.as_str()))
    }

    /// The role that a value stands for.
    pub fn named(&self, value: &str) -> Option<&ApiKeyRole> {
        self.rules.iter().find(|rule| rule.value == value).map(|rule| &rule.role)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn called(claims: &Value) -> Person {
        person("248289761001", claims.as_object().unwrap())
    }

    #[test]
    fn a_person_is_called_by_the_first_name_that_there_is() {
        for (claims, name) in [
            (json!({ "name": "Ada Lovelace", "preferred_username": "ada" }), "Ada Lovelace"),
            (json!({ "name": " \n", "preferred_username": "ada" }), "ada"),
            (json!({ "name": ["Ada"], "email": "ada@example.com" }), "ada@example.com"),
            (json!({ "email": "ada@example.com", "email_verified": false }), "248289761001"),
            (json!({}), "248289761001"),
        ] {
            assert_eq!(called(&claims).name, name, "{claims}");
        }
    }

    #[test]
    fn what_an_issuer_lets_people_call_themselves_stays_one_short_line() {
        for (name, wanted) in [
            ("Ada\r\nCo-authored-by: Eve <eve@x>", "Ada Co-authored-by: Eve <eve@x>"),
            ("Ada\0\u{7}\u{1b}[31m", "Ada[31m"),
            ("\u{202e}adA\u{2066}\u{200b}", "adA"),
            ("A\u{2028}B\u{ad}\u{e0041}C\tD", "A BC D"),
        ] {
            assert_eq!(called(&json!({ "name": name })).name, wanted, "{name:?}");
        }
        assert_eq!(called(&json!({ "name": "ä".repeat(5_000) })).name.chars().count(), MAX_NAME);
    }

    #[test]
    fn an_address_counts_if_it_is_one_and_the_issuer_does_not_doubt_it() {
        let email = |claims: Value| called(&claims).email;
        let ada = Some("ada@example.com".to_owned());
        for verified in [json!(true), json!("true")] {
            assert_eq!(email(json!({ "email": "ada@example.com", "email_verified": verified })), ada);
        }
        assert_eq!(email(json!({ "email": "ada@example.com" })), ada);
        for denied in [json!(false), json!("false"), json!(null), json!(1)] {
            assert_eq!(
                email(json!({ "email": "ada@example.com", "email_verified": denied })),
                None,
                "{denied}"
            );
        }
        let long = format!("{}@example.com", "a".repeat(MAX_EMAIL));
        for bad in [
            "", "ada", "@x", "ada@", "a@b@c", "a b@c", "a@b>\n", "<a@b>", "\u{e4}@b", "a@-b", "\"a\"@b",
            &long,
        ] {
            assert_eq!(email(json!({ "email": bad })), None, "{bad:?}");
        }
        assert_eq!(email(json!({ "email": ["ada@example.com"] })), None);
    }

    #[test]
    fn the_first_rule_that_fits_says_the_role_and_without_one_there_is_none() {
        let rule = |value: &str, role| RoleRule { value: value.to_owned(), role };
        let rules = vec![rule("platform", ApiKeyRole::Admin), rule("audit", ApiKeyRole::Viewer)];
        let roles = Roles { claim: "groups".to_owned(), rules };
        let of = |claims: Value| roles.of(claims.as_object().unwrap()).map(|rule| rule.role.name());
        for (claims, role) in [
            (json!({ "groups": "audit" }), Some("viewer")),
            (json!({ "groups": ["staff", "audit", "platform"] }), Some("admin")),
            (json!({ "groups": [["platform"], {"platform": true}, "audit"] }), Some("viewer")),
            (json!({ "groups": "platform audit" }), None),
            (json!({ "groups": ["Platform", "platform ", "/platform"] }), None),
            (json!({ "groups": { "platform": "platform" } }), None),
            (json!({ "groups": true }), None),
            (json!({ "groups": null }), None),
            (json!({ "roles": "platform" }), None),
            (json!({}), None),
        ] {
            assert_eq!(of(claims.clone()), role, "{claims}");
        }
        assert_eq!(roles.named("audit"), Some(&ApiKeyRole::Viewer));
        assert_eq!(roles.named("staff"), None);
    }
}
