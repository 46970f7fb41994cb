//! Who an authenticated connection belongs to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::super::close::Close;
use super::super::view::{GatewayView, Login};

/// The login of a connection. One that is renewed takes the place of the one before.
#[derive(Debug)]
pub(crate) struct Identity {
    login: Mutex<Arc<Login>>,
    renewed: Notify,
}

impl Identity {
    pub(crate) fn new(login: Login) -> Self {
        Self { login: Mutex::new(Arc::new(login)), renewed: Notify::new() }
    }

    pub(crate) fn login(&self) -> Arc<Login> {
        Arc::clone(&self.login.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn renew(&self, login: Login) {
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(login);
        self.renewed.notify_one();
    }

    /// Waits until the login is no longer admitted or its credential ends, on an idle connection too. A credential that was
    /// prolonged is good for connections that came before: clients log in again when they next have something to say.
    pub(crate) async fn revoked(&self, mut views: watch::Receiver<Arc<GatewayView>>) -> Close {
        loop {
            let ends = views.borrow_and_update().standing(&self.login()).map(|standing| standing.ends);
            let Some(ends) = ends else { return Close::Revoked };
            tokio::select! {
                () = expired(ends) => return Close::Expired,
                () = self.renewed.notified() => {}
                changed = views.changed() => if changed.is_err() {
                    return Close::Shutdown;
                },
            }
        }
    }
}

/// Waits for a moment of the wall clock, which may be moved: it is looked at again every minute.
async fn expired(at: Option<OffsetDateTime>) {
    const GLANCE: Duration = Duration::from_mins(1);
    let Some(at) = at else { return std::future::pending().await };
    loop {
        let left = Duration::try_from(at - OffsetDateTime::now_utc()).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        sleep(left.min(GLANCE)).await;
    }
}
