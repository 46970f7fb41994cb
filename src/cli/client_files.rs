//! What a partner's client is set up with: files, and the beginning of a program.

use crate::sasl::Mechanism;

/// What a partner's client needs to connect. `Debug` is not derived: it holds the secret.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds the secret in clear")]
pub struct ClientLogin<'a> {
    pub bootstrap_servers: &'a str,
    /// `SASL_SSL` or `SASL_PLAINTEXT`.
    pub security_protocol: &'a str,
    pub mechanism: Mechanism,
    pub username: &'a str,
    pub secret: &'a str,
}

/// For Java clients and everything that reads their format (`--command-config`).
pub fn java(login: ClientLogin<'_>) -> String {
    format!(
        "bootstrap.servers={}\nsecurity.protocol={}\nsasl.mechanism={}\nsasl.jaas.config={}\n",
        property_value(login.bootstrap_servers),
        property_value(login.security_protocol),
        login.mechanism,
        property_value(&jaas(login)),
    )
}

/// `application.yaml` of Spring Boot. A key with dots stands in brackets.
pub fn spring(login: ClientLogin<'_>) -> String {
    format!(
        "spring:\n  kafka:\n    bootstrap-servers: {}\n    properties:\n      \"[security.protocol]\": {}\n      \
         \"[sasl.mechanism]\": {}\n      \"[sasl.jaas.config]\": {}\n",
        quoted(login.bootstrap_servers),
        quoted(login.security_protocol),
        login.mechanism,
        quoted(&jaas(login)),
    )
}

/// The beginning of a program that uses confluent-kafka.
pub fn python(login: ClientLogin<'_>) -> String {
    format!(
        "from confluent_kafka import Consumer, Producer\n\nconfig = {{\n    \"bootstrap.servers\": {},\n    \
         \"security.protocol\": {},\n    \"sasl.mechanism\": \"{}\",\n    \"sasl.username\": {},\n    \
         \"sasl.password\": {},\n}}\nproducer = Producer(config)\n\
         consumer = Consumer({{**config, \"group.id\": \"my-group\", \"auto.offset.reset\": \"earliest\"}})\n",
        quoted(login.bootstrap_servers),
        quoted(login.security_protocol),
        login.mechanism,
        quoted(login.username),
        quoted(login.secret),
    )
}

fn jaas(login: ClientLogin<'_>) -> String {
    let module = match login.mechanism {
        Mechanism::Plain => "plain.PlainLoginModule",
        Mechanism::ScramSha256 | Mechanism::ScramSha512 => "scram.ScramLoginModule",
    };
    format!(
        "org.apache.kafka.common.security.{module} required username={} password={};",
        jaas_quoted(login.username),
        jaas_quoted(login.secret),
    )
}

/// A JSON string, which is one in YAML and in Python too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// For kcat (`-F`) and other programs that read librdkafka's names. librdkafka's file format has no escapes: a value is
/// the rest of its line.
pub fn librdkafka(login: ClientLogin<'_>) -> String {
    format!(
        "bootstrap.servers={}\nsecurity.protocol={}\nsasl.mechanism={}\nsasl.username={}\nsasl.password={}\n",
        login.bootstrap_servers, login.security_protocol, login.mechanism, login.username, login.secret
    )
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
    use super::*;

    const LOGIN: ClientLogin<'static> = ClientLogin {
        bootstrap_servers: "kafka.example.com:19092",
        security_protocol: "SASL_PLAINTEXT",
        mechanism: Mechanism::Plain,
        username: "pz0123456789abcdef",
        secret: "a-b_c",
    };

    #[test]
    fn the_java_file_is_what_a_java_client_reads() {
        assert_eq!(
            java(LOGIN),
            "bootstrap.servers=kafka.example.com:19092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             username=\"pz0123456789abcdef\" password=\"a-b_c\";\n"
        );
    }

    #[test]
    fn a_login_by_scram_names_scrams_module() {
        let text = java(ClientLogin { mechanism: Mechanism::ScramSha512, ..LOGIN });
        assert!(text.contains("\nsasl.mechanism=SCRAM-SHA-512\n"), "{text}");
        assert!(text.contains("security.scram.ScramLoginModule required"), "{text}");
    }

    #[test]
    fn both_files_say_whether_the_gateway_is_under_tls() {
        let secured = ClientLogin { security_protocol: "SASL_SSL", ..LOGIN };
        for file in [java(secured), librdkafka(secured)] {
            assert!(file.contains("\nsecurity.protocol=SASL_SSL\n"), "{file}");
        }
    }

    #[test]
    fn quotes_and_backslashes_survive_both_layers_of_java_escaping() {
        let text = java(ClientLogin { secret: "a\"b\\c", ..LOGIN });
        assert!(text.contains(r#"password="a\\"b\\\\c";"#), "{text}");
    }

    #[test]
    fn the_librdkafka_file_holds_the_same_login() {
        assert_eq!(
            librdkafka(LOGIN),
            "bootstrap.servers=kafka.example.com:19092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
             sasl.username=pz0123456789abcdef\nsasl.password=a-b_c\n"
        );
    }

    #[test]
    fn a_program_and_springs_file_hold_the_same_login_and_no_character_gets_out_of_its_quotes() {
        let odd = ClientLogin { secret: "a\"b\\c'd", mechanism: Mechanism::ScramSha512, ..LOGIN };
        assert!(python(odd).contains(r#""sasl.password": "a\"b\\c'd","#), "{}", python(odd));
        let file: serde_json::Value = serde_yaml::from_str(&spring(odd)).unwrap();
        let properties = &file["spring"]["kafka"]["properties"];
        assert_eq!(properties["[sasl.mechanism]"], "SCRAM-SHA-512");
        assert_eq!(properties["[sasl.jaas.config]"], jaas(odd));
        assert_eq!(file["spring"]["kafka"]["bootstrap-servers"], "kafka.example.com:19092");
    }
}
