//! A connection on which nothing is checked and nothing mapped: what the partner says reaches the broker as it is, on the connection
//! that was opened for its zone. For the tests of the second lock, which ask what the brokers refuse by themselves. It is part of
//! no release, and no configuration asks for it.

use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::close::Close;
use super::config::GatewayConfig;
use super::runtime::{Gateway, Handle, StartError, Zones};
use super::shared::Checks;
use super::transport::{Inbound, Outbound, Peer};
use crate::kafka::socket::Socket;

impl Gateway {
    /// As [`start`](Self::start), without what keeps partners in their zones once they have logged in.
    pub fn start_unchecked(
        config: GatewayConfig,
        zones: Zones,
        registry: &mut Registry,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Handle, StartError> {
        Self::begin(config, Checks::TakenAway, zones, registry, tasks, cancel)
    }
}

/// Passes everything both ways until one side is done.
pub(super) async fn pass<R, W>(
    partner_in: &mut Inbound<R>,
    partner_out: &mut Outbound<W>,
    broker: Socket,
    stall: Duration,
) -> Close
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (read, write) = broker.into_split();
    let mut broker_in = Inbound::new(read, Peer::Broker);
    let mut broker_out = Outbound::new(write, Peer::Broker, stall);
    tokio::select! {
        close = copy(partner_in, &mut broker_out, Close::PartnerDone) => close,
        close = copy(&mut broker_in, partner_out, Close::BrokerDone) => close,
    }
}

async fn copy<R, W>(from: &mut Inbound<R>, to: &mut Outbound<W>, done: Close) -> Close
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let arrived = from.take(usize::MAX).freeze();
        let sent = async {
            to.push_shared(arrived).await?;
            to.flush().await
        };
        if let Err(close) = sent.await {
            return close;
        }
        match from.fill().await {
            Ok(0) => return done,
            Ok(_) => {}
            Err(close) => return close,
        }
    }
}
