//! What partners used, by zone and month: for a look, and as a statement to bill by.
//!
//! Every node answers, of what it has read itself: asked at the same moment, all say the same.

mod statement;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::statement::TooLong;
use super::Api;
use super::access::Sight;
use super::auth::Caller;
use super::body::{Name, Parameters};
use super::problem::Problem;
use crate::store::Store;
use crate::zone::{Month, NotAMonth, TopicUsage, Usage, ZoneLag, ZoneName};

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    month: Option<String>,
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

impl Asked {
    /// By default the month that it is.
    fn month(&self) -> Result<Month, Problem> {
        let refused = |wrong: NotAMonth| Problem::bad_request(format!("`month`: {wrong}"));
        self.month.as_deref().map_or_else(|| Ok(this_month()), |text| text.parse().map_err(refused))
    }

    fn format(&self, headers: &HeaderMap) -> Result<Format, Problem> {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match self.format.as_deref() {
            Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            Some(_) => Err(Problem::bad_request("`format` is `json` or `csv`")),
            None if accepted.split(',').any(|one| one.trim().starts_with("text/csv")) => Ok(Format::Csv),
            None => Ok(Format::Json),
        }
    }
}

pub(super) fn this_month() -> Month {
    Month::of(OffsetDateTime::now_utc())
}

pub(super) async fn of_zone(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (month, format) = (asked.month()?, asked.format(&headers)?);
    let ledger = api.config.store.ledger();
    let state = api.state()?;
    // A zone that is gone is still to be billed, by those who see all of them.
    let gone = ZoneName::try_from(name.as_str()).ok().filter(|_| caller.sees_all());
    let (zone, sight) = if let Some(zone) = gone.filter(|zone| !ledger.months(zone).is_empty()) {
        (zone, Sight::All)
    } else {
        let (record, sight) = caller.find(&state, &name)?;
        (record.zone.name.clone(), sight)
    };
    let months: Vec<String> = ledger.months(&zone).iter().map(Month::to_string).collect();
    let of = zone.clone();
    let usage = read(&api, move |store| store.ledger().usage(&of, month)).await?;
    let told = Told::of(&usage, &sight);
    match format {
        Format::Json => {
            let lag = api.config.store.ledger().lag(&zone).map(|lag| lag_seen(&lag, &sight));
            let shown = json!({
                "zone": zone.as_str(),
                "month": month.to_string(),
                "months": months,
                "total": told.total(),
                "topics": named(&told.usage.topics),
                "credentials": named(&told.usage.credentials),
                "lag": lag.as_ref().map(ZoneLag::total),
                "groups": lag.as_ref().map(|lag| &lag.groups),
                "lagIsPartial": lag.as_ref().map(|lag| lag.is_partial),
            });
            Ok(Json(shown).into_response())
        }
        Format::Csv => csv(month, BTreeMap::from([(zone, told.into_owned())])).await,
    }
}

pub(super) async fn all(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (month, format) = (asked.month()?, asked.format(&headers)?);
    let zones = read(&api, move |store| store.ledger().zones(month)).await?;
    let state = api.state()?;
    // Zones that are gone are among them, for those who see all.
    let sight = |zone: &ZoneName| match state.zones.get(zone) {
        Some(record) => caller.sight(&record.zone),
        None => caller.sees_all().then_some(Sight::All),
    };
    let seen: BTreeMap<&ZoneName, Told<'_>> =
        zones.iter().filter_map(|(zone, usage)| Some((zone, Told::of(usage, &sight(zone)?)))).collect();
    match format {
        Format::Json => {
            let item = |(zone, told): (&&ZoneName, &Told<'_>)| json!({ "zone": zone.as_str(), "total": told.total() });
            let items: Vec<Value> = seen.iter().map(item).collect();
            Ok(Json(json!({ "month": month.to_string(), "items": items })).into_response())
        }
        Format::Csv => {
            let owned = seen.into_iter().map(|(zone, told)| (zone.clone(), told.into_owned()));
            csv(month, owned.collect()).await
        }
    }
}

/// Of many zones it is a lot to understand: not on the threads that answer.
pub(super) async fn read<T: Send + 'static>(
    api: &Api,
    what: impl FnOnce(&dyn Store) -> Option<T> + Send + 'static,
) -> Result<T, Problem> {
    let store = Arc::clone(&api.config.store);
    let read = tokio::task::spawn_blocking(move || what(&*store)).await.map_err(|_| Problem::internal())?;
    read.ok_or_else(|| {
        Problem::unavailable(
            "this node has not read what was used; if that lasts, no controller has made the usage topic",
        )
    })
}

/// What somebody is told of a zone's usage.
#[derive(Debug)]
struct Told<'u> {
    usage: Cow<'u, Usage>,
    /// Only some of the zone's topics are told of, and nothing of its credentials, which serve the others too.
    is_part: bool,
}

impl<'u> Told<'u> {
    fn of(usage: &'u Usage, sight: &Sight<'_>) -> Self {
        let Sight::Part(aliases) = sight else { return Self { usage: Cow::Borrowed(usage), is_part: false } };
        let seen = usage.topics.iter().filter(|(alias, _)| aliases.contains(alias.as_str()));
        let topics = seen.map(|(alias, of)| (alias.clone(), *of)).collect();
        Self { usage: Cow::Owned(Usage { topics, ..Usage::default() }), is_part: true }
    }

    /// Of the zone, or of those of its topics that are told of.
    fn total(&self) -> Value {
        if !self.is_part {
            return json!(self.usage.total());
        }
        let mut total = TopicUsage::default();
        self.usage.topics.values().for_each(|of| total.add(of));
        json!(total)
    }

    fn into_owned(self) -> Told<'static> {
        Told { usage: Cow::Owned(self.usage.into_owned()), is_part: self.is_part }
    }
}

/// How far consumers are behind in the topics that are seen.
fn lag_seen(lag: &ZoneLag, sight: &Sight<'_>) -> ZoneLag {
    let mut seen = lag.clone();
    if let Sight::Part(aliases) = sight {
        seen.groups.retain(|group| aliases.contains(group.topic.as_str()));
    }
    seen
}

async fn csv(month: Month, zones: BTreeMap<ZoneName, Told<'static>>) -> Result<Response, Problem> {
    let written = tokio::task::spawn_blocking(move || statement::csv(month, &zones)).await;
    let text = written.map_err(|_| Problem::internal())?.map_err(|TooLong| {
        let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        Problem::new(status, "the statement of all zones is too long; ask for that of each zone")
    })?;
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], text).into_response())
}

/// An entry with its name beside its figures.
#[derive(Serialize)]
struct Named<'a, T> {
    name: &'a str,
    #[serde(flatten)]
    usage: &'a T,
}

fn named<T>(all: &BTreeMap<String, T>) -> Vec<Named<'_, T>> {
    all.iter().map(|(name, usage)| Named { name, usage }).collect()
}

/// Beside a zone's status: the totals of a month, and by how many records its consumers are behind now.
pub(super) fn summary(month: Month, usage: &Usage, lag: Option<&ZoneLag>, sight: &Sight<'_>) -> Value {
    let mut shown = Told::of(usage, sight).total();
    if let Value::Object(object) = &mut shown {
        object.insert("month".to_owned(), month.to_string().into());
        object.insert("lag".to_owned(), json!(lag.map(|lag| lag_seen(lag, sight).total())));
    }
    shown
}
