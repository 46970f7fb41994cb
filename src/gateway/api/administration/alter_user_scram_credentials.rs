//! AlterUserScramCredentials (51): credentials are issued by the provider.

use std::collections::BTreeSet;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
pub(crate) use crate::kafka::admin::shapes::ALTER_USER_SCRAM_CREDENTIALS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 51,
    name: "AlterUserScramCredentialsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("deletions", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("mechanism", T::Int8),
        ]))),
        F::new("upsertions", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("mechanism", T::Int8),
            F::new("iterations", T::Int32),
            F::new("salt", T::Bytes),
            F::new("saltedPassword", T::Bytes),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |request: AlterUserScramCredentialsRequest, _| {
        let deleted = request.deletions.into_iter().map(|deletion| deletion.name);
        let users: BTreeSet<_> =
            deleted.chain(request.upsertions.into_iter().map(|upsertion| upsertion.name)).collect();
        let refused = |user| {
            AlterUserScramCredentialsResult::default()
                .with_user(user)
                .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
                .with_error_message(None)
        };
        AlterUserScramCredentialsResponse::default().with_results(users.into_iter().map(refused).collect())
    })
}
