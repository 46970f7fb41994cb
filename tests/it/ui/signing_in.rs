//! Who somebody is: asked first, taken back at the end, and never left to another site.

use serde_json::json;

use super::{Stage, sign_in, topic, zone};
use crate::sign_in::World;
use crate::support::browser::{Browser, named};

#[test]
fn a_key_opens_the_pages_until_it_is_given_back_or_taken_away() {
    let orders = topic("orders");
    let stage = Stage::with(&[("acme", zone("acme", &[("orders", &orders, "READ")], json!({})))]);
    let key = stage.product.admin_key();
    let page = stage.anybody();

    // Whoever comes to any page is asked first, and led there afterwards.
    page.go("/ui/zones?search=acme");
    assert!(page.address().starts_with("/ui/sign-in?next="), "{}", page.address());
    page.examine("sign-in");
    page.is_used_by_keyboard();
    page.fill("#key", "pzk_wrong_key");
    page.follow(named("button", "Sign in"));
    assert_eq!(page.status(), 403);
    page.wait_for("[role=alert]");
    page.examine("sign-in-refused");
    page.fill("#key", &key);
    page.led(|page| page.press("Enter"));
    assert_eq!(page.address(), "/ui/zones?search=acme");
    page.wait_for(named("a.name", "acme"));
    assert_eq!(page.value("document.cookie"), "", "no script gets at the session");
    assert!(!page.value("document.documentElement.outerHTML").as_str().unwrap().contains(&key));

    // A page that there is not.
    page.go("/ui/nowhere");
    assert_eq!(page.status(), 404);
    page.examine("no-such-page");

    // Signed out is signed out, on the way back too.
    page.click(".account summary");
    page.screenshot("account");
    page.follow(named("button", "Sign out"));
    assert_eq!(page.address(), "/ui/sign-in");
    page.led(|page| page.value("history.back()"));
    assert!(page.address().starts_with("/ui/sign-in"), "{}", page.address());
    page.go("/ui/zones");
    assert!(page.address().starts_with("/ui/sign-in"), "{}", page.address());

    // Nobody is sent elsewhere by a link that somebody else has made.
    for next in ["//evil.example/", "https://evil.example/", "/%5Cevil.example", "javascript:alert(1)"] {
        page.go(&format!("/ui/sign-in?next={next}"));
        page.fill("#key", &key);
        page.follow(named("button", "Sign in"));
        assert_eq!(page.address(), "/ui/zones", "{next}");
    }

    // A form without the page's token changes nothing.
    page.go("/ui/zones/acme");
    page.value("document.querySelector('#credentials [name=csrf]').value = 'forged'");
    page.follow(named("button", "Issue a credential"));
    assert_eq!(page.status(), 400);
    // Nor does one that another site makes the browser send.
    let target = format!("{}/ui/zones/acme/credentials", stage.product.url());
    page.go_astray(&format!(
        "<!doctype html><form method=post action='{target}'><button>Win</button></form>"
    ));
    page.follow(named("button", "Win"));
    assert_eq!(page.status(), 403);
    page.go("/ui/zones/acme");
    page.wait_for(named("#credentials", "Nobody can log in yet"));

    // A key that is taken away takes its sessions along.
    let other = stage.key(&["--role", "viewer"]);
    let viewer = stage.anybody();
    sign_in(&viewer, &other);
    viewer.wait_for(named("a.name", "acme"));
    let id = other.split('_').nth(1).unwrap();
    assert!(stage.product.cli(&["api-key", "revoke", id]).status.success());
    viewer.go("/ui/zones");
    assert!(viewer.address().starts_with("/ui/sign-in"), "{}", viewer.address());
}

/// The way goes through another site's pages, and back: no policy of ours is in its way.
#[test]
fn an_account_elsewhere_opens_the_pages_in_its_own_name() {
    let world = World::start();
    let browser = Browser::start();
    let page = browser.visitor(&world.product.url());
    page.go("/ui/zones/keep");
    page.examine("sign-in-account");
    page.is_used_by_keyboard();
    page.follow(named("a.button", "Sign in with Example login"));
    page.follow(named("a", "no"));
    assert_eq!(page.status(), 403);
    page.wait_for(named("[role=alert]", "The sign-in was refused there, by you or by whoever runs it."));
    page.examine("sign-in-account-refused");
    page.follow(named("a.button", "Sign in with Example login"));
    page.follow(named("a", "248-ada"));
    assert_eq!(page.address(), "/ui/zones/keep", "where she wanted to go, the second time too");
    page.click(".account summary");
    page.wait_for(named(".account .panel", "Signed in as Ada Lovelace, role admin."));
    page.screenshot("account-person");
    assert_eq!(page.value("document.cookie"), "", "no script gets at the session");

    // What she does is done in her name.
    page.go("/ui/zones/keep");
    page.follow(named("button", "Issue a credential"));
    page.go("/ui/activity");
    page.wait_for(named("li", "by Ada Lovelace (248-ada)"));
    page.click(".account summary");
    page.follow(named("button", "Sign out"));
    page.go("/ui/activity");
    assert!(page.address().starts_with("/ui/sign-in?next="), "{}", page.address());

    let elsewhere = format!("elsewhere: {}/", world.issuer.url());
    let complaints: Vec<_> = page.complaints().into_iter().filter(|it| !it.starts_with(&elsewhere)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    page.forgive();
}
