//! GitLab's Code Quality: a list of issues. Suppressed findings are none.

use serde_json::{Value, json};

use super::super::output;
use super::listed::{Fingerprints, message, one_line, worst_first};
use super::{Report, plural};
use crate::manifest::{Finding, Severity};

/// Issues in one report; GitLab shows far fewer.
const LIMIT: usize = 5_000;
/// Where an issue is put that has no place of its own: the format wants one.
const NO_FILE: &str = ".";

pub(super) fn render(report: &Report<'_>) -> String {
    let (findings, rest) = worst_first(report.findings, LIMIT);
    let mut fingerprints = Fingerprints::new(report.texts);
    let failures = report.failures();
    let mut issues: Vec<Value> = failures
        .map(|(title, message)| general("guard", "critical", &format!("{title}: {message}")))
        .collect();
    issues.extend(
        report.notices().map(|(label, message)| general("notice", "minor", &format!("{label}: {message}"))),
    );
    issues.extend(findings.into_iter().map(|finding| issue(finding, &fingerprints.of(finding))));
    if rest > 0 {
        issues.push(general("more", "info", &format!("{} not listed", plural(rest, "more finding"))));
    }
    output::json(&Value::Array(issues))
}

fn issue(finding: &Finding, fingerprint: &str) -> Value {
    let (path, line) = finding.source.as_ref().map_or((NO_FILE, 1), |at| (&*at.file, at.line));
    json!({
        "check_name": finding.code.as_str(),
        "description": message(finding),
        "severity": match finding.severity() {
            Severity::Error => "critical",
            Severity::Warning => "minor",
            Severity::Note => "info",
        },
        "fingerprint": fingerprint,
        "location": {"path": one_line(path), "lines": {"begin": line}},
    })
}

/// About the run as a whole.
fn general(name: &str, severity: &str, description: &str) -> Value {
    json!({
        "check_name": name,
        "description": description,
        "severity": severity,
        "fingerprint": format!("{name}:{description}"),
        "location": {"path": NO_FILE, "lines": {"begin": 1}},
    })
}
