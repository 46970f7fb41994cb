//! Work on whole bodies that takes longer than an event loop should be kept from its other connections.

use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;

use super::close::Close;

/// Bodies up to this size are worked on at once, in a millisecond or two; at the ratio that is allowed they become 16 MiB.
pub(crate) const AT_ONCE: usize = 16 << 10;

/// Larger ones go to other threads, not more of them at a time than there are processors. So is the memory bounded that they become
/// decompressed, and who sends much waits for his turn like everybody.
#[derive(Debug)]
pub(crate) struct Editing {
    turns: Arc<Semaphore>,
}

impl Editing {
    pub(crate) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(processors)) }
    }

    /// What comes of `work` on a body of so many bytes.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Close> {
        if bytes <= AT_ONCE {
            return Ok(work());
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Close::Interrupted)?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            // Not before: whoever waits for this may be gone, and the work is not.
            drop(turn);
            done
        });
        working.await.map_err(|_| Close::Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    #[tokio::test]
    async fn what_takes_long_leaves_the_thread_to_others_and_small_things_stay() {
        let editing = Editing::new();
        let here: ThreadId = thread::current().id();
        let on = || thread::current().id();
        assert_eq!(editing.run(AT_ONCE, on).await.unwrap(), here);
        assert_ne!(editing.run(AT_ONCE + 1, on).await.unwrap(), here);
        let panics = editing.run(AT_ONCE + 1, || -> () { panic!("a fault") }).await;
        assert!(matches!(panics, Err(Close::Interrupted)));
        assert!(editing.run(AT_ONCE + 1, on).await.is_ok(), "a fault does not keep its turn");
    }
}
