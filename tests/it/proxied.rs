//! Behind a balancer that says where partners come from: a real HAProxy, with both versions of the PROXY protocol; and what somebody
//! can do with a header of their own making.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::certificates::Authority;
use crate::support::client::{Client, ClientTls, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::process::Process;
use crate::support::product::{Partner, Product, manifest};
use crate::support::wire::{Wire, bytes, request, string};

/// Where the balancer is, towards partners and towards the gateway alike.
const BALANCER: [u8; 4] = [127, 0, 0, 1];
const GATEWAY: [u8; 4] = [127, 0, 0, 2];
/// The only partner's address beside the balancer's own; and one that the zone does not let in.
const PARTNER: [u8; 4] = [127, 0, 0, 9];
const STRANGER: [u8; 4] = [127, 0, 0, 8];
const PATIENCE: Duration = Duration::from_secs(20);

/// HAProxy in front of the gateway's ports, which it serves under its own address.
struct HaProxy {
    _folder: TempDir,
    _process: Process,
}

impl HaProxy {
    /// `how` is what stands behind the server's address: `send-proxy` or `send-proxy-v2`.
    fn start(first: u16, how: &str) -> Self {
        let mut config =
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
                .to_owned();
        for port in first..=first + 3 {
            writeln!(
                config,
                "listen p{port}\n  bind {}:{port}\n  server gateway {}:{port} {how}",
                Ipv4Addr::from(BALANCER),
                Ipv4Addr::from(GATEWAY)
            )
            .unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let process = Process::start("haproxy", Command::new("haproxy").arg("-db").arg("-f").arg(&file));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::from(BALANCER), first)).is_err() {
            assert!(Instant::now() < deadline, "{}", process.transcript());
            thread::sleep(Duration::from_millis(50));
        }
        Self { _folder: folder, _process: process }
    }
}

fn start(cluster: &Cluster, backing: &str, tls: &str) -> Product {
    let access = format!(
        "  access:\n    allowedCidrs: [{}/32, {}/32]\n",
        Ipv4Addr::from(PARTNER),
        Ipv4Addr::from(BALANCER)
    );
    let text = manifest("acme", &[("orders", backing, "WRITE")]) + &access;
    let product = Product::start_with(&[("acme.yaml", &text)], |port, _| {
        format!(
            "gateway: {{listen: {}, advertisedHost: 127.0.0.1, bootstrapPort: {port}, {tls}proxyProtocol: {{from: {}}}}}\n\
             clusters: {{default: {{bootstrapServers: \"{}\", brokerPortBase: {port}, isolation: shared}}}}\nstore: memory\n",
            Ipv4Addr::from(GATEWAY),
            Ipv4Addr::from(BALANCER),
            cluster.bootstrap()
        )
    });
    product.wait_for_status("acme", "READY");
    product
}

/// Says this much first, and then logs in. None: it is hung up on.
fn log_in(wire: Option<Wire>, header: &[u8], partner: &Partner) -> Option<bool> {
    let mut wire = wire?;
    let _ = wire.send(header);
    let token = format!("\0{}\0{}", partner.username, partner.secret);
    wire.ask(&request(17, 1, &string("PLAIN")))?;
    let answer = wire.ask(&request(36, 0, &bytes(token.as_bytes())))?;
    Some(answer[4..6] == [0, 0])
}

/// Version 2, for somebody at this address.
fn header(client: [u8; 4]) -> Vec<u8> {
    let addresses = [&client[..], &GATEWAY, &[0xab, 0xcd], &[0x4a, 0x94]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec(), addresses].concat()
}

