//! What a partner's client is set up with: files, and the beginning of a program. What the provider cannot know, such as where the
//! partner's tokens are fetched, stands in capitals, to be filled in.

use crate::sasl::Mechanism;

/// In whose words a client is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFile {
    /// `client.properties`, for Java clients and everything that reads their format (`--command-config`).
    Properties,
    /// For kcat (`-F`) and other programs that read librdkafka's names.
    Kcat,
    /// The beginning of a program that uses confluent-kafka.
    Python,
    /// `application.yaml` of Spring Boot.
    Spring,
}

/// What a partner's client needs to connect. `Debug` is not derived: it may hold a secret.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "may hold a secret in clear")]
pub struct ClientSetup<'a> {
    pub bootstrap_servers: &'a str,
    /// `SASL_SSL`, `SASL_PLAINTEXT` or `SSL`.
    pub security_protocol: &'a str,
    pub proof: Proof<'a>,
}

/// How the client proves who it is.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "may hold a secret in clear")]
pub enum Proof<'a> {
    Secret {
        mechanism: Mechanism,
        username: &'a str,
        secret: &'a str,
    },
    /// By a token that the client fetches from its issuer, for these scopes with spaces between them.
    Token {
        scope: &'a str,
    },
    /// By a certificate of the partner's own.
    Certificate,
}

/// What stands for what only the partner and its issuer know.
const TOKEN_ENDPOINT: &str = "TOKEN_ENDPOINT_URL";
const CLIENT_ID: &str = "CLIENT_ID";
const CLIENT_SECRET: &str = "CLIENT_SECRET";
/// What stands for files on the partner's side.
const CERTIFICATE: &str = "CERTIFICATE_FILE";
const KEY: &str = "KEY_FILE";
const KEY_AND_CERTIFICATE: &str = "KEY_AND_CERTIFICATE_FILE";

