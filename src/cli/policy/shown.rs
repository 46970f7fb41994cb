//! What became of records, as a table for people and as JSON for scripts.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::super::output;
use super::sample::{Sample, Way};
use crate::zone::PartnerZone;

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Table,
    Json,
}

type Header = (Vec<u8>, Option<Vec<u8>>);

/// A record's headers before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    number: usize,
    key: Option<String>,
    way: Way,
    before: Vec<Header>,
    after: Vec<Header>,
}

impl Tried {
    pub(super) fn new(sample: &Sample, way: Way, after: Vec<Header>) -> Self {
        let bytes = |text: &String| text.clone().into_bytes();
        let before = sample.headers.iter().map(|(key, value)| (bytes(key), value.as_ref().map(bytes)));
        Self { number: sample.number, key: sample.key.clone(), way, before: before.collect(), after }
    }

    /// Each header, and what became of it. Those that stay keep their order, and what is added stands behind them.
    fn changes(&self) -> Vec<(&'static str, &Header)> {
        let mut after = self.after.iter().peekable();
        let mut changes = Vec::new();
        for header in &self.before {
            let stays = after.next_if(|next| *next == header).is_some();
            changes.push((if stays { "kept" } else { "removed" }, header));
        }
        changes.extend(after.map(|header| ("added", header)));
        changes
    }

    fn row(&self, change: &str, (key, value): &Header) -> [String; 5] {
        let record = match &self.key {
            Some(key) => format!("{} {key}", self.number),
            None => self.number.to_string(),
        };
        [
            record,
            self.way.as_str().to_owned(),
            change.to_owned(),
            text(key),
            value.as_deref().map_or_else(null, text),
        ]
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn null() -> String {
    "(null)".to_owned()
}

fn table(tried: &[Tried]) -> String {
    let rows: Vec<_> = tried
        .iter()
        .flat_map(|tried| {
            let changes = tried.changes();
            let nothing = changes.is_empty().then(|| {
                let [record, way, ..] = tried.row("", &(Vec::new(), None));
                [record, way, "no headers".to_owned(), String::new(), String::new()]
            });
            let rows = changes.into_iter().map(|(change, header)| tried.row(change, header));
            rows.chain(nothing).collect::<Vec<_>>()
        })
        .collect();
    output::table(["RECORD", "WAY", "CHANGE", "HEADER", "VALUE"], &rows)
}

pub(super) fn render(zone: &PartnerZone, tried: &[Tried], form: Form) -> String {
    let headers = |all: &[Header]| -> Vec<Value> {
        all.iter().map(|(key, value)| json!([text(key), value.as_deref().map(text)])).collect()
    };
    match form {
        Form::Table => table(tried),
        Form::Json => output::json(&json!({
            "zone": zone.name.as_str(),
            "records": tried.iter().map(|tried| json!({
                "record": tried.number,
                "key": tried.key,
                "way": tried.way.as_str(),
                "before": headers(&tried.before),
                "after": headers(&tried.after),
            })).collect::<Vec<_>>(),
        })),
    }
}
