//! Parser events → tree, within budgets. The parser is a state machine without recursion; nothing here recurses either.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::super::code::Code;
use super::super::fault::Fault;
use super::super::finding::{printable, quote};
use super::{Content, Entry, Node, Scalar};

/// Scalars, sequences and mappings in one file.
pub const MAX_NODES: usize = 20_000;
/// Sequences and mappings inside each other.
pub const MAX_DEPTH: usize = 32;

/// The parser's own words for more than 255 open brackets: it reads ahead of the events that we count.
const PARSER_TOO_DEEP: &str = "recursion limit exceeded";

/// All documents of a text that hold anything, and what is wrong with them. After a syntax error or an exhausted budget
/// the documents before it are still given.
pub fn parse(text: &str) -> (Vec<Node>, Vec<Fault>) {
    let mut builder = Builder::new(text);
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(event) = parser.next_event() {
        let outcome = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(Box::new(builder.syntax(&error))),
        };
        if let Err(fault) = outcome {
            builder.faults.push(*fault);
            break;
        }
    }
    (builder.documents, builder.faults)
}

struct Builder<'t> {
    text: &'t str,
    offsets: Offsets,
    documents: Vec<Node>,
    faults: Vec<Fault>,
    open: Vec<Open>,
    nodes: usize,
}

/// A collection whose end has not come yet.
enum Open {
    Sequence { start: usize, items: Vec<Node> },
    Mapping { start: usize, entries: Vec<Entry>, seen: BTreeMap<String, Range<usize>>, key: Option<Key> },
}

/// A key that waits for its value.
enum Key {
    Kept(String, Range<usize>),
    /// Refused, and so is what stands under it.
    Merge,
    Refused,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let offsets = Offsets::new(text);
        Self { text, offsets, documents: Vec::new(), faults: Vec::new(), open: Vec::new(), nodes: 0 }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Fault>> {
        let span = self.offsets.range(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(&span)?;
                self.decorations(anchor, tag.is_some(), &span);
                let plain = style == ScalarStyle::Plain;
                let span = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.within_quotes(span),
                    ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => span,
                };
                self.add(Node { span, content: Content::Scalar(Scalar { text: text.into_owned(), plain }) });
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.is_some(), &span, Open::Sequence { start: span.start, items: vec![] })?;
            }
            Event::MappingStart(anchor, tag) => {
                let mapping =
                    Open::Mapping { start: span.start, entries: vec![], seen: BTreeMap::new(), key: None };
                self.open(anchor, tag.is_some(), &span, mapping)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::Alias(_) => {
                self.count(&span)?;
                if !matches!(self.open.last(), Some(Open::Mapping { key: Some(Key::Merge), .. })) {
                    self.faults.push(anchor_fault(&span, "an alias (`*name`)"));
                }
                self.add(Node {
                    span,
                    content: Content::Scalar(Scalar { text: String::new(), plain: true }),
                });
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// The parser takes what is behind the quotes on their line, a comment too, for a part of them.
    fn within_quotes(&self, span: Range<usize>) -> Range<usize> {
        match self.text.get(span.clone()).and_then(quoted) {
            Some(length) => span.start..span.start + length,
            None => span,
        }
    }

    fn count(&mut self, span: &Range<usize>) -> Result<(), Box<Fault>> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let fault = Fault::new(
                Code::TooManyNodes,
                span.clone(),
                format!("the file has more than {MAX_NODES} values"),
            );
            return Err(Box::new(fault.help("give each zone its own file")));
        }
        Ok(())
    }

    fn open(
        &mut self,
        anchor: usize,
        tagged: bool,
        span: &Range<usize>,
        open: Open,
    ) -> Result<(), Box<Fault>> {
        self.count(span)?;
        self.decorations(anchor, tagged, span);
        if self.open.len() >= MAX_DEPTH {
            return Err(Box::new(too_deep(span.clone())));
        }
        self.open.push(open);
        Ok(())
    }

    fn decorations(&mut self, anchor: usize, tagged: bool, span: &Range<usize>) {
        if anchor > 0 {
            self.faults.push(anchor_fault(span, "an anchor (`&name`)"));
        }
        if tagged {
            self.faults.push(
                Fault::new(
                    Code::Tag,
                    span.clone(),
                    "the value has a tag (`!name`), which manifests do not use",
                )
                .help("remove the tag"),
            );
        }
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        let (start, content) = match open {
            Open::Sequence { start, items } => (start, Content::Sequence(items)),
            Open::Mapping { start, entries, .. } => (start, Content::Mapping(entries)),
        };
        self.add(Node { span: start..end.max(start), content });
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            let blank = matches!(&node.content, Content::Scalar(s) if s.plain && s.text.is_empty());
            if !blank {
                self.documents.push(node);
            }
            return;
        };
        match open {
            Open::Sequence { items, .. } => items.push(node),
            Open::Mapping { entries, seen, key, .. } => match key.take() {
                None => *key = Some(new_key(node, seen, &mut self.faults)),
                Some(Key::Kept(key, key_span)) => {
                    entries.push(Entry { value: under(node, &key_span), key, key_span });
                }
                Some(Key::Merge | Key::Refused) => {}
            },
        }
    }

    fn syntax(&self, error: &ScanError) -> Fault {
        let at = self.offsets.byte(error.marker().index());
        if error.info() == PARSER_TOO_DEEP {
            return too_deep(at..at);
        }
        let line_start =
            self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        match line.get(..indent).and_then(|blanks| blanks.find('\t')) {
            Some(tab) => {
                let tab = line_start + tab;
                Fault::new(Code::Tab, tab..tab + 1, "a tab is used for indentation, which YAML forbids")
                    .help("indent with spaces")
            }
            None => Fault::new(Code::Syntax, at..at, format!("not valid YAML: {}", printable(error.info())))
                .help("check quotes, colons and indentation here and on the line above"),
        }
    }
}

