//! What somebody has filled in so far. All of it travels in the form from page to page: the server keeps nothing.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::fields::{
    ADDED_HEADERS, DISPLAY_NAME, FIELDS, Kind, NAME, REASON, REMOVED_HEADERS, SERVICE_ACCOUNT, Step, TOPICS,
    one_line,
};
use super::ids::{Names, technical};
use crate::ui::failure::Failure;
use crate::ui::form::Form;

/// Topics of a zone that the form can hold.
pub(super) const MAX_TOPICS: usize = 1_000;

/// Rows of headers; the API takes fewer, and says so.
pub(super) const MAX_ROWS: usize = 100;

/// Kafka's limit.
const MAX_NAME: usize = 249;

/// A zone as it is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// The values of [`FIELDS`] that are not empty.
    texts: BTreeMap<&'static str, String>,
    pub(super) topics: Vec<Topic>,
    pub(super) added: Vec<Added>,
    pub(super) removed: Vec<String>,
    pub(super) reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) alias: String,
    pub(super) backing: String,
    pub(super) permission: String,
    /// The alias that it has in the zone as it is; empty: it is new there.
    pub(super) was: String,
}

/// A header that is added to records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) key: String,
    pub(super) value: String,
    /// `true` or `false`: whether it takes the place of those that a record has.
    pub(super) replaces: String,
}

/// The field of a row of a list.
pub(super) fn row(list: &str, index: usize, member: &str) -> String {
    format!("{list}[{index}].{member}")
}

/// The row and the member that a field is for, if it is one of this list.
pub(super) fn in_row<'n>(name: &'n str, list: &str) -> Option<(usize, &'n str)> {
    let (index, member) = name.strip_prefix(list)?.strip_prefix('[')?.split_once("].")?;
    Some((index.parse().ok()?, member))
}

/// The row of this number, which is made if it is not there yet.
fn entry<T: Default>(rows: &mut BTreeMap<usize, T>, index: usize, most: usize) -> Result<&mut T, Failure> {
    if rows.len() >= most && !rows.contains_key(&index) {
        return Err(Failure::bad_request(&format!(
            "A form holds {most} rows of a kind at most. Write what is larger into the zone's file."
        )));
    }
    Ok(rows.entry(index).or_default())
}

impl Draft {
    /// What a form brings back. Fields of other names are not its own.
    pub(super) fn read(form: &Form) -> Result<Self, Failure> {
        let mut draft = Self::default();
        let (mut topics, mut added, mut removed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, value) in form.fields() {
            if let Some((index, member)) = in_row(name, TOPICS) {
                let topic: &mut Topic = entry(&mut topics, index, MAX_TOPICS)?;
                topic.put(member, Kind::Line.clean(value));
            } else if let Some((index, member)) = in_row(name, ADDED_HEADERS) {
                let header: &mut Added = entry(&mut added, index, MAX_ROWS)?;
                header.put(member, one_line(value));
            } else if let Some((index, "keyRegex")) = in_row(name, REMOVED_HEADERS) {
                *entry(&mut removed, index, MAX_ROWS)? = Kind::Line.clean(value);
            } else if name == REASON {
                draft.reason = Kind::Line.clean(value);
            } else {
                draft.set(name, value);
            }
        }
        draft.topics = topics.into_values().filter(|topic| !topic.backing.is_empty()).collect();
        draft.added = added.into_values().filter(|header| !header.is_blank()).collect();
        draft.removed = removed.into_values().filter(|pattern| !pattern.is_empty()).collect();
        Ok(draft)
    }

    pub(super) fn text(&self, place: &str) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    /// Nothing, if there is no such field. Of several values the first one counts.
    pub(super) fn set(&mut self, place: &str, value: &str) {
        if let Some((place, kind)) = FIELDS.into_iter().find(|(known, _)| *known == place) {
            let text = kind.clean(value);
            if !text.is_empty() {
                self.texts.entry(place).or_insert(text);
            }
        }
    }

    /// In place of what is there.
    pub(super) fn replace(&mut self, place: &str, value: &str) {
        self.texts.remove(place);
        self.set(place, value);
    }

