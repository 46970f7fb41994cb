//! A change as one line: its sign, its address, what differs, and its place.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::listed::cut;
use crate::manifest::finding::printable;
use crate::reconcile::plan::{Action, Change, Form, Hold, Origin, Plan};

/// A value longer than this is cut: the whole of it is in the JSON form.
const SHOWN_VALUE: usize = 60;

/// The line of a change, with what partners will notice: `… ! 3 connected clients lose `orders``.
pub(super) fn of(plan: &Plan, change: &Change) -> String {
    let mut line = line(plan, change);
    if let Some(impact) = plan.impact(change) {
        line.push_str(" ! ");
        line.push_str(&impact.message);
    }
    line
}

/// `~ zone/acme: spec.displayName "Acme" → "Acme Corp" (zones/acme.yaml:4)`
fn line(plan: &Plan, change: &Change) -> String {
    let sign = match change.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Move => '>',
    };
    let mut line = format!("{sign} {}", printable(&change.address.to_string()));
    let what = what(change);
    if !what.is_empty() {
        line.push_str(": ");
        line.push_str(&what);
    }
    if let Some(at) = &change.source {
        // Writing to a String cannot fail.
        let _ = write!(line, " ({}:{})", printable(&at.file), at.line);
    }
    if change.origin == Origin::Drift {
        line.push_str(" [drift]");
    }
    if let Some(mark) = mark(plan, change) {
        let _ = write!(line, " [{mark}]");
    }
    line
}

/// What keeps a change from being made, in one word.
fn mark(plan: &Plan, change: &Change) -> Option<&'static str> {
    match plan.hold_of(change.address.zone()) {
        Some(Hold::Suspended(..)) => Some("suspended"),
        Some(_) => Some("held"),
        None => plan.is_held(change).then_some("refused"),
    }
}

/// What a reviewer wants to know beside the address.
fn what(change: &Change) -> String {
    let is_topic = change.address.alias().is_some();
    let value = |form: &Option<Form>| form.as_ref().map(Form::value);
    match (change.action, &value(&change.before), &value(&change.after)) {
        (Action::Create, _, Some(topic)) | (Action::Delete, Some(topic), _) if is_topic => shared(topic),
        (Action::Move, Some(before), Some(topic)) => {
            format!(
                "{}, before `{}`",
                shared(topic),
                before.get("name").and_then(Value::as_str).unwrap_or_default()
            )
        }
        (Action::Update, Some(before), Some(after)) => {
            let mut fields = Vec::new();
            differences("", before, after, &mut fields);
            fields.join(", ")
        }
        _ => String::new(),
    }
}

/// `READ of orders-v1`.
fn shared(topic: &Value) -> String {
    let field = |name: &str| topic.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} of {}", field("permission"), field("backingTopic"))
}

/// `path before → after` for each field that differs. As deep as manifests are: schema and budget bound both sides.
fn differences(path: &str, before: &Value, after: &Value, fields: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let side = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or(Value::Null)
                };
                differences(&path, &side(old), &side(new), fields);
            }
        }
        (before, after) if before != after => {
            fields.push(format!("{} {} → {}", printable(path), shown(before), shown(after)));
        }
        _ => {}
    }
}

/// A value on one line, safe for a terminal.
fn shown(value: &Value) -> String {
    if value.is_null() {
        return "(none)".to_owned();
    }
    cut(&printable(&value.to_string()), SHOWN_VALUE)
}

/// The number of its colour on a terminal.
pub(super) fn colour(action: Action) -> u8 {
    match action {
        Action::Create => 32,
        Action::Update | Action::Move => 33,
        Action::Delete => 31,
    }
}
