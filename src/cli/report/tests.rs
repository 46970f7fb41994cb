use super::*;
use crate::cli::plan::tests::{FILE, manifest, planned, topic};
use crate::reconcile::plan::Desired;

mod hostile;

fn rendered((plan, desired): &(Plan, Desired), format: Format) -> String {
    Report::of_plan(plan, &desired.loaded).render(format, Colour::Plain)
}

/// The same, with what came of it.
pub(super) fn rendered_run((plan, desired): &(Plan, Desired), run: &Value, format: Format) -> String {
    let report = Report { run: Some(run), ..Report::of_plan(plan, &desired.loaded) };
    report.render(format, Colour::Plain)
}

/// Of a file without a zone that is right.
fn of_findings<'a>(findings: &'a [Finding], suppressed: &'a [Suppressed], texts: &'a Texts) -> Report<'a> {
    Report {
        mode: Mode::Offline,
        revision: None,
        files: 1,
        zones: 0,
        findings,
        suppressed,
        texts,
        plan: None,
        run: None,
    }
}

/// A zone that shares one topic for reading, as a file of its name.
fn acme() -> (&'static str, String) {
    (FILE, manifest("acme", "Acme", &topic("orders", "orders-v1", "READ")))
}

fn text(planned: &(Plan, Desired)) -> String {
    let (plan, _) = planned;
    let text = rendered(planned, Format::Text);
    // The digest has tests of its own.
    text.replace(&plan.digest, "sha256:…")
}

#[test]
fn each_change_is_one_line_with_its_place_and_the_last_line_is_the_sum() {
    let before = manifest(
        "acme",
        "Acme",
        &(topic("orders", "orders-v1", "READ") + &topic("bills", "bills-v1", "READ")),
    );
    let after = manifest(
        "acme",
        "Acme Corp",
        &(topic("purchases", "orders-v1", "READ")
            + &topic("bills", "bills-v1", "WRITE")
            + &topic("new", "new-v1", "READ")),
    );
    let old = manifest("old", "Old", &topic("a", "a-v1", "READ"));
    assert_eq!(
        text(&planned(&[(FILE, before), ("zones/old.yaml", old)], &[(FILE, after)])),
        "~ zone/acme: spec.displayName \"Acme\" → \"Acme Corp\" (zones/acme.yaml:4)\n\
         ~ zone/acme/topic/bills: permission \"READ\" → \"WRITE\" (zones/acme.yaml:11)\n\
         + zone/acme/topic/new: READ of new-v1 (zones/acme.yaml:12)\n\
         > zone/acme/topic/purchases: READ of orders-v1, before `orders` (zones/acme.yaml:10)\n\
         - zone/old\n\
         - zone/old/topic/a: READ of a-v1\n\
         \n\
         revision dir@sha256:8c1f\n\
         digest sha256:…\n\
         Plan: 1 to add, 3 to change, 2 to delete\n"
    );
}

#[test]
fn a_refusal_is_said_and_the_lines_it_holds_back_are_marked() {
    let text = text(&planned(&[acme()], &[]));
    assert!(
        text.starts_with("- zone/acme [refused]\n- zone/acme/topic/orders: READ of orders-v1 [refused]\n"),
        "{text}"
    );
    assert!(text.contains("\nrefused: every zone (1) would be deleted"), "{text}");
    assert!(text.ends_with("Plan: 0 to add, 0 to change, 2 to delete; 1 guard\n"), "{text}");
}

#[test]
fn a_value_never_reaches_the_terminal_as_it_is() {
    let zone =
        |display: &str| manifest("acme", &format!("\"{display}\""), &topic("orders", "orders-v1", "READ"));
    let long = "x".repeat(500);
    for display in ["\\e[31mred", "\\u009b31m", long.as_str()] {
        let text = text(&planned(&[(FILE, zone("Acme"))], &[(FILE, zone(display))]));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
    }
}