/// A credential that was issued just now takes a moment to reach the gateway.
fn await_login(product: &Product, partner: &Partner) {
    let begun = Instant::now();
    while log_in(Wire::between(PARTNER, GATEWAY, product.port), b"", partner) != Some(true) {
        assert!(begun.elapsed() < PATIENCE, "{}", product.transcript());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn behind_a_balancer_partners_come_from_where_it_says_and_nobody_else_is_believed() {
    let (cluster, backing) = (Cluster::shared(), unique("backing"));
    cluster.create_topic(&backing, 1);
    let mut product = start(cluster, &backing, "");
    let (port, partner) = (product.port, product.partner("acme"));
    // Not through the balancer: as it is, and as nobody else.
    await_login(&product, &partner);
    let from = |from| Wire::between(from, GATEWAY, port);
    assert_eq!(log_in(from(STRANGER), b"", &partner), Some(false));
    assert_eq!(
        log_in(from(STRANGER), &header(PARTNER), &partner),
        None,
        "a stranger's word is worth nothing"
    );
    product.wait_for_line("an address that gateway.proxyProtocol.from does not name");
    assert_eq!(log_in(from(STRANGER), b"PROXY TCP4 127.0.0.9 127.0.0.2 1 2\r\n", &partner), None);
    // From the balancer: as it says, and never without a word.
    assert_eq!(log_in(from(BALANCER), &header(PARTNER), &partner), Some(true));
    assert_eq!(log_in(from(BALANCER), &header(STRANGER), &partner), Some(false));
    assert_eq!(log_in(from(BALANCER), b"", &partner), None);
    product.wait_for_line("no usable PROXY header");
    let twice = [header(PARTNER), header(PARTNER)].concat();
    assert_eq!(log_in(from(BALANCER), &twice, &partner), None, "the second one is the client's");

    for how in ["send-proxy", "send-proxy-v2", "send-proxy-v2 check inter 100ms"] {
        let _balancer = HaProxy::start(port, how);
        let through = |from| Wire::between(from, BALANCER, port);
        assert_eq!(log_in(through(PARTNER), b"", &partner), Some(true), "{how}");
        assert_eq!(log_in(through(STRANGER), b"", &partner), Some(false), "{how}");
        assert_eq!(log_in(through(STRANGER), &header(PARTNER), &partner), None, "{how}");
    }
    // Nobody's connections count as the balancer's: it may have more than one client.
    let strangers: Vec<_> = (0..100_u8)
        .flat_map(|last| [(); 2].map(|()| (from(BALANCER), [192, 0, 2, last])))
        .map(|(wire, client)| {
            let mut wire = wire.unwrap();
            assert!(wire.send(&header(client)));
            wire
        })
        .collect();
    assert_eq!(log_in(from(BALANCER), &header(PARTNER), &partner), Some(true));
    drop(strangers);
}

#[test]
fn a_client_works_through_a_balancer_under_tls_and_is_seen_where_it_is() {
    let (cluster, backing) = (Cluster::shared(), unique("backing"));
    cluster.create_topic(&backing, 1);
    let authority = Authority::new();
    authority.issue("gateway", &["127.0.0.1"]);
    fs::write(authority.file("hosts"), "127.0.0.1 localhost\n").unwrap();
    let file = |name: &str| authority.file(name).display().to_string();
    let tls =
        format!("tls: {{certificateFile: {}, keyFile: {}}}, ", file("gateway.crt"), file("gateway.key"));
    let product = start(cluster, &backing, &tls);
    let partner = product.partner("acme");
    let _balancer = HaProxy::start(product.port, "send-proxy-v2");
    let tls = ClientTls {
        authority: authority.certificate(),
        old: false,
        hosts: authority.file("hosts"),
        identity: None,
    };
    let connection = Connection { tls: Some(tls), ..partner.connection() };
    for client in Client::ALL {
        let produced = client.run(&connection, &["produce", "--topic", "orders", "--count", "3"]);
        assert_eq!((produced.acked().len(), produced.errors()), (3, vec![]), "{client:?}");
    }
    let address = SocketAddr::from((BALANCER, 0)).ip().to_string();
    let begun = Instant::now();
    loop {
        let listed = product.cli(&["credentials", "list", "acme", "-o", "json"]);
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        if listed["items"][0]["lastUsedFrom"] == address.as_str() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{listed:#}");
        thread::sleep(Duration::from_millis(200));
    }
}
