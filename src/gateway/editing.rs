//! Work on whole bodies that takes longer than an event loop should be kept from its other connections.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::close::Close;
use crate::kafka::records::{Room, fits};

/// Bodies up to this size are worked on at once, in a millisecond or two, if their records become no more than [`LITTLE`].
pub(crate) const AT_ONCE: usize = 16 << 10;

/// What the records of such a body may become, decompressed.
const LITTLE: usize = 128 << 10;

/// What a body of so many bytes with these records counts for. A few bytes can become thousands of times as many, which is not known
/// before they have: so the records of a small body are decompressed for a look, as far as that takes no time to speak of.
pub(crate) fn weight<'r>(bytes: usize, records: impl IntoIterator<Item = &'r Bytes>) -> usize {
    let mut room = Room::new(LITTLE, LITTLE);
    let is_known = bytes > AT_ONCE || records.into_iter().all(|records| fits(records, &mut room));
    if is_known { bytes } else { usize::MAX }
}

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

    /// What comes of `work` on a body that counts for so many bytes ([`weight`]).
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
    use crate::kafka::records::{Codec, NewRecord, build};

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn batch(value: usize, codec: Codec) -> Bytes {
        let record = NewRecord { value: Some(vec![b'v'; value].into()), ..NewRecord::default() };
        build(&[record], codec, 1).unwrap()
    }

    #[test]
    fn a_small_body_counts_for_its_bytes_only_if_its_records_become_few() {
        for codec in CODECS {
            let some = vec![batch(2_000, codec); 5];
            assert_eq!(weight(1_000, &some), 1_000, "{codec}");
            let many = vec![batch(60_000, codec); 3];
            assert_eq!(weight(1_000, &many), usize::MAX, "{codec}: all of them count");
            assert_eq!(weight(AT_ONCE + 1, &many), AT_ONCE + 1, "{codec}: it is large anyway");
        }
        assert_eq!(weight(1_000, std::iter::empty()), 1_000);
        let mut damaged = batch(10, Codec::Lz4).to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(weight(1_000, &[Bytes::from(damaged)]), usize::MAX, "nobody knows what it becomes");
    }

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
