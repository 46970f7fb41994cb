//! Test support: a cluster on which zones have principals of their own.

use std::collections::BTreeMap;

use super::Setup;
use crate::policy::principal::MasterKey;
use crate::secret::Secret;
use crate::zone::ClusterName;

pub(super) fn home() -> ClusterName {
    ClusterName::try_from("home").unwrap()
}

pub(super) fn setup() -> Setup {
    let key = MasterKey::new(&Secret::new("k".repeat(32))).unwrap();
    Setup { home: home(), keys: BTreeMap::from([(home(), key.into())]), preferred: BTreeMap::new() }
}
