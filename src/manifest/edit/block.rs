//! Edits of what is written over lines, by its indentation.

use std::collections::HashSet;
use std::ops::Range;

use serde_yaml::{Mapping, Value};

use super::super::tree::{Content, Node};
use super::layout::{Child, Layout, Lines, next_line, without_break};
use super::slots::{self, Change, Slot};
use super::write::{Quotes, Style, flow};

/// Bytes of the file, and what takes their place.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Writes a document anew where what it means differs from what it is to mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Editor<'a> {
    pub(super) layout: Layout<'a>,
    pub(super) style: Style,
    /// Values deeper than this are replaced as a whole.
    pub(super) depth: usize,
}

impl Editor<'_> {
    pub(super) fn document(&self, document: &Node, before: &Value, after: &Value) -> Option<Edit> {
        let from = document.span.start;
        let change = Change { before: Some(before), after };
        if self.depth > 0 {
            return self.within(document, from, change, 1);
        }
        let range = self.layout.extent(document, from)?;
        if self.layout.is_flow(from) {
            return Some(Edit { range, text: flow(after, Quotes::AsNeeded) });
        }
        let text = self.style.mapping(after.as_mapping()?, self.layout.column(range.start));
        Some(Edit { range: range.start..self.layout.line_end(range.end), text })
    }

    /// The collection behind `from`, changed in its children. None if it is no collection before or after.
    pub(super) fn within(&self, node: &Node, from: usize, change: Change<'_>, depth: usize) -> Option<Edit> {
        let nothing = Mapping::new();
        let slots = match (&node.content, change.before, change.after) {
            (Content::Mapping(entries), Some(Value::Mapping(before)), Value::Mapping(after)) => {
                slots::of_mapping(entries, before, after)
            }
            (Content::Mapping(entries), None, Value::Mapping(after)) => {
                slots::of_mapping(entries, &nothing, after)
            }
            (Content::Sequence(items), Some(Value::Sequence(before)), Value::Sequence(after))
                if items.len() == before.len() =>
            {
                slots::of_sequence(before, after)
            }
            _ => return None,
        };
        let children = self.layout.children(node, from)?;
        // What would be empty, or was, is written anew.
        if slots.is_empty() || children.is_empty() {
            return None;
        }
        if self.layout.is_flow(from) {
            let range = self.layout.extent(node, from)?;
            return self.braced(range, &children, &slots, depth);
        }
        self.lines(&children, from, &slots, depth)
    }

    fn lines(&self, children: &[Child<'_>], from: usize, slots: &[Slot<'_>], depth: usize) -> Option<Edit> {
        let (lines, is_compact) = self.layout.lines(children, from)?;
        let column = self.layout.column(children.first()?.start);
        let range = lines.first()?.lead..lines.last()?.end;
        let (mut text, mut tails) = self.between(&lines, slots);
        for (at, slot) in slots.iter().enumerate() {
            // Behind a dash, it has no indentation of its own.
            if is_compact && slot.old == Some(0) && !text.is_empty() {
                text.push_str(&" ".repeat(column));
            }
            let tail = if let Some(old) = slot.old {
                text.push_str(&self.kept(children.get(old)?, lines.get(old)?, slot, depth));
                std::mem::take(tails.get_mut(old)?)
            } else {
                text.push_str(&self.style.child(slot.key, slot.change?.after, column));
                String::new()
            };
            let is_last = at + 1 == slots.len();
            match (is_last, tail.is_empty()) {
                (true, _) => text.push_str(without_break(&tail)),
                (false, true) => text.push_str(self.style.line_break),
                (false, false) => text.push_str(&tail),
            }
        }
        let ahead =
            if is_compact { text.len() - text.trim_start_matches([' ', '\n', '\r']).len() } else { 0 };
        Some(Edit { range, text: text.split_off(ahead) })
    }

    /// What stands between the children and belongs to none: before the first that stays, and behind each.
    fn between(&self, lines: &[Lines], slots: &[Slot<'_>]) -> (String, Vec<String>) {
        let kept: HashSet<usize> = slots.iter().filter_map(|slot| slot.old).collect();
        let mut head = String::new();
        let mut tails: Vec<String> = Vec::with_capacity(lines.len());
        let mut last: Option<usize> = None;
        let ends = lines.iter().skip(1).map(|next| next.lead).chain(lines.last().map(|last| last.end));
        for (at, (line, end)) in lines.iter().zip(ends).enumerate() {
            let tail = self.layout.slice(line.end..end);
            tails.push(String::new());
            if kept.contains(&at) {
                last = Some(at);
            }
            // The line break of a line that goes, goes too.
            let tail = if last == Some(at) { tail } else { next_line(tail) };
            last.and_then(|last| tails.get_mut(last)).unwrap_or(&mut head).push_str(tail);
        }
        (head, tails)
    }

    /// The lines of a child that stays.
    fn kept(&self, child: &Child<'_>, lines: &Lines, slot: &Slot<'_>, depth: usize) -> String {
        let Some(change) = slot.change else {
            return self.layout.slice(lines.lead..lines.end).to_owned();
        };
        let small = (depth < self.depth).then(|| self.within(child.node, child.from, change, depth + 1));
        let edit = small.flatten().unwrap_or_else(|| self.whole(child, slot.key.is_some(), change.after));
        let before = self.layout.slice(lines.lead..edit.range.start);
        let behind = self.layout.slice(edit.range.end..lines.end);
        format!("{before}{}{behind}", edit.text)
    }

    /// Another value in place of one under a key, or of an item. A comment on its first line stays.
    fn whole(&self, child: &Child<'_>, has_key: bool, after: &Value) -> Edit {
        let column = self.layout.column(child.start);
        let end = self.layout.line_end(child.value.end);
        let was_lines = !matches!(child.node.content, Content::Scalar(_)) && !self.layout.is_flow(child.from);
        let comment = self.layout.behind(if was_lines { child.from } else { child.value.end });
        let comment = comment.unwrap_or_default().trim_end();
        let is_filled = match after {
            Value::Mapping(fields) => !fields.is_empty(),
            Value::Sequence(items) => !items.is_empty(),
            _ => false,
        };
        if is_filled && !has_key {
            let text = self.style.child(None, after, column).split_off(column);
            return Edit { range: child.start..end, text };
        }
        if is_filled {
            let text = format!("{comment}{}", self.style.behind_colon(after, column));
            return Edit { range: child.from..end, text };
        }
        let text = self.style.scalar(after, column, self.quotes(child));
        let (first, rest) = text.split_at(text.find(['\n', '\r']).unwrap_or(text.len()));
        if was_lines || child.value.is_empty() {
            return Edit { range: child.from..end, text: format!(" {first}{comment}{rest}") };
        }
        // Only what changes: white space before a line break is not ours.
        let comment = if rest.is_empty() { self.layout.slice(child.value.end..end) } else { comment };
        Edit { range: child.value.start..end, text: format!("{first}{comment}{rest}") }
    }

    pub(super) fn quotes(&self, child: &Child<'_>) -> Quotes {
        match &child.node.content {
            Content::Scalar(_) if self.layout.begins(child.value.start, &['"']) => Quotes::Double,
            Content::Scalar(_) if self.layout.begins(child.value.start, &['\'']) => Quotes::Single,
            _ => Quotes::AsNeeded,
        }
    }
}
