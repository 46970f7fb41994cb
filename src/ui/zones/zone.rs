//! A zone as the API shows it: what somebody does not see is not there.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::ui::visitor::Visitor;

/// A zone in its written form, with its status.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Zone(pub(super) Value);

impl Zone {
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(Value::as_u64)
    }

    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// What people call it.
    pub(super) fn title(&self) -> &str {
        self.text("/spec/displayName").unwrap_or_else(|| self.name())
    }

    pub(super) fn path(&self) -> String {
        path(self.name())
    }

    pub(super) fn phase(&self) -> &str {
        self.text("/status/phase").unwrap_or("PENDING")
    }

    /// Whether the visitor sees all of its document: who sees a part is not shown to which gateway it belongs.
    pub(super) fn is_whole(&self) -> bool {
        self.text("/spec/cluster").is_some()
    }

    /// Whether it is the visitor's to change, with all that it shares.
    pub(super) fn is_theirs(&self, visitor: &Visitor) -> bool {
        visitor.shares() && self.is_whole()
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0.pointer("/metadata/labels").and_then(Value::as_object);
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

/// The way back from a page about a zone.
pub(super) fn trail(name: &str) -> Markup {
    html! { p.trail { a href=(super::LIST) { "Zones" } " / " a href=(path(name)) { (name) } } }
}

/// Where the page of a zone is.
pub(in crate::ui) fn path(name: &str) -> String {
    format!("{}/{name}", super::LIST)
}

/// A member of an entry, as text.
pub(in crate::ui) fn member<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The zone's address at the partner's, if a browser may be sent there: nothing but http is.
pub(super) fn web_address(text: &str) -> Option<&str> {
    let is_web = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    is_web.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_no_web_address_is_no_link() {
        assert!(web_address("https://example.com/x").is_some());
        for bad in ["javascript:alert(1)", "data:text/html,x", "//example.com", " https://x", "example.com"] {
            assert!(web_address(bad).is_none(), "{bad}");
        }
    }
}
