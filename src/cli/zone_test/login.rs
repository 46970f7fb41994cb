//! How the partner connects: by what the server says of the zone, what the flags say over it, and the credential.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use time::OffsetDateTime;

use super::{Test, client_config};
use crate::cli::client::written_form;
use crate::cli::{Failure, credentials};
use crate::kafka::client::UpstreamSecurity;
use crate::secret::Secret;
use crate::zone::{AuthenticationMode, PartnerZone, SharedTopic};

/// Settings of a connection in librdkafka's names. They may hold a secret: nothing prints them.
pub(super) type Settings = BTreeMap<String, String>;

const OAUTHBEARER: &str = "OAUTHBEARER";

/// In the place of names that partners are not told.
const UNTOLD: &str = "untold";

/// How much of a zone the server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Whole,
    /// As its partner may see it: without the names of what is behind it.
    Partner,
}

/// What the server says of a zone.
#[derive(Debug)]
pub(super) struct Zone {
    /// To a partner, with [`UNTOLD`] names behind it.
    pub(super) written: PartnerZone,
    view: View,
    phase: String,
    reason: Option<String>,
    bootstrap_servers: Option<String>,
    security_protocol: Option<String>,
}

impl Zone {
    pub(super) fn of(shown: Value) -> Result<Self, Failure> {
        let text = |name: &str| {
            let value = shown.get("status").and_then(|status| status.get(name)).and_then(Value::as_str);
            value.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let view = view(&shown)?;
        Ok(Self {
            view,
            phase: text("phase").unwrap_or_default(),
            reason: text("failedReason"),
            bootstrap_servers: text("bootstrapServers"),
            security_protocol: text("securityProtocol"),
            written: written_form(match view {
                View::Whole => shown,
                View::Partner => completed(shown),
            })?,
        })
    }

    /// What an alias stands for, as far as that is told.
    pub(super) fn behind(&self, topic: &SharedTopic) -> String {
        match self.view {
            View::Whole => format!("`{}`", topic.backing),
            View::Partner => format!("the topic behind `{}`", topic.alias),
        }
    }

    /// How it stands, or why it is not as it should be.
    pub(super) fn standing(&self) -> Result<String, String> {
        let now = OffsetDateTime::now_utc();
        match (&self.reason, self.phase.as_str()) {
            (None, "READY") if !self.written.access.is_open(now) => {
                Err("it is not open at this moment (spec.access): nobody is let in".to_owned())
            }
            (None, "READY") => Ok("READY".to_owned()),
            (reason, phase) => {
                let because = reason.as_ref().map(|reason| format!(": {reason}"));
                Err(format!("it is {phase}{}", because.unwrap_or_default()))
            }
        }
    }
}

/// Whose view of a zone this is.
fn view(shown: &Value) -> Result<View, Failure> {
    let is_told = |place: &str| shown.pointer(place).is_some();
    match (is_told("/spec/cluster"), is_told("/spec/authenticationMode")) {
        (true, _) => Ok(View::Whole),
        (false, true) => Ok(View::Partner),
        // An owner of some of its topics.
        (false, false) => {
            Err(Failure::usage("this key sees some of the zone's topics, and not how its partner connects")
                .next("use a key of the role `admin`, or the partner's own with --command-config FILE"))
        }
    }
}

/// What a partner is shown, with something in the place of each name that it is not told: a zone needs them, and no step does.
fn completed(mut shown: Value) -> Value {
    if let Some(Value::Object(spec)) = shown.get_mut("spec") {
        spec.insert("cluster".to_owned(), UNTOLD.into());
        // Half of what they are is not told, and groups are not tried.
        spec.remove("consumerGroups");
    }
    let topics = shown.pointer_mut("/spec/topics").and_then(Value::as_array_mut);
    for (place, topic) in topics.into_iter().flatten().enumerate() {
        if let Value::Object(topic) = topic {
            topic.insert("backingTopic".to_owned(), format!("{UNTOLD}-{place}").into());
        }
    }
    shown
}

/// Who said where to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The gateways: it is what partners are told.
    Gateways,
    /// A flag or a file.
    Given,
}

/// Where the proof is from, for whoever has to correct it.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// A credential that was issued for this test.
    Issued,
    /// Name and secret of somebody else.
    Given,
    Token(Secret<String>),
    Certificate,
}

/// How the partner connects.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) addresses: Vec<String>,
    pub(super) origin: Origin,
    /// A login by name and secret, and TLS.
    pub(super) security: UpstreamSecurity,
    pub(super) proof: Proof,
}

