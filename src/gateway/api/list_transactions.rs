//! ListTransactions (66): a zone's own transactions on one broker.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use super::{Exchange, Outcome, Refusal, body, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

/// The first version whose request can name the ids it wants (KIP-1152).
const BY_PATTERN: i16 = 2;

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
    if version >= BY_PATTERN {
        let pattern = own(exchange.view, request.transactional_id_pattern.as_deref());
        request.transactional_id_pattern = Some(StrBytes::from_string(pattern));
    }
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut ListTransactionsResponse| {
        response.transaction_states.retain_mut(|state| show(&view, state));
    })
}

/// The pattern for the broker, which matches whole ids (RE2): the zone's prefix, then what the partner asked for. It saves
/// sending what is not shown; that nothing else is shown does not depend on it, so a pattern that breaks out of its
/// parentheses gets nowhere. One that does not compile is the broker's to refuse.
fn own(view: &ZoneView, pattern: Option<&str>) -> String {
    let pattern = pattern.filter(|pattern| !pattern.is_empty()).unwrap_or("(?s:.*)");
    // Of what a zone's name may hold, only the dot means something else in a pattern.
    format!("{}:(?:{pattern})", view.name.as_str().replace('.', r"\."))
}

/// Gives a transaction the partner's id. False for one that is not the zone's.
fn show(view: &ZoneView, state: &mut TransactionState) -> bool {
    match transactional_id::outside(view, &state.transactional_id) {
        Some(id) => {
            state.transactional_id = TransactionalId(id);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::ProducerId;

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
            let pattern = (version >= 2).then(|| "acme:(?:(?s:.*))".into());
            assert_eq!(sent, request.with_transactional_id_pattern(pattern));
            let response = ListTransactionsResponse::default()
                .with_unknown_state_filters(vec!["Odd".into()])
                .with_transaction_states(vec![state("acme:t"), state("acme2:t"), state("t"), state("acme:")]);
            let shown: ListTransactionsResponse = partner.receive(awaited, &response);
            assert_eq!(shown, response.with_transaction_states(vec![state("t"), state("")]));
        }
    }

    #[test]
    fn a_pattern_is_about_the_id_as_the_partner_knows_it() {
        let view = super::super::fixture::view(&[]);
        assert_eq!(own(&view, Some("app-[0-9]+|x")), "acme:(?:app-[0-9]+|x)");
        assert_eq!(own(&view, Some("")), own(&view, None));
    }
}
