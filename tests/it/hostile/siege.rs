//! One attack after the other on a running product, while another partner produces and consumes: for each, what memory the
//! process took at most and how fast the other one was served. `HOSTILE_REPORT=1` writes the table to `docs/hostile.md`.

use std::fmt::Write as _;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::logged_in;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Partner, Product, Setup, manifest};
use crate::support::wire::{Wire, bytes, fetch, framed, long_poll, request, string};

/// What an attack may add to the process, in MiB: the budget for large frames, and room for what the allocator keeps.
const MOST: usize = 400;
/// Where the attackers come from: limits before a login are per address.
const ELSEWHERE: [u8; 4] = [127, 0, 0, 66];

/// What there is to attack.
struct Target {
    product: Product,
    attacker: Partner,
}

impl Target {
    fn stranger(&self) -> Option<Wire> {
        Wire::from(ELSEWHERE, self.product.port)
    }

    fn partner(&self) -> Wire {
        logged_in(&self.product, &self.attacker)
    }
}

/// A name for the table, and what is done.
type Attack = (&'static str, fn(&Target));

const ATTACKS: [Attack; 14] = [
    ("frames of length -1, 0, 3 and 2^31-1, before a login", |target| lengths(|| target.stranger())),
    ("the same after a login", |target| lengths(|| Some(target.partner()))),
    ("TLS, HTTP, zeros and unknown APIs, before a login", |target| garbage(target)),
    ("tagged-field bombs, before a login", |target| {
        for bomb in tag_bombs(18, 3, 60_000).iter().cycle().take(200) {
            let Some(mut stranger) = target.stranger() else { continue };
            stranger.ask(bomb);
        }
    }),
    ("tagged-field bombs of 4 MB, after a login", |target| {
        for bomb in tag_bombs(3, 12, 4_000_000).iter().cycle().take(10) {
            target.partner().ask(bomb);
        }
    }),
    ("SASL tokens of 60 KB, and of 2^31-1 bytes as they say", |target| {
        for round in 0..300 {
            let Some(mut stranger) = target.stranger() else { continue };
            stranger.ask(&request(17, 1, &string("PLAIN")));
            let token = if round % 2 == 0 { bytes(&[b'x'; 60_000]) } else { i32::MAX.to_be_bytes().to_vec() };
            stranger.ask(&request(36, 1, &token));
        }
    }),
    ("120 strangers who send a byte now and then", |target| slow_loris(target)),
    ("20 000 connects, each gone at once", |target| connects(target)),
    ("counts of 2^31-1 in every array that a request begins with", |target| counts(target)),
    ("4 MB of partitions that are not shared, ten times over, answers not read", |target| {
        let question = unshared_partitions();
        let mut partners: Vec<_> = (0..4).map(|_| target.partner()).collect();
        for partner in &mut partners {
            (0..10).take_while(|_| partner.send(&question)).for_each(drop);
        }
    }),
    ("10 000 pipelined requests, answers read afterwards", |target| pipeline(target)),
    ("20 connections that fetch 1 MB 64 times each and read nothing", |target| {
        let mut partners: Vec<_> = (0..20).map(|_| target.partner()).collect();
        for partner in &mut partners {
            (0..64).take_while(|_| partner.send(&fetch(0, -1, "r", &[0], 0))).for_each(drop);
        }
        thread::sleep(Duration::from_secs(2));
    }),
    ("40 connections that hold the memory for 8 MB frames and trickle", |target| hoard(target)),
    ("50 connections that leave long polls behind", |target| {
        for round in 0..50 {
            let mut partner = target.partner();
            partner.send(&long_poll("empty"));
            if round % 2 == 0 {
                partner.socket.shutdown(Shutdown::Both).unwrap();
            }
        }
    }),
];

fn lengths(connect: impl Fn() -> Option<Wire>) {
    for length in [-1, 0, 3, i32::MAX, i32::MIN].into_iter().cycle().take(25) {
        let Some(mut attacker) = connect() else { continue };
        assert_eq!(attacker.ask(&[&i32::to_be_bytes(length)[..], b"abc"].concat()), None);
    }
}

fn garbage(target: &Target) {
    let samples = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(50),
        b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n".to_vec(),
        vec![0; 1000],
        vec![0xff; 1000],
        request(999, 0, b""),
        request(3, 99, b""),
        request(0, 3, &[0; 100]),
    ];
    for sample in samples.iter().cycle().take(300) {
        let Some(mut stranger) = target.stranger() else { continue };
        assert_eq!(stranger.ask(sample), None, "{sample:?}");
    }
}

