//! What no two zones may have.

use std::fmt;

use super::{GroupName, PartnerZone, ServiceAccount};

/// Something that belongs to one zone alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Before authentication nothing else says which zone a partner belongs to.
    ServiceAccount(ServiceAccount),
    /// Two partners in one group would take each other's partitions and move each other's offsets.
    BackingGroup(GroupName),
}

impl PartnerZone {
    /// Everything that this zone wants for itself: its account, then its backing groups in manifest order.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        let account = Claim::ServiceAccount(self.authentication.service_account.clone());
        let group = |group: &super::ConsumerGroup| Claim::BackingGroup(group.backing_group.clone());
        std::iter::once(account).chain(self.consumer_groups.iter().map(group))
    }
}

/// Completes "… is that of zone `x`".
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount(account) => write!(f, "the service account `{account}`"),
            Self::BackingGroup(group) => write!(f, "the backing group `{group}`"),
        }
    }
}
