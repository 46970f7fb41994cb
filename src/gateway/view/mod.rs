//! Everything a connection looks things up in: immutable, rebuilt when the zones or a cluster change, read once per request.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use time::OffsetDateTime;

use super::addresses::{Brokers, Form};
use super::config::GatewayConfig;
use super::offer::Offer;
use super::shared::Port;
use super::topology::{ClusterState, Clusters, TopicState, Topology};
use crate::policy::{Served, ServedZone, ZoneView};
use crate::sasl::Mechanism;
use crate::zone::{AuthenticationMode, ClusterName, Credential, KeyId, Sequence, TopicName, ZoneName};

mod problems;

/// Who a connection belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// As the partner wrote it: the service account or the key id.
    pub(crate) user: String,
    pub(crate) zone: Arc<ZoneView>,
    pub(crate) key_id: KeyId,
    /// How the credential was proved.
    pub(crate) mechanism: Mechanism,
    /// Where it came from.
    pub(crate) address: IpAddr,
    pub(crate) expires_at: Option<OffsetDateTime>,
}

impl Login {
    pub(crate) fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// What is known of a connection before anybody has logged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) address: IpAddr,
    /// The zone that a host name has named.
    pub(crate) zone: Option<&'a ZoneName>,
}

/// A credential that a user name may prove, and what it opens.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) zone: Arc<ZoneView>,
    pub(crate) credential: Arc<Credential>,
    mode: AuthenticationMode,
    /// The user name is the key id, not the service account.
    by_key_id: bool,
}

impl Candidate {
    /// Whether the zone accepts a proof by this mechanism under this user name. All credentials of a zone share its service
    /// account, and SCRAM must know before the proof which one is meant.
    pub(crate) fn proves_by(&self, mechanism: Mechanism) -> bool {
        (self.by_key_id || mechanism == Mechanism::Plain)
            && self.credential.mechanisms(self.mode).any(|accepted| accepted == mechanism)
    }

    /// The login of whoever has proved it.
    pub(crate) fn login(&self, user: &str, mechanism: Mechanism, address: IpAddr) -> Login {
        Login {
            user: user.to_owned(),
            zone: Arc::clone(&self.zone),
            key_id: self.credential.key_id.clone(),
            mechanism,
            address,
            expires_at: self.credential.expires_at,
        }
    }
}

/// A cluster as connections use it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClusterView {
    /// What partners are told.
    pub(crate) brokers: Arc<Brokers>,
    /// Where we connect.
    pub(crate) topology: Arc<Topology>,
}

/// One moment of the data plane.
#[derive(Debug, Default)]
pub(crate) struct GatewayView {
    /// The commit it was made from; none before the first.
    pub(crate) sequence: Option<Sequence>,
    zones: HashMap<ZoneName, Arc<ZoneView>>,
    logins: HashMap<String, Vec<Candidate>>,
    clusters: BTreeMap<ClusterName, Arc<ClusterView>>,
    /// Zones with host names of their own, and the addresses that are told under these.
    hosts: HashMap<ZoneName, Arc<Brokers>>,
    /// What every broker of every cluster serves: before a login it is not known which one it will be.
    common_offer: Arc<Offer>,
    /// Zones that are not served as wanted, and why.
    pub(crate) problems: BTreeMap<ZoneName, String>,
    /// Every topic of every served zone has been looked for, so that a missing problem means there is none.
    pub(crate) settled: bool,
}

