//! What the compose file starts, without the engine: its Kafka by its own script and settings, and the product from the image's
//! files alone, made by the image's own script, as nobody on a read-only root. Only addresses and ports are this machine's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::shipped;
use crate::support::balancer::Balancer;
use crate::support::client::{Client, Connection};
use crate::support::git::Repository;
use crate::support::kafka::script;
use crate::support::process::Process;
use crate::support::product::{free_ports, manifest};
use crate::support::reconciler::await_ok;

const PATIENCE: Duration = Duration::from_mins(3);

/// Addresses of the two gateways, which have the same ports.
const GATEWAYS: [&str; 2] = ["127.0.0.2", "127.0.0.3"];

/// What only root may do: everybody else asks `sudo`, as scripts/deps.sh does.
fn as_root(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id == b"0\n" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "--preserve-env", program]);
    command
}

fn succeeds(command: &mut Command) {
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// A folder with the image's files, the compose file's own, its secrets, and what the containers keep.
struct Site {
    folder: TempDir,
    /// The first of those of Kafka (three) and of the admin APIs (three).
    ports: u16,
    /// What partners are told first, and where broker 1 is.
    bootstrap: u16,
}

impl Site {
    fn new() -> Self {
        let site =
            Self { folder: tempfile::tempdir().unwrap(), ports: free_ports(6), bootstrap: free_ports(2) };
        for name in ["reconciler.yaml", "kafka.properties", "start-kafka.sh", "make-secrets.sh"] {
            std::fs::copy(shipped("compose").join(name), site.at(name)).unwrap();
        }
        succeeds(Command::new("bash").arg(site.at("make-secrets.sh")));
        let root = site.at("root");
        succeeds(
            as_root("bash").arg(shipped("image/rootfs.sh")).arg(env!("CARGO_BIN_EXE_reconciler")).arg(&root),
        );
        // What a container engine makes for its mounts.
        let places = ["proc", "dev", "zones"].map(|name| root.join(name));
        succeeds(as_root("mkdir").args(places));
        let files =
            ["etc/partner-zones/reconciler.yaml", "run/secrets/kafka-password", "run/secrets/master-key"];
        succeeds(as_root("touch").args(files.map(|name| root.join(name))));
        // A new volume is as the image has the folder.
        succeeds(as_root("cp").arg("-a").arg(root.join("var/lib/partner-zones")).arg(site.at("volume")));
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.at("secrets").join(name)).unwrap()
    }

    /// The broker, by the compose file's script and settings.
    fn kafka(&self) -> Process {
        succeeds(Command::new(script("kafka.sh")).arg("prepare"));
        let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/kafka");
        let home = self.at("kafka/bin");
        std::fs::create_dir_all(&home).unwrap();
        for (name, class) in
            [("kafka-storage.sh", "kafka.tools.StorageTool"), ("kafka-server-start.sh", "kafka.Kafka")]
        {
            let flags = "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1";
            let text = format!(
                "#!/bin/bash\nexec java {flags} -cp \"$(echo {}/*/lib)/*\" {class} \"$@\"\n",
                jars.display()
            );
            std::fs::write(home.join(name), text).unwrap();
            succeeds(Command::new("chmod").arg("+x").arg(home.join(name)));
        }
        let mut settings = std::fs::read_to_string(self.at("kafka.properties")).unwrap();
        let [sasl, controller, host] = [0, 1, 2].map(|more| format!("127.0.0.1:{}", self.ports + more));
        for (theirs, ours) in [
            ("/var/lib/kafka/data", self.at("kafka/data").display().to_string()),
            ("kafka:9092", sasl.clone()),
            ("://:9092", format!("://{sasl}")),
            ("localhost:9093", controller),
            ("://:9094", format!("://{host}")),
            ("localhost:9094", host),
        ] {
            assert!(settings.contains(theirs), "{theirs}");
            settings = settings.replace(theirs, &ours);
        }
        std::fs::write(self.at("kafka.properties"), settings).unwrap();
        let mut command = Command::new("bash");
        command
            .arg(self.at("start-kafka.sh"))
            .env("KAFKA_HOME", self.at("kafka"))
            .env("SECRETS", self.at("secrets"))
            .env("WORK", self.at("kafka"));
        Process::start("the compose file's Kafka", &mut command)
    }

    /// Kafka's tool for topics, as the administrator at the listener for this machine. An error while the broker does not answer.
    fn create_topic(&self, name: &str) -> Result<(), String> {
        let login = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required username=\"admin\" password=\"{}\";\n",
            self.secret("admin-password")
        );
        std::fs::write(self.at("admin.properties"), login).unwrap();
        let mut command = Command::new(script("kafka.sh"));
        command.args(["tool", "TopicCommand", "--bootstrap-server"]);
        command
            .arg(format!("127.0.0.1:{}", self.ports + 2))
            .arg("--command-config")
            .arg(self.at("admin.properties"));
        command.args(["--create", "--if-not-exists", "--partitions", "1", "--topic", name]);
        let ended = command.output().unwrap();
        let said =
            || String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() { Ok(()) } else { Err(said()) }
    }

    fn admin(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.ports + 3 + number)
    }

    /// A container of the image, with the environment that says where this machine differs from the compose network.
    fn container(&self, name: &str, number: u16, mounts: &[String], arguments: &[&str]) -> Process {
        let mut command = as_root("unshare");
        command.arg("--mount").arg("--").arg("bash");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/deploy/container.sh"));
        command.arg(self.at("root")).args(["/proc:/proc", "/dev:/dev"]);
        for (file, target) in [
            ("reconciler.yaml", "/etc/partner-zones/reconciler.yaml"),
            ("secrets/kafka-password", "/run/secrets/kafka-password"),
            ("secrets/master-key", "/run/secrets/master-key"),
        ] {
            command.arg(format!("{}:{target}", self.at(file).display()));
        }
        command.args(mounts).args(["--", "/usr/bin/reconciler"]).args(arguments);
        let listen = GATEWAYS.get(usize::from(number).wrapping_sub(1)).copied();
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("RECONCILER_CONFIG", "/etc/partner-zones/reconciler.yaml")
            .env("RECONCILER_NODE__ID", name)
            .env("RECONCILER_HTTP__ADMIN", self.admin(number))
            .env("RECONCILER_HTTP__ADVERTISED_URL", format!("http://{}", self.admin(number)))
            .env("RECONCILER_CLUSTERS__DEFAULT__BOOTSTRAP_SERVERS", format!("127.0.0.1:{}", self.ports))
            .env("RECONCILER_GATEWAY__LISTEN", listen.unwrap_or("127.0.0.1"))
            .env("RECONCILER_GATEWAY__BOOTSTRAP_PORT", self.bootstrap.to_string())
            .env("RECONCILER_GATEWAY__BROKER_PORT_BASE", self.bootstrap.to_string());
        Process::start(name, &mut command)
    }

    /// The image's own binary as the operator's client, with the key that the image's `cat` shows.
    fn cli(&self, arguments: &[&str]) -> (bool, String) {
        let key = as_root("cat").arg(self.at("volume/api-key")).output().unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .args(arguments)
            .env_clear()
            .env("RECONCILER_URL", format!("http://{}", self.admin(0)))
            .env("RECONCILER_API_KEY", String::from_utf8(key.stdout).unwrap().trim())
            .output()
            .unwrap();
        (ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned())
    }
}

