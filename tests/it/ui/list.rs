//! The list of zones: found, put in order, turned over, kept up to date.

use serde_json::{Value, json};

use super::{Stage, topic, zone};
use crate::support::browser::{Page, named};

/// More than a page holds, with the three that are told apart.
fn stage() -> Stage {
    let (orders, payments) = (topic("orders"), topic("payments"));
    let mut zones = vec![
        (
            "acme".to_owned(),
            zone(
                "acme",
                &[("orders", &orders, "READ"), ("payments", &payments, "WRITE")],
                json!({
                    "metadata": {"labels": {"team": "sales", "region": "eu-west"}},
                    "spec": {"displayName": "Acme Corporation", "url": "https://acme.example/data", "description": "Invoices are matched against orders."},
                }),
            ),
        ),
        (
            "globex".to_owned(),
            zone(
                "globex",
                &[("orders", &orders, "READ")],
                json!({
                    "metadata": {"labels": {"team": "sales"}}, "spec": {"displayName": "Globex", "partner": {"name": "Hank Scorpio"}},
                }),
            ),
        ),
        (
            "initech".to_owned(),
            zone(
                "initech",
                &[("reports", "there-is-no-such-topic", "READ")],
                json!({
                    "metadata": {"labels": {"team": "operations"}}, "spec": {"displayName": "Initech"},
                }),
            ),
        ),
    ];
    for number in 0..50 {
        let name = format!("shop-{number:02}");
        zones.push((name.clone(), zone(&name, &[("orders", &orders, "READ")], json!({}))));
    }
    let zones: Vec<_> = zones.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let stage = Stage::with(&zones);
    stage.product.wait_for_status("initech", "FAILED");
    stage.product.wait_for_status("shop-49", "READY");
    stage.product.wait_for_status("acme", "READY");
    stage
}

fn names(page: &Page<'_>) -> Vec<String> {
    page.texts("#zones a.name")
}

fn tile(page: &Page<'_>, name: &str) -> String {
    page.text(named(".tile", name)).replacen(name, "", 1).trim().to_owned()
}

#[test]
fn zones_are_found_put_in_order_and_turned_over() {
    let stage = stage();
    let page = stage.administrator();
    assert_eq!(
        ["Zones", "Shared topics", "Pending", "Failed"].map(|name| tile(&page, name)),
        ["53", "54", "0", "1"]
    );
    page.is_used_by_keyboard();

    // In parts.
    assert_eq!(names(&page).len(), 50);
    assert_eq!(names(&page)[..2], ["Acme Corporation", "Globex"]);
    page.follow(named(".pager a", "Next page"));
    assert_eq!(names(&page), ["shop-47", "shop-48", "shop-49"]);
    page.follow(named(".pager a", "First page"));

    page.fill("#label", "team");
    page.follow(named(".filters button", "Show"));
    assert_eq!(names(&page), ["Acme Corporation", "Globex", "Initech"]);
    page.examine("list");
    page.follow(named("a", "Clear"));

    // Searched: by what a topic is called as well.
    page.fill("#search", "payments");
    page.led(|page| page.press("Enter"));
    assert_eq!(names(&page), ["Acme Corporation"]);
    assert_eq!(page.value("document.querySelector('#search').value"), "payments");
    page.follow(named("a", "Clear"));
    page.fill("#search", "no such thing");
    page.follow(named(".filters button", "Show"));
    page.wait_for(named(".empty", "No zone fits"));
    page.examine("list-nothing-fits");
    page.follow(named(".empty a", "Show all zones"));

    // By label and by status; a label of a zone leads to its like.
    page.fill("#label", "team=sales");
    page.choose("#sort", "-name");
    page.follow(named(".filters button", "Show"));
    assert_eq!(names(&page), ["Globex", "Acme Corporation"]);
    assert!(page.address().contains("label=team%3Dsales"), "{}", page.address());
    page.follow(named(".tile a", "Failed"));
    assert_eq!(names(&page), ["Initech"]);
    page.follow(named("a.name", "Initech"));
    page.wait_for(named(".standing .badge.bad", "FAILED"));
    page.wait_for(named(".standing", "there-is-no-such-topic"));
    page.examine("zone-failed");
    page.follow(named(".labels a", "team=operations"));
    assert_eq!(names(&page), ["Initech"]);
    page.choose("#status", "READY");
    page.follow(named(".filters button", "Show"));
    page.wait_for(named(".empty", "No zone fits"));
    page.follow(named(".empty a", "Show all zones"));
    page.choose("#sort", "status");
    page.follow(named(".filters button", "Show"));
    assert_eq!(names(&page)[0], "Initech");

    menu(&page);
    live(&stage, &page);
    without_script(&stage);
}

