//! Authorised operations (KIP-430): what a partner is told it may do, from the zone's permissions and not from the broker's.

use crate::zone::{Operation, Permission};

/// The bit field of somebody who may do nothing: a partner has no rights on the cluster itself.
pub(super) const NO_OPERATIONS: i32 = 0;

/// The bit field when nobody asked.
pub(super) const NOT_ASKED: i32 = i32::MIN;

/// Kafka's `AclOperation` codes; an operation's bit is `1 << code`.
const READ: u8 = 3;
const WRITE: u8 = 4;
const DELETE: u8 = 6;
const DESCRIBE: u8 = 8;
const DESCRIBE_CONFIGS: u8 = 10;

/// The bit field of a group of the zone: all that the zone's own principal may do with its groups.
pub(super) const ON_GROUP: i32 = 1 << READ | 1 << DELETE | 1 << DESCRIBE;

/// The bit field of a topic.
pub(super) fn on_topic(permission: Permission) -> i32 {
    let bit = |code: u8| 1_i32 << code;
    let mut operations = bit(DESCRIBE) | bit(DESCRIBE_CONFIGS);
    if permission.allows(Operation::Read) {
        operations |= bit(READ);
    }
    if permission.allows(Operation::Write) {
        operations |= bit(WRITE);
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_told_in_kafkas_bits() {
        let of = |permission| (on_topic(permission) & 0b1000 != 0, on_topic(permission) & 0b1_0000 != 0);
        assert_eq!(of(Permission::Read), (true, false));
        assert_eq!(of(Permission::Write), (true, true));
        assert_eq!(of(Permission::Produce), (false, true));
        assert_eq!(on_topic(Permission::Produce), 1 << 4 | 1 << 8 | 1 << 10);
        assert_eq!(ON_GROUP, 0b1_0100_1000);
    }
}
