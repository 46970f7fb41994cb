//! A light Kafka client: requests are encoded once, answers are counted and dropped. What a client library costs would hide
//! what is between it and the broker.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    FetchRequest, MetadataRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustls::ClientConfig;
use uuid::Uuid;

use super::transport::Transport;

/// A peer that has said nothing for so long is broken, and so is the run.
const PATIENCE: Duration = Duration::from_mins(1);
/// What one read takes at most, and at first.
const LARGEST_READ: usize = 256 << 10;
const SMALLEST_READ: usize = 4 << 10;
/// Where a frame's correlation id stands, behind length, key and version.
const CORRELATION_AT: usize = 8;

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) host_port: String,
    /// User name and secret for SASL PLAIN.
    pub(crate) login: Option<(String, String)>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Address {
    /// Without a login and without TLS.
    pub(crate) fn open(host_port: &str) -> Self {
        Self { host_port: host_port.to_owned(), login: None, tls: None }
    }
}

/// A request that is sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    /// Where the epoch of a fetch session stands, which counts the session's requests.
    epoch_at: Option<usize>,
}

impl Frame {
    pub(crate) fn new<Q: Request>(version: i16, request: &Q) -> Self {
        let mut bytes = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(StrBytes::from_static_str("bench")));
        header.encode(&mut bytes, Q::header_version(version)).unwrap();
        request.encode(&mut bytes, version).unwrap();
        let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        Self { bytes: [&len[..], &bytes].concat(), epoch_at: None }
    }

    /// Bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A fetch that is repeated in its session.
    pub(crate) fn in_session(version: i16, request: &FetchRequest) -> Self {
        let mut frame = Self::new(version, request);
        let body = request.compute_size(version).unwrap();
        // Behind four numbers of 17 bytes in all, and in front of version 15 behind the replica's id too.
        let before = if version < 15 { 21 } else { 17 };
        frame.epoch_at = Some(frame.bytes.len() - body + before);
        frame
    }
}

/// One connection, logged in.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Transport,
    sent: i32,
    received: i32,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Client {
    pub(crate) fn connect(address: &Address) -> Self {
        let stream = TcpStream::connect(&address.host_port).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let stream = Transport::new(stream, address.tls.as_ref());
        let mut client = Self { stream, sent: 0, received: 0, buffer: Vec::new(), start: 0, end: 0 };
        if let Some((user, secret)) = &address.login {
            let plain = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
            assert_eq!(client.call(1, &plain).error_code, 0);
            let token = format!("\0{user}\0{secret}").into_bytes();
            let token = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
            assert_eq!(client.call(1, &token).error_code, 0);
        }
        client
    }

    /// One request and its typed response.
    pub(crate) fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.send(&mut Frame::new(version, request));
        let mut body = self.receive_whole();
        ResponseHeader::decode(&mut body, Q::Response::header_version(version)).unwrap();
        Q::Response::decode(&mut body, version).unwrap()
    }

    /// The ids of topics, as this peer tells them.
    pub(crate) fn topic_ids(&mut self, names: &[String]) -> Vec<Uuid> {
        let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(names.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false);
        let response = self.call(12, &request);
        let id = |name: &String| {
            let named = |topic: &&kafka_protocol::messages::metadata_response::MetadataResponseTopic| {
                topic.name.as_ref().is_some_and(|known| known.as_str() == name)
            };
            let topic = response.topics.iter().find(named).unwrap();
            assert_eq!(topic.error_code, 0, "{name}");
            topic.topic_id
        };
        names.iter().map(id).collect()
    }

    pub(crate) fn send(&mut self, frame: &mut Frame) {
        self.sent += 1;
        frame.bytes[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&self.sent.to_be_bytes());
        self.stream.write_all(&frame.bytes).unwrap();
        if let Some(at) = frame.epoch_at {
            let epoch = i32::from_be_bytes(frame.bytes[at..at + 4].try_into().unwrap());
            frame.bytes[at..at + 4].copy_from_slice(&(epoch + 1).to_be_bytes());
        }
    }

    /// Reads one response past; its length.
    pub(crate) fn receive(&mut self) -> usize {
        let len = self.begin();
        let mut left = len;
        loop {
            let here = left.min(self.end - self.start);
            self.start += here;
            left -= here;
            if left == 0 {
                return len;
            }
            self.fill();
        }
    }

    /// Reads at most once, and does not wait: for a client that is slower than its broker. False when nothing more comes.
    pub(crate) fn sip(&mut self, bytes: usize) -> bool {
        self.stream.socket().set_nonblocking(true).unwrap();
        let mut drop = vec![0; bytes];
        match self.stream.read(&mut drop) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    fn receive_whole(&mut self) -> Bytes {
        let len = self.begin();
        while self.end - self.start < len {
            self.fill();
        }
        let body = Bytes::copy_from_slice(&self.buffer[self.start..self.start + len]);
        self.start += len;
        if self.start == self.end {
            self.buffer = Vec::new();
            (self.start, self.end) = (0, 0);
        }
        body
    }

    /// Reads the length of the next response and checks whose answer it is.
    fn begin(&mut self) -> usize {
        while self.end - self.start < 8 {
            self.fill();
        }
        let front = &self.buffer[self.start..self.start + 8];
        let number = |at: usize| i32::from_be_bytes(front[at..at + 4].try_into().unwrap());
        self.received += 1;
        assert_eq!(number(4), self.received, "the answer to another request");
        let len = usize::try_from(number(0)).unwrap();
        self.start += 4;
        len
    }

    fn fill(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            let more = (self.buffer.len() * 3).clamp(SMALLEST_READ, LARGEST_READ);
            self.buffer.resize(self.end + more, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.end..]).unwrap();
        assert!(read > 0, "the peer closed the connection");
        self.end += read;
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
