//! Writes a document as nobody would: every way of writing that YAML has, by chance.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Takes its decisions from `choices`, and the plainest way when they are used up.
#[derive(Debug)]
pub(super) struct Scribe {
    choices: std::vec::IntoIter<u8>,
    step: usize,
    dash: usize,
    comments: usize,
    /// Neither braces nor text over several lines.
    is_plain: bool,
}

impl Scribe {
    pub(super) fn new(choices: Vec<u8>, is_plain: bool) -> Self {
        let mut scribe = Self { choices: choices.into_iter(), step: 2, dash: 2, comments: 0, is_plain };
        scribe.step = [2, 4, 3, 1][scribe.choose(4)];
        scribe.dash = [scribe.step, 0, 2, 4][scribe.choose(4)];
        scribe
    }

    /// The file, which may hold another zone too.
    pub(super) fn file(&mut self, document: &Value) -> String {
        let mut text = String::new();
        if self.one_in(4) {
            text.push_str("# yaml-language-server: $schema=x.json\n\n");
        }
        let other = "kind: PartnerZone # c-other\napiVersion: v2\nmetadata: {name: the.other.zone}\nspec: \n  # why\n  cluster: g\n  serviceAccount: the-account-of-the-other\n";
        let ahead = self.one_in(4);
        if ahead {
            text.push_str(other);
        }
        if ahead || self.one_in(4) {
            text.push_str("---\n");
        }
        let spelled = self.spelled(document.clone());
        let lines = if !self.is_plain && self.one_in(8) {
            format!("{}\n", self.flow(&spelled))
        } else {
            self.mapping(spelled.as_object().unwrap(), 0)
        };
        text.push_str(&lines);
        if self.one_in(4) {
            text.push_str("# the end\n");
        }
        if !ahead && self.one_in(4) {
            text.push_str("---\n");
            text.push_str(other);
        }
        if self.one_in(4) {
            text.pop();
        }
        if self.one_in(4) { text.replace('\n', "\r\n") } else { text }
    }

    fn choose(&mut self, of: usize) -> usize {
        usize::from(self.choices.next().unwrap_or_default()) % of
    }

    /// Never when there are no choices left.
    fn one_in(&mut self, of: usize) -> bool {
        self.choose(of) == of - 1
    }

    /// Defaults written out, older spellings, what servers fill in.
    fn spelled(&mut self, mut document: Value) -> Value {
        if self.one_in(2) {
            document["apiVersion"] = "console/v2".into();
        }
        if self.one_in(2) {
            document["metadata"]["id"] = json!({"a": [1, {"b": null}], "c": ""});
            document["metadata"]["status"] = "READY".into();
        }
        for (pointer, field) in [
            ("/metadata", "labels"),
            ("/spec", "access"),
            ("/spec", "headers"),
            ("/spec", "trafficControlPolicies"),
        ] {
            let parent = document.pointer_mut(pointer).unwrap();
            if parent.get(field).is_none() && self.one_in(4) {
                parent[field] = json!({});
            }
        }
        let spec = document["spec"].as_object_mut().unwrap();
        let mode = spec["authenticationMode"].as_object().unwrap().clone();
        if self.one_in(2) {
            spec.insert("serviceAccount".into(), mode["serviceAccount"].clone());
            if mode["type"] == "PLAIN" && self.one_in(2) {
                spec.remove("authenticationMode");
            }
        }
        document
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("# ~c{}", self.comments)
    }

