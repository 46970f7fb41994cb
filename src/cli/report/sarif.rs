//! SARIF 2.1.0 (OASIS). GitHub takes 25 000 results and shows 5 000: the worst are listed, the rest are counted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::output;
use super::listed::{Fingerprints, message, one_line, worst_first};
use super::{Report, plural};
use crate::manifest::{Code, Finding, Location, Severity, Suppressed};

const LIMIT: usize = 5_000;
/// Other places of one finding.
const MAX_RELATED: usize = 10;
/// Where a result is put that has no place of its own: code scanning refuses results without one.
const NO_FILE: &str = ".";

pub(super) fn render(report: &Report<'_>) -> String {
    let (findings, rest) = worst_first(report.findings, LIMIT);
    let suppressed = report.suppressed.iter().take(LIMIT.saturating_sub(findings.len()));
    let mut codes: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    codes.extend(suppressed.clone().map(|it| it.finding.code));
    let rules: Vec<Code> = codes.into_iter().collect();
    let mut fingerprints = Fingerprints::new(report.texts);
    let mut results: Vec<Value> =
        findings.into_iter().map(|finding| result(finding, &[], &rules, &mut fingerprints)).collect();
    results.extend(suppressed.map(|it| result(&it.finding, &[suppression(it)], &rules, &mut fingerprints)));
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "reconciler",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "automationDetails": {"id": format!("{}/", report.command().replace(' ', "-"))},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications(report, rest)}],
            "properties": {"mode": report.mode.as_str()},
            "results": results,
        }],
    });
    output::json(&log)
}

/// What is true of the run as a whole.
fn notifications(report: &Report<'_>, rest: usize) -> Vec<Value> {
    let notification = |level: &str, text: String| json!({"level": level, "message": {"text": text}});
    let failures = report.failures();
    let mut all: Vec<Value> =
        failures.map(|(title, message)| notification("error", format!("{title}: {message}"))).collect();
    all.extend(
        report.notices().map(|(label, message)| notification("warning", format!("{label}: {message}"))),
    );
    if rest > 0 {
        all.push(notification("warning", format!("{} not listed", plural(rest, "more finding"))));
    }
    all
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.meaning()},
        "defaultConfiguration": {"level": level(code.severity())},
        "properties": {"layer": code.layer().as_str()},
    })
}

fn result(
    finding: &Finding,
    suppressions: &[Value],
    rules: &[Code],
    fingerprints: &mut Fingerprints<'_>,
) -> Value {
    let related = finding.related.iter().take(MAX_RELATED).enumerate().map(|(id, (at, what))| {
        json!({"id": id, "message": {"text": one_line(what)}, "physicalLocation": physical(Some(at))})
    });
    json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": rules.iter().position(|code| *code == finding.code),
        "level": level(finding.severity()),
        "message": {"text": message(finding)},
        "locations": [{"physicalLocation": physical(finding.source.as_ref())}],
        "relatedLocations": related.collect::<Vec<_>>(),
        "partialFingerprints": {"primaryLocationLineHash": fingerprints.of(finding)},
        // An empty list says: not suppressed.
        "suppressions": suppressions,
    })
}

fn suppression(suppressed: &Suppressed) -> Value {
    json!({
        "kind": "inSource",
        "status": "accepted",
        "justification": one_line(&suppressed.by.reason),
        "location": {"physicalLocation": physical(Some(&suppressed.by.source))},
    })
}

fn physical(at: Option<&Location>) -> Value {
    let Some(at) = at else {
        return json!({"artifactLocation": {"uri": NO_FILE}, "region": {"startLine": 1}});
    };
    json!({
        "artifactLocation": {"uri": uri(&at.file)},
        "region": {"startLine": at.line, "startColumn": at.column},
    })
}

/// A path as a URI reference (RFC 3986): what is not a plain character is escaped, so that a file's name is never a scheme, a
/// query or a host.
fn uri(path: &str) -> String {
    let encoded = path.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    });
    if encoded.starts_with('/') { format!("file://{}", encoded.replacen("//", "/", 1)) } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_file_name_is_never_more_than_a_path() {
        for (path, expected) in [
            ("zones/acme.yaml", "zones/acme.yaml"),
            ("javascript:alert(1).yaml", "javascript%3Aalert%281%29.yaml"),
            ("a b?c#d%.yaml", "a%20b%3Fc%23d%25.yaml"),
            ("//evil.example/x.yaml", "file:///evil.example/x.yaml"),
            ("/tmp/ü.yaml", "file:///tmp/%C3%BC.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