#[test]
fn the_exit_code_follows_the_documented_order() {
    let bad = || ("zones/bad.yaml", manifest("bad", "Bad", &topic("orders", "orders-v1", "read")));
    for (before, after, pending, wanted) in [
        (vec![acme()], vec![acme()], Pending::Counts, ExitCode::Fine),
        (vec![], vec![acme()], Pending::IsFine, ExitCode::Fine),
        (vec![], vec![acme()], Pending::Counts, ExitCode::ChangesPending),
        (vec![acme()], vec![], Pending::Counts, ExitCode::RefusedByGuard),
        (vec![acme()], vec![bad()], Pending::Counts, ExitCode::Findings),
    ] {
        let (plan, desired) = planned(&before, &after);
        let codes = Report::of_plan(&plan, &desired.loaded).exit_codes(pending);
        assert_eq!(ExitCode::of(&codes), wanted, "{before:?} → {after:?}");
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Findings of all severities, a suppressed one, changes of each kind, and a refusal.
pub(super) fn everything() -> (Plan, Desired) {
    let before = manifest(
        "acme",
        "Acme",
        &(topic("orders", "orders-v1", "READ") + &topic("bills", "bills-v1", "READ")),
    );
    let after = manifest(
        "acme",
        "Acme Corp",
        &(topic("purchases", "orders-v1", "READ")
            + &topic("bills", "bills-v1", "WRITE")
            + "    # reconciler-ignore: PZ0203 the old name is in their contract\n"
            + &topic("bills-old", "bills-v1", "READ")),
    );
    let empty = manifest("empty", "Empty", "")
        .replace("  topics:\n", "  topics: []\n")
        .replace("spec:", "  id: x\nspec:");
    let broken = manifest("broken", "Broken", &topic("a b", "x", "READ"));
    let old = manifest("old", "Old", &topic("a", "a-v1", "READ"));
    planned(
        &[(FILE, before), ("zones/old.yaml", old)],
        &[(FILE, after), ("zones/empty.yaml", empty), ("zones/broken.yaml", broken)],
    )
}

#[test]
fn each_form_of_a_report_looks_as_it_was_agreed() {
    let everything = everything();
    for (name, format) in Format::ALL {
        snapshot(name, &rendered(&everything, format));
    }
}

#[test]
fn what_everybody_must_know_first_is_in_every_form_and_no_such_plan_is_quiet() {
    use crate::reconcile::plan::{Notice, NoticeKind};
    for (before, after) in [(vec![acme()], vec![acme()]), (vec![], vec![])] {
        let (mut plan, desired) = planned(&before, &after);
        let kinds =
            [NoticeKind::Offline, NoticeKind::NotAsked, NoticeKind::RolledBack, NoticeKind::Suspended];
        plan.notices = kinds.map(|kind| Notice::new(kind, format!("told {}", kind.as_str()))).into();
        for (name, format) in Format::ALL {
            let text = rendered(&(plan.clone(), desired.clone()), format);
            for kind in kinds {
                assert!(text.contains(&format!("told {}", kind.as_str())), "{name} does not say it:\n{text}");
            }
        }
    }
}

#[test]
fn no_changes_are_one_line() {
    let same = planned(&[acme()], &[acme()]);
    assert_eq!(
        rendered(&same, Format::Text),
        "No changes (dir@sha256:8c1f). Plan: 0 to add, 0 to change, 0 to delete\n"
    );
    assert_eq!(
        rendered(&same, Format::Markdown),
        format!("{}\nNo changes (`dir@sha256:8c1f`).\n", markdown::MARKER)
    );
}

/// As many findings as somebody can provoke, each as long as a message can be.
fn flood(count: usize) -> Vec<Finding> {
    use crate::manifest::{Code, Location};
    (0..count)
        .map(|line| {
            let code = [Code::TwoAliases, Code::NothingShared, Code::Syntax][line % 3];
            let at = Location { file: "zones/a.yaml".into(), line: line + 1, column: 1, span: 0..0 };
            Finding::new(code, format!("{line} {}", "`@x ü ".repeat(200))).at(at)
        })
        .collect()
}

#[test]
fn a_forge_gets_no_more_than_it_takes_and_the_rest_is_counted() {
    let (findings, texts) = (flood(9_000), Texts::default());
    let report = of_findings(&findings, &[], &texts);
    let form = |format| report.render(format, Colour::Plain);
    let markdown = form(Format::Markdown);
    assert!(markdown.len() <= 65_536 && markdown.len() > 50_000, "{}", markdown.len());
    assert!(markdown.contains(" more are not shown") && markdown.contains("| 3000 | 3000 | 3000 |"));
    assert!(markdown.ends_with("3000 errors, 3000 warnings, 3000 notes\n"));

    let github = form(Format::Github);
    for kind in ["error", "warning", "notice"] {
        let of_kind: Vec<_> = github.lines().filter(|line| line.starts_with(&format!("::{kind} "))).collect();
        assert_eq!(of_kind.len(), 10);
        assert!(of_kind[9].contains("2991 more"), "{}", of_kind[9]);
    }
    let sarif: Value = serde_json::from_str(&form(Format::Sarif)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() == 5_000 && results.iter().all(|result| result["level"] != "note"), "the worst");
    assert!(sarif["runs"][0]["invocations"][0].to_string().contains("4000 more findings not listed"));
    let issues: Value = serde_json::from_str(&form(Format::Gitlab)).unwrap();
    assert_eq!(issues.as_array().unwrap().len(), 5_001);
    assert!(form(Format::Junit).contains("4000 more findings not listed"));
    let json: Value = serde_json::from_str(&form(Format::Json)).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), 9_000, "programs get all of them");
}

#[test]
fn thousands_of_zones_are_cut_and_the_last_line_stays() {
    let zones: Vec<(String, String)> = (0..2_000)
        .map(|n| (format!("zones/z{n}.yaml"), manifest(&format!("z{n}"), "Z", &topic("a", "b", "READ"))))
        .collect();
    let files: Vec<(&str, String)> = zones.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let markdown = rendered(&planned(&[], &files), Format::Markdown);
    assert!(markdown.len() <= 65_536 && markdown.len() > 55_000, "{}", markdown.len());
    assert!(markdown.contains(" more are in further zones not shown"), "{}", &markdown[60_000..]);
    assert!(markdown.ends_with("Plan: 4000 to add, 0 to change, 0 to delete\n"));
}

#[test]
fn a_fingerprint_stays_when_lines_move_and_is_never_twice() {
    let fingerprints = |text: String| -> Vec<String> {
        let planned = planned(&[], &[(FILE, text)]);
        let sarif: Value = serde_json::from_str(&rendered(&planned, Format::Sarif)).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let name = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].clone();
        results.iter().map(|result| name(result).as_str().unwrap().to_owned()).collect()
    };
    let text = manifest("acme", "Acme", &(topic("a b", "x", "READ") + &topic("a b", "x", "READ")));
    let here = fingerprints(text.clone());
    assert_eq!(here.len(), 2);
    assert_ne!(here[0], here[1]);
    assert_eq!(fingerprints(format!("# one more line\n{text}")), here);
}