/// What the flags ask for.
pub(super) enum Asked {
    Setup(Box<Setup>),
    /// A credential has to be issued; what is known without it.
    Issue(Settings),
}

/// Reads the flags and the files that they name.
pub(super) fn asked(test: &Test, zone: &Zone) -> Result<Asked, Failure> {
    let mut settings = match &test.command_config {
        Some(path) => client_config::read(path)?,
        None => Settings::new(),
    };
    set(&mut settings, "ssl.ca.location", test.ca.as_deref());
    set(&mut settings, "ssl.certificate.location", test.certificate.as_deref());
    set(&mut settings, "ssl.key.location", test.key.as_deref());
    if !settings.contains_key("security.protocol") {
        let protocol = zone.security_protocol.clone().ok_or_else(not_served)?;
        settings.insert("security.protocol".to_owned(), protocol);
    }
    let mode = zone.written.authentication.mode;
    if let (Some(username), Some(file)) = (&test.username, &test.password_file) {
        let mechanism = mode.mechanisms().first().ok_or_else(|| no_secrets(mode))?;
        settings.insert("sasl.mechanism".to_owned(), mechanism.name().to_owned());
        settings.insert("sasl.username".to_owned(), username.clone());
        settings.insert("sasl.password".to_owned(), client_config::text(file)?.to_string());
    }
    if let Some(file) = &test.token_file {
        let token = Secret::new(client_config::text(file)?.trim().to_owned());
        return setup(test, zone, settings, Proof::Token(token)).map(|setup| Asked::Setup(Box::new(setup)));
    }
    if settings.get("sasl.mechanism").is_some_and(|mechanism| mechanism == OAUTHBEARER) {
        return Err(no_secrets(AuthenticationMode::OauthBearer));
    }
    if settings.contains_key("sasl.username") {
        return setup(test, zone, settings, Proof::Given).map(|setup| Asked::Setup(Box::new(setup)));
    }
    match mode {
        AuthenticationMode::Plain | AuthenticationMode::Scram if zone.view == View::Partner => {
            Err(Failure::usage("a partner's key can issue no credential for a test").next(
                "give the partner's own login by --command-config FILE, or --username and --password-file; or use a key of the role \
                 `admin`",
            ))
        }
        AuthenticationMode::Plain | AuthenticationMode::Scram => Ok(Asked::Issue(settings)),
        AuthenticationMode::Mtls if settings.contains_key("ssl.certificate.location") => {
            setup(test, zone, settings, Proof::Certificate).map(|setup| Asked::Setup(Box::new(setup)))
        }
        mode => Err(no_secrets(mode)),
    }
}

/// With the credential that the server has issued.
pub(super) fn issued(
    test: &Test,
    zone: &Zone,
    mut settings: Settings,
    issued: &Value,
) -> Result<Setup, Failure> {
    let mechanism = issued.pointer("/mechanisms/0").and_then(Value::as_str).unwrap_or_default();
    for (name, value) in [
        ("sasl.mechanism", mechanism),
        ("sasl.username", credentials::field(issued, "username")?),
        ("sasl.password", credentials::field(issued, "secret")?),
    ] {
        settings.insert(name.to_owned(), value.to_owned());
    }
    setup(test, zone, settings, Proof::Issued)
}

fn setup(test: &Test, zone: &Zone, mut settings: Settings, proof: Proof) -> Result<Setup, Failure> {
    let in_file = settings.remove("bootstrap.servers");
    let (servers, origin) = match (test.bootstrap.clone().or(in_file), &zone.bootstrap_servers) {
        (Some(given), Some(told)) if given == *told => (given, Origin::Gateways),
        (Some(given), _) => (given, Origin::Given),
        (None, Some(told)) => (told.clone(), Origin::Gateways),
        (None, None) => return Err(not_served()),
    };
    let addresses: Vec<String> = servers.split(',').map(|address| address.trim().to_owned()).collect();
    if let Some(wrong) = addresses.iter().find(|address| host_and_port(address).is_none()) {
        return Err(Failure::usage(format!("`{wrong}` is no address")).next("write it as host:port"));
    }
    // The login by a token is not one of librdkafka's settings here.
    if let (Proof::Token(_), Some(protocol)) = (&proof, settings.get_mut("security.protocol")) {
        let is_tls = protocol.to_ascii_uppercase().ends_with("SSL");
        if is_tls { "SSL" } else { "PLAINTEXT" }.clone_into(protocol);
        settings.retain(|name, _| !name.starts_with("sasl."));
    }
    let security = UpstreamSecurity::from_properties(&settings).map_err(|error| {
        Failure::usage(error).next(format!(
            "the zone is served at {}; with --command-config the file says how to connect",
            zone.security_protocol.as_deref().unwrap_or("no listener at this moment")
        ))
    })?;
    Ok(Setup { addresses, origin, security, proof })
}

