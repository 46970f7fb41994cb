//! A value that is made from files, and made again when they change.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TlsError;

type Make<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// The value of now, and how to make the next one.
pub struct FromFiles<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Option<Arc<T>>,
    /// What the files looked like when they were last read.
    seen: Option<Vec<Option<Stamp>>>,
}

/// Enough to notice a file that was written in place, renamed over, or reached through another symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    inode: u64,
    len: u64,
}

/// What a look at the files gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    Unchanged,
    /// From now on the value is the one of the new files.
    Replaced,
    /// The new files cannot be used; the value stays as it was.
    Refused(TlsError),
}

impl<T> FromFiles<T> {
    /// Nothing is read yet.
    pub fn new(files: Vec<PathBuf>, make: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static) -> Self {
        Self { files, make: Box::new(make), state: Mutex::new(State { current: None, seen: None }) }
    }

    /// The value, made now if there is none yet. Reads files when it makes one.
    pub fn get(&self) -> Result<Arc<T>, TlsError> {
        let mut state = self.lock();
        if let Some(current) = &state.current {
            return Ok(Arc::clone(current));
        }
        self.make(&mut state)
    }

    /// The value as it was last made.
    pub fn current(&self) -> Option<Arc<T>> {
        self.lock().current.clone()
    }

    /// Reads the files again if they changed since they were last read, or in any case (`asked`).
    pub fn refresh(&self, asked: bool) -> Refreshed {
        let mut state = self.lock();
        if !asked && state.seen.as_ref() == Some(&self.stamps()) {
            return Refreshed::Unchanged;
        }
        match self.make(&mut state) {
            Ok(_) => Refreshed::Replaced,
            Err(error) => Refreshed::Refused(error),
        }
    }

    /// The stamps are taken first: a file that changes while it is read is then read once more.
    fn make(&self, state: &mut State<T>) -> Result<Arc<T>, TlsError> {
        state.seen = Some(self.stamps());
        let made = Arc::new((self.make)()?);
        state.current = Some(Arc::clone(&made));
        Ok(made)
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some(Stamp {
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                inode: metadata.ino(),
                len: metadata.len(),
            })
        };
        self.files.iter().map(stamp).collect()
    }

    /// A thread that panicked while it read files has left the value that was there before.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for FromFiles<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFiles").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_follows_its_file_and_survives_a_broken_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let read = path.clone();
        let number = FromFiles::new(vec![path.clone()], move || {
            let text = std::fs::read_to_string(&read).map_err(|e| TlsError::Setup(e.to_string()))?;
            text.parse::<u32>().map_err(|e| TlsError::Setup(e.to_string()))
        });
        assert!(number.get().is_err(), "there is no file yet");
        std::fs::write(&path, "1").unwrap();
        assert_eq!(number.refresh(false), Refreshed::Replaced);
        assert_eq!(number.refresh(false), Refreshed::Unchanged);
        assert_eq!(number.refresh(true), Refreshed::Replaced, "asked for");

        std::fs::write(&path, "one").unwrap();
        assert!(matches!(number.refresh(false), Refreshed::Refused(_)));
        assert_eq!(number.refresh(false), Refreshed::Unchanged, "said once");
        assert_eq!(*number.get().unwrap(), 1);

        let next = folder.path().join("next");
        std::fs::write(&next, "22").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_eq!(number.refresh(false), Refreshed::Replaced);
        assert_eq!(*number.get().unwrap(), 22);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(number.refresh(false), Refreshed::Refused(_)));
        assert_eq!(number.current().as_deref(), Some(&22));
    }
}
