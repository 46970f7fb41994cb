//! One partner connection from accept to close: log in, connect to the broker, relay both ways.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::allowance::Seat;
use super::close::Close;
use super::gate::Admission;
use super::login::{Desk, Identity};
use super::memory::Memory;
use super::request_loop::RequestLoop;
use super::response_loop::ResponseLoop;
use super::shared::{Checks, Port, Shared};
use super::tls::Chain;
use super::traffic::{self, Pace};
use super::transport::{Inbound, Outbound, Peer};
#[cfg(debug_assertions)]
use super::unchecked;
use super::upstream;
use super::usage::Used;
use super::view::Login;
use crate::kafka::client::Session;
use crate::kafka::socket::Socket;

/// Serves one accepted connection.
pub(crate) async fn serve(
    shared: &Shared,
    socket: Socket,
    port: &Port,
    admission: Admission,
    cancel: &CancellationToken,
) -> Close {
    let stall = shared.config.limits.write_stall;
    let certificate = Chain::of(&socket);
    let (read, write) = socket.into_split();
    let mut partner_in = Inbound::new(read, Peer::Partner);
    let mut partner_out = Outbound::new(write, Peer::Partner, stall);
    let guest = Guest { admission, certificate };
    let close = converse(shared, &mut partner_in, &mut partner_out, port, guest, cancel).await;
    let unheard = matches!(close, Close::PartnerGone(_) | Close::SlowReader(_) | Close::WriteStalled(_));
    if !unheard && !matches!(close, Close::Revoked | Close::Expired) {
        // What it has not read by then is given up, however steadily it reads.
        let goodbye = part(&mut partner_in, &mut partner_out);
        let _ = timeout(shared.config.limits.drain_within, goodbye).await;
    }
    close
}

/// Says goodbye so that the last answer arrives: our side is closed first, then what the partner still sends is read away.
async fn part<R, W>(partner_in: &mut Inbound<R>, partner_out: &mut Outbound<W>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    const LINGER: Duration = Duration::from_millis(500);
    if partner_out.finish().await.is_ok() {
        // Running out of time is fine: the partner had its chance to read.
        let _ = timeout(LINGER, partner_in.discard()).await;
    }
}

/// Who has connected, as far as it is known before a login.
struct Guest {
    admission: Admission,
    /// What it has shown in the TLS handshake.
    certificate: Option<Arc<Chain>>,
}

async fn converse<R, W>(
    shared: &Shared,
    partner_in: &mut Inbound<R>,
    partner_out: &mut Outbound<W>,
    port: &Port,
    guest: Guest,
    cancel: &CancellationToken,
) -> Close
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let network = guest.admission.network();
    let entered = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Close::Shutdown),
        // Boxed: its state goes when it is done, and the connection stays.
        entered = Box::pin(enter(shared, partner_in, partner_out, port, guest)) => entered,
    };
    let Entered { login, seat, pace, broker, session } = match entered {
        Ok(entered) => entered,
        Err(close) => return close,
    };
    tracing::info!(zone = %login.zone.name, user = login.user, proof = %login.proof, ?port, "partner connected");
    let stall = shared.config.limits.write_stall;
    match shared.checks {
        Checks::InForce => {}
        #[cfg(debug_assertions)]
        Checks::TakenAway => {
            let passing = unchecked::pass(partner_in, partner_out, broker, stall);
            return cancel.run_until_cancelled(passing).await.unwrap_or(Close::Shutdown);
        }
    }
    let (read, write) = broker.into_split();
    let mut relay = Relay {
        shared,
        port,
        used: shared.usage.enter(&login, network, Arc::clone(pace.meter())),
        identity: Identity::new(login),
        seat: &seat,
        pace: &pace,
        session,
        partner_in,
        partner_out,
        broker_in: Inbound::new(read, Peer::Broker),
        broker_out: Outbound::new(write, Peer::Broker, stall),
    };
    relay.run(cancel).await
}

/// A partner that has logged in, its places in its zone, and its broker.
struct Entered {
    login: Login,
    seat: Seat,
    pace: Pace,
    broker: Socket,
    /// Our login on the broker's connection.
    session: Option<Session>,
}

