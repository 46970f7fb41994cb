//! Edits of what is written in braces and brackets.

use std::ops::Range;

use super::block::{Edit, Editor};
use super::layout::{Child, Layout};
use super::slots::Slot;
use super::write::{Quotes, flow, name};

/// What stands around a child.
struct Around<'a> {
    /// Before it, behind the comma of the one before.
    before: &'a str,
    /// Up to its comma.
    behind: &'a str,
    /// A comment behind its comma.
    comment: &'a str,
}

/// Braces or brackets, taken apart.
struct Braced<'a> {
    around: Vec<Around<'a>>,
    has_last_comma: bool,
    /// Before the one that closes.
    end: &'a str,
}

impl<'a> Braced<'a> {
    fn new(layout: &Layout<'a>, range: &Range<usize>, children: &[Child<'_>]) -> Self {
        let mut at = range.start + 1;
        let mut around = Vec::with_capacity(children.len());
        let mut has_last_comma = false;
        for child in children {
            let before = layout.slice(at..child.start);
            let end = child.value.end;
            let next = layout.significant(end);
            has_last_comma = layout.begins(next, &[',']);
            let comma = if has_last_comma { next } else { end };
            at = if has_last_comma { next + 1 } else { end };
            let comment = layout.behind(at).filter(|behind| behind.contains('#')).unwrap_or_default();
            at += comment.len();
            around.push(Around { before, behind: layout.slice(end..comma), comment });
        }
        let end = layout.slice(at..range.end.saturating_sub(1));
        Self { around, has_last_comma, end }
    }

    /// What is before a child that comes behind another: a space, or a new line as the others have it.
    fn gap(&self) -> &'a str {
        let lines =
            self.around.iter().find_map(|around| around.before.rfind(['\n', '\r']).map(|at| (around, at)));
        match lines {
            Some((around, at)) => {
                let at =
                    if around.before.get(..at).is_some_and(|it| it.ends_with('\r')) { at - 1 } else { at };
                around.before.get(at..).unwrap_or_default()
            }
            None => " ",
        }
    }
}

impl Editor<'_> {
    pub(super) fn braced(
        &self,
        range: Range<usize>,
        children: &[Child<'_>],
        slots: &[Slot<'_>],
        depth: usize,
    ) -> Option<Edit> {
        let first = children.first()?;
        // JSON stays JSON.
        let quotes = if self.layout.begins(first.start, &['"']) { Quotes::Double } else { Quotes::AsNeeded };
        let braced = Braced::new(&self.layout, &range, children);
        let opening = braced.around.first()?.before;
        let mut text = self.layout.slice(range.start..range.start + 1).to_owned();
        for (at, slot) in slots.iter().enumerate() {
            let around = slot.old.and_then(|old| braced.around.get(old));
            let before = around.map(|around| around.before).filter(|before| before.contains('#'));
            let before =
                before.or_else(|| around.filter(|_| slot.old != Some(0)).map(|around| around.before));
            text.push_str(match before {
                Some(before) if at > 0 || before.contains('#') => before,
                _ if at == 0 => opening,
                _ => braced.gap(),
            });
            text.push_str(&self.in_braces(children, slot, depth, quotes)?);
            text.push_str(around.map_or("", |around| around.behind));
            if at + 1 < slots.len() || braced.has_last_comma {
                text.push(',');
            }
            text.push_str(around.map_or("", |around| around.comment));
        }
        text.push_str(braced.end);
        text.push_str(self.layout.slice(range.end.saturating_sub(1)..range.end));
        Some(Edit { range, text })
    }

    /// A child as it is to be.
    fn in_braces(
        &self,
        children: &[Child<'_>],
        slot: &Slot<'_>,
        depth: usize,
        quotes: Quotes,
    ) -> Option<String> {
        let Some(old) = slot.old else {
            let value = flow(slot.change?.after, quotes);
            return Some(slot.key.map(|key| name(key, quotes) + ": ").unwrap_or_default() + &value);
        };
        let child = children.get(old)?;
        let end = child.value.end;
        let Some(change) = slot.change else { return Some(self.layout.slice(child.start..end).to_owned()) };
        let small = (depth < self.depth).then(|| self.within(child.node, child.from, change, depth + 1));
        let edit = small.flatten().or_else(|| {
            let quotes = if quotes == Quotes::AsNeeded { self.quotes(child) } else { quotes };
            let text = flow(change.after, quotes);
            (!child.value.is_empty()).then(|| Edit { range: child.value.clone(), text })
        })?;
        let before = self.layout.slice(child.start..edit.range.start);
        Some(format!("{before}{}{}", edit.text, self.layout.slice(edit.range.end..end)))
    }
}
