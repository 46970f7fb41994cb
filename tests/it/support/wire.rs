//! Kafka's wire by hand: for bytes that no client would send, and for moments that no client would choose.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, HeaderVersion as _, Request};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use socket2::{Domain, Socket, Type};

/// The number of every request here: one is answered before the next is asked.
const CORRELATION_ID: i32 = 7;

/// A connection that says what it likes.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
}

impl Wire {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to(([127, 0, 0, 1], port))
    }

    fn connect_to(address: ([u8; 4], u16)) -> Self {
        let socket = TcpStream::connect(SocketAddr::from(address)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        Self { socket }
    }

    /// From this address of the machine; closing it resets the connection. None: the other side does not take it.
    pub(crate) fn from(address: [u8; 4], port: u16) -> Option<Self> {
        Self::between(address, [127, 0, 0, 1], port)
    }

    /// As [`from`](Self::from), to that address of it.
    pub(crate) fn between(address: [u8; 4], to: [u8; 4], port: u16) -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket.connect_timeout(&SocketAddr::from((to, port)).into(), Duration::from_secs(5)).ok()?;
        // Gone at once, so that thousands of them do not use up the machine's ports.
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        Some(Self { socket })
    }

    /// False when it is cut off.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Logged in with PLAIN.
    pub(crate) fn logged_in(port: u16, user: &str, secret: &str) -> Self {
        Self::log_in(([127, 0, 0, 1], port), user, secret).expect("the login is refused")
    }

    /// Logs in with PLAIN at an address of this machine; none if that is refused.
    pub(crate) fn log_in(address: ([u8; 4], u16), user: &str, secret: &str) -> Option<Self> {
        let mut wire = Self::connect_to(address);
        let token = format!("\0{user}\0{secret}");
        let answer = wire
            .ask(&request(17, 1, &string("PLAIN")))
            .and_then(|_| wire.ask(&request(36, 0, &bytes(token.as_bytes()))));
        answer.filter(|answer| answer[4..6] == [0, 0]).map(|_| wire)
    }

    /// Logs in with PLAIN as soon as that works: a broker that has just come back is not known to the gateway yet.
    pub(crate) fn logged_in_soon(address: ([u8; 4], u16), user: &str, secret: &str) -> Self {
        let begun = Instant::now();
        loop {
            if let Some(wire) = Self::log_in(address, user, secret) {
                return wire;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "the login is refused");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// One frame back, without its length; `None` when the gateway closes instead.
    pub(crate) fn ask(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        // It may be closed on us while we still write.
        let _ = self.socket.write_all(bytes);
        self.answer()
    }

    /// Asks what has to be answered, and reads the answer.
    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let frame = self.ask(&typed(request, version)).expect("an answer");
        decoded::<R>(&frame, version)
    }

    pub(crate) fn answer(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.socket.read_exact(&mut frame).ok()?;
        Some(frame)
    }
}

/// A request as `kafka_protocol` writes it.
pub(crate) fn typed<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION_ID)
        .with_client_id(Some("x".into()));
    let mut out = BytesMut::new();
    header.encode(&mut out, R::header_version(version)).unwrap();
    let encoded = request.encode(&mut out, version);
    encoded.unwrap_or_else(|error| panic!("key {} v{version}: {error}", R::KEY));
    framed(&out)
}

/// The answer to a request of this type, which must be there to the last byte.
pub(crate) fn decoded<R: Request>(frame: &[u8], version: i16) -> R::Response {
    let mut frame = Bytes::copy_from_slice(frame);
    let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, CORRELATION_ID);
    let answer = R::Response::decode(&mut frame, version);
    let answer = answer.unwrap_or_else(|error| panic!("key {} v{version}: {error}", R::KEY));
    assert!(!frame.has_remaining(), "key {} v{version}: {frame:?}", R::KEY);
    answer
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    [&i16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [&i32::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

pub(crate) fn framed(frame: &[u8]) -> Vec<u8> {
    bytes(frame)
}

/// A request with a header of version 1.
pub(crate) fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &CORRELATION_ID.to_be_bytes(), &string("x")];
    framed(&[&header.concat(), body].concat())
}

/// Fetch v11 about one topic in a session; `padding` partitions of another one are to be forgotten.
pub(crate) fn fetch(session: i32, epoch: i32, topic: &str, partitions: &[i32], padding: usize) -> Vec<u8> {
    let numbers = |all: &[i32]| all.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>();
    let mut body = numbers(&[-1, 1, 0, 1 << 20]);
    body.push(0);
    body.extend(numbers(&[session, epoch, 1]));
    body.extend(string(topic));
    body.extend(numbers(&[i32::try_from(partitions.len()).unwrap()]));
    for &partition in partitions {
        body.extend(numbers(&[partition, -1, 0, 0, -1, -1, 1 << 20]));
    }
    body.extend(numbers(&[1]));
    body.extend(string("forgotten"));
    body.extend(numbers(&[i32::try_from(padding).unwrap()]));
    body.extend(vec![0; padding * 4]);
    body.extend(string(""));
    request(1, 11, &body)
}

/// A Fetch that a broker may hold for half a minute.
pub(crate) fn long_poll(topic: &str) -> Vec<u8> {
    const BODY: usize = 4 + 8 + 2 + 1;
    let mut question = fetch(0, -1, topic, &[0], 0);
    question[BODY + 4..BODY + 8].copy_from_slice(&30_000_i32.to_be_bytes());
    question[BODY + 8..BODY + 12].copy_from_slice(&1_i32.to_be_bytes());
    question
}

/// What a consumer tells its group in version 0: that it subscribes to the topic, or that it is to have its first partition.
pub(crate) fn consumer_bytes(topic: &str, with_partition: bool) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(i16::try_from(topic.len()).unwrap());
    bytes.put_slice(topic.as_bytes());
    if with_partition {
        bytes.put_i32(1);
        bytes.put_i32(0);
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

/// A batch of one record of a producer with this id and epoch.
pub(crate) fn one_record(producer: (i64, i16), sequence: i32, transactional: bool) -> Bytes {
    let record = Record {
        transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: producer.0,
        producer_epoch: producer.1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: [].into_iter().collect(),
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, [&record], &options).unwrap();
    out.freeze()
}
