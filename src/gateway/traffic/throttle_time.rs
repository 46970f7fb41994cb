//! `throttleTimeMs` in answers: the broker's own, or ours if it is more.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ProduceResponse;

use super::super::api::{Refusal, produce};
use crate::kafka::codec;
use crate::kafka::shape::Shape;
use crate::kafka::stream::Rewritten;

/// Bytes of the field.
pub(crate) const LEN: usize = 4;

/// Whether the answer begins with it. All do that have one, but Produce, ApiVersions and OffsetDelete. To the last two nothing is
/// written: their clients are held back all the same.
pub(crate) fn is_in_front(response: &Shape, version: i16) -> bool {
    let first = response.fields.iter().find(|field| field.versions.contains(version));
    first.is_some_and(|field| field.name == "throttleTimeMs" && field.tag.is_none())
}

/// Puts it in front of a body, where it is.
pub(crate) fn raise(front: &mut [u8], ms: i32) {
    if let Some(field) = front.first_chunk_mut::<LEN>() {
        *field = i32::from_be_bytes(*field).max(ms).to_be_bytes();
    }
}

/// Puts it in a whole answer to a Produce request, where tagged fields may follow it. It is made anew: it is small, and who is
/// held back has the time.
pub(crate) fn in_produce(version: i16, body: &Rewritten, ms: i32) -> Result<Rewritten, Refusal> {
    let mut whole = BytesMut::with_capacity(body.len());
    body.pieces().for_each(|piece| whole.put(piece));
    let mut response: ProduceResponse = codec::decode_lenient(&produce::RESPONSE, version, whole.freeze())
        .map_err(|_| Refusal::MalformedResponse)?;
    response.throttle_time_ms = response.throttle_time_ms.max(ms);
    codec::encode(&response, version).map(Rewritten::from).map_err(|_| Refusal::Unencodable)
}

/// Puts it in a whole answer to a Fetch request, which has it in front at every version that is served.
pub(crate) fn in_fetch(body: Bytes, ms: i32) -> Bytes {
    let mut body = BytesMut::from(body);
    raise(&mut body, ms);
    body.freeze()
}

/// Puts it in an answer that was given here, if it has the field in front.
pub(crate) fn in_answer(response: &Shape, version: i16, body: &[u8], ms: i32) -> Option<Bytes> {
    is_in_front(response, version).then(|| {
        let mut body = BytesMut::from(body);
        raise(&mut body, ms);
        body.freeze()
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::produce_response::NodeEndpoint;
    use kafka_protocol::messages::{FetchResponse, OffsetCommitResponse};

    use super::super::super::api::{REGISTRY, entry};
    use super::*;

    #[test]
    fn answers_have_it_in_front_where_they_have_it_at_all() {
        for entry in REGISTRY {
            let name = entry.response.name;
            let others = ["ProduceResponse", "ApiVersionsResponse", "OffsetDeleteResponse"];
            // What has to do with delegation tokens is refused, whatever it says.
            if others.contains(&name) || name.contains("DelegationToken") {
                continue;
            }
            for version in entry.versions.first..=entry.versions.last {
                let has = entry.response.fields.iter().any(|field| {
                    field.name == "throttleTimeMs" && field.tag.is_none() && field.versions.contains(version)
                });
                assert_eq!(is_in_front(entry.response, version), has, "{name} {version}");
            }
        }
    }

    #[test]
    fn the_longer_of_two_times_is_told() {
        for (brokers, ours, told) in [(0, 700, 700), (900, 700, 900)] {
            for version in 4..=17 {
                let response = FetchResponse::default().with_throttle_time_ms(brokers);
                let response = response.with_session_id(if version < 7 { 0 } else { 9 });
                let body = in_fetch(codec::encode(&response, version).unwrap(), ours);
                let shape = entry(1).unwrap().response;
                let shown: FetchResponse = codec::decode(shape, version, body).unwrap();
                assert_eq!(shown, response.with_throttle_time_ms(told));
            }
            for version in produce::VERSIONS.first..=produce::VERSIONS.last {
                let mut response = ProduceResponse::default().with_throttle_time_ms(brokers);
                if version >= 10 {
                    response.node_endpoints.push(NodeEndpoint::default());
                }
                let body = Rewritten::from(codec::encode(&response, version).unwrap());
                let shown: Bytes = in_produce(version, &body, ours).unwrap().pieces().flatten().collect();
                let shown: ProduceResponse = codec::decode(&produce::RESPONSE, version, shown).unwrap();
                assert_eq!(shown, response.with_throttle_time_ms(told), "{version}");
            }
        }
    }

    #[test]
    fn an_answer_without_the_field_stays_as_it_is() {
        let shape = entry(8).unwrap().response;
        let body = codec::encode(&OffsetCommitResponse::default(), 2).unwrap();
        assert_eq!(in_answer(shape, 2, &body, 5), None);
        let body = codec::encode(&OffsetCommitResponse::default(), 3).unwrap();
        assert!(in_answer(shape, 3, &body, 5).unwrap().starts_with(&[0, 0, 0, 5]));
    }
}
