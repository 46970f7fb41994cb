//! Manifests as people write them: `tests/manifests/valid`, `tests/manifests/invalid` (one mistake each, named by the
//! file) and `zones-example`. What a person would see is kept as snapshots beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use partner_zones::cli::report::{Colour, Format, Report};
use partner_zones::manifest::{Code, FileProblem, Known, Loaded, Severity, SourceFile, load};
use partner_zones::zone::Operation;
use proptest::prelude::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files of a folder of the repository, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn loaded(content: impl Into<Vec<u8>>) -> Loaded {
    load([SourceFile { path: "zone.yaml".into(), content: Ok(content.into().into()) }], &Known::default())
}

fn shown(loaded: &Loaded) -> String {
    Report::of_files(loaded, None).render(Format::Text, Colour::Plain)
}

fn errors(loaded: &Loaded) -> Vec<Code> {
    loaded.findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.code).collect()
}

/// To accept a changed text: run the tests with `INSTA_UPDATE=always`, and look at the difference.
fn snapshot(folder: &str, name: &str, loaded: &Loaded) {
    let shown = shown(loaded);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new("../manifests").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[test]
fn a_valid_file_has_no_errors() {
    for (name, content) in files("tests/manifests/valid") {
        let loaded = loaded(content);
        assert_eq!(errors(&loaded), [], "{name}:\n{}", shown(&loaded));
        assert!(!loaded.zones.is_empty() && loaded.unreadable.is_empty(), "{name}");
        snapshot("valid", &name, &loaded);
    }
}

#[test]
fn an_invalid_file_has_the_one_error_it_is_named_after() {
    for (name, content) in files("tests/manifests/invalid") {
        let loaded = loaded(content);
        let wanted = if name == "several-faults" { 4 } else { 1 };
        assert_eq!(errors(&loaded).len(), wanted, "{name}:\n{}", shown(&loaded));
        assert!(loaded.zones.is_empty() && !loaded.unreadable.is_empty(), "{name}: its zone stays as it was");
        snapshot("invalid", &name, &loaded);
    }
}

#[test]
fn the_published_document_is_one_zone_with_two_aliases_of_one_topic() {
    let loaded = loaded(std::fs::read(root().join("tests/manifests/valid/seed.yaml")).unwrap());
    let zone = &loaded.zones["external-partner-zone"].zone;
    assert_eq!(zone.authentication.service_account.as_str(), "johndoe");
    let topics: Vec<_> = zone
        .topics
        .iter()
        .map(|topic| (topic.alias.as_str(), topic.backing.as_str(), topic.permission.as_str()))
        .collect();
    assert_eq!(topics, [("topic-a", "kafka-topic-a", "WRITE"), ("topic-b", "kafka-topic-a", "READ")]);
}

#[test]
fn the_example_zones_are_ready_to_be_served() {
    let examples = files("zones-example/zones");
    let sources = examples.iter().map(|(name, content)| SourceFile {
        path: format!("zones/{name}.yaml"),
        content: Ok(content.clone().into()),
    });
    let known =
        Known { gateway: Some("gateway".into()), clusters: Some(BTreeSet::new()), ..Known::default() };
    let loaded = load(sources, &known);
    let beyond_notes = loaded.findings.iter().any(|finding| finding.severity() != Severity::Note);
    assert!(!beyond_notes, "{}", shown(&loaded));
    assert_eq!(loaded.zones.len(), examples.len());
    let first =
        loaded.zones.values().find(|zone| *zone.source.file == *format!("zones/{}.yaml", examples[0].0));
    let readable = |zone: &partner_zones::manifest::LoadedZone| {
        zone.zone.topics.iter().any(|topic| topic.permission.allows(Operation::Read))
    };
    assert!(first.is_some_and(readable), "the quickstart reads as the partner of the first file");
}

#[test]
fn oddities_of_bytes_are_findings_at_their_place() {
    let good = std::fs::read_to_string(root().join("tests/manifests/valid/no-topics.yaml")).unwrap();
    let utf16 = |text: &str| -> Vec<u8> {
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    let with = |text: &str| good.replace("name: acme", text).into_bytes();
    let mut latin1 = with("name: acme # M_nchen");
    let umlaut = latin1.iter().position(|byte| *byte == b'_').unwrap();
    latin1[umlaut] = 0xfc;
    for (content, code, line) in [
        (latin1, Code::NotUtf8, 4),
        (utf16(&good), Code::NotUtf8, 1),
        (with("name: acme\0"), Code::ControlCharacter, 4),
        (with("name: ac\u{1b}[2Jme"), Code::ControlCharacter, 4),
        (with("name: \u{202e}emca"), Code::InvisibleCharacter, 4),
        (with("name: ac\u{200b}me"), Code::InvisibleCharacter, 4),
    ] {
        let loaded = loaded(content);
        assert_eq!(errors(&loaded), [code]);
        assert_eq!(loaded.findings[0].source.as_ref().map(|at| at.line), Some(line), "{code:?}");
        let shown = shown(&loaded);
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(shown.chars().all(harmless), "{shown:?}");
    }
    for content in [format!("\u{feff}{good}"), good.replace('\n', "\r\n")] {
        assert_eq!(errors(&loaded(content)), [], "a byte order mark and Windows line ends are fine");
    }
}

#[test]
fn what_is_no_file_is_a_finding() {
    let problems = [
        (FileProblem::Symlink, Code::NotAFile),
        (FileProblem::Submodule, Code::NotAFile),
        (FileProblem::TooLarge { size: 10_485_760 }, Code::FileTooLarge),
        (FileProblem::Unreadable("permission denied".into()), Code::UnreadableFile),
    ];
    for (problem, code) in problems {
        let file = SourceFile { path: "zones/acme.yaml".into(), content: Err(problem) };
        let loaded = load([file], &Known::default());
        assert_eq!(errors(&loaded), [code]);
        assert_eq!(loaded.unreadable.nameless_files.len(), 1);
    }
}

#[test]
fn huge_and_deep_files_are_refused_in_bounded_time() {
    let start = Instant::now();
    let deep = |open: &str| open.repeat(5_000);
    let block = (0..1_400).map(|level| " ".repeat(level) + "a:\n").collect::<Vec<_>>().concat();
    let wide = format!("spec: [{}]", "{a: b}, ".repeat(100_000));
    let one_line = format!("kind: PartnerZone\nspec: {{topics: [{}]}}", "{name: A B}, ".repeat(4_500));
    for (content, code) in [
        ("x".repeat(10 << 20), Code::FileTooLarge),
        (deep("["), Code::TooDeep),
        (deep("{a: "), Code::TooDeep),
        (deep("- "), Code::TooDeep),
        (block, Code::TooDeep),
        (wide, Code::TooManyNodes),
    ] {
        assert_eq!(errors(&loaded(content)), [code]);
    }
    assert!(errors(&loaded(one_line)).len() > 100);
    // Four seconds of work; without bounds it would be hours. The machine may have other things to do.
    assert!(start.elapsed() < Duration::from_mins(2), "{:?}", start.elapsed());
}

#[test]
fn a_secret_is_never_shown() {
    for (name, secret) in
        [("password", "correct-horse"), ("private-key", "MIIBVQ"), ("token-in-a-description", "ghp_")]
    {
        let content = std::fs::read(root().join(format!("tests/manifests/invalid/{name}.yaml"))).unwrap();
        let loaded = loaded(content);
        let json = serde_json::to_string(&loaded.findings).unwrap();
        assert!(!shown(&loaded).contains(secret) && !json.contains(secret), "{name}");
    }
}

/// The exit code, standard output and standard error of `reconciler validate` in the repository's root.
fn validate(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_reconciler"))
        .arg("validate")
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn validate_says_what_is_wrong_in_every_form_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let json = format!("json={}", report.display());
    let file = "tests/manifests/invalid/unknown-field.yaml";
    let (code, shown, notes) = validate(&[file, "--output", &json, "--output", "text"]);
    assert_eq!((code, notes.as_str()), (Some(1), ""));
    assert!(shown.starts_with("error[PZ0101]: unknown field `permision`"), "{shown}");
    assert!(shown.contains(&format!("--> {file}:13:7")), "{shown}");
    assert!(shown.ends_with("\n0 valid zones in 1 file: 1 error, 0 warnings, 0 notes\n"), "{shown}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(
        report,
        serde_json::json!({
            "formatVersion": "1.0", "mode": "offline", "revision": null, "summary": {"findings": 1}, "suppressed": [],
            "findings": [{
                "code": "PZ0101", "severity": "error", "message": "unknown field `permision` in `spec.topics[0]`",
                "help": "did you mean `permission`?", "source": {"file": file, "line": 13, "column": 7}, "related": [],
            }],
        })
    );
}

#[test]
fn validate_ends_with_the_published_exit_codes() {
    let (code, shown, _) = validate(&["zones-example/zones", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(
        report["revision"].as_str().is_some_and(|revision| revision.starts_with("dir@sha256:")),
        "{report}"
    );
    assert_eq!(code, Some(0));
    for wrong in [&["no-such-folder"][..], &["README.md"], &["schema"], &["zones-example", "--output", "pdf"]]
    {
        let (code, shown, notes) = validate(wrong);
        assert_eq!((code, shown.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(notes.starts_with("error: "), "{notes}");
    }
}

/// A run of `reconciler validate` on a file with an error, in a folder of its own, with these variables.
fn validate_in(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let content = std::fs::read(root().join("tests/manifests/invalid/unknown-field.yaml")).unwrap();
    std::fs::create_dir_all(folder.join("zones")).unwrap();
    std::fs::write(folder.join("zones/acme.yaml"), content).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_reconciler"))
        .arg("validate")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn every_form_can_be_had_at_once_each_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let forms = Format::ALL.map(|(name, _)| format!("--output={name}={name}.out"));
    let forms: Vec<_> = forms.iter().map(String::as_str).collect();
    let (code, shown, notes) = validate_in(folder, &forms, &[]);
    assert_eq!((code, shown.as_str(), notes.as_str()), (Some(1), "", ""));
    for (name, _) in Format::ALL {
        let text = std::fs::read_to_string(folder.join(format!("{name}.out"))).unwrap();
        assert!(name == "junit" || text.contains("PZ0101") && text.ends_with('\n'), "{name}: {text}");
        assert!(text.contains("permision"), "{name}: {text}");
    }
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        Format::ALL.len() + 1,
        "no half of a file is left"
    );
}

#[test]
fn a_report_that_cannot_be_written_is_a_usage_error_and_the_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for wrong in ["--output=json=none/report.json", "--output=junit=text.out"] {
        let (code, shown, notes) =
            validate_in(folder, &["--output=text=text.out", wrong, "--output=json"], &[]);
        assert_eq!(code, Some(2), "{wrong}: {notes}");
        assert!(shown.starts_with("{\n") && notes.starts_with("error: "), "{wrong}: {notes}");
        let text = std::fs::read_to_string(folder.join("text.out")).unwrap();
        assert!(text.starts_with("error[PZ0101]"), "{text}");
    }
}

#[test]
fn github_actions_get_annotations_and_a_summary_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, shown, notes) = validate_in(folder, &["--output=json"], &[]);
    assert_eq!((code, notes.as_str()), (Some(1), ""));
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "summary.md"), ("CI", "true")];
    let (in_actions, same, annotations) = validate_in(folder, &["--output=json"], &variables);
    assert_eq!((in_actions, same), (code, shown), "neither the exit code nor what is piped on");
    assert!(
        annotations.starts_with("::error file=zones/acme.yaml,line=13,col=7,title=PZ0101 "),
        "{annotations}"
    );
    let summary = std::fs::read_to_string(folder.join("summary.md")).unwrap();
    assert!(summary.contains("zones/acme.yaml:13:7 PZ0101"), "{summary}");
    // Who asks for them gets them where they were asked for, once.
    let (_, shown, notes) = validate_in(folder, &["--output=github"], &variables);
    assert!(shown.starts_with("::error ") && notes.is_empty(), "{notes}");
    let unwritable = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "none/summary.md")];
    assert_eq!(validate_in(folder, &["--output=json"], &unwritable).0, code);
}

