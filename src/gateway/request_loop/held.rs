//! What a request costs its zone, and how long the next one waits for it.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

use super::super::api;
use super::super::close::Close;
use super::super::traffic::{GLANCE, Quota};
use super::{Incoming, RequestLoop};
use crate::kafka::frame::LENGTH_PREFIX;
use crate::zone::Limit;

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// Waits until this connection may go on, before it takes anything of the next request: nothing is held meanwhile but what was
    /// read together with its first byte. A login does not wait, since its session would end; nor does who has to leave.
    pub(super) async fn hold_back(&mut self) -> Result<(), Close> {
        while let Some(left) = self.pace.left().filter(|_| !self.is_login_next()) {
            self.broker.flush().await?;
            let waited = self.cancel.run_until_cancelled(sleep(left.min(GLANCE)));
            if waited.await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the Fetch before this one is answered and paid for: what one takes is known with its answer, and any number of
    /// them would be on their way before the first is charged. A broker does not begin it any earlier either.
    pub(super) async fn wait_for_fetch(&mut self) -> Result<(), Close> {
        let begun = Instant::now();
        self.broker.flush().await?;
        // Who has to leave does not wait.
        self.cancel.run_until_cancelled(self.pace.fetch_is_answered()).await;
        self.hold_back().await?;
        // Its sender has not been slow meanwhile.
        self.due += begun.elapsed();
        Ok(())
    }

    fn is_login_next(&self) -> bool {
        let key = self.partner.buffered().get(LENGTH_PREFIX..).and_then(<[u8]>::first_chunk);
        let logins = [api::sasl_handshake::REQUEST.api_key, api::sasl_authenticate::REQUEST.api_key];
        key.is_some_and(|key| logins.contains(&i16::from_be_bytes(*key)))
    }

    /// Charges a request by what is known of it before it is read.
    pub(super) fn charge(&self, request: &Incoming) {
        self.pace.charge(Limit::Requests, 1, &self.shared.metrics);
        if request.entry.key() == api::produce::REQUEST.api_key {
            self.pace.charge(Limit::Produce, LENGTH_PREFIX + request.frame_len, &self.shared.metrics);
        }
    }

    pub(super) fn quota(&self, request: &Incoming) -> Quota {
        self.pace.quota(request.commits(), &self.shared.metrics)
    }
}
