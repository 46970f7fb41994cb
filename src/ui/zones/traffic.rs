//! What a zone's partner used: pictures of the last hours, and the figures of this month.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::part::Part;
use super::zone::{Zone, member};
use crate::ui::moment::{at, when};
use crate::ui::parts::{bytes, count};

/// A month's usage of a zone.
#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    month: String,
    total: Value,
    #[serde(default)]
    topics: Vec<Value>,
    groups: Option<Vec<Value>>,
}

/// What went through in each of the last stretches of time, as the node that was asked has seen it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traffic {
    since: Option<String>,
    every_seconds: u64,
    points: Vec<Point>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    at: String,
    produced_bytes: u64,
    consumed_bytes: u64,
}

/// What went to and from one topic.
pub(super) struct Used<'u>(&'u Value);

impl Usage {
    pub(super) fn topic(&self, alias: &str) -> Option<Used<'_>> {
        self.topics.iter().find(|topic| member(topic, "/name") == Some(alias)).map(Used)
    }

    /// By how many records the groups that read a topic are behind.
    pub(super) fn behind(&self, alias: &str) -> u64 {
        let groups = self.groups.iter().flatten().filter(|group| member(group, "/topic") == Some(alias));
        groups.filter_map(|group| group.get("lag").and_then(Value::as_u64)).sum()
    }
}

impl Used<'_> {
    pub(super) fn volumes(&self) -> Markup {
        html! {
            (volume(self.0))
            span.sub { (when(member(self.0, "/lastSeen"))) }
        }
    }
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Up is from the partner, down is to it.
fn volume(value: &Value) -> Markup {
    html! {
        span title="produced by the partner" { "↑ " (bytes(number(value, "/produced/bytes"))) } " "
        span title="consumed by the partner" { "↓ " (bytes(number(value, "/consumed/bytes"))) }
    }
}

pub(super) fn section(zone: &Zone, usage: &Part<Usage>, traffic: &Part<Traffic>) -> Markup {
    html! {
        section.card aria-labelledby="traffic-title" {
            h2 #traffic-title { "Traffic" }
            div #traffic data-live {
                (traffic.show(pictures))
                (usage.show(|usage| month(zone, usage)))
            }
        }
    }
}

fn pictures(traffic: &Traffic) -> Markup {
    let series = |of: fn(&Point) -> u64| traffic.points.iter().map(of).collect::<Vec<_>>();
    html! {
        @if traffic.points.iter().all(|point| point.produced_bytes == 0 && point.consumed_bytes == 0) { p.muted { "Nothing went through in the last day, as far as this node has looked: since " (at(traffic.since.as_deref())) "." } }
        @else {
            div.pictures {
                (picture(traffic, "Produced by the partner", "produced", &series(|point| point.produced_bytes)))
                (picture(traffic, "Consumed by the partner", "consumed", &series(|point| point.consumed_bytes)))
            }
            p.sub {
                "Each bar is " (traffic.every_seconds / 60) " minutes; this node has looked since " (at(traffic.since.as_deref())) "."
            }
        }
    }
}

const HEIGHT: u64 = 64;
const BAR: u64 = 4;

/// Bars, with the largest as high as the picture. Who does not see it is told the sum and the largest.
fn picture(traffic: &Traffic, name: &str, kind: &str, series: &[u64]) -> Markup {
    let largest = series.iter().copied().max().unwrap_or_default();
    let sum: u64 = series.iter().sum();
    let width = series.len() as u64 * BAR;
    // No bar is so low that it cannot be seen, unless it is none.
    let height = |value: u64| match (value, largest) {
        (0, _) | (_, 0) => 0,
        (value, largest) => u64::try_from(u128::from(value) * u128::from(HEIGHT) / u128::from(largest))
            .unwrap_or(HEIGHT)
            .max(2),
    };
    let told = format!(
        "{name}: {} since {}, at most {} in {} minutes",
        bytes(sum),
        began(traffic),
        bytes(largest),
        traffic.every_seconds / 60
    );
    html! {
        figure.picture.(kind) {
            figcaption { (name) " " strong { (bytes(sum)) } }
            svg role="img" aria-label=(told) viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" {
                @for (at, value) in (0_u64..).zip(series) {
                    @let height = height(*value);
                    rect x=(at * BAR) y=(HEIGHT - height) width=(BAR - 1) height=(height) {}
                }
            }
            p.sub { "at most " (bytes(largest)) " in " (traffic.every_seconds / 60) " min" }
        }
    }
}

fn began(traffic: &Traffic) -> &str {
    traffic.points.first().map_or("", |point| &point.at)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `2026-11` as `In November 2026`.
fn in_words(month: &str) -> String {
    let named = month.split_once('-').and_then(|(year, number)| {
        let number: usize = number.parse().ok()?;
        Some(format!("In {} {year}", MONTHS.get(number.checked_sub(1)?)?))
    });
    named.unwrap_or_else(|| format!("In {month}"))
}

fn month(zone: &Zone, usage: &Usage) -> Markup {
    let figure = |pointer: &str| number(&usage.total, pointer);
    html! {
        h3 { (in_words(&usage.month)) }
        dl.facts {
            dt { "Produced" } dd { (bytes(figure("/produced/bytes"))) ", " (count(figure("/produced/records"))) " records" }
            dt { "Consumed" } dd { (bytes(figure("/consumed/bytes"))) ", " (count(figure("/consumed/records"))) " records" }
            @if usage.total.get("requests").is_some() {
                dt { "Requests" } dd { (count(figure("/requests"))) }
                dt { "Connections" } dd { (count(figure("/connections"))) }
                dt { "Held back" } dd { (count(figure("/throttledMs") / 1_000)) " s" }
            }
            dt { "Last seen" } dd { (when(member(&usage.total, "/lastSeen"))) }
        }
        @if zone.number("/status/usage/lag").is_some_and(|lag| lag > 0) {
            p { "Its consumers are " strong { (count(zone.number("/status/usage/lag").unwrap_or_default())) } " records behind." }
        }
    }
}
