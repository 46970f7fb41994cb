use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::bytes::line_and_column;
use super::super::code::Code;
use super::*;

fn faults(text: &str) -> Vec<(Code, usize, usize)> {
    let (_, faults) = parse(text);
    faults
        .iter()
        .map(|fault| {
            let (line, column) = line_and_column(text.as_bytes(), fault.span.start);
            (fault.finding.code, line, column)
        })
        .collect()
}

#[test]
fn each_refused_feature_is_one_fault_at_its_place() {
    for (text, expected) in [
        ("a: 1\nb: 2\na: 3\n", (Code::DuplicateKey, 3, 1)),
        ("a: &x 1\n", (Code::Anchor, 1, 7)),
        ("a: !!python/object:os.system x\n", (Code::Tag, 1, 32)),
        ("ä: !secret {b: 1}\n", (Code::Tag, 1, 12)),
        ("a:\n\tb: 1\n", (Code::Tab, 2, 1)),
        ("a: [1, 2\nb: 1\n", (Code::Syntax, 2, 1)),
        ("{a: 1}: 2\n", (Code::KeyNotText, 1, 1)),
    ] {
        let found = faults(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (expected.0, expected.1), "{text:?}");
    }
}

#[test]
fn a_merge_key_is_one_fault_and_its_anchor_another() {
    let codes: Vec<_> = faults("base: &b {x: 1}\nspec:\n  <<: *b\n").iter().map(|f| (f.0, f.1)).collect();
    assert_eq!(codes, [(Code::Anchor, 1), (Code::MergeKey, 3)]);
}

#[test]
fn a_duplicate_points_at_the_first_and_the_first_counts() {
    let text = "name: a\nname: b\n";
    let (documents, faults) = parse(text);
    assert_eq!(faults[0].related[0].0, 0..4);
    assert_eq!(documents[0].to_json(), serde_json::json!({"name": "a"}));
}

#[test]
fn documents_without_content_are_left_out() {
    let (documents, faults) = parse("---\na: 1\n---\nb: 2\n---\n");
    assert_eq!((documents.len(), faults.len()), (2, 0));
    assert_eq!(documents[1].to_json(), serde_json::json!({"b": 2}));
}

#[test]
fn spans_are_bytes_of_the_file_whatever_its_characters() {
    for prefix in ["", "\u{feff}", "# ü\n", "# ü\r\n"] {
        let text = format!("{prefix}name: 'größe'\nlist: [x, y]\nnone:\n");
        let (documents, faults) = parse(&text);
        assert!(faults.is_empty());
        let shown = |pointer: &str| text.get(documents[0].find(pointer).unwrap().node.span.clone());
        assert_eq!(shown("/name"), Some("'größe'"));
        assert_eq!(shown("/list/1"), Some("y"));
        assert_eq!(shown("/none"), Some("none"));
    }
}

#[test]
fn what_is_behind_quotes_is_no_part_of_them() {
    for (value, behind) in [
        (r#""a\"b""#, " # it's \"c\""),
        ("'it''s'", "   # 'c'"),
        (r#""\\""#, " "),
        ("'ü\n  b'", "\t# c"),
        ("\"\"", ""),
    ] {
        let text = format!("'k' : {value}{behind}\n\nl: [{value}  ]{behind}\n");
        let (documents, faults) = parse(&text);
        assert!(faults.is_empty(), "{faults:?}");
        let shown = |span: &Range<usize>| text.get(span.clone()).unwrap().to_owned();
        let entry = documents[0].get("k").unwrap();
        assert_eq!((shown(&entry.key_span), shown(&entry.value.span)), ("'k'".to_owned(), value.to_owned()));
        assert_eq!(shown(&documents[0].find("/l/0").unwrap().node.span), value);
    }
}

#[test]
fn pointers_unescape_their_steps() {
    let (documents, _) = parse("labels: {a/b: {c~d: x}}\n");
    assert!(documents[0].find("/labels/a~1b/c~0d").is_some());
    assert!(documents[0].find("/labels/a").is_none());
}

fn nested(depth: usize, open: &str) -> String {
    let mut text = String::new();
    for level in 0..depth {
        if open.is_empty() {
            let _ = writeln!(text, "{}k:", " ".repeat(level));
        } else {
            text.push_str(open);
        }
    }
    text
}

#[test]
fn deep_nesting_and_long_lists_end_early_in_bounded_time() {
    let start = Instant::now();
    for (text, expected) in [
        (nested(5_000, "["), Code::TooDeep),
        (nested(1_400, ""), Code::TooDeep),
        (nested(100_000, "- "), Code::TooDeep),
        (nested(100_000, "? "), Code::TooDeep),
        (nested(100_000, "{a: "), Code::TooDeep),
        ("- a\n".repeat(200_000), Code::TooManyNodes),
    ] {
        let found = faults(&text);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [expected]);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn the_depth_limit_is_exact() {
    assert!(faults(&format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))).is_empty());
    assert_eq!(faults(&"[".repeat(MAX_DEPTH + 1))[0].0, Code::TooDeep);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_panics_and_every_span_lies_in_it(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_text_of_yaml_pieces_panics(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60)
    ) {
        check(&pieces.concat());
    }
}

const PIECES: &[&str] = &[
    "a",
    "ü",
    ":",
    ": ",
    "- ",
    "? ",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "!t ",
    "!!str ",
    "|",
    ">",
    "|-\n",
    "'",
    "\"",
    "\\",
    "#",
    " #",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "<<",
    "0",
    "~",
    "\r",
    "\r\n",
    "\u{85}",
];

fn check(text: &str) {
    let (documents, faults) = parse(text);
    let inside = |span: &Range<usize>| text.get(span.clone()).is_some();
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        assert!(inside(&node.span), "{:?} of {text:?}", node.span);
        match &node.content {
            Content::Scalar(_) => {}
            Content::Sequence(items) => open.extend(items),
            Content::Mapping(entries) => {
                for entry in entries {
                    assert!(inside(&entry.key_span));
                    open.push(&entry.value);
                }
            }
        }
    }
    for fault in &faults {
        assert!(inside(&fault.span), "{fault:?} of {text:?}");
    }
}
