//! What a check found out, as one value, and its forms: one file for each format. A form is text made of the report alone; what
//! it takes from files, branches and servers is untrusted and stays inert in it: never markup, never a command.
//!
//! Every form is complete in what matters: where a forge takes only so much, the worst comes first and the rest is counted.

mod change;
mod github;
mod gitlab;
mod guard;
mod json;
mod junit;
mod listed;
pub mod markdown;
mod request;
pub mod run;
mod sarif;
mod snippet;
mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use self::listed::one_line;
use super::ExitCode;
use crate::manifest::{Finding, Loaded, Severity, Suppressed, Text};
use crate::reconcile::plan::{Mode, Plan};
use crate::zone::Revision;

pub use request::{Outputs, ReportTo};

/// Texts of files by name, as [`crate::manifest::Loaded::texts`] keeps them: secrets are masked.
pub type Texts = BTreeMap<Arc<str>, Text>;

/// A form that a report can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, with the lines of the files.
    Text,
    /// For programs: CONTRACTS, `schema/plan.json`.
    Json,
    /// For the comment of a pull request.
    Markdown,
    /// Workflow commands of GitHub Actions: annotations.
    Github,
    /// Code Quality of GitLab.
    Gitlab,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit's XML, for the test reports of CI servers.
    Junit,
}

impl Format {
    pub const ALL: [(&'static str, Self); 7] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("markdown", Self::Markdown),
        ("github", Self::Github),
        ("gitlab", Self::Gitlab),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
    ];
}

/// Whether escape sequences may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Plain,
    Ansi,
}

/// Whether changes that are still to be made are worth an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    Counts,
    IsFine,
}

/// What a command found out.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub mode: Mode,
    /// None where files of several places were read.
    pub revision: Option<&'a Revision>,
    /// How many files were read, and how many zones in them are right.
    pub files: usize,
    pub zones: usize,
    pub findings: &'a [Finding],
    pub suppressed: &'a [Suppressed],
    pub texts: &'a Texts,
    /// None where files alone were checked.
    pub plan: Option<&'a Plan>,
    /// What came of the plan, where it was to be applied: a run as the API tells it.
    pub run: Option<&'a Value>,
}

impl<'a> Report<'a> {
    /// Of files alone.
    pub fn of_files(loaded: &'a Loaded, revision: Option<&'a Revision>) -> Self {
        Self {
            mode: Mode::Offline,
            revision,
            files: loaded.files,
            zones: loaded.zones.len(),
            findings: &loaded.findings,
            suppressed: &loaded.suppressed,
            texts: &loaded.texts,
            plan: None,
            run: None,
        }
    }

    /// Of a plan, and the files it was made of.
    pub fn of_plan(plan: &'a Plan, loaded: &'a Loaded) -> Self {
        Self {
            mode: plan.mode,
            revision: Some(&plan.revision),
            findings: &plan.findings,
            suppressed: &plan.suppressed,
            plan: Some(plan),
            ..Self::of_files(loaded, None)
        }
    }

    /// The whole text of a form, with a final newline.
    pub fn render(&self, format: Format, colour: Colour) -> String {
        match format {
            Format::Text => text::render(self, colour),
            Format::Json => json::render(self),
            Format::Markdown => markdown::render(self),
            Format::Github => github::render(self),
            Format::Gitlab => gitlab::render(self),
            Format::Sarif => sarif::render(self),
            Format::Junit => junit::render(self),
        }
    }

    /// The exit codes that hold; [`ExitCode::of`] chooses. Of a run, what came of it and nothing else: the plan beside it was made here,
    /// with what is known here, and the controller judges by its own.
    pub fn exit_codes(&self, pending: Pending) -> Vec<ExitCode> {
        if let Some(run) = self.run {
            return vec![run::exit_code(run)];
        }
        let plan = self.plan;
        let holds = [
            (ExitCode::Findings, self.findings.iter().any(Finding::is_error)),
            (ExitCode::RefusedByGuard, plan.is_some_and(|plan| plan.guard.is_refusing())),
            (
                ExitCode::ChangesPending,
                pending == Pending::Counts && plan.is_some_and(|plan| !plan.changes.is_empty()),
            ),
            (ExitCode::Fine, true),
        ];
        holds.into_iter().filter_map(|(code, holds)| holds.then_some(code)).collect()
    }

    /// What stands before everything else, in every form: a label, and a sentence on one line.
    fn notices(&self) -> impl Iterator<Item = (&'static str, String)> {
        let of_run = self.run.into_iter().flat_map(|run| run::notices(run, self.plan));
        let of_plan = self.plan.into_iter().flat_map(|plan| &plan.notices);
        of_run.chain(of_plan.map(|notice| (notice.kind.label(), one_line(&notice.message))))
    }

    /// What failed beside the files, in every form: a title, and a sentence on one line.
    fn failures(&self) -> impl Iterator<Item = (&'static str, String)> {
        let refused = self.plan.into_iter().flat_map(|plan| plan.guard.reasons());
        let refused = refused.map(|reason| ("Refused by a guard", one_line(reason)));
        refused.chain(self.run.into_iter().flat_map(run::failures))
    }

    /// `2 errors, 1 warning, 0 notes`, and what is suppressed.
    fn counts(&self) -> String {
        let of = |severity| self.findings.iter().filter(|finding| finding.severity() == severity).count();
        let mut counts = Severity::ALL.map(|it| plural(of(it), it.as_str())).join(", ");
        if !self.suppressed.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(counts, ", {} suppressed", self.suppressed.len());
        }
        counts
    }

    /// The last line: `Plan: 3 to add, 1 to change, 2 to delete; 1 guard`, or what was checked.
    fn sum(&self) -> String {
        let Some(plan) = self.plan else {
            let (zones, files) = (plural(self.zones, "valid zone"), plural(self.files, "file"));
            return format!("{zones} in {files}: {}", self.counts());
        };
        let sum = plan.summary();
        let guards = plan.guard.reasons().count();
        let guards = if guards == 0 { String::new() } else { format!("; {}", plural(guards, "guard")) };
        format!("Plan: {} to add, {} to change, {} to delete{guards}", sum.add, sum.change, sum.delete)
    }

    /// Nothing that anybody would have to read.
    fn is_quiet(&self) -> bool {
        let quiet =
            |plan: &Plan| plan.changes.is_empty() && !plan.guard.is_refusing() && plan.notices.is_empty();
        self.run.is_none()
            && self.findings.is_empty()
            && self.suppressed.is_empty()
            && self.plan.is_none_or(quiet)
    }

    fn command(&self) -> &'static str {
        match (self.plan, self.run) {
            (_, Some(_)) => "reconciler apply",
            (Some(_), None) => "reconciler plan",
            (None, None) => "reconciler validate",
        }
    }
}

/// `1 file`, `2 files`.
fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
