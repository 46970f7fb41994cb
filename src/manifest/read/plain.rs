//! Parts that mean what they say: nothing in them is left to check after the schema.

use crate::zone::{AuthenticationMode, Organization, PartnerContact, Permission, TrafficControl};

use super::super::v2;

pub(super) fn mode(kind: v2::AuthenticationType) -> AuthenticationMode {
    match kind {
        v2::AuthenticationType::Plain => AuthenticationMode::Plain,
        v2::AuthenticationType::Scram => AuthenticationMode::Scram,
        v2::AuthenticationType::OauthBearer => AuthenticationMode::OauthBearer,
        v2::AuthenticationType::Mtls => AuthenticationMode::Mtls,
    }
}

pub(super) fn partner(partner: v2::Partner) -> PartnerContact {
    let v2::Partner { name, role, email, phone } = partner;
    PartnerContact { name, role, email, phone }
}

pub(super) fn organization(organization: v2::Organization) -> Organization {
    let v2::Organization { name, description, contact } = organization;
    Organization { name, description, contact }
}

pub(super) fn traffic_control(policies: v2::TrafficControlPolicies) -> TrafficControl {
    TrafficControl {
        max_produce_rate: policies.max_produce_rate,
        max_consume_rate: policies.max_consume_rate,
        limit_commit_offset: policies.limit_commit_offset,
        max_connections: policies.max_connections,
        max_connection_rate: policies.max_connection_rate,
        max_request_rate: policies.max_request_rate,
    }
}

pub(super) fn permission(permission: v2::Permission) -> Permission {
    match permission {
        v2::Permission::Read => Permission::Read,
        v2::Permission::Write => Permission::Write,
        v2::Permission::Produce => Permission::Produce,
    }
}
