//! A plan as text: findings with their lines, one line for each change, what a guard refuses, and the sum.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::super::findings::{self, Colour, Texts};
use super::Plan;
use crate::manifest::finding::printable;
use crate::reconcile::plan::{Action, Change, Hold, Mode, Origin};

/// A value longer than this is cut: the whole of it is in the JSON form.
const SHOWN_VALUE: usize = 60;

pub(super) fn render(plan: &Plan, texts: &Texts, colour: Colour) -> String {
    let mut text = findings::text(&plan.findings, texts, colour);
    for change in &plan.changes {
        text.push_str(&paint(change.action, &line(change, mark(plan, change)), colour));
        text.push('\n');
    }
    if !plan.changes.is_empty() {
        text.push('\n');
    }
    for (scope, asked) in &plan.suspended {
        let why = printable(&asked.reason);
        push(&mut text, &format!("SUSPENDED: {scope}, by {}: {why}", printable(&asked.by)));
    }
    for reason in plan.guard.reasons() {
        push(&mut text, &format!("refused: {reason}"));
    }
    for way_out in plan.guard.ways_out() {
        push(&mut text, &format!("  next: {way_out}"));
    }
    for lifted in plan.guard.lifted() {
        let (allowance, refusals) = (&lifted.allowance, lifted.refusals.join("; "));
        let reason = printable(&allowance.reason);
        push(
            &mut text,
            &format!("allowed by {}: {refusals} (\"{reason}\")", printable(&allowance.by.to_string())),
        );
    }
    push(&mut text, &format!("revision {}", printable(plan.revision.as_str())));
    push(&mut text, &format!("digest {}", plan.digest));
    if plan.mode == Mode::Offline {
        push(
            &mut text,
            "mode offline: what is in force was not looked at; this is no pass of the live checks",
        );
    }
    let sum = plan.summary();
    push(&mut text, &format!("Plan: {} to add, {} to change, {} to delete", sum.add, sum.change, sum.delete));
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// What keeps a change from being made, in one word.
fn mark(plan: &Plan, change: &Change) -> Option<&'static str> {
    match plan.hold_of(change.address.zone()) {
        Some(Hold::Suspended(..)) => Some("suspended"),
        Some(_) => Some("held"),
        None => plan.is_held(change).then_some("refused"),
    }
}

fn line(change: &Change, mark: Option<&'static str>) -> String {
    let sign = match change.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Move => '>',
    };
    let mut line = format!("{sign} {}", change.address);
    let what = what(change);
    if !what.is_empty() {
        line.push_str(": ");
        line.push_str(&what);
    }
    if let Some(at) = &change.source {
        // Writing to a String cannot fail.
        let _ = write!(line, " ({}:{})", at.file, at.line);
    }
    if change.origin == Origin::Drift {
        line.push_str(" [drift]");
    }
    if let Some(mark) = mark {
        let _ = write!(line, " [{mark}]");
    }
    line
}

/// What a reviewer wants to know beside the address.
fn what(change: &Change) -> String {
    let is_topic = change.address.alias().is_some();
    match (change.action, &change.before, &change.after) {
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
    let text = printable(&value.to_string());
    if text.chars().count() <= SHOWN_VALUE {
        return text;
    }
    text.chars().take(SHOWN_VALUE).chain(std::iter::once('…')).collect()
}

fn paint(action: Action, line: &str, colour: Colour) -> String {
    let code = match action {
        Action::Create => 32,
        Action::Update | Action::Move => 33,
        Action::Delete => 31,
    };
    match colour {
        Colour::Plain => line.to_owned(),
        Colour::Ansi => format!("\u{1b}[{code}m{line}\u{1b}[0m"),
    }
}
