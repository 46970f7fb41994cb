//! The pages about the service as a whole: topics, what has happened, nodes.

use std::thread;

use super::{Stage, topic};
use crate::support::browser::{Page, named};
use crate::support::wire::Wire;

/// On a product with zones `acme` and `globex` that share `orders`, as `orders` to write and as `purchases` to read.
pub(super) fn are_shown_searched_and_led_away_from(stage: &Stage, page: &Page<'_>, orders: &str) {
    let unshared = topic("pages.unshared");
    topics(page, orders, &unshared);
    activity(stage, page);
    nodes(page);
}

fn topics(page: &Page<'_>, orders: &str, unshared: &str) {
    page.follow(named("nav a", "Topics"));
    assert_eq!(page.text("nav a[aria-current=page]"), "Topics");
    page.fill("#search", "pages.");
    page.led(|page| page.press("Enter"));
    page.wait_for(named("tr", &format!("{unshared} 3 nobody")));
    page.wait_for(named("tr", &format!("{orders} 3 acme as orders WRITE globex as purchases READ")));
    page.examine("topics");
    page.is_used_by_keyboard();
    page.follow(named(".shares a", "globex"));
    page.wait_for(named("h1", "globex"));
    page.go("/ui/topics?search=no-such-topic");
    page.wait_for(named(".empty", "No topic fits"));
    page.examine("topics-none");
    page.fill("#cluster", "mars");
    page.follow(named(".filters button", "Show"));
    page.wait_for(named("[role=alert]", "mars"));
    page.examine("topics-refused");
    page.follow(named("a", "Clear"));
    assert!(page.has(named("tr", orders)));
}

fn activity(stage: &Stage, page: &Page<'_>) {
    page.follow(named("nav a", "Activity"));
    page.wait_for(named(".events li", "acme"));
    // What happens while somebody looks appears by itself.
    page.value("window.stays = true");
    let partner = stage.product.partner("globex");
    page.wait_for(named(".events li", "Credential issued globex"));
    assert_eq!(page.value("window.stays"), true);
    page.examine("activity");
    page.is_used_by_keyboard();
    page.click(named(".events li:first-child summary", "Details"));
    page.wait_for(named(".events li:first-child pre", "keyId"));
    page.screenshot("activity-details");
    page.fill("#zone", "globex");
    page.choose("#type", "credential");
    page.follow(named(".filters button", "Show"));
    assert_eq!(page.texts(".events strong"), ["Credential issued"]);
    page.fill("#zone", "no-such-zone");
    page.choose("#type", "logins");
    page.follow(named(".filters button", "Show"));
    page.wait_for(named(".empty", "Nothing fits"));
    page.examine("activity-none");
    guessed(stage, &partner.username);
    page.fill("#zone", "");
    page.follow(named(".filters button", "Show"));
    page.reload_until(named(".events li", "Logins failed"));
    page.follow(named("a", "Clear"));
    page.follow(named(".events a", "acme"));
    page.wait_for(named(".heading code", "acme"));
    page.follow(named("a", "All of this zone's activity"));
    assert_eq!(page.address(), "/ui/activity?zone=acme");
}

/// More often than a person mistypes a secret. Whoever guesses waits for each refusal.
fn guessed(stage: &Stage, user: &str) {
    thread::scope(|scope| {
        for _ in 0..12 {
            let address = ([127, 0, 0, 1], stage.product.port);
            scope.spawn(move || assert!(Wire::log_in(address, user, "a-guess").is_none()));
        }
    });
}

fn nodes(page: &Page<'_>) {
    page.follow(named("nav a", "Nodes"));
    page.wait_for(named("#nodes tr", "up to date"));
    page.wait_for(named("#controller", "main@sha1:"));
    page.examine("nodes");
    page.is_used_by_keyboard();
}
