//! What the cluster itself holds for the zones: its ACLs and SCRAM users, read with our own client and compared with a list made here.

use std::collections::BTreeSet;
use std::time::Duration;

use partner_zones::kafka::admin::{Acl, Admin};
use partner_zones::kafka::client::UpstreamSecurity;

use super::{ZONES, topic};

pub(super) const MASTER_KEY: &str = "a key of this test, thirty-two bytes and more";

const REQUEST: Duration = Duration::from_mins(1);
/// The test cluster's own.
const OTHERS: [&str; 2] = ["admin", "gateway"];
const RIGHTS: [&str; 8] = [
    "topic/literal/@TOPIC@ READ",
    "topic/literal/@TOPIC@ DESCRIBE",
    "topic/literal/@TOPIC@ DESCRIBE_CONFIGS",
    "group/prefixed/@ZONE@: READ",
    "group/prefixed/@ZONE@: DELETE",
    "group/prefixed/@ZONE@: DESCRIBE",
    "transactional-id/prefixed/@ZONE@: WRITE",
    "transactional-id/prefixed/@ZONE@: DESCRIBE",
];

/// One line for each ACL and each user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found(BTreeSet<String>);

impl Found {
    pub(super) fn read(bootstrap: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Over the open listener, where everybody is a super user.
            let security = UpstreamSecurity::from_properties(&[].into()).unwrap();
            let mut admin = Admin::connect(bootstrap, &security, REQUEST).await.unwrap();
            let acls = admin.acls().await.unwrap().into_iter().map(|acl| line(&acl));
            let mut lines: BTreeSet<String> = acls.collect();
            let users = admin.scram_users().await.unwrap();
            let users = users.into_iter().filter(|(name, _)| !OTHERS.contains(&name.as_str()));
            lines.extend(users.map(|(name, hashes)| user(&name, hashes.len())));
            Self(lines)
        })
    }

    /// What is there and should not be, and what should and is not.
    pub(super) fn difference(&self, wanted: &Self) -> Option<String> {
        let (more, less): (Vec<_>, Vec<_>) =
            (self.0.difference(&wanted.0).collect(), wanted.0.difference(&self.0).collect());
        (self != wanted).then(|| format!("too much: {more:?}, missing: {less:?}"))
    }
}

fn line(acl: &Acl) -> String {
    format!("{} {:?} {} {} from {}", acl.principal, acl.effect, acl.resource, acl.operation, acl.host)
}

fn user(name: &str, credentials: usize) -> String {
    format!("user {name} with {credentials} credentials")
}

/// What the zones of a generation need, and nothing else.
pub(super) fn wanted(generation: usize) -> Found {
    let topic = topic::backing(generation);
    let zones = (0..ZONES).map(|zone| format!("zone-{zone}")).chain([topic::only(generation)]);
    let of_zone = |zone: String| {
        let name = format!("partner-zones.{zone}");
        let rights = RIGHTS.map(|right| right.replace("@TOPIC@", &topic).replace("@ZONE@", &zone));
        let acls = rights.map(|right| format!("User:{name} Allow {right} from *"));
        acls.into_iter().chain([user(&name, 2)])
    };
    Found(zones.flat_map(of_zone).collect())
}
