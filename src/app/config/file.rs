//! The file's bytes → its leaves, read by the same YAML reader as the manifests.

use std::ops::Range;

use super::settings::{Place, Setting, Value};
use crate::manifest::fault::Fault;
use crate::manifest::scalar::Kind;
use crate::manifest::tree::{self, Content, Node};
use crate::manifest::{Code, bytes};

/// Every leaf with its path, in the order of the file.
pub(super) fn leaves(shown: &str, content: &[u8], problems: &mut Vec<String>) -> Vec<Setting> {
    let mut reading = Reading { shown, content, leaves: Vec::new(), problems };
    if content.len() > bytes::MAX_FILE_BYTES {
        reading.faults(vec![bytes::too_large(content.len())]);
        return Vec::new();
    }
    match bytes::text(content) {
        Ok(text) => {
            let (documents, faults) = tree::parse(text);
            reading.faults(faults);
            reading.documents(&documents);
        }
        Err(faults) => reading.faults(faults),
    }
    reading.leaves
}

struct Reading<'a> {
    shown: &'a str,
    content: &'a [u8],
    leaves: Vec<Setting>,
    problems: &'a mut Vec<String>,
}

impl Reading<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        let (line, column) = bytes::line_and_column(self.content, span.start);
        Place::File { file: self.shown.to_owned(), line, column }
    }

    fn faults(&mut self, faults: Vec<Fault>) {
        // An empty file is fine: everything may come from the environment.
        for fault in faults.into_iter().filter(|fault| fault.finding.code != Code::EmptyFile) {
            let help = fault.finding.help.map(|help| format!("; {help}")).unwrap_or_default();
            let problem = format!("{}: {}{help}", self.place(&fault.span), fault.finding.message);
            self.problems.push(problem);
        }
    }

    fn documents(&mut self, documents: &[Node]) {
        if let [_, second, ..] = documents {
            let place = self.place(&second.span);
            self.problems.push(format!("{place}: a second document; the configuration is one"));
        }
        let Some(root) = documents.first() else { return };
        if let Content::Mapping(_) = root.content {
            self.below(root, &mut Vec::new());
        } else {
            let place = self.place(&root.span);
            self.problems.push(format!("{place}: wanted is a mapping of keys such as `source:`"));
        }
    }

    fn leaf(&mut self, path: &[String], value: Value, span: &Range<usize>) {
        self.leaves.push(Setting { path: path.to_vec(), value, place: self.place(span) });
    }

    /// The tree's depth is bounded by [`tree::MAX_DEPTH`], and so is this recursion.
    fn below(&mut self, node: &Node, path: &mut Vec<String>) {
        let Content::Mapping(entries) = &node.content else { return };
        for entry in entries {
            path.push(entry.key.clone());
            match &entry.value.content {
                Content::Mapping(_) => self.below(&entry.value, path),
                Content::Scalar(scalar) => {
                    let value = match scalar.kind() {
                        Kind::Null => Value::Nothing,
                        _ => Value::Text(scalar.text.clone()),
                    };
                    self.leaf(path, value, &entry.key_span);
                }
                Content::Sequence(items) => {
                    if let Some(texts) = items.iter().map(text).collect() {
                        self.leaf(path, Value::List(texts), &entry.key_span);
                    } else {
                        let (place, name) = (self.place(&entry.key_span), path.join("."));
                        let problem =
                            format!("{place}: `{name}` has something in its list that is no plain value");
                        self.problems.push(problem);
                    }
                }
            }
            path.pop();
        }
    }
}

/// A plain value that is not empty.
fn text(item: &Node) -> Option<String> {
    match &item.content {
        Content::Scalar(scalar) if scalar.kind() != Kind::Null => Some(scalar.text.clone()),
        _ => None,
    }
}
