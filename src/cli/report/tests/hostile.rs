//! Text from files, branches and servers stays text in every form.

use std::fmt::Write;
use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::super::markdown::MARKER;
use super::*;
use crate::manifest::suppress::By;
use crate::manifest::{Code, Finding, Location, Suppressed};

/// What a log's reader at a CI server would obey.
static OBEYED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^\s*::[A-Za-z]|##[A-Za-z]*\[").unwrap());
static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^::(error|warning|notice) ([a-z]+=[^:,]*)(,[a-z]+=[^:,]*)*::").unwrap());
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"<(\?xml [^<>]*\?|/?(testsuites|testsuite|properties|testcase|failure|system-out|property)( [a-z]+="[^"<>]*")*/?)>"#).unwrap()
});
static ENTITY: LazyLock<Regex> = LazyLock::new(|| Regex::new("&(amp|lt|gt|quot|apos|#35);").unwrap());
static URI: LazyLock<Regex> = LazyLock::new(|| Regex::new("^(file:///)?[A-Za-z0-9._~/%-]+$").unwrap());

/// Stands on both sides of each hostile text, to find it again.
const TOKEN: &str = "ZQX";

const NASTY: [&str; 24] = [
    "```\n</details><script>alert(1)</script>\n",
    "`````````````````````````````````````````````",
    "` @everyone #1 !2 GH-3 https://evil.example `",
    "\n\n# heading\n\n- [x] list\n\n| a | b |\n|---|---|\n",
    "</code></summary><img src=x onerror=alert(1)>",
    "<!-- partner-zones: reconciler -->",
    "<!-- partner-zones: reconciler -->\n### `reconciler plan`\nNo changes.",
    "::error file=a.yaml::forged",
    "\n::set-output name=x::y",
    "\r::stop-commands::x",
    "%0A::add-mask::x",
    " ##[error]forged",
    "##vso[task.setvariable variable=x]y",
    "####[group]x",
    "\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}",
    "\u{9b}31m\u{0}\u{7}\u{8}",
    "\u{202e}txet\u{200b}\u{feff}",
    "]]></failure><testcase name=\"forged\"/>",
    "\"/><property name='x' value=\"&xxe;\"",
    "\u{fffe}\u{ffff}\u{2028}\u{2029}\u{85}",
    "javascript:alert(1)",
    "//evil.example/?a=b#c",
    "/close\n/approve\n/assign @me",
    "title=x,file=y,line=9::z",
];

fn between_tokens(text: &str) -> String {
    format!("{TOKEN}{text}{TOKEN}")
}

/// One finding of each severity that says `text` wherever a finding can, and a suppressed one.
struct Said {
    findings: Vec<Finding>,
    suppressed: Vec<Suppressed>,
    texts: Texts,
}

fn said(text: &str) -> Said {
    let text = between_tokens(text);
    let at = Location { file: text.as_str().into(), line: 2, column: 3, span: 4..6 };
    let finding = |code| {
        let finding = Finding::new(code, text.as_str()).help(text.as_str()).at(at.clone());
        finding.related(at.clone(), text.as_str())
    };
    let by = By { reason: text.as_str().into(), source: at.clone() };
    Said {
        findings: [Code::Syntax, Code::NothingShared, Code::TwoAliases].map(finding).into(),
        suppressed: vec![Suppressed { finding: finding(Code::TwoAliases), by }],
        texts: [(text.as_str().into(), format!("a: {text}\nb: {text}\n").into())].into(),
    }
}

fn report(said: &Said) -> Report<'_> {
    of_findings(&said.findings, &said.suppressed, &said.texts)
}

/// A zone whose every free text is `text`, and the plan that makes it so.
fn planned_with(text: &str) -> (Plan, Desired) {
    let quoted = between_tokens(text).chars().fold(String::new(), |mut yaml, character| {
        if character.is_ascii_alphanumeric() {
            yaml.push(character);
        } else {
            write!(yaml, "\\U{:08x}", u32::from(character)).unwrap();
        }
        yaml
    });
    let before = manifest("acme", "Acme", &topic("orders", "orders-v1", "READ"));
    let after = manifest("acme", &format!("\"{quoted}\""), &topic("orders", "orders-v1", "READ"))
        .replace("metadata:\n", &format!("metadata:\n  labels: {{\"a{quoted}\": \"{quoted}\"}}\n"));
    planned(&[(FILE, before)], &[(FILE, after)])
}

