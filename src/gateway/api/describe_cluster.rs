//! DescribeCluster (60): the brokers, at their advertised addresses.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

use super::operations::{NO_OPERATIONS, NOT_ASKED};
use super::{Exchange, Outcome, Refusal, body};
use crate::gateway::addresses::{cluster_id, controller};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 60,
    name: "DescribeClusterRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("includeClusterAuthorizedOperations", T::Bool),
        F::new("endpointType", T::Int8).since(1),
        F::new("includeFencedBrokers", T::Bool).since(2),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 60,
    name: "DescribeClusterResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("endpointType", T::Int8).since(1),
        F::new("clusterId", T::String),
        F::new("controllerId", T::Int32),
        F::new("brokers", T::Array(&T::Struct(&[
            F::new("brokerId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("rack", T::String).nullable_since(0),
            F::new("isFenced", T::Bool).since(2),
        ]))),
        F::new("clusterAuthorizedOperations", T::Int32),
    ],
};

/// The endpoint type of brokers; 2 is controllers, which a partner has nothing to do with.
const BROKERS: i8 = 1;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: DescribeClusterRequest = body::request(&REQUEST, version, body)?;
    if request.endpoint_type != BROKERS {
        let error = match request.endpoint_type {
            2 => ResponseError::MismatchedEndpointType,
            _ => ResponseError::UnsupportedEndpointType,
        };
        return body::answer(&DescribeClusterResponse::default().with_error_code(error.code()), version);
    }
    let operations = if request.include_cluster_authorized_operations { NO_OPERATIONS } else { NOT_ASKED };
    // Both would show more of the cluster than its live brokers.
    request.include_cluster_authorized_operations = false;
    request.include_fenced_brokers = false;
    let (view, brokers) = (Arc::clone(exchange.view), Arc::clone(exchange.brokers));
    body::forward(&request, &RESPONSE, version, move |response: &mut DescribeClusterResponse| {
        response.error_message = None;
        if response.error_code != 0 {
            let (error, throttle) = (response.error_code, response.throttle_time_ms);
            *response =
                DescribeClusterResponse::default().with_error_code(error).with_throttle_time_ms(throttle);
            return;
        }
        response.cluster_id = StrBytes::from_string(cluster_id(view.id));
        response.cluster_authorized_operations = operations;
        response
            .brokers
            .retain_mut(|broker| brokers.advertise(*broker.broker_id, &mut broker.host, &mut broker.port));
        let shown = response.brokers.iter().map(|broker| *broker.broker_id);
        response.controller_id = BrokerId(controller(*response.controller_id, shown));
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;

    use super::super::fixture::Partner;
    use super::*;

    fn broker(id: i32) -> DescribeClusterBroker {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(id))
            .with_host("10.0.0.1".into())
            .with_port(9092)
    }

    #[test]
    fn brokers_stand_at_their_advertised_addresses_and_unknown_ones_are_left_out() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            let (sent, awaited) = partner.send(60, version, &request).forwarded::<DescribeClusterRequest>();
            assert!(!sent.include_cluster_authorized_operations);
            let response = DescribeClusterResponse::default()
                .with_cluster_id("the-real-one".into())
                .with_controller_id(BrokerId(9))
                .with_error_message(Some("NONE".into()))
                .with_brokers(vec![broker(1), broker(9)]);
            let seen: DescribeClusterResponse = partner.receive(awaited, &response);
            let addresses: Vec<_> =
                seen.brokers.iter().map(|b| (*b.broker_id, b.host.to_string(), b.port)).collect();
            assert_eq!(addresses, [(1, "gw.example.com".to_owned(), 19_101)]);
            assert_eq!(seen.cluster_id.as_str(), cluster_id(partner.view.id));
            assert_eq!((seen.controller_id, seen.error_message), (BrokerId(1), None));
            assert_eq!(seen.cluster_authorized_operations, 0);
        }
    }

    #[test]
    fn controllers_are_not_described() {
        for (kind, error) in [(2, 114), (3, 115), (0, 115)] {
            let request = DescribeClusterRequest::default().with_endpoint_type(kind);
            let answer: DescribeClusterResponse = Partner::of(&[]).send(60, 1, &request).answered();
            assert_eq!(answer.error_code, error);
            assert!(answer.brokers.is_empty());
        }
    }
}
