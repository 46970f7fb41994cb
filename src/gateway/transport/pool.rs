//! Buffers for reading, used again and again: a connection has one only while there are bytes in it, so an idle connection
//! holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// Bytes that one read takes at most. Larger reads leave the processor's second-level cache before they are written.
pub(super) const SIZE: usize = 128 << 10;
/// Buffers that a thread keeps. A thread reads into one at a time; the others are those whose bytes are still on their way.
const KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer of at least [`SIZE`].
pub(super) fn take() -> BytesMut {
    let free = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten();
    free.unwrap_or_else(|| BytesMut::with_capacity(SIZE))
}

/// Takes a buffer back, unless somebody still holds a part of it, or it has grown.
pub(super) fn give(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.try_reclaim(SIZE) && buffer.capacity() < 2 * SIZE {
        // A thread that ends has no place for it.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_whole_and_one_that_is_still_in_use_does_not() {
        let mut first = take();
        let place = first.as_ptr();
        first.extend_from_slice(&[7; 100]);
        drop(first.split_to(60));
        give(first);
        let mut again = take();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (place, 0, SIZE));
        again.extend_from_slice(&[7; 100]);
        let held = again.split_to(60).freeze();
        give(again);
        assert_ne!(take().as_ptr(), place, "its bytes are somebody else's: {}", held.len());
    }
}
