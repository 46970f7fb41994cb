//! Settings → [`Config`]: types, defaults, and the rules between settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::environment::Environment;
use super::oauth::issuers;
use super::outside::outside;
use super::settings::{Setting, Settings};
use super::source::source;
use super::{Cluster, Config, Gateway, Guards, Http, Isolation, SelfHeal, StoreKind, parse};
use crate::gateway::{ClientAuth, ClientCertificates, TlsFiles};
use crate::kafka::client::UpstreamSecurity;
use crate::policy::PrincipalMapping;
use crate::policy::principal::{MasterKey, MasterKeys};
use crate::zone::SniDomain;

/// Of the first cluster.
const DEFAULT_BROKER_PORT_BASE: u16 = 19_100;

/// Two places for one key.
const MASTER_KEYS: [&str; 2] = ["masterKeyFile", "masterKey"];
const PREVIOUS_MASTER_KEY: &str = "previousMasterKeyFile";

/// Takes values out of the settings and keeps what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    pub(super) fn optional<T>(
        &mut self,
        path: &[&str],
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = self.settings.get(path)?;
        match parse(setting.value.texts().first().map(String::as_str).unwrap_or_default()) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.report(setting, &problem);
                None
            }
        }
    }

    pub(super) fn or<T>(
        &mut self,
        path: &[&str],
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.optional(path, parse).unwrap_or(default)
    }

    /// All values of a list.
    pub(super) fn list(&mut self, path: &[&str]) -> Vec<String> {
        self.settings.get(path).map(|setting| setting.value.texts().to_vec()).unwrap_or_default()
    }

    pub(super) fn report(&mut self, setting: &Setting, problem: &str) {
        self.problems.push(format!("{}: `{}` {problem}", setting.place, setting.path.join(".")));
    }
}

/// Problems are added to `problems`; the value is good only if there are none.
pub(super) fn resolve(settings: &Settings, environment: &Environment, problems: &mut Vec<String>) -> Config {
    let mut reader = Reader { settings, problems };
    let data_dir = reader.or(&["dataDir"], PathBuf::from("/var/lib/partner-zones"), path);
    let host = host_name(environment);
    let default_node = format!("{host}-{}", std::process::id());
    Config {
        source: source(&mut reader),
        gateway: gateway(&mut reader),
        clusters: clusters(&mut reader, environment),
        issuers: issuers(&mut reader),
        guards: Guards {
            max_delete_percent: reader.or(&["guards", "maxDeletePercent"], 30, parse::percent),
            max_update_percent: reader.or(&["guards", "maxUpdatePercent"], 30, parse::percent),
            floor: reader.or(&["guards", "floor"], 10, parse::count),
        },
        self_heal: reader.or(&["selfHeal"], SelfHeal::Correct, parse::self_heal),
        http: http(&mut reader, &data_dir, &host),
        outside: outside(&mut reader),
        node: reader.or(&["node", "id"], default_node, parse::not_empty),
        store: reader.or(&["store"], StoreKind::Kafka, parse::store),
        data_dir,
    }
}

fn gateway(reader: &mut Reader<'_>) -> Gateway {
    let advertised_host = reader.optional(&["gateway", "advertisedHost"], parse::host);
    let tls = tls(reader);
    Gateway {
        name: reader.or(&["gateway", "name"], "gateway".to_owned(), parse::not_empty),
        listen: reader.or(&["gateway", "listen"], std::net::Ipv4Addr::UNSPECIFIED.into(), parse::ip),
        bootstrap_port: reader.or(&["gateway", "bootstrapPort"], 19_092, parse::port),
        sni: sni(reader, advertised_host.as_deref().unwrap_or_default(), tls.is_some()),
        advertised_host,
        tls,
        balancers: balancers(reader),
        drain_delay: reader.or(&["gateway", "drainDelay"], Duration::ZERO, parse::drain_delay),
    }
}

