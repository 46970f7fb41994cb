//! A credential's life: shown once, put into clients that nobody here wrote, replaced, taken back.

use serde_json::json;

use super::{Stage, pages, topic, zone};
use crate::support::browser::{Page, named};
use crate::support::client::{Client, Connection};
use crate::support::kafka::unique;

const ZONE: &str = "/ui/zones/acme";

fn stage(orders: &str) -> Stage {
    let more = json!({
        "metadata": {"labels": {"team": "sales", "region": "eu-west"}},
        "spec": {
            "displayName": "Acme Corporation", "url": "https://acme.example/data",
            "description": "Acme matches its invoices against our orders.\nAgreed on in the contract of May.",
            "partner": {"name": "Wile E. Coyote", "role": "Data analyst", "email": "wile@acme.example", "phone": "+44 20 7946 0000"},
            "trafficControlPolicies": {"maxProduceRate": 1_000_000, "limitCommitOffset": 30},
        },
    });
    let topics = [("orders", orders, "WRITE"), ("reports", &*topic("reports"), "READ")];
    let globex = zone("globex", &[("purchases", orders, "READ")], json!({}));
    let stage = Stage::with(&[("acme", zone("acme", &topics, more)), ("globex", globex)]);
    stage.product.wait_for_status("acme", "READY");
    stage.product.wait_for_status("globex", "READY");
    stage
}

/// What the page that shows a secret has.
pub(super) struct Shown {
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) address: String,
}

impl Shown {
    pub(super) fn read(page: &Page<'_>) -> Self {
        page.wait_for(named(".notice", "This is shown once."));
        let facts = page.texts(".facts dd");
        Self { key_id: facts[0].clone(), secret: page.text("#secret"), address: facts[2].clone() }
    }

    fn connection(&self) -> Connection {
        Connection::sasl(&self.address, "PLAIN", &self.key_id, &self.secret)
    }
}

#[test]
fn a_credential_is_issued_used_replaced_and_taken_back() {
    let orders = topic("pages.orders");
    let stage = stage(&orders);
    let page = stage.administrator();
    page.go(ZONE);
    page.wait_for(named("#credentials", "Nobody can log in yet"));
    page.examine("zone-new");
    page.is_used_by_keyboard();
    // Whoever clicks twice gets one.
    let twice = "[1, 2].forEach(() => document.querySelector('#credentials form button').click())";
    page.led(|page| page.value(twice));
    let first = Shown::read(&page);
    page.examine("credential");
    page.is_used_by_keyboard();
    let files = copied_and_downloaded(&stage, &page, &first);
    used(&files, &first);
    shown_on_the_zones_page(&page, &first);

    // Replaced: both are good.
    page.follow(named("#credentials a", "Rotate or revoke"));
    page.examine("credential-ask");
    page.is_used_by_keyboard();
    page.choose("#overlap", "1h");
    page.follow(named("button", "Rotate"));
    let second = Shown::read(&page);
    page.wait_for(named(".facts", &format!("In place of {}", first.key_id)));
    for login in [&first, &second] {
        assert_eq!(names(login), ["orders", "reports"]);
    }
    page.follow(named("a", "Back to the zone"));
    page.wait_for(named("#credentials tr", &format!("ROTATED by {}", second.key_id)));
    page.examine("zone-rotated");

    // Taken back: whoever is connected is cut, and does not come in again.
    let listening = ["consume", "--topic", "orders", "--group", &unique("late"), "--until-stdin-closes"];
    let mut client = Client::Librdkafka.start(&second.connection(), &listening);
    client.wait_for("an assignment", |events| events.assignment().filter(|held| !held.is_empty()));
    page.follow(named("#credentials tr a", &second.key_id));
    page.follow(named("button", "Revoke now"));
    assert_eq!(page.address(), format!("{ZONE}#credentials"));
    page.wait_until_gone(named("#credentials th", &second.key_id));
    client.wait_for("that it is cut", |events| {
        events.errors().iter().any(|it| it.error == "SASL_AUTHENTICATION_FAILED").then_some(())
    });
    client.kill();
    assert_eq!(names(&first), ["orders", "reports"]);

    refused(&page, &second.key_id);
    without_script(&stage);

    // A node looks once a minute at what went through: there is time for the other pages.
    pages::are_shown_searched_and_led_away_from(&stage, &page, &orders);
    page.go(ZONE);
    page.reload_until(named("figcaption", "Consumed by the partner"));
    page.examine("zone-pictures");
}

/// Aliases, as a client sees them.
fn names(login: &Shown) -> Vec<String> {
    let events = Client::Librdkafka.run(&login.connection(), &["list-topics"]);
    let mut names: Vec<_> = events.topics().into_iter().map(|topic| topic.name).collect();
    names.sort();
    names
}

