//! Real Apache Kafka for tests: clusters of 1 or 3 brokers on loopback, run by `scripts/kafka.sh supervise`.
//!
//! The supervisor lives as long as its stdin is open. That pipe closes when this process ends, in whatever way, so
//! brokers never outlive the tests.

use std::ffi::OsStr;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::process::{Process, Stream};
use super::wire::Wire;

/// The first start in a checkout fetches Kafka.
const START: Duration = Duration::from_mins(10);
/// What one request to the supervisor or to a broker may take.
const REQUEST: Duration = Duration::from_secs(150);

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    brokers: usize,
    bootstrap: String,
    sasl_bootstrap: String,
    /// Of the listeners under TLS: with a client's certificate, and with SASL.
    tls_bootstraps: Option<[String; 2]>,
    folder: PathBuf,
    supervisor: Mutex<Supervisor>,
}

#[derive(Debug)]
struct Supervisor {
    process: Process,
    stdin: Option<ChildStdin>,
    answers: usize,
}

impl Cluster {
    /// The cluster of three brokers that all tests of this run share; the first caller starts it. Its brokers are
    /// never stopped: a test that stops brokers takes a [`private`](Self::private) cluster.
    ///
    /// # Panics
    /// When Kafka cannot be started, with the reason; a test is never skipped for that.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(3, &[], &[])).as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// A cluster of 1 or 3 brokers of the caller's own; dropping it ends it.
    pub(crate) fn private(brokers: usize) -> Self {
        Self::private_with(brokers, &[])
    }

    /// As [`private`](Self::private), with more broker settings.
    pub(crate) fn private_with(brokers: usize, settings: &[&str]) -> Self {
        Self::start(brokers, settings, &[]).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// One broker of the caller's own that has listeners under TLS as well. `folder` holds `broker.pem` and `ca.pem`.
    pub(crate) fn private_under_tls(folder: &Path) -> Self {
        let more = [("KAFKA_TLS", folder.as_os_str())];
        Self::start(1, &[], &more).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Three brokers of the caller's own. Who asks on their [SASL listeners](Self::sasl_bootstrap) is sent to the same ports of
    /// `host`, a loopback address on which the caller passes connections on.
    pub(crate) fn private_behind(host: &str, settings: &[&str]) -> Self {
        let more = [("KAFKA_SASL_HOST", host.as_ref())];
        Self::start(3, settings, &more).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Brokers of the caller's own whose [SASL listeners](Self::sasl_bootstrap) are on this address of the machine.
    pub(crate) fn private_on(address: Ipv4Addr, brokers: usize, settings: &[&str]) -> Self {
        let address = address.to_string();
        let more = [("KAFKA_SASL_LISTEN", address.as_ref())];
        Self::start(brokers, settings, &more).unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn start(brokers: usize, settings: &[&str], more: &[(&str, &OsStr)]) -> Result<Self, String> {
        let mut command = Command::new(script("kafka.sh"));
        command.args(["supervise", &brokers.to_string()]).env("KAFKA_SETTINGS", settings.join("\n"));
        command.envs(more.iter().copied());
        let mut process = Process::start("the Kafka supervisor", &mut command);
        let ready = process.look_for(START, |lines| {
            lines
                .iter()
                .find(|line| line.stream == Stream::Stdout && line.text.starts_with("ready "))
                .cloned()
        });
        let Some(ready) = ready else {
            return Err(format!("real Kafka is needed and did not start:\n{}", process.transcript()));
        };
        let mut words = ready.text.split_whitespace().skip(1).map(str::to_owned);
        let (Some(bootstrap), Some(sasl_bootstrap), Some(folder)) =
            (words.next(), words.next(), words.next())
        else {
            return Err(format!("the Kafka supervisor said {:?}", ready.text));
        };
        let tls_bootstraps = words.next().zip(words.next()).map(|(ssl, sasl_ssl)| [ssl, sasl_ssl]);
        let stdin = process.take_stdin();
        let supervisor = Mutex::new(Supervisor { process, stdin, answers: 0 });
        let folder = folder.into();
        Ok(Self { brokers, bootstrap, sasl_bootstrap, tls_bootstraps, folder, supervisor })
    }

    /// `host:port,…` of the plain-text listeners; who connects there is a super user.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port,…` of the listeners that want SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) without TLS. Users:
    /// [`ADMIN`] and [`GATEWAY`].
    pub(crate) fn sasl_bootstrap(&self) -> &str {
        &self.sasl_bootstrap
    }

    /// The listeners of [`private_under_tls`](Self::private_under_tls): who connects to the first shows a certificate (that of
    /// `CN=gateway` is a super user's), who connects to the second logs in.
    pub(crate) fn tls_bootstraps(&self) -> [&str; 2] {
        self.tls_bootstraps.as_ref().unwrap().each_ref().map(String::as_str)
    }

    /// Broker 1, 2 or 3, to stop and start.
    pub(crate) fn broker(&self, id: usize) -> Broker<'_> {
        assert!((1..=self.brokers).contains(&id), "there is no broker {id}");
        Broker { cluster: self, id }
    }

    /// Starts all brokers again, which were killed: none of them comes up without a second one.
    pub(crate) fn start_all(&self) {
        let ids: Vec<_> = (1..=self.brokers).map(|id| id.to_string()).collect();
        self.request("start", &ids.join(" "));
    }

    /// Creates a topic that has a copy on every broker, and waits until all its leaders lead.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    /// As [`create_topic`](Self::create_topic), with topic configuration.
    pub(crate) fn create_topic_with(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let replication = TopicReplication::Fixed(i32::try_from(self.brokers).unwrap());
        let mut topic = NewTopic::new(name, partitions, replication);
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let result = self.administer(|admin, options| {
            let topic = &topic;
            async move { admin.create_topics([topic], &options).await }
        });
        // A client that had no answer in time asks again, and finds what it has made.
        let made = matches!(result.as_slice(), [Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))]);
        assert!(made, "creating topic {name}: {result:?}");
        self.await_leaders(name, partitions);
    }

    /// Deletes a topic.
    pub(crate) fn delete_topic(&self, name: &str) {
        let result =
            self.administer(|admin, options| async move { admin.delete_topics(&[name], &options).await });
        assert!(matches!(result.as_slice(), [Ok(_)]), "deleting topic {name}: {result:?}");
    }

    /// Runs one of Kafka's own command-line tools against this cluster and gives what it printed on stdout.
    ///
    /// # Panics
    /// When the tool fails.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(script("kafka.sh"));
        command.args(["tool", class, "--bootstrap-server", &self.bootstrap]).args(arguments);
        let mut process = Process::start(class, &mut command);
        let status = process.wait(REQUEST);
        assert!(status.success(), "{class} failed ({status}):\n{}", process.transcript());
        process.stdout().join("\n")
    }

