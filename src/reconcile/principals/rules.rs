//! What a zone's principal may do on its cluster: exactly this, and nothing on the cluster itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kafka::admin::{Acl, Effect, Operation, Pattern, Resource, ResourceKind};
use crate::policy::principal;
use crate::zone::{self, PartnerZone, ZoneName};

use Operation::{Delete, Describe, DescribeConfigs, Read, Write};

/// How ACLs name a zone's principal.
pub(super) fn principal(zone: &ZoneName) -> String {
    format!("User:{}", principal::user(zone))
}

/// The zone that an ACL's principal belongs to by its name.
pub(super) fn zone_of(principal: &str) -> Option<ZoneName> {
    principal::zone_of(principal.strip_prefix("User:")?)
}

/// The ACLs that a zone needs: its topics by name, its groups and transactional ids by prefix, its backing groups by name.
pub(super) fn acls(zone: &PartnerZone) -> BTreeSet<Acl> {
    let principal: Arc<str> = principal(&zone.name).into();
    let everywhere: Arc<str> = "*".into();
    let mut acls = BTreeSet::new();
    let mut allow = |kind: ResourceKind, pattern: Pattern, name: &str, operations: &[Operation]| {
        let name: Arc<str> = name.into();
        acls.extend(operations.iter().map(|&operation| Acl {
            principal: Arc::clone(&principal),
            resource: Resource { kind, pattern, name: Arc::clone(&name) },
            operation,
            effect: Effect::Allow,
            host: Arc::clone(&everywhere),
        }));
    };
    for topic in &zone.topics {
        let name = topic.backing.as_str();
        allow(ResourceKind::Topic, Pattern::Literal, name, &[Describe, DescribeConfigs]);
        for (wanted, operation) in [(zone::Operation::Read, Read), (zone::Operation::Write, Write)] {
            if topic.permission.allows(wanted) {
                allow(ResourceKind::Topic, Pattern::Literal, name, &[operation]);
            }
        }
    }
    let prefix = format!("{}:", zone.name);
    allow(ResourceKind::Group, Pattern::Prefixed, &prefix, &[Read, Describe, Delete]);
    allow(ResourceKind::TransactionalId, Pattern::Prefixed, &prefix, &[Write, Describe]);
    for group in &zone.consumer_groups {
        allow(ResourceKind::Group, Pattern::Literal, group.backing_group.as_str(), &[Read, Describe, Delete]);
    }
    acls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::sample::{topic, zone};
    use crate::zone::{ConsumerGroup, GroupName, Permission};

    #[test]
    fn a_principal_gets_what_its_zone_is_given_and_nothing_on_the_cluster() {
        let mut acme = zone(
            "acme",
            vec![
                topic("orders", "orders-v1", Permission::Read),
                topic("orders-in", "orders-v1", Permission::Produce),
                topic("bills", "bills-v1", Permission::Produce),
            ],
        );
        acme.consumer_groups = vec![ConsumerGroup {
            name: GroupName::try_from("app").unwrap(),
            backing_group: GroupName::try_from("old-app").unwrap(),
        }];
        let shown: Vec<String> =
            acls(&acme).iter().map(|acl| format!("{} {}", acl.resource, acl.operation)).collect();
        assert_eq!(
            shown,
            [
                "topic/literal/bills-v1 WRITE",
                "topic/literal/bills-v1 DESCRIBE",
                "topic/literal/bills-v1 DESCRIBE_CONFIGS",
                // Two aliases of one topic: what either of them allows.
                "topic/literal/orders-v1 READ",
                "topic/literal/orders-v1 WRITE",
                "topic/literal/orders-v1 DESCRIBE",
                "topic/literal/orders-v1 DESCRIBE_CONFIGS",
                "group/literal/old-app READ",
                "group/literal/old-app DELETE",
                "group/literal/old-app DESCRIBE",
                "group/prefixed/acme: READ",
                "group/prefixed/acme: DELETE",
                "group/prefixed/acme: DESCRIBE",
                "transactional-id/prefixed/acme: WRITE",
                "transactional-id/prefixed/acme: DESCRIBE",
            ]
        );
        let all = acls(&acme);
        assert!(all.iter().all(|acl| &*acl.principal == "User:partner-zones.acme"));
        assert!(all.iter().all(|acl| acl.effect == Effect::Allow && &*acl.host == "*"));
    }

    #[test]
    fn only_our_principals_have_a_zone() {
        assert_eq!(zone_of("User:partner-zones.acme").unwrap().as_str(), "acme");
        for other in ["User:*", "User:partner-zones.", "Group:partner-zones.acme", "partner-zones.acme"] {
            assert_eq!(zone_of(other), None, "{other}");
        }
    }
}
