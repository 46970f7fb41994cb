//! A finding before it has a place in a named file: at bytes of a text, or at a JSON pointer of a document.

use std::ops::Range;

use super::code::Code;
use super::finding::Finding;

/// A fault in a text. Spans are bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub span: Range<usize>,
    /// Without places.
    pub finding: Finding,
    pub related: Vec<(Range<usize>, String)>,
}

impl Fault {
    pub fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, finding: Finding::new(code, message), related: Vec::new() }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.finding.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn related(mut self, span: Range<usize>, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }
}

/// Which part of a field a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Key,
    Value,
}

/// A fault in a document (a JSON value, wherever it came from).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// RFC 6901.
    pub pointer: String,
    pub part: Part,
    /// Where in the value's text it is, in bytes of the text.
    pub within: usize,
    /// Without places.
    pub finding: Finding,
    /// Pointers of other values that take part in it.
    pub related: Vec<(String, String)>,
}

impl DocumentFault {
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let finding = Finding::new(code, message);
        Self { pointer: pointer.into(), part: Part::Value, within: 0, finding, related: Vec::new() }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.finding.help = Some(help.into());
        self
    }

    /// The fault begins at this byte of the value's text.
    #[must_use]
    pub fn within(mut self, at: usize) -> Self {
        self.within = at;
        self
    }

    /// The fault is the field's name, or that something is missing under it.
    #[must_use]
    pub fn on_key(mut self) -> Self {
        self.part = Part::Key;
        self
    }

    #[must_use]
    pub fn related(mut self, pointer: impl Into<String>, what: impl Into<String>) -> Self {
        self.related.push((pointer.into(), what.into()));
        self
    }
}

/// One more step of a JSON pointer, escaped (RFC 6901, section 3).
pub fn join(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}
