//! The second step: what is shared. What was chosen stays on top, whatever is searched.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::Filling;
use super::draft::Topic;
use super::fields::{CLUSTER, TOPICS};
use super::sheet::{Said, cell};
use crate::ui::failure::Failure;
use crate::ui::parts::{Field, Need, count, counted, marked};
use crate::ui::topics::{Search, Topics};

/// Topics that are shown at a time.
const SHOWN: &str = "50";

const PERMISSIONS: [(&str, &str); 3] =
    [("READ", "READ: read only"), ("WRITE", "WRITE: write and read"), ("PRODUCE", "PRODUCE: write only")];

pub(super) async fn show(filling: &Filling, said: &Said) -> Markup {
    let cluster = filling.draft.text(CLUSTER);
    let search = Search { cluster, text: &said.search, page: &said.page, limit: SHOWN };
    let found = search.ask(&filling.visitor).await;
    html! {
        (chosen(filling, said, found.as_ref().ok()))
        (picker(filling, said, &found))
        section.card.stack aria-labelledby="typed-title" {
            h2 #typed-title { "A topic that is not listed" }
            p.help { "It may come later: the zone is FAILED until it is there, and its other topics are served." }
            div.inline {
                (Field { name: "typed", need: Need::Unsaid, label: "Topic's name", ..Field::default() }.show())
                button type="submit" name="go" value="add" { "Add this topic" }
            }
        }
    }
}

fn chosen(filling: &Filling, said: &Said, found: Option<&Topics>) -> Markup {
    let topics = &filling.draft.topics;
    let listed = found.map_or(&[][..], |found| &found.items);
    let shares: BTreeMap<_, _> = listed.iter().map(|topic| (topic.name.as_str(), topic.shares)).collect();
    html! {
        section.card.stack aria-labelledby=(TOPICS) {
            h2 id=(TOPICS) { "Shared topics " span.count { (count(topics.len() as u64)) } }
            @if topics.is_empty() { p.muted { "None yet. The partner would log in and see an empty cluster." } }
            @else {
                @if topics.iter().any(|topic| !topic.was.is_empty()) {
                    p.help { "The partner's clients know a topic by its alias: with another one, or without it, they lose the topic." }
                }
                table.list.rows {
                    caption.unseen { "Shared topics" }
                    thead { tr {
                        th scope="col" { "Topic" } th scope="col" { "Alias" } th scope="col" { "Permission" }
                        th scope="col" { span.unseen { "Actions" } }
                    } }
                    tbody { @for (index, topic) in topics.iter().enumerate() {
                        (chosen_row(said, index, topic, shares.get(topic.backing.as_str()).copied()))
                    } }
                }
            }
        }
    }
}

fn chosen_row(said: &Said, index: usize, topic: &Topic, shares: Option<u64>) -> Markup {
    let (backing_name, backing_error) = cell(said, TOPICS, index, "backingTopic");
    let (name, error) = cell(said, TOPICS, index, "name");
    let label = format!("Alias of {}", topic.backing);
    html! {
        tr {
            th scope="row" data-label="Topic" {
                code id=(backing_name) { (topic.backing) }
                input type="hidden" name=(backing_name) value=(topic.backing);
                @if !topic.was.is_empty() { input type="hidden" name=(super::draft::row(TOPICS, index, "was")) value=(topic.was); }
                @if let Some(error) = backing_error { span.error.sub { (marked(&error)) } }
                @if let Some(shares) = shares { (shared_with(shares)) }
            }
            td data-label="Alias" {
                (Field { name: &name, label: &label, value: &topic.alias, error, need: Need::Required, ..Field::default() }.cell())
                @if !topic.was.is_empty() && topic.was != topic.alias { span.sub { "was " code { (topic.was) } } }
            }
            td data-label="Permission" { (permission(said, index, topic)) }
            td.actions {
                button.small type="submit" name="go" value={ "take-back:" (index) } { "Remove" span.unseen { " " (topic.alias) } }
            }
        }
    }
}

fn permission(said: &Said, index: usize, topic: &Topic) -> Markup {
    let (name, error) = cell(said, TOPICS, index, "permission");
    let described = format!("{name}-help");
    html! {
        div.field.wrong[error.is_some()] {
            label.unseen for=(name) { "Permission of " (topic.alias) }
            select id=(name) name=(name) aria-invalid=[error.as_ref().map(|_| "true")]
                aria-describedby=[error.as_ref().map(|_| &described)] {
                @for (value, text) in PERMISSIONS { option value=(value) selected[value == topic.permission] { (text) } }
            }
            @if let Some(error) = error { p.help id=(described) { span.error { (marked(&error)) } } }
        }
    }
}

fn shared_with(shares: u64) -> Markup {
    html! { span.sub { @if shares == 0 { "not shared yet" } @else { "shared " (counted(shares, "time")) } } }
}

fn picker(filling: &Filling, said: &Said, found: &Result<Topics, Failure>) -> Markup {
    html! {
        section.card.stack aria-labelledby="found-title" {
            h2 #found-title { "Choose topics" }
            div.inline role="search" {
                (Field { name: "search", need: Need::Unsaid, label: "Search topics by a part of their names", value: &said.search, ..Field::default() }.show())
                button type="submit" name="go" value="search" { "Search" }
            }
            input type="hidden" name="searched" value=(said.search);
            @match found {
                Err(failure) => {
                    (failure.notice())
                    p { "You can go on: write the topics' names below." }
                },
                Ok(found) if found.items.is_empty() => p.muted { "No topic fits that you may share." },
                Ok(found) => (choices(filling, said, found)),
            }
        }
    }
}

fn choices(filling: &Filling, said: &Said, found: &Topics) -> Markup {
    let is_chosen = |name: &str| filling.draft.topics.iter().any(|topic| topic.backing == name);
    let is_part = found.next_page_token.is_some() || !said.page.is_empty();
    html! {
        fieldset.stack {
            legend {
                "Topics of cluster " code { (found.cluster) } " "
                span.count { @if is_part { (found.items.len()) " of " } (count(found.total)) }
            }
            ul.choices {
                @for (at, topic) in found.items.iter().enumerate() {
                    @let id = format!("pick-{at}");
                    li.choice {
                        input id=(id) type="checkbox" name="pick" value=(topic.name);
                        label for=(id) {
                            code { (topic.name) }
                            span.sub { (counted(topic.partitions, "partition")) ", "
                                @if topic.shares == 0 { "not shared yet" } @else { "shared " (counted(topic.shares, "time")) }
                                @if is_chosen(&topic.name) { ", chosen above: once more under another alias" }
                            }
                        }
                    }
                }
            }
            div.actions {
                button type="submit" name="go" value="add" { "Add chosen topics" }
                @if let Some(next) = &found.next_page_token { button type="submit" name="go" value={ "page:" (next) } { "More topics" } }
                @if !said.page.is_empty() { button type="submit" name="go" value="search" { "First topics" } }
            }
        }
    }
}
