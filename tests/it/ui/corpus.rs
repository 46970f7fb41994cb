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

/// A zone that says one or the other wherever it may say something.
fn saying([one, other]: [&str; 2], topic: &str, name: &str) -> Value {
    // There two braces begin a template.
    let value = one.replace("{{", "{");
    json!({
        "apiVersion": "v2", "kind": "PartnerZone",
        "metadata": {"name": name, "labels": {"also": other, "note": one}},
        "spec": {
            "cluster": "gateway", "displayName": one, "description": other, "url": format!("https://x.example/{one}"),
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("<b>{name}</b>")},
            "topics": [{
                "name": "orders", "backingTopic": topic, "permission": "READ", "description": other, "tags": [one],
            }],
            "partner": {"name": one, "role": other, "email": one, "phone": other},
            "organization": {"name": other, "description": one, "contact": other},
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
    let page = stage.administrator();
    let long = long();
    let texts: Vec<_> = TEXTS.iter().copied().chain([CRLF, "the end", &long, &long]).collect();
    let zones: Vec<_> = texts.chunks(2).map(|pair| [pair[0], pair[1]]).enumerate().collect();
    are_committed(&stage, &topic, &zones);
    for (number, pair) in &zones {
        let name = format!("x{number:02}");
        page.go(&format!("/ui/zones/{name}"));
        shown(&page, &name, *pair);
        is_the_same_in_the_form(&page, &name);
    }
    page.examine("corpus-long-review");
    page.go(&format!("/ui/zones/x{:02}", zones.len() - 1));
    page.examine("corpus-long");
    page.go("/ui/zones");
    let names = page.value("[...document.querySelectorAll('#zones a.name')].map((it) => it.textContent)");
    let names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for (_, [text, _]) in &zones {
        assert!(names.contains(&text.replace("\r\n", "\n").as_str()), "{text:?} is not in {names:#?}");
    }
    is_unharmed(&page, "the list");
    page.examine("corpus-list");
    page.go("/ui/activity");
    is_unharmed(&page, "the activity");
    let asked_for: Vec<_> = texts.iter().copied().chain(REFUSED).collect();
    for text in &asked_for {
        asked(&page, text);
    }
    for four in asked_for.chunks(4) {
        asked_together(&page, four);
    }
    nobody_is_led_elsewhere(&stage, &texts);
}

/// Over REST, and in Git as it was sent, but for what nothing can show.
fn are_committed(stage: &Stage, topic: &str, zones: &[(usize, [&str; 2])]) {
    let rest = Rest::admin(&stage.product);
    let mut wrong = Vec::new();
    for (number, pair) in zones {
        let name = format!("x{number:02}");
        let zone = saying(*pair, topic, &name);
        let answer = send(&rest, &zone);
        if answer.status != 201 {
            wrong.push(format!("{pair:?}: {:#}", answer.body));
            continue;
        }
        let file = committed(stage, &name);
        if (&file["metadata"], &file["spec"]) != (&zone["metadata"], &zone["spec"]) {
            wrong.push(format!("{pair:?}: {file:#}"));
        }
    }
    for text in REFUSED {
        let refused = send(&rest, &saying([text, "fine"], topic, "refused"));
        if refused.status != 422 {
            wrong.push(format!("{text:?}: {:#}", refused.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A zone's page says the very same, and nothing of it is more than text.
fn shown(page: &Page<'_>, name: &str, pair: [&str; 2]) {
    let [one, other] = pair.map(|text| text.replace("\r\n", "\n"));
    let content = |css: &str| {
        page.value(&format!("[...document.querySelectorAll('{css}')].map((it) => it.textContent).join('|')"))
    };
    assert_eq!(content("h1"), json!(one), "{name}");
    assert_eq!(content(".heading a[rel]"), json!(format!("https://x.example/{one}")), "{name}");
    assert_eq!(content(".prose"), json!(other), "{name}");
    assert_eq!(content("#topics .free"), json!(other), "{name}");
    assert_eq!(content(".labels a"), json!(format!("also={other}|note={one}")), "{name}");
    assert_eq!(content(".contact"), json!(format!("{one}, {other}{one}{other}")), "{name}");
    let account = content("dd code");
    assert!(account.as_str().unwrap().contains(&format!("<b>{name}</b>")), "{account}");
    let hosts = page.value("[...document.querySelectorAll('a')].map((it) => it.hostname)");
    let hosts = hosts.as_array().unwrap();
    assert!(hosts.iter().all(|host| host == "127.0.0.1" || host == "x.example"), "{name}: {hosts:?}");
    let made = "document.querySelectorAll('main :is(script, iframe, img, base, meta, b, form[action^=http])').length";
    assert_eq!(page.value(made), 0, "{name}: a text has become more than text");
    assert_eq!(page.value("document.scripts.length"), 1, "{name}");
    is_unharmed(page, name);
}

/// Looked at there and left as it is, nothing changes.
fn is_the_same_in_the_form(page: &Page<'_>, name: &str) {
    page.go(&format!("/ui/zones/{name}/edit"));
    page.follow(named(".steps button", "Review"));
    page.wait_for(named(".buttons a", "Leave it as it is"));
    is_unharmed(page, name);
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// In the fields and parameters that pages take, and as a part of a path.
fn asked(page: &Page<'_>, text: &str) {
    let asked = encoded(text);
    page.go(&format!("/ui/zones?search={asked}&label={asked}&status={asked}&sort={asked}&deleted={asked}"));
    // What a page cannot hold is shown as missing.
    let text = text.replace('\0', "\u{fffd}");
    let kept: String = text.trim().chars().filter(|letter| !['\r', '\n'].contains(letter)).collect();
    assert_eq!(page.text_of("#search"), kept, "{text:?}");
    is_unharmed(page, &text);
    page.go(&format!("/ui/zones/{}", asked.replace('+', "%20")));
    assert!([400, 404].contains(&page.status()), "{}: {text:?}", page.status());
    is_unharmed(page, &text);
}

/// Several at a time, where there are more pages than time.
fn asked_together(page: &Page<'_>, texts: &[&str]) {
    let at = |index: usize| encoded(texts[index % texts.len()]);
    for path in [
        format!("/ui/zones?page={}", at(0)),
        format!("/ui/topics?search={}&cluster={}", at(0), at(1)),
        format!("/ui/topics?page={}", at(2)),
        format!("/ui/activity?zone={}&type={}", at(2), at(3)),
        format!("/ui/zones/keep/written?result={}&commit={}", at(1), at(3)),
    ] {
        page.go(&path);
        is_unharmed(page, &path);
    }
}

fn nobody_is_led_elsewhere(stage: &Stage, texts: &[&str]) {
    let page = stage.anybody();
    for (number, text) in texts.iter().enumerate() {
        let prefix = if number % 2 == 0 { "" } else { "/ui/" };
        page.go(&format!("/ui/sign-in?next={prefix}{}", encoded(text)));
        let kept = page.text_of("[name=next]");
        assert!(kept.starts_with("/ui/"), "{kept}");
        is_unharmed(&page, text);
    }
    page.fill("#key", "<script>window.__pwned=1</script>");
    page.follow(named("button", "Sign in"));
    assert_eq!(page.status(), 403);
    is_unharmed(&page, "the key");
}
