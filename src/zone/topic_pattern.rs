//! Backing topics by their names, or by how their names begin.

use std::fmt;

use super::name::{NameError, TopicName};

/// Backing topics that somebody speaks for, on every cluster: Kafka's two kinds of resource pattern, literal (`orders`) and prefixed (a
/// name's beginning and `*`, as in `sales.*`). `*` alone is all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicPattern {
    Literal(TopicName),
    /// Without its `*`.
    Prefixed(String),
}

impl TopicPattern {
    pub fn matches(&self, topic: &TopicName) -> bool {
        match self {
            Self::Literal(name) => name == topic,
            Self::Prefixed(prefix) => topic.as_str().starts_with(prefix.as_str()),
        }
    }
}

impl TryFrom<&str> for TopicPattern {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix('*') {
            None => TopicName::try_from(text).map(Self::Literal),
            Some("") => Ok(Self::Prefixed(String::new())),
            // `.*` is refused with it: in a regular expression it would be every topic, here it would be next to none.
            Some(prefix) => TopicName::try_from(prefix).map(|prefix| Self::Prefixed(prefix.to_string())),
        }
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(name) => name.fmt(f),
            Self::Prefixed(prefix) => write!(f, "{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        TopicPattern::try_from(pattern).unwrap().matches(&TopicName::try_from(topic).unwrap())
    }

    #[test]
    fn a_pattern_is_a_name_or_the_beginning_of_names_and_no_regular_expression() {
        for (pattern, topic, wanted) in [
            ("orders", "orders", true),
            ("orders", "orders-eu", false),
            ("orders", "Orders", false),
            ("sales.*", "sales.orders", true),
            ("sales.*", "sales.", true),
            ("sales.*", "salesXorders", false),
            ("sales.*", "sales", false),
            ("sales.*", "eu.sales.orders", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, topic), wanted, "{pattern} on {topic}");
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_was_read_and_what_is_none_is_refused() {
        for text in ["orders", "sales.*", "*"] {
            assert_eq!(TopicPattern::try_from(text).unwrap().to_string(), text);
        }
        let long = format!("{}*", "a".repeat(250));
        for text in ["", ".", ".*", "..*", "**", "a*b", "*a", "a b", "ä*", "[a]", "a|b", "a\n", &long] {
            assert!(TopicPattern::try_from(text).is_err(), "{text:?}");
        }
    }
}
