//! Edits of a zone's document in a file that people write too: what does not change keeps every byte.
//!
//! What the document means is compared with what it is to mean, and only what differs is written anew, in the style of the
//! file: indentation, quotes, braces, line breaks. So a value that means the wanted one stays as it is written, and so do comments,
//! blank lines, the order of keys and all other documents. A comment directly above a field or an item, at the same indentation, goes
//! with it; one that a blank line separates from it stays. Every result is read again before it is given out.

mod block;
mod flow;
mod form;
mod layout;
mod remove;
mod slots;
mod write;

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::zone::{PartnerZone, ZoneName};

use super::document::{NotAZone, from_document};
use super::load::{Known, Loaded, SourceFile, load};
use super::tree::{self, Node};

use block::Editor;
use layout::Layout;
use write::Style;

/// Values deeper than this are replaced as a whole: one after the other is tried, until the file says what it is to say.
const DEPTHS: [usize; 5] = [tree::MAX_DEPTH, 3, 2, 1, 0];

/// Why there is no edited file.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EditError {
    #[error("the file holds no zone `{0}`; look where it is now")]
    NotThere(ZoneName),
    #[error("the file says nothing certain about this zone; correct it first ({0})")]
    Unreadable(String),
    #[error("what is to be written is no zone: {0}")]
    NotAZone(#[from] NotAZone),
    #[error("what is to be written is the zone `{0}`; a renamed zone is a new one, in a document of its own")]
    OtherZone(ZoneName),
    #[error("with this change the file could not be read ({0})")]
    Refused(String),
    #[error("the file is written in a way that this change cannot be made in; make it by hand")]
    Different,
}

/// The file in which the document of this zone says `wanted`, a zone in its written form.
pub fn put(text: &str, name: &ZoneName, wanted: &Value) -> Result<String, EditError> {
    let wanted = from_document(wanted)?;
    if wanted.name != *name {
        return Err(EditError::OtherZone(wanted.name));
    }
    // What no file could hold is not tried in this one.
    written(&wanted)?;
    let present = present(text, name)?;
    if *present == wanted {
        return Ok(text.to_owned());
    }
    let (documents, _) = tree::parse(text);
    let change = Put { text, documents: &documents, present: &present, wanted: &wanted };
    let mut error = EditError::Different;
    for depth in DEPTHS {
        match change.at_depth(depth) {
            Ok(edited) => return Ok(edited),
            Err(reason) => error = reason,
        }
    }
    Err(error)
}

/// A zone of a file, and what it is to be.
struct Put<'a> {
    text: &'a str,
    documents: &'a [Node],
    present: &'a PartnerZone,
    wanted: &'a PartnerZone,
}

impl Put<'_> {
    fn at_depth(&self, depth: usize) -> Result<String, EditError> {
        let (at, document) = find(self.documents, &self.wanted.name)?;
        let (before, after) = form::spelled(document, self.present, self.wanted);
        let layout = Layout { text: self.text };
        let editor = Editor { layout, style: Style::of(document, &layout), depth };
        let edit = editor.document(document, &before, &after).ok_or(EditError::Different)?;
        let (ahead, rest) = (0..edit.range.start, edit.range.end..self.text.len());
        let edited = format!("{}{}{}", layout.slice(ahead), edit.text, layout.slice(rest));
        verified(&edited, &others(self.documents, at), self.wanted)?;
        Ok(edited)
    }
}

/// The file without the document of this zone, and none if nothing is left in it.
pub fn remove(text: &str, name: &ZoneName) -> Result<Option<String>, EditError> {
    present(text, name)?;
    let (documents, _) = tree::parse(text);
    let (at, document) = find(&documents, name)?;
    let others = others(&documents, at);
    if others.is_empty() {
        return Ok(None);
    }
    let rest = remove::without(&Layout { text }, document);
    let (left, faults) = tree::parse(&rest);
    let is_same = faults.is_empty() && left.iter().map(Node::to_json).eq(others);
    if is_same { Ok(Some(rest)) } else { Err(EditError::Different) }
}

/// A file of its own for a zone in its written form.
pub fn new_file(wanted: &Value) -> Result<String, EditError> {
    written(&from_document(wanted)?)
}

fn written(zone: &PartnerZone) -> Result<String, EditError> {
    let form = form::form(zone);
    let fields = form.as_mapping().ok_or(EditError::Different)?;
    let text = Style::OURS.mapping(fields, 0) + Style::OURS.line_break;
    verified(&text, &[], zone)?;
    Ok(text)
}

/// The ordinary reader on this file alone. What is known of the configuration has no part in it.
fn read(text: &str) -> Loaded {
    let file = SourceFile { path: "zone.yaml".to_owned(), content: Ok(text.as_bytes().into()) };
    load([file], &Known::default())
}

/// The first thing that is wrong.
fn reason(loaded: &Loaded) -> Option<String> {
    let error = loaded.findings.iter().find(|finding| finding.is_error())?;
    let line = error.source.as_ref().map(|at| format!("line {}: ", at.line)).unwrap_or_default();
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    Some(format!("{line}{}{help}", error.message))
}

fn present(text: &str, name: &ZoneName) -> Result<Arc<PartnerZone>, EditError> {
    let loaded = read(text);
    if let Some(found) = loaded.zones.get(name) {
        return Ok(Arc::clone(&found.zone));
    }
    let is_unclear =
        loaded.unreadable.zones.contains_key(name) || !loaded.unreadable.nameless_files.is_empty();
    Err(match reason(&loaded) {
        Some(reason) if is_unclear => EditError::Unreadable(reason),
        _ => EditError::NotThere(name.clone()),
    })
}

/// The one document of a zone that was read.
fn find<'a>(documents: &'a [Node], name: &ZoneName) -> Result<(usize, &'a Node), EditError> {
    let is_named = |document: &Node| {
        let found = document.find("/metadata/name").and_then(|found| found.node.scalar());
        found.is_some_and(|scalar| scalar.text == name.as_str())
    };
    let found = documents.iter().enumerate().find(|(_, document)| is_named(document));
    found.ok_or_else(|| EditError::NotThere(name.clone()))
}

/// What all documents but one say.
fn others(documents: &[Node], but: usize) -> Vec<Value> {
    let others = documents.iter().enumerate().filter(|(at, _)| *at != but);
    others.map(|(_, document)| document.to_json()).collect()
}

/// The file holds exactly this zone and what the other documents said.
fn verified(text: &str, others: &[Value], wanted: &PartnerZone) -> Result<(), EditError> {
    let loaded = read(text);
    let Some(found) = loaded.zones.get(&wanted.name) else {
        return Err(reason(&loaded).map_or(EditError::Different, EditError::Refused));
    };
    let (documents, _) = tree::parse(text);
    let (at, _) = find(&documents, &wanted.name)?;
    let is_same = *found.zone == *wanted && self::others(&documents, at) == others;
    if is_same { Ok(()) } else { Err(EditError::Different) }
}

#[cfg(test)]
mod tests;