/// A certificate needs its key, and client certificates need TLS.
fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    let at = |last: &'static str| ["gateway", "tls", last];
    let certificate = reader.optional(&at("certificateFile"), path);
    let key = reader.optional(&at("keyFile"), path);
    let clients = client_certificates(reader);
    for missing in ["certificateFile", "keyFile"] {
        let first = reader.settings.names_below(&["gateway", "tls"]).into_iter().next();
        if let Some(first) = first.filter(|_| reader.settings.get(&at(missing)).is_none()) {
            reader.report(first, &format!("is set, but `gateway.tls.{missing}` is missing"));
        }
    }
    Some(TlsFiles { certificate: certificate?, key: key?, clients })
}

/// With authorities of the gateway's own, nobody connects without a certificate unless it is said that some may.
fn client_certificates(reader: &mut Reader<'_>) -> ClientCertificates {
    let at = |last: &'static str| ["gateway", "tls", last];
    let ca = reader.optional(&at("clientCaFile"), path);
    let default = if ca.is_some() { ClientAuth::Required } else { ClientAuth::Requested };
    let choices = [("required", ClientAuth::Required), ("requested", ClientAuth::Requested)];
    let auth = reader.or(&at("clientAuth"), default, |text| parse::choice(text, &choices, &[]));
    if let Some(setting) = reader.settings.get(&at("clientAuth")).filter(|_| auth == ClientAuth::Required)
        && reader.settings.get(&at("clientCaFile")).is_none()
    {
        reader.report(
            setting,
            "is `required`, and it is not said by whose authority; set `gateway.tls.clientCaFile`",
        );
    }
    let rules = |text: &str| text.parse::<PrincipalMapping>().map_err(|error| format!("is wrong {error}"));
    ClientCertificates {
        ca,
        auth,
        revoked: reader.optional(&at("revokedFile"), path),
        mapping: reader.or(&at("principalMappingRules"), PrincipalMapping::default(), rules),
    }
}

/// Blocks of addresses, whose word is taken for where a partner comes from.
fn balancers(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let at = ["gateway", "proxyProtocol", "from"];
    let Some(setting) = reader.settings.get(&at) else { return Vec::new() };
    let parsed: Result<Vec<_>, _> = reader.list(&at).iter().map(|text| parse::addresses(text)).collect();
    match parsed {
        Ok(blocks) if blocks.is_empty() => {
            reader.report(setting, "names nobody; list the balancers' addresses, or leave it out");
        }
        Ok(blocks) if blocks.iter().any(|block| block.prefix_len() == 0) => {
            reader.report(
                setting,
                "holds every address there is: partners could say that they come from anywhere",
            );
        }
        Ok(blocks) => return blocks,
        Err(problem) => reader.report(setting, &problem),
    }
    Vec::new()
}

/// The host name is read from the TLS handshake: without TLS there is none.
fn sni(reader: &mut Reader<'_>, advertised_host: &str, has_tls: bool) -> Option<SniDomain> {
    let at = ["gateway", "sni", "domain"];
    let parsed = |text: &str| {
        SniDomain::new(text, advertised_host).map_err(|wrong| format!("is `{text}`, which {wrong}"))
    };
    let domain = reader.optional(&at, parsed)?;
    if !has_tls && let Some(setting) = reader.settings.get(&at) {
        reader.report(setting, "needs TLS, which tells the host name; set `gateway.tls.certificateFile` and `gateway.tls.keyFile`");
    }
    Some(domain)
}

fn http(reader: &mut Reader<'_>, data_dir: &std::path::Path, host: &str) -> Http {
    let default_admin = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
    let admin = reader.or(&["http", "admin"], default_admin, parse::listen_address);
    let reachable = if admin.ip().is_unspecified() { host.to_owned() } else { admin.ip().to_string() };
    let default_url = match admin.ip() {
        std::net::IpAddr::V6(ip) if !ip.is_unspecified() => format!("http://[{ip}]:{}", admin.port()),
        _ => format!("http://{reachable}:{}", admin.port()),
    };
    Http {
        admin,
        advertised_url: reader.or(&["http", "advertisedUrl"], default_url, parse::base_url),
        bootstrap_key_file: reader.or(&["http", "bootstrapKeyFile"], data_dir.join("api-key"), path),
    }
}

