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
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::internal(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
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
            let padding = widest.unwrap_or(0).saturating_sub(cell.chars().count()) + 2;
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
