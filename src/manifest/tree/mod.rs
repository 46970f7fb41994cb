//! Our own tree of a YAML document: every key and value with its place. The one way that YAML from outside is read.

mod build;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub use super::scalar::{Kind, Scalar};

pub use build::{MAX_DEPTH, MAX_NODES, parse};

/// A value and the bytes of the file that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub span: Range<usize>,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// Keys are unique, in file order.
    Mapping(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

/// What a JSON pointer leads to.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The key that the value stands under; none for the root and for items of a sequence.
    pub key: Option<&'a Range<usize>>,
    pub node: &'a Node,
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar(_) | Content::Sequence(_) => None,
        }
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            Content::Sequence(_) | Content::Mapping(_) => None,
        }
    }

    /// Follows a JSON pointer (RFC 6901).
    pub fn find(&self, pointer: &str) -> Option<Found<'_>> {
        let root = Found { key: None, node: self };
        pointer.split('/').skip(1).try_fold(root, |found, step| {
            let step = if step.contains('~') {
                Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
            } else {
                Cow::Borrowed(step)
            };
            match &found.node.content {
                Content::Mapping(_) => {
                    let entry = found.node.get(&step)?;
                    Some(Found { key: Some(&entry.key_span), node: &entry.value })
                }
                Content::Sequence(items) => {
                    Some(Found { key: None, node: items.get(step.parse::<usize>().ok()?)? })
                }
                Content::Scalar(_) => None,
            }
        })
    }

    /// A short span to point at: the value of a scalar, the first key or item of the others.
    pub fn head(&self) -> Range<usize> {
        match &self.content {
            Content::Scalar(_) => self.span.clone(),
            Content::Sequence(items) => items.first().map_or_else(|| self.span.clone(), Self::head),
            Content::Mapping(entries) => {
                entries.first().map_or_else(|| self.span.clone(), |entry| entry.key_span.clone())
            }
        }
    }

    /// The depth of a tree is bounded by [`MAX_DEPTH`], and so is this recursion.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.to_json(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests;
