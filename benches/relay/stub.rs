//! A broker that only answers: Metadata for every topic it is asked about, and Produce with the same words each time. Its
//! answers take no time, so that what is measured is what stands in front of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use uuid::Uuid;

const PRODUCE: (i16, i16) = (0, 13);
const METADATA: (i16, i16) = (0, 12);

/// Listens until the process ends; a thread for each connection.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, port));
        }
    });
    format!("127.0.0.1:{port}")
}

/// Until the peer closes, which is the only error that can come.
fn serve(mut stream: TcpStream, port: u16) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut said: Option<(Bytes, Vec<u8>)> = None;
    loop {
        let mut len = [0; 4];
        stream.read_exact(&mut len).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        stream.read_exact(&mut frame).ok()?;
        // The same request as before but for its correlation id.
        let frame = Bytes::from(frame);
        let (correlation, rest) = (frame.slice(4..8), frame.slice(8..));
        if said.as_ref().is_none_or(|(asked, _)| *asked != rest) {
            said = Some((rest, answer(frame, port)));
        }
        let (_, answer) = said.as_mut()?;
        answer[4..8].copy_from_slice(&correlation);
        stream.write_all(answer).ok()?;
    }
}

fn answer(mut frame: Bytes, port: u16) -> Vec<u8> {
    let (key, version) = (i16::from_be_bytes([frame[0], frame[1]]), i16::from_be_bytes([frame[2], frame[3]]));
    let key = ApiKey::try_from(key).unwrap();
    RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
    match key {
        ApiKey::ApiVersions => response(&api_versions(), version),
        ApiKey::Metadata => {
            response(&metadata(&MetadataRequest::decode(&mut frame, version).unwrap(), port), version)
        }
        ApiKey::Produce => response(&produce(ProduceRequest::decode(&mut frame, version).unwrap()), version),
        other => panic!("the stub broker was asked for {other:?}"),
    }
}

fn response<R: Encodable + HeaderVersion>(response: &R, version: i16) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    ResponseHeader::default().encode(&mut bytes, R::header_version(version)).unwrap();
    response.encode(&mut bytes, version).unwrap();
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
}

fn api_versions() -> ApiVersionsResponse {
    let range = |key: ApiKey, (min, max)| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(min).with_max_version(max)
    };
    ApiVersionsResponse::default().with_api_keys(vec![
        range(ApiKey::Produce, PRODUCE),
        range(ApiKey::Metadata, METADATA),
        range(ApiKey::ApiVersions, (0, 3)),
    ])
}

fn metadata(request: &MetadataRequest, port: u16) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        let name = topic.name.clone().unwrap_or_default();
        let id = name.bytes().fold(1_u128, |id, byte| id.wrapping_mul(257).wrapping_add(byte.into()));
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BrokerId(1))
            .with_replica_nodes(vec![BrokerId(1)])
            .with_isr_nodes(vec![BrokerId(1)]);
        MetadataResponseTopic::default()
            .with_name(Some(name))
            .with_topic_id(Uuid::from_u128(id))
            .with_partitions(vec![partition])
    });
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(port.into());
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_static_str("stub")))
        .with_controller_id(BrokerId(1))
        .with_topics(topics.collect())
}

fn produce(request: ProduceRequest) -> ProduceResponse {
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.iter();
        let answers = partitions.map(|data| PartitionProduceResponse::default().with_index(data.index));
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(answers.collect())
    });
    ProduceResponse::default().with_responses(topics.collect())
}
