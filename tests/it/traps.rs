//! `docs/gitops.md` and `docs/security.md`: every trap and every attack has its line, and every test that a line names is one.

use std::collections::BTreeSet;
use std::path::Path;

const TRAPS: usize = 40;
const ATTACKS: usize = 43;

/// The names of all test functions below a folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(of_file(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The functions that an attribute makes tests of.
fn of_file(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ").filter(|_| is_test) {
            found.push(name.split('(').next().unwrap().to_owned());
            is_test = false;
        }
    }
    found
}

/// The lines of a page that begin with this letter and a number, so many and in their order, end with the names of tests.
fn every_line_is_shown(page: &str, letter: char, lines: usize, columns: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    tests(&root.join("src"), &mut known);
    tests(&root.join("tests"), &mut known);
    assert!(known.len() > 500 && known.contains("every_trap_has_a_test_that_exists"), "{}", known.len());

    let text = std::fs::read_to_string(root.join(page)).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| {
            let number = line.strip_prefix("| ").and_then(|line| line.strip_prefix(letter));
            number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let wanted: Vec<String> = (1..=lines).map(|number| format!("{letter}{number}")).collect();
    assert_eq!(numbers, wanted, "each once, in its order");
    for row in &rows {
        assert_eq!(row.len(), columns, "{row:?}");
        // Names alone, between backticks, separated by commas.
        for name in row[columns - 1].split(", ") {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
            assert!(name.is_some_and(|name| known.contains(name)), "{}: there is no test {name:?}", row[0]);
        }
    }
}

#[test]
fn every_trap_has_a_test_that_exists() {
    every_line_is_shown("docs/gitops.md", 'T', TRAPS, 4);
}

#[test]
fn every_attack_has_a_test_that_exists() {
    every_line_is_shown("docs/security.md", 'S', ATTACKS, 5);
}