/// The secret in the clipboard, and the files of two clients on the disk.
fn copied_and_downloaded(stage: &Stage, page: &Page<'_>, shown: &Shown) -> [String; 2] {
    page.click("[data-copy=secret]");
    page.wait_for(named("[data-copy=secret]", "Copied"));
    assert_eq!(page.value("await navigator.clipboard.readText()"), json!(shown.secret));
    page.click("[data-save=file-properties]");
    page.click(named("summary", "kcat"));
    page.screenshot("credential-kcat");
    page.click("[data-save=file-conf]");
    ["properties", "conf"].map(|ending| {
        let text = stage.browser.downloaded(&format!("acme.{ending}"));
        assert!(text.contains(&shown.secret) && text.contains(&shown.address), "{text}");
        assert_eq!(page.value(&format!("document.getElementById('file-{ending}').textContent")), json!(text));
        text
    })
}

/// The files are good as they are.
fn used([properties, conf]: &[String; 2], shown: &Shown) {
    let connection = shown.connection();
    let produce = ["produce", "--topic", "orders", "--count", "5", "--value", "v{i}"];
    let written = Client::Java.start_with(properties, &connection, &produce).finish();
    assert_eq!(written.acked().len(), 5);
    let consume = ["consume", "--topic", "orders", "--group", &unique("readers"), "--max", "5", "--commit"];
    let read = Client::Librdkafka.start_with(conf, &connection, &consume).finish();
    assert_eq!(read.records().len(), 5);
}

/// What was used is seen by whoever looks, without a reload, and the secret is not.
fn shown_on_the_zones_page(page: &Page<'_>, shown: &Shown) {
    page.follow(named("a", "Back to the zone"));
    page.wait_for(named("#credentials tr", "ACTIVE"));
    assert_eq!(page.texts("#credentials tbody th").len(), 1);
    page.wait_for(named("#credentials tr", "from 127.0.0.1"));
    page.reload_until(named("#traffic", "5 records"));
    page.reload_until(named("#topics .badge.good", "in use"));
    page.examine("zone-used");
    assert!(!page.value("document.documentElement.outerHTML").as_str().unwrap().contains(&shown.secret));
    let running = ["consume", "--topic", "orders", "--group", &unique("live"), "--until-stdin-closes"];
    page.value("window.stays = true");
    let client = Client::Librdkafka.start(&shown.connection(), &running);
    page.wait_for(named("#clients", "1 client"));
    client.stop();
    assert_eq!(page.value("window.stays"), true);
}

/// What cannot be done is said, and nothing is done.
fn refused(page: &Page<'_>, gone: &str) {
    page.go(ZONE);
    page.choose("#expires", "2001-01-01");
    assert_eq!(
        page.value("document.querySelector('#expires').validity.valid"),
        false,
        "said before it is sent"
    );
    let token = page.text_of("#credentials [name=csrf]");
    page.post(&format!("{ZONE}/credentials"), &[("csrf", &token), ("expires", "2001-01-01")]);
    assert_eq!(page.status(), 400);
    page.wait_for(named("[role=alert]", "not in the future"));
    page.examine("credential-refused");
    page.is_used_by_keyboard();
    // Enter in the address bar.
    page.go(&format!("{ZONE}/credentials"));
    assert_eq!(page.address(), format!("{ZONE}#credentials"));
    page.go(&format!("{ZONE}/credentials/{gone}/revoke"));
    assert_eq!(page.status(), 404);
    page.go(ZONE);
    assert_eq!(page.texts("#credentials tbody th").len(), 1);
}

fn without_script(stage: &Stage) {
    let page = stage.anybody().without_script();
    super::sign_in(&page, &stage.product.admin_key());
    page.go(ZONE);
    page.choose("#expires", "2031-05-31");
    page.follow(named("#credentials button", "Issue a credential"));
    let shown = Shown::read(&page);
    page.wait_for(named(".facts", "Ends 2031-05-31 23:59 UTC"));
    assert!(!page.has("[data-copy]"), "nothing that needs a script is offered");
    page.click(named("summary", "Python"));
    page.wait_for(named("#file-py", &shown.secret));
    page.click("[data-save=file-py]");
    let file = stage.browser.downloaded("acme.py");
    assert_eq!(page.value("document.getElementById('file-py').textContent"), json!(file));
    assert_eq!(names(&shown), ["orders", "reports"]);
    page.follow(named("a", "Back to the zone"));
    page.follow(named("#credentials tr a", &shown.key_id));
    page.follow(named("button", "Revoke now"));
    page.wait_until_gone(named("#credentials th", &shown.key_id));
}
