//! Group ids: `<zone>:` in front towards the broker, and off again on the way back.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;

use crate::policy::ZoneView;

/// The longest group id that Kafka takes, in bytes.
const LIMIT: usize = 32_767;

/// The id the broker knows the group by. `InvalidGroupId` if it would be too long for Kafka.
pub(super) fn inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    let id = format!("{}:{group}", view.name);
    if id.len() > LIMIT { Err(ResponseError::InvalidGroupId) } else { Ok(GroupId(StrBytes::from_string(id))) }
}

/// As [`inside`], for requests that Kafka refuses without a group: a prefix must not make an empty id a valid one.
pub(super) fn member_inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    if group.is_empty() { Err(ResponseError::InvalidGroupId) } else { inside(view, group) }
}

/// The id the partner knows the group by, or none if it is not the zone's.
pub(super) fn outside(view: &ZoneView, id: &str) -> Option<StrBytes> {
    let group = id.strip_prefix(view.name.as_str())?.strip_prefix(':')?;
    Some(StrBytes::from_string(group.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gateway::api::fixture;

    #[test]
    fn another_zones_group_is_nobodys() {
        let view = fixture::view(&[]);
        for id in ["acme", "acme2:g", "acm:g", "acme-:g", ":g", "g"] {
            assert_eq!(outside(&view, id), None, "{id}");
        }
    }

    #[test]
    fn an_id_that_grows_too_long_is_refused_before_the_broker_sees_it() {
        let view = fixture::view(&[]);
        assert!(inside(&view, &"g".repeat(LIMIT - "acme:".len())).is_ok());
        assert_eq!(inside(&view, &"g".repeat(LIMIT)), Err(ResponseError::InvalidGroupId));
    }

    #[test]
    fn an_empty_id_stays_invalid_where_kafka_says_so() {
        let view = fixture::view(&[]);
        assert_eq!(member_inside(&view, ""), Err(ResponseError::InvalidGroupId));
        assert!(inside(&view, "").is_ok());
    }

    proptest! {
        #[test]
        fn out_undoes_in(group in ".{0,60}") {
            let view = fixture::view(&[]);
            let id = inside(&view, &group).unwrap();
            let back = outside(&view, &id).unwrap();
            prop_assert_eq!(back.as_str(), group);
        }
    }
}
