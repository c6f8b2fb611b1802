//! The connections of the admin port: how many there may be, and which one gives way to the next.
//!
//! Health must be answered however many connections stand open, so the next connection never waits: where there is no
//! place left, the one that has waited longest for a request is closed.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The open connections, in the order in which they came.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    places: BTreeMap<u64, Place>,
}

#[derive(Debug)]
struct Place {
    /// No whole request has come yet.
    waits: bool,
    close: CancellationToken,
}

/// The place of one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    number: u64,
    connections: Arc<Connections>,
    close: CancellationToken,
}

impl Connections {
    /// Room for `max` connections.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, open: Mutex::default() })
    }

    /// A place for a new connection, and whether another one had to be closed for it.
    pub(super) fn take(self: &Arc<Self>) -> (Taken, bool) {
        let mut open = self.open.lock();
        let full = open.places.len() >= self.max;
        if full {
            open.close_one();
        }
        let (number, close) = (open.next, CancellationToken::new());
        open.next += 1;
        open.places.insert(number, Place { waits: true, close: close.clone() });
        drop(open);
        (Taken { number, connections: Arc::clone(self), close }, full)
    }
}

impl Open {
    /// The oldest of those that wait for a request; where all have one, the oldest.
    fn close_one(&mut self) {
        let waiting = self.places.iter().find(|(_, place)| place.waits).map(|(number, _)| *number);
        let oldest = waiting.or_else(|| self.places.keys().next().copied());
        if let Some(place) = oldest.and_then(|number| self.places.remove(&number)) {
            place.close.cancel();
        }
    }
}

impl Taken {
    /// A whole request has come: this connection gives way after those that still wait for one.
    pub(super) fn request_came(&self) {
        if let Some(place) = self.connections.open.lock().places.get_mut(&self.number) {
            place.waits = false;
        }
    }

    /// Returns when the connection has to give way.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.connections.open.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_waits_for_a_request_gives_way() {
        let connections = Connections::new(2);
        let (served, _) = connections.take();
        served.request_came();
        let (silent, full) = connections.take();
        assert!(!full);
        let (next, full) = connections.take();
        assert!(full);
        let closed = [&served, &silent, &next].map(|taken| taken.close.is_cancelled());
        assert_eq!(closed, [false, true, false]);
        // the closed one gives back nothing that it no longer has
        drop(silent);
        assert_eq!(connections.open.lock().places.len(), 2);
    }

    #[test]
    fn where_all_are_served_the_oldest_gives_way() {
        let connections = Connections::new(1);
        let (first, _) = connections.take();
        first.request_came();
        let (_second, full) = connections.take();
        assert!(full && first.close.is_cancelled());
    }

    #[test]
    fn a_place_is_given_back() {
        let connections = Connections::new(1);
        drop(connections.take());
        assert!(!connections.take().1);
    }
}
