//! Why a zone cannot be served as wanted, in words that say what to do.

use super::super::config::GatewayConfig;
use super::super::topology::{ClusterState, TopicState};
use crate::policy::ServedZone;
use crate::zone::AuthenticationMode;

/// Reasons to serve nothing of the zone at all.
pub(super) fn not_servable(config: &GatewayConfig, served: &ServedZone) -> Option<String> {
    let zone = &served.zone;
    if zone.cluster != config.name {
        return Some(format!(
            "spec.cluster names gateway `{}`, this gateway is `{}`; correct spec.cluster or gateway.name",
            zone.cluster, config.name
        ));
    }
    if !config.clusters.contains_key(&served.cluster) {
        let known: Vec<&str> = config.clusters.keys().map(crate::zone::ClusterName::as_str).collect();
        return Some(format!(
            "unknown cluster `{}`; the configuration has {}. Correct spec.underlyingCluster or add it to `clusters`",
            served.cluster,
            known.join(", ")
        ));
    }
    if let Some(reason) = given_up_unasked(config, served) {
        return Some(reason);
    }
    let authentication = &zone.authentication;
    if authentication.mode == AuthenticationMode::OauthBearer && config.issuer_of(authentication).is_none() {
        let wanted =
            authentication.issuer.as_ref().map_or("of tokens".to_owned(), |name| format!("`{name}`"));
        return Some(format!(
            "this gateway has no issuer {wanted}; correct spec.authenticationMode.issuer or add it to `oauth.issuers`"
        ));
    }
    None
}

/// A zone that its cluster kept apart is not served without that for want of a key.
fn given_up_unasked(config: &GatewayConfig, served: &ServedZone) -> Option<String> {
    let cluster = config.clusters.get(&served.cluster)?;
    let is_given_up = served.slots.is_some() && cluster.principals.is_none() && !cluster.gives_principals_up;
    is_given_up.then(|| {
        format!(
            "it has a principal of its own on cluster `{0}`, and this node has no master key: set `masterKeyFile`, or \
             `clusters.{0}.isolation: shared` if the gateway alone is to keep it apart from now on",
            served.cluster
        )
    })
}

/// Why this node cannot be the zone's principal.
pub(super) fn of_principal(config: &GatewayConfig, served: &ServedZone) -> Option<String> {
    let keys = config.clusters.get(&served.cluster)?.master_keys()?;
    let name = served.slots.as_ref()?.key_in_force();
    keys.get(name).is_none().then(|| {
        format!(
            "its password on cluster `{}` is made of the master key {name}, which this node does not have; give it that one \
             as `masterKeyFile` or `previousMasterKeyFile`",
            served.cluster
        )
    })
}

/// What is wrong behind a zone that is served all the same.
pub(super) fn of_backing(served: &ServedZone, state: &ClusterState) -> Option<String> {
    if let Some(trouble) = &state.trouble {
        return Some(format!("cluster `{}` cannot be reached: {trouble}", served.cluster));
    }
    let mut wrong = Vec::new();
    for topic in &served.zone.topics {
        let backing = &topic.backing;
        match state.topic(backing) {
            None | Some(TopicState::Present(_)) => {}
            Some(TopicState::Missing) => wrong.push(format!(
                "backing topic `{backing}` (alias `{}`) does not exist on cluster `{}`; create it or correct the manifest",
                topic.alias, served.cluster
            )),
            Some(TopicState::Forbidden) => wrong.push(format!(
                "the gateway's principal may not describe backing topic `{backing}` on cluster `{}`; grant it DESCRIBE, READ and WRITE",
                served.cluster
            )),
            Some(TopicState::Failed(code)) => wrong.push(format!(
                "cluster `{}` answers Kafka error {code} for backing topic `{backing}`",
                served.cluster
            )),
        }
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}
