//! The regular expression of a rule: what Java and Rust's `regex` read alike.

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, GroupKind,
    Literal, LiteralKind, RepetitionKind, Span, SpecialLiteralKind, Visitor, visit,
};

use super::Piece;

/// What a compiled program may take, in bytes.
const LARGEST: usize = 128 << 10;

/// A problem, and where in the pattern: in bytes.
type Problem = (usize, String);

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Matches subjects that the rule is for.
    whole: Regex,
    /// Finds what is replaced in them.
    part: Regex,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, Problem> {
        let ast = Parser::new()
            .parse(text)
            .map_err(|error| (error.span().start.offset, format!("{} in the pattern", error.kind())))?;
        let text = visit(&ast, Differences { text, classes: Vec::new(), repeated: 0 })?;
        let compile = |text: &str| {
            let compiled = RegexBuilder::new(text).size_limit(LARGEST).build();
            compiled.map_err(|_| (0, "the pattern is too large".to_owned()))
        };
        Ok(Self { whole: compile(&format!(r"\A(?:{text})\z"))?, part: compile(&text)? })
    }

    pub(super) fn groups(&self) -> usize {
        self.part.captures_len() - 1
    }

    /// The subject with every match replaced, if all of it matches. Both as Java does it: after a match up to the end, an
    /// empty one at the end is found too.
    pub(super) fn replaced(&self, subject: &str, replacement: &[Piece]) -> Option<String> {
        if !self.whole.is_match(subject) {
            return None;
        }
        let (mut out, mut done, mut from) = (String::new(), 0, 0);
        while from <= subject.len()
            && let Some(found) = self.part.captures_at(subject, from)
            && let Some(all) = found.get(0)
        {
            out.push_str(subject.get(done..all.start()).unwrap_or_default());
            for piece in replacement {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Group(group) => out.push_str(found.get(*group).map_or("", |group| group.as_str())),
                }
            }
            done = all.end();
            let next = subject.get(done..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            from = if all.is_empty() { done + next } else { done };
        }
        out.push_str(subject.get(done..).unwrap_or_default());
        Some(out)
    }
}

/// Refuses what would be read in another way, and writes Java's classes `\d`, `\s` and `\w`, which are of ASCII, in `regex`'s way.
struct Differences<'a> {
    text: &'a str,
    classes: Vec<(Span, &'static str)>,
    /// How many repetitions the visitor is in.
    repeated: usize,
}

fn refused(span: Span, problem: &str) -> Problem {
    (span.start.offset, problem.to_owned())
}

impl Differences<'_> {
    fn class(&mut self, class: &ClassPerl) {
        let written = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[ \t\n\x0B\f\r]",
            (ClassPerlKind::Space, true) => r"[^ \t\n\x0B\f\r]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.classes.push((class.span, written));
    }
}

fn literal(literal: &Literal) -> Result<(), Problem> {
    match literal.kind {
        LiteralKind::Special(SpecialLiteralKind::VerticalTab) => {
            Err(refused(literal.span, "`\\v` is a class in Java and one character here; write what is meant"))
        }
        _ => Ok(()),
    }
}

fn assertion(assertion: &Assertion) -> Result<(), Problem> {
    match assertion.kind {
        AssertionKind::StartLine
        | AssertionKind::EndLine
        | AssertionKind::StartText
        | AssertionKind::EndText => Ok(()),
        _ => Err(refused(
            assertion.span,
            "word boundaries are not taken, Java's releases differ in them; write the character that is meant",
        )),
    }
}

fn group(kind: &GroupKind, span: Span, repeated: usize) -> Result<(), Problem> {
    match kind {
        GroupKind::NonCapturing(flags) if flags.items.is_empty() => Ok(()),
        GroupKind::NonCapturing(_) => Err(refused(span, FLAGS)),
        GroupKind::CaptureName { .. } => {
            Err(refused(span, "groups with names are not taken; write `(…)` and its number"))
        }
        GroupKind::CaptureIndex(_) if repeated > 0 => Err(refused(
            span,
            "a group within a repetition may capture something else than in Java; write `(?:…)` and capture outside",
        )),
        GroupKind::CaptureIndex(_) => Ok(()),
    }
}

const FLAGS: &str =
    "flags such as `(?i)` are not taken; write both cases as `[Aa]`, or L or U at the end of the rule";
const UNICODE: &str = "`\\p` is not taken; list the characters, as in `[A-Za-z]`";
const SETS: &str = "classes within classes and sets of them are not taken; list the characters in one class";

impl Visitor for Differences<'_> {
    type Output = String;
    type Err = Problem;

    /// The pattern as it is compiled.
    fn finish(self) -> Result<String, Problem> {
        let (mut out, mut done) = (String::new(), 0);
        for (span, written) in &self.classes {
            out.push_str(self.text.get(done..span.start.offset).unwrap_or_default());
            out.push_str(written);
            done = span.end.offset;
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        Ok(out)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Problem> {
        match ast {
            Ast::Empty(_) | Ast::Dot(_) | Ast::Alternation(_) | Ast::Concat(_) | Ast::ClassBracketed(_) => {
                Ok(())
            }
            Ast::Flags(flags) => Err(refused(flags.span, FLAGS)),
            Ast::Literal(it) => literal(it),
            Ast::Assertion(it) => assertion(it),
            Ast::ClassUnicode(class) => Err(refused(class.span, UNICODE)),
            Ast::ClassPerl(class) => {
                self.class(class);
                Ok(())
            }
            Ast::Repetition(repetition) if matches!(*repetition.ast, Ast::Repetition(_)) => Err(refused(
                repetition.op.span,
                "a repetition of a repetition, in Java a possessive one, is not taken; leave the second sign out",
            )),
            Ast::Repetition(repetition) => {
                self.repeated += usize::from(repetition.op.kind != RepetitionKind::ZeroOrOne);
                Ok(())
            }
            Ast::Group(it) => group(&it.kind, it.span, self.repeated),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), Problem> {
        if let Ast::Repetition(repetition) = ast {
            self.repeated -= usize::from(repetition.op.kind != RepetitionKind::ZeroOrOne);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Problem> {
        match item {
            ClassSetItem::Empty(_) | ClassSetItem::Range(_) | ClassSetItem::Union(_) => Ok(()),
            ClassSetItem::Literal(it) => literal(it),
            ClassSetItem::Perl(class) => {
                self.class(class);
                Ok(())
            }
            ClassSetItem::Unicode(class) => Err(refused(class.span, UNICODE)),
            ClassSetItem::Ascii(class) => Err(refused(class.span, SETS)),
            ClassSetItem::Bracketed(class) => Err(refused(class.span, SETS)),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ClassSetBinaryOp) -> Result<(), Problem> {
        Err(refused(op.span, SETS))
    }
}
