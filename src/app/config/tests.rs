mod sign_in;

use std::time::Duration;

use super::*;
use crate::gateway::{ClientAuth, ClientCertificates, Refresh};
use crate::policy::token::Algorithm;

fn good(yaml: &str, environment: &Environment) -> Config {
    parse("reconciler.yaml", yaml.as_bytes(), environment).unwrap()
}

fn problems(yaml: &str, environment: &Environment) -> Vec<String> {
    match parse("r.yaml", yaml.as_bytes(), environment) {
        Err(ConfigError::Invalid(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

const FULL: &str = "
source:
  url: https://git.example.com/streams/zones.git
  ref: refs/heads/main
  path: zones
  pollInterval: 45s
  auth: {}
  verify: {mode: none}
  onHistoryRewrite: accept
  writeBack: {mode: none}
gateway:
  name: edge
  listen: 127.0.0.1
  advertisedHost: kafka.partners.example.com
  bootstrapPort: 29092
  brokerPortBase: 29100
  tls: {certificateFile: /etc/tls.crt, keyFile: /etc/tls.key, clientCaFile: /etc/partners-ca.crt}
  sni: {domain: partners.example.com}
  proxyProtocol: {from: [10.1.0.0/16, 192.0.2.7]}
clusters:
  west:
    bootstrapServers: broker-1:9092,broker-2:9092
    properties: {security.protocol: SASL_PLAINTEXT, sasl.mechanism: SCRAM-SHA-512, sasl.username: zones, sasl.password: '${PW}'}
    isolation: shared
    stateReplicationFactor: 3
  east: {bootstrapServers: 'other:9092', brokerPortBase: 29200}
oauth:
  issuers:
    login:
      issuer: https://login.example.com/realm
      audience: [kafka, partners]
      algorithms: RS256
      clockSkew: 5s
      subjectClaim: azp
      scopes: [kafka]
      jwksUrl: https://keys.example.com/jwks
      caFile: /etc/ca.pem
      refreshInterval: 5m
      unknownKeyInterval: 10s
      keepKeys: 12h
    local: {issuer: 'http://127.0.0.1:8080', audience: kafka}
guards: {maxDeletePercent: 20, maxUpdatePercent: 100, floor: 5}
forge: {kind: gitlab, repository: streams/zones, tokenFile: /run/secrets/forge}
notify: {webhook: {url: 'https://hooks.example.com/zones', secretFile: /run/secrets/hook}}
http:
  admin: 127.0.0.1:9080
  advertisedUrl: http://controller-1:9080/
  bootstrapKeyFile: /run/key
node: {id: controller-1}
dataDir: /data
store: kafka
";

#[test]
fn every_documented_key_that_is_built_arrives() {
    let config = good(FULL, &Environment::from([("PW", "hunter2")]));
    let source = config.source().unwrap();
    assert_eq!(source.url, "https://git.example.com/streams/zones.git");
    assert_eq!(
        (source.poll_interval, source.on_history_rewrite),
        (Duration::from_secs(45), OnHistoryRewrite::Accept)
    );
    assert_eq!((config.gateway.name.as_str(), config.gateway.bootstrap_port), ("edge", 29092));
    assert_eq!(config.advertised_host().unwrap(), "kafka.partners.example.com");
    let tls = config.gateway.tls.as_ref().unwrap();
    assert_eq!((tls.key.as_path(), tls.clients.ca.is_some()), (Path::new("/etc/tls.key"), true));
    assert_eq!(tls.clients.auth, ClientAuth::Required, "as it always was with an authority");
    assert_eq!(config.gateway.sni.as_ref().unwrap().to_string(), "partners.example.com");
    let balancers: Vec<_> = config.gateway.balancers.iter().map(ToString::to_string).collect();
    assert_eq!(balancers, ["10.1.0.0/16", "192.0.2.7/32"]);
    let names: Vec<_> = config.clusters.iter().map(|c| (c.name.as_str(), c.broker_port_base)).collect();
    assert_eq!(
        names,
        [("west", 29100), ("east", 29200)],
        "the first cluster of the file is the home cluster"
    );
    assert_eq!(config.guards, Guards { max_delete_percent: 20, max_update_percent: 100, floor: 5 });
    assert_eq!(config.http.advertised_url, "http://controller-1:9080");
    assert_eq!(config.node, "controller-1");
    let [login, local] = &config.issuers[..] else { panic!("{:?}", config.issuers) };
    assert_eq!(
        (login.name.as_str(), login.rules.issuer.as_str()),
        ("login", "https://login.example.com/realm")
    );
    assert_eq!((login.rules.audiences.len(), &login.rules.algorithms[..]), (2, &[Algorithm::Rs256][..]));
    assert_eq!((login.rules.subject_claim.as_str(), login.rules.scopes.len()), ("azp", 1));
    assert_eq!(login.rules.clock_skew, Duration::from_secs(5));
    assert_eq!(login.jwks_url.as_ref().unwrap().as_str(), "https://keys.example.com/jwks");
    assert_eq!(login.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    let minutes = [login.refresh.interval, login.refresh.unknown_key, login.refresh.keep];
    assert_eq!(minutes, [Duration::from_mins(5), Duration::from_secs(10), Duration::from_hours(12)]);
    assert_eq!((&local.jwks_url, &local.rules.algorithms[..]), (&None, &Algorithm::ALL[..]));
    assert_eq!((local.rules.subject_claim.as_str(), local.rules.scopes.len()), ("sub", 0));
    assert_eq!((local.rules.clock_skew, local.refresh), (Duration::from_secs(30), Refresh::default()));
    let properties = config.home().unwrap().librdkafka_properties();
    let pairs: Vec<_> = properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let wanted = [
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.password", "hunter2"),
        ("sasl.username", "zones"),
        ("security.protocol", "sasl_plaintext"),
    ];
    assert_eq!(pairs, wanted);
    assert!(!format!("{config:?}").contains("hunter2"), "a secret never shows");
}

#[test]
fn nothing_configured_means_the_documented_defaults() {
    let config = good("", &Environment::default());
    assert_eq!(config.http.admin.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.advertised_url, "http://127.0.0.1:8080");
    assert_eq!(config.http.bootstrap_key_file, Path::new("/var/lib/partner-zones/api-key"));
    assert_eq!((config.gateway.bootstrap_port, config.store), (19092, StoreKind::Kafka));
    assert_eq!(config.guards, Guards { max_delete_percent: 30, max_update_percent: 30, floor: 10 });
    let missing = config.source().unwrap_err().to_string();
    assert!(missing.starts_with("`source.url` is not set"), "{missing}");
    assert!(config.home().is_err() && config.advertised_host().is_err());
}

#[test]
fn every_key_can_come_from_the_environment_and_wins_over_the_file() {
    let environment = Environment::from([
        ("RECONCILER_SOURCE__POLL_INTERVAL", "5m"),
        ("RECONCILER_CLUSTERS__MY_CLUSTER__PROPERTIES__SECURITY_PROTOCOL", "sasl_plaintext"),
        ("RECONCILER_CLUSTERS__MY_CLUSTER__PROPERTIES__SASL_USERNAME", "u"),
        ("RECONCILER_CLUSTERS__MY_CLUSTER__PROPERTIES__SASL_MECHANISM", "PLAIN"),
        ("RECONCILER_CLUSTERS__MY_CLUSTER__PROPERTIES__SASL_PASSWORD", "p"),
        ("RECONCILER_CLUSTERS__OTHER__BOOTSTRAP_SERVERS", "o:1"),
        ("RECONCILER_CLUSTERS__OTHER__BROKER_PORT_BASE", "30000"),
        ("RECONCILER_DATA_DIR", "/elsewhere"),
        ("RECONCILER_CONFIG", "not a key"),
        ("RECONCILER_URL", "not a key"),
        ("RECONCILER_API_KEY", "not a key"),
        ("RECONCILER_PROFILE", "not a key"),
    ]);
    let yaml = "source: {url: /zones, pollInterval: 1s}\nclusters: {my-cluster: {bootstrapServers: 'b:1'}}\n";
    let config = good(yaml, &environment);
    assert_eq!(config.source().unwrap().poll_interval, Duration::from_mins(5));
    assert_eq!(config.data_dir, Path::new("/elsewhere"));
    let names: Vec<_> = config.clusters.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["my-cluster", "other"]);
    assert!(config.clusters[0].security.sasl.is_some());
}

/// Files with one problem, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    ("sorce: {url: x}", "r.yaml:1:9: unknown key `sorce.url`"),
    (
        "source:\n  pollInterwal: 3s",
        "r.yaml:2:3: unknown key `source.pollInterwal`; did you mean `pollInterval`?",
    ),
    ("gateway: 5", "r.yaml:1:1: `gateway` takes keys below it, not a value"),
    ("source: {url: }", "r.yaml:1:10: `source.url` has no value"),
    ("source: {ref: [a, b]}", "r.yaml:1:10: `source.ref` takes one value, not a list"),
    (
        "source: {path: [a, {b: c}]}",
        "r.yaml:1:10: `source.path` has something in its list that is no plain value",
    ),
    (
        "source: {url: /z, path: ../x}",
        "r.yaml:1:10: source.path \"../x\" must be a folder or a glob inside the repository, without `..`",
    ),
    (
        "source: {url: /z, path: [zones, '**/*.yaml']}",
        "r.yaml:1:10: source.path \"**/*.yaml\" would take in everything: name folders, or spell the whole repository `.`",
    ),
    (
        "source: {url: 'git@h:z.git', auth: {sshKeyFile: /k}}",
        "r.yaml:1:10: source.url uses ssh, which needs source.auth.knownHostsFile",
    ),
    (
        "source: {url: 'https://h/z.git', auth: {sshKeyFile: /k}}",
        "r.yaml:1:10: source.auth.sshKeyFile has no effect: source.url does not use ssh",
    ),
    (
        "source: {verify: {mode: range}}",
        "r.yaml:1:19: `source.verify.mode` is set, but `source.verify.keys`, the folder of public keys, is missing",
    ),
    (
        "source: {verify: {keys: /k}}",
        "r.yaml:1:19: `source.verify.keys` has no effect: set `source.verify.mode` to head or range",
    ),
    (
        "source: {environments: {a: {path: x}}}",
        "r.yaml:1:29: `source.environments.a.path` is set, but `source.environment` does not say which environment this is",
    ),
    (
        "source: {environment: b, environments: {a: {path: x}}}",
        "r.yaml:1:10: `source.environment` is `b`, but `source.environments.b.path` is missing",
    ),
    (
        "source: {environment: a, path: y, environments: {a: {path: x}}}",
        "r.yaml:1:26: `source.path` has no effect beside `source.environments`: set it in each of them",
    ),
    (
        "source: {environment: a}",
        "r.yaml:1:10: `source.environment` is set, but there are no `source.environments`",
    ),
    (
        "source: {limits: {fileSize: 2MiB}}",
        "r.yaml:1:19: `source.limits.fileSize` is 2097152; at most 1048576 is possible",
    ),
    (
        "source: {limits: {fetchSize: lots}}",
        "r.yaml:1:19: `source.limits.fetchSize` is `lots`; wanted is a size such as 64KiB or 10MB",
    ),
    (
        "source: {ref: main}",
        "r.yaml:1:10: `source.ref` is `main`; write the full name, for example refs/heads/main",
    ),
    (
        "gateway:\n  tls: {keyFile: k}",
        "r.yaml:2:9: `gateway.tls.keyFile` is set, but `gateway.tls.certificateFile` is missing",
    ),
    (
        "gateway: {tls: {certificateFile: c, keyFile: k, clientAuth: required}}",
        "r.yaml:1:49: `gateway.tls.clientAuth` is `required`, and it is not said by whose authority; set `gateway.tls.clientCaFile`",
    ),
    (
        "gateway: {tls: {certificateFile: c, keyFile: k, clientAuth: none}}",
        "r.yaml:1:49: `gateway.tls.clientAuth` is `none`; wanted is required or requested",
    ),
    (
        "gateway: {tls: {certificateFile: c, keyFile: k, principalMappingRules: 'DEFAULT, RULE:^CN=(?i)a$/x/'}}",
        "r.yaml:1:49: `gateway.tls.principalMappingRules` is wrong at character 19: flags such as `(?i)` are not taken; write both \
             cases as `[Aa]`, or L or U at the end of the rule",
    ),
    (
        "gateway: {sni: {domain: partners.example.com}}",
        "r.yaml:1:17: `gateway.sni.domain` needs TLS, which tells the host name; set `gateway.tls.certificateFile` and \
             `gateway.tls.keyFile`",
    ),
    (
        "gateway: {tls: {certificateFile: c, keyFile: k}, sni: {domain: Example.com}}",
        "r.yaml:1:56: `gateway.sni.domain` is `Example.com`, which is not a domain such as partners.example.com, in lower case and \
             of at most 180 characters",
    ),
    (
        "gateway: {proxyProtocol: {from: balancer}}",
        "r.yaml:1:27: `gateway.proxyProtocol.from` holds `balancer`; wanted is an address or a block of them, for example \
             10.0.0.0/24",
    ),
    (
        "gateway: {proxyProtocol: {from: 10.0.0.1/8}}",
        "r.yaml:1:27: `gateway.proxyProtocol.from` holds `10.0.0.1/8`, whose address has bits set behind the prefix; the block \
             is 10.0.0.0/8",
    ),
    (
        "gateway: {proxyProtocol: {from: '::/0'}}",
        "r.yaml:1:27: `gateway.proxyProtocol.from` holds every address there is: partners could say that they come from \
             anywhere",
    ),
    (
        "gateway: {proxyProtocol: {from: []}}",
        "r.yaml:1:27: `gateway.proxyProtocol.from` names nobody; list the balancers' addresses, or leave it out",
    ),
    (
        "http: {portal: 127.0.0.1:1}",
        "r.yaml:1:8: `http.portal` needs a later version; remove it, it would have no effect",
    ),
    (
        "masterKey: '0123456789012345678901234567890123456789'",
        "r.yaml:1:1: `masterKey` is set, and every cluster has `isolation: shared`, or logins from files: it would have no effect",
    ),
    (
        "source: {writeBack: {mode: push}}",
        "r.yaml:1:22: `source.writeBack.mode` is `push`; wanted is none or commit or branch",
    ),
    (
        "source: {verify: {mode: nope}}",
        "r.yaml:1:19: `source.verify.mode` is `nope`; wanted is none or head or range",
    ),
    (
        "http: {admin: localhost}",
        "r.yaml:1:8: `http.admin` is `localhost`; wanted is IP:PORT, for example 127.0.0.1:8080",
    ),
    (
        "guards: {maxDeletePercent: 101}",
        "r.yaml:1:10: `guards.maxDeletePercent` is `101`; wanted is a number from 0 to 100",
    ),
    (
        "dataDir: ${HOME}/x",
        "r.yaml:1:1: `dataDir` is no secret: `${NAME}` and `file:PATH` are for secrets only; set RECONCILER_DATA_DIR instead",
    ),
    (
        "clusters: {a: {isolation: shared}}",
        "r.yaml:1:16: `clusters.a.isolation` is set, but `clusters.a.bootstrapServers` is missing",
    ),
    (
        "masterKey: '0123456789012345678901234567890123456789'\nclusters: {a: {bootstrapServers: 'b:1', isolation: principal}}",
        "r.yaml:2:41: `clusters.a.isolation` is `principal`, and zones log in by SCRAM: set `security.protocol` to SASL_SSL or \
             SASL_PLAINTEXT",
    ),
    (
        "clusters: {a: {bootstrapServers: 'b:1', properties: {ssl.ca.location: /ca.pem}}}",
        "r.yaml:1:54: `clusters.a.properties`: ssl.ca.location is set, and security.protocol is PLAINTEXT: set it to SSL",
    ),
    (
        "clusters: {a: {bootstrapServers: 'b:1', properties: {sasl.username: u}}}",
        "r.yaml:1:54: `clusters.a.properties`: sasl.username is set, and security.protocol is PLAINTEXT: set it to SASL_PLAINTEXT",
    ),
    ("store: kafka\nstore: memory", "r.yaml:2:1: the key `store` is here twice; keep one of the two"),
];

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    for (yaml, wanted) in WRONG {
        assert_eq!(problems(yaml, &Environment::default()), [*wanted], "{yaml}");
    }
}

#[test]
fn what_is_wanted_of_clients_certificates_is_said_or_follows_from_the_authorities() {
    let clients = |more: &str| {
        let tls = format!("{{certificateFile: c, keyFile: k{more}}}");
        let text = format!(
            "source: {{url: u}}\ngateway: {{advertisedHost: h, tls: {tls}}}\nclusters: {{a: {{bootstrapServers: 'b:1'}}}}"
        );
        parse("r.yaml", text.as_bytes(), &Environment::default()).unwrap().gateway.tls.unwrap().clients
    };
    assert_eq!(clients(""), ClientCertificates::default());
    assert_eq!(clients(", clientCaFile: ca").auth, ClientAuth::Required);
    assert_eq!(clients(", clientCaFile: ca, clientAuth: requested").auth, ClientAuth::Requested);
    let given = clients(", revokedFile: r, principalMappingRules: 'RULE:^CN=(.*?),.*$/$1/L, DEFAULT'");
    assert_eq!(given.revoked.as_deref(), Some(Path::new("r")));
    assert_eq!(given.mapping.name("CN=Acme,O=x").as_deref(), Some("acme"));
}

#[test]
fn all_problems_are_reported_at_once_those_of_the_environment_too() {
    let environment = Environment::from([("RECONCILER_GATEWAY__NAEM", "x"), ("RECONCILER_STORE", "disk")]);
    let found = problems("a: 1\nguards: {floor: many}", &environment);
    assert_eq!(
        found,
        [
            "environment variable RECONCILER_GATEWAY__NAEM: names no key of the configuration",
            "r.yaml:1:1: unknown key `a`",
            "r.yaml:2:10: `guards.floor` is `many`; wanted is a whole number",
            "environment variable RECONCILER_STORE: `store` is `disk`; wanted is kafka or memory",
        ]
    );
}

#[test]
fn two_clusters_cannot_have_the_same_broker_ports() {
    let found = problems(
        "clusters: {a: {bootstrapServers: 'b:1'}, b: {bootstrapServers: 'b:2'}}",
        &Environment::default(),
    );
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`clusters.b.brokerPortBase`"), "{found:?}");
}

#[test]
fn a_secret_comes_from_a_file_or_a_variable_and_its_absence_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pw");
    std::fs::write(&path, "from-file\n").unwrap();
    let yaml = |password: &str| {
        format!(
            "clusters: {{a: {{bootstrapServers: 'b:1', properties: {{security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: '{password}'}}}}}}"
        )
    };
    let config = good(&yaml(&format!("file:{}", path.display())), &Environment::default());
    assert_eq!(config.clusters[0].librdkafka_properties()["sasl.password"], "from-file");
    let found = problems(&yaml("${NOT_THERE}"), &Environment::default());
    assert!(
        found[0].ends_with("`clusters.a.properties.sasl.password` asks for ${NOT_THERE}, which is not set"),
        "{found:?}"
    );
}

#[test]
fn zones_of_their_own_principal_need_a_master_key_that_cannot_be_guessed() {
    let sasl = "properties: {security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: p}";
    let yaml = |rest: &str| {
        format!("clusters: {{a: {{bootstrapServers: 'b:1', isolation: principal, {sasl}}}}}\n{rest}")
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{}\n", "k".repeat(40))).unwrap();
    let file = format!("masterKeyFile: {}", path.display());
    let environment = Environment::from([("KEY", "k".repeat(40).as_str())]);
    for rest in [file.as_str(), "masterKey: ${KEY}"] {
        let config = good(&yaml(rest), &environment);
        assert!(config.clusters[0].isolation.master_keys().is_some(), "{rest}");
        assert!(!format!("{config:?}").contains("kkk"), "a secret never shows");
    }
    for (rest, wanted) in [
        ("", "set `masterKeyFile`"),
        ("masterKeyFile: /nonexistent/key", "cannot be read"),
        ("masterKey: short", "has 5 bytes"),
        (&format!("{file}\nmasterKey: ${{KEY}}"), "there is one master key"),
    ] {
        let found = problems(&yaml(rest), &environment);
        assert!(matches!(&found[..], [only] if only.contains(wanted)), "{rest}: {found:?}");
    }
}

#[test]
fn where_there_is_a_master_key_zones_have_principals_unless_somebody_wrote_otherwise() {
    let sasl = "properties: {security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: p}";
    let folder = tempfile::tempdir().unwrap();
    let file = |letter: &str| {
        let path = folder.path().join(letter);
        std::fs::write(&path, letter.repeat(40)).unwrap();
        path.display().to_string()
    };
    let [new, old] = ["n", "o"].map(file);
    let yaml = |cluster: &str, rest: &str| {
        format!(
            "clusters: {{a: {{bootstrapServers: 'b:1', {sasl}}}, b: {{bootstrapServers: 'c:1', brokerPortBase: 19200{cluster}}}}}\n{rest}"
        )
    };
    let none = Environment::default();
    let with_key = format!("masterKeyFile: {new}\npreviousMasterKeyFile: {old}");
    let config = good(&yaml(&format!(", isolation: shared, {sasl}"), &with_key), &none);
    let [a, b] = [&config.clusters[0].isolation, &config.clusters[1].isolation];
    assert_eq!(a.master_keys().map(|keys| keys.all().count()), Some(2));
    assert!(b.master_keys().is_none() && b.gives_principals_up());
    let config = good(&yaml("", ""), &none);
    assert!(config.clusters.iter().all(|it| it.isolation.master_keys().is_none()));
    assert!(config.clusters.iter().all(|it| !it.isolation.gives_principals_up()), "nobody wrote it");
    for (cluster, rest, wanted) in [
        ("", with_key.as_str(), "or `clusters.b.isolation` to `shared`"),
        (", isolation: shared", &format!("previousMasterKeyFile: {old}"), "which takes its place, is not"),
        (
            ", isolation: shared",
            &format!("masterKeyFile: {new}\npreviousMasterKeyFile: {new}"),
            "the master key itself",
        ),
    ] {
        let found = problems(&yaml(cluster, rest), &none);
        assert!(matches!(&found[..], [only] if only.contains(wanted)), "{rest}: {found:?}");
    }
    let all_shared =
        format!("clusters: {{a: {{bootstrapServers: 'b:1', isolation: shared}}}}\nmasterKeyFile: {new}");
    let found = problems(&all_shared, &none);
    assert!(matches!(&found[..], [only] if only.contains("no effect")), "{found:?}");
}

#[test]
fn the_gateway_has_a_login_of_its_own_and_takes_the_rest_from_the_clusters_properties() {
    let yaml = |data_plane: &str| {
        format!(
            "clusters:\n  a:\n    bootstrapServers: b:1\n    properties: {{security.protocol: sasl_ssl, sasl.mechanism: PLAIN, \
             sasl.username: control, sasl.password: one, ssl.ca.location: /ca}}\n    dataPlane: {{properties: {{{data_plane}}}}}\n"
        )
    };
    let own = "sasl.username: plane, sasl.password: hunter2, sasl.mechanisms: SCRAM-SHA-256";
    let config = good(&yaml(own), &Environment::default());
    let [control, plane] = [&config.clusters[0].security, &config.clusters[0].data_plane];
    assert_eq!(control.librdkafka_properties()["sasl.username"], "control");
    let plane = plane.librdkafka_properties();
    let wanted = [
        ("sasl.username", "plane"),
        ("sasl.password", "hunter2"),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("ssl.ca.location", "/ca"),
        ("security.protocol", "sasl_ssl"),
    ];
    assert!(wanted.iter().all(|(name, value)| plane[*name] == *value), "{plane:?}");
    assert!(!format!("{config:?}").contains("hunter2"), "a secret never shows");
    // Without one it is as it was.
    let same = good(
        "clusters: {a: {bootstrapServers: 'b:1', properties: {security.protocol: ssl}}}",
        &Environment::default(),
    );
    assert!(same.clusters[0].data_plane.tls.is_some());
    for (data_plane, wanted) in [
        ("security.protocol: ssl", "unknown key `clusters.a.dataPlane.properties.security.protocol`"),
        ("sasl.mechanism: GSSAPI", "`clusters.a.dataPlane.properties`: sasl.mechanism"),
        ("sasl.password: '${NOT_THERE}'", "asks for ${NOT_THERE}"),
    ] {
        let found = problems(&yaml(data_plane), &Environment::default());
        assert!(matches!(&found[..], [only] if only.contains(wanted)), "{data_plane}: {found:?}");
    }
}

#[test]
fn logins_from_files_say_that_zones_have_principals_and_contradict_what_says_otherwise() {
    const SASL: &str = "properties: {security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: p}";
    let yaml =
        |cluster: &str, rest: &str| format!("clusters:\n  a: {{bootstrapServers: 'b:1', {cluster}}}\n{rest}");
    let none = Environment::default();
    for isolation in ["", ", isolation: principal"] {
        let files = format!("{SASL}, principals: {{source: files, directory: /logins}}{isolation}");
        let config = good(&yaml(&files, ""), &none);
        let isolation = &config.clusters[0].isolation;
        assert_eq!(isolation.login_files().unwrap().path("acme"), Path::new("/logins/acme.properties"));
        assert!(isolation.master_keys().is_none() && !isolation.gives_principals_up());
    }
    let key = "masterKey: a key of this test, thirty-two bytes and more";
    let managed = good(&yaml(&format!("{SASL}, principals: {{source: managed}}"), key), &none);
    assert!(managed.clusters[0].isolation.master_keys().is_some());
    for (cluster, rest, wanted) in [
        (format!("{SASL}, principals: {{source: files}}"), "", "set `clusters.a.principals.directory`"),
        (
            format!("{SASL}, principals: {{directory: /l}}"),
            "",
            "`clusters.a.principals.source` is not `files`",
        ),
        (format!("{SASL}, principals: {{source: cloud}}"), "", "wanted is managed or files"),
        (format!("{SASL}, principals: {{source: managed}}"), "", "that needs `masterKeyFile`"),
        (
            format!("{SASL}, isolation: shared, principals: {{source: files, directory: /l}}"),
            "",
            "`clusters.a.isolation` is `shared`, and `clusters.a.principals.source` is `files`",
        ),
        (
            "principals: {source: files, directory: /l}".to_owned(),
            "",
            "set `security.protocol` to SASL_SSL or",
        ),
        (format!("{SASL}, principals: {{source: files, directory: /l}}"), key, "it would have no effect"),
    ] {
        let found = problems(&yaml(&cluster, rest), &none);
        assert!(matches!(&found[..], [only] if only.contains(wanted)), "{cluster}: {found:?}");
    }
}

#[test]
fn a_file_that_was_named_must_exist() {
    let missing = Path::new("/nonexistent/reconciler.yaml");
    assert!(matches!(load(Some(missing), &Environment::default()), Err(ConfigError::Unreadable { .. })));
    let environment = Environment::from([("RECONCILER_CONFIG", "/nonexistent/r.yaml")]);
    assert!(matches!(load(None, &environment), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn the_configuration_of_the_readme_is_one_that_works() {
    let readme = include_str!("../../../README.md");
    let mut blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let shown = blocks.find(|block| block.starts_with("source:")).unwrap();
    let config = good(shown, &Environment::from([("KAFKA_PASSWORD", "p")]));
    assert!(config.source().is_ok() && config.advertised_host().is_ok());
}

#[test]
fn a_list_is_one_value_or_several_and_comes_from_a_variable_too() {
    let source = |yaml: &str, environment: &Environment| good(yaml, environment).source().unwrap().clone();
    let none = Environment::default();
    assert_eq!(source("source: {url: /z}", &none).paths, ["zones"]);
    assert_eq!(source("source: {url: /z, path: a}", &none).paths, ["a"]);
    let both = source("source: {url: /z, path: [a, 'b/*.yaml'], exclude: [a/old]}", &none);
    assert_eq!(
        (both.paths, both.exclude),
        (vec!["a".to_owned(), "b/*.yaml".to_owned()], vec!["a/old".to_owned()])
    );
    let variable = Environment::from([("RECONCILER_SOURCE__PATH", "c, d/*.yaml")]);
    assert_eq!(source("source: {url: /z, path: a}", &variable).paths, ["c", "d/*.yaml"]);
}

#[test]
fn an_environment_brings_its_own_files_and_a_variable_can_choose_it() {
    let yaml = "source: {url: /z, environment: test, environments: {test: {path: t}, production: {path: [p, q], exclude: p/x}}}";
    let chosen = |environment: &Environment| good(yaml, environment).source().unwrap().paths.clone();
    assert_eq!(chosen(&Environment::default()), ["t"]);
    let production = Environment::from([("RECONCILER_SOURCE__ENVIRONMENT", "production")]);
    assert_eq!(chosen(&production), ["p", "q"]);
}

#[test]
fn whom_to_tell_is_whole_or_left_out() {
    let config = good(FULL, &Environment::from([("PW", "hunter2")]));
    let forge = config.outside.forge.unwrap();
    assert_eq!(
        (forge.url.as_str(), forge.repository.as_str()),
        ("https://gitlab.com/api/v4", "streams/zones")
    );
    assert_eq!(config.outside.webhook.unwrap().secret_file, Path::new("/run/secrets/hook"));
    let none = good("{}", &Environment::default()).outside;
    assert!(none.forge.is_none() && none.webhook.is_none());
    assert_eq!(
        problems(
            "forge: {kind: gitea, tokenFile: t}\nnotify:\n  webhook: {url: 'https://x'}\n",
            &Environment::default()
        ),
        [
            "r.yaml:3:13: `notify.webhook.url` is set, but `notify.webhook.secretFile` is missing",
            "r.yaml:1:9: `forge.kind` is set, but `forge.repository` is missing",
            "r.yaml:1:9: `forge.kind` is `gitea`; wanted is github or gitlab",
        ]
    );
}

#[test]
fn an_issuer_is_whole_protected_and_there_once() {
    let issuer = |changes: &str| {
        let yaml =
            format!("oauth:\n  issuers:\n    a: {{issuer: 'https://a.example.com', audience: k{changes}}}");
        problems(&yaml, &Environment::default()).join("; ")
    };
    for (changes, wanted) in [
        (", algorithms: [RS256, none]", "r.yaml:3:"),
        (", algorithms: none", "\"none\" is none of RS256, "),
        (", algorithms: HS256", "\"HS256\" is none of"),
        (", algorithms: []", "is empty"),
        (", clockSkew: 10m", "at most 5m"),
        (", scopes: 'a b'", "a space in it"),
        (", jwksUrl: 'http://keys.example.com'", "wanted is https, and http to this machine alone"),
        (", jwksUrl: 'https://u:p@keys.example.com'", "wanted is an https address"),
        (", refreshInterval: 1ms", "between 1s and 1d"),
        (", keepKeys: 30d", "between 1m and 7d"),
        (", secret: x", "unknown key `oauth.issuers.a.secret`"),
    ] {
        let found = issuer(changes);
        assert!(found.starts_with("r.yaml:3:") && found.contains(wanted), "{changes}: {found}");
    }
    for (yaml, wanted) in [
        ("{a: {issuer: 'https://a.example.com'}}", "`oauth.issuers.a.audience` is missing"),
        ("{a: {audience: k}}", "`oauth.issuers.a.issuer` is missing"),
        ("{a: {issuer: 'http://a.example.com', audience: k}}", "wanted is https"),
        ("{'a b': {issuer: 'https://a.example.com', audience: k}}", "names an issuer `a b`, which holds ' '"),
        (
            "{a: {issuer: 'https://a.example.com', audience: k}, b: {issuer: 'https://a.example.com', audience: l}}",
            "is the same issuer as `oauth.issuers.a`",
        ),
    ] {
        let found = problems(&format!("oauth: {{issuers: {yaml}}}"), &Environment::default()).join("; ");
        assert!(found.contains(wanted), "{yaml}: {found}");
    }
}