/// The menu of a row, without a mouse.
fn menu(page: &Page<'_>) {
    page.go("/ui/zones?search=globex");
    let focus = |page: &Page<'_>| page.value("words(document.activeElement.textContent)");
    page.value("document.querySelector('#zones a.name').focus()");
    page.press("Tab");
    assert_eq!(focus(page), "Actions for Globex⋯");
    page.press("Enter");
    page.wait_for(named(".menu .panel a", "Open"));
    page.screenshot("list-menu");
    assert_eq!(page.texts(".panel a"), ["Open", "Edit", "Credentials", "Delete…"]);
    page.press("Tab");
    assert_eq!(focus(page), "Open");
    page.press("Escape");
    page.wait_until_gone(".menu .panel");
    assert_eq!(focus(page), "Actions for Globex⋯", "whoever closes a menu is where they were");
    page.press("Space");
    page.wait_for(".menu .panel");
    // One at a time, and a click beside it closes it.
    page.click(".account summary");
    page.wait_for(named(".account .panel", "Signed in"));
    assert!(!page.has(named(".menu .panel a", "Open")));
    page.click("h1");
    page.wait_until_gone(".panel");
    page.click("td .menu summary");
    page.follow(named(".panel a", "Credentials"));
    assert_eq!(page.address(), "/ui/zones/globex#credentials");
}

/// A page that is open changes by itself, and nothing that somebody has in hand is lost.
fn live(stage: &Stage, page: &Page<'_>) {
    page.go("/ui/zones?sort=-name");
    page.value("window.stays = true");
    page.fill("#search", "half a wo");
    let text =
        zone("zorin", &[("orders", &topic("orders"), "READ")], json!({"spec": {"displayName": "Zorin"}}));
    stage.product.commit("Zorin has signed", &[("zorin.yaml", Some(&text))]);
    page.wait_for(named("#zones a.name", "Zorin"));
    page.wait_for(named("#zones tr", "Zorin zorin – 1 gateway READY"));
    assert_eq!(tile(page, "Zones"), "54");
    assert_eq!(
        page.value("[window.stays, document.querySelector('#search').value]"),
        json!([true, "half a wo"])
    );
    stage.product.commit("Zorin has left", &[("zorin.yaml", None)]);
    page.wait_until_gone(named("#zones a.name", "Zorin"));
    assert_eq!(page.value("window.stays"), true);
}

fn without_script(stage: &Stage) {
    let page = stage.anybody().without_script();
    super::sign_in(&page, &stage.product.admin_key());
    assert_eq!(tile(&page, "Zones"), "53");
    page.fill("#search", "hank");
    page.follow(named(".filters button", "Show"));
    assert_eq!(names(&page), ["Globex"]);
    page.click("td .menu summary");
    page.follow(named(".panel a", "Open"));
    page.wait_for(named("h1", "Globex"));
    assert_eq!(page.value("typeof announce"), Value::from("undefined"), "no script has run");
    for (place, title) in [("Topics", "Topics"), ("Activity", "Activity"), ("Nodes", "Nodes")] {
        page.follow(named("nav a", place));
        page.wait_for(named("h1", title));
    }
    page.click(".account summary");
    page.follow(named("button", "Sign out"));
    assert_eq!(page.address(), "/ui/sign-in");
}
