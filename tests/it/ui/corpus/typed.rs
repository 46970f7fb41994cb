//! The same texts, typed by whoever may change a zone.

use serde_json::{Value, json};

use super::{REFUSED, Stage, TEXTS, committed, is_unharmed, long, topic, zone};
use crate::support::browser::{Page, named};

/// Fields of one line and of several.
const LINES: [&str; 3] = ["spec.displayName", "spec.partner.name", "spec.partner.role"];
const BLOCK: &str = "spec.description";

/// What a field of one line takes of a text, without blanks around it.
fn line(text: &str) -> String {
    text.replace('\n', " ").trim().to_owned()
}

fn fill_in(page: &Page<'_>, text: &str) {
    page.go("/ui/zones/acme/edit");
    for field in LINES {
        page.fill(&format!("[id='{field}']"), text);
    }
    page.fill(&format!("[id='{BLOCK}']"), text);
}

#[test]
fn what_is_typed_is_text_in_the_form_in_the_review_and_in_git() {
    let orders = topic("orders");
    let stage = Stage::with(&[("acme", zone("acme", &[("orders", &orders, "READ")], json!({})))]);
    stage.product.wait_for_status("acme", "READY");
    let page = stage.administrator();
    let long = long();
    for text in TEXTS.iter().copied().chain([long.as_str()]) {
        fill_in(&page, text);
        // Through the next step, in which all of it is hidden, and back.
        page.follow(named(".buttons button", "Next"));
        page.wait_for(named(".steps [aria-current=step]", "Topics"));
        is_unharmed(&page, text);
        page.follow(named(".buttons button", "Back"));
        for field in LINES {
            assert_eq!(page.text_of(&format!("[id='{field}']")), line(text), "{field}");
        }
        assert_eq!(page.text_of(&format!("[id='{BLOCK}']")), text.trim(), "{text:?}");
        is_unharmed(&page, text);
        page.follow(named(".steps button", "Review"));
        let facts = page.value("[...document.querySelectorAll('.facts dd')].map((it) => it.textContent)");
        for wanted in [line(text), text.trim().to_owned()] {
            assert!(facts.as_array().unwrap().contains(&json!(wanted)), "{wanted:?} is not in {facts}");
        }
        assert_eq!(page.value("document.querySelectorAll('main script, main img, main iframe').length"), 0);
        is_unharmed(&page, text);
    }
    for text in REFUSED {
        fill_in(&page, text);
        page.follow(named(".buttons button", "Next"));
        is_unharmed(&page, text);
    }
    saved(&stage, &page);
}

/// What is worst for YAML is written, and reads back as it was typed.
fn saved(stage: &Stage, page: &Page<'_>) {
    let worst = [
        "key: &anchor *alias !!python/object {a: [1, 2]}",
        "---\nkind: Other\n...\n# end",
        "\u{202e}txt.exe\u{202c}",
    ];
    for text in worst {
        assert!(TEXTS.contains(&text));
        fill_in(page, text);
        page.follow(named(".steps button", "Review"));
        page.follow(named("button", "Save changes"));
        page.wait_for(named("h1", "Changes saved"));
        let file = committed(stage, "acme");
        let at = |place: &str| {
            file.pointer(&format!("/{}", place.replace('.', "/"))).unwrap_or(&Value::Null).clone()
        };
        for field in LINES {
            assert_eq!(at(field), json!(line(text)), "{field}");
        }
        assert_eq!(at(BLOCK), json!(text.trim()));
        stage.product.wait_for_zone("acme", |zone| {
            zone.is_some_and(|zone| {
                zone["spec"]["description"] == text.trim() && zone["status"]["phase"] == "READY"
            })
        });
    }
}
