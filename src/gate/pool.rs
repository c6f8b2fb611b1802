//! Things that are costly to make, used by one request at a time.

use parking_lot::Mutex;

/// At most this many are kept for later.
const KEPT: usize = 32;

/// A bounded free list. Its lock is held for a push or a pop, once a request.
pub(super) struct Pool<T> {
    free: Mutex<Vec<Box<T>>>,
    largest: usize,
}

impl<T: Default> Pool<T> {
    /// Keeps nothing that has more than `largest` bytes: what one huge request has blown up goes back to the allocator.
    pub(super) fn new(largest: usize) -> Self {
        Self { free: Mutex::default(), largest }
    }

    pub(super) fn take(&self) -> Box<T> {
        self.free.lock().pop().unwrap_or_default()
    }

    pub(super) fn give(&self, item: Box<T>, bytes: impl Fn(&T) -> usize) {
        if bytes(&item) > self.largest {
            return;
        }
        let mut free = self.free.lock();
        if free.len() < KEPT {
            free.push(item);
        }
    }

    /// What is free takes, bytes.
    pub(super) fn bytes(&self, of: impl Fn(&T) -> usize) -> usize {
        self.free.lock().iter().map(|item| of(item)).sum()
    }

    /// Lets go of all that is free. What is needed is made again, at the size that is needed by then.
    pub(super) fn clear(&self) {
        let free = std::mem::take(&mut *self.free.lock());
        // not under the lock: it may be a lot
        drop(free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_burst_leaves_is_let_go() {
        let pool: Pool<Vec<u8>> = Pool::new(1000);
        let burst: Vec<_> = (0..100).map(|_| Box::new(Vec::with_capacity(1000))).collect();
        burst.into_iter().for_each(|item| pool.give(item, Vec::capacity));
        assert_eq!(pool.free.lock().len(), KEPT);
        assert_eq!(pool.take().capacity(), 1000);
        pool.clear();
        assert_eq!(pool.free.lock().capacity(), 0);
        assert_eq!(pool.take().capacity(), 0);
        pool.give(Box::new(Vec::with_capacity(1001)), Vec::capacity);
        assert_eq!(pool.free.lock().len(), 0);
    }
}
