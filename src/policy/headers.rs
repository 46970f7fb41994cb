//! What a zone's policy does to the headers of records: what it adds to those that the partner produces, and what it takes out of
//! those that the partner reads.

use core::net::IpAddr;
use std::fmt::Write as _;

use crate::zone::header::{Field, Piece};
use crate::zone::{AddHeader, Headers, Template};

/// What is known of a request with records in it: what templates are filled in from.
#[derive(Debug, Clone, Copy)]
pub struct Produced<'a> {
    pub client_id: Option<&'a str>,
    pub address: IpAddr,
    /// The name that was logged in with.
    pub user: &'a str,
    pub api_key: i16,
    pub api_version: i16,
    pub gateway_host: &'a str,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// A header as one request's records get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled<'a> {
    pub key: &'a str,
    pub value: String,
    /// A record that has one of this key keeps what it has.
    pub only_if_absent: bool,
}

impl Headers {
    /// What the records of a request get.
    pub fn filled(&self, request: &Produced<'_>) -> Vec<Filled<'_>> {
        let filled = |header: &'_ AddHeader| (fill(&header.value, request), !header.override_if_exists);
        let all = self.add_on_produce.iter().map(|header| (header, filled(header)));
        all.map(|(header, (value, only_if_absent))| Filled { key: &header.key, value, only_if_absent })
            .collect()
    }

    /// Whether headers of this key are taken out of what is produced, to be replaced.
    pub fn replaces(&self, key: &[u8]) -> bool {
        self.add_on_produce.iter().any(|header| header.override_if_exists && header.key.as_bytes() == key)
    }

    /// Whether headers of this key are taken out of what is read.
    pub fn hides(&self, key: &[u8]) -> bool {
        self.remove_on_consume.iter().any(|pattern| pattern.matches(key))
    }
}

fn fill(template: &Template, request: &Produced<'_>) -> String {
    let mut out = String::new();
    for piece in template.pieces() {
        // Writing to a string cannot fail.
        let _ = match piece {
            Piece::Text(text) => out.write_str(text),
            Piece::Field(Field::ClientId) => out.write_str(request.client_id.unwrap_or_default()),
            Piece::Field(Field::UserIp) => write!(out, "{}", request.address.to_canonical()),
            Piece::Field(Field::User) => out.write_str(request.user),
            Piece::Field(Field::ApiKey) => write!(out, "{}", request.api_key),
            Piece::Field(Field::ApiKeyVersion) => write!(out, "{}", request.api_version),
            Piece::Field(Field::GatewayHost) => out.write_str(request.gateway_host),
            Piece::Field(Field::TimestampMillis) => write!(out, "{}", request.at),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(key: &str, value: &str, override_if_exists: bool) -> AddHeader {
        AddHeader { key: key.to_owned(), value: value.parse().unwrap(), override_if_exists }
    }

    #[test]
    fn a_template_is_filled_in_from_the_request() {
        let all = "{{clientId}} {{userIp}} {{user}} {{apiKey}} {{apiKeyVersion}} {{gatewayHost}} {{timestampMillis}}!";
        let headers =
            Headers { add_on_produce: vec![add("a", all, true), add("b", "", false)], ..Headers::default() };
        let request = Produced {
            client_id: Some("{{user}}"),
            address: "::ffff:192.0.2.7".parse().unwrap(),
            user: "acme",
            api_key: 0,
            api_version: 9,
            gateway_host: "kafka.example.com",
            at: 1_700_000_000_123,
        };
        let filled = headers.filled(&request);
        assert_eq!(filled[0].value, "{{user}} 192.0.2.7 acme 0 9 kafka.example.com 1700000000123!");
        assert_eq!((filled[0].only_if_absent, filled[1].only_if_absent), (false, true));
        let unnamed = headers.filled(&Produced { client_id: None, ..request });
        assert!(unnamed[0].value.starts_with(" 192.0.2.7 "));
        assert_eq!((headers.replaces(b"a"), headers.replaces(b"b")), (true, false));
    }

    #[test]
    fn a_header_is_hidden_if_any_pattern_means_its_key() {
        let patterns = ["internal-.*", "(?i)secret"].map(|text| text.parse().unwrap());
        let headers = Headers { remove_on_consume: patterns.to_vec(), ..Headers::default() };
        assert!(headers.hides(b"internal-\xff") && headers.hides(b"SECRET"));
        assert!(!headers.hides(b"not-internal-a") && !headers.replaces(b"internal-a"));
    }
}
