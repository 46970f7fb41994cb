//! One way to the cluster: straight to the broker, or through the gateway.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, MetadataRequest, ProducerId,
    RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use uuid::Uuid;

/// No request here takes long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Side {
    stream: TcpStream,
    correlation_id: i32,
    /// How this side names topics by id.
    ids: BTreeMap<String, Uuid>,
}

impl Side {
    /// Connects to a listener that wants no login.
    pub(super) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, correlation_id: 0, ids: BTreeMap::new() }
    }

    pub(super) fn log_in(address: &str, user: &str, password: &str) -> Self {
        let mut side = Self::open(address);
        let handshake = SaslHandshakeRequest::default().with_mechanism("PLAIN".into());
        assert_eq!(side.ask(&handshake, 1).error_code, 0);
        let token = Bytes::from(format!("\0{user}\0{password}"));
        let answer = side.ask(&SaslAuthenticateRequest::default().with_auth_bytes(token), 1);
        assert_eq!(answer.error_code, 0, "{answer:?}");
        side
    }

    /// Sends a request and waits for its response, which must be there to the last byte.
    pub(super) fn ask<R: Request<Response: Debug> + Debug>(
        &mut self,
        request: &R,
        version: i16,
    ) -> R::Response {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some("oracle".into()));
        let mut out = BytesMut::new();
        header.encode(&mut out, R::header_version(version)).unwrap();
        let context = |error: &dyn Display| format!("key {} v{version}: {error}: {request:?}", R::KEY);
        request.encode(&mut out, version).unwrap_or_else(|error| panic!("{}", context(&error)));
        let len = i32::try_from(out.len()).unwrap();
        self.stream.write_all(&[&len.to_be_bytes(), &out[..]].concat()).unwrap();
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).unwrap_or_else(|error| panic!("{}", context(&error)));
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let answer =
            R::Response::decode(&mut frame, version).unwrap_or_else(|error| panic!("{}", context(&error)));
        assert!(!frame.has_remaining(), "key {} v{version}: {frame:?}", R::KEY);
        answer
    }

    /// Asks for the ids of all topics that it shows.
    pub(super) fn learn_ids(&mut self) {
        let all = self.ask(&MetadataRequest::default().with_topics(None), 12).topics;
        self.ids =
            all.iter().map(|topic| (topic.name.as_ref().unwrap().to_string(), topic.topic_id)).collect();
        assert_eq!(self.ids.len(), 3, "{:?}", self.ids);
    }

    pub(super) fn id(&self, topic: &str) -> Uuid {
        self.ids.get(topic).copied().unwrap_or(Uuid::from_u128(7))
    }

    /// Waits until every partition of the brokers' own topics has a coordinator. The names are of nobody who is compared.
    pub(super) fn await_coordinators(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for (kind, number) in [0, 1].into_iter().flat_map(|kind| (0..32).map(move |number| (kind, number))) {
            let name = StrBytes::from_string(format!("warm-{number}"));
            loop {
                let find = FindCoordinatorRequest::default()
                    .with_key_type(kind)
                    .with_coordinator_keys(vec![name.clone()]);
                self.ask(&find, 4);
                let code = if kind == 0 {
                    let beat = HeartbeatRequest::default()
                        .with_group_id(GroupId(name.clone()))
                        .with_member_id("x".into());
                    self.ask(&beat, 3).error_code
                } else {
                    let init = InitProducerIdRequest::default()
                        .with_transactional_id(Some(TransactionalId(name.clone())))
                        .with_transaction_timeout_ms(60_000);
                    self.ask(&init, 4).error_code
                };
                if ![14, 15, 16].contains(&code) {
                    break;
                }
                assert!(Instant::now() < deadline, "no coordinator: error {code}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// A producer with a transaction of its own.
    pub(super) fn producer(&mut self, id: &str) -> (TransactionalId, ProducerId, i16) {
        let id = TransactionalId(StrBytes::from_string(id.to_owned()));
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id.clone()))
            .with_transaction_timeout_ms(60_000);
        let answer = self.ask(&request, 4);
        assert_eq!(answer.error_code, 0, "{answer:?}");
        (id, answer.producer_id, answer.producer_epoch)
    }

    /// An answer without what may differ: ids become the names they stand for, and `fields` lose their values.
    pub(super) fn plain<'a>(&self, answer: &str, fields: impl Iterator<Item = &'a str>) -> String {
        let mut text = answer.to_owned();
        for (name, id) in &self.ids {
            text = text.replace(&id.to_string(), &format!("<{name}>"));
        }
        for field in fields {
            text = without(&text, field);
        }
        text
    }
}

/// `text` with a dot for every value of `field`, as `{:?}` writes structs.
fn without(text: &str, field: &str) -> String {
    let label = format!(" {field}: ");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&label) {
        let (before, after) = rest.split_at(at + label.len());
        out.push_str(before);
        out.push('.');
        rest = &after[value_len(after)..];
    }
    out.push_str(rest);
    out
}

/// Up to the comma or brace that ends the value; those within quotes and brackets do not.
fn value_len(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            ',' | ' ' if depth == 0 => return at,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}