fn new_key(node: Node, seen: &mut BTreeMap<String, Range<usize>>, faults: &mut Vec<Fault>) -> Key {
    let Content::Scalar(scalar) = node.content else {
        faults.push(
            Fault::new(
                Code::KeyNotText,
                node.span.start..node.span.start,
                "a list or a mapping is used as a key",
            )
            .help("keys are plain text; values in braces or brackets may need quotes"),
        );
        return Key::Refused;
    };
    if scalar.plain && scalar.text == "<<" {
        faults.push(
            Fault::new(Code::MergeKey, node.span, "merge keys (`<<`) are not supported")
                .help("write the fields out: a review should see what a zone holds"),
        );
        return Key::Merge;
    }
    if let Some(first) = seen.get(&scalar.text) {
        faults.push(
            Fault::new(
                Code::DuplicateKey,
                node.span,
                format!("the key {} is here twice", quote(&scalar.text)),
            )
            .help("keep one of the two")
            .related(first.clone(), "first defined here"),
        );
        return Key::Refused;
    }
    seen.insert(scalar.text.clone(), node.span.clone());
    Key::Kept(scalar.text, node.span)
}

fn too_deep(span: Range<usize>) -> Fault {
    Fault::new(Code::TooDeep, span, format!("the file nests deeper than {MAX_DEPTH} levels"))
        .help("a zone needs five levels; check the indentation")
}

/// How long the text in quotes is that a text begins with.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = rest.next() {
        let escapes = match quote {
            '"' => character == '\\',
            _ => character == quote && rest.peek().is_some_and(|(_, next)| *next == quote),
        };
        if escapes {
            rest.next();
        } else if character == quote {
            return Some(at + 1);
        }
    }
    None
}

/// A value that is not there is pointed at by its key.
fn under(mut node: Node, key: &Range<usize>) -> Node {
    if matches!(&node.content, Content::Scalar(s) if s.plain && s.text.is_empty()) && node.span.is_empty() {
        node.span = key.clone();
    }
    node
}

fn anchor_fault(span: &Range<usize>, what: &str) -> Fault {
    Fault::new(Code::Anchor, span.clone(), format!("{what} is used; anchors and aliases are not supported"))
        .help("write the value out: a review should see what a zone holds")
}

/// The parser counts characters, everything else here counts bytes.
struct Offsets {
    /// Byte offset of each character; empty when they are the same.
    bytes: Vec<usize>,
    start: usize,
    end: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let bytes = if body.is_ascii() { vec![] } else { body.char_indices().map(|(at, _)| at).collect() };
        Self { bytes, start: text.len() - body.len(), end: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        let in_body =
            if self.bytes.is_empty() { Some(character) } else { self.bytes.get(character).copied() };
        in_body.map_or(self.end, |at| self.start.saturating_add(at).min(self.end))
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}
