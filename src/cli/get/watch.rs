//! `get … --watch`: what has changed, for as long as somebody looks.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::output::{self, Format, Width};
use super::super::{ExitCode, Failure};
use super::{Table, What, items, name, notes, read, render};
use crate::app::wiring;

/// Between two looks, drawn anew each time: many who look must not look together.
const EVERY: std::ops::Range<u64> = 1_600..2_400;

/// What changes with every look and says nothing new: when somebody was heard last, and how often a run found nothing to do.
const PASSING: [&str; 4] = ["at", "lastAt", "count", "tookMs"];

/// Shows everything once, and then what is another than it was.
pub(super) async fn run(
    client: &Client,
    what: &What,
    is_wide: bool,
    format: Format,
) -> Result<ExitCode, Failure> {
    let mut watched = Watched { format, first: true, seen: BTreeMap::new(), noted: Vec::new() };
    let mut is_away = false;
    let mut stop = std::pin::pin!(wiring::stop_asked());
    loop {
        let looked = tokio::select! {
            looked = read(client, what, is_wide) => looked,
            () = &mut stop => return Ok(ExitCode::Fine),
        };
        match looked {
            Ok((value, table)) => {
                if std::mem::take(&mut is_away) {
                    output::note("the server answers again");
                }
                for line in watched.news(&value) {
                    output::note(&line);
                }
                if !output::is_taken(&watched.changes(&value, table)?)? {
                    return Ok(ExitCode::Fine);
                }
            }
            // It is asked again for as long as it was there once.
            Err(failure) if failure.exit_code == ExitCode::Unreachable && !watched.first => {
                if !std::mem::replace(&mut is_away, true) {
                    output::note(&format!("{failure}\nwaiting for it"));
                }
            }
            Err(failure) => return Err(failure),
        }
        let pause = Duration::from_millis(rand::rng().random_range(EVERY));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut stop => return Ok(ExitCode::Fine),
        }
    }
}

struct Watched {
    format: Format,
    first: bool,
    /// What each item looked like, by its name.
    seen: BTreeMap<String, String>,
    noted: Vec<String>,
}

impl Watched {
    /// Notes that were not there before.
    fn news(&mut self, value: &Value) -> Vec<String> {
        let notes = notes(value);
        let news = notes.iter().filter(|line| !self.noted.contains(line)).cloned().collect();
        self.noted = notes;
        news
    }

    /// What there is to print.
    fn changes(&mut self, value: &Value, table: Table) -> Result<String, Failure> {
        let is_first = std::mem::take(&mut self.first);
        if value.get("items").is_none() {
            return self.of_one(value, table, is_first);
        }
        let now: BTreeMap<String, String> =
            items(value).iter().map(|item| (name(item), self.look(item, table))).collect();
        let changed = |item: &&Value| self.seen.get(&name(item)) != now.get(&name(item));
        let changed: Vec<&Value> = items(value).iter().filter(changed).collect();
        let gone: Vec<&String> = self.seen.keys().filter(|name| !now.contains_key(*name)).collect();
        let text = if self.format == Format::Table {
            // As wide as the whole table is, each line an item.
            let all = table(value, Width::of_terminal());
            let mut lines = all.lines();
            let head = lines.next().filter(|_| is_first).map(str::to_owned);
            let rows = lines.zip(items(value)).filter(|(_, item)| changed.contains(item));
            let rows = rows.map(|(line, _)| line.to_owned());
            let gone = gone.iter().map(|name| format!("{name}  GONE"));
            head.into_iter().chain(rows).chain(gone).map(|line| line + "\n").collect()
        } else {
            let gone = gone.iter().map(|name| json!({ "gone": name })).collect::<Vec<_>>();
            let mut text = String::new();
            for item in changed.into_iter().chain(&gone) {
                text.push_str(&self.document(item, table)?);
            }
            text
        };
        self.seen = now;
        Ok(text)
    }

