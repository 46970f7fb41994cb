//! New text: values as YAML, in the style of the file.

use std::fmt::Write as _;

use serde_yaml::{Mapping, Value};

use super::super::bytes;
use super::super::tree::{self, Content, Node};
use super::layout::Layout;

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Columns from a key to the keys under it.
    step: usize,
    /// Columns from a key to the dashes under it.
    dash: usize,
    /// Columns from a dash to its item.
    item: usize,
    pub(super) line_break: &'static str,
}

/// The quotes that a value had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    AsNeeded,
    Single,
    Double,
}

impl Style {
    /// That of a new file.
    pub(super) const OURS: Self = Self { step: 2, dash: 2, item: 2, line_break: "\n" };

    pub(super) fn of(document: &Node, layout: &Layout<'_>) -> Self {
        let line_break = if layout.text.contains("\r\n") { "\r\n" } else { "\n" };
        let column = |at: usize| layout.column(at);
        let below = |key: &str| {
            let entry = document.get(key)?;
            let first = entry.value.head().start;
            (layout.line_start(first) > entry.key_span.start)
                .then(|| column(first).checked_sub(column(entry.key_span.start)))?
        };
        let step = ["spec", "metadata"].into_iter().find_map(below).filter(|step| *step > 0);
        let step = step.unwrap_or(Self::OURS.step);
        let (dash, item) = dashes(document, layout).unwrap_or((step, Self::OURS.item));
        Self { step, dash, item, line_break }
    }

    /// Children of a mapping, the first one without its indentation. No line break at the end.
    pub(super) fn mapping(&self, fields: &Mapping, column: usize) -> String {
        let lines: Vec<String> = fields
            .iter()
            .map(|(key, value)| self.child(Some(key.as_str().unwrap_or_default()), value, column))
            .collect();
        lines.join(self.line_break).trim_start_matches(' ').to_owned()
    }

    /// A child of a mapping or, without a key, of a sequence: whole lines, without a line break at the end.
    pub(super) fn child(&self, key: Option<&str>, value: &Value, column: usize) -> String {
        let mut text = " ".repeat(column);
        match (key, value) {
            (Some(key), _) => {
                text.push_str(&name(key, Quotes::AsNeeded));
                text.push(':');
                text.push_str(&self.behind_colon(value, column));
            }
            (None, Value::Mapping(fields)) if !fields.is_empty() => {
                text.push('-');
                text.push_str(&" ".repeat(self.item - 1));
                text.push_str(&self.mapping(fields, column + self.item));
            }
            (None, _) => {
                text.push_str("- ");
                text.push_str(&self.scalar(value, column, Quotes::AsNeeded));
            }
        }
        text
    }

    /// What follows the colon of a key at `column`.
    pub(super) fn behind_colon(&self, value: &Value, column: usize) -> String {
        match value {
            Value::Mapping(fields) if !fields.is_empty() => {
                let column = column + self.step;
                format!("{}{}{}", self.line_break, " ".repeat(column), self.mapping(fields, column))
            }
            Value::Sequence(items) if !items.is_empty() => {
                let column = column + self.dash;
                items.iter().fold(String::new(), |text, item| {
                    text + self.line_break + &self.child(None, item, column)
                })
            }
            _ => format!(" {}", self.scalar(value, column, Quotes::AsNeeded)),
        }
    }

    /// A scalar, or a collection that is empty. Under a key or dash at `column`, text may take several lines.
    pub(super) fn scalar(&self, value: &Value, column: usize, quotes: Quotes) -> String {
        let Value::String(text) = value else { return flow(value, quotes) };
        if quotes != Quotes::AsNeeded || !text.contains('\n') {
            return line(text, quotes);
        }
        let Some(lines) = written(value).filter(|lines| says(&format!("k: {lines}\n"), "/k", text)) else {
            return double(text);
        };
        let indented = lines.split('\n').enumerate().map(|(at, line)| {
            if at == 0 || line.is_empty() { line.to_owned() } else { " ".repeat(column) + line }
        });
        indented.collect::<Vec<_>>().join(self.line_break)
    }
}

