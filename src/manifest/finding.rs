//! What is wrong in the files, where, and what to do about it.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::code::{Code, Severity};

/// A place in a file. Lines and columns start at 1; a column counts characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The path as the source gave it, made safe to print.
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    /// Bytes of the file that it covers.
    pub span: Range<usize>,
}

impl Location {
    /// The start of a file, for faults that have no better place.
    pub fn start_of(file: Arc<str>) -> Self {
        Self { file, line: 1, column: 1, span: 0..0 }
    }
}

/// `FILE:LINE:COLUMN`, as compilers write it.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Location", 3)?;
        object.serialize_field("file", &*self.file)?;
        object.serialize_field("line", &self.line)?;
        object.serialize_field("column", &self.column)?;
        object.end()
    }
}

/// One fault. Texts are for an operator: lowercase, no full stop, and free of anything that a terminal would obey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    pub source: Option<Location>,
    /// Other places that take part in it, each with what it is.
    pub related: Vec<(Location, String)>,
}

impl Finding {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, source: None, related: Vec::new() }
    }

    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn at(mut self, source: Location) -> Self {
        self.source = Some(source);
        self
    }

    #[must_use]
    pub fn related(mut self, source: Location, what: impl Into<String>) -> Self {
        self.related.push((source, what.into()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// By file, line and column; what has no place comes first.
impl Ord for Finding {
    fn cmp(&self, other: &Self) -> Ordering {
        fn place(finding: &Finding) -> Option<(&str, usize, usize)> {
            finding.source.as_ref().map(|at| (&*at.file, at.line, at.column))
        }
        (place(self), self.severity(), self.code, &self.message).cmp(&(
            place(other),
            other.severity(),
            other.code,
            &other.message,
        ))
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let related: Vec<_> = self
            .related
            .iter()
            .map(|(source, message)| serde_json::json!({"source": source, "message": message}))
            .collect();
        let mut object = serializer.serialize_struct("Finding", 6)?;
        object.serialize_field("code", &self.code)?;
        object.serialize_field("severity", self.severity().as_str())?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("help", &self.help)?;
        object.serialize_field("source", &self.source)?;
        object.serialize_field("related", &related)?;
        object.end()
    }
}

/// Longest piece of a file that a message repeats, in characters.
const QUOTE_LIMIT: usize = 60;

/// Text from a file as a message may show it: in backticks, shortened, nothing in it that a terminal would obey or that
/// a reader could not see.
pub fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTE_LIMIT).flat_map(visible).collect();
    if text.chars().nth(QUOTE_LIMIT).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The same for a path: whole, without the backticks.
pub fn printable(text: &str) -> String {
    // Nearly every path and name; asked for every file of every reading.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars().flat_map(visible).collect()
}

fn visible(character: char) -> impl Iterator<Item = char> {
    // `escape_debug` leaves what is printable; quotes need no escape here.
    let plain = matches!(character, '"' | '\'' | '\\');
    plain
        .then_some(character)
        .into_iter()
        .chain((!plain).then(|| character.escape_debug()).into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_cannot_move_a_cursor_or_turn_a_line_around() {
        assert_eq!(quote("\u{1b}[31mred\u{202e}\n"), r"`\u{1b}[31mred\u{202e}\n`");
        assert_eq!(quote(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
        assert_eq!(quote("it's"), "`it's`");
        let plain: String = (' '..='~').collect();
        assert_eq!(printable(&plain), plain);
        assert_eq!(printable("a\u{7f}\tb\u{e4}"), "a\\u{7f}\\tb\u{e4}");
    }

    #[test]
    fn findings_sort_by_place_and_serialise_as_published() {
        let at = |line, column| Location { file: "a.yaml".into(), line, column, span: 0..1 };
        let late = Finding::new(Code::Tab, "late").at(at(10, 1));
        let early = Finding::new(Code::Tag, "early").at(at(9, 3)).related(at(1, 1), "first here");
        let mut all = [late, early];
        all.sort();
        assert_eq!(all[0].message, "early");
        assert_eq!(
            serde_json::to_value(&all[0]).unwrap(),
            serde_json::json!({
                "code": "PZ0014", "severity": "error", "message": "early", "help": null,
                "source": {"file": "a.yaml", "line": 9, "column": 3},
                "related": [{"source": {"file": "a.yaml", "line": 1, "column": 1}, "message": "first here"}]
            })
        );
    }
}