/// Trap T30: whatever a file holds, matching it and compiling its expressions takes bounded time.
#[test]
fn regular_expressions_take_bounded_time() {
    let start = Instant::now();
    let good = std::fs::read_to_string(root().join("tests/manifests/valid/no-topics.yaml")).unwrap();
    for expression in ["(a+)+$", "((a{200}){200}){200}", "(((((a*)*)*)*)*)*b", "\\\\p{L}{500}{500}"] {
        let headers = format!("  headers: {{removeOnConsume: [{{keyRegex: \"{expression}\"}}]}}\n");
        for text in [format!("{good}{headers}"), good.replace("acme", &format!("{}!", "a".repeat(100_000)))] {
            load(
                [SourceFile { path: "zone.yaml".into(), content: Ok(text.into_bytes().into()) }],
                &Known::default(),
            );
        }
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let loaded = loaded(content);
        prop_assert!(!loaded.findings.is_empty());
        shown(&loaded);
    }

    /// Real files, cut anywhere and with bytes replaced: never a panic, and never a zone lost without a word.
    #[test]
    fn a_damaged_file_is_a_zone_or_an_error(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut files = files("tests/manifests/valid");
        let (_, mut content) = files.swap_remove(which.index(files.len()));
        content.truncate(cut.index(content.len()) + 1);
        for (at, byte) in damage {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let loaded = loaded(content);
        prop_assert!(!loaded.zones.is_empty() || !errors(&loaded).is_empty());
        prop_assert_eq!(errors(&loaded).is_empty(), loaded.unreadable.is_empty());
        shown(&loaded);
    }
}
