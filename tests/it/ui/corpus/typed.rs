//! The same texts, typed by whoever may change a zone.

use serde_json::json;

use super::{REFUSED, Stage, TEXTS, committed, is_unharmed, long, topic, zone};
use crate::support::browser::{Page, named};

/// Fields of one line, each for one of four texts, and one of several lines that gets all four.
const LINES: [&str; 4] = ["spec.displayName", "spec.partner.name", "spec.partner.role", "spec.partner.phone"];
const BLOCK: &str = "spec.description";

/// What a field of one line takes of a text, without blanks around it.
fn line(text: &str) -> String {
    text.replace('\n', " ").trim().to_owned()
}

fn block(texts: &[&str]) -> String {
    texts.join("\n").trim().to_owned()
}

fn of_line<'t>(texts: &[&'t str], index: usize) -> &'t str {
    texts[index % texts.len()]
}

fn fill_in(page: &Page<'_>, texts: &[&str]) {
    page.go("/ui/zones/acme/edit");
    for (index, field) in LINES.into_iter().enumerate() {
        page.fill(&format!("[id='{field}']"), of_line(texts, index));
    }
    page.fill(&format!("[id='{BLOCK}']"), &texts.join("\n"));
}

#[test]
fn what_is_typed_is_text_in_the_form_in_the_review_and_in_git() {
    let orders = topic("orders");
    let stage = Stage::with(&[("acme", zone("acme", &[("orders", &orders, "READ")], json!({})))]);
    stage.product.wait_for_status("acme", "READY");
    let page = stage.administrator();
    let long = long();
    let all: Vec<_> = TEXTS.iter().copied().chain([long.as_str()]).collect();
    for texts in all.chunks(LINES.len()) {
        typed(&page, texts);
    }
    for text in REFUSED {
        fill_in(&page, &[text]);
        page.follow(named(".buttons button", "Next"));
        is_unharmed(&page, text);
    }
    saved(&stage, &page);
}

/// Through another step, in which all of it is hidden, back, and on to the review.
fn typed(page: &Page<'_>, texts: &[&str]) {
    fill_in(page, texts);
    page.follow(named(".steps button", "Topics"));
    is_unharmed(page, texts[0]);
    page.follow(named(".steps button", "Details"));
    for (index, field) in LINES.into_iter().enumerate() {
        assert_eq!(page.text_of(&format!("[id='{field}']")), line(of_line(texts, index)), "{field}");
    }
    assert_eq!(page.text_of(&format!("[id='{BLOCK}']")), block(texts));
    is_unharmed(page, texts[0]);
    page.follow(named(".steps button", "Review"));
    let facts = page.value("[...document.querySelectorAll('.facts dd')].map((it) => it.textContent)");
    for wanted in [line(of_line(texts, 0)), line(of_line(texts, 1)), block(texts)] {
        assert!(facts.as_array().unwrap().contains(&json!(wanted)), "{wanted:?} is not in {facts}");
    }
    assert_eq!(page.value("document.querySelectorAll('main script, main img, main iframe').length"), 0);
    is_unharmed(page, texts[0]);
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
        fill_in(page, &[text]);
        page.follow(named(".steps button", "Review"));
        page.follow(named("button", "Save changes"));
        page.wait_for(named("h1", "Changes saved"));
        let file = committed(stage, "acme");
        let at = |place: &str| file.pointer(&format!("/{}", place.replace('.', "/"))).cloned();
        for field in LINES {
            assert_eq!(at(field), Some(json!(line(text))), "{field}");
        }
        assert_eq!(at(BLOCK), Some(json!(text.trim())));
        stage.product.wait_for_zone("acme", |zone| {
            zone.is_some_and(|zone| {
                zone["spec"]["description"] == text.trim() && zone["status"]["phase"] == "READY"
            })
        });
    }
}
