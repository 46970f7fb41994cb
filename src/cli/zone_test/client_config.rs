//! A partner's own file, as `credentials issue` and quickstart write it: Java's properties, or librdkafka's `name=value`. What is not
//! about the connection is left alone.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::login::Settings;
use crate::cli::Failure;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// What is said of a connection, in librdkafka's names.
const KNOWN: [&str; 9] = [
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.endpoint.identification.algorithm",
];

/// The text of a small file, without the end of its last line.
pub(super) fn text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::usage(format!("{} {cause}", path.display()));
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    let len = read.map_err(|error| failed(&format!("cannot be read: {error}")))?;
    if u64::try_from(len).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(failed(&format!("is larger than {MAX_BYTES} bytes; is it the right file?")));
    }
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The file's settings in librdkafka's names.
pub(super) fn read(path: &Path) -> Result<Settings, Failure> {
    let shown = path.display();
    settings(&text(path)?).map_err(|cause| Failure::usage(format!("{shown}: {cause}")).next(NEXT))
}

const NEXT: &str = "give a file as `credentials issue ZONE -o properties` (or kcat) and `get zone ZONE -o properties` print it";

fn settings(text: &str) -> Result<Settings, String> {
    let pairs = pairs(text);
    let is_java = |(name, _): &(String, String)| {
        name == "sasl.jaas.config" || name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.")
    };
    let is_java = pairs.iter().any(is_java);
    let mut given: Settings = pairs
        .into_iter()
        .map(|(name, value)| (name, if is_java { unescaped(&value) } else { value }))
        .collect();
    if is_java {
        translate(&mut given)?;
    }
    if let Some(mechanism) = given.remove("sasl.mechanisms") {
        given.insert("sasl.mechanism".to_owned(), mechanism);
    }
    given.retain(|name, _| KNOWN.contains(&name.as_str()));
    if given.is_empty() { Err("holds no setting of a connection".to_owned()) } else { Ok(given) }
}

/// `name=value` lines; in Java's files `name: value` as well, which librdkafka has not. No continued lines: nobody writes them here.
fn pairs(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    let split = lines.filter_map(|line| line.split_once('='));
    split.map(|(name, value)| (name.trim_end().to_owned(), value.trim_start().to_owned())).collect()
}

/// As `java.util.Properties` reads a value.
fn unescaped(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        plain.extend(match character {
            '\\' => match characters.next() {
                Some('n') => Some('\n'),
                Some('t') => Some('\t'),
                Some('r') => Some('\r'),
                other => other,
            },
            other => Some(other),
        });
    }
    plain
}

/// Java's settings to librdkafka's.
fn translate(given: &mut Settings) -> Result<(), String> {
    if let Some(jaas) = given.remove("sasl.jaas.config") {
        for (option, name) in [("username", "sasl.username"), ("password", "sasl.password")] {
            given.extend(jaas_option(&jaas, option).map(|value| (name.to_owned(), value)));
        }
    }
    for (store, names) in [
        ("truststore", &["ssl.ca.location"][..]),
        ("keystore", &["ssl.certificate.location", "ssl.key.location"]),
    ] {
        let Some(location) = given.remove(&format!("ssl.{store}.location")) else { continue };
        let kind = given.remove(&format!("ssl.{store}.type")).unwrap_or_else(|| "JKS".to_owned());
        if !kind.eq_ignore_ascii_case("PEM") {
            return Err(format!("ssl.{store}.type is {kind}; only PEM can be read here"));
        }
        given.extend(names.iter().map(|name| ((*name).to_owned(), location.clone())));
    }
    // Empty is Java's word for it.
    let identification = given.get_mut("ssl.endpoint.identification.algorithm");
    if let Some(algorithm) = identification.filter(|algorithm| algorithm.is_empty()) {
        "none".clone_into(algorithm);
    }
    Ok(())
}

/// The value of `name="value"` in a login module's line.
fn jaas_option(jaas: &str, name: &str) -> Option<String> {
    let mut rest = jaas;
    loop {
        let (before, behind) = rest.split_once(&format!("{name}="))?;
        if !before.ends_with(char::is_whitespace) {
            rest = behind;
            continue;
        }
        let Some(quoted) = behind.strip_prefix('"') else {
            let end = behind.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(behind.len());
            return behind.get(..end).map(str::to_owned);
        };
        let (mut value, mut characters) = (String::new(), quoted.chars());
        loop {
            match characters.next()? {
                '"' => return Some(value),
                '\\' => value.push(characters.next()?),
                character => value.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_files::{ClientFile, ClientSetup, Proof};
    use crate::sasl::Mechanism;

    fn of(file: ClientFile, proof: Proof<'_>, security_protocol: &str) -> Settings {
        settings(&file.of(ClientSetup { bootstrap_servers: "a:1,b:2", security_protocol, proof })).unwrap()
    }

    #[test]
    fn the_files_that_are_written_here_are_read_back_whatever_the_secret() {
        let secret = "a\"b\\c=d' username=\"x\";#";
        let proof = Proof::Secret { mechanism: Mechanism::ScramSha512, username: "pz1", secret };
        for file in [ClientFile::Properties, ClientFile::Kcat] {
            let settings = of(file, proof, "SASL_SSL");
            for (name, value) in [
                ("bootstrap.servers", "a:1,b:2"),
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.username", "pz1"),
                ("sasl.password", secret),
            ] {
                assert_eq!(settings[name], value, "{file:?} {name}");
            }
            assert_eq!(settings.len(), 5);
        }
    }

    #[test]
    fn certificates_and_authorities_of_a_java_file_are_pem_or_refused() {
        let settings_of = |file| of(file, Proof::Certificate, "SSL");
        let java = settings_of(ClientFile::Properties);
        assert_eq!(java["ssl.certificate.location"], "KEY_AND_CERTIFICATE_FILE");
        assert_eq!(java["ssl.key.location"], "KEY_AND_CERTIFICATE_FILE");
        assert_eq!(settings_of(ClientFile::Kcat)["ssl.key.location"], "KEY_FILE");
        let trusted = settings("ssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\n").unwrap();
        assert_eq!(trusted["ssl.ca.location"], "/ca.pem");
        let refused = settings("ssl.truststore.location=/ca.jks\n").unwrap_err();
        assert!(refused.contains("JKS") && refused.contains("PEM"), "{refused}");
        assert!(settings("# nothing\ngroup.id=x\n").is_err());
    }

    #[test]
    fn a_file_for_tokens_says_so_and_holds_no_secret() {
        for file in [ClientFile::Properties, ClientFile::Kcat] {
            let settings = of(file, Proof::Token { scope: "kafka" }, "SASL_SSL");
            assert_eq!(settings["sasl.mechanism"], "OAUTHBEARER", "{file:?}");
            assert!(!settings.contains_key("sasl.username") && !settings.contains_key("sasl.password"));
        }
    }
}
