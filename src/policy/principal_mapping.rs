//! Who a certificate's subject is: Kafka's `ssl.principal.mapping.rules`, `RULE:pattern/replacement/[LU]` and `DEFAULT`, tried in
//! their order (KIP-371).
//!
//! Patterns are Java's as far as Rust's `regex` reads them alike, and are matched in linear time, since partners write
//! subjects. Whatever is read in another way is refused with its place: a rule that matched something else would let
//! somebody else in.

mod pattern;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use self::pattern::Pattern;

/// The longest text of rules, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// What is wrong with the rules, and where: characters count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at character {at}: {problem}")]
pub struct RuleError {
    pub at: usize,
    pub problem: String,
}

/// The rules, which give a name to a subject in Java's form.
#[derive(Clone)]
pub struct PrincipalMapping {
    rules: Vec<Rule>,
    text: String,
}

#[derive(Debug, Clone)]
enum Rule {
    /// The subject itself.
    Default,
    Pattern {
        pattern: Pattern,
        replacement: Vec<Piece>,
        case: Case,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
    Upper,
}

impl PrincipalMapping {
    /// The name by the first rule that applies; none if none does.
    pub fn name(&self, subject: &str) -> Option<String> {
        self.rules.iter().find_map(|rule| match rule {
            Rule::Default => Some(subject.to_owned()),
            Rule::Pattern { pattern, replacement, case } => {
                let name = pattern.replaced(subject, replacement)?;
                Some(match case {
                    Case::Kept => name,
                    Case::Lower => name.to_lowercase(),
                    Case::Upper => name.to_uppercase(),
                })
            }
        })
    }
}

impl Default for PrincipalMapping {
    fn default() -> Self {
        Self { rules: vec![Rule::Default], text: "DEFAULT".to_owned() }
    }
}

impl fmt::Debug for PrincipalMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrincipalMapping({:?})", self.text)
    }
}

impl PartialEq for PrincipalMapping {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PrincipalMapping {}

impl FromStr for PrincipalMapping {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut reader = Reader { text, at: 0 };
        if text.len() > LONGEST {
            return Err(
                reader.error(0, format!("the rules have {} bytes, the limit is {LONGEST}", text.len()))
            );
        }
        let mut rules = Vec::new();
        while reader.skip_space() {
            if !reader.take(",") {
                rules.push(reader.rule()?);
                reader.end_of_rule()?;
            }
        }
        if rules.is_empty() {
            return Err(reader.error(0, "there is no rule; write at least `DEFAULT`".to_owned()));
        }
        Ok(Self { rules, text: text.to_owned() })
    }
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes, always between two characters.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, at: usize, problem: String) -> RuleError {
        let before = self.text.get(..at).unwrap_or(self.text);
        RuleError { at: before.chars().count() + 1, problem }
    }

    /// Whether anything comes after it.
    fn skip_space(&mut self) -> bool {
        self.at = self.text.len() - self.rest().trim_start().len();
        !self.rest().is_empty()
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn rule(&mut self) -> Result<Rule, RuleError> {
        if self.take("DEFAULT") {
            return Ok(Rule::Default);
        }
        let start = self.at;
        if !self.take("RULE:") {
            let problem = "no rule begins here; a rule is `DEFAULT` or `RULE:pattern/replacement/`, and L or U may follow";
            return Err(self.error(start, problem.to_owned()));
        }
        let (pattern_at, pattern) = self.until_slash(start)?;
        let (replacement_at, replacement) = self.until_slash(start)?;
        let pattern = Pattern::new(pattern).map_err(|(at, problem)| self.error(pattern_at + at, problem))?;
        let replacement = pieces(replacement, pattern.groups())
            .map_err(|(at, problem)| self.error(replacement_at + at, problem))?;
        let case = match () {
            () if self.take("L") => Case::Lower,
            () if self.take("U") => Case::Upper,
            () => Case::Kept,
        };
        Ok(Rule::Pattern { pattern, replacement, case })
    }

    /// What stands before the next slash that no backslash protects, and where it begins.
    fn until_slash(&mut self, rule: usize) -> Result<(usize, &'a str), RuleError> {
        let (start, rest) = (self.at, self.rest());
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '/' => {
                    self.at = start + at + 1;
                    return Ok((start, rest.get(..at).unwrap_or_default()));
                }
                '\\' => drop(characters.next()),
                _ => {}
            }
        }
        let problem =
            "this rule does not end; a rule is `RULE:pattern/replacement/`, and a slash within is `\\/`";
        Err(self.error(rule, problem.to_owned()))
    }

    fn end_of_rule(&mut self) -> Result<(), RuleError> {
        if !self.skip_space() || self.take(",") {
            return Ok(());
        }
        Err(self.error(self.at, "a rule ends here; after it comes a comma and the next one".to_owned()))
    }
}

/// Java's replacement text: `$1` is a group, a backslash makes any character itself. A problem comes with its place.
fn pieces(text: &str, groups: usize) -> Result<Vec<Piece>, (usize, String)> {
    let mut pieces = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let literal = match character {
            '\\' => characters.next().map_or('\\', |(_, escaped)| escaped),
            '$' => {
                let digit =
                    |next: &(usize, char)| next.1.to_digit(10).and_then(|it| usize::try_from(it).ok());
                let Some(mut group) = characters.peek().and_then(digit) else {
                    return Err((
                        at,
                        "`$` is a group, such as `$1`; the character itself is `\\$`".to_owned(),
                    ));
                };
                characters.next();
                // As many digits as make a group that there is.
                while let Some(longer) = characters.peek().and_then(digit).map(|next| group * 10 + next)
                    && longer <= groups
                {
                    group = longer;
                    characters.next();
                }
                if group > groups {
                    let problem = format!(
                        "the pattern has no group {group}, it has {groups}; the text itself is `\\${group}`"
                    );
                    return Err((at, problem));
                }
                pieces.push(Piece::Group(group));
                continue;
            }
            other => other,
        };
        match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(literal),
            _ => pieces.push(Piece::Text(literal.to_string())),
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests;