/// What a reader of Markdown takes for markup: the text without fences and code spans (CommonMark 0.31, sections 4.5 and 6.1).
fn markup(markdown: &str) -> String {
    let mut outside = String::new();
    let mut open: Option<usize> = None;
    for line in markdown.split('\n') {
        let ticks = line.len() - line.trim_start_matches('`').len();
        let rest = &line[ticks..];
        match open {
            Some(length) if ticks >= length && rest.trim().is_empty() => open = None,
            Some(_) => {}
            None if ticks >= 3 && !rest.contains('`') => open = Some(ticks),
            None => {
                outside.push_str(&without_spans(line));
                outside.push('\n');
            }
        }
    }
    assert_eq!(open, None, "a fence is not closed:\n{markdown}");
    outside
}

fn without_spans(line: &str) -> String {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let (mut outside, mut rest) = (String::new(), line);
    while let Some(start) = rest.find('`') {
        outside.push_str(&rest[..start]);
        let ticks = run(&rest[start..]);
        let inner = &rest[start + ticks..];
        let mut at = 0;
        let end = loop {
            let Some(found) = inner[at..].find('`') else { break None };
            let length = run(&inner[at + found..]);
            if length == ticks {
                break Some(at + found + length);
            }
            at += found + length;
        };
        let Some(end) = end else { break };
        rest = &inner[end..];
    }
    outside + rest
}

fn check_markdown(markdown: &str) {
    assert!(markdown.starts_with(MARKER) && markdown.matches("<!--").count() == 1, "{markdown}");
    let markup = markup(markdown);
    assert!(!markup.contains(TOKEN), "{markup}");
    assert!(markdown.len() <= 65_536);
}

fn check_log(text: &str) {
    assert!(!OBEYED.is_match(text), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

fn check_annotations(text: &str) {
    let (commands, other): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("::"));
    assert!(commands.iter().all(|line| COMMAND.is_match(line)), "{text}");
    check_log(&other.join("\n"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

fn check_xml(text: &str) {
    let rest = TAG.replace_all(text, "");
    assert!(!rest.contains(['<', '>']), "{rest}");
    assert!(!ENTITY.replace_all(text, "").contains('&'), "{text}");
    let allowed =
        |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    assert!(text.chars().all(allowed), "{text:?}");
}

fn check_sarif(text: &str) {
    let log: Value = serde_json::from_str(text).unwrap();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let at = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(URI.is_match(at) && !at.starts_with("//"), "{at}");
    }
}

fn check(report: &Report<'_>) {
    let form = |format| report.render(format, Colour::Plain);
    check_log(&form(Format::Text));
    check_markdown(&form(Format::Markdown));
    check_annotations(&form(Format::Github));
    check_xml(&form(Format::Junit));
    check_sarif(&form(Format::Sarif));
    for (name, format) in Format::ALL.into_iter().filter(|(_, format)| *format != Format::Github) {
        assert!(!OBEYED.is_match(&form(format)), "{name}: {}", form(format));
    }
    for format in [Format::Json, Format::Gitlab] {
        let _: Value = serde_json::from_str(&form(format)).unwrap();
    }
}

#[test]
fn a_hostile_text_is_only_text_in_every_form() {
    for text in NASTY {
        check(&report(&said(text)));
        let (plan, desired) = planned_with(text);
        check(&Report { mode: Mode::Offline, ..Report::of_plan(&plan, &desired.loaded) });
    }
}

#[test]
fn the_name_of_a_file_is_no_command_at_the_start_of_a_line() {
    let mut said = said("x");
    for finding in &mut said.findings {
        finding.source = Some(Location { file: "::error::x.yaml".into(), line: 1, column: 1, span: 0..0 });
    }
    let report = report(&said);
    for (name, format) in Format::ALL.into_iter().filter(|(_, format)| *format != Format::Github) {
        let text = report.render(format, Colour::Plain);
        assert!(text.contains("error") && !OBEYED.is_match(&text), "{name}: {text}");
    }
}

#[test]
fn the_check_of_markdown_sees_what_gets_out() {
    for text in ["ZQX", "`a` ZQX", "```\na\n```\nZQX", "``a` `` ZQX", "`unclosed ZQX"] {
        assert!(markup(text).contains(TOKEN), "{text}");
    }
    for text in ["`ZQX`", "`` ` ZQX ``", "````text\n```\nZQX\n````"] {
        assert!(!markup(text).contains(TOKEN), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_is_only_text_too(
        pieces in prop::collection::vec(prop_oneof![
            any::<String>(),
            prop::sample::select(NASTY.to_vec()).prop_map(str::to_owned),
            "[`:#<\\[\\]&@%,|\n -]{1,8}",
        ], 0..5)
    ) {
        let text = pieces.concat();
        check(&report(&said(&text)));
        let (plan, desired) = planned_with(&text);
        check(&Report::of_plan(&plan, &desired.loaded));
    }
}
