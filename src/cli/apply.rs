//! `reconciler apply`: one reconcile now, by the leading controller, and what came of it.
//!
//! Only the leader writes the store, and it reads the source itself: this asks it to, and waits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Client, Server};
use super::{Context, ExitCode, Failure, output};
use crate::manifest::finding::printable;

/// Time for the run to end: a source may be large and far away.
const PATIENCE: Duration = Duration::from_mins(12);
/// Between two looks at how it goes.
const LOOK: Duration = Duration::from_millis(250);

/// Reconciles once, now, and says what came of it
///
/// The leading controller reads the source, plans and applies, as it does by itself every `source.pollInterval`; guards and
/// suspensions hold as always. Exit codes: 0 applied or nothing to do, 1 files have errors, 4 refused or suspended, 5 the source
/// or the store cannot be used, 6 some zones could not be brought to what their files ask.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Apply nothing but the plan with this digest, as `plan` printed it
    #[arg(long, value_name = "sha256:…", value_parser = digest)]
    expect_plan: Option<String>,

    /// Let that plan delete this many zones and topics although a guard would refuse it
    #[arg(long, value_name = "N", requires = "expect_plan", requires = "reason")]
    allow_deletes: Option<usize>,

    /// Let that plan update this many zones although a guard would refuse it
    #[arg(long, value_name = "N", requires = "expect_plan", requires = "reason")]
    allow_updates: Option<usize>,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Leave all zones but this one as they are
    #[arg(long, value_name = "ZONE")]
    only: Option<String>,

    /// How to print what came of it
    #[arg(long, value_enum, default_value = "text")]
    output: Form,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
}

fn digest(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("wanted is `sha256:` and 64 hex digits, as `plan` prints them".to_owned())
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let body = json!({
        "expectPlan": args.expect_plan, "allowDeletes": args.allow_deletes, "allowUpdates": args.allow_updates,
        "reason": args.reason, "only": args.only,
    });
    let asked = client.post(&["controller", "apply"], &body).await?;
    let run = ended(&client, &asked).await?;
    output::data(&match args.output {
        Form::Json => output::json(&run),
        Form::Text => text(&run),
    })?;
    Ok(exit_code(&run))
}

/// Waits for the run that was asked for.
async fn ended(client: &Client, asked: &Value) -> Result<Value, Failure> {
    let lost = |why: &str| {
        Failure::unreachable(format!("what came of the run is not known: {why}"))
            .next("`reconciler get controller` shows the last runs; asking again does no harm")
    };
    let (Some(request), Some(node)) = (asked.get("request"), asked.get("node")) else {
        return Err(lost("the server's answer names no run"));
    };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let seen = client.get(&["controller"]).await?;
        let runs = seen.get("runs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if let Some(run) = runs.iter().find(|run| run.get("request") == Some(request)) {
            return Ok(run.clone());
        }
        if seen.get("node") != Some(node) {
            return Err(lost("another node leads by now"));
        }
        sleep(LOOK).await;
    }
    Err(lost("it has not ended yet"))
}

fn exit_code(run: &Value) -> ExitCode {
    match run.get("outcome").and_then(Value::as_str) {
        Some("UpToDate" | "Applied") => ExitCode::Fine,
        Some("Held" | "Refused") => ExitCode::RefusedByGuard,
        Some("PartlyApplied") => ExitCode::PartlyApplied,
        Some("InvalidFiles") => ExitCode::Findings,
        _ => ExitCode::Unreachable,
    }
}

fn text(run: &Value) -> String {
    let field = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    let list = |name: &str| run.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    for problem in list("problems").iter().filter_map(Value::as_str) {
        lines.push(format!("error: {problem}"));
    }
    for reason in list("refused").iter().filter_map(Value::as_str) {
        lines.push(format!("refused: {reason}"));
    }
    // Thousands of zones often wait for one reason.
    let mut waiting: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (what, name) in [("held", "held"), ("failed", "failed")] {
        for zone in list(name) {
            let of = |key: &str| zone.get(key).and_then(Value::as_str).unwrap_or_default();
            waiting.entry((what, of("message"))).or_default().push(of("zone"));
        }
    }
    for ((what, message), zones) in waiting {
        lines.push(format!("{what}: {} ({message})", zones.join(", ")));
    }
    let applied = |what: &str| run.pointer(&format!("/applied/{what}")).and_then(Value::as_u64).unwrap_or(0);
    lines.push(format!("revision {}", field("revision")));
    lines.push(format!("digest {}", field("plan")));
    lines.push(format!("{}: {}", field("outcome"), field("message")));
    lines.push(format!(
        "Zones: {} created, {} updated, {} deleted",
        applied("created"),
        applied("updated"),
        applied("deleted")
    ));
    lines.iter().flat_map(|line| [printable(line), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_exit_code() {
        for (outcome, code) in [
            ("UpToDate", ExitCode::Fine),
            ("Applied", ExitCode::Fine),
            ("Held", ExitCode::RefusedByGuard),
            ("Refused", ExitCode::RefusedByGuard),
            ("PartlyApplied", ExitCode::PartlyApplied),
            ("InvalidFiles", ExitCode::Findings),
            ("Failed", ExitCode::Unreachable),
            ("Of a later version", ExitCode::Unreachable),
        ] {
            assert_eq!(exit_code(&json!({"outcome": outcome})), code, "{outcome}");
        }
    }

    #[test]
    fn what_came_of_a_run_is_told_in_full_and_harmless_to_a_terminal() {
        let run = json!({
            "outcome": "PartlyApplied", "message": "zone `acme` cannot be brought to what its file asks: denied",
            "revision": "main@sha1:8c1f", "plan": "sha256:00", "applied": {"created": 2, "updated": 0, "deleted": 1},
            "problems": [], "refused": ["4 of 10 zones would be deleted"],
            "held": [{"zone": "b", "reason": "Suspended", "message": "w\u{1b}hy"}, {"zone": "c", "reason": "Suspended", "message": "w\u{1b}hy"}],
            "failed": [{"zone": "acme", "message": "denied"}],
        });
        let shown = text(&run);
        for line in [
            "refused: 4 of 10 zones would be deleted",
            "failed: acme (denied)",
            "revision main@sha1:8c1f",
            "Zones: 2 created, 0 updated, 1 deleted",
        ] {
            assert!(shown.lines().any(|it| it == line), "{line}: {shown}");
        }
        assert!(shown.contains("held: b, c (w") && !shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn a_digest_is_written_as_plan_prints_it() {
        assert!(digest(&format!("sha256:{}", "0a".repeat(32))).is_ok());
        for wrong in ["", "sha256:", "0a", &format!("sha256:{}", "0A".repeat(32))] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
