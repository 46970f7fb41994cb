//! The list of zones: filtered, in an order, in parts. Only the zones that are shown are written down.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::api::access::{Seen, Sight};
use crate::api::auth::Caller;
use crate::api::problem::Problem;
use crate::api::query::{Query, Search, no_token, page_token};
use crate::api::{Api, controls, usage};
use crate::store::{Store, ZoneRecord};
use crate::zone::status::Phase;
use crate::zone::{ClusterName, NameError, SharedTopic, TopicName, Usage, ZoneLag, ZoneName};

/// Labels that are asked for at once.
const MAX_LABELS: usize = 20;

pub(in crate::api) const PHASES: [(&str, Phase); 3] =
    [("READY", Phase::Ready), ("PENDING", Phase::Pending), ("FAILED", Phase::Failed)];

pub(in crate::api) const ORDERS: [(&str, Order); 5] = [
    ("name", Order { by: By::Name, is_descending: false }),
    ("-name", Order { by: By::Name, is_descending: true }),
    ("updatedAt", Order { by: By::UpdatedAt, is_descending: false }),
    ("-updatedAt", Order { by: By::UpdatedAt, is_descending: true }),
    // What needs somebody comes first.
    ("status", Order { by: By::Status, is_descending: false }),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::api) struct Order {
    by: By,
    is_descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::api) enum By {
    Name,
    UpdatedAt,
    Status,
}

impl Order {
    /// What stands before the name.
    fn rank(self, record: &ZoneRecord, phase: Option<Phase>) -> i64 {
        match self.by {
            By::Name => 0,
            By::UpdatedAt => i64::try_from(record.updated_at.unix_timestamp_nanos()).unwrap_or(i64::MAX),
            By::Status => match phase {
                Some(Phase::Failed) => 0,
                Some(Phase::Pending) => 1,
                Some(Phase::Ready) | None => 2,
            },
        }
    }

    fn compare(self, a: (i64, &str), b: (i64, &str)) -> Ordering {
        if self.is_descending { Reverse(a).cmp(&Reverse(b)) } else { a.cmp(&b) }
    }
}

/// Where a zone stands in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    order: Order,
    rank: i64,
    zone: String,
}

/// A zone that fits.
struct Found<'a> {
    rank: i64,
    seen: Seen<'a>,
}

impl Found<'_> {
    fn name(&self) -> &ZoneName {
        &self.seen.0.zone.name
    }

    fn key(&self) -> (i64, &str) {
        (self.rank, self.name().as_str())
    }
}

/// Which zones are wanted, and which part of them.
struct Wanted {
    with_usage: bool,
    phase: Option<Phase>,
    /// With a value, or with any.
    labels: Vec<(String, Option<String>)>,
    search: Option<Search>,
    cluster: Option<ClusterName>,
    topic: Option<TopicName>,
    order: Order,
    limit: Option<usize>,
    after: Option<Place>,
}

impl Wanted {
    fn of(mut query: Query) -> Result<Self, Problem> {
        let by_name = Order { by: By::Name, is_descending: false };
        let wanted = Self {
            with_usage: query.word("include", &[("usage", true)])?.unwrap_or_default(),
            phase: query.word("status", &PHASES)?,
            labels: labels(query.all("label"))?,
            search: query.search()?,
            cluster: name(&mut query, "cluster")?,
            topic: name(&mut query, "topic")?,
            order: query.word("sort", &ORDERS)?.unwrap_or(by_name),
            limit: query.limit()?,
            after: query.page_token()?,
        };
        query.end()?;
        // Behind a place in another order there are other zones.
        match &wanted.after {
            Some(place) if place.order != wanted.order => Err(no_token()),
            _ => Ok(wanted),
        }
    }

    fn needs_phase(&self) -> bool {
        self.phase.is_some() || self.order.by == By::Status
    }

    /// All but the phase. What is not seen is not found: a filter would tell of it.
    fn fits(&self, api: &Api, (record, sight): &Seen<'_>) -> bool {
        let zone = &record.zone;
        let has = |(key, value): &(String, Option<String>)| {
            zone.labels.get(key).is_some_and(|is| value.as_ref().is_none_or(|value| value == is))
        };
        let names_backing = *sight != Sight::Partner;
        let shares = |name: &TopicName| zone.topics.iter().any(|it| sight.has(it) && it.backing == *name);
        self.labels.iter().all(|label| sight.is_whole() && has(label))
            && self.cluster.as_ref().is_none_or(|it| names_backing && it == api.cluster_of(record))
            && self.topic.as_ref().is_none_or(|name| names_backing && shares(name))
            && self.search.as_ref().is_none_or(|search| is_found(record, sight, search))
    }
}

/// A parameter that is a name.
fn name<T: for<'a> TryFrom<&'a str, Error = NameError>>(
    query: &mut Query,
    parameter: &'static str,
) -> Result<Option<T>, Problem> {
    let name = query.one(parameter)?.map(|text| T::try_from(text.as_str()));
    name.transpose().map_err(|wrong| Problem::bad_request(format!("`{parameter}` {wrong}")))
}

