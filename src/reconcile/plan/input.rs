//! What a plan is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Change, Connected, Holding, Notice};
use crate::manifest::{Finding, Loaded};
use crate::reconcile::guard::{Allowance, Limits};
use crate::reconcile::identity::Ids;
use crate::reconcile::source::Commit;
use crate::store::State;
use crate::zone::{
    Asked, ClusterName, Controls, PartnerZone, Revision, Rollback, Scope, Spent, TopicName, ZoneName,
};

/// What the files of one revision want.
#[derive(Debug, Clone)]
pub struct Desired {
    pub revision: Revision,
    /// [`super::source::Snapshot::tree`].
    pub tree: String,
    pub commit: Option<Commit>,
    pub loaded: Arc<Loaded>,
}

impl Desired {
    /// What the commits' trailers say that guards may let pass.
    pub fn allowances(&self) -> &[Allowance] {
        self.commit.as_ref().map(|commit| commit.allowances.as_slice()).unwrap_or_default()
    }
}

/// What is in force.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The revision that the state reflects in full.
    pub revision: Option<Revision>,
    pub zones: BTreeMap<ZoneName, Arc<PartnerZone>>,
    /// The clusters' ids, as they were when they were first worked with.
    pub clusters: Ids,
    /// What operators suspended.
    pub suspended: BTreeMap<Scope, Asked>,
    /// The commit that they pinned.
    pub rollback: Option<Rollback>,
    /// What was made use of the commits' trailers already.
    pub spent: BTreeMap<String, Spent>,
}

impl Observed {
    pub fn of(state: &State) -> Self {
        let zones =
            state.zones.iter().map(|(name, record)| (name.clone(), Arc::clone(&record.zone))).collect();
        let Controls { suspended, rollback, .. } = state.controls.clone();
        Self {
            revision: state.revision.clone(),
            zones,
            clusters: state.clusters.clone(),
            suspended,
            rollback,
            spent: state.spent.clone(),
        }
    }
}

/// Backing topics that do not exist, as the clusters said that could be asked.
#[derive(Debug, Clone)]
pub struct MissingTopics {
    /// The cluster of zones that name none.
    pub home: ClusterName,
    pub by_cluster: BTreeMap<ClusterName, BTreeSet<TopicName>>,
    /// Clusters that could not be asked, each with the cause.
    pub not_asked: BTreeMap<ClusterName, String>,
}

/// What a plan is made under, beside the files and what is in force.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    pub limits: Limits,
    pub allowances: &'a [Allowance],
    /// The clusters' ids as they are now, of those that could be asked: with one that is another, nothing is done.
    pub clusters: Option<&'a Ids>,
    /// Without them, nothing is said about backing topics.
    pub topics: Option<&'a MissingTopics>,
    /// What is to change on the backing clusters: principals and ACLs. Held back with the zone that each is for.
    pub backing: &'a [Change],
    /// What there is to say about the backing clusters.
    pub doubts: &'a [Finding],
    /// What holds zones up, beside guards and suspensions.
    pub holding: Option<&'a Holding>,
    /// What another revision wants: a change that it asks for too was there already, and is drift.
    pub base: Option<&'a Desired>,
    /// What that revision would change on the backing clusters.
    pub backing_of_base: &'a [Change],
    /// Who is connected now. Without it, nothing is said about what partners will notice.
    pub connected: Option<&'a Connected>,
    /// Nothing is done to any other zone: neither created, changed nor deleted.
    pub only: Option<&'a ZoneName>,
    /// What everybody must know before the rest, beside what the plan says by itself.
    pub notices: &'a [Notice],
}