    /// Takes all members out of a group, as its broker does after a session. For a cluster of one broker.
    pub(crate) fn evict(&self, group: &str) {
        let mut wire = Wire::connect(self.bootstrap.rsplit_once(':').unwrap().1.parse().unwrap());
        let group = GroupId(StrBytes::from_string(group.to_owned()));
        let described = wire.call(&DescribeGroupsRequest::default().with_groups(vec![group.clone()]), 5);
        let members = described.groups[0].members.iter();
        let members: Vec<_> = members
            .map(|member| MemberIdentity::default().with_member_id(member.member_id.clone()))
            .collect();
        if !members.is_empty() {
            wire.call(&LeaveGroupRequest::default().with_group_id(group).with_members(members), 3);
        }
    }

    /// The folder with the brokers' data, logs and process ids.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What broker `id` logged so far.
    pub(crate) fn log(&self, id: usize) -> String {
        std::fs::read_to_string(self.folder.join(format!("broker-{id}.log"))).unwrap()
    }

    fn request(&self, verb: &str, brokers: &str) {
        let mut supervisor = self.supervisor.lock().unwrap();
        writeln!(supervisor.stdin.as_ref().unwrap(), "{verb} {brokers}").unwrap();
        supervisor.answers += 1;
        let index = supervisor.answers; // line 0 is `ready`
        let answer = supervisor.process.wait_for(&format!("the answer to {verb}"), REQUEST, |lines| {
            lines.iter().filter(|line| line.stream == Stream::Stdout).nth(index).map(|line| line.text.clone())
        });
        if answer != format!("done {brokers}") {
            let logs =
                (1..=self.brokers).filter(|id| answer.ends_with(&id.to_string())).map(|id| self.log(id));
            panic!("{verb} {brokers}: {answer}\n{}", logs.collect::<String>());
        }
    }

    /// On a thread and a runtime of its own, since the caller may be inside one.
    fn administer<T, F>(
        &self,
        call: impl FnOnce(AdminClient<DefaultClientContext>, AdminOptions) -> F + Send,
    ) -> T
    where
        T: Send,
        F: Future<Output = rdkafka::error::KafkaResult<T>>,
    {
        let admin = ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(REQUEST)).request_timeout(Some(REQUEST));
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(call(admin, options)).unwrap()
        };
        thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    /// Metadata names a leader before that broker knows it: only its own answer counts.
    fn await_leaders(&self, topic: &str, partitions: i32) {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().unwrap();
        let deadline = Instant::now() + REQUEST;
        for partition in 0..partitions {
            while let Err(error) = client.fetch_watermarks(topic, partition, Duration::from_secs(5)) {
                assert!(Instant::now() < deadline, "{topic}-{partition} has no leader: {error}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// One broker of a [`Cluster`].
#[derive(Debug)]
pub(crate) struct Broker<'a> {
    cluster: &'a Cluster,
    id: usize,
}

impl Broker<'_> {
    /// Stops it in good order: its leaders move first.
    pub(crate) fn stop(&self) {
        self.request("stop");
    }

    /// Kills it; the others notice after their session timeout (6 s).
    pub(crate) fn kill(&self) {
        self.request("kill");
    }

    /// Lets it do nothing at all until it is [resumed](Self::resume): it lags behind, and answers nobody.
    pub(crate) fn pause(&self) {
        self.request("pause");
    }

    pub(crate) fn resume(&self) {
        self.request("resume");
    }

    /// Starts it again on the same ports and waits until it serves.
    pub(crate) fn start(&self) {
        self.request("start");
    }

    fn request(&self, verb: &str) {
        self.cluster.request(verb, &self.id.to_string());
    }
}

impl Drop for Supervisor {
    /// Not killed but asked, by closing its stdin: it has brokers to kill and their data to remove.
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.process.wait(Duration::from_secs(30));
    }
}

/// A user of the brokers' SASL listeners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

/// A super user.
pub(crate) const ADMIN: Login = Login { user: "admin", password: "admin-secret" };
/// Has no rights until a test gives it some.
pub(crate) const GATEWAY: Login = Login { user: "gateway", password: "gateway-secret" };

/// A name that no other test of this run uses: `orders` → `orders-7`.
pub(crate) fn unique(stem: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A script of this repository.
pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}
