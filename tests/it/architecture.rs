//! The rules of the house, read from the source: who may import whom (the table in `src/lib.rs` is the rule, this reads
//! it), which names may occur where, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of `src/`.
struct Source {
    /// Relative to `src/`.
    path: String,
    /// Without comments.
    code: String,
    lines: usize,
}

impl Source {
    /// The top module that the file belongs to: `kafka` for `kafka/walker/mod.rs`, `secret` for `secret.rs`.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The part before in-file tests.
    fn shipped(&self) -> &str {
        if self.is_test() { "" } else { self.code.split("#[cfg(test)]\nmod tests {").next().unwrap() }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 80, "found only {} files under {}", files.len(), root.display());
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            Source { path, code: without_comments(&text), lines: text.lines().count() }
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// Line comments only; there are no others here.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The first names behind `prefix`, as in `crate::zone::Zone` and `crate::{policy::View, zone}`.
fn names_behind(prefix: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = code[at + prefix.len()..].trim_start();
        let members = if rest.starts_with('{') { members_of_group(rest) } else { vec![rest] };
        let first = |member: &str| -> String {
            member.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        names.extend(members.into_iter().map(first).filter(|name| !name.is_empty()));
    }
    names
}

/// What stands between the commas of `{a, b::{c, d}, e}`.
fn members_of_group(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 1, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                members.push(&text[start..at]);
                start = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    members.push(&text[start..at]);
                    break;
                }
            }
            _ => {}
        }
    }
    members
}

type Table = BTreeMap<String, BTreeSet<String>>;