impl GatewayView {
    /// Puts zones and clusters together. A [`ZoneView`] in which nothing changed is the one of `previous`, so that "did my
    /// zone change" is [`Arc::ptr_eq`].
    pub(crate) fn build(
        config: &GatewayConfig,
        served: Option<&Served>,
        clusters: &Clusters,
        previous: &Self,
    ) -> Self {
        let mut view = Self {
            sequence: served.map(|served| served.sequence),
            clusters: cluster_views(config, clusters, previous),
            settled: true,
            ..Self::default()
        };
        view.common_offer =
            Arc::new(Offer::common(view.clusters.values().map(|cluster| &*cluster.topology.offer)));
        for served_zone in served.into_iter().flat_map(|served| &served.zones) {
            let name = &served_zone.zone.name;
            if let Some(reason) = problems::not_servable(config, served_zone) {
                view.problems.insert(name.clone(), reason);
                continue;
            }
            let state = clusters.get(&served_zone.cluster).cloned().unwrap_or_default();
            view.settled &= is_settled(served_zone, &state);
            if let Some(reason) = problems::of_backing(served_zone, &state) {
                view.problems.insert(name.clone(), reason);
            }
            let zone = zone_view(served_zone, &state, previous);
            view.name_hosts(config, &zone);
            view.admit(&zone, served_zone);
        }
        view
    }

    /// In SNI mode: the addresses below the zone's own host names.
    fn name_hosts(&mut self, config: &GatewayConfig, zone: &ZoneView) {
        let Some(domain) = config.sni.as_ref().filter(|domain| domain.check(&zone.name).is_ok()) else {
            return;
        };
        let Some(cluster) = self.clusters.get(&zone.cluster) else { return };
        let (domain, zone, port) = (domain.clone(), zone.name.clone(), config.bootstrap_port);
        let form = Form::Hosts { domain, zone: zone.clone(), port };
        let brokers = Brokers {
            form,
            live: Arc::clone(&cluster.brokers.live),
            offer: Arc::clone(&cluster.brokers.offer),
        };
        self.hosts.insert(zone, Arc::new(brokers));
    }

    fn admit(&mut self, zone: &Arc<ZoneView>, served: &ServedZone) {
        let authentication = &served.zone.authentication;
        for credential in &served.credentials {
            let users = [authentication.service_account.as_str(), credential.key_id.as_str()];
            for (user, by_key_id) in users.into_iter().zip([false, true]) {
                let (zone, credential) = (Arc::clone(zone), Arc::clone(credential));
                let candidate = Candidate { zone, credential, mode: authentication.mode, by_key_id };
                self.logins.entry(user.to_owned()).or_default().push(candidate);
            }
        }
        self.zones.insert(zone.name.clone(), Arc::clone(zone));
    }

    /// The credentials a user name may prove, each with its zone. Those of a zone that admits nobody from there do not exist, nor
    /// those of another zone than the one that a host name has named: an account belongs to one zone, and so does a key id.
    pub(crate) fn credentials(&self, user: &str, origin: Origin<'_>) -> &[Candidate] {
        let all = self.logins.get(user).map(Vec::as_slice).unwrap_or_default();
        let is_foreign = |candidate: &Candidate| {
            !candidate.zone.admits(origin.address)
                || origin.zone.is_some_and(|wanted| candidate.zone.name != *wanted)
        };
        if all.iter().any(is_foreign) { &[] } else { all }
    }

    /// The login's zone as it is now; none if the zone, its identity, its cluster, the user name or the credential is gone, or
    /// the zone no longer accepts the mechanism or the address.
    pub(crate) fn admitted(&self, login: &Login) -> Option<&Arc<ZoneView>> {
        self.proved(login).map(|candidate| &candidate.zone)
    }

    /// What the login has proved, as it is now.
    pub(crate) fn proved(&self, login: &Login) -> Option<&Candidate> {
        let known = |candidate: &&Candidate| {
            candidate.zone.id == login.zone.id
                && candidate.zone.cluster == login.zone.cluster
                && candidate.credential.key_id == login.key_id
                && candidate.proves_by(login.mechanism)
        };
        let origin = Origin { address: login.address, zone: None };
        self.credentials(&login.user, origin).iter().find(known)
    }

    /// None while the cluster has never been reached.
    pub(crate) fn cluster(&self, name: &ClusterName) -> Option<&Arc<ClusterView>> {
        self.clusters.get(name)
    }

