//! One setting's text → its value. An error completes "`KEY` …".

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::environment::Environment;
use super::{OnHistoryRewrite, SelfHeal, StoreKind};
use crate::reconcile::write_back::WriteBackMode;
use crate::secret::Secret;
use crate::zone::{ClusterName, parse_duration};

/// An interval that is not so short that it would hammer the other side.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1)..=Duration::from_hours(24), "wanted is something between 1s and 1d")
}

/// Longer than any balancer needs is a mistake: a process that does not end is killed.
pub(super) fn drain_delay(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO..=Duration::from_mins(5), "at most 5m is possible")
}

/// A duration of this range; `wanted` says which it is.
pub(super) fn within(text: &str, range: RangeInclusive<Duration>, wanted: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| format!("is `{text}`, which {error}"))?;
    if range.contains(&duration) { Ok(duration) } else { Err(format!("is `{text}`; {wanted}")) }
}

pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// A ref by its full name; a short one could be a branch or a tag.
pub(super) fn reference(text: &str) -> Result<String, String> {
    if text.starts_with("refs/") {
        Ok(text.to_owned())
    } else {
        Err(format!("is `{text}`; write the full name, for example refs/heads/{text}"))
    }
}

/// `64KiB`, `1MB`, or a plain number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("is `{text}`; wanted is a size such as 64KiB or 10MB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|size| *size > 0).ok_or_else(wrong)
}

/// A number that may be less than what the product allows, not more.
pub(super) fn at_most<T: PartialOrd + Copy + fmt::Display>(limit: T, value: T) -> Result<T, String> {
    if value <= limit { Ok(value) } else { Err(format!("is {value}; at most {limit} is possible")) }
}

pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("is `{text}`; wanted is an IP address, 0.0.0.0 for all of them"))
}

/// A block of addresses, or one address.
pub(super) fn addresses(text: &str) -> Result<IpNet, String> {
    let one = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let block = one.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        format!("holds `{text}`; wanted is an address or a block of them, for example 10.0.0.0/24")
    })?;
    // The block is not the one that was meant.
    if block.trunc() == block {
        Ok(block)
    } else {
        Err(format!(
            "holds `{text}`, whose address has bits set behind the prefix; the block is {}",
            block.trunc()
        ))
    }
}

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("is `{text}`; wanted is IP:PORT, for example 127.0.0.1:8080"))
}

/// The host that partners are told. No port: that is worked out per broker.
pub(super) fn host(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.len() <= 253 && text.chars().all(legal);
    if is_name || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("is `{text}`; wanted is a host name or an IP address, without a port"))
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("is `{text}`; wanted is a port, 1 to 65535"))
}

pub(super) fn percent(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|n| *n <= 100)
        .ok_or_else(|| format!("is `{text}`; wanted is a number from 0 to 100"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("is `{text}`; wanted is a whole number"))
}

pub(super) fn replication_factor(text: &str) -> Result<u16, String> {
    text.parse::<u16>()
        .ok()
        .filter(|n| (1..=i16::MAX.unsigned_abs()).contains(n))
        .ok_or_else(|| format!("is `{text}`; wanted is a number of brokers, at least 1"))
}

/// `http://host:port`; a path would be lost when a request is passed on.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let wrong = || format!("is `{text}`; wanted is an address such as http://controller-1:8080");
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
    if plain && url.username().is_empty() && url.password().is_none() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(wrong())
    }
}

pub(super) fn bootstrap_servers(text: &str) -> Result<String, String> {
    let server = |server: &str| {
        server.trim().rsplit_once(':').is_some_and(|(host, number)| !host.is_empty() && port(number).is_ok())
    };
    if text.split(',').all(server) {
        Ok(text.to_owned())
    } else {
        Err(format!("is `{text}`; wanted is host:port, several separated by commas"))
    }
}

pub(super) fn cluster_name(text: &str) -> Result<ClusterName, String> {
    ClusterName::try_from(text).map_err(|error| error.to_string())
}

/// A word of a closed set; `later` are those that are documented but not built yet.
pub(super) fn choice<T: Copy>(text: &str, built: &[(&str, T)], later: &[&str]) -> Result<T, String> {
    if let Some((_, value)) = built.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = built.iter().map(|(word, _)| *word).collect();
    let words = words.join(" or ");
    if later.contains(&text) {
        Err(format!("is `{text}`, which needs a later version; this one has {words}"))
    } else {
        Err(format!("is `{text}`; wanted is {words}"))
    }
}

pub(super) fn on_history_rewrite(text: &str) -> Result<OnHistoryRewrite, String> {
    choice(text, &[("refuse", OnHistoryRewrite::Refuse), ("accept", OnHistoryRewrite::Accept)], &[])
}

pub(super) fn write_back_mode(text: &str) -> Result<WriteBackMode, String> {
    let words =
        [("none", WriteBackMode::None), ("commit", WriteBackMode::Commit), ("branch", WriteBackMode::Branch)];
    choice(text, &words, &[])
}

pub(super) fn self_heal(text: &str) -> Result<SelfHeal, String> {
    let words = [("off", SelfHeal::Off), ("report", SelfHeal::Report), ("correct", SelfHeal::Correct)];
    choice(text, &words, &[])
}

pub(super) fn store(text: &str) -> Result<StoreKind, String> {
    choice(text, &[("kafka", StoreKind::Kafka), ("memory", StoreKind::Memory)], &[])
}

/// A secret as written, from `${NAME}`, or from `file:PATH` (whose final newline is not part of it).
pub(super) fn secret(text: &str, environment: &Environment) -> Result<Secret<String>, String> {
    let value = if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        environment
            .get(name)
            .map(str::to_owned)
            .ok_or_else(|| format!("asks for ${{{name}}}, which is not set"))?
    } else if let Some(path) = text.strip_prefix("file:") {
        let read =
            std::fs::read_to_string(path).map_err(|error| format!("cannot be read from {path}: {error}"))?;
        read.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        text.to_owned()
    };
    if value.is_empty() { Err("is empty".to_owned()) } else { Ok(Secret::new(value)) }
}
