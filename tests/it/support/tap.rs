//! A relay in front of brokers, real ones or the gateway's, that keeps what passes: which versions of which APIs clients use,
//! or one frame of each kind, as clients and brokers write it.
//!
//! It shows clients its own ports; everything else passes unchanged. One that keeps frames shows only the versions that the
//! gateway serves too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable};

/// API name, version and direction (`request`, `response`) → the longest frame of at most [`KEPT`] bytes.
pub(crate) type Frames = BTreeMap<(String, i16, &'static str), Vec<u8>>;

/// API name and version of each request.
pub(crate) type Used = BTreeSet<(String, i16)>;

const KEPT: usize = 1024;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const DESCRIBE_CLUSTER: i16 = 60;
/// Where the newest brokers are ahead of `kafka-protocol`.
const NEWEST: [(i16, i16); 7] = [(2, 10), (8, 9), (9, 9), (API_VERSIONS, 4), (22, 5), (24, 3), (28, 5)];

#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) bootstrap: String,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    used: Used,
    /// `None`: frames are not kept.
    frames: Option<Frames>,
}

/// API key and version of each request by its correlation id; those without an answer stay.
type Asked = HashMap<[u8; 4], (i16, i16)>;

/// What both directions of a connection share.
#[derive(Clone)]
struct Link {
    ports: Arc<BTreeMap<u16, u16>>,
    kept: Arc<Mutex<Kept>>,
    asked: Arc<Mutex<Asked>>,
}

impl Tap {
    /// In front of the brokers at these addresses (`host:port,…`): keeps frames. Its threads live as long as the process.
    pub(crate) fn start(brokers: &str) -> Self {
        Self::keeping(brokers, Some(Frames::new()))
    }

    /// As [`start`](Self::start), but keeps only what is [`used`](Self::used), of all versions that there are.
    pub(crate) fn counting(brokers: &str) -> Self {
        Self::keeping(brokers, None)
    }

    fn keeping(brokers: &str, frames: Option<Frames>) -> Self {
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
        let kept = Arc::new(Mutex::new(Kept { used: Used::new(), frames }));
        let ports = Arc::new(ports);
        for (broker, tap) in taps {
            let (ports, kept) = (Arc::clone(&ports), Arc::clone(&kept));
            thread::spawn(move || {
                for client in tap.incoming() {
                    let link =
                        Link { ports: Arc::clone(&ports), kept: Arc::clone(&kept), asked: Arc::default() };
                    link.relay(client.unwrap(), TcpStream::connect(&broker).unwrap());
                }
            });
        }
        Self { bootstrap, kept }
    }

    /// The frames that have passed.
    pub(crate) fn frames(&self) -> Frames {
        self.kept.lock().unwrap().frames.clone().unwrap_or_default()
    }

    /// What clients have asked.
    pub(crate) fn used(&self) -> Used {
        self.kept.lock().unwrap().used.clone()
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
        let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let (key, version) = (number(0), number(2));
        let correlation_id: [u8; 4] = frame[4..8].try_into().unwrap();
        if self.keeps_frames() && key == API_VERSIONS && version > 4 {
            let range =
                ApiVersion::default().with_api_key(API_VERSIONS).with_min_version(0).with_max_version(4);
            let refusal = ApiVersionsResponse::default().with_error_code(35).with_api_keys(vec![range]);
            return Some([&correlation_id[..], &encoded(&refusal, 0)].concat());
        }
        // What is refused is asked again in another version: the answer tells.
        if key != API_VERSIONS {
            self.kept.lock().unwrap().used.insert((name(key), version));
        }
        self.keep(key, version, "request", frame);
        self.asked.lock().unwrap().insert(correlation_id, (key, version));
        None
    }

    fn response(&self, frame: Vec<u8>) -> Vec<u8> {
        let correlation_id: [u8; 4] = frame[..4].try_into().unwrap();
        let (key, version) =
            self.asked.lock().unwrap().remove(&correlation_id).expect("an answer without a request");
        self.keep(key, version, "response", &frame);
        if key == API_VERSIONS && frame[4..6] == [0, 0] {
            self.kept.lock().unwrap().used.insert((name(key), version));
        }
        if ![METADATA, FIND_COORDINATOR, DESCRIBE_CLUSTER, API_VERSIONS].contains(&key) {
            return frame;
        }
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
            _ if self.keeps_frames() => edited::<ApiVersionsResponse>(body, version, |answer| {
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

    fn keeps_frames(&self) -> bool {
        self.kept.lock().unwrap().frames.is_some()
    }

    fn show_port(&self, port: &mut i32) {
        let shown = u16::try_from(*port).ok().and_then(|port| self.ports.get(&port));
        *port = shown.map_or(*port, |shown| i32::from(*shown));
    }

    fn keep(&self, key: i16, version: i16, direction: &'static str, frame: &[u8]) {
        let mut kept = self.kept.lock().unwrap();
        let Some(frames) = kept.frames.as_mut().filter(|_| frame.len() <= KEPT) else { return };
        let kept = frames.entry((name(key), version, direction)).or_default();
        if frame.len() > kept.len() {
            *kept = frame.to_vec();
        }
    }
}

/// An API's name, or its number if nobody here knows it.
fn name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| key.to_string(), |key: ApiKey| format!("{key:?}"))
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