    /// The zone's brokers at the addresses that this connection may be told: in the form in which it came.
    pub(crate) fn brokers(&self, zone: &ZoneView, port: &Port) -> Option<&Arc<Brokers>> {
        match port {
            Port::Zone { .. } => self.hosts.get(&zone.name),
            Port::Bootstrap | Port::Broker { .. } => {
                self.cluster(&zone.cluster).map(|cluster| &cluster.brokers)
            }
        }
    }

    /// What a client that has not logged in is told of what is served, whatever host it asked for: where clusters differ, the
    /// offer of a zone's own cluster would tell strangers that there is such a zone.
    pub(crate) fn common_offer(&self) -> &Arc<Offer> {
        &self.common_offer
    }

    /// The zones that are served from this cluster.
    pub(crate) fn zones_on(&self, cluster: &ClusterName) -> impl Iterator<Item = &ZoneName> {
        self.zones.values().filter(move |zone| zone.cluster == *cluster).map(|zone| &zone.name)
    }

    pub(crate) fn clusters(&self) -> &BTreeMap<ClusterName, Arc<ClusterView>> {
        &self.clusters
    }
}

/// The topics that servable zones name, by cluster.
pub(crate) fn wanted_topics(
    config: &GatewayConfig,
    served: Option<&Served>,
) -> BTreeMap<ClusterName, BTreeSet<TopicName>> {
    let mut wanted: BTreeMap<ClusterName, BTreeSet<TopicName>> =
        config.clusters.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for zone in served.into_iter().flat_map(|served| &served.zones) {
        if problems::not_servable(config, zone).is_none()
            && let Some(topics) = wanted.get_mut(&zone.cluster)
        {
            topics.extend(zone.zone.topics.iter().map(|topic| topic.backing.clone()));
        }
    }
    wanted
}

fn cluster_views(
    config: &GatewayConfig,
    clusters: &Clusters,
    previous: &GatewayView,
) -> BTreeMap<ClusterName, Arc<ClusterView>> {
    let mut views = BTreeMap::new();
    for (name, cluster) in &config.clusters {
        let Some(topology) = clusters.get(name).and_then(|state| state.last.clone()) else { continue };
        let form =
            Form::Ports { host: config.advertised_host.as_str().into(), base: cluster.broker_port_base };
        let brokers = Arc::new(Brokers {
            form,
            live: Arc::new(topology.brokers.keys().copied().collect()),
            offer: Arc::clone(&topology.offer),
        });
        let view = Arc::new(ClusterView { brokers, topology });
        let kept = previous.clusters.get(name).filter(|before| **before == view).cloned();
        views.insert(name.clone(), kept.unwrap_or(view));
    }
    views
}

fn zone_view(served: &ServedZone, state: &ClusterState, previous: &GatewayView) -> Arc<ZoneView> {
    let ids = served
        .zone
        .topics
        .iter()
        .filter_map(|topic| match state.topic(&topic.backing) {
            Some(TopicState::Present(id)) if !id.is_nil() => Some((topic.backing.clone(), id)),
            _ => None,
        })
        .collect();
    let fresh = ZoneView::new(served, &ids);
    previous
        .zones
        .get(&served.zone.name)
        .filter(|before| before.equals(&fresh))
        .cloned()
        .unwrap_or_else(|| Arc::new(fresh))
}

/// Whether the cluster has been asked for all of the zone's topics, or is known to be out of reach.
fn is_settled(zone: &ServedZone, state: &ClusterState) -> bool {
    state.trouble.is_some() || zone.zone.topics.iter().all(|topic| state.topic(&topic.backing).is_some())
}

impl ClusterState {
    fn topic(&self, name: &TopicName) -> Option<TopicState> {
        self.last.as_ref().and_then(|topology| topology.topics.get(name).copied())
    }
}

#[cfg(test)]
mod tests;
