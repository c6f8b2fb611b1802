//! What bodies that are still on their way may hold of the budget, for each address they come from.
//!
//! Whoever sends slowly holds what he has sent until the rest is there. One address must not keep all others out with
//! that. A body that has come is not bound: many senders may stand behind one address.

use std::net::IpAddr;

use ahash::AHashMap;
use parking_lot::Mutex;

/// The part of the budget that one address may have.
const PART: usize = 4;

/// All addresses from which a body is on its way.
pub(super) struct Shares {
    max: usize,
    held: Mutex<AHashMap<IpAddr, usize>>,
}

impl Shares {
    /// Shares of a budget, bytes.
    pub(super) fn new(budget: usize) -> Self {
        Self { max: budget / PART, held: Mutex::default() }
    }

    /// For one body from `peer`, of which nothing has come. Where the address is unknown, nothing binds.
    pub(super) fn of(&self, peer: Option<IpAddr>) -> Share<'_> {
        Share { shares: self, peer, bytes: 0 }
    }
}

/// What one body on its way has of the share of its address; given back when dropped.
pub(super) struct Share<'a> {
    shares: &'a Shares,
    peer: Option<IpAddr>,
    bytes: usize,
}

impl Share<'_> {
    /// Makes it `bytes` in all, or leaves it as it is and says no. The only body of an address may have any size.
    #[must_use]
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let Some(peer) = self.peer else { return true };
        let more = bytes.saturating_sub(self.bytes);
        let mut held = self.shares.held.lock();
        let all = held.entry(peer).or_default();
        let granted = *all == self.bytes || all.saturating_add(more) <= self.shares.max;
        if granted {
            *all += more;
            self.bytes += more;
        }
        granted
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let Some(peer) = self.peer.filter(|_| self.bytes > 0) else { return };
        let mut held = self.shares.held.lock();
        if let Some(all) = held.get_mut(&peer) {
            *all -= self.bytes;
            if *all == 0 {
                held.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_quarter_and_its_only_body_any_size() {
        let shares = Shares::new(400);
        let [one, two] = [1, 2].map(|n| Some(IpAddr::from([10, 0, 0, n])));
        let (mut first, mut second, mut other) = (shares.of(one), shares.of(one), shares.of(two));
        assert!(first.grow_to(60) && second.grow_to(40) && !second.grow_to(41) && !first.grow_to(61));
        assert!(other.grow_to(300), "the only one of its address");
        drop(second);
        assert!(first.grow_to(1000) && !shares.of(one).grow_to(1) && shares.of(None).grow_to(1));
        drop((first, other));
        assert!(shares.held.lock().is_empty(), "nothing is remembered of who sends nothing");
    }
}
