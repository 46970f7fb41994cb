//! Transactional ids: each zone has its own, so a producer is fenced by its own zone's producers only.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TransactionalId;
use kafka_protocol::protocol::StrBytes;

use super::prefix;
use crate::policy::ZoneView;

/// The id the broker knows. An empty one is invalid, as Kafka has it, and must not become valid by its prefix; one that
/// grows too long for Kafka is refused as if it were not the partner's.
pub(crate) fn inside(view: &ZoneView, id: &str) -> Result<TransactionalId, ResponseError> {
    if id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    prefix::put(view, id).map(TransactionalId).ok_or(ResponseError::TransactionalIdAuthorizationFailed)
}

/// The id the partner knows, or none if it is not the zone's.
pub(super) fn outside(view: &ZoneView, id: &str) -> Option<StrBytes> {
    prefix::strip(view, id)
}

/// Gives a response's transaction the partner's id. False for one that is not the zone's: it must not be shown.
pub(super) fn rename_back(view: &ZoneView, id: &mut TransactionalId) -> bool {
    match outside(view, id) {
        Some(outside) => {
            *id = TransactionalId(outside);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::api::fixture;

    #[test]
    fn an_id_is_the_zones_own_both_ways() {
        let view = fixture::view(&[]);
        assert_eq!(inside(&view, "t").unwrap().as_str(), "acme:t");
        assert_eq!(outside(&view, "acme:t").unwrap().as_str(), "t");
        assert_eq!(outside(&view, "other:t"), None);
    }

    #[test]
    fn what_kafka_does_not_take_is_refused_before_the_broker_sees_it() {
        let view = fixture::view(&[]);
        assert_eq!(inside(&view, ""), Err(ResponseError::InvalidRequest));
        let long = "t".repeat(prefix::LIMIT);
        assert_eq!(inside(&view, &long), Err(ResponseError::TransactionalIdAuthorizationFailed));
    }
}
