//! For the comment of a pull request and for a job's summary. All text from outside stands in fences or code spans, where
//! neither markup, nor HTML, nor mentions, nor references work.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::listed::{cut, message, one_line};
use super::{Report, change, guard, plural, run, text};
use crate::manifest::finding::printable;
use crate::manifest::{Finding, Severity, Suppressed};
use crate::reconcile::plan::{Action, Change, Plan};

/// The first line: by it the one comment is found again that is edited in place. Nothing from outside can look like it.
pub const MARKER: &str = "<!-- partner-zones: reconciler -->";

/// GitHub takes 65 536 characters in a comment, the least of the forges that matter here; a character has at most four bytes, so
/// bytes are the safe count.
const LIMIT: usize = 65_536;
/// Kept free for the last lines, and for what says that something is missing.
const RESERVE: usize = 4_000;
/// With less than this left no further zone is begun.
const MIN_ZONE: usize = 2_000;
/// Longest line, in characters.
const MAX_LINE: usize = 500;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut page = Page { text: format!("{MARKER}\n"), left: LIMIT - RESERVE };
    if report.is_quiet() {
        page.text.push_str(&quiet(report));
        return page.text;
    }
    // Writing to a String cannot fail.
    let _ = write!(page.text, "### `{}`\n\n", report.command());
    let notices: Vec<String> =
        report.notices().map(|(label, message)| format!("{label}: {message}")).collect();
    if !notices.is_empty() {
        page.list("**Before anything else:**", "text", notices, page.left / 4);
    }
    let failed: Vec<String> = report
        .run
        .into_iter()
        .flat_map(run::failures)
        .map(|(title, message)| format!("{title}: {message}"))
        .collect();
    if !failed.is_empty() {
        page.list("**This failed:**", "text", failed, page.left / 4);
    }
    page.text.push_str(&table(report));
    if let Some(plan) = report.plan {
        page.guard(plan);
    }
    page.findings(report, Severity::Error);
    if let Some(plan) = report.plan {
        page.changes(plan);
    }
    page.findings(report, Severity::Warning);
    page.findings(report, Severity::Note);
    if !report.suppressed.is_empty() {
        let silent = |it: &Suppressed| format!("{} [{}]", line(&it.finding), one_line(&it.by.reason));
        page.list("**Suppressed**", "text", report.suppressed.iter().map(silent).collect(), page.left);
    }
    page.text.push_str(&end(report));
    page.text
}

fn quiet(report: &Report<'_>) -> String {
    match report.plan {
        Some(plan) => format!("No changes ({}).\n", code(&printable(plan.revision.as_str()))),
        None => format!("{}.\n", report.sum()),
    }
}

fn table(report: &Report<'_>) -> String {
    let of = |severity| report.findings.iter().filter(|it| it.severity() == severity).count();
    let findings = Severity::ALL.map(of);
    let [errors, warnings, notes] = findings;
    let mut head = vec!["errors", "warnings", "notes", "suppressed"];
    let mut row = vec![errors, warnings, notes, report.suppressed.len()];
    if let Some(plan) = report.plan {
        let sum = plan.summary();
        head.splice(0..0, ["add", "change", "delete", "drift"]);
        row.splice(0..0, [sum.add, sum.change, sum.delete, sum.drift]);
    }
    let row: Vec<String> = row.into_iter().map(|count| count.to_string()).collect();
    format!("| {} |\n|{}\n| {} |\n\n", head.join(" | "), "---|".repeat(head.len()), row.join(" | "))
}

/// Revision and digest, and the sum as the last line.
fn end(report: &Report<'_>) -> String {
    let mut end = String::new();
    if let Some(revision) = report.revision {
        let _ = write!(end, "revision {}", code(&cut(&printable(revision.as_str()), MAX_LINE / 2)));
        if let Some(plan) = report.plan {
            if let Some(base) = &plan.base {
                let _ = write!(end, ", base {}", code(&cut(&printable(base.as_str()), MAX_LINE / 2)));
            }
            if let Some(only) = &plan.only {
                let _ = write!(end, ", only {}", code(&format!("zone/{only}")));
            }
            let _ = write!(end, ", digest {}", code(&plan.digest));
        }
        end.push_str("\n\n");
    }
    end + &report.sum() + "\n"
}

