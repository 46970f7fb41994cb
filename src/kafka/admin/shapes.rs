//! Shapes of the answers that this ring reads for itself; the gateway, which refuses these requests, writes the same ones.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

#[rustfmt::skip]
pub static DESCRIBE_ACLS_RESPONSE: Shape = Shape {
    api_key: 29,
    name: "DescribeAclsResponse",
    versions: Versions::new(1, 3),
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(1).entity(Entity::ErrorMessage),
        F::new("resources", T::Array(&T::Struct(&[
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("patternType", T::Int8),
            F::new("acls", T::Array(&T::Struct(&[
                F::new("principal", T::String),
                F::new("host", T::String),
                F::new("operation", T::Int8),
                F::new("permissionType", T::Int8),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub static CREATE_ACLS_RESPONSE: Shape = Shape {
    api_key: 30,
    name: "CreateAclsResponse",
    versions: Versions::new(1, 3),
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(1).entity(Entity::ErrorMessage),
        ]))),
    ],
};

#[rustfmt::skip]
pub static DELETE_ACLS_RESPONSE: Shape = Shape {
    api_key: 31,
    name: "DeleteAclsResponse",
    versions: Versions::new(1, 3),
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("filterResults", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(1).entity(Entity::ErrorMessage),
            F::new("matchingAcls", T::Array(&T::Struct(&[
                F::new("errorCode", T::Int16),
                F::new("errorMessage", T::String).nullable_since(1).entity(Entity::ErrorMessage),
                F::new("resourceType", T::Int8),
                F::new("resourceName", T::String),
                F::new("patternType", T::Int8),
                F::new("principal", T::String),
                F::new("host", T::String),
                F::new("operation", T::Int8),
                F::new("permissionType", T::Int8),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE: Shape = Shape {
    api_key: 50,
    name: "DescribeUserScramCredentialsResponse",
    versions: Versions::new(0, 0),
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("results", T::Array(&T::Struct(&[
            F::new("user", T::String),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            F::new("credentialInfos", T::Array(&T::Struct(&[
                F::new("mechanism", T::Int8),
                F::new("iterations", T::Int32),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE: Shape = Shape {
    api_key: 51,
    name: "AlterUserScramCredentialsResponse",
    versions: Versions::new(0, 0),
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("user", T::String),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        ]))),
    ],
};

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        AlterUserScramCredentialsResponse, CreateAclsResponse, DeleteAclsResponse, DescribeAclsResponse,
        DescribeUserScramCredentialsResponse,
    };

    use super::*;
    use crate::kafka::sample::assert_agreement;

    #[test]
    fn the_shapes_are_what_kafka_protocol_reads_and_writes() {
        for version in 1..=3 {
            assert_agreement::<DescribeAclsResponse>(&DESCRIBE_ACLS_RESPONSE, version);
            assert_agreement::<CreateAclsResponse>(&CREATE_ACLS_RESPONSE, version);
            assert_agreement::<DeleteAclsResponse>(&DELETE_ACLS_RESPONSE, version);
        }
        assert_agreement::<DescribeUserScramCredentialsResponse>(
            &DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE,
            0,
        );
        assert_agreement::<AlterUserScramCredentialsResponse>(&ALTER_USER_SCRAM_CREDENTIALS_RESPONSE, 0);
    }
}
