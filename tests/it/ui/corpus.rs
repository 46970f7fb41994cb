//! What people write who mean no good, or just write oddly: it is shown as they wrote it, runs nowhere, and is in Git as it was sent.

mod typed;

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, topic, zone};
use crate::support::browser::{Page, named};
use crate::support::rest::Rest;

/// Would run, ask for something elsewhere, or read as something else, if anything took it for more than text.
const TEXTS: [&str; 44] = [
    "<script>window.__pwned=1</script>",
    "\"><script>window.__pwned=1</script>",
    "'><img src=x onerror=window.__pwned=1>",
    "\" autofocus onfocus=window.__pwned=1 x=\"",
    "' onmouseover='window.__pwned=1",
    "<svg onload=window.__pwned=1>",
    "<svg><script>window.__pwned=1</script></svg>",
    "<math><mi xlink:href=\"javascript:window.__pwned=1\">x",
    "<iframe srcdoc=\"<script>parent.__pwned=1</script>\">",
    "<a href=\"javascript:window.__pwned=1\">click</a>",
    "<base href=\"https://evil.invalid/\"><meta http-equiv=refresh content=\"0;url=https://evil.invalid/\">",
    "<form action=\"https://evil.invalid/\"><button>Sign in</button></form>",
    "</title><script>window.__pwned=1</script>",
    "</script><script>window.__pwned=1</script>",
    "</textarea></select></style></noscript><img src=x onerror=window.__pwned=1>",
    "<!--><script>window.__pwned=1</script>-->",
    "]]><script>window.__pwned=1</script>",
    "javascript:window.__pwned=1",
    "data:text/html,<script>window.__pwned=1</script>",
    "{{constructor.constructor('window.__pwned=1')()}}",
    "${window.__pwned=1} #{7*7} <%= 7*7 %> {%raw%} @{x} *{x}",
    "&lt;script&gt;&amp;&#x3c;b&#62;&nbsp;&notin",
    "%s%n%x %00 %0d%0a %2e%2e%2f \\0 \\u0041 \\n",
    "'; DROP TABLE zones; -- \" OR 1=1",
    "=cmd|' /C calc'!A0",
    "../../../../etc/passwd",
    "null",
    "~",
    "yes",
    "0x1F",
    "2026-11-30",
    "- a: b # no comment",
    "key: &anchor *alias !!python/object {a: [1, 2]}",
    "| > ' \" ` @ % ? : , -",
    "---\nkind: Other\n...\n# end",
    "one line\nand another\n\nand the last\n",
    "tab\there, and blanks at the end   ",
    "شكراً لكم على الاتفاق مع שלום and English",
    "Ünïcödé — 日本語 🎉 👩‍💻 ﷽ Z͑ͫ̓ͪ̂ͫ̽͏̴̙",
    "a\u{a0}b\u{2003}c\u{200d}d",
    // What hides itself or turns text around: a file may hold it only where a reviewer sees that it does, as an escape.
    "\u{202e}txt.exe\u{202c}",
    "a\u{200b}b\u{feff}c",
    "\u{2066}evil\u{2069}",
    "\u{e0041}tagged",
];

/// What nothing can show.
const REFUSED: [&str; 3] = ["nothing\0behind", "\u{1b}[31mred", "\u{9b}31mred"];

/// With line ends that a browser, and YAML, make one of.
const CRLF: &str = "first\r\nSet-Cookie: partner-zones-session=x\r\n\r\n<script>window.__pwned=1</script>";

fn long() -> String {
    "unbroken".repeat(600)
}

/// A zone that says this wherever it may say something.
fn saying(text: &str, topic: &str, name: &str) -> Value {
    // There two braces begin a template.
    let value = text.replace("{{", "{");
    json!({
        "apiVersion": "v2", "kind": "PartnerZone",
        "metadata": {"name": name, "labels": {"note": text}},
        "spec": {
            "cluster": "gateway", "displayName": text, "description": text, "url": format!("https://x.example/{text}"),
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("<b>{name}</b>")},
            "topics": [{
                "name": "orders", "backingTopic": topic, "permission": "READ", "description": text, "tags": [text],
            }],
            "partner": {"name": text, "role": text, "email": text, "phone": text},
            "organization": {"name": text, "description": text, "contact": text},
            "headers": {"addOnProduce": [{"key": "note", "value": value, "overrideIfExists": true}]},
        },
    })
}

fn send(rest: &Rest, zone: &Value) -> crate::support::rest::Answer {
    let path = format!("/api/v1/zones/{}", zone["metadata"]["name"].as_str().unwrap());
    rest.send(Method::PUT, &path, &[("content-type", "application/json")], &zone.to_string())
}