/// Logs the partner in, takes a seat of its zone and connects to its broker. Nothing is read from the partner between them.
async fn enter<R, W>(
    shared: &Shared,
    partner_in: &mut Inbound<R>,
    partner_out: &mut Outbound<W>,
    port: &Port,
    Guest { admission, certificate }: Guest,
) -> Result<Entered, Close>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let address = admission.address();
    let login = Desk { shared, port, address, certificate, partner_in, partner_out }.log_in().await?;
    // No longer a stranger, however long its broker takes.
    drop(admission);
    let full = || Close::ZoneFull(login.zone.name.to_string());
    let seat = shared.allowances.seat(login.zone.id).ok_or_else(full)?;
    let pace = traffic::admit(shared, &login).await?;
    let (broker, session) = upstream::connect(shared, &login, port).await?;
    Ok(Entered { login, seat, pace, broker, session })
}

/// An authenticated connection and its broker's.
pub(crate) struct Relay<'a, PR, PW, BR, BW> {
    pub(crate) shared: &'a Shared,
    pub(crate) port: &'a Port,
    pub(crate) used: Arc<Used>,
    pub(crate) identity: Identity,
    pub(crate) seat: &'a Seat,
    pub(crate) pace: &'a Pace,
    /// Our login on the broker's connection.
    pub(crate) session: Option<Session>,
    pub(crate) partner_in: &'a mut Inbound<PR>,
    pub(crate) partner_out: &'a mut Outbound<PW>,
    pub(crate) broker_in: Inbound<BR>,
    pub(crate) broker_out: Outbound<BW>,
}

impl<PR, PW, BR, BW> Relay<'_, PR, PW, BR, BW>
where
    PR: AsyncRead + Unpin,
    PW: AsyncWrite + Unpin,
    BR: AsyncRead + Unpin,
    BW: AsyncWrite + Unpin,
{
    /// Both directions as two futures of one task, so that neither waits for the other: a broker that cannot send to us does
    /// not keep us from reading, nor the other way round.
    pub(crate) async fn run(&mut self, cancel: &CancellationToken) -> Close {
        let memory = Mutex::new(Memory::of(Arc::clone(&self.used)));
        let (owe, owed) = mpsc::channel(self.shared.config.limits.in_flight);
        let mut revoked = pin!(self.identity.revoked(self.shared.views.clone()));
        let mut overdue = pin!(overdue(cancel, self.shared.config.limits.drain_within));
        let ended = {
            let mut requests = pin!(
                RequestLoop {
                    shared: self.shared,
                    port: self.port,
                    identity: &self.identity,
                    used: &self.used,
                    seat: self.seat,
                    pace: self.pace,
                    dialogue: None,
                    session: self.session.take(),
                    memory: &memory,
                    partner: self.partner_in,
                    broker: &mut self.broker_out,
                    owed: owe,
                    kept: Arc::new(Semaphore::new(self.shared.config.limits.kept)),
                    cancel,
                    leave_at: None,
                    due: Instant::now(),
                }
                .run()
            );
            let mut responses = pin!(
                ResponseLoop {
                    shared: self.shared,
                    seat: self.seat,
                    pace: self.pace,
                    memory: &memory,
                    broker: &mut self.broker_in,
                    partner: self.partner_out,
                    owed,
                }
                .run()
            );
            tokio::select! {
                biased;
                close = &mut revoked => return close,
                () = &mut overdue => return Close::Shutdown,
                close = &mut responses => {
                    if matches!(close, Close::PartnerGone(_)) {
                        // It cannot be answered any more, but records that want no answer may have arrived before it left.
                        let arrived = timeout(self.shared.config.limits.drain_within, requests);
                        tokio::select! {
                            biased;
                            close = &mut revoked => return close,
                            _ = arrived => {}
                        }
                    }
                    close
                }
                close = &mut requests => if matches!(close, Close::PartnerGone(_)) {
                    // Nobody is left to read an answer, and the broker's connection is not kept for one that may be long
                    // in coming.
                    close
                } else {
                    // The partner gets what it is still owed; then both sides are closed in order.
                    let drained = timeout(self.shared.config.limits.drain_within, responses);
                    tokio::select! {
                        biased;
                        close = &mut revoked => return close,
                        _ = drained => close,
                    }
                }
            }
        };
        // To the broker the end of the stream follows everything that was sent, unacknowledged records included. It may be
        // gone already, which is then the reason we already have.
        let _ = self.broker_out.finish().await;
        ended
    }
}

/// A shutdown that its connections do not follow in time.
async fn overdue(cancel: &CancellationToken, within: Duration) {
    cancel.cancelled().await;
    sleep(within).await;
}

#[cfg(test)]
mod tests;
