//! The two halves of a connection: large reads into buffers that are not held while nothing comes, gathered writes, and no
//! wait without an end.

mod inbound;
mod outbound;
mod pool;

use std::io;

pub(crate) use self::inbound::Inbound;
pub(crate) use self::outbound::Outbound;
use super::close::Close;

/// Who is at the other end of a half: decides what its failure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Partner,
    Broker,
}

impl Peer {
    fn gone(self, error: io::Error) -> Close {
        match self {
            Self::Partner => Close::PartnerGone(error),
            Self::Broker => Close::BrokerGone(error),
        }
    }
}