/// Two requests with a flexible header of empty tagged fields, numbered upwards as Kafka wants them, in up to `bytes`: one says that
/// there are 2^32-1 of them, the other how many there are. A header may have 16.
fn tag_bombs(key: i16, version: i16, bytes: u32) -> [Vec<u8>; 2] {
    let header = [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &string("x")];
    // A number has up to three bytes, and one more says that nothing is in the field.
    let count = bytes / 4;
    let tags: Vec<u8> = (0..count).flat_map(|number| [varint(number), vec![0]].concat()).collect();
    [u32::MAX, count].map(|said| framed(&[header.concat(), varint(said), tags.clone()].concat()))
}

/// An unsigned varint: seven bits a byte, the lowest first.
fn varint(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn slow_loris(target: &Target) {
    let mut strangers: Vec<_> = (0..120).filter_map(|_| target.stranger()).collect();
    let begun = Instant::now();
    let hello = request(18, 0, b"");
    for byte in hello.iter().cycle().take_while(|_| begun.elapsed() < Duration::from_secs(3)) {
        strangers.retain_mut(|stranger| stranger.send(&[*byte]));
        thread::sleep(Duration::from_millis(300));
    }
}

fn connects(target: &Target) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5_000).for_each(|_| drop(target.stranger())));
        }
    });
}

/// Each API's first array, at a version before compact lengths, behind what stands in front of it.
fn counts(target: &Target) {
    let many = i32::MAX.to_be_bytes();
    let bodies: [(i16, i16, &[u8]); 8] = [
        (0, 3, &[0xff, 0xff, 0, 1, 0, 0, 0, 1]),
        (1, 4, &[0; 17]),
        (2, 1, &[0xff; 4]),
        (3, 1, &[]),
        (8, 2, &[0, 1, b'g', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (9, 1, &[0, 1, b'g']),
        (11, 0, &[0, 1, b'g', 0, 0, 0, 9, 0, 0, 0, 1, b'c']),
        (14, 0, &[0, 1, b'g', 0, 0, 0, 1, 0, 0]),
    ];
    for (key, version, front) in bodies {
        let body = [front, &many, &[0; 64]].concat();
        assert_eq!(target.partner().ask(&request(key, version, &body)), None, "API {key}");
    }
}

/// OffsetFetch v5 about a million partitions of a topic that is not shared: 4 MB ask for 20 MB.
fn unshared_partitions() -> Vec<u8> {
    let count = 1_000_000_i32.to_be_bytes();
    let body = [&string("g")[..], &1_i32.to_be_bytes(), &string("hidden"), &count, &vec![0; 4_000_000]];
    request(9, 5, &body.concat())
}

fn pipeline(target: &Target) {
    let mut partner = target.partner();
    let mut reading = Wire { socket: partner.socket.try_clone().unwrap() };
    partner.socket.set_write_timeout(None).unwrap();
    let question = request(3, 1, &[&1_i32.to_be_bytes()[..], &string("r")].concat());
    thread::scope(|scope| {
        scope.spawn(|| assert!(partner.send(&question.repeat(10_000)), "cut off while it asks"));
        thread::sleep(Duration::from_secs(1));
        assert!((0..10_000).all(|_| reading.answer().is_some()), "an answer is missing");
    });
}

/// Meanwhile another zone's large request is served: what one may hold is not all there is.
fn hoard(target: &Target) {
    let promise = |partner: &mut Wire| {
        let frame = request(11, 0, &vec![0; 8_000_000]);
        partner.send(&frame[..1_000])
    };
    let mut partners: Vec<_> = (0..40).map(|_| target.partner()).collect();
    partners.retain_mut(|partner| promise(partner));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        partners.retain_mut(|partner| partner.send(&[0]));
        thread::sleep(Duration::from_millis(200));
    }
}

/// Another partner at work: it produces small records, consumes them, and asks large questions.
struct Neighbour {
    stop: AtomicBool,
    consumed: AtomicUsize,
    answered: AtomicUsize,
}

impl Neighbour {
    fn new() -> Self {
        Self { stop: AtomicBool::new(false), consumed: AtomicUsize::new(0), answered: AtomicUsize::new(0) }
    }

    fn client(partner: &Partner) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &partner.bootstrap)
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &partner.username)
            .set("sasl.password", &partner.secret)
            .set("linger.ms", "1")
            .set("group.id", "g");
        config
    }

    fn produce(&self, partner: &Partner) {
        let producer: BaseProducer = Self::client(partner).create().unwrap();
        while !self.stop.load(Ordering::Relaxed) {
            for _ in 0..10 {
                producer
                    .send(BaseRecord::<(), _>::to("mine").payload(&[7; 1024][..]))
                    .map_err(|(e, _)| e)
                    .unwrap();
            }
            producer.flush(Duration::from_secs(20)).expect("the other partner's records are acknowledged");
        }
    }

    fn consume(&self, partner: &Partner) {
        let consumer: BaseConsumer = Self::client(partner).create().unwrap();
        let mut all = TopicPartitionList::new();
        all.add_partition_offset("mine", 0, Offset::Beginning).unwrap();
        consumer.assign(&all).unwrap();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                record.expect("the other partner reads without an error");
                self.consumed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// OffsetFetch about 20 000 partitions: large enough to need memory that is shared by all.
    fn ask(&self, product: &Product, partner: &Partner) {
        let count = 20_000_i32.to_be_bytes();
        let body = [&string("g")[..], &1_i32.to_be_bytes(), &string("hidden"), &count, &vec![0; 80_000]];
        let question = request(9, 5, &body.concat());
        let mut asking = logged_in(product, partner);
        while !self.stop.load(Ordering::Relaxed) {
            assert!(asking.ask(&question).is_some(), "the other partner's large request is cut off");
            self.answered.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// In MiB: now, or at most since [`forget_peak`].
fn memory(product: &Product, line: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", product.pid())).unwrap();
    let line = status.lines().find(|found| found.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

fn forget_peak(product: &Product) {
    std::fs::write(format!("/proc/{}/clear_refs", product.pid()), "5").unwrap();
}

#[test]
fn no_attack_takes_much_memory_or_keeps_another_partner_from_being_served() {
    let cluster = Cluster::shared();
    let (readable, empty, mine) = (unique("readable"), unique("empty"), unique("mine"));
    for topic in [&readable, &empty, &mine] {
        cluster.create_topic(topic, 1);
    }
    fill(cluster, &readable, 60);
    let mallory = manifest("mallory", &[("r", &readable, "READ"), ("empty", &empty, "READ")]);
    let acme = manifest("acme", &[("mine", &mine, "WRITE")]);
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &acme), ("mallory.yaml", &mallory)]);
    for zone in ["acme", "mallory"] {
        product.wait_for_status(zone, "READY");
    }
    let (honest, attacker) = (product.partner("acme"), product.partner("mallory"));
    let target = Target { product, attacker };
    let neighbour = Neighbour::new();
    let table = thread::scope(|scope| {
        let working = [
            scope.spawn(|| neighbour.produce(&honest)),
            scope.spawn(|| neighbour.consume(&honest)),
            scope.spawn(|| neighbour.ask(&target.product, &honest)),
        ];
        let stop = StopOnDrop(&neighbour);
        let table = besiege(&target, &neighbour);
        drop(stop);
        for work in working {
            work.join().unwrap();
        }
        table
    });
    if std::env::var_os("HOSTILE_REPORT").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hostile.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, _) = text.split_once("<!-- measured -->").unwrap();
        std::fs::write(path, format!("{before}<!-- measured -->\n\n{table}")).unwrap();
    }
    logged_in(&target.product, &target.attacker);
}

