//! FindCoordinator (10): which broker keeps a group or a transactional id.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Exchange, Outcome, Refusal, body, group_id, names, transactional_id};
use crate::gateway::addresses::Brokers;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 6);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 10,
    name: "FindCoordinatorRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("key", T::String).until(3).entity(Entity::GroupId),
        F::new("keyType", T::Int8).since(1),
        F::new("coordinatorKeys", T::Array(&T::String)).since(4).entity(Entity::GroupId),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 10,
    name: "FindCoordinatorResponse",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16).until(3),
        F::new("errorMessage", T::String).since(1).until(3).nullable_since(1).entity(Entity::ErrorMessage),
        F::new("nodeId", T::Int32).until(3),
        F::new("host", T::String).until(3).entity(Entity::Host),
        F::new("port", T::Int32).until(3).entity(Entity::Port),
        F::new("coordinators", T::Array(&T::Struct(&[
            F::new("key", T::String).entity(Entity::GroupId),
            F::new("nodeId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(4).entity(Entity::ErrorMessage),
        ]))).since(4),
    ],
};

/// Key types (KIP-932 added 2, shares).
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: FindCoordinatorRequest = body::request(&REQUEST, version, body)?;
    let kind = request.key_type;
    let asked = if version < 4 { vec![std::mem::take(&mut request.key)] } else { request.coordinator_keys };
    let admit = |key: &mut StrBytes| {
        *key = inside(exchange.view, version, kind, key)?;
        Ok(())
    };
    // A key in memory of its own: as decoded it keeps the whole frame.
    let refuse = |key: StrBytes, error| nowhere(error).with_key(StrBytes::from_string(key.to_string()));
    let (mut keys, refused) = names::sort(asked, admit, refuse);
    if keys.is_empty() {
        return body::answer(
            &with_coordinators(FindCoordinatorResponse::default(), version, refused),
            version,
        );
    }
    request.coordinator_keys = Vec::new();
    if version < 4 {
        request.key = keys.pop().unwrap_or_default();
    } else {
        request.coordinator_keys = keys;
    }
    let (view, brokers) = (Arc::clone(exchange.view), Arc::clone(exchange.brokers));
    body::forward(&request, &RESPONSE, version, move |response: &mut FindCoordinatorResponse| {
        let mut found = std::mem::take(&mut response.coordinators);
        if version < 4 {
            found = vec![single(response)];
        } else {
            found.retain_mut(|coordinator| match outside(&view, kind, &coordinator.key) {
                Some(key) => {
                    coordinator.key = key;
                    true
                }
                None => false,
            });
        }
        for coordinator in &mut found {
            advertise(coordinator, &brokers);
        }
        found.extend(refused);
        *response = with_coordinators(std::mem::take(response), version, found);
    })
}

/// The key the broker knows, or why there is none: shares are the brokers' own business.
fn inside(view: &ZoneView, version: i16, kind: i8, key: &str) -> Result<StrBytes, ResponseError> {
    match kind {
        GROUP => Ok(group_id::inside(view, key)?.0),
        TRANSACTION => Ok(transactional_id::inside(view, key)?.0),
        SHARE if version >= 6 => Err(ResponseError::ClusterAuthorizationFailed),
        _ => Err(ResponseError::InvalidRequest),
    }
}

/// The key the partner asked for, or none if the broker's answer is about somebody else's.
fn outside(view: &ZoneView, kind: i8, key: &str) -> Option<StrBytes> {
    match kind {
        GROUP => group_id::outside(view, key),
        _ => transactional_id::outside(view, key),
    }
}

fn nowhere(error: ResponseError) -> Coordinator {
    Coordinator::default().with_error_code(error.code()).with_node_id(BrokerId(-1)).with_port(-1)
}

/// A version below 4 has one coordinator, in the response itself.
fn single(response: &FindCoordinatorResponse) -> Coordinator {
    Coordinator::default().with_node_id(response.node_id).with_error_code(response.error_code)
}

/// Puts the advertised address in place of the broker's own, and drops its words.
fn advertise(coordinator: &mut Coordinator, brokers: &Brokers) {
    coordinator.error_message = None;
    if brokers.advertise(*coordinator.node_id, &mut coordinator.host, &mut coordinator.port) {
        return;
    }
    let key = std::mem::take(&mut coordinator.key);
    let told = coordinator.error_code;
    *coordinator = nowhere(ResponseError::CoordinatorNotAvailable).with_key(key);
    if told != 0 {
        coordinator.error_code = told;
    }
}