fn labels(given: Vec<String>) -> Result<Vec<(String, Option<String>)>, Problem> {
    if given.len() > MAX_LABELS {
        return Err(Problem::bad_request(format!("`label` may stand there {MAX_LABELS} times")));
    }
    let label = |text: String| match text.split_once('=') {
        _ if text.is_empty() || text.starts_with('=') => {
            Err(Problem::bad_request("`label` is `key=value`, or `key` alone for any value"))
        }
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
        None => Ok((text, None)),
    };
    given.into_iter().map(label).collect()
}

fn is_found(record: &ZoneRecord, sight: &Sight<'_>, search: &Search) -> bool {
    let zone = &record.zone;
    let partner = zone.partner.iter().flat_map(|it| [Some(&it.name), it.role.as_ref(), it.email.as_ref()]);
    let description = zone.description.as_ref().filter(|_| sight.is_whole());
    let texts = [zone.display_name.as_ref(), description, zone.url.as_ref()].into_iter();
    let backing = |topic: &SharedTopic| *sight != Sight::Partner && search.is_in(topic.backing.as_str());
    let mut topics = zone.topics.iter().filter(|topic| sight.has(topic));
    search.is_in(zone.name.as_str())
        || texts.chain(partner).flatten().any(|text| search.is_in(text))
        || topics.any(|topic| search.is_in(topic.alias.as_str()) || backing(topic))
}

pub(in crate::api) async fn list(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Json<Value>, Problem> {
    let wanted = Wanted::of(query)?;
    let state = api.state()?;
    let controller = api.config.controller.borrow().clone();
    let nodes = api.config.store.nodes().borrow().clone();
    // All that the caller may see of: here, and nowhere else, zones come into the list.
    let seen = caller.zones(&state);
    let fitting = seen.filter(|seen| wanted.fits(&api, seen)).filter_map(|seen| {
        let phase = wanted.needs_phase().then(|| api.phase(seen.0, &state, &nodes, &controller));
        let is_wanted = wanted.phase.is_none() || wanted.phase == phase;
        is_wanted.then(|| Found { rank: wanted.order.rank(seen.0, phase), seen })
    });
    let mut found: Vec<Found<'_>> = fitting.collect();
    found.sort_by(|a, b| wanted.order.compare(a.key(), b.key()));
    let is_shown = |place: &Place, it: &Found<'_>| {
        wanted.order.compare(it.key(), (place.rank, &place.zone)) != Ordering::Greater
    };
    let shown = wanted.after.as_ref().map_or(0, |place| found.partition_point(|it| is_shown(place, it)));
    let left = found.len() - shown;
    let page: Vec<_> = found.iter().skip(shown).take(wanted.limit.unwrap_or(left)).collect();
    let next = page.last().filter(|_| page.len() < left).map(|last| {
        let zone = last.name().to_string();
        page_token(&Place { order: wanted.order, rank: last.rank, zone })
    });

    let month = usage::this_month();
    let used = match (wanted.with_usage, wanted.limit) {
        (false, _) => None,
        (true, limit) => Some(used(&api, limit.map(|_| names(&page))).await?),
    };
    let none = Usage::default();
    let item = |found: &&Found<'_>| {
        let (name, sight) = (found.name(), &found.seen.1);
        let usage = used.as_ref().map(|(used, lags)| {
            usage::summary(month, used.get(name).unwrap_or(&none), lags.get(name), sight)
        });
        api.zone(&found.seen, &state, &controller, usage.as_ref())
    };
    let mut list = json!({
        "items": page.iter().map(item).collect::<Vec<_>>(),
        "total": found.len(),
        "totalTopics": found.iter().map(|it| topics_of(&it.seen)).sum::<usize>(),
        "nextPageToken": next,
    });
    if let (true, Value::Object(members)) = (caller.sees_all(), &mut list) {
        members.insert("source".to_owned(), super::source(&controller));
        let controls = controls::shown(&state.controls, OffsetDateTime::now_utc());
        members.insert("controls".to_owned(), controls);
    }
    Ok(Json(list))
}

/// How many of its topics are seen.
fn topics_of((record, sight): &Seen<'_>) -> usize {
    record.zone.topics.iter().filter(|topic| sight.has(topic)).count()
}

fn names(page: &[&Found<'_>]) -> Vec<ZoneName> {
    page.iter().map(|it| it.name().clone()).collect()
}

type Used = (BTreeMap<ZoneName, Usage>, BTreeMap<ZoneName, ZoneLag>);

/// This month's usage, of these zones or of all. To read it takes its time: not each time that somebody looks how zones stand.
async fn used(api: &Api, zones: Option<Vec<ZoneName>>) -> Result<Used, Problem> {
    let month = usage::this_month();
    let read = move |store: &dyn Store| {
        let ledger = store.ledger();
        let Some(zones) = zones else { return Some((ledger.zones(month)?, ledger.lags())) };
        let mut used = Used::default();
        for zone in zones {
            used.0.insert(zone.clone(), ledger.usage(&zone, month)?);
            used.1.extend(ledger.lag(&zone).map(|lag| (zone, lag)));
        }
        Some(used)
    };
    usage::read(api, read).await
}
