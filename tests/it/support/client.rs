//! Clients that nobody here wrote, behind one typed face. `tests/clients/README.md` has the grammar.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::events::Events;
use super::kafka::script;
use super::process::Process;

/// A driver always ends by itself before this: it has a shorter time limit of its own.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Apache Kafka's official client.
    Java,
    /// The same, of 2022.
    Java2,
    /// librdkafka, through `confluent-kafka`.
    Librdkafka,
    KafkaPython,
    FranzGo,
    Sarama,
    Kafkajs,
}

/// How a client reaches a cluster, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) bootstrap: String,
    pub(crate) login: Option<SaslLogin>,
    pub(crate) tls: Option<ClientTls>,
}

/// What a client needs under TLS.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls {
    /// Whom it trusts, in PEM form.
    pub(crate) authority: PathBuf,
    /// Whether it stays below TLS 1.3.
    pub(crate) old: bool,
    /// Stands in for `/etc/hosts`.
    pub(crate) hosts: PathBuf,
    /// The client's own certificate: `.crt`, `.key`, and both in `.pem`.
    pub(crate) identity: Option<PathBuf>,
}

/// SASL over plain text.
#[derive(Debug, Clone)]
pub(crate) struct SaslLogin {
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`.
    pub(crate) mechanism: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Where tokens are fetched, for OAUTHBEARER: the user and password are then those of the issuer's client.
    pub(crate) tokens: Option<String>,
}

impl Connection {
    /// Without authentication.
    pub(crate) fn plaintext(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), login: None, tls: None }
    }

    /// With SASL over plain text.
    pub(crate) fn sasl(bootstrap: &str, mechanism: &str, user: &str, password: &str) -> Self {
        let login = SaslLogin {
            mechanism: mechanism.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            tokens: None,
        };
        Self { bootstrap: bootstrap.to_owned(), login: Some(login), tls: None }
    }

    /// `name=value` lines in the spelling of `client`.
    pub(crate) fn settings(&self, client: Client) -> String {
        let Some(SaslLogin { mechanism, user, password, tokens }) = &self.login else {
            let tls = |tls: &ClientTls| format!("security.protocol=SSL\n{}", tls.settings(client));
            return self.tls.as_ref().map(tls).unwrap_or_default();
        };
        let login = match (client, tokens) {
            (Client::Java | Client::Java2, Some(tokens)) => format!(
                "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 clientId=\"{user}\" clientSecret=\"{password}\" scope=\"kafka\";\n\
                 sasl.login.callback.handler.class=\
                 org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler\n\
                 sasl.oauthbearer.token.endpoint.url={tokens}\n"
            ),
            (_, Some(tokens)) => format!(
                "sasl.oauthbearer.method=oidc\nsasl.oauthbearer.client.id={user}\nsasl.oauthbearer.client.secret={password}\n\
                 sasl.oauthbearer.scope=kafka\nsasl.oauthbearer.token.endpoint.url={tokens}\n"
            ),
            (Client::Java | Client::Java2, None) => {
                let module =
                    if mechanism == "PLAIN" { "plain.PlainLoginModule" } else { "scram.ScramLoginModule" };
                format!(
                    "sasl.jaas.config=org.apache.kafka.common.security.{module} required \
                     username=\"{user}\" password=\"{password}\";\n"
                )
            }
            (_, None) => format!("sasl.username={user}\nsasl.password={password}\n"),
        };
        let (protocol, tls) = match &self.tls {
            None => ("SASL_PLAINTEXT", String::new()),
            Some(tls) => ("SASL_SSL", tls.settings(client)),
        };
        format!("security.protocol={protocol}\nsasl.mechanism={mechanism}\n{login}{tls}")
    }
}

impl ClientTls {
    fn settings(&self, client: Client) -> String {
        let authority = self.authority.display();
        let own = |ending: &str| self.identity.as_ref().map(|base| base.with_extension(ending));
        match client {
            Client::Java | Client::Java2 => {
                let protocols = if self.old { "TLSv1.2" } else { "TLSv1.3" };
                let own = own("pem")
                    .map(|pem| format!("ssl.keystore.type=PEM\nssl.keystore.location={}\n", pem.display()));
                format!(
                    "ssl.truststore.type=PEM\nssl.truststore.location={authority}\nssl.enabled.protocols={protocols}\n{}",
                    own.unwrap_or_default()
                )
            }
            _ => {
                let own = own("crt").zip(own("key")).map(|(certificate, key)| {
                    let (certificate, key) = (certificate.display(), key.display());
                    format!("ssl.certificate.location={certificate}\nssl.key.location={key}\n")
                });
                format!("ssl.ca.location={authority}\n{}", own.unwrap_or_default())
            }
        }
    }

    /// `openssl.cnf` for librdkafka, which has no setting for the version.
    fn openssl(&self) -> &'static str {
        if self.old {
            "openssl_conf = d\n[d]\nssl_conf = s\n[s]\nsystem_default = x\n[x]\nMaxProtocol = TLSv1.2\n"
        } else {
            ""
        }
    }
}

impl Client {
    /// Those whose drivers know all of the grammar.
    pub(crate) const ALL: [Self; 2] = [Self::Java, Self::Librdkafka];

    /// Lower case, fit for topic and group names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Java2 => "java2",
            Self::Librdkafka => "librdkafka",
            Self::KafkaPython => "kafka-python",
            Self::FranzGo => "franz-go",
            Self::Sarama => "sarama",
            Self::Kafkajs => "kafkajs",
        }
    }

    /// Runs a command to its end and gives its events.
    pub(crate) fn run(self, connection: &Connection, arguments: &[&str]) -> Events {
        self.start(connection, arguments).finish()
    }

    /// Starts a command; with `--until-stdin-closes` it goes on until [`Running::stop`].
    pub(crate) fn start(self, connection: &Connection, arguments: &[&str]) -> Running {
        self.start_with(&connection.settings(self), connection, arguments)
    }

    /// Set up by these settings; what is none, such as the names of hosts, is that of the connection.
    pub(crate) fn start_with(self, text: &str, connection: &Connection, arguments: &[&str]) -> Running {
        let settings = NamedTempFile::new().unwrap();
        std::fs::write(settings.path(), text).unwrap();
        let mut command = Command::new(script("client.sh"));
        command.arg(self.name()).args(&arguments[..1]);
        command.args(["--bootstrap", &connection.bootstrap, "--config"]).arg(settings.path());
        command.args(&arguments[1..]);
        if let Some(tokens) = connection.login.as_ref().and_then(|login| login.tokens.as_ref()) {
            // A Java client asks no address that its operator has not allowed.
            let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens}");
            command.env("JDK_JAVA_OPTIONS", allowed);
        }
        let mut files = vec![settings];
        if let Some(tls) = &connection.tls {
            let openssl = NamedTempFile::new().unwrap();
            std::fs::write(openssl.path(), tls.openssl()).unwrap();
            command.env("CLIENT_HOSTS", &tls.hosts).env("OPENSSL_CONF", openssl.path());
            files.push(openssl);
        }
        let name = format!("{} {}", self.name(), arguments.join(" "));
        Running { process: Process::start(&name, &mut command), name, _files: files }
    }
}

/// A client at work.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    name: String,
    _files: Vec<NamedTempFile>,
}

impl Running {
    /// What it showed so far.
    pub(crate) fn events(&self) -> Events {
        Events::read(&self.process.lines())
    }

    /// How many events of a kind it showed so far, without a look at what is in them.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let spaced = |line: &str| line.contains(&format!("\"event\": \"{kind}\""));
        let dense = |line: &str| line.contains(&format!("\"event\":\"{kind}\""));
        self.process.stdout().iter().filter(|line| dense(line) || spaced(line)).count()
    }

    /// Waits until `find` gives something for the events so far.
    pub(crate) fn wait_for<T>(&mut self, what: &str, find: impl Fn(&Events) -> Option<T>) -> T {
        self.process.wait_for(what, PATIENCE, |lines| find(&Events::read(lines)))
    }

    /// Closes its stdin and waits for it to end in good order.
    pub(crate) fn stop(mut self) -> Events {
        drop(self.process.take_stdin());
        self.finish()
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(mut self) -> Events {
        self.process.kill();
        self.events()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> Events {
        let status = self.process.wait(PATIENCE);
        let events = self.events();
        assert!(
            status.success() && events.ended(),
            "{} broke off ({status}):\n{}",
            self.name,
            self.process.transcript()
        );
        events
    }
}