/// Asks until it holds, and says at the end why it does not.
fn until(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(why) = holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}: {why}");
        thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn the_parts_of_the_compose_file_serve_a_partner_as_nobody_on_a_read_only_root() {
    let site = Site::new();
    let repository = Repository::new();
    repository.write("zones/acme.yaml", manifest("acme", &[("orders", "orders-v1", "WRITE")]));
    repository.push("Share orders with acme");
    let mut kafka = site.kafka();
    until("Kafka takes the administrator's topic", || {
        assert!(!kafka.ended(), "{}", kafka.transcript());
        site.create_topic("orders-v1")
    });
    let mounts = [
        format!("{}:/zones", repository.url().display()),
        format!("{}:/var/lib/partner-zones:rw", site.at("volume").display()),
    ];
    let mut nodes = vec![
        site.container("controller", 0, &mounts, &["run", "--role", "controller"]),
        // Not a single place to write to.
        site.container("gateway-1", 1, &[], &["run", "--role", "gateway"]),
        site.container("gateway-2", 2, &[], &["run", "--role", "gateway"]),
    ];
    for (node, number) in nodes.iter_mut().zip(0..) {
        await_ok(node, &site.admin(number), "/readyz", PATIENCE);
    }
    // Ready is a zone that every gateway serves, as a user of its own that Kafka lets in.
    until("the zone is ready", || {
        let (_, zones) = site.cli(&["get", "zones"]);
        if zones.contains("READY") { Ok(()) } else { Err(zones) }
    });
    let _balancer = Balancer::start(site.bootstrap..=site.bootstrap + 1, [[127, 0, 0, 2], [127, 0, 0, 3]]);
    let (issued, credential) = site.cli(&["credentials", "issue", "acme", "-o", "json"]);
    assert!(issued);
    let credential: serde_json::Value = serde_json::from_str(&credential).unwrap();
    let text = |name: &str| credential[name].as_str().unwrap();
    assert_eq!(text("bootstrapServers"), format!("localhost:{}", site.bootstrap));
    let connection = Connection::sasl(text("bootstrapServers"), "PLAIN", text("username"), text("secret"));
    let produced = Client::Librdkafka
        .run(&connection, &["produce", "--topic", "orders", "--value", "{i}", "--count", "10"]);
    assert_eq!((produced.acked().len(), produced.errors()), (10, vec![]));
    for node in &nodes {
        node.terminate();
    }
    for node in &mut nodes {
        let ended = node.wait(Duration::from_mins(1));
        assert_eq!(ended.code(), Some(0), "{}", node.transcript());
    }
    kafka.terminate();
}
