//! What a zone says about the headers of records.

use std::collections::HashMap;

use crate::zone::header::Field;
use crate::zone::{AddHeader, HeaderError, Headers, KeyPattern, Template};

use super::super::code::Code;
use super::super::fault::DocumentFault;
use super::super::finding::quote;
use super::super::v2;
use super::Reader;

const ADD: &str = "/spec/headers/addOnProduce";
const REMOVE: &str = "/spec/headers/removeOnConsume";

impl Reader<'_> {
    /// Without those that something is wrong with.
    pub(super) fn headers(&mut self) -> Headers {
        let Some(part) = self.part::<v2::Headers>("/spec/headers") else { return Headers::default() };
        let mut keys = HashMap::new();
        let mut add_on_produce = Vec::new();
        for (index, header) in part.add_on_produce.iter().enumerate() {
            let pointer = format!("{ADD}/{index}/key");
            self.key(&pointer, &header.key);
            if let Some(first) = keys.insert(header.key.as_str(), index) {
                let message = format!("the header {} is added twice", quote(&header.key));
                let fault = DocumentFault::new(Code::DuplicateHeader, pointer, message)
                    .help("keep one: what the other one does depends on it");
                self.fault(fault.related(format!("{ADD}/{first}/key"), "first added here"));
            }
            let pointer = format!("{ADD}/{index}/value");
            add_on_produce.extend(self.template(&pointer, &header.value).map(|value| AddHeader {
                key: header.key.clone(),
                value,
                override_if_exists: header.override_if_exists,
            }));
        }
        let patterns = part.remove_on_consume.iter().enumerate();
        let remove_on_consume = patterns.filter_map(|(index, remove)| {
            self.pattern(&format!("{REMOVE}/{index}/keyRegex"), &remove.key_regex)
        });
        Headers { add_on_produce, remove_on_consume: remove_on_consume.collect() }
    }

    /// Any text is a key for Kafka; one that nobody can see in a list of headers is a slip.
    fn key(&mut self, pointer: &str, key: &str) {
        if key.chars().any(char::is_control) {
            let message = format!("the header key {} holds a character that cannot be seen", quote(key));
            let fault = DocumentFault::new(Code::InvalidName, pointer, message);
            self.fault(fault.help("write a key of visible characters"));
        }
    }

    fn template(&mut self, pointer: &str, text: &str) -> Option<Template> {
        let known: Vec<_> = Field::ALL.iter().map(|field| format!("{{{{{}}}}}", field.as_str())).collect();
        let help = format!("templates are {}; `{{{{` always begins one", known.join(" "));
        let read = text.parse::<Template>();
        read.map_err(|error| self.refuse(Code::UnknownTemplate, pointer, text, &error, help)).ok()
    }

    fn pattern(&mut self, pointer: &str, text: &str) -> Option<KeyPattern> {
        let help = "write what Java and Rust's `regex` read alike: no look-around, back-references, possessive or atomic \
                    groups; all of a key has to match, so a part of it is `.*part.*`";
        let read = text.parse::<KeyPattern>();
        read.map_err(|error| self.refuse(Code::UnusablePattern, pointer, text, &error, help.to_owned())).ok()
    }

    fn refuse(&mut self, code: Code, pointer: &str, text: &str, error: &HeaderError, help: String) {
        let before = text.get(..error.at).unwrap_or_default().chars().count();
        let message = format!("{}, at character {} of {}", error.problem, before + 1, quote(text));
        self.fault(DocumentFault::new(code, pointer, message).help(help).within(error.at));
    }
}
