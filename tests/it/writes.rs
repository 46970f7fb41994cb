//! Zones that are written over REST: each write is a commit in a real repository, and then in force.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};
use crate::support::rest::{Answer, Rest};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A product that writes to its source in this way.
pub(crate) fn writing(mode: &str, more: &str, zones: &[(&str, &str)]) -> Product {
    with_source(&format!("writeBack: {{mode: {mode}}}"), more, zones)
}

/// A product whose configuration says this of its source.
pub(crate) fn with_source(of_source: &str, more: &str, zones: &[(&str, &str)]) -> Product {
    let mut product = Product::start(Cluster::shared(), Setup::MEMORY, zones);
    let text = fs::read_to_string(product.config()).unwrap();
    let with = format!("pollInterval: 1s, {of_source}");
    let text = text.replacen("pollInterval: 1s", &with, 1);
    assert!(text.contains(&with));
    fs::write(product.config(), text + more).unwrap();
    // What is in memory goes with the process, the key too.
    fs::remove_file(product.config().with_file_name("api-key")).unwrap();
    product.restart();
    product
}

pub(crate) fn zone(name: &str, topic: &str, description: &str) -> Value {
    json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": name},
        "spec": {
            "cluster": "gateway", "displayName": name, "description": description,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{name}-sa")},
            "topics": [{"name": "orders", "backingTopic": topic, "permission": "READ"}],
        },
    })
}

fn put(rest: &Rest, zone: &Value, headers: &[(&str, &str)]) -> Answer {
    let path = format!("/api/v1/zones/{}", zone["metadata"]["name"].as_str().unwrap());
    rest.send(Method::PUT, &path, &[headers, &[JSON]].concat(), &zone.to_string())
}

fn post(rest: &Rest, zone: &Value, query: &str) -> Answer {
    rest.send(Method::POST, &format!("/api/v1/zones{query}"), &[JSON], &zone.to_string())
}

fn topic() -> String {
    let topic = unique("writes");
    Cluster::shared().create_topic(&topic, 1);
    topic
}

/// A zone that is there from the beginning: a source without one is no source.
fn keep(topic: &str) -> String {
    manifest("keep", &[("orders", topic, "READ")])
}