struct Page {
    text: String,
    /// Bytes that lists may still fill.
    left: usize,
}

impl Page {
    /// A heading and lines in a fence, within `room`, and how many did not fit.
    fn list(&mut self, heading: &str, language: &str, lines: Vec<String>, room: usize) {
        let total = lines.len();
        let room = room.min(self.left);
        let (mut shown, mut size, mut ticks) = (Vec::new(), heading.len(), 3);
        for line in lines {
            let line = inert(&cut(&line, MAX_LINE));
            size += line.len() + 1;
            ticks = longest_run(&line).max(ticks);
            if size + 2 * ticks > room {
                break;
            }
            shown.push(line);
        }
        let rest = total - shown.len();
        let mut block = format!("{heading}\n\n");
        if !shown.is_empty() {
            block.push_str(&fence(language, &shown));
        }
        if rest > 0 {
            let _ = write!(
                block,
                "{} not shown: the other reports of this run have all of them.\n\n",
                more(rest)
            );
        }
        self.left = self.left.saturating_sub(block.len());
        self.text.push_str(&block);
    }

    fn guard(&mut self, plan: &Plan) {
        let refused: Vec<String> = guard::refusals(plan).collect();
        if !refused.is_empty() {
            self.list("**Production would refuse this:**", "text", refused, self.left / 4);
        }
        let lifted: Vec<String> = guard::lifted(plan).collect();
        if !lifted.is_empty() {
            self.list("**Allowed, although a guard would refuse it:**", "text", lifted, self.left / 4);
        }
    }

    fn findings(&mut self, report: &Report<'_>, severity: Severity) {
        let lines: Vec<String> =
            report.findings.iter().filter(|it| it.severity() == severity).map(line).collect();
        if !lines.is_empty() {
            let heading = format!("**{}**", plural(lines.len(), severity.as_str()));
            self.list(&heading, "text", lines, self.left / 2);
        }
    }

    /// One block for each zone, to open.
    fn changes(&mut self, plan: &Plan) {
        let mut zones: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in &plan.changes {
            zones.entry(change.address.zone().as_str()).or_default().push(change);
        }
        let mut rest = 0;
        for (zone, changes) in zones {
            let lines: Vec<String> = changes.iter().map(|change| change::of(plan, change)).collect();
            if self.left < MIN_ZONE {
                rest += lines.len();
                continue;
            }
            let summary = format!("<details><summary><code>{zone}</code>: {}</summary>", tally(&changes));
            self.list(&summary, "diff", lines, self.left / 2);
            self.text.push_str("</details>\n\n");
            self.left = self.left.saturating_sub("</details>\n\n".len());
        }
        if rest > 0 {
            let line = format!("{} in further zones not shown.\n\n", more(rest));
            self.left = self.left.saturating_sub(line.len());
            self.text.push_str(&line);
        }
    }
}

fn more(count: usize) -> String {
    format!("{count} more {}", if count == 1 { "is" } else { "are" })
}

/// `2 to add, 1 to change`.
fn tally(changes: &[&Change]) -> String {
    let count = |kinds: &[Action]| changes.iter().filter(|change| kinds.contains(&change.action)).count();
    let counts = [
        (count(&[Action::Create]), "add"),
        (count(&[Action::Update, Action::Move]), "change"),
        (count(&[Action::Delete]), "delete"),
    ];
    let said =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} to {what}"));
    said.collect::<Vec<_>>().join(", ")
}

fn line(finding: &Finding) -> String {
    let at = finding
        .source
        .as_ref()
        .map_or_else(String::new, |at| format!("{}:{}:{} ", printable(&at.file), at.line, at.column));
    format!("{at}{} {}", finding.code.as_str(), message(finding))
}

/// An HTML comment's beginning could be taken for the marker by who only searches the text, and a file's name for a command by who
/// reads the log.
fn inert(line: &str) -> String {
    let line = text::inert(&line.replace("<!--", "<! --"));
    if line.trim_start().starts_with("::") { format!("./{}", line.trim_start()) } else { line }
}

/// A fence longer than any run of backticks within (CommonMark 0.31, section 4.5).
fn fence(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n\n", lines.join("\n"))
}

/// A code span (section 6.1): inside, only its own delimiter has a meaning.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{}{pad}{ticks}", inert(text))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}
