//! ListTransactions (66): a zone's own transactions on one broker.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Exchange, Outcome, Refusal, body, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::{NamePattern, ZoneView};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

/// The first version whose request can name the ids it wants (KIP-1152).
const BY_PATTERN: i16 = 2;

/// Ids are up to 32 KiB long. A pattern is not tried on those that are longer than anybody would write, in bytes.
const LONGEST_ID: usize = 1 << 10;

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 66,
    name: "ListTransactionsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("stateFilters", T::Array(&T::String)),
        F::new("producerIdFilters", T::Array(&T::Int64)),
        F::new("durationFilter", T::Int64).since(1),
        F::new("transactionalIdPattern", T::String).since(2).nullable_since(2),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 66,
    name: "ListTransactionsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("unknownStateFilters", T::Array(&T::String)),
        F::new("transactionStates", T::Array(&T::Struct(&[
            F::new("transactionalId", T::String).entity(Entity::TransactionalId),
            F::new("producerId", T::Int64),
            F::new("transactionState", T::String),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: ListTransactionsRequest = body::request(&REQUEST, version, body)?;
    // The text, which is small, waits for the answer; compiled it takes much more.
    let pattern =
        request.transactional_id_pattern.take().map(|text| text.to_string()).filter(|p| !p.is_empty());
    if pattern.as_deref().is_some_and(|text| NamePattern::parse(text).is_err()) {
        let code = ResponseError::InvalidRegularExpression.code();
        return body::answer(&ListTransactionsResponse::default().with_error_code(code), version);
    }
    if version >= BY_PATTERN {
        request.transactional_id_pattern = Some(StrBytes::from_string(own(exchange.view)));
    }
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut ListTransactionsResponse| {
        let states = &mut response.transaction_states;
        states.retain_mut(|state| transactional_id::rename_back(&view, &mut state.transactional_id));
        let Some(pattern) = pattern.and_then(|text| NamePattern::parse(&text).ok()) else { return };
        let mut matcher = pattern.matcher(LONGEST_ID);
        let mut matched = Ok(());
        states.retain(|state| {
            let wanted = matcher.matches(state.transactional_id.as_str());
            matched.is_ok()
                && wanted.unwrap_or_else(|error| {
                    matched = Err(error);
                    false
                })
        });
        if matched.is_err() {
            states.clear();
            response.error_code = ResponseError::InvalidRegularExpression.code();
        }
    })
}

/// The pattern for the broker, which matches whole ids (RE2): all of the zone's. It saves sending what is not shown. The
/// partner's own pattern is about ids without the prefix, and is matched here.
fn own(view: &ZoneView) -> String {
    // Of what a zone's name may hold, only the dot means something else in a pattern.
    format!("{}:(?s:.*)", view.name.as_str().replace('.', r"\."))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::list_transactions_response::TransactionState;
    use kafka_protocol::messages::{ProducerId, TransactionalId};

    use super::super::fixture::Partner;
    use super::*;

    fn state(id: &'static str) -> TransactionState {
        TransactionState::default()
            .with_transactional_id(TransactionalId(id.into()))
            .with_producer_id(ProducerId(9))
            .with_transaction_state("Ongoing".into())
    }

    #[test]
    fn only_the_zones_own_transactions_are_listed_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ListTransactionsRequest::default()
                .with_state_filters(vec!["Ongoing".into(), "Odd".into()])
                .with_producer_id_filters(vec![ProducerId(9)]);
            let request = if version == 0 { request } else { request.with_duration_filter(5_000) };
            let (sent, awaited) = partner.send(66, version, &request).forwarded::<ListTransactionsRequest>();
            let pattern = (version >= 2).then(|| "acme:(?s:.*)".into());
            assert_eq!(sent, request.with_transactional_id_pattern(pattern));
            let response = ListTransactionsResponse::default()
                .with_unknown_state_filters(vec!["Odd".into()])
                .with_transaction_states(vec![state("acme:t"), state("acme2:t"), state("t"), state("acme:")]);
            let shown: ListTransactionsResponse = partner.receive(awaited, &response);
            assert_eq!(shown, response.with_transaction_states(vec![state("t"), state("")]));
        }
    }

    fn by_pattern(pattern: &'static str) -> ListTransactionsRequest {
        ListTransactionsRequest::default().with_transactional_id_pattern(Some(pattern.into()))
    }

    #[test]
    fn a_pattern_is_about_whole_ids_as_the_partner_knows_them() {
        let partner = Partner::of(&[]);
        let states = ["acme:app-1", "acme:app-10", "acme:x", "other:app-1"].map(state);
        let response = ListTransactionsResponse::default().with_transaction_states(states.into());
        for (pattern, expected) in [
            ("app-.", &["app-1"][..]),
            ("app-.*|x", &["app-1", "app-10", "x"]),
            ("acme:.*", &[]),
            (r"\Qx", &["x"]),
        ] {
            let (sent, awaited) =
                partner.send(66, 2, &by_pattern(pattern)).forwarded::<ListTransactionsRequest>();
            assert_eq!(sent.transactional_id_pattern.as_deref(), Some("acme:(?s:.*)"));
            let shown: ListTransactionsResponse = partner.receive(awaited, &response);
            let ids: Vec<_> =
                shown.transaction_states.iter().map(|s| s.transactional_id.to_string()).collect();
            assert_eq!(ids, expected, "{pattern}");
        }
    }

    #[test]
    fn long_ids_do_not_match_and_too_much_to_match_is_an_error() {
        let partner = Partner::of(&[]);
        let long = |count: usize, len: usize| {
            let id = format!("acme:{}", "a".repeat(len));
            let state = state("").with_transactional_id(TransactionalId(id.into()));
            ListTransactionsResponse::default().with_transaction_states(vec![state; count])
        };
        for (count, len, error, shown) in [
            (1, LONGEST_ID, 0, 1),
            (1, LONGEST_ID + 1, 0, 0),
            (100, LONGEST_ID, 0, 100),
            (1_000, LONGEST_ID, 128, 0),
        ] {
            let (_, awaited) = partner.send(66, 2, &by_pattern(".*")).forwarded::<ListTransactionsRequest>();
            let response: ListTransactionsResponse = partner.receive(awaited, &long(count, len));
            let got = (response.error_code, response.transaction_states.len());
            assert_eq!(got, (error, shown), "{count} of {len}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_here() {
        for pattern in ["(", "x)|(?:.*"] {
            let answer: ListTransactionsResponse =
                Partner::of(&[]).send(66, 2, &by_pattern(pattern)).answered();
            assert_eq!((answer.error_code, answer.transaction_states), (128, vec![]), "{pattern}");
        }
    }
}
