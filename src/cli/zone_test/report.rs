//! What a test has found so far: a line for each step as it is done, or one document at the end.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Form;
use super::login::Setup;
use super::words::Trouble;
use crate::cli::{ExitCode, Failure, output};
use crate::manifest::finding::printable;

/// A kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Zone,
    Dns,
    Tcp,
    Tls,
    Login,
    Metadata,
    Broker,
    Topic,
    Fetch,
    Produce,
}

impl What {
    /// In a line, and in JSON.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Zone => ("zone", "zone"),
            Self::Dns => ("DNS", "dns"),
            Self::Tcp => ("TCP", "tcp"),
            Self::Tls => ("TLS", "tls"),
            Self::Login => ("log-in", "login"),
            Self::Metadata => ("metadata", "metadata"),
            Self::Broker => ("broker", "broker"),
            Self::Topic => ("topic", "topic"),
            Self::Fetch => ("fetch", "fetch"),
            Self::Produce => ("produce", "produce"),
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Ok(String),
    Failed(Trouble),
    /// Why.
    Skipped(String),
}

#[derive(Debug)]
struct Step {
    what: What,
    subject: String,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug)]
pub(super) struct Report {
    form: Form,
    is_terminal: bool,
    steps: Vec<Step>,
}

impl Report {
    pub(super) fn new(form: Form) -> Self {
        Self { form, is_terminal: io::stdout().is_terminal(), steps: Vec::new() }
    }

    /// Does a step and says what came of it; gives what later steps need, if it went well.
    pub(super) async fn step<T>(
        &mut self,
        what: What,
        subject: &str,
        doing: impl Future<Output = Result<(T, String), Trouble>>,
    ) -> Result<Option<T>, Failure> {
        let started = Instant::now();
        let (value, outcome) = match doing.await {
            Ok((value, seen)) => (Some(value), Outcome::Ok(printable(&seen))),
            Err(trouble) => (None, Outcome::Failed(trouble)),
        };
        self.push(what, subject, started.elapsed(), outcome)?;
        Ok(value)
    }

    /// A step that is not done.
    pub(super) fn skip(&mut self, what: What, subject: &str, why: &str) -> Result<(), Failure> {
        self.push(what, subject, Duration::ZERO, Outcome::Skipped(printable(why)))
    }

    fn push(&mut self, what: What, subject: &str, took: Duration, outcome: Outcome) -> Result<(), Failure> {
        let step = Step { what, subject: printable(subject), took, outcome };
        if self.form == Form::Text {
            output::data(&step.lines(self.is_terminal))?;
        }
        self.steps.push(step);
        Ok(())
    }

    /// Says how it all went.
    pub(super) fn end(self, zone: &str, setup: &Setup) -> Result<ExitCode, Failure> {
        let count = |wanted: fn(&Outcome) -> bool| self.steps.iter().filter(|it| wanted(&it.outcome)).count();
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let all = self.steps.len();
        match self.form {
            Form::Text => {
                let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
                output::data(&match failed {
                    0 => format!("{zone}: all {} steps went well{skipped}\n", all - count(is_skipped)),
                    failed => format!("{zone}: {failed} of {all} steps failed{skipped}\n"),
                })?;
            }
            Form::Json => output::data(&output::json(&json!({
                "formatVersion": "1.0",
                "zone": zone,
                "bootstrapServers": setup.addresses.join(","),
                "ok": failed == 0,
                "steps": self.steps.iter().map(Step::document).collect::<Vec<_>>(),
            })))?,
        }
        Ok(if failed == 0 { ExitCode::Fine } else { ExitCode::Findings })
    }
}

fn is_skipped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Skipped(_))
}

impl Step {
    fn lines(&self, is_terminal: bool) -> String {
        let mark = match (&self.outcome, is_terminal) {
            (Outcome::Ok(_), true) => "✓",
            (Outcome::Ok(_), false) => "ok     ",
            (Outcome::Failed(_), true) => "✗",
            (Outcome::Failed(_), false) => "failed ",
            (Outcome::Skipped(_), true) => "-",
            (Outcome::Skipped(_), false) => "skipped",
        };
        let (name, subject, took) = (self.what.names().0, &self.subject, self.took.as_millis());
        let gap = if subject.is_empty() { "" } else { " " };
        match &self.outcome {
            Outcome::Ok(seen) => format!("{mark} {name}{gap}{subject}: {seen} ({took} ms)\n"),
            Outcome::Failed(Trouble { cause, next }) => {
                format!(
                    "{mark} {name}{gap}{subject}: {} ({took} ms)\n          next: {}\n",
                    printable(cause),
                    printable(next)
                )
            }
            Outcome::Skipped(why) => format!("{mark} {name}{gap}{subject}: {why}\n"),
        }
    }

    fn document(&self) -> Value {
        let (status, message, next) = match &self.outcome {
            Outcome::Ok(seen) => ("ok", seen, None),
            Outcome::Failed(Trouble { cause, next }) => ("failed", cause, Some(next)),
            Outcome::Skipped(why) => ("skipped", why, None),
        };
        json!({
            "step": self.what.names().1,
            "subject": self.subject,
            "status": status,
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "message": message,
            "next": next,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_seen_or_what_to_do_next_and_nothing_that_a_terminal_obeys() {
        let step = |outcome| Step {
            what: What::Dns,
            subject: "kafka.example.com".to_owned(),
            took: Duration::from_millis(3),
            outcome,
        };
        let ok = step(Outcome::Ok("127.0.0.1".to_owned()));
        assert_eq!(ok.lines(true), "✓ DNS kafka.example.com: 127.0.0.1 (3 ms)\n");
        assert_eq!(ok.lines(false), "ok      DNS kafka.example.com: 127.0.0.1 (3 ms)\n");
        let failed =
            step(Outcome::Failed(Trouble { cause: "no \u{1b}name".to_owned(), next: "fix".to_owned() }));
        let lines = failed.lines(false);
        assert!(
            lines.starts_with("failed  DNS kafka.example.com: no ")
                && lines.ends_with("\n          next: fix\n")
        );
        assert!(!lines.contains('\u{1b}'), "{lines}");
        assert_eq!(failed.document()["next"], "fix");
        let skipped = step(Outcome::Skipped("TCP failed".to_owned()));
        assert_eq!(skipped.lines(false), "skipped DNS kafka.example.com: TCP failed\n");
    }
}
