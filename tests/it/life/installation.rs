//! An installation as an operator runs it: a controller and two gateways, each the `reconciler` binary in a process of its own,
//! with the state on Kafka and a load balancer in front.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partner_zones::gateway::Limits;
use tempfile::TempDir;

use crate::support::balancer::Balancer;
use crate::support::kafka::Cluster;
use crate::support::process::Process;
use crate::support::product::{Partner, Product, free_ports, manifest};
use crate::support::reconciler::{await_ok, reconciler};
use crate::support::wire::Wire;

const START: Duration = Duration::from_mins(1);
const ZONE: &str = "acme";

/// One zone behind two gateways.
pub(crate) struct Installation {
    pub(crate) controller: Product,
    pub(crate) gateways: [GatewayProcess; 2],
    pub(crate) partner: Partner,
    /// Where the balancer is: partners start here, and broker n is n further on.
    pub(crate) port: u16,
    pub(crate) balancer: Arc<Balancer>,
}

/// A gateway on an address of its own, on the same ports as the other.
pub(crate) struct GatewayProcess {
    folder: TempDir,
    /// None only while it restarts.
    process: Option<Process>,
    http: u16,
    /// Where partners' connections are taken.
    pub(crate) address: [u8; 4],
}

impl Installation {
    /// Shares these topics under their own names with WRITE and waits until both gateways serve them.
    pub(crate) fn start(cluster: &Cluster, topics: &[&str]) -> Self {
        Self::start_with(cluster, topics, "")
    }

    /// As [`start`](Self::start), with more of what the configuration says of gateways.
    pub(crate) fn start_with(cluster: &Cluster, topics: &[&str], more: &str) -> Self {
        let aliases: Vec<_> = topics.iter().map(|topic| (*topic, *topic, "WRITE")).collect();
        let zones = [("acme.yaml", manifest(ZONE, &aliases))];
        let zones = zones.each_ref().map(|(name, text)| (*name, text.as_str()));
        let controller =
            Product::start_as("controller", &zones, |port, _| sections(cluster, port, "127.0.0.1", more));
        let port = controller.port;
        let hosts = [[127, 0, 0, 2], [127, 0, 0, 3]];
        let gateways = hosts.map(|[a, b, c, d]| {
            GatewayProcess::start([a, b, c, d], &sections(cluster, port, &format!("{a}.{b}.{c}.{d}"), more))
        });
        let balancer = Balancer::start(port..=port + 3, hosts);
        controller.wait_for_status(ZONE, "READY");
        let partner = controller.partner(ZONE);
        Self { controller, gateways, partner, port, balancer }
    }

    /// The connection of a partner who does nothing just now.
    pub(crate) fn idle(&self, broker: u16) -> Wire {
        Wire::logged_in(self.port + broker, &self.partner.username, &self.partner.secret)
    }

    /// As [`idle`](Self::idle), once the gateways have noticed that a broker is there again.
    pub(crate) fn idle_soon(&self, broker: u16) -> Wire {
        let address = ([127, 0, 0, 1], self.port + broker);
        Wire::logged_in_soon(address, &self.partner.username, &self.partner.secret)
    }

    /// Waits until the controller, which was not restarted, sees the zone served.
    pub(crate) fn await_ready(&self) {
        self.controller.wait_for_status(ZONE, "READY");
    }
}

/// Where all nodes agree, and where this one listens.
fn sections(cluster: &Cluster, port: u16, listen: &str, more: &str) -> String {
    format!(
        "gateway: {{listen: {listen}, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}, \
         drainDelay: 1s{more}}}\n\
         clusters: {{default: {{bootstrapServers: '{}', isolation: shared}}}}\n\
         store: kafka\n",
        cluster.bootstrap()
    )
}

impl GatewayProcess {
    pub(crate) fn start(address: [u8; 4], sections: &str) -> Self {
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        let mut gateway = Self { folder, process: None, http, address };
        gateway.configure(sections);
        gateway.run();
        gateway
    }

    fn configure(&self, sections: &str) {
        let (http, folder) = (self.http, self.folder.path());
        let own = format!(
            "http: {{admin: '127.0.0.1:{http}'}}\nnode: {{id: {}}}\ndataDir: {}\n",
            self.node(),
            folder.display()
        );
        fs::write(folder.join("reconciler.yaml"), own + sections).unwrap();
    }

    /// Restarts it with another configuration.
    pub(crate) fn restart_with(&mut self, sections: &str) {
        self.configure(sections);
        self.restart();
    }

    pub(crate) fn run(&mut self) {
        let mut process = reconciler(self.folder.path(), &["run", "--role", "gateway"]);
        await_ok(&mut process, &format!("127.0.0.1:{}", self.http), "/readyz", START);
        self.process = Some(process);
    }

    /// The id in its heartbeats.
    pub(crate) fn node(&self) -> String {
        format!("gateway-{}", self.http)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Where its admin API answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// SIGTERM, and the same again. It has to end in good order: before its connections are cut off for not following.
    pub(crate) fn restart(&mut self) {
        let mut process = self.process.take().unwrap();
        process.terminate();
        let begun = Instant::now();
        let status = process.wait(START);
        let (took, within) = (begun.elapsed(), Limits::default().drain_within);
        assert_eq!(status.code(), Some(0), "{}", process.transcript());
        assert!(took < within, "it took {took:?} to end:\n{}", process.transcript());
        self.run();
    }
}
