//! HAProxy in TCP mode: what a relay costs that does not look at what it relays.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::certificates::Authority;
use super::support::process::Process;
use super::support::product::free_ports;

/// As many as the gateway has on a machine of two cores.
const THREADS: usize = 2;

/// One process in front of one server.
pub(crate) struct HaProxy {
    process: Process,
    port: u16,
    _folder: tempfile::TempDir,
}

impl HaProxy {
    /// `buffer` is `tune.bufsize`; 16 KiB is HAProxy's default. `splice` is off, as it is by default. With an authority it ends
    /// its clients' TLS with the certificate called `peer`. The clients of this benchmark follow no advertised address, so the
    /// broker needs no listener that advertises HAProxy's port.
    pub(crate) fn start(server: &str, buffer: usize, authority: Option<&Authority>) -> Self {
        let port = free_ports(1);
        let tls = authority.map(|authority| {
            format!(" ssl crt {} ssl-min-ver TLSv1.3", authority.file("peer.pem").display())
        });
        let text = format!(
            "global\n  nbthread {THREADS}\n  maxconn 5000\n  tune.bufsize {buffer}\n  nosplice\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
             listen l\n  bind 127.0.0.1:{port}{}\n  server s {server}\n",
            tls.unwrap_or_default()
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let mut process = Process::start("haproxy", Command::new("haproxy").arg("-db").arg("-f").arg(&file));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(!process.ended() && Instant::now() < deadline, "{}", process.transcript());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, port, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn host_port(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
