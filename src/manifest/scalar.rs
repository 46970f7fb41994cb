//! YAML 1.2 core schema (section 10.3.2): what a scalar without quotes means.

use serde_json::{Number, Value};

/// A scalar as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    /// Neither quoted nor a block.
    pub plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
}

impl Kind {
    /// With its article, to complete "is …".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Text => "text",
        }
    }
}

impl Scalar {
    pub fn kind(&self) -> Kind {
        if !self.plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Boolean,
            text if is_integer(text) => Kind::Integer,
            text if is_float(text) => Kind::Float,
            _ => Kind::Text,
        }
    }

    /// The JSON value. What JSON cannot hold (`.inf`, `.nan`) becomes null, which no field accepts.
    pub fn to_json(&self) -> Value {
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Boolean => Value::Bool(self.text.eq_ignore_ascii_case("true")),
            Kind::Integer => integer(&self.text),
            Kind::Float => float(&self.text),
            Kind::Text => Value::String(self.text.clone()),
        }
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, digit: fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(digit)
}

fn is_integer(text: &str) -> bool {
    if let Some(octal) = text.strip_prefix("0o") {
        return all(octal, |b| matches!(b, b'0'..=b'7'));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return all(hex, u8::is_ascii_hexdigit);
    }
    all(unsigned(text), u8::is_ascii_digit)
}

fn is_float(text: &str) -> bool {
    let body = unsigned(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = body.split_once(['e', 'E']).map_or((body, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| all(unsigned(e), u8::is_ascii_digit))
}

fn integer(text: &str) -> Value {
    let parsed = if let Some(octal) = text.strip_prefix("0o") {
        u64::from_str_radix(octal, 8).ok().map(Number::from)
    } else if let Some(hex) = text.strip_prefix("0x") {
        u64::from_str_radix(hex, 16).ok().map(Number::from)
    } else {
        let text = text.strip_prefix('+').unwrap_or(text);
        text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from)).ok()
    };
    parsed.map_or_else(|| float(text), Value::Number)
}

fn float(text: &str) -> Value {
    text.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_the_core_schema_says() {
        for (text, kind, json) in [
            ("0123", Kind::Integer, "123"),
            ("-7", Kind::Integer, "-7"),
            ("+7", Kind::Integer, "7"),
            ("0x1F", Kind::Integer, "31"),
            ("0o17", Kind::Integer, "15"),
            ("1e3", Kind::Float, "1000.0"),
            (".5", Kind::Float, "0.5"),
            ("5.", Kind::Float, "5.0"),
            (".nan", Kind::Float, "null"),
            ("-.inf", Kind::Float, "null"),
            ("1e999", Kind::Float, "null"),
            ("True", Kind::Boolean, "true"),
            ("~", Kind::Null, "null"),
            ("", Kind::Null, "null"),
            ("no", Kind::Text, "\"no\""),
            ("1_000", Kind::Text, "\"1_000\""),
            ("1.2.3", Kind::Text, "\"1.2.3\""),
            (".", Kind::Text, "\".\""),
            ("e3", Kind::Text, "\"e3\""),
            ("0x", Kind::Text, "\"0x\""),
        ] {
            let scalar = Scalar { text: text.into(), plain: true };
            assert_eq!((scalar.kind(), scalar.to_json().to_string()), (kind, json.to_owned()), "{text}");
            let quoted = Scalar { text: text.into(), plain: false };
            assert_eq!(quoted.to_json(), Value::String(text.into()));
        }
    }

    #[test]
    fn an_integer_beyond_64_bits_becomes_a_float_which_no_field_takes() {
        let scalar = Scalar { text: "9".repeat(30), plain: true };
        assert!(scalar.to_json().is_f64());
    }
}
