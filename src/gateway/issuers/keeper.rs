//! Keeps the keys of one issuer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::{IssuerConfig, Keys, Known};
use crate::issuer::{self, Discovery, IssuerError};
use crate::policy::token::KeySet;

/// After a fetch that failed, unless the next one is due sooner.
const RETRY: Duration = Duration::from_secs(30);

pub(super) struct Keeper {
    pub(super) config: IssuerConfig,
    pub(super) asked: Arc<Notify>,
    pub(super) published: Arc<watch::Sender<Known>>,
}

impl Keeper {
    pub(super) async fn run(self) {
        loop {
            let outcome = fetch(&self.config).await;
            let pause = match &outcome {
                Ok(_) => self.config.refresh.interval,
                Err(_) => self.config.refresh.interval.min(RETRY),
            };
            self.note(outcome);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.asked_in_time() => {}
            }
        }
    }

    /// A token asks for a key that is not known, and the last fetch is not too recent: whoever sends tokens at random
    /// is no burden to the issuer.
    async fn asked_in_time(&self) {
        sleep(self.config.refresh.unknown_key).await;
        self.asked.notified().await;
    }

    fn note(&self, outcome: Result<KeySet, IssuerError>) {
        let name = &self.config.name;
        if let Err(error) = &outcome {
            tracing::warn!(issuer = %name, %error, "an issuer's keys cannot be fetched");
        }
        self.published.send_modify(|known| {
            let keys = known.entry(name.clone()).or_default();
            keys.attempts += 1;
            keys.tried = Some(Instant::now());
            keys.follow(outcome, self.config.refresh.keep);
        });
    }
}

impl Keys {
    /// The keys of an answer take the place of all before, so that a key which is gone is gone here too. Without an answer they stay,
    /// until they are too old to be trusted.
    fn follow(&mut self, outcome: Result<KeySet, IssuerError>, keep: Duration) {
        match outcome {
            Ok(set) => {
                (self.set, self.answered, self.trouble) = (Some(Arc::new(set)), Some(Instant::now()), None);
            }
            Err(error) => {
                if self.answered.is_some_and(|at| at.elapsed() >= keep) {
                    self.set = None;
                }
                self.trouble = Some(error.to_string());
            }
        }
    }
}

/// The keys as the issuer publishes them now.
async fn fetch(config: &IssuerConfig) -> Result<KeySet, IssuerError> {
    let client = issuer::client(config.ca_file.as_deref())?;
    let url = match &config.jwks_url {
        Some(url) => url.clone(),
        None => Discovery::of(&client, &config.rules.issuer).await?.jwks()?,
    };
    issuer::keys(&client, &url).await
}
