//! Names by regular expression, in the syntax of RE2 as brokers understand it: the topics of a subscription (KIP-848,
//! `subscribedTopicRegex`) and the transactional ids of a list (KIP-1152).
//!
//! Brokers match with RE2/J, which Rust's `regex` agrees with but for a few spellings; [`translated`] writes those in the
//! other's way. What neither looks for in a name (octal escapes, a brace that repeats nothing) stays refused.

use std::borrow::Borrow;
use std::fmt;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// The longest pattern, in bytes: a list of thirty topics with the longest names.
pub const LONGEST: usize = 8 * 1024;

/// What a compiled pattern may take, in bytes: matching and compiling take time in proportion to it.
const COMPILED: usize = 1 << 20;

/// Why a text is no pattern. The message is for the partner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("the regular expression has {0} bytes, the limit is {LONGEST}")]
    TooLong(usize),
    #[error("the regular expression is not valid RE2, or too large")]
    Invalid,
}

/// Matches whole names, in linear time.
#[derive(Clone)]
pub struct NamePattern(Regex);

impl NamePattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > LONGEST {
            return Err(PatternError::TooLong(text.len()));
        }
        let compile = |text: &str| {
            RegexBuilder::new(text).size_limit(COMPILED).build().map_err(|_| PatternError::Invalid)
        };
        let text = translated(text);
        // Alone first: `a)|(b` is not an expression, though it would be one inside a group.
        compile(&text)?;
        compile(&format!(r"\A(?:{text})\z")).map(Self)
    }

    /// A topic's name, a transactional id, or any other that partners give.
    pub fn matches<N: Borrow<str> + ?Sized>(&self, name: &N) -> bool {
        self.0.is_match(name.borrow())
    }
}

impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamePattern({:?})", self.0.as_str())
    }
}

/// RE2's spelling → that of `regex`: `\Q…\E` is literal text, `\<` and `\>` are characters, and inside a class `[`, `&&`,
/// `~~` and `--` have no meaning of their own.
fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_class = false;
    while let Some(next) = rest.chars().next() {
        let (piece, read) = if let Some((literal, read)) = quotation(rest).filter(|_| !in_class) {
            (regex::escape(literal), read)
        } else if next == '\\' {
            escape(rest)
        } else if in_class {
            in_class = next != ']';
            member(rest, next)
        } else if next == '[' {
            in_class = true;
            let negated = if rest.starts_with("[^") { 2 } else { 1 };
            // A `]` right here is a character.
            let opening =
                negated + usize::from(rest.get(negated..).is_some_and(|rest| rest.starts_with(']')));
            taken(rest, opening)
        } else {
            taken(rest, next.len_utf8())
        };
        out.push_str(&piece);
        rest = rest.get(read..).unwrap_or_default();
    }
    out
}

/// What stands between `\Q` and `\E` or the end, and the length of all of it.
fn quotation(rest: &str) -> Option<(&str, usize)> {
    let quoted = rest.strip_prefix(r"\Q")?;
    Some(match quoted.find(r"\E") {
        Some(end) => (quoted.get(..end)?, 2 + end + 2),
        None => (quoted, rest.len()),
    })
}

/// A backslash and what it is for.
fn escape(rest: &str) -> (String, usize) {
    match rest.chars().nth(1) {
        Some(angle @ ('<' | '>')) => (angle.to_string(), 2),
        escaped => taken(rest, 1 + escaped.map_or(0, char::len_utf8)),
    }
}

/// The front of what is left of a class.
fn member(rest: &str, next: char) -> (String, usize) {
    if let Some(end) = rest.strip_prefix("[:").and_then(|named| named.find(":]")) {
        return taken(rest, 2 + end + 2);
    }
    match next {
        '[' => (r"\[".to_owned(), 1),
        '&' | '~' | '-' if rest.chars().nth(1) == Some(next) => (format!("{next}\\"), 1),
        _ => taken(rest, next.len_utf8()),
    }
}

fn taken(rest: &str, len: usize) -> (String, usize) {
    (rest.get(..len).unwrap_or(rest).to_owned(), len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zone::TopicName;

    fn matches(pattern: &str, name: &str) -> bool {
        NamePattern::parse(pattern).unwrap().matches(&TopicName::try_from(name).unwrap())
    }

    #[test]
    fn a_pattern_matches_whole_names_only() {
        for (pattern, name, expected) in [
            ("orders", "orders", true),
            ("orders", "orders-eu", false),
            ("rders", "orders", false),
            ("orders|payments", "payments", true),
            ("orders|payments", "payments-eu", false),
            ("orders.*", "orders-eu", true),
            ("(?i)ORDERS", "orders", true),
            ("", "orders", false),
            ("^orders$", "orders", true),
            (r"\Aorders\z", "orders", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_quotation_is_literal_text_as_in_java() {
        assert!(matches(r"\Qa.b\E", "a.b"));
        assert!(!matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\Qa.b\E-(x|y)", "a.b-y"));
        assert!(matches(r"x\Qa.b", "xa.b"), "without an end it goes to the end");
        assert!(matches(r"\Qab\E+", "abbb"), "what repeats is its last character");
        assert!(!matches(r"\\Qa", "a"), "a backslash, and then a letter");
        assert!(NamePattern::parse(r"a\E").is_err());
    }

    #[test]
    fn a_class_has_no_sets_within_it() {
        assert!(matches(r"[[a]+", "a"), "a bracket or an a");
        assert!(matches("[a&&b]+", "ab"), "not an intersection");
        assert!(matches("[a~~b]+", "ab"));
        assert!(matches("[+--]+", "-"), "from plus to minus");
        assert!(matches("[[:alpha:]]+", "abc") && !matches("[[:alpha:]]+", "a1"));
        assert!(!matches("[^]a]+", "a") && matches("[^]a]+", "b"));
        assert!(matches(r"[\]a]+", "a"));
    }

    #[test]
    fn what_re2_does_not_know_is_refused() {
        for pattern in
            ["(", "a)|(b", "*", "[a", "(?=a)a", "(?<!a)b", r"(a)\1", r"a\", "a{2,1}", "(?P<a", r"[\Qa\E]"]
        {
            assert_eq!(NamePattern::parse(pattern).unwrap_err(), PatternError::Invalid, "{pattern}");
        }
    }

    #[test]
    fn what_would_be_slow_or_large_is_refused() {
        let names: Vec<String> = (0..30).map(|i| format!("{}-{i}", "n".repeat(245))).collect();
        assert!(matches(&names.join("|"), &names[29]), "a long list of names is fine");
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(NamePattern::parse(&long).unwrap_err(), PatternError::TooLong(LONGEST + 1));
        for pattern in [r"((\pL{100}){100}){100}", "((a{1000}){1000}){1000}", &"(".repeat(LONGEST / 2)] {
            assert_eq!(NamePattern::parse(pattern).unwrap_err(), PatternError::Invalid);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_a_quoted_name_matches_itself_alone(text in r"[\\QE\[\]&~<>a-c.:^*-]{0,30}", name in "[a-z][a-z.]{0,8}") {
            let _ = NamePattern::parse(&text);
            let quoted = format!(r"\Q{name}\E");
            prop_assert!(matches(&quoted, &name));
            let longer = format!("{name}x");
            prop_assert!(!matches(&quoted, &longer));
        }
    }
}
