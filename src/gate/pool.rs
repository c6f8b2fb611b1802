//! Things that are costly to make, used by one request at a time.

use parking_lot::Mutex;

/// At most this many are kept for later.
const KEPT: usize = 32;
/// What one huge request has blown up beyond this is given back to the allocator.
const LARGEST_KEPT_BYTES: usize = 16 << 20; // 16 MiB

/// A bounded free list. Its lock is held for a push or a pop, once a request.
pub(super) struct Pool<T> {
    free: Mutex<Vec<Box<T>>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { free: Mutex::default() }
    }
}

impl<T: Default> Pool<T> {
    pub(super) fn take(&self) -> Box<T> {
        self.free.lock().pop().unwrap_or_default()
    }

    pub(super) fn give(&self, item: Box<T>, bytes: impl Fn(&T) -> usize) {
        if bytes(&item) > LARGEST_KEPT_BYTES {
            return;
        }
        let mut free = self.free.lock();
        if free.len() < KEPT {
            free.push(item);
        }
    }
}
