//! ApiVersions (18): what this gateway serves.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Entry, Exchange, Outcome, REGISTRY, Refusal, body, features};
use crate::gateway::offer::{ApiRanges, Offer};
pub(crate) use crate::kafka::control_shapes::API_VERSIONS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// Version 5 carries the cluster and node the client believes it talks to (KIP-1242): not served yet.
pub(crate) const VERSIONS: Versions = Versions::new(0, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 18,
    name: "ApiVersionsRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("clientSoftwareName", T::String).since(3),
        F::new("clientSoftwareVersion", T::String).since(3),
    ],
};

/// Produce 0 to 2 are advertised though nobody serves them: a librdkafka that does not see them believes the broker too old
/// for compression and silently stops compressing (KAFKA-18659). Kafka 4 does the same.
const PRODUCE: i16 = 0;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    Ok(Outcome::Answer(answer(exchange.version, body, &exchange.brokers.offer)?))
}

/// The response to a request of a version that is served; legal before, during and after authentication.
pub(crate) fn answer(version: i16, body: Bytes, offer: &Offer) -> Result<Bytes, Refusal> {
    let request: ApiVersionsRequest = body::request(&REQUEST, version, body)?;
    let named =
        is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version);
    let response = if version >= 3 && !named {
        ApiVersionsResponse::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_finalized_features_epoch(-1)
    } else {
        let rows = REGISTRY.iter().filter_map(|entry| row(entry, &offer.versions)).collect();
        features::show(ApiVersionsResponse::default().with_api_keys(rows), version, offer)
    };
    body::encode(&response, version)
}

/// The response to a version that is not served: always in version 0, so that every client can read what it may ask for.
pub(crate) fn unsupported() -> Result<Bytes, Refusal> {
    let ours = ApiVersion::default()
        .with_api_key(REQUEST.api_key)
        .with_min_version(VERSIONS.first)
        .with_max_version(VERSIONS.last);
    let response = ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(vec![ours]);
    body::encode(&response, 0)
}

fn row(entry: &Entry, ranges: &ApiRanges) -> Option<ApiVersion> {
    let served = entry.served(ranges)?;
    let first = if entry.key() == PRODUCE { 0 } else { served.first };
    Some(
        ApiVersion::default().with_api_key(entry.key()).with_min_version(first).with_max_version(served.last),
    )
}

/// Kafka's rule for the name and the version of a client (KIP-511).
fn is_software_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::fixture::Partner;
    use super::super::{Origin, entry};
    use super::*;
    use crate::gateway::addresses::Brokers;
    use crate::kafka::codec;
    use crate::kafka::features::Features;

    fn ask(version: i16, name: &'static str, offer: &Offer) -> ApiVersionsResponse {
        let request = ApiVersionsRequest::default();
        let request = if version < 3 {
            request
        } else {
            request.with_client_software_name(name.into()).with_client_software_version("1.2.3".into())
        };
        let body = answer(version, codec::encode(&request, version).unwrap(), offer).unwrap();
        codec::decode(&RESPONSE, version, body).unwrap()
    }

    fn rows(response: &ApiVersionsResponse) -> Vec<(i16, i16, i16)> {
        let mut rows: Vec<_> =
            response.api_keys.iter().map(|row| (row.api_key, row.min_version, row.max_version)).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn what_is_advertised_is_what_broker_and_registry_share_at_every_version() {
        let ranges = [(0, 3, 13), (1, 4, 16), (19, 0, 7), (10_000, 0, 1)];
        let versions = ranges.map(|(key, first, last)| (key, Versions::new(first, last))).into();
        let offer = Offer { versions, ..Offer::default() };
        for version in VERSIONS.first..=VERSIONS.last {
            let response = ask(version, "apache-kafka-java", &offer);
            assert_eq!(response.error_code, 0);
            let (shared, ours): (Vec<_>, Vec<_>) =
                rows(&response).into_iter().partition(|row| entry(row.0).unwrap().origin == Origin::Broker);
            assert_eq!(shared, [(0, 0, 13), (1, 4, 16)]);
            // What is answered here: the broker's ranges play no part.
            assert!([(17, 0, 1), (18, 0, 4), (19, 2, 7), (36, 0, 2)].iter().all(|row| ours.contains(row)));
        }
    }

    #[test]
    fn features_are_shown_before_and_after_authentication() {
        let ranges = BTreeMap::from([("transaction.version".to_owned(), Versions::new(0, 2))]);
        let features = Features { epoch: Some(9), supported: ranges.clone(), finalized: ranges };
        let mut partner = Partner::of(&[]);
        let offer = Arc::new(Offer { features, ..(*partner.brokers.offer).clone() });
        partner.brokers = Arc::new(Brokers { offer: Arc::clone(&offer), ..(*partner.brokers).clone() });
        let request = ApiVersionsRequest::default()
            .with_client_software_name("x".into())
            .with_client_software_version("1".into());
        for response in [ask(4, "x", &offer), partner.send(18, 4, &request).answered()] {
            assert_eq!(response.finalized_features_epoch, 9);
            assert_eq!(response.finalized_features[0].name.as_str(), "transaction.version");
        }
        let none = ask(4, "x", &Offer::default());
        assert_eq!((none.finalized_features_epoch, none.finalized_features), (-1, vec![]));
    }

    #[test]
    fn a_version_that_is_not_served_is_answered_in_version_0_with_what_is() {
        let response: ApiVersionsResponse = codec::decode(&RESPONSE, 0, unsupported().unwrap()).unwrap();
        assert_eq!(response.error_code, 35);
        assert_eq!(rows(&response), [(18, 0, 4)]);
    }

    #[test]
    fn a_client_must_have_a_sensible_name() {
        for (name, error) in [("a", 0), ("a-b.c", 0), ("", 42), ("-a", 42), ("a b", 42), ("a.", 42)] {
            assert_eq!(ask(3, name, &Offer::default()).error_code, error, "{name:?}");
        }
    }
}
