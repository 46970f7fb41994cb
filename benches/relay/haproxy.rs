//! HAProxy in TCP mode: what a relay costs that does not look at what it relays.

use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::process::Process;
use super::support::product::free_ports;

/// As many as the gateway has on a machine of two cores.
const THREADS: usize = 2;

/// One process, with a port for each server behind it.
pub(crate) struct HaProxy {
    process: Process,
    first_port: u16,
    _folder: tempfile::TempDir,
}

impl HaProxy {
    /// `buffer` is `tune.bufsize`; 16 KiB is HAProxy's default. `splice` is off, as it is by default. The clients of this
    /// benchmark follow no advertised address, so the broker needs no listener that advertises HAProxy's port.
    pub(crate) fn start(servers: &[&str], buffer: usize) -> Self {
        let first_port = free_ports(u16::try_from(servers.len()).unwrap());
        let mut text = format!(
            "global\n  nbthread {THREADS}\n  maxconn 5000\n  tune.bufsize {buffer}\n  nosplice\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"
        );
        for (port, server) in (first_port..).zip(servers) {
            let _ = write!(text, "listen l{port}\n  bind 127.0.0.1:{port}\n  server s {server}\n");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let mut process = Process::start("haproxy", Command::new("haproxy").arg("-db").arg("-f").arg(&file));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", first_port)).is_err() {
            assert!(!process.ended() && Instant::now() < deadline, "{}", process.transcript());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, first_port, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where the server of this index is reached.
    pub(crate) fn address(&self, index: u16) -> String {
        format!("127.0.0.1:{}", self.first_port + index)
    }
}
