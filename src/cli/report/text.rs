//! For people: findings with their lines, one line for each change, what a guard refuses, and the sum.

use super::{Colour, Report, change, guard, plural, run, snippet};
use crate::manifest::finding::printable;
use crate::reconcile::plan::Change;

pub(super) fn render(report: &Report<'_>, colour: Colour) -> String {
    let mut text = String::new();
    // People read the end first: how a run ended stands there.
    for (label, message) in report.notices().filter(|(label, _)| *label != run::OUTCOME) {
        push(&mut text, &format!("{label}: {message}"));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&snippet::text(report.findings, report.texts, colour));
    if let Some(plan) = report.plan {
        for change in &plan.changes {
            push(&mut text, &paint(change, &change::of(plan, change), colour));
        }
        if !plan.changes.is_empty() {
            text.push('\n');
        }
        for line in guard::refusals(plan).chain(guard::lifted(plan)) {
            push(&mut text, &line);
        }
        let revision = printable(plan.revision.as_str());
        if report.is_quiet() {
            push(&mut text, &format!("No changes ({revision}). {}", report.sum()));
            return inert(&text);
        }
        if !report.suppressed.is_empty() {
            push(&mut text, &format!("{} suppressed", plural(report.suppressed.len(), "finding")));
        }
        push(&mut text, &format!("revision {revision}"));
        if let Some(base) = &plan.base {
            push(&mut text, &format!("base {}", printable(base.as_str())));
        }
        if let Some(only) = &plan.only {
            push(&mut text, &format!("only zone/{only}"));
        }
        push(&mut text, &format!("digest {}", plan.digest));
    }
    push(&mut text, &report.sum());
    for line in report.run.into_iter().flat_map(run::lines) {
        push(&mut text, &line);
    }
    inert(&text)
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn paint(change: &Change, line: &str, colour: Colour) -> String {
    match colour {
        Colour::Plain => line.to_owned(),
        Colour::Ansi => format!("\u{1b}[{}m{line}\u{1b}[0m", change::colour(change.action)),
    }
}

/// CI servers look for commands of the form `##[name]` and `##vso[name]` anywhere in a line of a log: a line of somebody's file must
/// not be one. It keeps its width.
pub(super) fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("##") {
        let (before, found) = rest.split_at(at);
        safe.push_str(before);
        let letters = found.trim_start_matches('#').trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let (head, tail) = found.split_at(found.len() - letters.len());
        safe.push_str(head);
        rest = match tail.strip_prefix('[') {
            Some(tail) => {
                safe.push('(');
                tail
            }
            None => tail,
        };
    }
    safe.push_str(rest);
    safe
}
