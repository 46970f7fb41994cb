//! The proof of the whole table: every shape agrees with `kafka-protocol` at every version, in both directions, and no
//! handler panics on bytes that are not a request.

use std::any::Any;
use std::fmt::Debug;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fixture::{Partner, Read};
use super::{Entry, Outcome, REGISTRY, entry, invariants, names};
use crate::kafka::codec;
use crate::kafka::sample;
use crate::kafka::shape::Shape;
use crate::zone::Operation;

/// Runs `$check::<M>(shape, version)` for request and response of every row at every version.
macro_rules! for_every_message {
    ($check:ident: $($key:literal $request:ident $response:ident),+ $(,)?) => {{
        let mut rows = 0;
        $(
            let row = entry($key).unwrap();
            for version in row.versions.first..=row.versions.last {
                $check::<m::$request>(row.request, version);
                $check::<m::$response>(row.response, version);
            }
            rows += 1;
        )+
        assert_eq!(rows, REGISTRY.len(), "every row is proven");
    }};
}

macro_rules! for_the_whole_table {
    ($check:ident) => {
        for_every_message! { $check:
            0 ProduceRequest ProduceResponse,
            1 FetchRequest FetchResponse,
            2 ListOffsetsRequest ListOffsetsResponse,
            3 MetadataRequest MetadataResponse,
            8 OffsetCommitRequest OffsetCommitResponse,
            9 OffsetFetchRequest OffsetFetchResponse,
            10 FindCoordinatorRequest FindCoordinatorResponse,
            11 JoinGroupRequest JoinGroupResponse,
            12 HeartbeatRequest HeartbeatResponse,
            13 LeaveGroupRequest LeaveGroupResponse,
            14 SyncGroupRequest SyncGroupResponse,
            15 DescribeGroupsRequest DescribeGroupsResponse,
            16 ListGroupsRequest ListGroupsResponse,
            17 SaslHandshakeRequest SaslHandshakeResponse,
            18 ApiVersionsRequest ApiVersionsResponse,
            19 CreateTopicsRequest CreateTopicsResponse,
            20 DeleteTopicsRequest DeleteTopicsResponse,
            21 DeleteRecordsRequest DeleteRecordsResponse,
            22 InitProducerIdRequest InitProducerIdResponse,
            23 OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse,
            24 AddPartitionsToTxnRequest AddPartitionsToTxnResponse,
            25 AddOffsetsToTxnRequest AddOffsetsToTxnResponse,
            26 EndTxnRequest EndTxnResponse,
            28 TxnOffsetCommitRequest TxnOffsetCommitResponse,
            29 DescribeAclsRequest DescribeAclsResponse,
            30 CreateAclsRequest CreateAclsResponse,
            31 DeleteAclsRequest DeleteAclsResponse,
            32 DescribeConfigsRequest DescribeConfigsResponse,
            33 AlterConfigsRequest AlterConfigsResponse,
            34 AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse,
            35 DescribeLogDirsRequest DescribeLogDirsResponse,
            36 SaslAuthenticateRequest SaslAuthenticateResponse,
            37 CreatePartitionsRequest CreatePartitionsResponse,
            38 CreateDelegationTokenRequest CreateDelegationTokenResponse,
            39 RenewDelegationTokenRequest RenewDelegationTokenResponse,
            40 ExpireDelegationTokenRequest ExpireDelegationTokenResponse,
            41 DescribeDelegationTokenRequest DescribeDelegationTokenResponse,
            42 DeleteGroupsRequest DeleteGroupsResponse,
            43 ElectLeadersRequest ElectLeadersResponse,
            44 IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse,
            45 AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse,
            46 ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse,
            47 OffsetDeleteRequest OffsetDeleteResponse,
            48 DescribeClientQuotasRequest DescribeClientQuotasResponse,
            49 AlterClientQuotasRequest AlterClientQuotasResponse,
            50 DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse,
            51 AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse,
            55 DescribeQuorumRequest DescribeQuorumResponse,
            57 UpdateFeaturesRequest UpdateFeaturesResponse,
            60 DescribeClusterRequest DescribeClusterResponse,
            61 DescribeProducersRequest DescribeProducersResponse,
            65 DescribeTransactionsRequest DescribeTransactionsResponse,
            66 ListTransactionsRequest ListTransactionsResponse,
            68 ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse,
            69 ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse,
            71 GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse,
            72 PushTelemetryRequest PushTelemetryResponse,
            74 ListConfigResourcesRequest ListConfigResourcesResponse,
        }
    };
}

#[test]
fn every_shape_agrees_with_kafka_protocol_at_every_version_to_the_last_byte() {
    use sample::assert_agreement;
    for_the_whole_table!(assert_agreement);
}

/// Mutated bodies: some still parse, none may panic, and what parses is written back as it was understood.
fn assert_survives_mutation<M: Decodable + Encodable + Debug + PartialEq>(
    shape: &'static Shape,
    version: i16,
) {
    let mut random = StdRng::seed_from_u64(
        u64::from(shape.api_key.unsigned_abs()) << 8 | u64::from(version.unsigned_abs()),
    );
    for seed in 0..20 {
        let mut bytes = sample::body(shape, version, seed);
        for _ in 0..10 {
            if bytes.is_empty() {
                break;
            }
            let place = random.random_range(0..bytes.len());
            bytes[place] = random.random();
            let Ok(message) = codec::decode::<M>(shape, version, Bytes::copy_from_slice(&bytes)) else {
                continue;
            };
            let Ok(again) = codec::encode(&message, version) else { continue };
            let again: M = codec::decode(shape, version, again).unwrap();
            assert_eq!(again, message, "{} v{version}", shape.name);
        }
    }
}

