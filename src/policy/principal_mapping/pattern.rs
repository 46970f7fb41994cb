//! The regular expression of a rule: what Java and Rust's `regex` read alike.

use regex::{Regex, RegexBuilder};

use super::Piece;
use crate::zone::java_pattern::{LARGEST, Problem, Purpose, translated};

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Matches subjects that the rule is for.
    whole: Regex,
    /// Finds what is replaced in them.
    part: Regex,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, Problem> {
        let text = translated(text, Purpose::Capture)?;
        let compile = |text: &str| {
            let compiled = RegexBuilder::new(text).size_limit(LARGEST).build();
            compiled.map_err(|_| (0, "the pattern is too large".to_owned()))
        };
        Ok(Self { whole: compile(&format!(r"\A(?:{text})\z"))?, part: compile(&text)? })
    }

    pub(super) fn groups(&self) -> usize {
        self.part.captures_len() - 1
    }

    /// The subject with every match replaced, if all of it matches. Both as Java does it: after a match up to the end, an
    /// empty one at the end is found too.
    pub(super) fn replaced(&self, subject: &str, replacement: &[Piece]) -> Option<String> {
        if !self.whole.is_match(subject) {
            return None;
        }
        let (mut out, mut done, mut from) = (String::new(), 0, 0);
        while from <= subject.len()
            && let Some(found) = self.part.captures_at(subject, from)
            && let Some(all) = found.get(0)
        {
            out.push_str(subject.get(done..all.start()).unwrap_or_default());
            for piece in replacement {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Group(group) => out.push_str(found.get(*group).map_or("", |group| group.as_str())),
                }
            }
            done = all.end();
            let next = subject.get(done..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            from = if all.is_empty() { done + next } else { done };
        }
        out.push_str(subject.get(done..).unwrap_or_default());
        Some(out)
    }
}