/// The dashes of the first list that is not in brackets.
fn dashes(document: &Node, layout: &Layout<'_>) -> Option<(usize, usize)> {
    let Content::Mapping(entries) = &document.get("spec")?.value.content else { return None };
    entries.iter().find_map(|entry| {
        let Content::Sequence(items) = &entry.value.content else { return None };
        let from = layout.significant(entry.key_span.end) + 1;
        let dash = layout.significant(from);
        let item = items.first()?.head().start;
        let is_list = layout.begins(dash, &['-']) && layout.line_start(dash) > entry.key_span.start;
        let columns = layout.column(dash).checked_sub(layout.column(entry.key_span.start))?;
        let is_beside = layout.line_start(item) == layout.line_start(dash) && item > dash + 1;
        is_list.then_some((columns, if is_beside { item - dash } else { Style::OURS.item }))
    })
}

/// In braces and brackets, on one line.
pub(super) fn flow(value: &Value, quotes: Quotes) -> String {
    match value {
        Value::Mapping(fields) => {
            let field = |(key, value): (&Value, &Value)| {
                format!("{}: {}", name(key.as_str().unwrap_or_default(), quotes), flow(value, quotes))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Value::Sequence(items) => {
            let items: Vec<_> = items.iter().map(|item| flow(item, quotes)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => word(text, quotes),
        Value::Bool(_) | Value::Number(_) | Value::Null | Value::Tagged(_) => {
            written(value).unwrap_or_default()
        }
    }
}

/// A key.
pub(super) fn name(key: &str, quotes: Quotes) -> String {
    quoted(key, quotes, |word| says(&format!("{{{word}: k}}"), "", key))
}

/// Text on one line, under a key or behind a dash.
fn line(text: &str, quotes: Quotes) -> String {
    quoted(text, quotes, |word| says(&format!("k: {word}"), "/k", text))
}

/// Text in braces or brackets.
fn word(text: &str, quotes: Quotes) -> String {
    quoted(text, quotes, |word| says(&format!("[{{k: {word}}}]"), "/0/k", text))
}

/// With these quotes if the text can be written so, or else with those that it can be written with.
fn quoted(text: &str, quotes: Quotes, is_right: impl Fn(&str) -> bool) -> String {
    let bare = (quotes == Quotes::AsNeeded).then(|| written(&Value::from(text))).flatten();
    let single = (quotes != Quotes::Double).then(|| format!("'{}'", text.replace('\'', "''")));
    let is_usable = |it: &String| !it.contains(['\n', '\r']) && is_right(it);
    bare.into_iter().chain(single).find(is_usable).unwrap_or_else(|| double(text))
}

/// As the YAML writer has it, without the line break at its end. Lines behind the first are indented by two columns.
fn written(value: &Value) -> Option<String> {
    let mut under = Mapping::new();
    under.insert("k".into(), value.clone());
    let text = serde_yaml::to_string(&under).ok()?;
    // Empty lines at the end of a text that keeps them are part of it.
    let text = text.strip_prefix("k:")?.trim_start_matches(' ');
    Some(if text.starts_with(['|', '>']) { text.strip_suffix('\n')? } else { text.trim_end() }.to_owned())
}

/// Whether our reader finds this text there, as a value or as the only key, and none of our limits is in its way.
fn says(yaml: &str, pointer: &str, text: &str) -> bool {
    let (documents, faults) = tree::parse(yaml);
    let [document] = documents.as_slice() else { return false };
    let is_there = document.find(pointer).is_some_and(|found| match &found.node.content {
        Content::Scalar(scalar) => scalar.to_json() == text,
        Content::Mapping(entries) => matches!(entries.as_slice(), [only] if only.key == text),
        Content::Sequence(_) => false,
    });
    is_there && faults.is_empty() && bytes::text(yaml.as_bytes()).is_ok()
}

/// In double quotes every text can be written, the invisible visibly.
fn double(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if bytes::is_visible(character) => quoted.push(character),
            // Writing to a string cannot fail.
            '\u{10000}'.. => drop(write!(quoted, "\\U{:08x}", u32::from(character))),
            _ => drop(write!(quoted, "\\u{:04x}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}