    /// Names that nobody has written follow from the one that somebody has.
    pub(super) fn derive(&mut self) {
        self.set(NAME, &technical(self.text(DISPLAY_NAME)));
        let name = self.text(NAME).to_owned();
        self.set(SERVICE_ACCOUNT, &name);
    }

    /// Shares topics, once more those that are shared already. A new alias is the topic's own name as long as that is free.
    pub(super) fn share<'t>(&mut self, topics: impl Iterator<Item = &'t str>) -> Result<(), Failure> {
        let mut names = Names::of(self.topics.iter().map(|topic| topic.alias.as_str()));
        for backing in topics.map(|topic| Kind::Line.clean(topic)).filter(|topic| !topic.is_empty()) {
            if backing.len() > MAX_NAME {
                let detail = format!("The name of a topic has {MAX_NAME} letters at most.");
                return Err(Failure::bad_request(&detail));
            }
            if self.topics.len() >= MAX_TOPICS {
                return Err(Failure::bad_request(&format!(
                    "A form holds {MAX_TOPICS} topics at most. Write a zone with more of them into its file."
                )));
            }
            let (alias, permission) = (names.take(&backing), "READ".to_owned());
            self.topics.push(Topic { alias, backing, permission, was: String::new() });
        }
        Ok(())
    }

    pub(super) fn take_back(&mut self, index: usize) {
        if index < self.topics.len() {
            self.topics.remove(index);
        }
    }

    /// Whether nothing is written in the field of this name.
    pub(super) fn lacks(&self, name: &str) -> bool {
        let in_topic = |(index, member)| {
            let topic: Option<&Topic> = self.topics.get(index);
            topic.is_some_and(|topic| topic.members().contains(&(member, "")))
        };
        match in_row(name, TOPICS) {
            Some(at) => in_topic(at),
            None => FIELDS.iter().any(|(place, _)| *place == name) && self.text(name).is_empty(),
        }
    }

    /// Every field of the form that has a value.
    fn fields(&self) -> Vec<(String, &str)> {
        let mut fields: Vec<_> =
            self.texts.iter().map(|(place, text)| ((*place).to_owned(), text.as_str())).collect();
        for (index, topic) in self.topics.iter().enumerate() {
            fields.extend(topic.members().map(|(member, value)| (row(TOPICS, index, member), value)));
        }
        for (index, header) in self.added.iter().enumerate() {
            fields.extend(header.members().map(|(member, value)| (row(ADDED_HEADERS, index, member), value)));
        }
        for (index, pattern) in self.removed.iter().enumerate() {
            fields.push((row(REMOVED_HEADERS, index, "keyRegex"), pattern));
        }
        fields.push((REASON.to_owned(), &self.reason));
        fields.retain(|(_, value)| !value.is_empty());
        fields
    }

    /// What this step does not show, so that the form brings it back all the same.
    pub(super) fn hidden(&self, step: Step) -> Markup {
        html! {
            @for (name, value) in self.fields() {
                @if !step.shows(&name) { input type="hidden" name=(name) value=(value); }
            }
        }
    }
}

impl Topic {
    fn members(&self) -> [(&'static str, &str); 4] {
        [
            ("name", &self.alias),
            ("backingTopic", &self.backing),
            ("permission", &self.permission),
            ("was", &self.was),
        ]
    }

    fn put(&mut self, member: &str, value: String) {
        match member {
            "name" => self.alias = value,
            "backingTopic" => self.backing = value,
            "permission" => self.permission = value,
            "was" => self.was = value,
            _ => {}
        }
    }
}

impl Added {
    fn members(&self) -> [(&'static str, &str); 3] {
        [("key", &self.key), ("value", &self.value), ("overrideIfExists", &self.replaces)]
    }

    fn put(&mut self, member: &str, value: String) {
        match member {
            "key" => self.key = value,
            "value" => self.value = value,
            "overrideIfExists" => self.replaces = value,
            _ => {}
        }
    }

    fn is_blank(&self) -> bool {
        self.key.is_empty() && self.value.is_empty()
    }
}

#[cfg(test)]
mod tests;
