//! What no text of a zone may hold, whatever field it is in: a file's bytes are looked at before, but an escape (`"\0"`) or JSON hides it there.

use serde_json::Value;

use crate::manifest::bytes;
use crate::manifest::code::Code;
use crate::manifest::fault::{DocumentFault, join};
use crate::manifest::schema::shown;

/// One fault for each text with a control character in it: a terminal would obey it, and a page cannot show it.
pub(super) fn unshowable(document: &Value) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let mut open = vec![(String::new(), document)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::String(text) => faults.extend(control(&pointer, text)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let below = join(&pointer, name);
                    faults.extend(control(&below, name));
                    open.push((below, value));
                }
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    faults
}

fn control(pointer: &str, text: &str) -> Option<DocumentFault> {
    let character = text.chars().find(|character| bytes::is_control(*character))?;
    let message = format!("{} holds {}", shown(pointer), bytes::control_named(character));
    Some(DocumentFault::new(Code::ControlCharacter, pointer, message).help("remove it"))
}
