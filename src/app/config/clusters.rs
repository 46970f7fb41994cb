//! `clusters`: how each is reached, as whom, and what keeps its zones apart there.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::resolve::{Reader, path};
use super::settings::Setting;
use super::{Cluster, Isolation, parse};
use crate::kafka::client::UpstreamSecurity;
use crate::kafka::sasl::{LoginFiles, Mechanism};
use crate::policy::principal::{MasterKey, MasterKeys};

/// Of the first cluster.
const DEFAULT_BROKER_PORT_BASE: u16 = 19_100;

/// Two places for one key.
const MASTER_KEYS: [&str; 2] = ["masterKeyFile", "masterKey"];
const PREVIOUS_MASTER_KEY: &str = "previousMasterKeyFile";

pub(super) fn clusters(
    reader: &mut Reader<'_>,
    environment: &Environment,
    master_keys: Option<&MasterKeys>,
) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for first in reader.settings.names_below(&["clusters"]) {
        let Some(name) = first.path.get(1) else { continue };
        let Some(cluster) = cluster(reader, environment, name, first, master_keys) else { continue };
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
        let is = |last: &[&str], word: &str| {
            let name = first.path.get(1).map(String::as_str).unwrap_or_default();
            let setting = reader.settings.get(&[&["clusters", name], last].concat());
            setting.is_some_and(|setting| setting.value.texts() == [word])
        };
        !is(&["isolation"], "shared") && !is(&["principals", "source"], "files")
    };
    if let Some(setting) = MASTER_KEYS.iter().find_map(|key| reader.settings.get(&[key]))
        && !reader.settings.names_below(&["clusters"]).iter().any(has_principals)
        && reader.settings.names_below(&["http", "signIn"]).is_empty()
    {
        let problem = "is set, and every cluster has `isolation: shared`, or logins from files: it would have no effect";
        reader.report(setting, problem);
    }
    clusters
}

/// The master key and the one before it.
pub(super) fn master_keys(reader: &mut Reader<'_>, environment: &Environment) -> Option<MasterKeys> {
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
    if let Some(files) = login_files(reader, cluster, security) {
        return Isolation::PrincipalFiles(files);
    }
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

/// `principals`: zones' logins from files say by themselves that zones have principals, and need no master key.
fn login_files(reader: &mut Reader<'_>, cluster: &str, security: &UpstreamSecurity) -> Option<LoginFiles> {
    let at = |last: &'static str| ["clusters", cluster, "principals", last];
    let choices = [("managed", false), ("files", true)];
    let is_from_files = reader.or(&at("source"), false, |text| parse::choice(text, &choices, &[]));
    let directory = reader.optional(&at("directory"), path);
    let (source, settings) = (reader.settings.get(&at("source")), reader.settings);
    let shared =
        settings.get(&["clusters", cluster, "isolation"]).filter(|it| it.value.texts() == ["shared"]);
    if !is_from_files {
        if let Some(setting) = settings.get(&at("directory")) {
            let problem = format!("has no effect: `clusters.{cluster}.principals.source` is not `files`");
            reader.report(setting, &problem);
        }
        let is_managed = |setting: &&Setting| setting.value.texts() == ["managed"];
        if let Some(setting) =
            source.filter(is_managed).filter(|_| shared.is_some() || !has_master_key(reader))
        {
            let problem = "is set, and no principals are made on this cluster: that needs `masterKeyFile`, and no `isolation: shared`";
            reader.report(setting, problem);
        }
        return None;
    }
    if let Some(setting) = shared {
        let problem = format!(
            "is `shared`, and `clusters.{cluster}.principals.source` is `files`, which gives each zone a login of its own: take one of \
             them out"
        );
        reader.report(setting, &problem);
    }
    if let Some(setting) = source.filter(|_| settings.get(&at("directory")).is_none()) {
        let problem = format!(
            "is `files`, and where they are is not said: set `clusters.{cluster}.principals.directory`"
        );
        reader.report(setting, &problem);
    }
    let ours = security.sasl.as_ref().map(|sasl| sasl.mechanism);
    if let Some(setting) = source.filter(|_| ours.is_none()) {
        let problem =
            "is `files`, and zones log in by SASL: set `security.protocol` to SASL_SSL or SASL_PLAINTEXT";
        reader.report(setting, problem);
    }
    Some(LoginFiles::new(directory.unwrap_or_default(), ours.unwrap_or(Mechanism::Plain)))
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
    let [security, data_plane] = securities(reader, environment, name);
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
        data_plane,
        isolation,
        state_replication_factor,
        broker_port_base,
    })
}

/// How this process proves itself to a cluster, and how its gateway does. The properties are those of the table of keys, so nothing
/// that librdkafka knows and the gateway does not gets in.
fn securities(reader: &mut Reader<'_>, environment: &Environment, cluster: &str) -> [UpstreamSecurity; 2] {
    let ours = properties(reader, environment, &["clusters", cluster, "properties"]);
    let of_gateway = properties(reader, environment, &["clusters", cluster, "dataPlane", "properties"]);
    let control = security(reader, &["clusters", cluster, "properties"], &ours);
    if of_gateway.is_empty() {
        return [control.clone(), control];
    }
    let merged = over(ours, of_gateway);
    let data_plane = security(reader, &["clusters", cluster, "dataPlane", "properties"], &merged);
    [control, data_plane]
}

type Properties = BTreeMap<String, String>;

fn properties(reader: &mut Reader<'_>, environment: &Environment, at: &[&str]) -> Properties {
    let mut properties = Properties::new();
    for setting in reader.settings.names_below(at) {
        let Some(name) = setting.path.get(at.len()) else { continue };
        let value = reader.optional(&[at, &[name]].concat(), |text| match name.as_str() {
            "sasl.password" => parse::secret(text, environment).map(|secret| secret.expose().clone()),
            _ => parse::not_empty(text),
        });
        // What could not be read is there all the same: one problem is enough.
        properties.insert(name.clone(), value.unwrap_or_else(|| "PLAIN".to_owned()));
    }
    properties
}

/// What is missing in `of_gateway` is as in `ours`. Either spelling of the mechanism takes the place of both.
fn over(mut ours: Properties, of_gateway: Properties) -> Properties {
    const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];
    if MECHANISM.iter().any(|name| of_gateway.contains_key(*name)) {
        ours.retain(|name, _| !MECHANISM.contains(&name.as_str()));
    }
    ours.extend(of_gateway);
    ours
}

fn security(reader: &mut Reader<'_>, at: &[&str], properties: &Properties) -> UpstreamSecurity {
    match UpstreamSecurity::from_properties(properties) {
        Ok(security) => security,
        Err(error) => {
            if let Some(first) = reader.settings.names_below(at).first() {
                reader.problems.push(format!("{}: `{}`: {error}", first.place, at.join(".")));
            }
            UpstreamSecurity::default()
        }
    }
}
