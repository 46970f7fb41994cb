//! Workflow commands of GitHub Actions. GitHub shows ten annotations of each kind of a step, and fifty of a job: the worst come
//! first, and the last one counts the rest.

use std::fmt::Write as _;

use super::listed::{one_line, worst_first};
use super::{Report, text};
use crate::manifest::{Finding, Severity};

/// Annotations of one kind that GitHub shows for a step.
const SHOWN: usize = 10;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut lines = String::new();
    for severity in Severity::ALL {
        let annotations = annotations(report, severity);
        let kind = kind(severity);
        let room = if annotations.len() > SHOWN { SHOWN - 1 } else { SHOWN };
        for annotation in annotations.iter().take(room) {
            lines.push_str(&command(kind, annotation));
        }
        let rest = annotations.len().saturating_sub(room);
        if rest > 0 {
            let message = format!("{rest} more of this kind are in the other reports of this run");
            lines.push_str(&command(kind, &Annotation::of_run("More findings", &message)));
        }
    }
    lines.push_str(&text::inert(&report.sum()));
    lines.push('\n');
    lines
}

/// One line of the log that GitHub obeys; each field without its escapes.
struct Annotation {
    properties: Vec<(&'static str, String)>,
    message: String,
}

impl Annotation {
    fn of_run(title: &str, message: &str) -> Self {
        Self { properties: vec![("title", title.to_owned())], message: one_line(message) }
    }

    fn of(finding: &Finding) -> Self {
        let mut properties = Vec::new();
        if let Some(at) = &finding.source {
            properties.push(("file", one_line(&at.file)));
            properties.push(("line", at.line.to_string()));
            properties.push(("col", at.column.to_string()));
        }
        properties.push(("title", format!("{} {}", finding.code.as_str(), finding.code.meaning())));
        let mut message = one_line(&finding.message);
        if let Some(help) = &finding.help {
            // Writing to a String cannot fail.
            let _ = write!(message, "\nhelp: {}", one_line(help));
        }
        for (at, what) in &finding.related {
            let _ = write!(message, "\n{}:{}: {}", one_line(&at.file), at.line, one_line(what));
        }
        Self { properties, message }
    }
}

/// What is to be said with this severity, the most important first.
fn annotations(report: &Report<'_>, severity: Severity) -> Vec<Annotation> {
    let mut all = Vec::new();
    match severity {
        Severity::Error => {
            all.extend(report.failures().map(|(title, message)| Annotation::of_run(title, &message)));
        }
        Severity::Warning => {
            all.extend(report.notices().map(|(label, message)| Annotation::of_run(label, &message)));
        }
        Severity::Note => {}
    }
    let (findings, _) = worst_first(report.findings, usize::MAX);
    all.extend(findings.into_iter().filter(|it| it.severity() == severity).map(Annotation::of));
    all
}

fn kind(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    }
}

fn command(kind: &str, annotation: &Annotation) -> String {
    let properties: Vec<String> =
        annotation.properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    format!("::{kind} {}::{}\n", properties.join(","), data(&annotation.message))
}

/// What ends a message, or begins an escape, is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
