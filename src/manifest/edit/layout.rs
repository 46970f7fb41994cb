//! Where things stand in the text of a document: what the tree does not say, since nobody but an editor asks.
//!
//! What cannot be made out is `None`, and the value around it is written anew. Nothing here has to be believed: what an
//! edit makes is read again before anybody gets it.

use std::ops::Range;

use super::super::tree::{Content, Entry, Node};

const BREAKS: [char; 2] = ['\n', '\r'];

#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) text: &'a str,
}

/// A value of a mapping or an item of a sequence.
#[derive(Debug)]
pub(super) struct Child<'n> {
    pub(super) node: &'n Node,
    /// Its key or its dash; an item in brackets has neither.
    pub(super) start: usize,
    /// Right behind its colon or its dash.
    pub(super) from: usize,
    /// What there is of the value, without a comment behind it. A value that is not there is empty, at `from`.
    pub(super) value: Range<usize>,
}

/// The whole lines of a child that is not in braces or brackets, without the last line break.
#[derive(Debug)]
pub(super) struct Lines {
    /// Where the comment above it begins, and the blank lines above that.
    pub(super) lead: usize,
    pub(super) end: usize,
}

impl<'a> Layout<'a> {
    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn rest(&self, from: usize) -> &'a str {
        self.slice(from..self.text.len())
    }

    pub(super) fn begins(&self, at: usize, characters: &[char]) -> bool {
        self.rest(at).starts_with(characters)
    }

    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.slice(0..at);
        let mark = if self.begins(0, &['\u{feff}']) { '\u{feff}'.len_utf8() } else { 0 };
        before.rfind(BREAKS).map_or(mark, |found| found + 1)
    }

    /// Without the line break.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.rest(at).find(BREAKS).map_or(self.text.len(), |found| at + found)
    }

    /// Bytes of its line before it.
    pub(super) fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// What is behind a value on its line: nothing, or a comment. White space before it is part of it.
    pub(super) fn behind(&self, at: usize) -> Option<&'a str> {
        let said = self.rest(at).trim_start_matches([' ', '\t']);
        let is_end = said.is_empty() || said.starts_with(['#', '\n', '\r']);
        is_end.then(|| self.slice(at..self.line_end(at)))
    }

    /// The next byte that is neither white space nor in a comment.
    pub(super) fn significant(&self, mut at: usize) -> usize {
        loop {
            let rest = self.rest(at);
            let next = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            at += rest.len() - next.len();
            if !next.starts_with('#') {
                return at;
            }
            at = self.line_end(at);
        }
    }

    /// Whether the value behind `from` is in braces or brackets.
    pub(super) fn is_flow(&self, from: usize) -> bool {
        self.begins(self.significant(from), &['{', '['])
    }

    fn behind_colon(&self, entry: &Entry) -> Option<usize> {
        let at = self.significant(entry.key_span.end);
        if self.begins(at, &[':']) {
            return Some(at + 1);
        }
        is_absent(&entry.value).then_some(entry.key_span.end)
    }

    /// The children of a node that stands behind `from`. The depth of a tree is bounded, and so is this recursion.
    pub(super) fn children<'n>(&self, node: &'n Node, from: usize) -> Option<Vec<Child<'n>>> {
        match &node.content {
            Content::Scalar(_) => Some(Vec::new()),
            Content::Mapping(entries) => {
                let child = |entry: &'n Entry| {
                    let from = self.behind_colon(entry)?;
                    let value = self.extent(&entry.value, from)?;
                    Some(Child { node: &entry.value, start: entry.key_span.start, from, value })
                };
                entries.iter().map(child).collect()
            }
            Content::Sequence(items) if self.is_flow(from) => {
                let mut at = self.significant(from) + 1;
                let child = |node: &'n Node| {
                    let start = self.behind_comma(at);
                    let value = self.extent(node, start)?;
                    at = value.end;
                    Some(Child { node, start, from: start, value })
                };
                items.iter().map(child).collect()
            }
            Content::Sequence(items) => {
                let mut at = from;
                let child = |node: &'n Node| {
                    let start = self.significant(at);
                    let from = self.begins(start, &['-']).then_some(start + 1)?;
                    let value = self.extent(node, from)?;
                    at = value.end;
                    Some(Child { node, start, from, value })
                };
                items.iter().map(child).collect()
            }
        }
    }

    fn behind_comma(&self, at: usize) -> usize {
        let at = self.significant(at);
        if self.begins(at, &[',']) { self.significant(at + 1) } else { at }
    }

    /// The bytes of a node that stands behind `from`. Those of a block scalar begin with its `|` or `>`, and go to the end of its
    /// last line.
    pub(super) fn extent(&self, node: &Node, from: usize) -> Option<Range<usize>> {
        let start = self.significant(from);
        match &node.content {
            Content::Scalar(_) if is_absent(node) => Some(from..from),
            Content::Scalar(scalar) if !scalar.plain && self.begins(start, &['|', '>']) => {
                let end = start + self.slice(start..node.span.end).trim_end().len();
                Some(start..self.line_end(end))
            }
            Content::Scalar(_) => (start == node.span.start).then(|| node.span.clone()),
            Content::Sequence(_) | Content::Mapping(_) => {
                let children = self.children(node, from)?;
                if self.is_flow(from) {
                    let end = self.behind_comma(children.last().map_or(start + 1, |last| last.value.end));
                    return self.begins(end, &['}', ']']).then_some(start..end + 1);
                }
                Some(children.first()?.start..children.last()?.value.end)
            }
        }
    }

    /// The lines of children that are not in braces or brackets, and whether the first one begins behind the dash of an item.
    /// `from` is on the line of what they belong to.
    pub(super) fn lines(&self, children: &[Child<'_>], from: usize) -> Option<(Vec<Lines>, bool)> {
        let first = children.first()?.start;
        let column = self.column(first);
        let before = self.slice(self.line_start(first)..first);
        let is_compact = before.contains('-');
        before.chars().all(|c| matches!(c, ' ' | '-')).then_some(())?;
        let mut floor = self.line_end(from);
        let mut lines: Vec<Lines> = Vec::with_capacity(children.len());
        for (at, child) in children.iter().enumerate() {
            let end = child.value.end + self.behind(child.value.end)?.len();
            if at == 0 && is_compact {
                lines.push(Lines { lead: child.start, end });
            } else {
                let before = self.slice(self.line_start(child.start)..child.start);
                (before.len() == column && before.trim_start_matches(' ').is_empty()).then_some(())?;
                lines.push(Lines { lead: self.lead(child.start, floor), end });
            }
            floor = end;
        }
        Some((lines, is_compact))
    }

    /// A comment that is directly above, at the same indentation, belongs to what is below; so do the blank lines above both.
    fn lead(&self, start: usize, floor: usize) -> usize {
        let mut lead = self.line_start(start);
        let above = |lead: usize| {
            let before = self.slice(0..lead);
            let end =
                before.strip_suffix('\n').map_or(before, |line| line.strip_suffix('\r').unwrap_or(line));
            let end = if end.len() == before.len() { before.len().checked_sub(1)? } else { end.len() };
            let start = self.line_start(end);
            (start > floor && start < lead).then(|| (start, self.slice(start..end)))
        };
        let comment = |line: &str| line.trim_start_matches(' ').starts_with('#');
        let column = self.column(start);
        while let Some((at, line)) = above(lead)
            && comment(line)
            && line.find('#') == Some(column)
        {
            lead = at;
        }
        while let Some((at, line)) = above(lead)
            && line.trim().is_empty()
        {
            lead = at;
        }
        lead
    }
}

/// Nothing is written there.
fn is_absent(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.plain && scalar.text.is_empty())
}

/// Without the line break that it begins with.
pub(super) fn next_line(text: &str) -> &str {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix(BREAKS)).unwrap_or(text)
}

/// Without the line break that it ends with.
pub(super) fn without_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix(BREAKS)).unwrap_or(text)
}
