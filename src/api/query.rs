//! What stands behind the `?` of a list: filters, an order, and which part of it is wanted.
//!
//! A list that is asked for in parts is not one moment's: zones come and go between two parts. So a token says after what the list
//! goes on, not how many were shown: nothing is shown twice, and nothing that was there all the time is left out.

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Most entries of one part.
const MAX_LIMIT: usize = 1_000;

/// Characters of a text that is searched for.
const MAX_SEARCH: usize = 200;

/// The parameters of a request, to be taken by name. What nobody asks for is refused by [`end`](Self::end): a filter with a
/// typing error would show everything.
#[derive(Debug)]
pub(super) struct Query {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        given.map(|Pairs(given)| Self { given, known: Vec::new() }).map_err(|error| {
            Problem::bad_request(format!("the parameters are not what is wanted here: {}", error.body_text()))
        })
    }
}

impl Query {
    /// A parameter that may stand there any number of times.
    pub(super) fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        self.given.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }

    /// A parameter that may stand there once.
    pub(super) fn one(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        let mut given = self.all(name);
        let one = given.pop();
        if given.is_empty() {
            Ok(one)
        } else {
            Err(Problem::bad_request(format!("`{name}` may stand there once")))
        }
    }

    /// One of these words, or nothing.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(given) = self.one(name)? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == given).map(|(_, meant)| *meant);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            Problem::bad_request(format!("`{name}` is one of {}", words.join(", ")))
        })
    }

    /// A text to look for, whatever the case of its letters.
    pub(super) fn search(&mut self) -> Result<Option<Search>, Problem> {
        let Some(text) = self.one("search")?.filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.chars().count() > MAX_SEARCH {
            return Err(Problem::bad_request(format!("`search` has {MAX_SEARCH} characters at most")));
        }
        Ok(Some(Search(text.to_lowercase())))
    }

    pub(super) fn limit(&mut self) -> Result<Option<usize>, Problem> {
        let Some(text) = self.one("limit")? else { return Ok(None) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit
            .map(Some)
            .ok_or_else(|| Problem::bad_request(format!("`limit` is a number from 1 to {MAX_LIMIT}")))
    }

    /// After what the list goes on. A token of another list, or of another order, is none of `T`.
    pub(super) fn page_token<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Problem> {
        let Some(token) = self.one("pageToken")? else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        serde_json::from_slice(&bytes).map(Some).map_err(|_| no_token())
    }

    /// Refuses what nobody has asked for.
    pub(super) fn end(self) -> Result<(), Problem> {
        let Some((name, _)) = self.given.first() else { return Ok(()) };
        let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
        Err(Problem::bad_request(format!(
            "there is no parameter `{name}` here; there are {}",
            known.join(", ")
        )))
    }
}

pub(super) fn no_token() -> Problem {
    Problem::bad_request(
        "`pageToken` is not one of this list in this order; leave it out to begin at the list's beginning",
    )
}

/// The token after which the list goes on behind this place.
pub(super) fn page_token(place: &impl Serialize) -> String {
    // Numbers and texts: nothing in it can fail to serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// In small letters.
#[derive(Debug)]
pub(super) struct Search(String);

impl Search {
    pub(super) fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(given: &[(&str, &str)]) -> Query {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query { given, known: Vec::new() }
    }

    #[test]
    fn what_nobody_asks_for_and_what_stands_there_twice_is_refused() {
        let mut asked = query(&[("label", "a"), ("limit", "3"), ("label", "b"), ("serach", "x")]);
        assert_eq!(asked.all("label"), ["a", "b"]);
        assert_eq!(asked.limit().unwrap(), Some(3));
        let refused = format!("{:?}", asked.end().unwrap_err());
        assert!(
            refused.contains("no parameter `serach`") && refused.contains("`label`, `limit`"),
            "{refused}"
        );
        assert!(query(&[("limit", "3"), ("limit", "3")]).limit().is_err());
        for wrong in ["0", "1001", "-1", "x", ""] {
            assert!(query(&[("limit", wrong)]).limit().is_err(), "{wrong}");
        }
        let words = [("up", 1), ("down", 2)];
        assert_eq!(query(&[("sort", "down")]).word("sort", &words).unwrap(), Some(2));
        let refused = format!("{:?}", query(&[("sort", "left")]).word("sort", &words).unwrap_err());
        assert!(refused.contains("`sort` is one of `up`, `down`"), "{refused}");
    }

    #[test]
    fn a_token_is_read_back_and_what_is_none_is_refused() {
        let token = page_token(&("acme", 7));
        assert_eq!(query(&[("pageToken", &token)]).page_token().unwrap(), Some(("acme".to_owned(), 7)));
        for wrong in ["", "?", "W10", token.get(..4).unwrap()] {
            assert!(query(&[("pageToken", wrong)]).page_token::<(String, u64)>().is_err(), "{wrong}");
        }
    }
}
