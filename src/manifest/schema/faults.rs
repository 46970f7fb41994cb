//! What the schema says, in words for people, and once for each mistake.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::super::code::Code;
use super::super::fault::{DocumentFault, Part, join};
use super::super::finding::{printable, quote};
use super::super::v2;

/// The schema again, to look up which fields an object may have.
static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema);

pub(super) fn collect(validator: &Validator, document: &Value) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let mut missing = Vec::new();
    for error in validator.iter_errors(document) {
        let pointer = error.instance_path().as_str().to_owned();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = known_fields(error.schema_path().as_str());
                faults.extend(unexpected.iter().map(|name| unknown_field(&pointer, name, &known)));
            }
            ValidationErrorKind::Required { property } => {
                missing.push((pointer, property.as_str().unwrap_or_default().to_owned()));
            }
            _ => faults.push((value_fault(&pointer, &error), None)),
        }
    }
    // A misspelt field is one mistake, not also a missing one.
    missing.retain(|(pointer, name)| {
        !faults.iter().any(|(fault, meant)| {
            meant.as_deref() == Some(name)
                && fault.pointer.rsplit_once('/').is_some_and(|(parent, _)| parent == pointer)
        })
    });
    let mut faults: Vec<_> = faults.into_iter().map(|(fault, _)| fault).collect();
    faults.extend(missing.iter().map(|(pointer, name)| missing_field(pointer, name)));
    one_per_place(faults)
}

/// A wrong type also fails the keywords beside it, and an unknown field also counts as one field too many.
fn one_per_place(mut faults: Vec<DocumentFault>) -> Vec<DocumentFault> {
    let unknown: BTreeSet<String> = faults
        .iter()
        .filter(|fault| fault.finding.code == Code::UnknownField)
        .filter_map(|fault| fault.pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned()))
        .collect();
    faults.retain(|fault| fault.part == Part::Key || !unknown.contains(&fault.pointer));
    faults.sort_by_key(|fault| match fault.finding.code {
        Code::QuoteNeeded | Code::WrongType => 0,
        _ => 1,
    });
    let mut seen = BTreeSet::new();
    faults.retain(|fault| fault.part == Part::Key || seen.insert(fault.pointer.clone()));
    faults
}

/// Fields of the object whose `additionalProperties` is at `path` in the schema.
fn known_fields(path: &str) -> Vec<&'static str> {
    let object = path.rsplit_once('/').and_then(|(object, _)| SCHEMA.pointer(object));
    let properties = object.and_then(|object| object.get("properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The fault, and the field that was probably meant.
fn unknown_field(pointer: &str, name: &str, known: &[&str]) -> (DocumentFault, Option<String>) {
    let meant = closest(name, known.iter().copied());
    let in_spec = known_fields("/definitions/Spec/additionalProperties");
    let help = match &meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if in_spec.contains(&name) => format!("`{name}` belongs under `spec`"),
        None => format!("the fields here are {}", known.join(", ")),
    };
    let fault = DocumentFault::new(
        Code::UnknownField,
        join(pointer, name),
        format!("unknown field {} in {}", quote(name), shown(pointer)),
    );
    (fault.help(help).on_key(), meant)
}

fn missing_field(pointer: &str, name: &str) -> DocumentFault {
    DocumentFault::new(Code::MissingField, pointer, format!("{} lacks the field `{name}`", shown(pointer)))
        .help(format!("add `{name}:`"))
        .on_key()
}

fn value_fault(pointer: &str, error: &ValidationError<'_>) -> DocumentFault {
    let value = error.instance();
    let fault = |code, message: String| DocumentFault::new(code, pointer, message);
    let invalid = |message: String| fault(Code::InvalidValue, message);
    match error.kind() {
        ValidationErrorKind::Type { kind } => wrong_type(pointer, value, kind),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<_> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            unknown_value(pointer, value, &options)
        }
        ValidationErrorKind::Constant { expected_value } => {
            unknown_value(pointer, value, &expected_value.as_str().into_iter().collect::<Vec<_>>())
        }
        ValidationErrorKind::Minimum { limit } => invalid(format!("{value} is below the minimum, {limit}")),
        ValidationErrorKind::MinLength { .. } => {
            invalid("the text is empty".to_owned()).help("give it a value")
        }
        ValidationErrorKind::MaxLength { limit } => {
            invalid(format!("the text is longer than {limit} characters"))
        }
        ValidationErrorKind::Pattern { pattern } if pattern == v2::WEB_ADDRESS => {
            invalid(format!("{} is not a web address", shown_value(value)))
                .help("begin it with https:// or http://")
        }
        ValidationErrorKind::Pattern { pattern } => {
            invalid(format!("{} does not match {pattern}", shown_value(value)))
        }
        ValidationErrorKind::MaxItems { limit } => {
            invalid(format!("{} has more than {limit} items", shown(pointer)))
        }
        ValidationErrorKind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default().to_owned();
            let message = format!("a name in {} is {}", shown(pointer), quote(&name));
            DocumentFault::new(Code::InvalidValue, join(pointer, &name), message)
                .help("begin it with a letter, a digit or `_`")
                .on_key()
        }
        ValidationErrorKind::MinProperties { .. } | ValidationErrorKind::MaxProperties { .. } => {
            invalid(format!("{} needs exactly one of `maxAge` and `from`", shown(pointer)))
        }
        _ => invalid(printable(&error.masked().to_string())),
    }
}

fn wrong_type(pointer: &str, value: &Value, expected: &TypeKind) -> DocumentFault {
    let expected = match expected {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(kinds) => {
            kinds.into_iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
        }
    };
    if expected == "string" && (value.is_number() || value.is_boolean()) {
        let message = format!("{value} is {}, and text is wanted here", type_name(value));
        return DocumentFault::new(Code::QuoteNeeded, pointer, message)
            .help(format!("quote it: \"{value}\""));
    }
    if value.is_null() {
        return DocumentFault::new(Code::WrongType, pointer, format!("{} has no value", shown(pointer)))
            .help("give it a value, or remove the field");
    }
    let wanted = match expected.as_str() {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "boolean" => "true or false",
        other => other,
    };
    let message = format!("{} is {}, {wanted} is wanted", shown(pointer), type_name(value));
    let fault = DocumentFault::new(Code::WrongType, pointer, message);
    if expected == "integer" && value.is_string() {
        fault.help("write digits only, without a unit")
    } else {
        fault
    }
}

fn unknown_value(pointer: &str, value: &Value, options: &[&str]) -> DocumentFault {
    let list = options.join(", ");
    let among = if options.len() == 1 { list } else { format!("one of {list}") };
    let fault = DocumentFault::new(
        Code::UnknownValue,
        pointer,
        format!("{} is {}, not {among}", shown(pointer), shown_value(value)),
    );
    match value.as_str().and_then(|text| closest(text, options.iter().copied())) {
        Some(meant) => fault.help(format!("write `{meant}`")),
        None => fault,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), quote)
}

/// A JSON pointer as people write it: `spec.topics[1].name`.
pub(in crate::manifest) fn shown(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        if step.parse::<usize>().is_ok() {
            path.extend(["[", step, "]"]);
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step.replace("~1", "/").replace("~0", "~"));
        }
    }
    if path.is_empty() { "the document".to_owned() } else { quote(&path) }
}

/// The candidate that was probably meant.
pub(in crate::manifest) fn closest<'a>(
    text: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<String> {
    /// Below it, similar is an accident.
    const SIMILAR: f64 = 0.85;
    let text = text.to_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&text, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}