/// The file of a zone, as any YAML reader has it.
fn committed(stage: &Stage, name: &str) -> Value {
    let output = Command::new("git")
        .arg("-C")
        .arg(stage.product.source())
        .args(["show", &format!("main:zones/{name}.yaml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_yaml::from_slice(&output.stdout).unwrap()
}

fn is_unharmed(page: &Page<'_>, what: &str) {
    let ran = page.value("typeof window.__pwned");
    assert_eq!(ran, "undefined", "a script ran: {what}");
}

#[test]
fn what_is_written_by_anybody_is_text_wherever_it_is_shown() {
    let topic = topic("orders");
    let stage = Stage::with(&[("keep", zone("keep", &[("orders", &topic, "READ")], json!({})))]);
    let rest = Rest::admin(&stage.product);
    let page = stage.administrator();
    let long = long();
    let texts: Vec<_> = TEXTS.iter().copied().chain([CRLF, &long]).collect();
    let mut wrong = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let name = format!("x{number:02}");
        let zone = saying(text, &topic, &name);
        let answer = send(&rest, &zone);
        if answer.status != 201 {
            wrong.push(format!("{text:?}: {:#}", answer.body));
            continue;
        }
        let file = committed(&stage, &name);
        if (&file["metadata"], &file["spec"]) != (&zone["metadata"], &zone["spec"]) {
            wrong.push(format!("{text:?}: {file:#}"));
        }
    }
    for text in REFUSED {
        let refused = send(&rest, &saying(text, &topic, "refused"));
        if refused.status != 422 {
            wrong.push(format!("{text:?}: {:#}", refused.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (number, text) in texts.iter().enumerate() {
        let name = format!("x{number:02}");
        page.go(&format!("/ui/zones/{name}"));
        shown(&page, &name, text);
        // Looked at in the form and left as it is, it is the same.
        page.go(&format!("/ui/zones/{name}/edit"));
        page.follow(named(".steps button", "Review"));
        page.wait_for(named(".steps [aria-current=step]", "Review"));
        assert!(!page.has(named("button", "Save changes")), "{text:?}");
        is_unharmed(&page, text);
    }
    page.examine("corpus-long-review");
    page.go(&format!("/ui/zones/x{:02}", texts.len() - 1));
    page.examine("corpus-long");
    page.go("/ui/zones");
    let names = page.value("[...document.querySelectorAll('#zones a.name')].map((it) => it.textContent)");
    let names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for text in &texts {
        assert!(names.contains(&text.replace("\r\n", "\n").as_str()), "{text:?} is not in {names:#?}");
    }
    is_unharmed(&page, "the list");
    page.examine("corpus-list");
    page.go("/ui/activity");
    is_unharmed(&page, "the activity");
    for text in texts.iter().copied().chain(REFUSED) {
        asked(&page, text);
    }
    nobody_is_led_elsewhere(&stage, &texts);
}

/// A zone's page says the very same, and nothing of it is more than text.
fn shown(page: &Page<'_>, name: &str, text: &str) {
    let text = text.replace("\r\n", "\n");
    let content = |css: &str| page.value(&format!("document.querySelector('{css}').textContent"));
    assert_eq!(content("h1"), json!(text), "{name}");
    assert_eq!(content(".prose"), json!(text), "{name}");
    assert_eq!(content("#topics .sub"), json!(text), "{name}");
    assert_eq!(content(".labels a"), json!(format!("note={text}")), "{name}");
    assert_eq!(content(".heading a[rel]"), json!(format!("https://x.example/{text}")), "{name}");
    assert_eq!(content(".contact"), json!(format!("{text}, {text}{text}{text}")), "{name}");
    let account = page.value("[...document.querySelectorAll('dd code')].map((it) => it.textContent)");
    assert!(account.as_array().unwrap().contains(&json!(format!("<b>{name}</b>"))), "{account}");
    let hosts = page.value("[...document.querySelectorAll('a')].map((it) => it.hostname)");
    let hosts = hosts.as_array().unwrap();
    assert!(hosts.iter().all(|host| host == "127.0.0.1" || host == "x.example"), "{name}: {hosts:?}");
    let made = page.value("document.querySelectorAll('main script, main iframe, main img, main base, main meta, main b').length");
    assert_eq!(made, 0, "{name}: a text has become more than text");
    assert_eq!(page.value("document.scripts.length"), 1, "{name}");
    is_unharmed(page, name);
}

/// In every field and parameter that a page takes, and as a part of a path.
fn asked(page: &Page<'_>, text: &str) {
    let asked = form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    for (path, names) in [
        ("/ui/zones", &["search", "label", "status", "sort"][..]),
        // Alone: a wrong mark of a page is all that an answer would be about.
        ("/ui/zones", &["page"]),
        ("/ui/zones", &["deleted"]),
        ("/ui/topics", &["search", "cluster"]),
        ("/ui/activity", &["zone", "type"]),
        ("/ui/zones/keep/written", &["result", "commit"]),
    ] {
        let query: Vec<_> = names.iter().map(|name| format!("{name}={asked}")).collect();
        page.go(&format!("{path}?{}", query.join("&")));
        is_unharmed(page, text);
        assert_eq!(page.value("document.scripts.length"), 1, "{path}: {text:?}");
    }
    page.go(&format!("/ui/zones/{}", asked.replace('+', "%20")));
    assert!([400, 404].contains(&page.status()), "{}: {text:?}", page.status());
    is_unharmed(page, text);
    // As a person types it; a field of one line takes no line ends.
    page.go("/ui/topics");
    page.fill("#search", text);
    page.led(|page| page.press("Enter"));
    let cut: String = text.replace("\r\n", "\n").replace('\n', " ").chars().take(200).collect();
    assert_eq!(page.text_of("#search"), cut.trim(), "{text:?}");
    is_unharmed(page, text);
}

fn nobody_is_led_elsewhere(stage: &Stage, texts: &[&str]) {
    let page = stage.anybody();
    for text in texts {
        let next = form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        for prefix in ["", "/ui/"] {
            page.go(&format!("/ui/sign-in?next={prefix}{next}"));
            let kept = page.value("document.querySelector('[name=next]').value");
            let kept = kept.as_str().unwrap();
            assert!(kept.starts_with("/ui/"), "{kept}");
            is_unharmed(&page, text);
        }
    }
    page.fill("#key", "<script>window.__pwned=1</script>");
    page.follow(named("button", "Sign in"));
    assert_eq!(page.status(), 403);
    is_unharmed(&page, "the key");
}
