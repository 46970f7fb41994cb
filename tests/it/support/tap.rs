//! A relay in front of real brokers that keeps what passes: one frame of each kind, as clients and brokers write it.
//!
//! It shows clients its own ports and the versions that the gateway serves too; everything else passes unchanged.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse,
    ProduceRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use partner_zones::kafka::frame::RequestHeader;

/// API name, version and direction (`request`, `response`) → the longest frame of at most [`KEPT`] bytes.
pub(crate) type Frames = BTreeMap<(String, i16, &'static str), Vec<u8>>;

const KEPT: usize = 1024;
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const DESCRIBE_CLUSTER: i16 = 60;
/// Where the newest brokers are ahead of `kafka-protocol`.
const NEWEST: [(i16, i16); 5] = [(2, 10), (8, 9), (9, 9), (API_VERSIONS, 4), (22, 5)];

#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) bootstrap: String,
    frames: Arc<Mutex<Frames>>,
}

/// What both directions of a connection share.
#[derive(Clone)]
struct Link {
    ports: Arc<BTreeMap<u16, u16>>,
    frames: Arc<Mutex<Frames>>,
    /// Requests that will be answered.
    asked: Arc<Mutex<VecDeque<(i16, i16)>>>,
}

impl Tap {
    /// In front of the brokers at these addresses (`host:port,…`). Its threads live as long as the process.
    pub(crate) fn start(brokers: &str) -> Self {
        let taps: Vec<(String, TcpListener)> = brokers
            .split(',')
            .map(|broker| (broker.to_owned(), TcpListener::bind("127.0.0.1:0").unwrap()))
            .collect();
        let port = |tap: &TcpListener| tap.local_addr().unwrap().port();
        let ports: BTreeMap<u16, u16> = taps
            .iter()
            .map(|(broker, tap)| (broker.rsplit(':').next().unwrap().parse().unwrap(), port(tap)))
            .collect();
        let bootstrap =
            taps.iter().map(|(_, tap)| format!("127.0.0.1:{}", port(tap))).collect::<Vec<_>>().join(",");
        let frames = Arc::new(Mutex::new(Frames::new()));
        let ports = Arc::new(ports);
        for (broker, tap) in taps {
            let (ports, frames) = (Arc::clone(&ports), Arc::clone(&frames));
            thread::spawn(move || {
                for client in tap.incoming() {
                    let link = Link {
                        ports: Arc::clone(&ports),
                        frames: Arc::clone(&frames),
                        asked: Arc::default(),
                    };
                    link.relay(client.unwrap(), TcpStream::connect(&broker).unwrap());
                }
            });
        }
        Self { bootstrap, frames }
    }

    /// What has passed.
    pub(crate) fn frames(&self) -> Frames {
        self.frames.lock().unwrap().clone()
    }
}

impl Link {
    fn relay(&self, client: TcpStream, broker: TcpStream) {
        let (up, down) = (self.clone(), self.clone());
        let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
        let (mut from_broker, mut to_broker) = (broker.try_clone().unwrap(), broker);
        let mut local = to_client.try_clone().unwrap();
        thread::spawn(move || {
            while let Some(frame) = read_frame(&mut from_client) {
                match up.request(&frame) {
                    Some(answer) => write_frame(&mut local, &answer),
                    None => write_frame(&mut to_broker, &frame),
                }
            }
            to_broker.shutdown(std::net::Shutdown::Both).ok();
        });
        thread::spawn(move || {
            while let Some(frame) = read_frame(&mut from_broker) {
                write_frame(&mut to_client, &down.response(frame));
            }
            to_client.shutdown(std::net::Shutdown::Both).ok();
        });
    }

    /// Keeps a request; answers it if it asks for versions of ApiVersions that nobody in between knows.
    fn request(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let flexible = |key, version| {
            ApiKey::try_from(key).is_ok_and(|key: ApiKey| key.request_header_version(version) >= 2)
        };
        let (header, start) = RequestHeader::read(frame, frame.len(), flexible).unwrap().unwrap();
        let (key, version) = (header.api_key, header.version);
        if key == API_VERSIONS && version > 4 {
            let range =
                ApiVersion::default().with_api_key(API_VERSIONS).with_min_version(0).with_max_version(4);
            let refusal = ApiVersionsResponse::default().with_error_code(35).with_api_keys(vec![range]);
            return Some([&header.correlation_id.to_be_bytes()[..], &encoded(&refusal, 0)].concat());
        }
        self.keep(key, version, "request", frame);
        let unanswered = key == PRODUCE
            && ProduceRequest::decode(&mut Bytes::copy_from_slice(&frame[start..]), version).unwrap().acks
                == 0;
        if !unanswered {
            self.asked.lock().unwrap().push_back((key, version));
        }
        None
    }

    fn response(&self, frame: Vec<u8>) -> Vec<u8> {
        let (key, version) = self.asked.lock().unwrap().pop_front().expect("an answer without a request");
        self.keep(key, version, "response", &frame);
        let header = 4 + usize::from(ApiKey::try_from(key).unwrap().response_header_version(version) > 0);
        let (header, body) = frame.split_at(header);
        let body = Bytes::copy_from_slice(body);
        let body = match key {
            METADATA => edited::<MetadataResponse>(body, version, |answer| {
                answer.brokers.iter_mut().for_each(|broker| self.show_port(&mut broker.port));
            }),
            FIND_COORDINATOR => edited::<FindCoordinatorResponse>(body, version, |answer| {
                self.show_port(&mut answer.port);
                answer.coordinators.iter_mut().for_each(|coordinator| self.show_port(&mut coordinator.port));
            }),
            DESCRIBE_CLUSTER => edited::<DescribeClusterResponse>(body, version, |answer| {
                answer.brokers.iter_mut().for_each(|broker| self.show_port(&mut broker.port));
            }),
            API_VERSIONS => edited::<ApiVersionsResponse>(body, version, |answer| {
                for api in &mut answer.api_keys {
                    let newest = NEWEST.iter().find(|(key, _)| *key == api.api_key);
                    api.max_version =
                        newest.map_or(api.max_version, |(_, newest)| api.max_version.min(*newest));
                }
            }),
            _ => return frame,
        };
        [header, &body].concat()
    }

    fn show_port(&self, port: &mut i32) {
        let shown = u16::try_from(*port).ok().and_then(|port| self.ports.get(&port));
        *port = shown.map_or(*port, |shown| i32::from(*shown));
    }

    fn keep(&self, key: i16, version: i16, direction: &'static str, frame: &[u8]) {
        if frame.len() > KEPT {
            return;
        }
        let name = ApiKey::try_from(key).map_or_else(|()| key.to_string(), |key: ApiKey| format!("{key:?}"));
        let mut frames = self.frames.lock().unwrap();
        let kept = frames.entry((name, version, direction)).or_default();
        if frame.len() > kept.len() {
            *kept = frame.to_vec();
        }
    }
}

fn edited<M: Decodable + Encodable>(mut body: Bytes, version: i16, edit: impl FnOnce(&mut M)) -> BytesMut {
    let mut message = M::decode(&mut body, version).unwrap();
    edit(&mut message);
    encoded(&message, version)
}

fn encoded(message: &impl Encodable, version: i16) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out
}

fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(len)).ok()?];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// A client that has gone is noticed by the reading side.
fn write_frame(stream: &mut TcpStream, frame: &[u8]) {
    let len = i32::try_from(frame.len()).unwrap().to_be_bytes();
    let _ = stream.write_all(&[&len[..], frame].concat());
}
