//! ID tokens: that somebody has signed in, told to one client (OpenID Connect Core 1.0, section 3.1.3.7).

use serde_json::{Map, Value};
use thiserror::Error;
use time::OffsetDateTime;

use super::{KeySet, Refusal, Rules, Unverified};

/// Letters of a subject, which are ASCII.
pub const MAX_SUBJECT: usize = 255;

/// Why an ID token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdTokenRefusal {
    #[error(transparent)]
    Token(#[from] Refusal),
    #[error("its `nonce` is not the one that was sent")]
    Nonce,
    #[error("its `aud` names others beside this client, or its `azp` another one")]
    OtherClient,
    #[error("its `sub` is not 1 to {MAX_SUBJECT} visible ASCII letters")]
    Subject,
}

impl Unverified<'_> {
    /// What it says of who signed in, if it is good, is for this client alone, and answers the request that had this nonce. The one
    /// audience of `rules` is the client's id.
    pub fn check_id_token(
        &self,
        keys: &KeySet,
        (rules, nonce): (&Rules, &str),
        now: OffsetDateTime,
    ) -> Result<&Map<String, Value>, IdTokenRefusal> {
        let bearer = self.check(keys, rules, now)?;
        let claims = self.claims();
        if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(IdTokenRefusal::Nonce);
        }
        let is_us =
            |value: &Value| value.as_str().is_some_and(|id| rules.audiences.iter().any(|us| us == id));
        let others = claims.get("aud").and_then(Value::as_array).is_some_and(|all| !all.iter().all(is_us));
        let is_right = match claims.get("azp") {
            Some(party) => is_us(party),
            None => !others,
        };
        if !is_right {
            return Err(IdTokenRefusal::OtherClient);
        }
        let subject = &bearer.subject;
        let is_plain =
            (1..=MAX_SUBJECT).contains(&subject.len()) && subject.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain { Ok(claims) } else { Err(IdTokenRefusal::Subject) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{NOW, Signer, rules};
    use super::*;

    /// A token with these claims, for the client `zones`.
    fn checked(changes: &Value) -> Result<String, IdTokenRefusal> {
        let rules = Rules { audiences: vec!["zones".to_owned()], scopes: Vec::new(), ..rules() };
        let issuer = Signer::new("k");
        let mut claims = json!({ "aud": "zones", "nonce": "n-1", "scope": null });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let token = issuer.token(&claims);
        let token = Unverified::parse(&token).unwrap();
        let claims = token.check_id_token(&issuer.keys(), (&rules, "n-1"), NOW)?;
        Ok(claims["sub"].as_str().unwrap().to_owned())
    }

    #[test]
    fn an_id_token_is_for_this_client_and_answers_its_request() {
        for good in [
            json!({}),
            json!({ "aud": ["zones"] }),
            json!({ "azp": "zones" }),
            json!({ "aud": ["zones", "other"], "azp": "zones" }),
        ] {
            assert_eq!(checked(&good).as_deref(), Ok("acme-app"), "{good}");
        }
        let long = "x".repeat(MAX_SUBJECT + 1);
        for (changes, wanted) in [
            (json!({ "nonce": "n-2" }), IdTokenRefusal::Nonce),
            (json!({ "nonce": null }), IdTokenRefusal::Nonce),
            (json!({ "nonce": ["n-1"] }), IdTokenRefusal::Nonce),
            (json!({ "aud": "other" }), IdTokenRefusal::Token(Refusal::Audience)),
            (json!({ "aud": ["zones", "other"] }), IdTokenRefusal::OtherClient),
            (json!({ "azp": "other" }), IdTokenRefusal::OtherClient),
            (json!({ "azp": 7 }), IdTokenRefusal::OtherClient),
            (json!({ "iss": "https://other.example.com" }), IdTokenRefusal::Token(Refusal::Issuer)),
            (json!({ "exp": -100 }), IdTokenRefusal::Token(Refusal::Expired)),
            (json!({ "sub": null }), IdTokenRefusal::Token(Refusal::Subject)),
            (json!({ "sub": "" }), IdTokenRefusal::Subject),
            (json!({ "sub": "a b" }), IdTokenRefusal::Subject),
            (json!({ "sub": "a\nb" }), IdTokenRefusal::Subject),
            (json!({ "sub": "ädä" }), IdTokenRefusal::Subject),
            (json!({ "sub": long }), IdTokenRefusal::Subject),
        ] {
            assert_eq!(checked(&changes), Err(wanted), "{changes}");
        }
    }
}