/// Puts the coordinators where this version has them.
fn with_coordinators(
    response: FindCoordinatorResponse,
    version: i16,
    mut coordinators: Vec<Coordinator>,
) -> FindCoordinatorResponse {
    if version >= 4 {
        return response.with_coordinators(coordinators);
    }
    let coordinator = coordinators.pop().unwrap_or_default();
    response
        .with_error_code(coordinator.error_code)
        .with_error_message(None)
        .with_node_id(coordinator.node_id)
        .with_host(coordinator.host)
        .with_port(coordinator.port)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    fn ask(version: i16, kind: i8, keys: &[&'static str]) -> FindCoordinatorRequest {
        let request = FindCoordinatorRequest::default();
        let request = if version == 0 { request } else { request.with_key_type(kind) };
        if version < 4 {
            request.with_key(keys[0].into())
        } else {
            request.with_coordinator_keys(keys.iter().map(|&key| key.into()).collect())
        }
    }

    /// (key, node, host, port, error) of each coordinator, whatever the version.
    fn seen(version: i16, response: FindCoordinatorResponse) -> Vec<(String, i32, String, i32, i16)> {
        let all = if version < 4 {
            vec![single(&response).with_host(response.host).with_port(response.port)]
        } else {
            response.coordinators
        };
        let of = |c: Coordinator| (c.key.to_string(), *c.node_id, c.host.to_string(), c.port, c.error_code);
        all.into_iter().map(of).collect()
    }

    fn found(version: i16, key: &'static str, node: i32, error: i16) -> FindCoordinatorResponse {
        let at = Coordinator::default()
            .with_key(if version < 4 { "" } else { key }.into())
            .with_node_id(BrokerId(node))
            .with_host(if node < 0 { "" } else { "10.0.0.7" }.into())
            .with_port(if node < 0 { -1 } else { 9092 })
            .with_error_code(error);
        with_coordinators(FindCoordinatorResponse::default(), version, vec![at])
    }

    #[test]
    fn a_key_is_looked_up_under_the_zones_prefix_at_every_version() {
        let partner = Partner::of(&[]);
        for (version, kind) in
            (VERSIONS.first..=VERSIONS.last).flat_map(|version| [(version, 0), (version, 1)])
        {
            let (sent, awaited) = partner.send(10, version, &ask(version, kind, &["k"])).forwarded();
            let sent: FindCoordinatorRequest = sent;
            assert_eq!(sent.key_type, if version == 0 { 0 } else { kind });
            let key = if version < 4 { sent.key } else { sent.coordinator_keys[0].clone() };
            assert_eq!(key.as_str(), "acme:k");
            let response = partner.receive(awaited, &found(version, "acme:k", 2, 0));
            let key = if version < 4 { "" } else { "k" };
            assert_eq!(
                seen(version, response),
                [(key.to_owned(), 2, "gw.example.com".to_owned(), 19_102, 0)]
            );
        }
    }

    #[test]
    fn no_coordinator_stays_nowhere_and_an_unknown_broker_is_not_shown() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            for (node, error, shown) in [(-1, 15, 15), (77, 0, 15), (-1, 30, 30)] {
                let (_, awaited) =
                    partner.send(10, version, &ask(version, 0, &["g"])).forwarded::<FindCoordinatorRequest>();
                let response = partner.receive(awaited, &found(version, "acme:g", node, error));
                let (_, node, host, port, error) = seen(version, response).remove(0);
                assert_eq!((node, host.as_str(), port, error), (-1, "", -1, shown));
            }
        }
    }

    #[test]
    fn shares_and_unknown_types_are_refused_per_key() {
        for version in 1..=VERSIONS.last {
            for (kind, code) in [(2, if version < 6 { 42 } else { 31 }), (9, 42)] {
                let request = ask(version, kind, &["x", "y"]);
                let answer = Partner::of(&[]).send(10, version, &request).answered();
                let seen = seen(version, answer);
                assert_eq!(seen.len(), if version < 4 { 1 } else { 2 });
                assert!(seen.iter().all(|c| (c.1, c.3, c.4) == (-1, -1, code)), "{seen:?}");
            }
        }
    }

    #[test]
    fn an_empty_transactional_id_is_refused_beside_one_that_is_looked_up() {
        let partner = Partner::of(&[]);
        let (sent, awaited) =
            partner.send(10, 6, &ask(6, 1, &["", "t"])).forwarded::<FindCoordinatorRequest>();
        assert_eq!(sent.coordinator_keys, [StrBytes::from_static_str("acme:t")]);
        let response = partner.receive(awaited, &found(6, "acme:t", 1, 0));
        let keys: Vec<_> = seen(6, response).into_iter().map(|c| (c.0, c.1, c.4)).collect();
        assert_eq!(keys, [("t".to_owned(), 1, 0), (String::new(), -1, 42)]);
    }

    #[test]
    fn another_zones_key_in_a_response_is_not_shown() {
        let partner = Partner::of(&[]);
        let (_, awaited) = partner.send(10, 4, &ask(4, 0, &["g"])).forwarded::<FindCoordinatorRequest>();
        let response: FindCoordinatorResponse = partner.receive(awaited, &found(4, "other:g", 1, 0));
        assert!(response.coordinators.is_empty());
    }
}
