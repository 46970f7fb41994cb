//! What a command prints: data to stdout in the format asked for, notes to stderr.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

use super::Failure;

/// `-o` of the commands that read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Yaml,
    /// Names only, one a line.
    Name,
}

/// Writes data to stdout. A reader that has gone away (`| head`) is no failure.
pub fn data(text: &str) -> Result<(), Failure> {
    is_taken(text).map(drop)
}

/// The same; false if the reader has gone away.
pub fn is_taken(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::internal(format!("cannot write to standard output: {error}"))),
    }
}

/// Writes a line for a person to stderr.
pub fn note(line: &str) {
    // There is nowhere left to report a failure to.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A value as indented JSON, with a final newline. What a terminal or a CI server's log (`##[command]`) would obey is escaped: it can
/// only stand in strings, where the escape means the same.
pub fn json(value: &Value) -> String {
    let text = format!("{value:#}\n");
    let mut last = None;
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        let obeyed = character == '#' && last == Some('#') || is_obeyed(character);
        if obeyed {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
        last = Some(character);
        safe
    })
}

/// Control characters beyond ASCII, ends of lines, and what turns the direction of a line around.
fn is_obeyed(character: char) -> bool {
    !character.is_ascii() && character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A value as a YAML document.
pub fn yaml(value: &Value) -> Result<String, Failure> {
    serde_yaml::to_string(value).map_err(|error| Failure::internal(format!("cannot write YAML: {error}")))
}

/// How many columns a line may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width(Option<usize>);

impl Width {
    /// As many as it takes.
    pub const ALL: Self = Self(None);

    /// Those of the terminal that standard output is, or as many as it takes: what reads a pipe wants all.
    pub fn of_terminal() -> Self {
        Self(terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into()))
    }

    /// How wide each column may be of those that would be so wide: the widest give way first, and the first, by which things are
    /// called, never.
    fn shared(self, mut columns: Vec<usize>) -> Vec<usize> {
        let Some(all) = self.0 else { return columns };
        let gaps = GAP * columns.len().saturating_sub(1);
        while columns.iter().sum::<usize>() + gaps > all {
            let widest = columns.iter_mut().skip(1).max_by_key(|width| **width);
            match widest.filter(|width| **width > NARROWEST) {
                Some(width) => *width -= 1,
                // It does not fit, and is as wide as it is then.
                None => break,
            }
        }
        columns
    }
}

/// Between two columns.
const GAP: usize = 2;
/// No column is shortened below this.
const NARROWEST: usize = 6;

/// As [`table`], with cells shortened so that its lines fit.
pub fn fitted<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
    width: Width,
) -> String {
    let columns = (0..COLUMNS).map(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        cells.chain(head.get(column).copied()).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let shares = width.shared(columns.collect());
    let mut rows = rows.to_vec();
    for row in &mut rows {
        for (cell, share) in row.iter_mut().zip(&shares) {
            if cell.chars().count() > *share {
                *cell = cell.chars().take(share.saturating_sub(1)).chain(['…']).collect();
            }
        }
    }
    table(head, &rows)
}

/// Columns of text, each as wide as its widest cell; the last one is not padded. Control characters, which a server's
/// answer might hold, never reach the terminal.
pub fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let rows: Vec<[String; COLUMNS]> = std::iter::once(head.map(str::to_owned))
        .chain(rows.iter().cloned())
        .map(|row| row.map(|cell| cell.replace(char::is_control, " ")))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let widest = rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max();
            let padding = widest.unwrap_or(0).saturating_sub(cell.chars().count()) + GAP;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_nothing_that_a_terminal_or_a_log_would_obey_and_means_the_same() {
        let value = serde_json::json!({"##[error]": "\u{9b}31m \u{202e}x ###vso[a] \u{1b}[0m ü"});
        let text = json(&value);
        assert!(!text.contains("##") && text.chars().all(|c| c == '\n' || !(c.is_control() || is_obeyed(c))));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_table_fits_where_it_is_shown_and_what_things_are_called_stays_whole() {
        let rows = [
            [
                "acme-logistics".to_owned(),
                "READY".to_owned(),
                "a name".to_owned(),
                "served by all".to_owned(),
            ],
            ["b".to_owned(), "FAILED".to_owned(), "ö".repeat(60), "topic `orders` does not exist".to_owned()],
        ];
        let head = ["NAME", "PHASE", "DISPLAY NAME", "MESSAGE"];
        let all = fitted(head, &rows, Width::ALL);
        assert_eq!(all, table(head, &rows));
        assert!(!all.contains('…'));
        for wanted in [60, 80, 100] {
            let text = fitted(head, &rows, Width(Some(wanted)));
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= wanted && text.contains("…") && text.contains("acme-logistics"), "{text}");
        }
        assert!(
            fitted(head, &rows, Width(Some(1000))) == all && !fitted(head, &rows, Width(Some(5))).is_empty()
        );
    }

    #[test]
    fn a_table_lines_its_columns_up_and_shows_no_control_characters() {
        let rows = [
            ["acme".to_owned(), "READY".to_owned(), String::new()],
            ["b".to_owned(), "FAILED".to_owned(), "no \u{1b}[31mtopic".to_owned()],
        ];
        assert_eq!(
            table(["NAME", "PHASE", "REASON"], &rows),
            "NAME  PHASE   REASON\nacme  READY\nb     FAILED  no  [31mtopic\n"
        );
    }
}
