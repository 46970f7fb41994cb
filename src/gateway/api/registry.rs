//! The rows of the closed table.

use super::administration::{
    alter_client_quotas, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
    alter_user_scram_credentials, create_acls, create_delegation_token, create_partitions, create_topics,
    delete_acls, delete_records, delete_topics, describe_acls, describe_client_quotas,
    describe_delegation_token, describe_log_dirs, describe_producers, describe_quorum,
    describe_user_scram_credentials, elect_leaders, expire_delegation_token, incremental_alter_configs,
    list_config_resources, list_partition_reassignments, renew_delegation_token, update_features,
};
use super::{
    Entry, Origin, add_offsets_to_txn, add_partitions_to_txn, api_versions, consumer_group_describe,
    consumer_group_heartbeat, delete_groups, describe_cluster, describe_configs, describe_groups,
    describe_transactions, end_txn, fetch, find_coordinator, get_telemetry_subscriptions, heartbeat,
    init_producer_id, join_group, leave_group, list_groups, list_offsets, list_transactions, metadata,
    offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, produce, push_telemetry,
    sasl_authenticate, sasl_handshake, sync_group, txn_offset_commit,
};

macro_rules! rows {
    ($($origin:ident: $($module:ident),+;)+) => {
        /// Everything that is served, in no order that matters.
        pub(crate) static REGISTRY: &[Entry] = &[$($(Entry {
            request: &$module::REQUEST,
            response: &$module::RESPONSE,
            versions: $module::VERSIONS,
            origin: Origin::$origin,
            handle: $module::handle,
        }),+),+];
    };
}

rows! {
    Gateway: api_versions, sasl_authenticate, sasl_handshake;
    Substitute: get_telemetry_subscriptions, push_telemetry;
    Broker: add_offsets_to_txn, add_partitions_to_txn, consumer_group_describe, consumer_group_heartbeat,
        delete_groups, describe_cluster, describe_configs,
        describe_groups, describe_transactions, end_txn, fetch, find_coordinator, heartbeat,
        init_producer_id, join_group, leave_group, list_groups, list_offsets, list_transactions, metadata,
        offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, produce, sync_group,
        txn_offset_commit;
    // Refused, whatever is asked.
    Gateway: alter_client_quotas, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
        alter_user_scram_credentials, create_acls, create_delegation_token, create_partitions,
        create_topics, delete_acls, delete_records, delete_topics, describe_acls, describe_client_quotas,
        describe_delegation_token, describe_log_dirs, describe_producers, describe_quorum,
        describe_user_scram_credentials, elect_leaders, expire_delegation_token, incremental_alter_configs,
        list_config_resources, list_partition_reassignments, renew_delegation_token, update_features;
}

/// The row of an API key, or none: then it does not exist here.
pub(crate) fn entry(key: i16) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.key() == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::gateway::offer::ApiRanges;
    use crate::kafka::shape::Versions;

    #[test]
    fn every_key_stands_in_the_table_once_with_both_shapes_of_its_own() {
        for row in REGISTRY {
            assert_eq!(row.response.api_key, row.key(), "{}", row.name());
            assert_eq!(format!("{}Response", row.name()), row.response.name);
            assert_eq!(row.request.versions, row.versions, "{}", row.name());
            assert_eq!(row.response.versions, row.versions, "{}", row.name());
            assert_eq!(REGISTRY.iter().filter(|other| other.key() == row.key()).count(), 1, "{}", row.name());
        }
        assert_eq!(entry(1).map(Entry::name), Some("Fetch"));
        assert!(entry(75).is_none(), "DescribeTopicPartitions is not served");
    }

    #[test]
    fn what_is_served_is_what_broker_and_gateway_share() {
        let fetch = entry(1).unwrap();
        let ranges = |first, last| ApiRanges::from([(1, Versions::new(first, last))]);
        assert_eq!(fetch.served(&ranges(0, 16)), Some(Versions::new(4, 16)));
        assert_eq!(fetch.served(&ranges(6, 99)), Some(Versions::new(6, 18)));
        assert_eq!(fetch.served(&ranges(0, 3)), None);
        assert_eq!(fetch.served(&ApiRanges::new()), None);
        assert_eq!(entry(36).unwrap().served(&ApiRanges::new()), Some(Versions::new(0, 2)));
    }

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let documented = |line: &str| {
            let mut cells = line.strip_prefix("| ")?.split(" | ").map(str::to_owned);
            let key = cells.next()?.parse::<i16>().ok()?;
            Some((key, cells.next()?, cells.next()?))
        };
        let served = REGISTRY.iter().map(|row| {
            let Versions { first, last } = row.versions;
            let versions = if first == last { first.to_string() } else { format!("{first}–{last}") };
            (row.key(), row.name().to_owned(), versions)
        });
        let documented: BTreeSet<_> =
            include_str!("../../../docs/protocol.md").lines().filter_map(documented).collect();
        assert_eq!(documented, served.collect());
    }
}
