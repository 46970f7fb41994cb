//! What came of a run that was asked for, as the API tells it. All text in it is a server's: it is made harmless here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::ExitCode;
use super::listed::one_line;
use crate::manifest::finding::printable;
use crate::reconcile::plan::Plan;

/// The label of how a run ended.
pub(super) const OUTCOME: &str = "OUTCOME";

/// How the run ended, and whether it was of the plan that is shown.
pub(super) fn notices(run: &Value, shown: Option<&Plan>) -> Vec<(&'static str, String)> {
    let outcome = format!("{} (zones: {})", text(run, "outcome"), made(run));
    // Where it is a failure, the failures say why.
    let is_told = failures(run).iter().any(|(_, failure)| *failure == one_line(text(run, "message")));
    let why = if is_told { String::new() } else { format!(": {}", text(run, "message")) };
    let mut notices = vec![(OUTCOME, one_line(&format!("{outcome}{why}")))];
    let plan = text(run, "plan");
    if let Some(shown) = shown.filter(|shown| !plan.is_empty() && shown.digest != plan) {
        let message = format!(
            "the controller's plan was another one than is shown here: {plan} of {}, and not {} of {}",
            text(run, "revision"),
            shown.digest,
            shown.revision
        );
        notices.push(("ANOTHER PLAN", one_line(&message)));
    }
    notices
}

/// What went wrong although it was tried, or kept everything from being tried. What guards refuse the plan says itself.
pub(super) fn failures(run: &Value) -> Vec<(&'static str, String)> {
    let mut failures = Vec::new();
    for (message, zones) in by_message(run, "failed") {
        failures.push(("Not applied", one_line(&format!("{}: {message}", zones.join(", ")))));
    }
    match text(run, "outcome") {
        "Refused" if list(run, "refused").is_empty() => {
            failures.push(("Refused", one_line(text(run, "message"))));
        }
        "Failed" => failures.push(("Failed", one_line(text(run, "message")))),
        _ => {}
    }
    failures
}

/// The exit code of what came of it.
pub(in crate::cli) fn exit_code(run: &Value) -> ExitCode {
    match text(run, "outcome") {
        "UpToDate" | "Applied" => ExitCode::Fine,
        "Held" | "Refused" => ExitCode::RefusedByGuard,
        "PartlyApplied" => ExitCode::PartlyApplied,
        "InvalidFiles" => ExitCode::Findings,
        _ => ExitCode::Unreachable,
    }
}

/// All of it for people, the outcome last.
pub(in crate::cli) fn lines(run: &Value) -> Vec<String> {
    let mut lines = vec![String::new()];
    for problem in list(run, "problems").iter().filter_map(Value::as_str) {
        lines.push(format!("error: {problem}"));
    }
    for reason in list(run, "refused").iter().filter_map(Value::as_str) {
        lines.push(format!("refused: {reason}"));
    }
    for what in ["held", "failed"] {
        let waiting = by_message(run, what);
        lines.extend(waiting.into_iter().map(|(why, zones)| format!("{what}: {} ({why})", zones.join(", "))));
    }
    for noticed in list(run, "noticed").iter().filter_map(Value::as_str) {
        lines.push(format!("! {noticed}"));
    }
    lines.push(format!("run of {} (plan {})", text(run, "revision"), text(run, "plan")));
    lines.push(format!("Zones: {}", made(run)));
    lines.push(format!("{}: {}", text(run, "outcome"), text(run, "message")));
    lines.iter().map(|line| printable(line)).collect()
}

/// `2 created, 0 updated, 1 deleted`
fn made(run: &Value) -> String {
    let applied = |what: &str| run.pointer(&format!("/applied/{what}")).and_then(Value::as_u64).unwrap_or(0);
    format!("{} created, {} updated, {} deleted", applied("created"), applied("updated"), applied("deleted"))
}

fn text<'a>(run: &'a Value, name: &str) -> &'a str {
    run.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(run: &'a Value, name: &str) -> &'a [Value] {
    run.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

/// Thousands of zones often wait for one reason.
fn by_message<'a>(run: &'a Value, name: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for zone in list(run, name) {
        waiting.entry(text(zone, "message")).or_default().push(text(zone, "zone"));
    }
    waiting
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{everything, rendered_run};
    use super::super::{Format, Pending, Report};
    use super::*;

    fn partly() -> Value {
        json!({
            "outcome": "PartlyApplied", "message": "zone `acme` cannot be brought to what its file asks: denied",
            "revision": "main@sha1:8c1f", "plan": "sha256:00", "applied": {"created": 2, "updated": 0, "deleted": 1},
            "problems": [], "refused": ["4 of 10 zones would be deleted"], "noticed": ["zone/b: 3 connected clients are cut off"],
            "held": [{"zone": "b", "reason": "Suspended", "message": "w\u{1b}hy"}, {"zone": "c", "reason": "Suspended", "message": "w\u{1b}hy"}],
            "failed": [{"zone": "acme", "message": "denied"}],
        })
    }

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
        let shown = lines(&partly()).join("\n");
        for line in [
            "refused: 4 of 10 zones would be deleted",
            "failed: acme (denied)",
            "! zone/b: 3 connected clients are cut off",
            "run of main@sha1:8c1f (plan sha256:00)",
            "Zones: 2 created, 0 updated, 1 deleted",
        ] {
            assert!(shown.lines().any(|it| it == line), "{line}: {shown}");
        }
        assert!(shown.contains("held: b, c (w") && !shown.contains('\u{1b}'), "{shown}");
        assert!(
            shown.ends_with("PartlyApplied: zone `acme` cannot be brought to what its file asks: denied")
        );
    }

    #[test]
    fn in_every_form_it_is_said_what_failed_and_that_another_plan_was_applied() {
        let (run, everything) = (partly(), everything());
        for (name, format) in Format::ALL {
            let form = rendered_run(&everything, &run, format);
            for wanted in ["PartlyApplied", "denied", "sha256:00"] {
                assert!(form.contains(wanted), "{name} does not say {wanted}:\n{form}");
            }
            assert!(!form.contains('\u{1b}'), "{name}");
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_run_whatever_the_plan_made_here_says() {
        let (plan, desired) = everything();
        let of_plan = Report::of_plan(&plan, &desired.loaded);
        let codes = of_plan.exit_codes(Pending::Counts);
        for code in [ExitCode::Findings, ExitCode::RefusedByGuard, ExitCode::ChangesPending] {
            assert!(codes.contains(&code), "{codes:?}");
        }
        for (outcome, code) in [("Applied", ExitCode::Fine), ("PartlyApplied", ExitCode::PartlyApplied)] {
            let run = json!({"outcome": outcome});
            assert_eq!(
                Report { run: Some(&run), ..of_plan }.exit_codes(Pending::Counts),
                [code],
                "{outcome}"
            );
        }
    }

    #[test]
    fn a_plan_that_was_not_expected_is_a_failure_of_its_own() {
        let run =
            json!({"outcome": "Refused", "message": "the plan is a and not the expected b", "refused": []});
        assert_eq!(failures(&run), [("Refused", "the plan is a and not the expected b".to_owned())]);
        let guarded = json!({"outcome": "Refused", "message": "m", "refused": ["m"]});
        assert_eq!(failures(&guarded), [], "the plan's guards say it");
    }
}
