//! What something looks like, written down: small enough to be held for everything that a plan touches.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Canonical JSON in manifest spelling: no white space, keys in order. As a tree of values it would take ten times its text, and
/// the plan of a new installation holds one for each zone and topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form(Box<str>);

impl Form {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For those who look into it.
    pub fn value(&self) -> Value {
        // Made of a value: nothing can fail.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<Value> for Form {
    fn from(value: Value) -> Self {
        // `serde_json` keeps maps sorted.
        Self(value.to_string().into())
    }
}

impl Serialize for Form {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_its_value_and_its_text_is_canonical() {
        let value = json!({"name": "orders", "a": ["\u{1}\"", 18_446_744_073_709_551_615_u64, {"z": null, "b": true}]});
        let form = Form::from(value.clone());
        assert_eq!(
            form.as_str(),
            r#"{"a":["\u0001\"",18446744073709551615,{"b":true,"z":null}],"name":"orders"}"#
        );
        assert_eq!(form.value(), value);
        assert_eq!(serde_json::to_value(&form).unwrap(), value);
    }
}