/// A setting in a client's own words.
type Settings = Vec<(&'static str, String)>;

impl ClientFile {
    /// The file for this client, the remarks of it in front.
    pub fn of(self, setup: ClientSetup<'_>) -> String {
        let remarks: Vec<_> = self.remarks(setup.proof).iter().map(|line| format!("# {line}\n")).collect();
        let text = match self {
            Self::Properties => lines(&java(setup), property_value),
            // librdkafka's file format has no escapes: a value is the rest of its line.
            Self::Kcat => lines(&librdkafka(setup), str::to_owned),
            Self::Python => python(setup),
            Self::Spring => spring(setup),
        };
        remarks.concat() + &text
    }

    fn remarks(self, proof: Proof<'_>) -> &'static [&'static str] {
        match (proof, self) {
            (Proof::Secret { .. }, _) => &[],
            (Proof::Token { .. }, Self::Properties | Self::Spring) => &[
                "Fill in what stands in capitals. Java asks no address for tokens that it was not allowed to: start it with",
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=TOKEN_ENDPOINT_URL; jackson-databind and jose4j are needed too.",
            ],
            (Proof::Token { .. }, Self::Kcat | Self::Python) => &["Fill in what stands in capitals."],
            (Proof::Certificate, Self::Properties | Self::Spring) => &[
                "Fill in what stands in capitals: a PEM file with the key, in PKCS #8, and the certificate.",
            ],
            (Proof::Certificate, Self::Kcat | Self::Python) => {
                &["Fill in what stands in capitals: PEM files of the certificate and of its key."]
            }
        }
    }
}

fn connection(setup: ClientSetup<'_>) -> Settings {
    vec![
        ("bootstrap.servers", setup.bootstrap_servers.to_owned()),
        ("security.protocol", setup.security_protocol.to_owned()),
    ]
}

fn java(setup: ClientSetup<'_>) -> Settings {
    const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer";
    let mut settings = connection(setup);
    settings.extend(match setup.proof {
        Proof::Secret { mechanism, username, secret } => vec![
            ("sasl.mechanism", mechanism.to_string()),
            ("sasl.jaas.config", secret_module(mechanism, username, secret)),
        ],
        Proof::Token { scope } => {
            let scope =
                if scope.is_empty() { String::new() } else { format!(" scope={}", jaas_quoted(scope)) };
            let module = format!(
                "{OAUTH}.OAuthBearerLoginModule required clientId={} clientSecret={}{scope};",
                jaas_quoted(CLIENT_ID),
                jaas_quoted(CLIENT_SECRET),
            );
            vec![
                ("sasl.mechanism", OAUTHBEARER.to_owned()),
                ("sasl.login.callback.handler.class", format!("{OAUTH}.OAuthBearerLoginCallbackHandler")),
                ("sasl.oauthbearer.token.endpoint.url", TOKEN_ENDPOINT.to_owned()),
                ("sasl.jaas.config", module),
            ]
        }
        Proof::Certificate => vec![
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", KEY_AND_CERTIFICATE.to_owned()),
        ],
    });
    settings
}

fn librdkafka(setup: ClientSetup<'_>) -> Settings {
    let mut settings = connection(setup);
    settings.extend(match setup.proof {
        Proof::Secret { mechanism, username, secret } => vec![
            ("sasl.mechanism", mechanism.to_string()),
            ("sasl.username", username.to_owned()),
            ("sasl.password", secret.to_owned()),
        ],
        Proof::Token { scope } => {
            let mut settings = vec![
                ("sasl.mechanism", OAUTHBEARER.to_owned()),
                ("sasl.oauthbearer.method", "oidc".to_owned()),
                ("sasl.oauthbearer.token.endpoint.url", TOKEN_ENDPOINT.to_owned()),
                ("sasl.oauthbearer.client.id", CLIENT_ID.to_owned()),
                ("sasl.oauthbearer.client.secret", CLIENT_SECRET.to_owned()),
            ];
            settings.extend((!scope.is_empty()).then(|| ("sasl.oauthbearer.scope", scope.to_owned())));
            settings
        }
        Proof::Certificate => {
            vec![("ssl.certificate.location", CERTIFICATE.to_owned()), ("ssl.key.location", KEY.to_owned())]
        }
    });
    settings
}

const OAUTHBEARER: &str = "OAUTHBEARER";

fn lines(settings: &Settings, value: fn(&str) -> String) -> String {
    joined(settings, |name, text| format!("{name}={}\n", value(text)))
}

fn joined(settings: &Settings, line: impl Fn(&str, &str) -> String) -> String {
    settings.iter().map(|(name, value)| line(name, value)).collect::<Vec<_>>().concat()
}

/// A key with dots stands in brackets.
fn spring(setup: ClientSetup<'_>) -> String {
    let mut settings = java(setup);
    settings.retain(|(name, _)| *name != "bootstrap.servers");
    let properties = joined(&settings, |name, value| format!("      \"[{name}]\": {}\n", quoted(value)));
    let servers = quoted(setup.bootstrap_servers);
    format!("spring:\n  kafka:\n    bootstrap-servers: {servers}\n    properties:\n{properties}")
}

fn python(setup: ClientSetup<'_>) -> String {
    let entries = joined(&librdkafka(setup), |name, value| format!("    \"{name}\": {},\n", quoted(value)));
    format!(
        "from confluent_kafka import Consumer, Producer\n\nconfig = {{\n{entries}}}\nproducer = Producer(config)\n\
         consumer = Consumer({{**config, \"group.id\": \"my-group\", \"auto.offset.reset\": \"earliest\"}})\n",
    )
}

fn secret_module(mechanism: Mechanism, username: &str, secret: &str) -> String {
    let module = match mechanism {
        Mechanism::Plain => "plain.PlainLoginModule",
        Mechanism::ScramSha256 | Mechanism::ScramSha512 => "scram.ScramLoginModule",
    };
    format!(
        "org.apache.kafka.common.security.{module} required username={} password={};",
        jaas_quoted(username),
        jaas_quoted(secret),
    )
}

/// A JSON string, which is one in YAML and in Python too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JAAS string literal: Java's `StreamTokenizer` takes `"` and `\` only behind a backslash.
fn jaas_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `java.util.Properties.load` reads a backslash as an escape.
fn property_value(text: &str) -> String {
    text.replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    use super::ClientFile::{Kcat, Properties, Python, Spring};
    use super::*;

    const PROOF: Proof<'static> = secret(Mechanism::Plain, "a-b_c");
    const SETUP: ClientSetup<'static> = ClientSetup {
        bootstrap_servers: "kafka.example.com:19092",
        security_protocol: "SASL_PLAINTEXT",
        proof: PROOF,
    };

    const fn secret(mechanism: Mechanism, secret: &str) -> Proof<'_> {
        Proof::Secret { mechanism, username: "pz0123456789abcdef", secret }
    }

    #[test]
    fn the_java_file_is_what_a_java_client_reads() {
        assert_eq!(
            Properties.of(SETUP),
            "bootstrap.servers=kafka.example.com:19092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"pz0123456789abcdef\" password=\"a-b_c\";\n"
        );
    }

    #[test]
    fn a_login_by_scram_names_scrams_module() {
        let text = Properties.of(ClientSetup { proof: secret(Mechanism::ScramSha512, "s"), ..SETUP });
        assert!(text.contains("\nsasl.mechanism=SCRAM-SHA-512\n"), "{text}");
        assert!(text.contains("security.scram.ScramLoginModule required"), "{text}");
    }

    #[test]
    fn both_files_say_whether_the_gateway_is_under_tls() {
        let secured = ClientSetup { security_protocol: "SASL_SSL", ..SETUP };
        for file in [Properties.of(secured), Kcat.of(secured)] {
            assert!(file.contains("\nsecurity.protocol=SASL_SSL\n"), "{file}");
        }
    }

    #[test]
    fn quotes_and_backslashes_survive_both_layers_of_java_escaping() {
        let text = Properties.of(ClientSetup { proof: secret(Mechanism::Plain, "a\"b\\c"), ..SETUP });
        assert!(text.contains(r#"password="a\\"b\\\\c";"#), "{text}");
    }

    #[test]
    fn the_librdkafka_file_holds_the_same_login() {
        assert_eq!(
            Kcat.of(SETUP),
            "bootstrap.servers=kafka.example.com:19092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.username=pz0123456789abcdef\nsasl.password=a-b_c\n"
        );
    }

    #[test]
    fn a_program_and_springs_file_hold_the_same_login_and_no_character_gets_out_of_its_quotes() {
        let odd = ClientSetup { proof: secret(Mechanism::ScramSha512, "a\"b\\c'd"), ..SETUP };
        let program = Python.of(odd);
        assert!(program.contains(r#""sasl.password": "a\"b\\c'd","#), "{program}");
        let file: serde_json::Value = serde_yaml::from_str(&Spring.of(odd)).unwrap();
        let properties = &file["spring"]["kafka"]["properties"];
        assert_eq!(properties["[sasl.mechanism]"], "SCRAM-SHA-512");
        let module = secret_module(Mechanism::ScramSha512, "pz0123456789abcdef", "a\"b\\c'd");
        assert_eq!(properties["[sasl.jaas.config]"], module);
        assert_eq!(file["spring"]["kafka"]["bootstrap-servers"], "kafka.example.com:19092");
    }

    #[test]
    fn what_only_the_partner_knows_stands_in_capitals_and_a_remark_says_so() {
        let token = ClientSetup { proof: Proof::Token { scope: "kafka orders" }, ..SETUP };
        let certificate = ClientSetup { security_protocol: "SSL", proof: Proof::Certificate, ..SETUP };
        for (file, wanted) in [
            (Properties.of(token), "sasl.oauthbearer.token.endpoint.url=TOKEN_ENDPOINT_URL\n"),
            (
                Properties.of(token),
                "clientId=\"CLIENT_ID\" clientSecret=\"CLIENT_SECRET\" scope=\"kafka orders\";\n",
            ),
            (Kcat.of(token), "sasl.oauthbearer.client.id=CLIENT_ID\n"),
            (Kcat.of(token), "sasl.oauthbearer.scope=kafka orders\n"),
            (Python.of(token), "\"sasl.oauthbearer.method\": \"oidc\",\n"),
            (Spring.of(token), "\"[sasl.mechanism]\": \"OAUTHBEARER\"\n"),
            (Properties.of(certificate), "ssl.keystore.location=KEY_AND_CERTIFICATE_FILE\n"),
            (Kcat.of(certificate), "ssl.key.location=KEY_FILE\n"),
            (Spring.of(certificate), "\"[security.protocol]\": \"SSL\"\n"),
        ] {
            assert!(file.starts_with("# Fill in what stands in capitals") && file.contains(wanted), "{file}");
            assert!(!file.contains("password"), "{file}");
        }
        let without = Kcat.of(ClientSetup { proof: Proof::Token { scope: "" }, ..SETUP });
        assert!(!without.contains("scope"), "{without}");
    }
}