/// The neighbour's threads end with the test, whichever way it ends.
struct StopOnDrop<'a>(&'a Neighbour);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Runs all attacks; the first row is of a time without one.
fn besiege(target: &Target, neighbour: &Neighbour) -> String {
    let mut table = String::from(
        "| attack | took | peak memory | beyond before | other partner: records/s | its large requests |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    while neighbour.consumed.load(Ordering::Relaxed) == 0 {
        thread::sleep(Duration::from_millis(50));
    }
    let nothing: Attack = ("none", |_| thread::sleep(Duration::from_secs(3)));
    for (name, attack) in [nothing].into_iter().chain(ATTACKS) {
        let before = memory(&target.product, "VmRSS");
        forget_peak(&target.product);
        let counts = || [&neighbour.consumed, &neighbour.answered].map(|count| count.load(Ordering::Relaxed));
        let ([records, answers], begun) = (counts(), Instant::now());
        attack(target);
        // At least a second, so that there is something to count.
        thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        let took = begun.elapsed().as_secs_f64();
        let [records, answers] = [counts()[0] - records, counts()[1] - answers];
        let peak = memory(&target.product, "VmHWM");
        let more = peak.saturating_sub(before);
        let rate = f64::from(u32::try_from(records).unwrap()) / took;
        writeln!(table, "| {name} | {took:.1} s | {peak} MiB | {more} MiB | {rate:.0} | {answers} |")
            .unwrap();
        assert!(more < MOST, "{name}: {before} MiB became {peak} MiB\n{table}");
        assert!(records > 0 && answers > 0, "{name}: the other partner stands still\n{table}");
    }
    eprintln!("{table}");
    table
}

/// So many records of 900 KB, straight into the cluster.
fn fill(cluster: &Cluster, topic: &str, records: usize) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    let payload = vec![7; 900_000];
    for _ in 0..records {
        let record = BaseRecord::<(), _>::to(topic).payload(payload.as_slice()).partition(0);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(20)).unwrap();
    }
}