/// A git command in the repository that is watched.
pub(crate) fn git(product: &Product, arguments: &[&str]) -> String {
    let output =
        std::process::Command::new("git").arg("-C").arg(product.source()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_zone_is_created_changed_and_deleted_by_commits_that_keep_the_rest_of_the_file() {
    let topic = topic();
    let text = manifest("globex", &[("orders", &topic, "READ")]);
    let text = format!("# Globex pays by the month.\n{text}# The end.\n");
    let product = writing("commit", "", &[("west/globex.yaml", &text)]);
    let rest = Rest::admin(&product);
    product.wait_for_status("globex", "READY");

    // A dry run says all and does nothing.
    let head = git(&product, &["rev-parse", "main"]);
    let acme = zone("acme", &topic, "orders of the west");
    let tried = post(&rest, &acme, "?dryRun=true").expect(200);
    assert_eq!((&tried["result"], &tried["commit"]), (&json!("created"), &Value::Null), "{tried:#}");
    assert!(tried["diff"].as_str().unwrap().contains("+  name: acme"), "{tried:#}");
    assert_eq!(tried["plan"]["changes"][0]["address"], "zone/acme", "{tried:#}");
    assert_eq!(git(&product, &["rev-parse", "main"]), head);

    let created = post(&rest, &acme, "?reason=they%20signed");
    let (tag, location) = (created.header("etag").to_owned(), created.header("location").to_owned());
    let created = created.expect(201);
    assert_eq!(location, "/api/v1/zones/acme");
    assert_eq!(created["zone"]["metadata"]["name"], "acme", "{created:#}");
    assert!(created["zone"]["status"]["phase"].is_string(), "{created:#}");
    product.wait_for_status("acme", "READY");
    let log = git(&product, &["log", "-1", "--format=%an%n%ae%n%cn%n%B", "main"]);
    let key = product.admin_key().split('_').nth(1).unwrap().to_owned();
    assert_eq!(
        log.trim_end(),
        format!(
            "API key {key}\n{key}@api-key.invalid\npartner-zones\nAdd zone acme\n\nWhy: they signed\n\nAsked-by: API key {key} <{key}@api-key.invalid>"
        )
    );
    // Whoever did not hear the answer asks again; whoever wants something else is told.
    let again = post(&rest, &acme, "").expect(200);
    assert_eq!((&again["result"], &again["commit"]), (&json!("unchanged"), &Value::Null), "{again:#}");
    post(&rest, &zone("acme", &topic, "something else"), "").expect(409);

    // One word of the file changes, nothing else.
    let mut globex: Value = rest.get("/api/v1/zones/globex").expect(200);
    globex.as_object_mut().unwrap().remove("status");
    globex["spec"]["displayName"] = json!("Globex Corp.");
    let updated = put(&rest, &globex, &[]).expect(200);
    assert_eq!(updated["file"], "zones/west/globex.yaml");
    let changed = git(&product, &["show", "main:zones/west/globex.yaml"]);
    let differing = text.lines().zip(changed.lines()).filter(|(before, after)| before != after);
    assert_eq!(differing.map(|(_, after)| after.trim()).collect::<Vec<_>>(), ["displayName: Globex Corp."]);
    assert_eq!(text.lines().count(), changed.lines().count());

    // Whoever has seen another form changes nothing.
    let acme = zone("acme", &topic, "orders of the east");
    let updated = put(&rest, &acme, &[("if-match", &tag)]);
    let new_tag = updated.header("etag").to_owned();
    assert_eq!(updated.expect(200)["result"], "updated");
    assert_ne!(new_tag, tag);
    put(&rest, &zone("acme", &topic, "late"), &[("if-match", &tag)]).expect(412);
    put(&rest, &zone("acme", &topic, "late"), &[("if-none-match", "*")]).expect(409);
    put(&rest, &zone("acme", &topic, "odd"), &[("if-match", "*")]).expect(400);
    rest.send(Method::DELETE, "/api/v1/zones/acme", &[("if-match", &tag)], "").expect(412);
    assert_eq!(
        product
            .wait_for_zone("acme", |zone| {
                zone.is_some_and(|zone| zone["spec"]["description"] == "orders of the east")
            })
            .unwrap()["spec"]["description"],
        "orders of the east"
    );

    let deleted = rest.send(Method::DELETE, "/api/v1/zones/acme", &[("if-match", &new_tag)], "").expect(200);
    assert_eq!(deleted["result"], "deleted", "{deleted:#}");
    product.wait_for_zone("acme", |zone| zone.is_none());
    assert!(!git(&product, &["ls-tree", "-r", "--name-only", "main"]).contains("acme"));
    rest.send(Method::DELETE, "/api/v1/zones/acme", &[], "").expect(404);
    assert_eq!(product.wait_for_status("globex", "READY")["spec"]["displayName"], "Globex Corp.");
}

#[test]
fn what_would_not_be_right_or_a_guard_holds_back_is_refused_before_it_is_committed() {
    let topic = topic();
    let globex = manifest("globex", &[("orders", &topic, "READ")]);
    let guards = "guards: {maxDeletePercent: 10, maxUpdatePercent: 100, floor: 1}\n";
    let product = writing("commit", guards, &[("globex.yaml", &globex)]);
    let rest = Rest::admin(&product);
    product.wait_for_status("globex", "READY");
    let head = git(&product, &["rev-parse", "main"]);

    let mut wrong = zone("acme", &topic, "two aliases of one name");
    let alias = wrong["spec"]["topics"][0].clone();
    wrong["spec"]["topics"].as_array_mut().unwrap().push(alias);
    let refused = post(&rest, &wrong, "").expect(422);
    assert_eq!(refused["findings"][0]["code"], "PZ0201", "{refused:#}");
    // What only all files together tell.
    let mut taken = zone("acme", &topic, "an account of somebody else's");
    taken["spec"]["authenticationMode"]["serviceAccount"] =
        rest.get("/api/v1/zones/globex").expect(200)["spec"]["authenticationMode"]["serviceAccount"].clone();
    let refused = post(&rest, &taken, "").expect(422);
    assert_eq!(refused["findings"][0]["code"], "PZ0301", "{refused:#}");
    let mut elsewhere = zone("acme", &topic, "a cluster that there is not");
    elsewhere["spec"]["underlyingCluster"] = json!("mars");
    let refused = post(&rest, &elsewhere, "").expect(422);
    assert_eq!(refused["findings"][0]["code"], "PZ0303", "{refused:#}");
    let guarded = rest.send(Method::DELETE, "/api/v1/zones/globex", &[], "").expect(409);
    assert!(!guarded["reasons"].as_array().unwrap().is_empty(), "{guarded:#}");
    assert!(!guarded["waysOut"].as_array().unwrap().is_empty(), "{guarded:#}");
    // Words that lift guards when a person commits them.
    let line = "?reason=x%0A%0AReconciler-Allow-Deletes:%209%20why";
    rest.send(Method::DELETE, &format!("/api/v1/zones/globex{line}"), &[], "").expect(400);

    let body = zone("acme", &topic, "as a form").to_string();
    rest.send(Method::POST, "/api/v1/zones", &[("content-type", "text/plain")], &body).expect(415);
    rest.send(Method::POST, "/api/v1/zones", &[JSON], "{").expect(400);
    rest.send(Method::PUT, "/api/v1/zones/other", &[JSON], &body).expect(400);
    rest.send(Method::POST, "/api/v1/zones", &[JSON], &"x".repeat((1 << 20) + 1)).expect(413);
    assert_eq!(git(&product, &["rev-parse", "main"]), head, "nothing was committed");

    // YAML with remarks is as good, which are not kept: the file is new.
    let yaml = manifest("acme", &[("orders", &topic, "READ")]);
    rest.send(Method::POST, "/api/v1/zones", &[("content-type", "application/yaml")], &yaml).expect(201);
    product.wait_for_status("acme", "READY");
}

#[test]
fn writers_who_race_with_each_other_and_with_people_lose_nothing() {
    const EACH: usize = 5;
    let topic = topic();
    let product = writing("commit", "", &[("keep.yaml", &keep(&topic))]);
    let (url, key) = (product.url(), product.admin_key());
    let done = AtomicBool::new(false);
    let pushed = thread::scope(|scope| {
        let writers: Vec<_> = ["a", "b"]
            .into_iter()
            .map(|writer| {
                let (topic, url, key) = (&topic, url.clone(), key.clone());
                scope.spawn(move || {
                    let rest = Rest::new(url, key);
                    for number in 0..EACH {
                        let zone = zone(&format!("{writer}{number}"), topic, "raced");
                        // 409 is for whoever was overtaken again and again, and nothing was written then.
                        while post(&rest, &zone, "").status == 409 {}
                    }
                })
            })
            .collect();
        let person = scope.spawn(|| {
            let clone = tempfile::tempdir().unwrap();
            let at = clone.path();
            let run = |arguments: &[&str]| {
                let person = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
                let output =
                    std::process::Command::new("git").args(person).args(arguments).current_dir(at).output();
                output.unwrap().status.success()
            };
            assert!(run(&["clone", "--quiet", &product.source().display().to_string(), "."]));
            let mut pushed = 0;
            while !done.load(Ordering::Relaxed) {
                fs::write(at.join(format!("note-{pushed}")), "of a person").unwrap();
                assert!(run(&["add", "--all"]) && run(&["commit", "--quiet", "--message", "A note"]));
                while !run(&["push", "--quiet", "origin", "main"]) {
                    assert!(run(&["pull", "--quiet", "--rebase", "origin", "main"]));
                }
                pushed += 1;
                thread::sleep(std::time::Duration::from_millis(200));
            }
            pushed
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        person.join().unwrap()
    });
    assert!(pushed > 0);
    let files = git(&product, &["ls-tree", "-r", "--name-only", "main"]);
    for writer in ["a", "b"] {
        for number in 0..EACH {
            let name = format!("{writer}{number}");
            assert!(files.contains(&format!("zones/{name}.yaml")), "{files}");
            product.wait_for_status(&name, "READY");
        }
    }
    for note in 0..pushed {
        assert!(files.lines().any(|file| file == format!("note-{note}")), "{files}");
    }
}

#[test]
fn a_proposal_is_a_branch_and_nothing_happens_before_it_is_merged() {
    let topic = topic();
    let product = writing("branch", "", &[("keep.yaml", &keep(&topic))]);
    let rest = Rest::admin(&product);
    let acme = zone("acme", &topic, "to be reviewed");
    let proposed = post(&rest, &acme, "").expect(202);
    assert_eq!(proposed["commit"]["isProposal"], true, "{proposed:#}");
    let reference = proposed["commit"]["reference"].as_str().unwrap();
    assert!(reference.starts_with("refs/heads/partner-zones/acme-"), "{reference}");
    rest.get("/api/v1/zones/acme").expect(404);
    assert!(!git(&product, &["ls-tree", "-r", "--name-only", "main"]).contains("acme"));
    // Whoever did not hear the answer asks again, and nobody has two branches to look at.
    let again = post(&rest, &acme, "").expect(202);
    assert_eq!(again["commit"], proposed["commit"]);
    let proposals = git(&product, &["for-each-ref", "--format=%(refname)", "refs/heads/partner-zones"]);
    assert_eq!(proposals.lines().collect::<Vec<_>>(), [reference]);
    git(&product, &["update-ref", "refs/heads/main", reference]);
    product.wait_for_status("acme", "READY");
}

#[test]
fn without_write_back_the_answer_is_what_to_commit() {
    let topic = topic();
    let product = writing("none", "", &[("keep.yaml", &keep(&topic))]);
    let rest = Rest::admin(&product);
    let acme = zone("acme", &topic, "to be committed by hand");
    let refused = post(&rest, &acme, "").expect(409);
    assert_eq!(refused["file"], "zones/acme.yaml", "{refused:#}");
    assert!(refused["detail"].as_str().unwrap().contains("zones/acme.yaml"), "{refused:#}");
    product.commit("By hand", &[("acme.yaml", Some(refused["text"].as_str().unwrap()))]);
    product.wait_for_status("acme", "READY");
    let refused = rest.send(Method::DELETE, "/api/v1/zones/acme", &[], "").expect(409);
    assert_eq!((&refused["file"], &refused["text"]), (&json!("zones/acme.yaml"), &Value::Null));
}

#[test]
fn an_owner_is_told_of_their_zone_and_not_of_the_others_in_its_file() {
    let (ours, theirs) = (topic(), topic());
    let neighbour = manifest("rival", &[("ledger", &theirs, "READ")]);
    let shared =
        format!("{}---\n# What rival pays for.\n{neighbour}", manifest("mine", &[("orders", &ours, "READ")]));
    let product = writing("none", "", &[("shared.yaml", &shared)]);
    let admin = Rest::admin(&product);
    product.wait_for_status("mine", "READY");
    let role = json!({"role": "owner", "topics": [ours]}).to_string();
    let made = admin.send(Method::POST, "/api/v1/api-keys", &[JSON], &role).expect(201);
    let owner = Rest::new(product.url(), made["key"].as_str().unwrap().to_owned());
    let mut mine: Value = owner.get("/api/v1/zones/mine").expect(200);
    mine.as_object_mut().unwrap().remove("status");
    mine["spec"]["description"] = json!("changed");
    let tried =
        owner.send(Method::PUT, "/api/v1/zones/mine?dryRun=true", &[JSON], &mine.to_string()).expect(200);
    let refused = put(&owner, &mine, &[]).expect(409);
    let deleted = owner.send(Method::DELETE, "/api/v1/zones/mine", &[], "").expect(409);
    for told in [&tried, &refused, &deleted] {
        let text = told.to_string();
        assert!(!text.contains("rival") && !text.contains(&theirs), "{told:#}");
        assert_eq!((&told["file"], told.get("text")), (&json!("zones/shared.yaml"), None), "{told:#}");
    }
    for told in [&tried, &refused] {
        assert!(told["diff"].as_str().unwrap().contains("+  description: changed"), "{told:#}");
    }
    let document = refused["document"].as_str().unwrap();
    assert!(document.contains("name: mine") && document.contains("description: changed"), "{document}");
    assert!(deleted["diff"].as_str().unwrap().contains("-  name: mine"), "{deleted:#}");

    let whole = put(&admin, &mine, &[]).expect(409)["text"].as_str().unwrap().to_owned();
    assert!(whole.contains("description: changed") && whole.ends_with(&neighbour), "{whole}");
}

#[test]
fn while_the_repository_is_away_nothing_is_written_and_afterwards_it_is() {
    let topic = topic();
    let product = writing("commit", "", &[("keep.yaml", &keep(&topic))]);
    let rest = Rest::admin(&product);
    let acme = zone("acme", &topic, "later");
    let away = product.source().with_extension("away");
    fs::rename(product.source(), &away).unwrap();
    let refused = post(&rest, &acme, "");
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    refused.expect(503);
    fs::rename(&away, product.source()).unwrap();
    rest.get("/api/v1/zones/acme").expect(404);
    post(&rest, &acme, "").expect(201);
    product.wait_for_status("acme", "READY");
}

#[test]
fn the_command_line_writes_shows_edits_and_deletes_zones() {
    let topic = topic();
    let product = writing("commit", "", &[("keep.yaml", &keep(&topic))]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme.yaml");
    fs::write(&file, manifest("acme", &[("orders", &topic, "READ")])).unwrap();
    let file = file.to_str().unwrap();
    let run = |code: i32, arguments: &[&str]| {
        let output = product.cli(arguments);
        let [out, err] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}{err}");
        (out, err)
    };
    let (out, _) = run(3, &["diff", "-f", file, "--fail-on-changes"]);
    assert!(out.contains("+++ b/zones/acme.yaml") && out.contains("+  name: acme"), "{out}");
    let (out, _) = run(0, &["apply", "-f", file, "--dry-run"]);
    assert!(out.ends_with("zone/acme created (dry run)\n"), "{out}");
    let (out, _) = run(0, &["apply", "-f", file, "--reason", "signed"]);
    assert!(out.starts_with("zone/acme created by main@sha1:"), "{out}");
    product.wait_for_status("acme", "READY");
    assert_eq!(run(0, &["apply", "-f", file]).0, "zone/acme unchanged\n");
    assert_eq!(run(0, &["diff", "-f", file, "--fail-on-changes"]).0, "");

    let edit = |command: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .arg("--config")
            .arg(product.config())
            .args(["edit", "zone", "acme"])
            .env("RECONCILER_API_KEY", product.admin_key())
            .env("EDITOR", command)
            .env_remove("VISUAL")
            .env("TMPDIR", folder.path())
            .output()
            .unwrap()
    };
    let output = edit("sed -i 's/displayName: acme/displayName: Acme Inc./'");
    assert!(output.status.success(), "{output:?}");
    product.wait_for_zone("acme", |zone| zone.is_some_and(|zone| zone["spec"]["displayName"] == "Acme Inc."));
    assert_eq!(String::from_utf8(edit("true").stdout).unwrap(), "zone/acme unchanged\n");
    let left = || fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left(), 1, "nothing but the file of this test");
    // What is wrong is not lost.
    let output = edit("sed -i 's/permission: READ/permission: EVERYTHING/'");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("PZ0104") && said.contains("what you saved is in"), "{said}");
    assert_eq!(left(), 2);

    let (out, _) = run(0, &["delete", "zone", "acme"]);
    assert!(out.starts_with("zone/acme deleted by main@sha1:"), "{out}");
    product.wait_for_zone("acme", |zone| zone.is_none());
    let (_, err) = run(2, &["delete", "zone", "acme"]);
    assert!(err.contains("zone/acme: there is no zone of this name"), "{err}");
}
