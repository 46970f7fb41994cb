//! Group ids: `<zone>:` in front towards the broker, and off again on the way back. Those of `spec.consumerGroups` are the
//! cluster's own groups instead, under the names that the zone gives them.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;

use super::prefix;
use crate::policy::ZoneView;

/// The id the broker knows the group by. `InvalidGroupId` if it would be too long for Kafka.
pub(super) fn inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    if let Some(backing) = view.backing_group(group) {
        return Ok(GroupId(StrBytes::from_string(backing.as_str().to_owned())));
    }
    prefix::put(view, group).map(GroupId).ok_or(ResponseError::InvalidGroupId)
}

/// As [`inside`], for requests that Kafka refuses without a group: a prefix must not make an empty id a valid one.
pub(super) fn member_inside(view: &ZoneView, group: &str) -> Result<GroupId, ResponseError> {
    if group.is_empty() { Err(ResponseError::InvalidGroupId) } else { inside(view, group) }
}

/// The id the partner knows the group by, or none if it is not the zone's, or if that id stands for another group now.
pub(super) fn outside(view: &ZoneView, id: &str) -> Option<StrBytes> {
    view.group_of(id).map(|name| StrBytes::from_string(name.to_owned()))
}

/// Gives a response's group the partner's id. False for one that is not the zone's: it must not be shown.
pub(super) fn rename_back(view: &ZoneView, id: &mut GroupId) -> bool {
    match outside(view, id) {
        Some(outside) => {
            *id = GroupId(outside);
            true
        }
        None => false,
    }
}

/// The same id in memory of its own: as decoded it keeps the whole frame that it came in.
pub(super) fn detached(id: &GroupId) -> GroupId {
    GroupId(StrBytes::from_string(id.to_string()))
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
    fn a_group_that_was_there_before_is_the_one_it_was() {
        let view = fixture::view_with_groups(&[], &[("billing", "partner.billing"), ("x", "billing")]);
        for (name, id) in
            [("billing", "partner.billing"), ("x", "billing"), ("partner.billing", "acme:partner.billing")]
        {
            assert_eq!(inside(&view, name).unwrap().as_str(), id);
            assert_eq!(outside(&view, id).as_deref(), Some(name));
        }
        assert_eq!(outside(&view, "acme:billing"), None, "no name leads there any more");
        assert_eq!(outside(&view, "x"), None);
    }

    #[test]
    fn an_empty_id_stays_invalid_where_kafka_says_so() {
        let view = fixture::view(&[]);
        assert_eq!(member_inside(&view, ""), Err(ResponseError::InvalidGroupId));
        assert!(inside(&view, "").is_ok());
    }
}