/// The table of `src/lib.rs`: `gateway → kafka, policy, zone`, several to a line.
fn allowed_imports() -> Table {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let block = map.split("```text").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lines: Vec<_> = block.lines().map(|line| line.trim_start_matches("//!").trim()).collect();
    let first = lines.iter().find(|line| !line.is_empty()).unwrap();
    assert!(first.starts_with("main → cli → app → { gateway, reconcile, api, ui }"), "{first}");

    let mut table = Table::new();
    for rule in lines.iter().filter(|line| *line != first).flat_map(|line| line.split("   ")) {
        let Some((from, to)) = rule.split_once('→') else { continue };
        let to = to.split(',').map(|name| name.trim().to_owned()).collect();
        assert!(table.insert(from.trim().to_owned(), to).is_none(), "two rules for {from}");
    }
    // The two top rings may use all that is below them.
    let below: BTreeSet<_> =
        table.iter().flat_map(|(from, to)| to.iter().chain([from])).cloned().collect::<BTreeSet<_>>();
    table.insert("app".to_owned(), below.clone());
    table.insert("cli".to_owned(), below.into_iter().chain(["app".to_owned()]).collect());
    table
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let allowed = allowed_imports();
    let mut wrong = Vec::new();
    let mut used = 0;
    for source in sources().iter().filter(|source| !["lib.rs", "main.rs"].contains(&source.path.as_str())) {
        let none = BTreeSet::new();
        let may = allowed.get(source.module()).unwrap_or(&none);
        for name in names_behind("crate::", &source.code) {
            used += 1;
            if name != source.module() && !may.contains(&name) {
                wrong.push(format!("{} imports {name}", source.path));
            }
        }
        // A way around the table: `partner_zones::` is for `main.rs`, and `super` must not climb to the root.
        if !names_behind("partner_zones::", &source.code).is_empty() {
            wrong.push(format!("{} names its own package", source.path));
        }
        if climbs_to_the_root(source) {
            wrong.push(format!("{} reaches the root by `super`: write `crate::`", source.path));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(used > 100, "found only {used} imports: the test looks in the wrong place");
}

/// `kafka/walker/atom.rs` is three modules deep: three `super` are too many, in tests inside the file four.
fn climbs_to_the_root(source: &Source) -> bool {
    let names = source.path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod");
    let root = "super::".repeat(names.count());
    let shipped = source.shipped();
    let tests = &source.code[shipped.len()..];
    let deep = if source.is_test() { root.clone() } else { format!("super::{root}") };
    shipped.contains(&root) || tests.contains(&deep)
}

#[test]
fn every_module_is_on_the_map() {
    let allowed = allowed_imports();
    let known: BTreeSet<_> = allowed.iter().flat_map(|(from, to)| to.iter().chain([from])).cloned().collect();
    let modules: BTreeSet<_> = sources().iter().map(|source| source.module().to_owned()).collect();
    let wanted: BTreeSet<_> = known.into_iter().chain(["lib".to_owned(), "main".to_owned()]).collect();
    assert_eq!(modules, wanted);
}

/// Where a name may occur, by the start of the path.
struct Rule {
    name: &'static str,
    only_in: &'static [&'static str],
    also_in_tests: bool,
}

const RULES: [Rule; 7] = [
    Rule { name: "kafka_protocol::", only_in: &["kafka/", "gateway/"], also_in_tests: false },
    // Every task has an owner: `TaskTracker::spawn`.
    Rule { name: "tokio::spawn(", only_in: &[], also_in_tests: true },
    Rule { name: "tokio::task::spawn(", only_in: &[], also_in_tests: true },
    // What nobody bounds, somebody fills.
    Rule { name: "unbounded_channel", only_in: &[], also_in_tests: true },
    // What libgit2 keeps in globals.
    Rule {
        name: "allow(unsafe_code)",
        only_in: &["reconcile/source/libgit2.rs", "reconcile/source/network/https.rs"],
        also_in_tests: false,
    },
    Rule { name: "axum::", only_in: &["api/", "ui/"], also_in_tests: true },
    Rule { name: "git2::", only_in: &["reconcile/source/", "cli/"], also_in_tests: true },
];

#[test]
fn names_occur_only_where_they_may() {
    let sources = sources();
    let mut wrong = Vec::new();
    for rule in &RULES {
        let mut found = 0;
        for source in &sources {
            let code = if rule.also_in_tests { source.shipped() } else { &source.code };
            if !code.contains(rule.name) {
                continue;
            }
            found += 1;
            if !rule.only_in.iter().any(|start| source.path.starts_with(start)) {
                wrong.push(format!("{} names {}", source.path, rule.name));
            }
        }
        assert!(found > 0 || rule.only_in.is_empty(), "nobody names {}: the rule guards nothing", rule.name);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_pure_rings_have_no_clock_no_io_and_nothing_asynchronous() {
    const IMPURE: [&str; 9] = [
        "async ",
        ".await",
        "tokio",
        "SystemTime",
        "Instant::now",
        "now_utc",
        "std::fs",
        "std::net",
        "std::env",
    ];
    let sources = sources();
    let pure: Vec<_> =
        sources.iter().filter(|source| ["zone", "policy"].contains(&source.module())).collect();
    assert!(pure.len() > 8, "found only {} files", pure.len());
    // A test has to take a moment from somewhere, if only to begin at.
    let named = |source: &&Source| IMPURE.iter().any(|name| source.shipped().contains(name));
    let wrong: Vec<_> = pure.into_iter().filter(named).map(|source| &source.path).collect();
    assert_eq!(wrong, Vec::<&String>::new());
}

/// What takes the gateway's own checks away is there for tests, and no release has it: each mention outside its own file, which is
/// let in by one of them, stands behind the attribute. And whatever is built, no configuration reaches it.
#[test]
fn a_release_cannot_be_without_the_gateways_checks() {
    const NAMES: [&str; 4] = ["start_unchecked", "TakenAway", "mod unchecked", "unchecked::"];
    const GATE: &str = "#[cfg(debug_assertions)]";
    let (mut mentions, mut wrong) = (0, Vec::new());
    for source in sources().iter().filter(|source| source.path != "gateway/unchecked.rs") {
        let mut before = "";
        for line in source.code.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if NAMES.iter().any(|name| line.contains(name)) || line == "use super::unchecked;" {
                mentions += 1;
                // Inside an arm that is gated as a whole.
                let is_gated = before == GATE || before == "Checks::TakenAway => {";
                if !is_gated || source.module() != "gateway" {
                    wrong.push(format!("{}: {line}", source.path));
                }
            }
            before = line;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(mentions >= 4, "found only {mentions}: the test looks in the wrong place");
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("debug-assertions"), "a profile says itself what a release is");
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let long = |source: &&Source| source.lines > if source.is_test() { 800 } else { 500 };
    let sources = sources();
    let wrong: Vec<_> = sources.iter().filter(long).map(|source| (&source.path, source.lines)).collect();
    assert_eq!(wrong, vec![]);
    assert!(sources.iter().map(|source| source.lines).sum::<usize>() > 10_000);
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = without_comments(
        "use crate::zone::Alias;
         use crate::{policy::{View, kafka_like}, store, // crate::commented
             gateway::api as g};
         /// [`crate::documented`]
         fn f(x: &crate::secret::Secret<String>) { other_crate::no(); }",
    );
    let wanted = ["gateway", "policy", "secret", "store", "zone"].map(str::to_owned);
    assert_eq!(names_behind("crate::", &code), BTreeSet::from(wanted));

    let source = |path: &str, code: &str| Source { path: path.into(), code: code.into(), lines: 1 };
    assert!(climbs_to_the_root(&source("zone/set.rs", "use super::super::kafka;")));
    assert!(!climbs_to_the_root(&source("zone/set.rs", "use super::Zone;")));
    assert!(climbs_to_the_root(&source("zone/mod.rs", "use super::kafka;")));
    assert!(!climbs_to_the_root(&source("zone/mod.rs", "#[cfg(test)]\nmod tests {\n use super::Zone;")));
    assert!(climbs_to_the_root(&source(
        "zone/mod.rs",
        "#[cfg(test)]\nmod tests {\n use super::super::kafka;"
    )));
    assert!(!climbs_to_the_root(&source("zone/set/tests.rs", "use super::super::Zone;")));
}
