//! Group ids: `<zone>:` in front towards the broker, and off again on the way back.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;

use super::prefix;
use crate::policy::ZoneView;

/// The id the broker knows the group by. `InvalidGroupId` if it would be too long for Kafka.
pub(super) fn inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    prefix::put(view, group).map(GroupId).ok_or(ResponseError::InvalidGroupId)
}

/// As [`inside`], for requests that Kafka refuses without a group: a prefix must not make an empty id a valid one.
pub(super) fn member_inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    if group.is_empty() { Err(ResponseError::InvalidGroupId) } else { inside(view, group) }
}

/// The id the partner knows the group by, or none if it is not the zone's.
pub(super) fn outside(view: &ZoneView, id: &str) -> Option<StrBytes> {
    prefix::strip(view, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::api::fixture;

    #[test]
    fn an_id_that_grows_too_long_is_refused_before_the_broker_sees_it() {
        let view = fixture::view(&[]);
        assert_eq!(inside(&view, &"g".repeat(prefix::LIMIT)), Err(ResponseError::InvalidGroupId));
    }

    #[test]
    fn an_empty_id_stays_invalid_where_kafka_says_so() {
        let view = fixture::view(&[]);
        assert_eq!(member_inside(&view, ""), Err(ResponseError::InvalidGroupId));
        assert!(inside(&view, "").is_ok());
    }
}