    fn of_one(&mut self, value: &Value, table: Table, is_first: bool) -> Result<String, Failure> {
        let look = match self.format {
            Format::Table => table(&lasting(value), Width::ALL),
            _ => lasting(value).to_string(),
        };
        if self.seen.insert(String::new(), look.clone()).is_some_and(|before| before == look) {
            return Ok(String::new());
        }
        let gap = if is_first || self.format != Format::Table { "" } else { "\n" };
        Ok(gap.to_owned() + &self.document(value, table)?)
    }

    /// What is compared of an item: its line, or all of it.
    fn look(&self, item: &Value, table: Table) -> String {
        let item = lasting(item);
        match self.format {
            Format::Table => table(&json!({ "items": [item] }), Width::ALL),
            _ => item.to_string(),
        }
    }

    fn document(&self, value: &Value, table: Table) -> Result<String, Failure> {
        let text = match value.get("gone").and_then(Value::as_str) {
            Some(gone) if self.format == Format::Name => format!("{gone}\n"),
            _ => render(value, self.format, table)?,
        };
        Ok(if self.format == Format::Yaml { format!("---\n{text}") } else { text })
    }
}

/// Without what passes.
fn lasting(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let lasting = members.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
            Value::Object(lasting.map(|(name, value)| (name.clone(), self::lasting(value))).collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(lasting).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{nodes, zone, zones};
    use super::*;

    fn watched(format: Format) -> Watched {
        Watched { format, first: true, seen: BTreeMap::new(), noted: Vec::new() }
    }

    fn zone_of(name: &str, phase: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"topics": []}, "status": {"phase": phase, "observed": {"at": phase}}})
    }

    #[test]
    fn a_row_is_shown_again_when_it_has_changed_and_what_is_gone_once() {
        let mut watch = watched(Format::Table);
        let of = |all: &[Value]| json!({ "items": all });
        let first =
            watch.changes(&of(&[zone_of("acme", "PENDING"), zone_of("beta", "READY")]), zones).unwrap();
        assert_eq!(first.lines().count(), 3, "{first}");
        let same = of(&[zone_of("acme", "PENDING"), zone_of("beta", "READY")]);
        assert_eq!(watch.changes(&same, zones).unwrap(), "");
        let next = watch.changes(&of(&[zone_of("acme", "READY"), zone_of("beta", "READY")]), zones).unwrap();
        assert_eq!(next, "acme  READY  0\n");
        assert_eq!(watch.changes(&of(&[zone_of("acme", "READY")]), zones).unwrap(), "beta  GONE\n");
        assert_eq!(watch.changes(&of(&[zone_of("acme", "READY")]), zones).unwrap(), "");
    }

    #[test]
    fn a_heartbeat_alone_is_no_change_and_programs_get_a_document_for_each() {
        let node = |serving: u64, at: &str| json!({"items": [{"node": "n1", "serving": serving, "connections": 0, "at": at}]});
        let mut watch = watched(Format::Table);
        assert!(watch.changes(&node(1, "10:00"), nodes).unwrap().contains("n1"));
        assert_eq!(watch.changes(&node(1, "10:02"), nodes).unwrap(), "");
        assert!(watch.changes(&node(2, "10:04"), nodes).unwrap().contains("10:04"));
        let mut watch = watched(Format::Json);
        let first: Value = serde_json::from_str(&watch.changes(&node(1, "10:00"), nodes).unwrap()).unwrap();
        assert_eq!((&first["node"], &first["at"]), (&"n1".into(), &"10:00".into()));
        assert_eq!(watch.changes(&node(1, "10:02"), nodes).unwrap(), "");
        let gone: Value =
            serde_json::from_str(&watch.changes(&json!({"items": []}), nodes).unwrap()).unwrap();
        assert_eq!(gone, json!({"gone": "n1"}));
    }

    #[test]
    fn one_thing_is_shown_again_as_a_whole() {
        let mut watch = watched(Format::Table);
        let first = watch.changes(&zone_of("acme", "PENDING"), zone).unwrap();
        assert!(first.starts_with("Name:"), "{first}");
        assert_eq!(watch.changes(&zone_of("acme", "PENDING"), zone).unwrap(), "");
        let next = watch.changes(&zone_of("acme", "READY"), zone).unwrap();
        assert!(next.starts_with("\nName:") && next.contains("READY"), "{next}");
    }
}
