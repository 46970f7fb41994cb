//! Everything a connection looks things up in: immutable, rebuilt when the zones or a cluster change, read once per request.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::login::{Beside, Candidate, Login, Origin, Proof, Standing};
use self::login::{Entrance, earlier};
use super::addresses::{Brokers, Form};
use super::config::GatewayConfig;
use super::offer::Offer;
use super::shared::Port;
use super::tls::Rules;
use super::topology::{ClusterState, Clusters, TopicState, Topology};
use crate::policy::token::Bearer;
use crate::policy::{Served, ServedZone, Window, ZoneView};
use crate::zone::{ClusterName, Credential, IssuerName, Sequence, Slots, TopicName, ZoneName};

mod certificates;
mod login;
mod problems;

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
    zones: HashMap<ZoneName, Arc<Entrance>>,
    /// By service account and key id; of open zones only.
    logins: HashMap<String, Vec<Candidate>>,
    /// Zones whose partners log in by certificate, by service account.
    certified: HashMap<String, Arc<Entrance>>,
    /// What certificates are held against that are shown beside a login by SASL.
    own_rules: Option<Arc<Rules>>,
    /// The passwords of the zones' own principals, as far as the state has them.
    slots: HashMap<ZoneName, Slots>,
    /// Open zones by what a token that opens them says: its issuer and its subject.
    subjects: HashMap<(IssuerName, String), Arc<Entrance>>,
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
            own_rules: certificates::beside(config, previous.own_rules.as_ref()),
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
            let rules = match certificates::rules(config, served_zone, previous.zones.get(name)) {
                Ok(rules) => rules,
                Err(reason) => {
                    view.problems.insert(name.clone(), reason);
                    continue;
                }
            };
            let state = clusters.get(&served_zone.cluster).cloned().unwrap_or_default();
            view.settled &= is_settled(served_zone, &state);
            if let Some(reason) = problems::of_backing(served_zone, &state) {
                view.problems.insert(name.clone(), reason);
            }
            if let Some(reason) = problems::of_principal(config, served_zone) {
                view.problems.insert(name.clone(), reason);
            }
            view.slots.extend(served_zone.slots.clone().map(|slots| (name.clone(), slots)));
            let zone = zone_view(served_zone, &state, previous);
            view.name_hosts(config, &zone);
            let entrance = Entrance {
                zone,
                authentication: served_zone.zone.authentication.clone(),
                issuer: config.issuer_of(&served_zone.zone.authentication).cloned(),
                open: served_zone.open,
                rules,
            };
            view.admit(entrance, &served_zone.credentials);
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

    fn admit(&mut self, entrance: Entrance, credentials: &[Arc<Credential>]) {
        let entrance = Arc::new(entrance);
        let account = entrance.authentication.service_account.as_str();
        for credential in credentials.iter().filter(|_| entrance.open) {
            for (user, by_key_id) in [(account, false), (credential.key_id.as_str(), true)] {
                let (entrance, credential) = (Arc::clone(&entrance), Arc::clone(credential));
                let candidate = Candidate { entrance, credential, by_key_id };
                self.logins.entry(user.to_owned()).or_default().push(candidate);
            }
        }
        if entrance.rules.is_some() {
            self.certified.insert(account.to_owned(), Arc::clone(&entrance));
        }
        if let Some(issuer) = entrance.issuer.clone().filter(|_| entrance.open) {
            self.subjects.insert((issuer, account.to_owned()), Arc::clone(&entrance));
        }
        self.zones.insert(entrance.zone.name.clone(), entrance);
    }

    /// The credentials a user name may prove, each with its zone. Those of a zone that admits nobody from there do not exist, nor
    /// those of another zone than the one that a host name has named: an account belongs to one zone, and so does a key id.
    pub(crate) fn credentials(&self, user: &str, origin: Origin<'_>) -> &[Candidate] {
        let all = self.logins.get(user).map(Vec::as_slice).unwrap_or_default();
        if all.iter().all(|candidate| origin.finds(&candidate.entrance.zone)) { all } else { &[] }
    }

    /// Whether there is such a zone, served as wanted or not.
    pub(crate) fn knows(&self, zone: &ZoneName) -> bool {
        self.zones.contains_key(zone) || self.problems.contains_key(zone)
    }

    /// Whose name this is, wherever whoever says it comes from: for operators, never for a partner.
    pub(crate) fn zone_of(&self, user: &str) -> Option<&ZoneName> {
        Some(&self.logins.get(user)?.first()?.entrance.zone.name)
    }

    /// The login of whoever has shown a good token of this issuer. As with credentials, a zone that admits nobody from there does
    /// not exist, nor does another than the one that a host name has named.
    pub(crate) fn bearer(&self, issuer: IssuerName, bearer: Bearer, origin: Origin<'_>) -> Option<Login> {
        let key = (issuer, bearer.subject);
        let zone = &self.subjects.get(&key)?.zone;
        let (issuer, user) = key;
        origin.finds(zone).then(|| Login {
            user,
            zone: Arc::clone(zone),
            proof: Proof::Token { issuer },
            beside: None,
            address: origin.address,
            expires_at: Some(bearer.ends),
        })
    }

    /// The login's zone as it is now, if the login still counts.
    pub(crate) fn admitted(&self, login: &Login) -> Option<&Arc<ZoneView>> {
        self.standing(login).map(|standing| standing.zone)
    }

    /// What is left of a login. None if the zone, its identity or its cluster is gone, if it is closed or no longer admits the
    /// address; or if what was proved does not count any more. For a credential that is: it or its user name is gone, or the
    /// zone no longer accepts the mechanism; for a token: the zone has another account, takes those of another issuer, or none;
    /// for a certificate: the zone has another account, its authorities do not vouch for it any more, or it is revoked. The last
    /// two hold as well for a certificate beside a login by SASL, with the gateway's own authorities.
    pub(crate) fn standing(&self, login: &Login) -> Option<Standing<'_>> {
        let entrance = self.zones.get(&login.zone.name).filter(|entrance| entrance.is_of(login))?;
        let ends = match &login.proof {
            Proof::Credential { key_id, mechanism } => {
                let known = |candidate: &&Candidate| {
                    candidate.credential.key_id == *key_id
                        && Arc::ptr_eq(&candidate.entrance, entrance)
                        && candidate.proves_by(*mechanism)
                };
                self.logins.get(&login.user)?.iter().find(known)?.credential.expires_at
            }
            Proof::Token { issuer } => {
                let account = entrance.authentication.service_account.as_str();
                if entrance.issuer.as_ref() != Some(issuer) || account != login.user {
                    return None;
                }
                login.expires_at
            }
            Proof::Certificate(chain) => {
                let same = self.certified.get(&login.user).filter(|it| Arc::ptr_eq(it, entrance))?;
                chain.judge(same.rules.as_ref()?).ok()?;
                login.expires_at
            }
        };
        let ends = match &login.beside {
            Some(Beside { chain, ends: end }) => {
                chain.judge(self.own_rules.as_ref()?).ok()?;
                earlier(ends, *end)
            }
            None => ends,
        };
        Some(Standing { zone: &entrance.zone, ends })
    }

    /// The zone whose partner is named by a certificate, if it is open to where the connection came from and to the host that it
    /// has named. The certificate is to be held against its rules.
    pub(crate) fn certified(&self, account: &str, origin: Origin<'_>) -> Option<&Entrance> {
        let entrance = self.certified.get(account)?;
        (entrance.open && origin.finds(&entrance.zone)).then_some(entrance)
    }

    /// What a certificate is held against that is shown beside a login by SASL; none if the gateway has no authorities.
    pub(crate) fn own_rules(&self) -> Option<&Arc<Rules>> {
        self.own_rules.as_ref()
    }

    /// What the zones' certificates are held against.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Arc<Rules>> {
        self.certified.values().filter_map(|entrance| entrance.rules.as_ref())
    }

    /// The passwords of a zone's own principal; none that the state knows of.
    pub(crate) fn slots(&self, zone: &ZoneName) -> Option<&Slots> {
        self.slots.get(zone)
    }

    #[cfg(test)]
    pub(crate) fn zone(&self, name: &ZoneName) -> Option<&Arc<ZoneView>> {
        self.zones.get(name).map(|entrance| &entrance.zone)
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

    /// The zones that are opened by tokens, each with their issuer.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = (&ZoneName, &IssuerName)> {
        self.zones.iter().filter_map(|(name, entrance)| Some((name, entrance.issuer.as_ref()?)))
    }

    /// The zones that are served from this cluster.
    pub(crate) fn zones_on(&self, cluster: &ClusterName) -> impl Iterator<Item = &ZoneName> {
        let zones = self.zones.values().map(|entrance| &entrance.zone);
        zones.filter(move |zone| zone.cluster == *cluster).map(|zone| &zone.name)
    }

    /// The topics of this cluster that partners may read back to an age only, with the age.
    pub(crate) fn windows_on(&self, cluster: &ClusterName) -> BTreeSet<(TopicName, Duration)> {
        let zones =
            self.zones.values().map(|entrance| &entrance.zone).filter(|zone| zone.cluster == *cluster);
        let topics = zones.flat_map(|zone| zone.topics());
        let moving = topics.filter_map(|topic| match topic.window {
            Some(Window::MaxAge(age)) => Some((topic.backing.clone(), age)),
            Some(Window::From(_)) | None => None,
        });
        moving.collect()
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
        .map(|before| &before.zone)
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
