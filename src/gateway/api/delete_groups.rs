//! DeleteGroups (42): groups of the zone that have no members go, and their committed offsets with them.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use super::{Exchange, Outcome, Refusal, body, group_id, names};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 42,
    name: "DeleteGroupsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("groupsNames", T::Array(&T::String)).entity(Entity::GroupId),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 42,
    name: "DeleteGroupsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("errorCode", T::Int16),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: DeleteGroupsRequest = body::request(&REQUEST, version, body)?;
    let admit = |group: &mut GroupId| {
        *group = group_id::inside(exchange.view, group)?;
        Ok(())
    };
    let (groups, refused) = names::sort(request.groups_names, admit, |group, error| refuse(&group, error));
    if groups.is_empty() {
        return body::answer(&DeleteGroupsResponse::default().with_results(refused), version);
    }
    request.groups_names = groups;
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut DeleteGroupsResponse| {
        response.results.retain_mut(|result| group_id::rename_back(&view, &mut result.group_id));
        response.results.extend(refused);
    })
}

fn refuse(group: &GroupId, error: ResponseError) -> DeletableGroupResult {
    DeletableGroupResult::default().with_group_id(group_id::detached(group)).with_error_code(error.code())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    fn group(id: &str) -> GroupId {
        GroupId(id.to_owned().into())
    }

    #[test]
    fn only_the_zones_own_groups_can_be_named_at_every_version() {
        let partner = Partner::of(&[]);
        let long = "g".repeat(32_767);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![
                group("g"),
                group(&long),
                group("other:g"),
            ]);
            let (sent, awaited) = partner.send(42, version, &request).forwarded::<DeleteGroupsRequest>();
            assert_eq!(sent.groups_names, [group("acme:g"), group("acme:other:g")]);
            let result =
                |id, code| DeletableGroupResult::default().with_group_id(group(id)).with_error_code(code);
            let results = vec![result("acme:other:g", 69), result("acme:g", 68), result("other:g", 0)];
            let response = DeleteGroupsResponse::default().with_results(results);
            let seen: DeleteGroupsResponse = partner.receive(awaited, &response);
            let seen: Vec<_> = seen.results.iter().map(|r| (r.group_id.as_str(), r.error_code)).collect();
            assert_eq!(seen, [("other:g", 69), ("g", 68), (long.as_str(), 24)], "v{version}");
            let alone = DeleteGroupsRequest::default().with_groups_names(vec![group(&long)]);
            let answer: DeleteGroupsResponse = partner.send(42, version, &alone).answered();
            assert_eq!(answer.results[0].error_code, 24);
        }
    }
}