#[test]
fn mutated_bodies_are_refused_or_understood_and_never_panic() {
    for_the_whole_table!(assert_survives_mutation);
}

/// On a connection of its own.
fn call(entry: &Entry, version: i16, request: &Bytes, response: &Bytes) {
    invariants::hold(&invariants::partner(), entry, version, request, response);
}

#[test]
fn every_handler_takes_what_its_shape_allows_and_gives_what_its_shape_allows() {
    for entry in REGISTRY {
        for version in entry.versions.first..=entry.versions.last {
            for seed in 0..20 {
                let request = sample::body(entry.request, version, seed).into();
                call(entry, version, &request, &sample::body(entry.response, version, seed + 1).into());
            }
        }
    }
}

/// The partner speaks of its aliases and of what is not its own, the broker of backing topics, asked for or not.
#[test]
fn nothing_that_is_not_the_zones_passes_in_either_direction() {
    let partner = invariants::partner();
    let (theirs, ours) = (invariants::theirs(&partner), invariants::ours(&partner));
    for entry in REGISTRY {
        for version in entry.versions.first..=entry.versions.last {
            for seed in 0..60 {
                let request = sample::body_of(&theirs, entry.request, version, seed).into();
                let response = sample::body_of(&ours, entry.response, version, seed + 1).into();
                call(entry, version, &request, &response);
            }
        }
    }
}

/// What waits for the broker is counted by what it is, not by the frame that it came in.
#[test]
fn nothing_that_waits_for_an_answer_keeps_the_request_alive() {
    let partner = invariants::partner();
    let theirs = invariants::theirs(&partner);
    let mut waited = 0;
    for entry in REGISTRY {
        for version in entry.versions.first..=entry.versions.last {
            let exchange = partner.exchange(version);
            for seed in 0..20 {
                let body = sample::body_of(&theirs, entry.request, version, seed);
                let frame = Bytes::from([&b"head"[..], &body].concat());
                let request = frame.slice(4..);
                let waiting: Box<dyn Any> = match (entry.handle)(&exchange, request) {
                    Ok(Outcome::Forward { respond, .. }) => Box::new(respond),
                    Ok(Outcome::ForwardEach { join, .. }) => Box::new(join),
                    _ => continue,
                };
                assert!(frame.is_unique(), "{} v{version}", entry.name());
                drop(waiting);
                waited += 1;
            }
        }
    }
    assert!(waited > 1000, "{waited} requests went on");
}

#[test]
fn an_array_of_two_billion_elements_is_refused_by_every_handler() {
    for entry in REGISTRY {
        for version in entry.versions.first..=entry.versions.last {
            for fill in [&[0x7f, 0xff, 0xff, 0xff][..], &[0xff, 0xff, 0xff, 0xff, 0x07]] {
                let body = Bytes::from(fill.repeat(8));
                call(entry, version, &body, &body);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_make_a_handler_panic(
        row in 0..REGISTRY.len(),
        version in 0..20_i16,
        request in prop::collection::vec(any::<u8>(), 0..200),
        response in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        call(&REGISTRY[row], version, &request.into(), &response.into());
    }

    #[test]
    fn a_name_that_went_out_comes_back_as_the_alias_it_was(
        backings in prop::collection::btree_map("[a-d]{1,2}", "[a-d]{1,2}", 1..6),
        asked in prop::collection::vec("[a-d]{1,2}", 0..8),
    ) {
        let topics: Vec<_> = backings.iter().map(|(alias, backing)| (alias.as_str(), backing.as_str(), Read)).collect();
        let partner = Partner::of(&topics);
        let mut names = names::Names::new(&partner.view);
        for alias in &asked {
            for by_id in [false, true] {
                let known = partner.view.by_alias(alias);
                let key = match known.and_then(|topic| topic.ids) {
                    Some(ids) if by_id => names::Key::Id(ids.synthetic),
                    _ => names::Key::Name(alias),
                };
                match names.admit(&partner.view, key, Operation::Read) {
                    Ok(topic) => {
                        prop_assert_eq!(topic.alias.as_str(), alias);
                        let back = names.back(topic.backing.as_str()).unwrap();
                        prop_assert_eq!(&back.alias, &topic.alias);
                        let by_id = names.back_by_id(topic.ids.unwrap().real).unwrap();
                        prop_assert_eq!(&by_id.alias, &topic.alias);
                    }
                    Err(error) if error.code() == 17 => {
                        // Another alias holds this topic already, and keeps it.
                        let first = names.back(known.unwrap().backing.as_str()).unwrap();
                        prop_assert_ne!(first.alias.as_str(), alias);
                    }
                    Err(error) => prop_assert!(known.is_none() && error.code() == 29),
                }
            }
        }
    }
}
