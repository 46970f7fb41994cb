//! An issuer of tokens that nobody here wrote, and what its clients do with it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Connection, SaslLogin};
use super::kafka::script;
use super::process::Process;
use super::product::free_ports;

/// The first time it is installed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running issuer, or one that is away. Every client's secret is its id.
#[derive(Debug)]
pub(crate) struct Issuer {
    process: Option<Process>,
    folder: tempfile::TempDir,
    port: u16,
    clients: String,
    seconds: String,
}

impl Issuer {
    /// For these clients, whose tokens are good for so long; its key is called `old`.
    pub(crate) fn start(clients: &[&str], good_for: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clients, seconds) = (clients.join(","), good_for.as_secs().to_string());
        let mut issuer = Self { process: None, folder, port: free_ports(1), clients, seconds };
        issuer.restart("old");
        issuer
    }

    /// For people who sign in at a client `zones`, which has them sent back to this address: by subject, with their claims.
    pub(crate) fn for_people(redirect: &str, people: &serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let known = serde_json::json!({ "client": "zones", "redirect": redirect, "people": people });
        std::fs::write(folder.path().join("people.json"), known.to_string()).unwrap();
        let (clients, seconds) = (String::new(), "600".to_owned());
        let mut issuer = Self { process: None, folder, port: free_ports(1), clients, seconds };
        issuer.restart("old");
        issuer
    }

    /// At the same address with these keys, of which the first one signs.
    pub(crate) fn restart(&mut self, keys: &str) {
        self.stop();
        let mut command = Command::new(script("issuer.sh"));
        command.arg(self.port.to_string()).arg(self.folder.path());
        command.args([keys, &self.clients, &self.seconds]);
        let mut process = Process::start("the issuer", &mut command);
        process.wait_for_line("the issuer listens", PATIENCE);
        self.process = Some(process);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
            process.wait(Duration::from_secs(10));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A token of this client, as the issuer gives it to who asks for nothing special.
    pub(crate) fn token(&self, client: &str) -> String {
        self.token_for(client, "scope=kafka")
    }

    /// A token for what a request asks for: `scope=kafka&resource=urn:AUDIENCE:SECONDS`.
    pub(crate) fn token_for(&self, client: &str, asked: &str) -> String {
        let body = format!("grant_type=client_credentials&{asked}");
        let login = STANDARD.encode(format!("{client}:{client}"));
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        socket.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").expect("an answer").1;
        let granted: serde_json::Value =
            serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"));
        granted["access_token"].as_str().unwrap_or_else(|| panic!("{granted}")).to_owned()
    }

    /// How a client fetches tokens of its own and logs in with them.
    pub(crate) fn connection(&self, bootstrap: &str, client: &str) -> Connection {
        let login = SaslLogin {
            mechanism: "OAUTHBEARER".to_owned(),
            user: client.to_owned(),
            password: client.to_owned(),
            tokens: Some(format!("{}/token", self.url())),
        };
        Connection { bootstrap: bootstrap.to_owned(), login: Some(login), tls: None }
    }
}
