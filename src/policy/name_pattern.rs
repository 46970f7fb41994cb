//! Names by regular expression, in the syntax of RE2 as brokers understand it: the topics of a subscription (KIP-848,
//! `subscribedTopicRegex`) and the transactional ids of a list (KIP-1152).
//!
//! Brokers match with RE2/J, which Rust's `regex` agrees with but for a few spellings; [`translated`] writes those in the
//! other's way. What neither looks for in a name (octal escapes, a brace that repeats nothing) stays refused.

use std::borrow::Borrow;
use std::fmt;

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// The longest pattern, in bytes: a list of a hundred topics with ordinary names.
pub const LONGEST: usize = 2 * 1024;

/// What a compiled program may take, in bytes, tried in this order.
const SIZES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 160 << 10];

/// What one request may have matched, in bytes of program times bytes of name. At worst each byte of a name visits every
/// state of the program (some 60 bytes each), which makes 2^25 visits: tenths of a second, and milliseconds with an honest
/// pattern. The smallest programs are matched against 512 KiB of names, the largest against 13 KiB.
const WORK: usize = 1 << 31;

/// Why a text is no pattern. The message is for the partner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("the regular expression has {0} bytes, the limit is {LONGEST}")]
    TooLong(usize),
    #[error("the regular expression is not valid RE2, or too large")]
    Invalid,
    #[error("the regular expression is too large for so many names")]
    TooMuch,
}

/// Matches whole names of a limited length, and only so many of them: in linear time, but linear in the product of the
/// program and the name.
#[derive(Clone)]
pub struct NamePattern {
    regex: Regex,
    /// Bytes of the program, at most.
    size: usize,
}

impl NamePattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > LONGEST {
            return Err(PatternError::TooLong(text.len()));
        }
        let text = translated(text);
        // Alone first: `a)|(b` is not an expression, though it would be one inside a group.
        let [.., largest] = SIZES;
        let compile = |text: &str, size| RegexBuilder::new(text).size_limit(size).build();
        compile(&text, largest).map_err(|_| PatternError::Invalid)?;
        let whole = format!(r"\A(?:{text})\z");
        let compiled = |size| Some(Self { regex: compile(&whole, size).ok()?, size });
        SIZES.into_iter().find_map(compiled).ok_or(PatternError::Invalid)
    }

    /// A matcher for one request, with names of up to `longest` bytes; a longer one does not match.
    pub fn matcher(&self, longest: usize) -> Matcher<'_> {
        Matcher { pattern: self, longest, work: WORK }
    }
}

/// Matches until it has done what one request may cost.
#[derive(Debug)]
pub struct Matcher<'a> {
    pattern: &'a NamePattern,
    longest: usize,
    work: usize,
}

impl Matcher<'_> {
    /// A topic's name, a transactional id, or any other that partners give.
    pub fn matches<N: Borrow<str> + ?Sized>(&mut self, name: &N) -> Result<bool, PatternError> {
        let name = name.borrow();
        if name.len() > self.longest {
            return Ok(false);
        }
        let cost = self.pattern.size * name.len().max(1);
        self.work = self.work.checked_sub(cost).ok_or(PatternError::TooMuch)?;
        Ok(self.pattern.regex.is_match(name))
    }
}

impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamePattern({:?})", self.regex.as_str())
    }
}

/// RE2's spelling → that of `regex`: `\Q…\E` is literal text, `\<` and `\>` are characters, `\d`, `\s` and `\w` are of ASCII, and inside a class `[`, `&&`,
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

/// A backslash and what it is for. RE2's classes are those of ASCII, and thereby small.
fn escape(rest: &str) -> (String, usize) {
    let ascii = |class: &str| (class.to_owned(), 2);
    match rest.chars().nth(1) {
        Some(angle @ ('<' | '>')) => (angle.to_string(), 2),
        Some('d') => ascii("[0-9]"),
        Some('D') => ascii("[^0-9]"),
        Some('w') => ascii("[0-9A-Za-z_]"),
        Some('W') => ascii("[^0-9A-Za-z_]"),
        Some('s') => ascii(r"[\t\n\f\r ]"),
        Some('S') => ascii(r"[^\t\n\f\r ]"),
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
        let name = TopicName::try_from(name).unwrap();
        NamePattern::parse(pattern).unwrap().matcher(249).matches(&name).unwrap()
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
    fn classes_are_those_of_ascii_as_in_re2() {
        assert!(
            matches(r"\w+-\d{2}", "a_Z9-07") && matches(r"[\w.-]+", "a.b-c") && matches(r"\S\D\W", "aa.")
        );
        assert!(!matches(r"[^\d]", "7") && !matches(r"[^\w]", "a") && !matches(r"\s|\W|\D", "1"));
        let other = |pattern: &str, name: &str| {
            NamePattern::parse(pattern).unwrap().matcher(249).matches(name).unwrap()
        };
        assert!(!other(r"\w", "é") && !other(r"\d", "٣") && other(r"\W", "é") && other("[é]", "é"));
        assert!(other(r"\pL", "é") && other(".", "é"), "one character, not two bytes");
    }

    #[test]
    fn ordinary_patterns_are_small_enough() {
        let names = |count, len| (0..count).map(move |i| format!("{i:0len$}")).collect::<Vec<_>>().join("|");
        for pattern in [
            ".*",
            ".+",
            r"\w+",
            r"[\w.-]{1,249}",
            r"\Qa.b\E",
            "(?i)orders-.*",
            "orders-(eu|us)-[0-9]{4}-[a-f0-9]{8}",
            r"(?:[^.]+\.){3}[^.]+",
            &names(50, 30),
            &names(8, 249),
        ] {
            assert!(NamePattern::parse(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_would_be_slow_or_large_is_refused() {
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(NamePattern::parse(&long).unwrap_err(), PatternError::TooLong(LONGEST + 1));
        for pattern in
            [r"((\pL{100}){100}){100}", "((a{1000}){1000}){1000}", "(?:.?){900}", &"(".repeat(LONGEST / 2)]
        {
            assert_eq!(NamePattern::parse(pattern).unwrap_err(), PatternError::Invalid);
        }
    }

    #[test]
    fn a_name_that_is_too_long_does_not_match_and_a_request_is_not_matched_for_ever() {
        let name = "a".repeat(250);
        let all = NamePattern::parse("a*").unwrap();
        assert_eq!(all.matcher(249).matches(name.as_str()), Ok(false));
        assert_eq!(all.matcher(250).matches(name.as_str()), Ok(true));
        let until_refused = |pattern: &str| {
            let pattern = NamePattern::parse(pattern).unwrap();
            let mut matcher = pattern.matcher(250);
            (0..10_000).take_while(|_| matcher.matches(name.as_str()).is_ok()).count()
        };
        assert_eq!(until_refused("a*"), WORK / (SIZES[0] * 250));
        assert_eq!(until_refused("[a-c]{700}"), WORK / (SIZES[2] * 250));
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
