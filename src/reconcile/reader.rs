//! Source → what its files want. The daemon and the command line read with the same one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::Desired;
use super::source::{History, Snapshot, Source, SourceError};
use crate::manifest::{Known, Loaded, Loader};
use crate::zone::{PartnerZone, ZoneName};

/// Reads a source again and again, and parses only what changed.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    /// Away while it works; after a panic there it starts anew.
    loader: Option<Loader>,
    known: Known,
    /// The last tree and what it says.
    last: Option<(String, Arc<Loaded>)>,
}

impl Reader {
    pub fn new(source: Source, known: Known) -> Self {
        Self { source, loader: None, known, last: None }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What the files want now. `history` says which commits may be read; zones `in_force` are shared where files ask for the same.
    pub async fn read(
        &mut self,
        history: History,
        in_force: BTreeMap<ZoneName, Arc<PartnerZone>>,
    ) -> Result<Desired, SourceError> {
        let Snapshot { revision, tree, files, commit } = self.source.read(history).await?;
        let loaded = match &self.last {
            Some((last, loaded)) if *last == tree => Arc::clone(loaded),
            _ => {
                let mut loader = self.loader.take().unwrap_or_else(|| Loader::new(self.known.clone()));
                // Thousands of files are seconds of work: not for a thread that other tasks wait for.
                let parsing = tokio::task::spawn_blocking(move || {
                    let loaded = Arc::new(loader.load(files, &in_force));
                    (loader, loaded)
                });
                let (loader, loaded) = parsing.await.map_err(|_| SourceError::Busy)?;
                self.loader = Some(loader);
                loaded
            }
        };
        self.last = Some((tree.clone(), Arc::clone(&loaded)));
        Ok(Desired { revision, tree, commit, loaded })
    }
}
