//! What all connections of one gateway have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::allowance::Allowances;
use super::config::GatewayConfig;
use super::editing::Editing;
use super::guesses::Guesses;
use super::issuers::Issuers;
use super::metrics::Metrics;
use super::replay::Starts;
use super::seldom::Seldom;
use super::traffic::Traffic;
use super::upstream::Principals;
use super::usage::Usage;
use super::view::GatewayView;
use crate::zone::{ClusterName, TopicName, ZoneName};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) checks: Checks,
    pub(crate) metrics: Metrics,
    pub(crate) allowances: Allowances,
    pub(crate) editing: Editing,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) principals: Principals,
    pub(crate) usage: Usage,
    pub(crate) traffic: Traffic,
    pub(crate) guesses: Guesses,
    /// Whose batches cannot be read: of which zone, topic and partition.
    pub(crate) unreadable: Seldom<(ZoneName, TopicName, i32)>,
    /// Where replay windows begin.
    pub(crate) starts: watch::Receiver<Arc<Starts>>,
    pub(crate) views: watch::Receiver<Arc<GatewayView>>,
    /// Asks a cluster's poller to look again at once.
    pub(crate) refresh: BTreeMap<ClusterName, Arc<Notify>>,
}

impl Shared {
    /// The view of this moment. A request takes it once and keeps it until it is answered.
    pub(crate) fn view(&self) -> Arc<GatewayView> {
        Arc::clone(&self.views.borrow())
    }
}

/// What keeps partners in their zones once they have logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    InForce,
    /// Nothing does here: a test asks what the brokers refuse by themselves.
    #[cfg(debug_assertions)]
    TakenAway,
}

/// What a partner connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    /// Any live broker of whichever cluster the login's zone lies on.
    Bootstrap,
    Broker {
        cluster: ClusterName,
        node: i32,
    },
    /// The bootstrap port under a zone's own host name (SNI mode): whose it is was said before the login.
    Zone {
        zone: ZoneName,
        /// None: any live broker of the zone's cluster.
        node: Option<i32>,
    },
}

impl Port {
    /// The only zone whose credentials count here, if that is known.
    pub(crate) fn zone(&self) -> Option<&ZoneName> {
        match self {
            Self::Zone { zone, .. } => Some(zone),
            Self::Bootstrap | Self::Broker { .. } => None,
        }
    }
}
