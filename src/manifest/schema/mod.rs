//! The JSON Schema of the manifest, made from the types of [`super::v2`], and what a document has against it.

mod faults;

pub(super) use faults::{closest, shown};

use std::sync::LazyLock;

use jsonschema::{Draft, PatternOptions, Validator};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::code::Code;
use super::fault::DocumentFault;
use super::v2;

/// The schema as it is published: draft-07, which editors understand.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(plain_formats));
    let mut schema = settings.into_generator().into_root_schema_for::<v2::Document>();
    schema.insert("title".to_owned(), "PartnerZone".into());
    schema.to_value()
}

/// The committed text: what `reconciler schema` prints.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// Removes what only says how Rust stores a number, and `null` where a field may simply be left out: YAML's `field:`
/// with nothing after it is a mistake, not a choice.
fn plain_formats(schema: &mut Schema) {
    if schema.get("format").and_then(Value::as_str) == Some("uint64") {
        schema.remove("format");
    }
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(choices) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        choices.retain(|choice| !choice.is_null());
    }
    if let Some([Value::Object(only), null]) =
        schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && null.get("type").is_some_and(|kind| kind == "null")
    {
        let only = only.clone();
        schema.remove("anyOf");
        // draft-07 ignores everything beside `$ref`.
        if only.contains_key("$ref") && schema.as_object().is_some_and(|object| !object.is_empty()) {
            schema.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
        } else {
            for (key, value) in only {
                schema.insert(key, value);
            }
        }
    }
    // Left out on the way back, which is not the same as never sent.
    schema.remove("writeOnly");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

static VALIDATOR: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        // Linear in the input, unlike the default engine.
        .with_pattern_options(PatternOptions::regex())
        .build(&schema())
        .map_err(|error| error.to_string())
});

/// Everything that the schema has against a document, one fault for each mistake.
pub fn check(document: &Value) -> Vec<DocumentFault> {
    match &*VALIDATOR {
        Ok(validator) => faults::collect(validator, document),
        Err(reason) => {
            vec![DocumentFault::new(
                Code::InvalidValue,
                "",
                format!("the built-in schema is broken: {reason}"),
            )]
        }
    }
}

#[cfg(test)]
mod tests;
