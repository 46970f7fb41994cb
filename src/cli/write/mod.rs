//! Commands that write zones through a server: each write is a commit to the source (`source.writeBack`).

pub mod delete;
pub mod diff;
pub mod edit;
pub mod files;

use reqwest::Method;
use serde_json::Value;

use super::client::{Client, Write};
use super::{ExitCode, Failure, output};

/// What all of them take.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Find out what would happen, and commit nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// Why, for the commit's message
    #[arg(long, global = true, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl How {
    fn query(&self) -> Vec<(&str, &str)> {
        let dry_run = self.dry_run.then_some(("dryRun", "true"));
        dry_run.into_iter().chain(self.reason.as_deref().map(|reason| ("reason", reason))).collect()
    }
}

/// Sends a zone, and gives the server's answer.
async fn put(client: &Client, document: &Value, seen: Option<&str>, how: &How) -> Result<Value, Failure> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let write = Write {
        method: Method::PUT,
        path: &["zones", name],
        query: &how.query(),
        seen,
        body: Some(document),
    };
    client.write(write).await
}

/// What came of zones that are tried one after the other, whatever the server says of those before.
#[derive(Debug, Default)]
struct Outcomes {
    done: usize,
    refused: Vec<ExitCode>,
}

impl Outcomes {
    /// Says what came of one of them. The error is why none of the others is worth a try.
    fn add(&mut self, name: &str, outcome: Result<Value, Failure>, how: &How) -> Result<(), Failure> {
        match outcome {
            Ok(answer) => {
                self.done += 1;
                tell(name, &answer, how)
            }
            Err(mut failure) if failure.holds_for_all => {
                if self.done > 0 && !how.dry_run {
                    failure.exit_code = ExitCode::PartlyApplied;
                }
                Err(failure.of(&format!("zone/{name}")))
            }
            Err(failure) => {
                self.refused.push(failure.exit_code);
                output::note(&failure.of(&format!("zone/{name}")).to_string());
                Ok(())
            }
        }
    }

    /// Where only some are written that says more than why the others are not. A dry run leaves nothing half done.
    fn exit_code(&self, how: &How) -> ExitCode {
        let is_partial = self.done > 0 && !self.refused.is_empty();
        if is_partial && !how.dry_run { ExitCode::PartlyApplied } else { ExitCode::of(&self.refused) }
    }
}

/// One line, as scripts know it from kubectl; of a dry run what would change in the file, too.
fn tell(name: &str, answer: &Value, how: &How) -> Result<(), Failure> {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    let result = text("/result").unwrap_or("written");
    let is_proposal = answer.pointer("/commit/isProposal") == Some(&Value::Bool(true));
    let line = match (text("/commit/revision"), text("/commit/reference")) {
        _ if how.dry_run => format!("{}zone/{name} {result} (dry run)\n", text("/diff").unwrap_or_default()),
        (Some(_), Some(reference)) if is_proposal => {
            format!("zone/{name} {result} on {reference}, which is to be merged\n")
        }
        (Some(revision), _) => format!("zone/{name} {result} by {revision}\n"),
        _ => format!("zone/{name} {result}\n"),
    };
    output::data(&line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_be_the_same_for_all_ends_it_and_what_is_about_one_zone_does_not() {
        let (how, mut outcomes) = (How::default(), Outcomes::default());
        let away = || Err(Failure::unreachable("cannot reach it"));
        let ended = outcomes.add("acme", away(), &how).unwrap_err();
        assert_eq!(
            (ended.exit_code, ended.cause.as_str()),
            (ExitCode::Unreachable, "zone/acme: cannot reach it")
        );
        outcomes.add("acme", Err(Failure::usage("no such cluster")), &how).unwrap();
        outcomes.add("beta", Ok(json!({ "result": "created" })), &how).unwrap();
        assert_eq!(outcomes.exit_code(&how), ExitCode::PartlyApplied);
        assert_eq!(outcomes.add("beta", away(), &how).unwrap_err().exit_code, ExitCode::PartlyApplied);
    }

    #[test]
    fn the_exit_code_says_when_only_some_were_written_and_else_why_none_was() {
        use ExitCode::{Findings, Fine, PartlyApplied, RefusedByGuard, Usage};
        let (now, dry) = (How::default(), How { dry_run: true, reason: None });
        for (done, refused, wanted, wanted_dry) in [
            (2, &[][..], Fine, Fine),
            (1, &[RefusedByGuard], PartlyApplied, RefusedByGuard),
            (0, &[RefusedByGuard], RefusedByGuard, RefusedByGuard),
            (0, &[RefusedByGuard, Findings, Usage], Usage, Usage),
        ] {
            let outcomes = Outcomes { done, refused: refused.to_vec() };
            assert_eq!((outcomes.exit_code(&now), outcomes.exit_code(&dry)), (wanted, wanted_dry));
        }
    }
}
