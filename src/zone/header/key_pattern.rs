//! Which header keys are meant: a regular expression as Java has it.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use super::HeaderError;
use crate::zone::java_pattern::{LARGEST, Purpose, translated};

/// A regular expression over whole header keys.
///
/// It has to match all of a key, as Java's `matches` does: `id` does not mean `invalid`, and whoever means a part writes `.*id.*`. `.`
/// is any character, also one that ends a line, so that no key gets away by holding one. Of flags there is `(?i)`, at the beginning.
#[derive(Clone)]
pub struct KeyPattern {
    text: String,
    whole: Regex,
}

impl KeyPattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches this key. What is not UTF-8 in it counts as U+FFFD, as it does for Java's clients: `.` matches it.
    pub fn matches(&self, key: &[u8]) -> bool {
        self.whole.is_match(&String::from_utf8_lossy(key))
    }
}

impl PartialEq for KeyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for KeyPattern {}

impl fmt::Debug for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl FromStr for KeyPattern {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        const ANY_CASE: &str = "(?i)";
        let (any_case, pattern) = match text.strip_prefix(ANY_CASE) {
            Some(pattern) => (ANY_CASE.len(), pattern),
            None => (0, text),
        };
        let translated = translated(pattern, Purpose::Match)
            .map_err(|(at, problem)| HeaderError { at: any_case + at, problem })?;
        let whole = RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
            .case_insensitive(any_case > 0)
            .dot_matches_new_line(true)
            .size_limit(LARGEST)
            .build()
            .map_err(|_| HeaderError { at: 0, problem: "the pattern is too large".to_owned() })?;
        Ok(Self { text: text.to_owned(), whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, key: &[u8]) -> bool {
        pattern.parse::<KeyPattern>().unwrap().matches(key)
    }

    #[test]
    fn a_key_is_matched_as_a_whole_whatever_its_bytes() {
        for (pattern, key, wanted) in [
            ("id", &b"id"[..], true),
            ("id", b"invalid", false),
            ("id|internal-.*", b"internal-", true),
            ("id|internal-.*", b"my-internal-a", false),
            ("internal-.*", b"internal-\xff\xfe", true),
            ("internal-.*", b"internal-\n\r\xe2\x80\xa8", true),
            ("gr.n", "grün".as_bytes(), true),
            ("(?i)X-.*", b"x-a", true),
            ("X-.*", b"x-a", false),
            (r"(?<a>x)(\d)+", b"x12", true),
            (r"\d", "٣".as_bytes(), false),
            ("^a$", b"a", true),
            (".*", b"", true),
        ] {
            assert_eq!(matches(pattern, key), wanted, "{pattern} {}", key.escape_ascii());
        }
    }

    #[test]
    fn what_java_reads_in_another_way_is_refused_with_its_place() {
        for (pattern, at, word) in [
            ("a(?=b)", 1, "look-around"),
            ("a(?<!b)", 1, "look-around"),
            (r"(a)\1", 3, "backreferences"),
            ("x-a*+", 4, "possessive"),
            ("a(?>b)", 3, "unrecognized flag"),
            (r"\Qa\E", 0, "unrecognized escape"),
            ("a(?i)b", 1, "at the beginning"),
            ("a(?s:b)", 1, "at the beginning"),
            ("(?i)a(?=b)", 5, "look-around"),
            ("[a&&b]", 1, "in one class"),
            (r"\p{L}", 0, "list the characters"),
            (r"\bid", 0, "word boundaries"),
            ("(a", 0, "unclosed group"),
            ("(?:(?:.{99}){99}){99}", 0, "too large"),
        ] {
            let error = pattern.parse::<KeyPattern>().unwrap_err();
            assert!(error.at == at && error.problem.contains(word), "{pattern}: {error:?}");
        }
    }
}
