//! What each role sees of the pages, and what it does not.

use serde_json::json;

use super::{Stage, topic, zone};
use crate::support::browser::{Page, named};
use crate::support::client::Client;

struct Shared {
    sales: String,
    payroll: String,
}

fn stage() -> (Stage, Shared) {
    let shared = Shared { sales: topic("sales"), payroll: topic("payroll") };
    let contact =
        json!({"spec": {"partner": {"name": "Hank Scorpio"}, "description": "Agreed on with Hank."}});
    let stage = Stage::with(&[
        ("acme", zone("acme", &[("orders", &shared.sales, "READ")], contact.clone())),
        (
            "globex",
            zone("globex", &[("orders", &shared.sales, "READ"), ("wages", &shared.payroll, "READ")], contact),
        ),
        ("initech", zone("initech", &[("wages", &shared.payroll, "READ")], json!({}))),
    ]);
    for name in ["acme", "globex", "initech"] {
        stage.product.wait_for_status(name, "READY");
    }
    (stage, shared)
}

fn zones(page: &Page<'_>) -> Vec<String> {
    page.texts("#zones a.name")
}

/// Anything about it, seen or not.
fn knows(page: &Page<'_>, name: &str) -> bool {
    page.value("document.documentElement.outerHTML").as_str().unwrap().contains(name)
}

/// A page that is not theirs says so, and nothing else.
fn refused(page: &Page<'_>, path: &str, status: u64) {
    page.go(path);
    assert_eq!(page.status(), status, "{path}");
    page.wait_for("[role=alert]");
}

#[test]
fn everybody_sees_what_is_theirs_and_is_offered_what_they_may_do() {
    let (stage, shared) = stage();
    stage.product.partner("acme");
    viewer(&stage);
    owner(&stage, &shared);
    partner(&stage, &shared);
}

fn viewer(stage: &Stage) {
    let page = stage.visitor(&stage.key(&["--role", "viewer"]));
    assert_eq!(zones(&page), ["acme", "globex", "initech"]);
    assert_eq!(page.texts("nav a"), ["Zones", "Topics", "Activity", "Nodes"]);
    assert!(!page.has(named("a", "New zone")));
    page.click("td .menu summary");
    assert_eq!(page.texts(".panel a"), ["Open"]);
    page.follow(named(".panel a", "Open"));
    page.wait_for(named("#credentials tr", "ACTIVE"));
    for offered in ["Edit", "Delete…", "Issue a credential", "Rotate or revoke"] {
        assert!(!page.has(named("a, button", offered)), "{offered}");
    }
    page.examine("viewer-zone");
    page.click(".account summary");
    page.wait_for(named(".account .panel", "role viewer"));
    // What is not offered is not done either.
    let token = page.text_of(".account [name=csrf]");
    for path in ["/ui/zones/acme/credentials", "/ui/zones/acme/edit", "/ui/zones/new"] {
        page.post(path, &[("csrf", &token)]);
        assert_eq!(page.status(), 403, "{path}");
    }
    // Nor told because a link says so.
    page.go("/ui/zones/acme/written?result=created&commit=main%40sha1%3A8c1f00d");
    assert_eq!(page.address(), "/ui/zones/acme");
    assert_eq!(page.texts("#credentials tbody th").len(), 1);
}

fn owner(stage: &Stage, shared: &Shared) {
    let page = stage.visitor(&stage.key(&["--role", "owner", "--topics", &shared.sales]));
    assert_eq!(zones(&page), ["acme", "globex"]);
    assert_eq!(page.texts("nav a"), ["Zones", "Topics"]);
    assert!(page.has(named("a", "New zone")) && !knows(&page, "initech"));
    page.examine("owner-list");
    page.follow(named("a.name", "globex"));
    page.wait_for(named("#topics-title", "Shared topics"));
    page.wait_for(named("section", "It shares 1 other topic that you do not see."));
    assert!(!knows(&page, &shared.payroll) && !knows(&page, "wages"));
    page.examine("owner-shared-zone");
    page.follow(named("nav a", "Topics"));
    assert!(page.has(named("tr", &shared.sales)) && !knows(&page, &shared.payroll));
    page.go("/ui/zones/acme");
    page.wait_for(named("section", "Clients of the last day No credential was used."));
    page.wait_for(named(".events li", "Credential issued"));
    page.examine("owner-zone");
    page.follow(named("#credentials button", "Issue a credential"));
    page.wait_for(named(".notice", "This is shown once."));
    // Where somebody else's topic is shared too, nothing is given.
    page.go("/ui/zones/globex");
    let token = page.text_of(".account [name=csrf]");
    page.post("/ui/zones/globex/credentials", &[("csrf", &token)]);
    assert_eq!(page.status(), 403);
    refused(&page, "/ui/zones/initech", 404);
    refused(&page, "/ui/nodes", 403);
    page.examine("refused");
    drop(page);

    let page = stage.visitor(&stage.key(&["--role", "owner", "--topics", "nobody-has-this"]));
    page.wait_for(named(".empty", "Nothing is shared yet"));
    page.examine("list-empty");
    page.is_used_by_keyboard();
}

fn partner(stage: &Stage, shared: &Shared) {
    let page = stage.visitor(&stage.key(&["--role", "partner", "--zone", "acme"]));
    assert_eq!(zones(&page), ["acme"]);
    assert_eq!(page.texts("nav a"), ["Zones"]);
    for hidden in ["globex", "initech", &shared.sales, "New zone"] {
        assert!(!knows(&page, hidden), "{hidden}");
    }
    page.follow(named("a.name", "acme"));
    page.wait_for(named("#topics tr", "orders"));
    assert!(!knows(&page, &shared.sales), "a partner sees aliases and nothing behind them");
    assert!(!page.has(named("a, button", "Edit")) && !page.has(named("button", "Issue a credential")));
    page.examine("partner-zone");
    page.is_used_by_keyboard();
    for (path, status) in [
        ("/ui/zones/globex", 404),
        ("/ui/zones/none", 404),
        ("/ui/nodes", 403),
        ("/ui/activity", 200),
        ("/ui/topics", 403),
    ] {
        refused(&page, path, status);
        assert!(!knows(&page, "wages") && !knows(&page, &shared.sales), "{path}");
    }
    // Its own secret it replaces by itself.
    page.go("/ui/zones/acme");
    page.follow(named("#credentials tr a", "Rotate or revoke"));
    page.choose("#overlap", "24h");
    page.follow(named("button", "Rotate"));
    page.wait_for(named(".notice", "This is shown once."));
    let (facts, secret) = (page.texts(".facts dd"), page.text("#secret"));
    let login = crate::support::client::Connection::sasl(&facts[2], "PLAIN", &facts[0], &secret);
    assert_eq!(Client::Librdkafka.run(&login, &["list-topics"]).topics()[0].name, "orders");
}