fn clusters(reader: &mut Reader<'_>, environment: &Environment) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    let master_keys = master_keys(reader, environment);
    for first in reader.settings.names_below(&["clusters"]) {
        let Some(name) = first.path.get(1) else { continue };
        let Some(cluster) = cluster(reader, environment, name, first, master_keys.as_ref()) else { continue };
        if let Some(other) = clusters.iter().find(|c| c.broker_port_base == cluster.broker_port_base) {
            let problem = format!(
                "has the same broker ports as cluster `{}`; give it its own `clusters.{name}.brokerPortBase`, far enough \
                 from the others for all its broker ids",
                other.name
            );
            reader.report(first, &problem);
        }
        clusters.push(cluster);
    }
    let has_principals = |first: &&Setting| {
        let isolation =
            first.path.get(1).and_then(|name| reader.settings.get(&["clusters", name, "isolation"]));
        isolation.is_none_or(|setting| setting.value.texts() != ["shared"])
    };
    if let Some(setting) = MASTER_KEYS.iter().find_map(|key| reader.settings.get(&[key]))
        && !reader.settings.names_below(&["clusters"]).iter().any(has_principals)
    {
        reader.report(setting, "is set, and every cluster has `isolation: shared`: it would have no effect");
    }
    clusters
}

/// The master key and the one before it.
fn master_keys(reader: &mut Reader<'_>, environment: &Environment) -> Option<MasterKeys> {
    let [file, inline] = MASTER_KEYS;
    if let (Some(_), Some(setting)) = (reader.settings.get(&[file]), reader.settings.get(&[inline])) {
        reader.report(setting, &format!("is set, and so is `{file}`; there is one master key"));
    }
    let key =
        |secret: crate::secret::Secret<String>| MasterKey::new(&secret).map_err(|error| error.to_string());
    let from_file = |path: &str| parse::secret(&format!("file:{path}"), environment).and_then(key);
    let previous = reader.optional(&[PREVIOUS_MASTER_KEY], from_file);
    let from_file = reader.optional(&[file], from_file);
    let from_text = reader.optional(&[inline], |text| parse::secret(text, environment).and_then(key));
    let current = from_file.or(from_text);
    if let Some(setting) = reader.settings.get(&[PREVIOUS_MASTER_KEY]) {
        let is_same = |current: &MasterKey| previous.as_ref().map(MasterKey::name) == Some(current.name());
        if !has_master_key(reader) {
            reader.report(setting, &format!("is set, and `{file}`, which takes its place, is not"));
        } else if current.as_ref().is_some_and(is_same) {
            reader.report(setting, "holds the master key itself: it would have no effect");
        }
    }
    Some(MasterKeys::new(current?, previous))
}

fn has_master_key(reader: &Reader<'_>) -> bool {
    MASTER_KEYS.iter().any(|key| reader.settings.get(&[key]).is_some())
}

