//! What an operator does when something goes wrong, as they type it: the binary, a Git repository, real Kafka.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};

/// Exit code and everything that was printed.
fn ended(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

fn run(product: &Product, arguments: &[&str]) -> (i32, String) {
    ended(&product.cli(arguments))
}

/// Reports of an `apply` are those of a plan, with what came of it.
fn every_form_of_one_run(product: &Product) {
    let folder = tempfile::tempdir().unwrap();
    let forms = ["text", "json", "markdown", "github", "gitlab", "sarif", "junit"];
    let outputs = forms.map(|form| format!("--output={form}={}", folder.path().join(form).display()));
    let arguments = outputs.iter().map(String::as_str);
    let (code, said) = run(product, &std::iter::once("apply").chain(arguments).collect::<Vec<_>>());
    assert_eq!(code, 0, "{said}");
    for form in forms {
        let text = std::fs::read_to_string(folder.path().join(form)).unwrap();
        assert!(text.contains("UpToDate"), "{form}: {text}");
    }
    let json = std::fs::read(folder.path().join("json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["run"]["plan"], json["digest"], "what was shown is what was done: {json:#}");
}

fn another_plan_is_not_applied(product: &Product) {
    let other = format!("sha256:{}", "0".repeat(64));
    let (code, said) = run(product, &["apply", "--expect-plan", &other]);
    assert!(code == 4 && said.contains("not the expected"), "{said}");
    for wanted in [&other, "zones in force: 2", "  next: look at this plan"] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
}

fn a_rewritten_history_is_shouted_until_it_is_accepted(product: &Product, zone: &str) {
    let head = product.rewrite();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), zone).unwrap();
    let (folder, url) = (folder.path().to_str().unwrap(), product.url());
    let started = Instant::now();
    let said = loop {
        let (_, said) = run(product, &["plan", "--zones", folder, "--url", &url]);
        if said.starts_with(
            "NOT FOLLOWED: the controller's last run failed: the history of refs/heads/main was rewritten",
        ) {
            break said;
        }
        assert!(started.elapsed() < Duration::from_secs(45), "{said}");
    };
    assert!(said.contains("- zone/beta"), "the plan is there all the same: {said}");
    let (code, said) = run(product, &["plan", "--url", &url]);
    assert!(code == 5 && said.contains(&format!("reconciler source accept {head}")), "{said}");
    assert_eq!(run(product, &["source", "accept", &head]).0, 0);
    let (code, said) = run(product, &["plan", "--url", &url]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(product, &["apply"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_operator_suspends_looks_resumes_applies_and_rolls_back() {
    let backing = unique("orders");
    let cluster = Cluster::shared();
    cluster.create_topic(&backing, 1);
    let zone = |name: &str| manifest(name, &[("orders", &backing, "READ")]);
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &zone("acme"))]);
    product.wait_for_status("acme", "READY");
    let first = product.head();

    let (code, said) = run(&product, &["suspend", "--reason", "incident 4711"]);
    assert_eq!(code, 0, "{said}");
    product.commit("Share with another", &[("beta.yaml", Some(&zone("beta")))]);
    for shown in [&["get", "zones"][..], &["get", "controller"]] {
        let (code, said) = run(&product, shown);
        assert!(code == 0 && said.contains("SUSPENDED") && said.contains("incident 4711"), "{said}");
    }
    let url = product.url();
    let plan = ["plan", "--url", url.as_str()];
    let (code, said) = run(&product, &plan);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("SUSPENDED: everything")
            && said.contains("+ zone/beta (zones/beta.yaml:4) [suspended]"),
        "{said}"
    );
    let (code, said) = run(&product, &["apply"]);
    assert!(code == 4 && said.contains("incident 4711"), "{said}");
    assert!(product.zone("beta").is_none());

    let (code, said) = run(&product, &["resume"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&product, &["resume"]);
    assert!(code == 2 && said.contains("is not suspended"), "{said}");
    product.wait_for_status("beta", "READY");
    assert_eq!(run(&product, &["apply"]).0, 0);
    every_form_of_one_run(&product);
    let metrics = product.metrics();
    for line in [
        "partner_zones_reconcile_suspensions{scope=\"all\"} 0",
        "partner_zones_reconcile_condition{condition=\"Suspended\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    // A plan that is no longer the one that was looked at is not applied.
    another_plan_is_not_applied(&product);
    let (code, said) = run(&product, &["apply", "--allow-deletes", "3"]);
    assert!(code == 2 && said.contains("--expect-plan"), "{said}");

    let (code, said) = run(&product, &["rollback", "--to", &first, "--ttl", "2h"]);
    assert_eq!(code, 0, "{said}");
    product.wait_for_zone("beta", |zone| zone.is_none());
    let (_, said) = run(&product, &["get", "controller"]);
    assert!(said.contains("ROLLED BACK:") && said.contains(&first), "{said}");
    let (code, said) = run(&product, &plan);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("ROLLED BACK: commit {first} is applied until ")), "{said}");
    assert!(said.contains("+ zone/beta"), "a plan is of what comes: {said}");
    let (code, said) = run(&product, &["apply"]);
    assert!(code == 0 && said.contains("UpToDate") && !said.contains("+ zone/beta"), "{said}");
    let (code, said) = run(&product, &["rollback", "--end"]);
    assert_eq!(code, 0, "{said}");
    product.wait_for_status("beta", "READY");
    let (code, said) = run(&product, &["rollback", "--to", "main", "--ttl", "2h"]);
    assert!(code == 2 && said.contains("full id"), "{said}");

    a_rewritten_history_is_shouted_until_it_is_accepted(&product, &zone("acme"));

    // A broken file is the first thing that is said of it.
    let broken = manifest("beta", &[("orders", &backing, "read")]);
    product.commit("Break it", &[("beta.yaml", Some(&broken))]);
    let (code, said) = run(&product, &["apply"]);
    assert!(code == 1 && said.contains("zones/beta.yaml"), "{said}");
    let shown = product.wait_for_status("beta", "FAILED");
    let valid =
        shown["status"]["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "Valid").unwrap();
    assert!(valid["status"] == "False" && valid["lastTransitionTime"].is_string(), "{valid}");
}
