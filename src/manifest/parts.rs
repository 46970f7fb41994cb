//! Much of the same work, on all processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// Cuts the items into one part for each processor, none smaller than `least`, works on all parts at once, and gives the results
/// in order. For `least`, take what is done faster than a thread is started.
pub fn in_parts<T: Sync, R: Send>(items: &[T], least: usize, work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = items.chunks(items.len().div_ceil(processors).max(least).max(1));
    let Some(first) = parts.next() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let first = work(first);
        let others = others.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(first).chain(others).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::in_parts;

    #[test]
    fn every_item_is_worked_on_once_and_results_are_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        for least in [0, 1, 7, 999, 1000, 5000] {
            let parts = in_parts(&items, least, <[usize]>::to_vec);
            assert_eq!(parts.concat(), items, "{least}");
        }
        assert!(in_parts(&items, 5000, <[usize]>::len).len() == 1, "too little for a second thread");
        assert!(in_parts(&[0_usize; 0], 1, <[usize]>::len).is_empty());
    }

    #[test]
    #[should_panic(expected = "in the last part")]
    fn a_panic_in_a_part_is_one_of_the_whole() {
        in_parts(&[1, 2, 3, 4], 1, |part| assert!(!part.contains(&4), "in the last part"));
    }
}