/// The parts of `host:port`; an IPv6 address stands in brackets.
pub(super) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then_some((host, port))
}

fn set(settings: &mut Settings, name: &str, path: Option<&Path>) {
    if let Some(path) = path {
        settings.insert(name.to_owned(), path.to_string_lossy().into_owned());
    }
}

fn not_served() -> Failure {
    Failure::usage("no gateway serves the zone, so there is no address that its partner is given").next(
        "look at `get zone NAME` and `get nodes`; --bootstrap and --command-config name an address all the same",
    )
}

/// What a zone wants instead of a secret.
fn no_secrets(mode: AuthenticationMode) -> Failure {
    let (takes, flags) = match mode {
        AuthenticationMode::OauthBearer => (
            "tokens (OAUTHBEARER)",
            "let its issuer make one for the partner, and give it by --token-file FILE",
        ),
        AuthenticationMode::Mtls => (
            "certificates (MTLS)",
            "give one that its authority has signed, by --certificate FILE and --key FILE in PEM form",
        ),
        AuthenticationMode::Plain | AuthenticationMode::Scram => {
            ("secrets", "give one by --username and --password-file")
        }
    };
    Failure::usage(format!("the zone takes {takes}, and none can be issued for a test")).next(flags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::ExitCode;
    use crate::kafka::sasl::Mechanism;

    fn zone(mode: &str, protocol: &str) -> Zone {
        Zone::of(json!({
            "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
            "spec": {
                "cluster": "gateway", "displayName": "Acme",
                "authenticationMode": {"type": mode, "serviceAccount": "acme-account"},
                "topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}],
            },
            "status": {"phase": "READY", "bootstrapServers": "kafka:1,other:2", "securityProtocol": protocol},
        }))
        .unwrap()
    }

    /// The same zone, as the server shows it to its partner.
    fn partners(mode: &str, protocol: &str) -> Zone {
        Zone::of(json!({
            "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "authenticationMode": {"type": mode, "serviceAccount": "acme-account"},
                "access": {"allowedCidrs": ["10.0.0.0/8"]}, "consumerGroups": [{"name": "billing"}],
                "topics": [
                    {"name": "orders", "permission": "WRITE", "replay": {"maxAge": "7d"}},
                    {"name": "__odd", "permission": "WRITE", "tags": ["x"]},
                ],
            },
            "status": {
                "phase": "READY", "failedReason": null, "bootstrapServers": "kafka:1", "securityProtocol": protocol,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }))
        .unwrap()
    }

    fn with(edit: impl FnOnce(&mut Test)) -> Test {
        let mut test = Test { zone: "acme".to_owned(), ..Test::default() };
        edit(&mut test);
        test
    }

    #[test]
    fn without_a_credential_one_is_issued_where_the_zone_takes_it() {
        let zone_of = zone("SCRAM", "SASL_PLAINTEXT");
        let test = with(|_| {});
        let Asked::Issue(settings) = asked(&test, &zone_of).unwrap() else { panic!("nothing is issued") };
        let answer = json!({"username": "pz1", "secret": "s", "mechanisms": ["SCRAM-SHA-512"]});
        let setup = issued(&test, &zone_of, settings, &answer).unwrap();
        assert_eq!(
            (setup.addresses, setup.origin),
            (vec!["kafka:1".to_owned(), "other:2".to_owned()], Origin::Gateways)
        );
        let login = setup.security.sasl.unwrap();
        assert_eq!((login.mechanism, login.username.as_str()), (Mechanism::ScramSha512, "pz1"));
        assert!(setup.security.tls.is_none());
    }

    #[test]
    fn a_partner_tries_its_zone_by_a_login_of_its_own_and_is_told_so_without_one() {
        let zone = partners("SCRAM", "SASL_PLAINTEXT");
        assert_eq!((zone.standing(), zone.written.topics.len()), (Ok("READY".to_owned()), 2));
        assert_eq!(zone.behind(&zone.written.topics[0]), "the topic behind `orders`");
        let Err(refused) = asked(&with(|_| {}), &zone) else { panic!("a credential would be issued") };
        assert_eq!(refused.exit_code, ExitCode::Usage);
        let next = refused.next_step.unwrap();
        assert!(next.contains("--command-config") && next.contains("the role `admin`"), "{next}");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kcat");
        let own = "security.protocol=SASL_PLAINTEXT\nsasl.mechanisms=SCRAM-SHA-512\nsasl.username=pz1\nsasl.password=s\n";
        std::fs::write(&file, own).unwrap();
        let test = with(|test| test.command_config = Some(file));
        let Asked::Setup(setup) = asked(&test, &zone).unwrap() else { panic!("no setup") };
        assert!(matches!(setup.proof, Proof::Given));
        assert_eq!((setup.addresses, setup.origin), (vec!["kafka:1".to_owned()], Origin::Gateways));

        let certificate = with(|test| (test.certificate, test.key) = (Some("/c".into()), Some("/k".into())));
        assert!(matches!(asked(&certificate, &partners("MTLS", "SSL")), Ok(Asked::Setup(_))));
    }

    #[test]
    fn an_owner_of_some_topics_is_told_which_key_it_takes() {
        let shown = json!({
            "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
            "spec": {"topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}]},
            "status": {"phase": "READY", "otherTopics": 1},
        });
        let refused = Zone::of(shown).unwrap_err();
        assert_eq!(refused.exit_code, ExitCode::Usage);
        assert!(refused.next_step.unwrap().contains("the role `admin`"));
    }

    #[test]
    fn a_zone_without_secrets_says_what_it_needs() {
        for (mode, protocol, wanted) in
            [("OAUTHBEARER", "SASL_SSL", "--token-file"), ("MTLS", "SSL", "--certificate")]
        {
            let Err(failure) = asked(&with(|_| {}), &zone(mode, protocol)) else { panic!("{mode}") };
            assert!(failure.next_step.as_ref().unwrap().contains(wanted), "{failure}");
        }
        let test = with(|test| {
            (test.certificate, test.key) = (Some("/c".into()), Some("/k".into()));
        });
        let Asked::Setup(setup) = asked(&test, &zone("MTLS", "SSL")).unwrap() else { panic!("no setup") };
        assert!(matches!(setup.proof, Proof::Certificate) && setup.security.sasl.is_none());
        let files = setup.security.tls.unwrap().files().clone();
        assert_eq!(files.identity, Some(("/c".into(), "/k".into())));
    }

    #[test]
    fn flags_come_before_what_the_server_says() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let test = with(|test| {
            (test.username, test.password_file) = (Some("u".to_owned()), Some(secret.clone()));
            (test.bootstrap, test.ca) = (Some("[::1]:9".to_owned()), Some("/ca".into()));
        });
        let Asked::Setup(setup) = asked(&test, &zone("PLAIN", "SASL_SSL")).unwrap() else {
            panic!("no setup")
        };
        let login = setup.security.sasl.as_ref().unwrap();
        assert_eq!((login.mechanism, login.password.expose().as_str()), (Mechanism::Plain, "hunter2"));
        assert_eq!(setup.security.tls.as_ref().unwrap().files().ca, Some("/ca".into()));
        assert_eq!((setup.addresses.as_slice(), setup.origin), (&["[::1]:9".to_owned()][..], Origin::Given));
        assert!(!format!("{setup:?}").contains("hunter2"), "a secret never shows");
        let token = with(|test| test.token_file = Some(secret));
        let Asked::Setup(setup) = asked(&token, &zone("OAUTHBEARER", "SASL_SSL")).unwrap() else {
            panic!("no setup")
        };
        assert!(
            matches!(setup.proof, Proof::Token(_))
                && setup.security.sasl.is_none()
                && setup.security.tls.is_some()
        );
        let wrong = with(|test| test.ca = Some("/ca".into()));
        let Ok(Asked::Issue(settings)) = asked(&wrong, &zone("PLAIN", "SASL_PLAINTEXT")) else {
            panic!("not asked")
        };
        assert!(setup_refused(&wrong, settings).contains("SASL_SSL"));
    }

    fn setup_refused(test: &Test, mut settings: Settings) -> String {
        for name in ["sasl.username", "sasl.password"] {
            settings.insert(name.to_owned(), "x".to_owned());
        }
        settings.insert("sasl.mechanism".to_owned(), "PLAIN".to_owned());
        let zone = zone("PLAIN", "SASL_PLAINTEXT");
        setup(test, &zone, settings, Proof::Given).unwrap_err().to_string()
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (address, wanted) in [
            ("kafka.example.com:9092", Some(("kafka.example.com", 9092))),
            ("[::1]:9092", Some(("::1", 9092))),
            ("kafka", None),
            (":9092", None),
            ("kafka:0", None),
            ("kafka:70000", None),
        ] {
            assert_eq!(host_and_port(address), wanted);
        }
    }
}
