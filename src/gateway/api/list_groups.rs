//! ListGroups (16): the zone's own groups. A client asks every broker and puts the answers together.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::{Exchange, Outcome, Refusal, body, group_id};
pub(crate) use crate::kafka::control_shapes::LIST_GROUPS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 16,
    name: "ListGroupsRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("statesFilter", T::Array(&T::String)).since(4),
        F::new("typesFilter", T::Array(&T::String)).since(5),
    ],
};

/// The filters (states since version 4, types since 5) say nothing about names and pass.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let request: ListGroupsRequest = body::request(&REQUEST, version, body)?;
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut ListGroupsResponse| {
        response.groups.retain_mut(|group| group_id::rename_back(&view, &mut group.group_id));
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;
    use kafka_protocol::messages::list_groups_response::ListedGroup;

    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn other_zones_groups_are_not_listed_and_filters_pass_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let mut request = ListGroupsRequest::default();
            if version >= 4 {
                request.states_filter = vec!["Empty".into()];
            }
            if version >= 5 {
                request.types_filter = vec!["classic".into()];
            }
            let (sent, awaited) = partner.send(16, version, &request).forwarded::<ListGroupsRequest>();
            assert_eq!(sent, request);
            let listed = |id: &'static str| ListedGroup::default().with_group_id(GroupId(id.into()));
            let groups = ["acme:g", "other:g", "direct", "acme:", "acme2:g"].map(listed);
            let response = ListGroupsResponse::default().with_error_code(15).with_groups(groups.to_vec());
            let seen: ListGroupsResponse = partner.receive(awaited, &response);
            let names: Vec<_> = seen.groups.iter().map(|group| group.group_id.as_str()).collect();
            assert_eq!((seen.error_code, names), (15, vec!["g", ""]), "v{version}");
        }
    }
}
