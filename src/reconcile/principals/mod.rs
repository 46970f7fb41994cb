//! The zones' own principals on the backing clusters (`isolation: principal`): for each zone a SCRAM user, and the ACLs that
//! allow it this zone and nothing else.
//!
//! | file | what it holds |
//! |---|---|
//! | `rules` | the ACLs of a zone |
//! | `view` | what the clusters hold under our names |
//! | `compare` | what is wanted against what is there: pure |
//! | `slots` | a principal's two passwords, and how one master key follows another: pure |
//! | `shown` | the same as lines of a plan, and what there is to say about the clusters |
//! | `own` | the part of a run that deals with them |
//! | `clusters` | reads and writes the clusters, in bulk |
//! | `readback` | waits until every broker knows what was written |
//! | `logins` | logs in as the principals whose passwords were written, on every broker |
//! | `reach` | asks as these principals what else a cluster lets them do |
//! | `files` | clusters where somebody else makes the users: logs in as those of the zones' files |
//! | `told` | what there is to say of these: pure |
//!
//! # What is ours
//!
//! Nothing is touched whose name does not begin with our prefix, and under our prefix only what is ours. A principal is ours
//! if the state says so, which is written down before the first request that makes it; or, where the state was lost, if the
//! user's rounds are those that only the master key gives ([`crate::policy::principal`]). Anything else under a zone's name is
//! somebody else's: the zone waits, with an error, and nothing is taken over.

mod clusters;
mod compare;
mod files;
mod logins;
mod own;
mod reach;
mod readback;
mod rules;
#[cfg(test)]
mod samples;
mod shown;
mod slots;
mod told;
mod view;

use std::collections::BTreeMap;

pub use self::clusters::{Clusters, Failures, Target};
pub use self::compare::{Leftovers, Obstacle, Steps, Zone, ZoneSteps, obstacles, steps};
pub use self::files::{FileCluster, FileClusters};
pub use self::own::{OwnPrincipals, doubts, planned, wanted};
pub use self::shown::{changes, findings, left_behind};
pub use self::slots::Password;
pub use self::told::rights_needed;
pub use self::view::{Seen, View};
use crate::policy::principal::MasterKeys;
use crate::sasl::ScramHash;
use crate::zone::{ClusterName, PartnerZone};

pub use crate::store::Principals as Records;

/// What the configuration says of principals.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The cluster of zones that name none.
    pub home: ClusterName,
    /// The clusters whose zones have principals, and what their passwords come from.
    pub keys: BTreeMap<ClusterName, MasterKeys>,
    /// By which of its two passwords a new principal logs in; of a cluster that is not here, the stronger.
    pub preferred: BTreeMap<ClusterName, ScramHash>,
}

impl Setup {
    /// The cluster that a zone lies on.
    pub fn cluster_of<'a>(&'a self, zone: &'a PartnerZone) -> &'a ClusterName {
        zone.underlying_cluster.as_ref().unwrap_or(&self.home)
    }

    fn preferred(&self, cluster: &ClusterName) -> ScramHash {
        self.preferred.get(cluster).copied().unwrap_or(ScramHash::Sha512)
    }

    /// The same, if its zones have principals.
    fn cluster_with_principals<'a>(
        &'a self,
        zone: &'a PartnerZone,
    ) -> Option<(&'a ClusterName, &'a MasterKeys)> {
        let cluster = self.cluster_of(zone);
        Some((cluster, self.keys.get(cluster)?))
    }
}