/// Zones have principals of their own where there is a master key, unless somebody wrote otherwise: what the cluster lets be done
/// at the moment decides nothing. A zone's principal proves itself by SCRAM, at the listener that `properties` speak to.
fn isolation(
    reader: &mut Reader<'_>,
    cluster: &str,
    security: &UpstreamSecurity,
    master_keys: Option<&MasterKeys>,
) -> Isolation {
    let path = ["clusters", cluster, "isolation"];
    let choices = [("shared", false), ("principal", true)];
    let written = reader.settings.get(&path);
    if !reader.or(&path, has_master_key(reader), |text| parse::choice(text, &choices, &[])) {
        return Isolation::Shared { asked_for: written.is_some() };
    }
    let no_login = security.sasl.is_none();
    match (written, MASTER_KEYS.iter().find_map(|key| reader.settings.get(&[key]))) {
        (Some(setting), _) if no_login => reader.report(
            setting,
            "is `principal`, and zones log in by SCRAM: set `security.protocol` to SASL_SSL or SASL_PLAINTEXT",
        ),
        (None, Some(setting)) if no_login => reader.report(
            setting,
            &format!(
                "gives zones principals of their own, and on cluster `{cluster}` they cannot log in: set \
                 `clusters.{cluster}.properties.security.protocol` to SASL_SSL or SASL_PLAINTEXT, or `clusters.{cluster}.isolation` \
                 to `shared`"
            ),
        ),
        (Some(setting), None) => reader.report(
            setting,
            "is `principal`, and the zones' passwords come from a master key: set `masterKeyFile`",
        ),
        _ => {}
    }
    // A key that is there and wrong has a problem of its own.
    master_keys.map_or(Isolation::Shared { asked_for: false }, |keys| Isolation::Principal(keys.clone()))
}

fn cluster(
    reader: &mut Reader<'_>,
    environment: &Environment,
    name: &str,
    first: &Setting,
    master_keys: Option<&MasterKeys>,
) -> Option<Cluster> {
    let cluster_name = match parse::cluster_name(name) {
        Ok(name) => name,
        Err(problem) => {
            reader.report(first, &format!("names a cluster `{name}`, which {problem}"));
            return None;
        }
    };
    let at = ["clusters", name];
    let key = |last: &'static str| [at[0], at[1], last];
    let security = security(reader, environment, name);
    let isolation = isolation(reader, name, &security, master_keys);
    let state_replication_factor = reader.optional(&key("stateReplicationFactor"), parse::replication_factor);
    let gateway_base = reader.or(&["gateway", "brokerPortBase"], DEFAULT_BROKER_PORT_BASE, parse::port);
    let broker_port_base = reader.or(&key("brokerPortBase"), gateway_base, parse::port);
    if reader.settings.get(&key("bootstrapServers")).is_none() {
        reader.report(first, &format!("is set, but `clusters.{name}.bootstrapServers` is missing"));
        return None;
    }
    let bootstrap_servers = reader.optional(&key("bootstrapServers"), parse::bootstrap_servers)?;
    Some(Cluster {
        name: cluster_name,
        bootstrap_servers,
        security,
        isolation,
        state_replication_factor,
        broker_port_base,
    })
}

/// The properties are those of the table of keys, so nothing that librdkafka knows and the gateway does not gets in.
fn security(reader: &mut Reader<'_>, environment: &Environment, cluster: &str) -> UpstreamSecurity {
    let at = ["clusters", cluster, "properties"];
    let mut properties = BTreeMap::new();
    for setting in reader.settings.names_below(&at) {
        let Some(name) = setting.path.get(at.len()) else { continue };
        let path = [at[0], at[1], at[2], name];
        let value = reader.optional(&path, |text| match name.as_str() {
            "sasl.password" => parse::secret(text, environment).map(|secret| secret.expose().clone()),
            _ => parse::not_empty(text),
        });
        // What could not be read is there all the same: one problem is enough.
        properties.insert(name.clone(), value.unwrap_or_else(|| "PLAIN".to_owned()));
    }
    match UpstreamSecurity::from_properties(&properties) {
        Ok(security) => security,
        Err(error) => {
            if let Some(first) = reader.settings.names_below(&at).first() {
                reader.problems.push(format!("{}: `clusters.{cluster}.properties`: {error}", first.place));
            }
            UpstreamSecurity::default()
        }
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    parse::not_empty(text).map(PathBuf::from)
}

/// This machine's name, as far as it can be known without a library for it.
fn host_name(environment: &Environment) -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| environment.get("HOSTNAME").map(str::to_owned))
        .unwrap_or_else(|| "node".to_owned())
}
