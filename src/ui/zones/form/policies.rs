//! The fourth step: how much, when, from where, and what happens to headers.

use maud::{Markup, html};

use super::Filling;
use super::draft::Added;
use super::fields::{ADDED_HEADERS, REMOVED_HEADERS, is_local};
use super::sheet::{Rows, Said, cell};
use crate::ui::parts::{Entry, Field, Need};

const LIMITS: [(&str, &str, &str); 6] = [
    ("spec.trafficControlPolicies.maxProduceRate", "Produce", "Bytes a second."),
    ("spec.trafficControlPolicies.maxConsumeRate", "Consume", "Bytes a second."),
    ("spec.trafficControlPolicies.limitCommitOffset", "Commits", "Commits of offsets a minute."),
    ("spec.trafficControlPolicies.maxConnections", "Connections", "At the same time."),
    ("spec.trafficControlPolicies.maxConnectionRate", "New connections", "A second."),
    ("spec.trafficControlPolicies.maxRequestRate", "Requests", "A second."),
];

pub(super) fn show(filling: &Filling, said: &Said) -> Markup {
    html! {
        fieldset.card.stack {
            legend { "Limits" }
            p.help { "For the zone, over all gateway nodes together. Empty: no limit." }
            div.pair {
                @for (place, label, help) in LIMITS {
                    (Field { entry: Entry::Number, ..filling.field(said, place, label, help) }.show())
                }
            }
        }
        (access(filling, said))
        section.card.stack aria-labelledby="headers-title" {
            h2 #headers-title { "Headers of records" }
            (added(filling, said))
            (removed(filling, said))
        }
    }
}

fn access(filling: &Filling, said: &Said) -> Markup {
    let moment = |place, label, help| {
        let field = filling.field(said, place, label, help);
        // What a browser does not take as a time it would empty.
        let entry = if field.value.is_empty() || is_local(field.value) { Entry::Moment } else { Entry::Line };
        Field { entry, ..field }.show()
    };
    let field = |place, label, help| filling.field(said, place, label, help);
    html! {
        fieldset.card.stack {
            legend { "When and from where" }
            div.pair {
                (moment("spec.access.validFrom", "Opens", "In UTC. Nobody gets in before."))
                (moment("spec.access.validUntil", "Ends", "In UTC. Nobody gets in after, and open connections are cut."))
            }
            (Field { entry: Entry::Lines, ..field("spec.access.allowedCidrs", "Allowed networks",
                "Such as 192.0.2.0/24, one a line. Empty: from anywhere.") }.show())
        }
    }
}

fn added(filling: &Filling, said: &Said) -> Markup {
    let blank = Added::default();
    let empty = Rows::shown(said.rows.added, filling.draft.added.len());
    let empty = std::iter::repeat_n(&blank, empty);
    html! {
        h3 id=(ADDED_HEADERS) { "Added to every record that the partner produces" }
        p.help {
            "A value may have {{clientId}}, {{userIp}}, {{user}}, {{apiKey}}, {{apiKeyVersion}}, {{gatewayHost}} and {{timestampMillis}}. \
             Empty a row to remove it."
        }
        @for (index, header) in filling.draft.added.iter().chain(empty).enumerate() { (added_row(said, index, header)) }
        button.small type="submit" name="go" value="another-header" { "Add another header" }
    }
}

fn added_row(said: &Said, index: usize, header: &Added) -> Markup {
    let number = index + 1;
    let (key, key_error) = cell(said, ADDED_HEADERS, index, "key");
    let (value, value_error) = cell(said, ADDED_HEADERS, index, "value");
    let (replaces, _) = cell(said, ADDED_HEADERS, index, "overrideIfExists");
    html! {
        div.row role="group" aria-label={ "Header " (number) } {
            (Field { name: &key, label: "Key", value: &header.key, error: key_error, need: Need::Unsaid, ..Field::default() }.show())
            (Field { name: &value, label: "Value", value: &header.value, error: value_error, need: Need::Unsaid, ..Field::default() }.show())
            div.field {
                label for=(replaces) { "If a record has one" }
                select id=(replaces) name=(replaces) {
                    option value="false" { "it keeps its own" }
                    option value="true" selected[header.replaces == "true"] { "it is replaced" }
                }
            }
        }
    }
}

fn removed(filling: &Filling, said: &Said) -> Markup {
    let empty = std::iter::repeat_n("", Rows::shown(said.rows.removed, filling.draft.removed.len()));
    let patterns = filling.draft.removed.iter().map(String::as_str).chain(empty);
    html! {
        h3 id=(REMOVED_HEADERS) { "Removed from every record that the partner reads" }
        p.help { "A regular expression that has to match the whole of a header's key, such as internal-.*" }
        @for (index, pattern) in patterns.enumerate() {
            @let (name, error) = cell(said, REMOVED_HEADERS, index, "keyRegex");
            @let label = format!("Pattern {}", index + 1);
            (Field { name: &name, label: &label, value: pattern, error, need: Need::Unsaid, ..Field::default() }.show())
        }
        button.small type="submit" name="go" value="another-pattern" { "Add another pattern" }
    }
}
