//! A zone that is changed, by one or by two at once, and deleted.

use reqwest::Method;
use serde_json::json;

use super::wizard::git;
use super::{Stage, topic, zone};
use crate::support::browser::{Page, named};
use crate::support::client::Client;
use crate::support::kafka::unique;
use crate::support::rest::Rest;

const ZONE: &str = "/ui/zones/acme";

fn stage() -> Stage {
    let topics = [("orders", &*topic("orders"), "READ"), ("reports", &*topic("reports"), "READ")];
    let more = json!({"spec": {"displayName": "Acme", "description": "As agreed on."}});
    let text = format!("# Ours since May.\n{}# The end.\n", zone("acme", &topics, more));
    let stage = Stage::with(&[("acme", text), ("keep", zone("keep", &[topics[0]], json!({})))]);
    stage.product.wait_for_status("acme", "READY");
    stage
}

#[test]
fn a_zone_is_changed_by_one_and_by_two_at_once_and_deleted() {
    let stage = stage();
    let page = stage.administrator();
    changed(&stage, &page);
    changed_by_somebody_else(&stage, &page);
    deleted(&stage, &page);
}

fn changed(stage: &Stage, page: &Page<'_>) {
    page.go(ZONE);
    page.follow(named("a", "Edit"));
    page.examine("edit-details");
    // Looked at and left as it is, it is no change.
    page.follow(named(".steps button", "Review"));
    assert!(!page.has(named("button", "Save changes")));
    page.examine("edit-unchanged");
    page.follow(named(".steps button", "Details"));
    page.fill("[id='spec.displayName']", "Acme Corporation");
    page.follow(named(".steps button", "Topics"));
    page.follow(named("button", "Remove reports"));
    page.follow(named(".steps button", "Review"));
    page.wait_for(named(".notice", "The partner's clients lose 1 alias"));
    page.wait_for(named(".removed", "displayName: Acme"));
    page.wait_for(named(".added", "displayName: Acme Corporation"));
    page.examine("edit-review");
    page.is_used_by_keyboard();
    page.follow(named("button", "Save changes"));
    page.wait_for(named("h1", "Changes saved"));
    page.wait_for(named("#state .badge.good", "READY"));
    let file = git(stage, &["show", "main:zones/acme.yaml"]);
    assert!(file.starts_with("# Ours since May.\n") && file.ends_with("# The end.\n"), "{file}");
    assert!(file.contains("Acme Corporation") && !file.contains("reports"), "{file}");
    page.follow(named("a", "Open the zone"));
    page.reload_until(named("h1", "Acme Corporation"));
}

fn changed_by_somebody_else(stage: &Stage, page: &Page<'_>) {
    page.go(&format!("{ZONE}/edit"));
    page.fill("[id='spec.description']", "Mine.");
    let rest = Rest::admin(&stage.product);
    let mut theirs = rest.get("/api/v1/zones/acme").expect(200);
    theirs.as_object_mut().unwrap().remove("status");
    theirs["spec"]["displayName"] = json!("Theirs");
    let json = [("content-type", "application/json")];
    rest.send(Method::PUT, "/api/v1/zones/acme", &json, &theirs.to_string()).expect(200);
    stage.product.wait_for_zone("acme", |zone| {
        zone.is_some_and(|zone| zone["spec"]["displayName"] == "Theirs" && zone["status"]["phase"] == "READY")
    });
    page.follow(named(".steps button", "Review"));
    assert_eq!(page.status(), 412);
    page.wait_for(named("[role=alert]", "Somebody changed this zone meanwhile. Nothing was written."));
    page.examine("edit-overtaken");
    page.follow(named("button", "Put mine over it"));
    page.wait_for(named(".removed", "displayName: Theirs"));
    page.wait_for(named(".added", "description: Mine."));
    page.follow(named("button", "Save changes"));
    page.wait_for(named("h1", "Changes saved"));
    page.wait_for(named("#state .badge.good", "READY"));
    assert!(git(stage, &["show", "main:zones/acme.yaml"]).contains("description: Mine."));
}

fn deleted(stage: &Stage, page: &Page<'_>) {
    let partner = stage.product.partner("acme");
    let group = unique("readers");
    let listening = ["consume", "--topic", "orders", "--group", &group, "--until-stdin-closes"];
    let mut client = Client::Librdkafka.start(&partner.connection(), &listening);
    client.wait_for("an assignment", |events| events.assignment().filter(|held| !held.is_empty()));
    page.go("/ui/zones");
    page.click("tbody tr:first-child .menu summary");
    page.follow(named(".panel a", "Delete…"));
    page.reload_until(named(".told", "1 client will be cut off at once:"));
    page.reload_until(named(".told", &format!("{} from 127.0.0.1", partner.username)));
    page.wait_for(named(".removed", "name: acme"));
    page.examine("delete");
    page.is_used_by_keyboard();
    page.fill("#confirm", "delete");
    page.follow(named("button", "Delete zone"));
    assert_eq!(page.status(), 422);
    page.wait_for(named("#confirm-help", "Type DELETE, in capitals"));
    page.examine("delete-wrong");
    assert!(git(stage, &["ls-tree", "-r", "--name-only", "main"]).contains("zones/acme.yaml"));
    page.fill("#confirm", "DELETE");
    page.fill("#reason", "The contract has ended");
    page.led(|page| page.press("Enter"));
    assert_eq!(page.address(), "/ui/zones?deleted=acme");
    page.wait_for(named("#deleted", "is deleted."));
    page.wait_until_gone("a.name[href='/ui/zones/acme']");
    page.examine("list-deleted");
    client.wait_for("that it is cut", |events| {
        events.errors().iter().any(|it| it.error == "SASL_AUTHENTICATION_FAILED").then_some(())
    });
    client.kill();
    assert!(git(stage, &["log", "-1", "--format=%B", "main"]).contains("The contract has ended"));
    page.go(ZONE);
    assert_eq!(page.status(), 404);
}
