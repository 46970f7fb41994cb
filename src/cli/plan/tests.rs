use std::sync::Arc;

use super::*;
use crate::app::config;
use crate::manifest::{Known, SourceFile, load};
use crate::zone::Revision;

const FILE: &str = "zones/acme.yaml";

pub(super) fn manifest(name: &str, display: &str, topics: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  displayName: {display}\n  \
         authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n{topics}"
    )
}

pub(super) fn topic(alias: &str, backing: &str, permission: &str) -> String {
    format!("    - {{name: {alias}, backingTopic: {backing}, permission: {permission}}}\n")
}

fn desired(files: &[(&str, String)]) -> Desired {
    let files = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), content: Ok(text.clone().into_bytes()) });
    Desired {
        revision: Revision::folder("8c1f"),
        tree: "sha256:8c1f".to_owned(),
        commit: None,
        loaded: Arc::new(load(files, &Known::default())),
    }
}

pub(super) fn planned(before: &[(&str, String)], after: &[(&str, String)]) -> (Plan, Desired) {
    let zones =
        desired(before).loaded.zones.iter().map(|(name, it)| (name.clone(), Arc::clone(&it.zone))).collect();
    let observed = Observed { zones, ..Observed::default() };
    let desired = desired(after);
    (plan(&desired, &observed, &Terms::default()), desired)
}

fn text((plan, desired): &(Plan, Desired)) -> String {
    let text = text::render(plan, &desired.loaded.texts, Colour::Plain);
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
    let acme = manifest("acme", "Acme", &topic("orders", "orders-v1", "READ"));
    let text = text(&planned(&[(FILE, acme)], &[]));
    assert!(
        text.starts_with("- zone/acme [refused]\n- zone/acme/topic/orders: READ of orders-v1 [refused]\n"),
        "{text}"
    );
    assert!(text.contains("\nrefused: every zone (1) would be deleted"), "{text}");
    assert!(text.ends_with("Plan: 0 to add, 0 to change, 2 to delete\n"), "{text}");
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
    let acme = || (FILE, manifest("acme", "Acme", &topic("orders", "orders-v1", "READ")));
    let bad = || ("zones/bad.yaml", manifest("bad", "Bad", &topic("orders", "orders-v1", "read")));
    for (before, after, pending, wanted) in [
        (vec![acme()], vec![acme()], Pending::Counts, ExitCode::Fine),
        (vec![], vec![acme()], Pending::IsFine, ExitCode::Fine),
        (vec![], vec![acme()], Pending::Counts, ExitCode::ChangesPending),
        (vec![acme()], vec![], Pending::Counts, ExitCode::RefusedByGuard),
        (vec![acme()], vec![bad()], Pending::Counts, ExitCode::Findings),
    ] {
        let (plan, _) = planned(&before, &after);
        assert_eq!(exit_code(&plan, pending), wanted, "{before:?} → {after:?}");
    }
}

fn args(arguments: &[&str]) -> Result<Args, clap::Error> {
    #[derive(clap::Parser)]
    struct Parser {
        #[command(flatten)]
        args: Args,
    }
    clap::Parser::try_parse_from(std::iter::once(&"plan").chain(arguments)).map(|parser: Parser| parser.args)
}

#[test]
fn a_folder_and_a_ref_exclude_each_other_and_a_folder_must_exist() {
    assert!(args(&["--zones", "zones", "--ref", "refs/heads/x"]).is_err());
    let config = config::parse("reconciler.yaml", b"{}", &config::Environment::default()).unwrap();
    let missing = Chosen::new(&args(&["--zones", "no-such-folder"]).unwrap(), &config).err().unwrap();
    assert_eq!(missing.exit_code, ExitCode::Usage);
    let nothing = Chosen::new(&args(&[]).unwrap(), &config).err().unwrap();
    assert!(nothing.cause.contains("source.url"), "{nothing}");
}

#[test]
fn the_scratch_folder_goes_with_the_command() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.0.clone();
    assert!(folder.is_dir());
    drop(scratch);
    assert!(!folder.exists());
}

#[test]
fn an_offline_plan_is_of_a_folder_and_asks_no_server() {
    assert!(args(&["--offline", "--zones", "zones", "--base", "main"]).is_ok());
    assert!(args(&["--offline"]).is_err());
    assert!(args(&["--offline", "--zones", "zones", "--url", "http://127.0.0.1:1"]).is_err());
    assert!(args(&["--only", "No Zone"]).is_err());
}
