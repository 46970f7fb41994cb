//! A month's statement as CSV (RFC 4180): for each zone its total, its topics and its credentials.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Told;
use crate::zone::usage::{ClientUsage, TopicUsage, Volume};
use crate::zone::{Month, ZoneName};

/// More is no table that anybody could open.
const LONGEST: usize = 64 * 1024 * 1024;

const HEAD: &str = "month,zone,kind,name,producedBytes,producedRecords,consumedBytes,consumedRecords,requests,commits,\
                    connections,throttledSeconds,lastSeen\r\n";

#[derive(Debug)]
pub(super) struct TooLong;

pub(super) fn csv(month: Month, zones: &BTreeMap<ZoneName, Told<'_>>) -> Result<String, TooLong> {
    let mut text = HEAD.to_owned();
    for (zone, Told { usage, is_part }) in zones {
        let begin = format!("{month},{}", cell(zone.as_str()));
        // A total counts requests, which are for other topics too.
        if !is_part {
            client(&mut text, &begin, "total", "", &usage.total());
        }
        for (alias, of) in &usage.topics {
            topic(&mut text, &begin, alias, of);
        }
        for (credential, of) in &usage.credentials {
            client(&mut text, &begin, "credential", credential, of);
        }
        if text.len() > LONGEST {
            return Err(TooLong);
        }
    }
    Ok(text)
}

// Writing to a String cannot fail.

fn client(text: &mut String, begin: &str, kind: &str, name: &str, of: &ClientUsage) {
    let ClientUsage { produced, consumed, requests, commits, connections, throttled_ms, last_seen } = of;
    let _ = write!(
        text,
        "{begin},{kind},{},{},{},{requests},{commits},{connections},{}.{:03},{}\r\n",
        cell(name),
        volume(produced),
        volume(consumed),
        throttled_ms / 1_000,
        throttled_ms % 1_000,
        moment(*last_seen),
    );
}

fn topic(text: &mut String, begin: &str, alias: &str, of: &TopicUsage) {
    let TopicUsage { produced, consumed, last_seen } = of;
    let (name, produced, consumed) = (cell(alias), volume(produced), volume(consumed));
    let _ = write!(text, "{begin},topic,{name},{produced},{consumed},,,,,{}\r\n", moment(*last_seen));
}

fn volume(Volume { bytes, records }: &Volume) -> String {
    format!("{bytes},{records}")
}

fn moment(at: Option<OffsetDateTime>) -> String {
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Subjects of tokens are anybody's text: none becomes a formula, or another cell.
fn cell(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use time::macros::datetime;

    use super::*;
    use crate::zone::Usage;

    #[test]
    fn a_row_for_each_total_topic_and_credential_and_no_name_is_more_than_a_name() {
        let seen = Some(datetime!(2026-11-22 10:00 UTC));
        let volume = |bytes| Volume { bytes, records: 2 };
        let client = ClientUsage {
            produced: volume(10),
            consumed: volume(20),
            requests: 3,
            commits: 4,
            connections: 5,
            throttled_ms: 6_007,
            last_seen: seen,
        };
        let topic = TopicUsage { produced: volume(10), consumed: volume(20), last_seen: None };
        let usage = Usage {
            topics: [("orders".to_owned(), topic)].into(),
            credentials: [("token:a,\"b\"".to_owned(), client), ("=1+1".to_owned(), ClientUsage::default())]
                .into(),
        };
        let told = Told { usage: Cow::Owned(usage), is_part: false };
        let zones = [(ZoneName::try_from("acme").unwrap(), told)].into();
        let text = csv("2026-11".parse().unwrap(), &zones).unwrap();
        assert_eq!(
            text.strip_prefix(HEAD).unwrap(),
            "2026-11,acme,total,,10,2,20,2,3,4,5,6.007,2026-11-22T10:00:00Z\r\n\
             2026-11,acme,topic,orders,10,2,20,2,,,,,\r\n\
             2026-11,acme,credential,'=1+1,0,0,0,0,0,0,0,0.000,\r\n\
             2026-11,acme,credential,\"token:a,\"\"b\"\"\",10,2,20,2,3,4,5,6.007,2026-11-22T10:00:00Z\r\n"
        );
        let columns = HEAD.split(',').count();
        for line in text.lines().filter(|line| !line.contains('"')) {
            assert_eq!(line.split(',').count(), columns, "{line}");
        }
        for (wrong, safe) in [
            ("@x", "'@x"),
            ("-x", "'-x"),
            ("+x", "'+x"),
            ("a\r\nb", "a  b"),
            ("\t=x", "' =x"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(wrong), safe);
        }
    }
}
