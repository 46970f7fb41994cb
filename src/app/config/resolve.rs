//! Settings → [`Config`]: types, defaults, and the rules between settings.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::clusters::{clusters, master_keys};
use super::environment::Environment;
use super::oauth::issuers;
use super::outside::outside;
use super::settings::{Setting, Settings};
use super::sign_in::sign_in;
use super::source::source;
use super::{Config, Gateway, Guards, Http, SelfHeal, StoreKind, parse};
use crate::gateway::{ClientAuth, ClientCertificates, TlsFiles};
use crate::policy::PrincipalMapping;
use crate::zone::SniDomain;

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
    let (source, gateway) = (source(&mut reader), gateway(&mut reader));
    let master_keys = master_keys(&mut reader, environment);
    let clusters = clusters(&mut reader, environment, master_keys.as_ref());
    let issuers = issuers(&mut reader);
    let guards = Guards {
        max_delete_percent: reader.or(&["guards", "maxDeletePercent"], 30, parse::percent),
        max_update_percent: reader.or(&["guards", "maxUpdatePercent"], 30, parse::percent),
        floor: reader.or(&["guards", "floor"], 10, parse::count),
    };
    let self_heal = reader.or(&["selfHeal"], SelfHeal::Correct, parse::self_heal);
    let http = http(&mut reader, &data_dir, &host);
    Config {
        source,
        gateway,
        clusters,
        issuers,
        guards,
        self_heal,
        sign_in: sign_in(&mut reader, environment, &http.public_url),
        http,
        master_keys,
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
    let advertised_url = reader.or(&["http", "advertisedUrl"], default_url, parse::base_url);
    Http {
        admin,
        public_url: reader.or(&["http", "publicUrl"], advertised_url.clone(), parse::base_url),
        advertised_url,
        bootstrap_key_file: reader.or(&["http", "bootstrapKeyFile"], data_dir.join("api-key"), path),
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