    fn shuffled<'a>(&mut self, fields: &'a Map<String, Value>) -> Vec<(&'a String, &'a Value)> {
        let mut fields: Vec<_> = fields.iter().collect();
        for at in (1..fields.len()).rev() {
            let with = at - self.choose(at + 1);
            fields.swap(at, with);
        }
        fields
    }

    fn mapping(&mut self, fields: &Map<String, Value>, column: usize) -> String {
        let indent = " ".repeat(column);
        let mut text = String::new();
        for (key, value) in self.shuffled(fields) {
            self.above(&mut text, column);
            let key = self.word(key, false);
            let space = if self.one_in(8) { "  " } else { "" };
            let _ = write!(text, "{indent}{key}{space}:");
            let value = self.behind(value, column, false);
            text.push_str(&value);
        }
        text
    }

    fn above(&mut self, text: &mut String, column: usize) {
        match self.choose(8) {
            4 => text.push('\n'),
            5 => {
                let comment = self.comment();
                let _ = writeln!(text, "{}{comment}", " ".repeat(column));
            }
            6 => {
                let comment = self.comment();
                let _ = writeln!(text, "\n{}{comment}", " ".repeat(column));
            }
            7 => {
                let comment = self.comment();
                let _ = writeln!(text, "{}{comment}\n", " ".repeat(column));
            }
            _ => {}
        }
    }

    /// A value behind a key or dash at `column`, to the end of its last line.
    fn behind(&mut self, value: &Value, column: usize, is_item: bool) -> String {
        let in_lines = self.is_plain || !self.one_in(4);
        match value {
            Value::Object(fields) if !fields.is_empty() && in_lines => {
                if is_item {
                    let column = column + 2;
                    let lines = self.mapping(fields, column);
                    let first = lines.trim_start_matches([' ', '\n']);
                    // A comment or blank line cannot be behind the dash; nor need the first key be.
                    if first.len() == lines.len() - column && !self.one_in(8) {
                        return format!(" {first}");
                    }
                    return format!("\n{lines}");
                }
                let (behind, column) = (self.at_end(), column + self.step);
                behind + &self.mapping(fields, column)
            }
            Value::Array(items) if !items.is_empty() && in_lines && !is_item => {
                let (mut text, column) = (self.at_end(), column + self.dash);
                for item in items {
                    self.above(&mut text, column);
                    let item = self.behind(item, column, true);
                    let _ = write!(text, "{}-{item}", " ".repeat(column));
                }
                text
            }
            Value::String(said) if !self.is_plain && is_prose(said) && self.one_in(4) => {
                let mark = ["|-", ">-"][self.choose(2)];
                format!(" {mark}\n{}{said}\n", " ".repeat(column + 2))
            }
            _ => {
                let value = self.flow(value);
                format!(" {value}{}", self.at_end())
            }
        }
    }

    fn at_end(&mut self) -> String {
        match self.choose(6) {
            4 => format!(" {}\n", self.comment()),
            5 => " \n".to_owned(),
            _ => "\n".to_owned(),
        }
    }

    fn flow(&mut self, value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let fields = self.shuffled(fields);
                let fields = fields.into_iter().map(|(key, value)| {
                    let key = self.word(key, false);
                    format!("{key}: {}", self.flow(value))
                });
                let fields: Vec<_> = fields.collect();
                self.braced(&fields, '{', '}')
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.flow(item)).collect();
                self.braced(&items, '[', ']')
            }
            Value::String(text) => self.word(text, true),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        }
    }

    fn braced(&mut self, items: &[String], open: char, close: char) -> String {
        let space = if self.one_in(4) { " " } else { "" };
        let comma = if !items.is_empty() && self.one_in(4) { "," } else { "" };
        let between = [", ", ",", " , "][self.choose(3)];
        format!("{open}{space}{}{comma}{space}{close}", items.join(between))
    }

    fn word(&mut self, text: &str, is_value: bool) -> String {
        let is_bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic()) && text.len() > 5;
        let is_single = !text.contains(|c: char| c.is_control());
        match self.choose(3) {
            0 if is_bare => text.to_owned(),
            2 if is_single => format!("'{}'", text.replace('\'', "''")),
            _ if is_bare && !is_value => text.to_owned(),
            _ => Value::from(text).to_string(),
        }
    }
}

fn is_prose(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains('\n')
}
