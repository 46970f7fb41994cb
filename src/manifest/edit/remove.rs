//! A document goes out of a file that holds others.

use super::super::bytes::lines;
use super::super::tree::Node;
use super::layout::Layout;

/// From its `---` to the next one. At the start of a file without one, the comment directly above goes too, and what a blank
/// line separates from it stays.
pub(super) fn without(layout: &Layout<'_>, document: &Node) -> String {
    let text = layout.text;
    let start = document.span.start;
    let marks = || lines(text).filter(|(_, line)| is_mark(line)).map(|(at, _)| at);
    let from = marks().take_while(|at| *at <= start).last().unwrap_or_else(|| {
        let above = lines(text).take_while(|(at, _)| *at < layout.line_start(start));
        let blank = above.filter(|(_, line)| line.trim().is_empty()).last();
        blank.map_or_else(|| layout.line_start(0), |(at, line)| at + line.len())
    });
    let to = marks().find(|at| *at > start).unwrap_or(text.len());
    format!("{}{}", layout.slice(0..from), layout.slice(to..text.len()))
}

/// Nothing else begins a line with these (YAML 1.2.2, section 9.1.2), within text neither.
fn is_mark(line: &str) -> bool {
    line.trim_start_matches('\u{feff}')
        .strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}
