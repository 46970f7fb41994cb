//! Regular expressions that Java and Rust's `regex` read alike. Whatever they read in another way is refused with its place: one that
//! matched something else than its author meant would let in, or let out, what it must not.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, GroupKind,
    Literal, LiteralKind, RepetitionKind, Span, SpecialLiteralKind, Visitor, visit,
};

/// A problem, and where in the pattern: in bytes.
pub type Problem = (usize, String);

/// What a compiled program may take, in bytes.
pub const LARGEST: usize = 128 << 10;

/// What a pattern is for: not all that differs matters everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What its groups capture is used.
    Capture,
    /// Whether it matches is all that counts.
    Match,
}

/// The pattern as `regex` has to be given it to match what Java's does.
pub fn translated(text: &str, purpose: Purpose) -> Result<String, Problem> {
    let ast = Parser::new()
        .parse(text)
        .map_err(|error| (error.span().start.offset, format!("{} in the pattern", error.kind())))?;
    visit(&ast, Differences { text, purpose, classes: Vec::new(), repeated: 0 })
}

/// Refuses what would be read in another way, and writes Java's classes `\d`, `\s` and `\w`, which are of ASCII, in `regex`'s way.
struct Differences<'a> {
    text: &'a str,
    purpose: Purpose,
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

fn group(kind: &GroupKind, span: Span, purpose: Purpose, repeated: usize) -> Result<(), Problem> {
    match kind {
        GroupKind::NonCapturing(flags) if flags.items.is_empty() => Ok(()),
        GroupKind::NonCapturing(_) => Err(refused(span, flags(purpose))),
        GroupKind::CaptureName { .. } | GroupKind::CaptureIndex(_) if purpose == Purpose::Match => Ok(()),
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

fn flags(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Capture => {
            "flags such as `(?i)` are not taken; write both cases as `[Aa]`, or L or U at the end of the rule"
        }
        Purpose::Match => "the only flag that is taken is `(?i)`, at the beginning",
    }
}

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
            Ast::Flags(it) => Err(refused(it.span, flags(self.purpose))),
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
            Ast::Group(it) => group(&it.kind, it.span, self.purpose, self.repeated),
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
