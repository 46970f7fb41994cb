//! What partners used, by calendar month: figures to look at, and to bill by.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;

/// A calendar month in UTC: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a month is a year and a month, such as `2026-11`")]
pub struct NotAMonth;

impl Month {
    /// No other one is before it.
    pub const FIRST: Self = Self { year: 0, month: 1 };

    pub fn of(moment: OffsetDateTime) -> Self {
        let moment = moment.to_offset(time::UtcOffset::UTC);
        Self { year: u16::try_from(moment.year()).unwrap_or(0), month: moment.month().into() }
    }

    /// How many months it lies behind `other`; 0 if it does not.
    pub fn months_before(self, other: Self) -> u32 {
        other.index().saturating_sub(self.index())
    }

    fn index(self) -> u32 {
        u32::from(self.year) * 12 + u32::from(self.month)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(NotAMonth);
        }
        let (year, month) = (year.parse().map_err(|_| NotAMonth)?, month.parse().map_err(|_| NotAMonth)?);
        if !(1..=12).contains(&month) {
            return Err(NotAMonth);
        }
        Ok(Self { year, month })
    }
}

/// So many records, in so many bytes of record batches as they were on the wire: compressed, if they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    pub bytes: u64,
    /// As the batches' headers say. Those of message formats before Kafka 0.11 are not known without being read.
    pub records: u64,
}

/// What went to and from one alias of a zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicUsage {
    pub produced: Volume,
    pub consumed: Volume,
    /// When a request last named it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_seen: Option<OffsetDateTime>,
}

/// What was done with one credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientUsage {
    pub produced: Volume,
    pub consumed: Volume,
    /// Of every Kafka API.
    pub requests: u64,
    /// Commits of offsets among them.
    pub commits: u64,
    /// Connections that logged in.
    pub connections: u64,
    /// For how long connections were to be held back for a limit of the zone, in milliseconds.
    pub throttled_ms: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_seen: Option<OffsetDateTime>,
}

/// What a zone's partner used in one month.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// By alias. More of them than [`Usage::TOPICS`] are counted as [`Usage::OTHERS`].
    pub topics: BTreeMap<String, TopicUsage>,
    /// By key id, `token:` and the subject, or `certificate:` and the fingerprint. More of them than [`Usage::CREDENTIALS`] are counted as
    /// [`Usage::OTHERS`].
    pub credentials: BTreeMap<String, ClientUsage>,
}

impl Usage {
    /// Entries that are kept apart: what is written of a zone stays far below what a record may have.
    pub const TOPICS: usize = 1_000;
    pub const CREDENTIALS: usize = 200;
    /// The name of all that are not kept apart; no alias or key id is one.
    pub const OTHERS: &'static str = "*";

    /// Of the zone: the sum of what was done with its credentials.
    pub fn total(&self) -> ClientUsage {
        let mut total = ClientUsage::default();
        self.credentials.values().for_each(|usage| total.add(usage));
        total
    }

    pub fn add(&mut self, other: &Self) {
        for (alias, usage) in &other.topics {
            entry(&mut self.topics, alias, Self::TOPICS).add(usage);
        }
        for (credential, usage) in &other.credentials {
            entry(&mut self.credentials, credential, Self::CREDENTIALS).add(usage);
        }
    }
}

/// The entry of this name, or that of the others where there are `limit` already.
pub fn entry<'m, V: Default>(entries: &'m mut BTreeMap<String, V>, name: &str, limit: usize) -> &'m mut V {
    let has_room = entries.len() < limit || entries.contains_key(name);
    let name = if has_room { name } else { Usage::OTHERS };
    entries.entry(name.to_owned()).or_default()
}

impl Volume {
    pub fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.records = self.records.saturating_add(other.records);
    }
}

impl TopicUsage {
    pub fn add(&mut self, other: &Self) {
        self.produced.add(&other.produced);
        self.consumed.add(&other.consumed);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

impl ClientUsage {
    pub fn add(&mut self, other: &Self) {
        self.produced.add(&other.produced);
        self.consumed.add(&other.consumed);
        self.requests = self.requests.saturating_add(other.requests);
        self.commits = self.commits.saturating_add(other.commits);
        self.connections = self.connections.saturating_add(other.connections);
        self.throttled_ms = self.throttled_ms.saturating_add(other.throttled_ms);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_month_is_read_as_it_is_written_and_nothing_else_is_one() {
        let november = Month::of(datetime!(2026-12-01 00:30 +1));
        assert_eq!(november.to_string(), "2026-11");
        assert_eq!("2026-11".parse(), Ok(november));
        for wrong in ["", "2026", "2026-13", "2026-00", "2026-1", "+026-11", "26-11", "2026-11-01"] {
            assert_eq!(wrong.parse::<Month>(), Err(NotAMonth), "{wrong}");
        }
        let next_year: Month = "2027-02".parse().unwrap();
        assert_eq!((november.months_before(next_year), next_year.months_before(november)), (3, 0));
    }

    #[test]
    fn usage_adds_up_and_what_is_too_much_to_keep_apart_is_not_lost() {
        let of = |name: &str, bytes| {
            let volume = Volume { bytes, records: 1 };
            Usage {
                topics: [(name.to_owned(), TopicUsage { produced: volume, ..TopicUsage::default() })].into(),
                credentials: [(name.to_owned(), ClientUsage { produced: volume, ..ClientUsage::default() })]
                    .into(),
            }
        };
        let mut usage = Usage::default();
        for n in 0..Usage::CREDENTIALS + 3 {
            usage.add(&of(&format!("k{n}"), 10));
        }
        usage.add(&of("k0", 5));
        assert_eq!(usage.credentials["k0"].produced, Volume { bytes: 15, records: 2 });
        assert_eq!(usage.credentials[Usage::OTHERS].produced, Volume { bytes: 30, records: 3 });
        assert_eq!(usage.topics.len(), Usage::CREDENTIALS + 3);
        let total = usage.total().produced;
        assert_eq!(total.records, u64::try_from(Usage::CREDENTIALS).unwrap() + 4);
    }
}
