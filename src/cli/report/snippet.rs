//! Findings as text, with the lines of the file they are about.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::listed::one_line;
use super::{Colour, Texts};
use crate::manifest::{Finding, Location, Severity};

/// Longest excerpt in bytes; from a longer line only the place is named.
const MAX_EXCERPT: usize = 2_000;

/// Each finding with its snippet and an empty line after it.
pub(super) fn text(findings: &[Finding], texts: &Texts, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Plain => Renderer::plain().decor_style(DecorStyle::Ascii),
        Colour::Ansi => Renderer::styled().decor_style(DecorStyle::Ascii),
    };
    let mut text = String::new();
    for finding in findings {
        let shown = Shown::new(finding, texts);
        text.push_str(&renderer.render(&[shown.group()]));
        text.push_str("\n\n");
    }
    text
}

/// A finding without anything that a terminal would obey, wherever it comes from.
struct Shown<'a> {
    finding: &'a Finding,
    message: String,
    help: Option<String>,
    places: Vec<Place>,
}

struct Place {
    path: String,
    line: usize,
    column: usize,
    kind: AnnotationKind,
    label: Option<String>,
    excerpt: Option<Excerpt>,
}

impl<'a> Shown<'a> {
    fn new(finding: &'a Finding, texts: &Texts) -> Self {
        let place = |at: &Location, label: Option<&String>, kind| Place {
            path: one_line(&at.file),
            line: at.line,
            column: at.column,
            kind,
            label: label.map(|label| one_line(label)),
            excerpt: excerpt(at, texts),
        };
        let primary = finding.source.iter().map(|at| place(at, None, AnnotationKind::Primary));
        let related = finding.related.iter().map(|(at, what)| place(at, Some(what), AnnotationKind::Context));
        Self {
            finding,
            message: one_line(&finding.message),
            help: finding.help.as_deref().map(one_line),
            places: primary.chain(related).collect(),
        }
    }

    fn group(&self) -> Group<'_> {
        let level = match self.finding.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(&*self.message).id(self.finding.code.as_str());
        let mut group = Group::with_title(title);
        for place in &self.places {
            let Place { path, line, column, kind, label, excerpt } = place;
            group = match excerpt {
                Some(excerpt) => group.element(
                    Snippet::source(&*excerpt.text)
                        .path(&**path)
                        .line_start(*line)
                        .annotation(kind.span(excerpt.span.clone()).label(label.as_deref())),
                ),
                None => group.element(Origin::path(&**path).line(*line).char_column(*column)),
            };
        }
        match &self.help {
            Some(help) => group.element(Level::HELP.message(&**help)),
            None => group,
        }
    }
}

struct Excerpt {
    text: String,
    span: Range<usize>,
}

/// The line that a place begins on, and the part of it that is meant.
fn excerpt(at: &Location, texts: &Texts) -> Option<Excerpt> {
    let text = texts.get(&at.file)?;
    let start = text.get(..at.span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next().filter(|line| line.len() <= MAX_EXCERPT)?;
    // The parts of a file that is no text have other lengths here: stay within the line and between characters.
    let (skipped, line) =
        line.strip_prefix('\u{feff}').map_or((0, line), |rest| ('\u{feff}'.len_utf8(), rest));
    let within = |offset: usize| {
        let offset = offset.saturating_sub(start + skipped).min(line.len());
        (offset..=line.len()).find(|offset| line.is_char_boundary(*offset)).unwrap_or(line.len())
    };
    let span = within(at.span.start)..within(at.span.end);
    // The renderer shows the control characters of ASCII, but not those above: a dot of equal length stands for them.
    let text = line.replace(|c: char| c.is_control() && !c.is_ascii(), "\u{b7}");
    Some(Excerpt { text, span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Code;

    fn at(line: usize, span: Range<usize>) -> Location {
        Location { file: "a.yaml".into(), line, column: 1, span }
    }

    #[test]
    fn a_finding_shows_its_line_and_the_related_one() {
        let texts: Texts = [("a.yaml".into(), "name: a\nb: 1\nname: \u{1b}[31mc\n".to_owned().into())].into();
        let finding = Finding::new(Code::DuplicateKey, "the key `name` is here twice")
            .at(at(3, 13..17))
            .related(at(1, 0..4), "first defined here")
            .help("keep one of the two");
        let text = text(&[finding], &texts, Colour::Plain);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(
            text,
            "error[PZ0012]: the key `name` is here twice\n --> a.yaml:3:1\n  |\n3 | name: ␛[31mc\n  | ^^^^\n  |\n \
             ::: a.yaml:1:1\n  |\n1 | name: a\n  | ---- first defined here\n  |\n  = help: keep one of the two\n\n"
        );
    }

    #[test]
    fn a_place_outside_the_text_is_only_named() {
        let texts: Texts = [("a.yaml".into(), "x".repeat(5_000).into())].into();
        for (line, span) in [(1, 4_000..4_001), (9, 90_000..90_001)] {
            let text = text(&[Finding::new(Code::Syntax, "no").at(at(line, span))], &texts, Colour::Plain);
            assert_eq!(text, format!("error[PZ0010]: no\n--> a.yaml:{line}:1\n\n"));
        }
    }

    #[test]
    fn a_span_that_ends_inside_a_character_is_widened() {
        let texts: Texts = [("a.yaml".into(), "a: \u{fffd}\n".to_owned().into())].into();
        let text = text(&[Finding::new(Code::NotUtf8, "no").at(at(1, 3..4))], &texts, Colour::Plain);
        assert!(text.contains("1 | a: \u{fffd}\n  |    ^"), "{text}");
    }
}
