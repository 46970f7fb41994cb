//! JUnit's XML: a test for each file, which fails if the file has an error, and one for the guards of a plan.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::listed::{message, one_line, worst_first};
use super::{Report, plural};
use crate::manifest::Finding;

/// Findings that are listed.
const LIMIT: usize = 5_000;
/// The test of findings that are about no file.
const SOURCE: &str = "source";

/// The test of guards, and of what came of a run.
const RUN: &str = "guard";

/// One test.
#[derive(Default)]
struct Case {
    failures: Vec<String>,
    notes: Vec<String>,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let (cases, rest) = cases(report);
    let failures = cases.values().filter(|case| !case.failures.is_empty()).count();
    let (name, tests) = (report.command(), cases.len());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">\n  \
         <testsuite name=\"{name} ({mode})\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n    <properties>\n      \
         <property name=\"mode\" value=\"{mode}\"/>\n    </properties>\n",
        mode = report.mode.as_str(),
    );
    for (file, case) in &cases {
        xml.push_str(&test(file, case));
    }
    let mut remarks: Vec<String> =
        report.notices().map(|(label, message)| format!("{label}: {message}")).collect();
    if rest > 0 {
        remarks.push(format!("{} not listed", plural(rest, "more finding")));
    }
    remarks.push(report.sum());
    // Writing to a String cannot fail.
    let _ = writeln!(xml, "    <system-out>{}</system-out>", escaped(&remarks.join("\n")));
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn cases<'a>(report: &Report<'a>) -> (BTreeMap<&'a str, Case>, usize) {
    let mut cases: BTreeMap<&str, Case> =
        report.texts.keys().map(|file| (&**file, Case::default())).collect();
    let (findings, rest) = worst_first(report.findings, LIMIT);
    for finding in findings {
        let file = finding.source.as_ref().map_or(SOURCE, |at| &at.file);
        let case = cases.entry(file).or_default();
        let list = if finding.is_error() { &mut case.failures } else { &mut case.notes };
        list.push(line(finding));
    }
    if report.plan.is_some() || report.run.is_some() {
        let run = cases.entry(RUN).or_default();
        run.failures.extend(report.failures().map(|(title, message)| format!("{title}: {message}")));
    }
    (cases, rest)
}

fn line(finding: &Finding) -> String {
    let at = finding.source.as_ref().map_or_else(String::new, |at| format!("{}:{}: ", at.line, at.column));
    format!("{at}{} {}: {}", finding.severity().as_str(), finding.code.as_str(), message(finding))
}

fn test(file: &str, case: &Case) -> String {
    let name = escaped(&one_line(file));
    let mut xml = format!("    <testcase classname=\"zones\" name=\"{name}\">");
    if let Some(first) = case.failures.first() {
        let all = escaped(&case.failures.join("\n"));
        let _ = write!(xml, "\n      <failure message=\"{}\">{all}</failure>", escaped(first));
    }
    if !case.notes.is_empty() {
        let _ = write!(xml, "\n      <system-out>{}</system-out>", escaped(&case.notes.join("\n")));
    }
    if !case.failures.is_empty() || !case.notes.is_empty() {
        xml.push_str("\n    ");
    }
    xml.push_str("</testcase>\n");
    xml
}

/// Text for content and attributes alike. What XML 1.0 cannot hold (section 2.2) is replaced.
fn escaped(text: &str) -> String {
    let mut last = None;
    text.chars().fold(String::with_capacity(text.len()), |mut xml, character| {
        // Two of them begin a command in the log of some CI servers.
        let second = character == '#' && last == Some('#');
        last = Some(character);
        match character {
            '#' if second => xml.push_str("&#35;"),
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\n' | '\t' => xml.push(character),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                xml.push('\u{fffd}');
            }
            character => xml.push(character),
        }
        xml
    })
}
