//! Which receiver each lane writes to: one, or several as behind a Service, that deals connections out anew when they are aged
//! out, and leaves out who is gone.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::client::Target;
use crate::names::Seed;

/// Receivers, and how lanes are dealt out to them.
pub struct Routes {
    receivers: Vec<Receiver>,
    /// Lanes of one agent.
    shards: usize,
    deal: Deal,
}

/// When lanes are dealt out anew, in the time of the data.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    /// From when on the time counts, Unix milliseconds.
    pub start_ms: i64,
    /// From one deal to the next; none: lanes stay.
    pub every_ms: Option<i64>,
    /// Where lots come from.
    pub seed: Seed,
}

struct Receiver {
    /// By agent: from its address, under its scope.
    targets: Vec<Target>,
    is_up: AtomicBool,
    /// Times that it was started anew.
    lives: AtomicU32,
}

impl Routes {
    /// The receivers, each as the agents see it, and lanes by agent.
    pub fn new(targets: Vec<Vec<Target>>, shards: usize, deal: Deal) -> Self {
        let up = |targets| Receiver { targets, is_up: AtomicBool::new(true), lives: AtomicU32::new(0) };
        Self { receivers: targets.into_iter().map(up).collect(), shards: shards.max(1), deal }
    }

    /// The receiver for a lane in a scrape, and which life of it. Who is gone is left out while another is there.
    pub(super) fn choose(&self, lane: usize, at_ms: i64) -> (usize, u32) {
        let count = self.receivers.len();
        let first = self.dealt(lane, at_ms);
        let mut order = (0..count).map(|more| (first + more) % count);
        let receiver = order.find(|receiver| self.receivers[*receiver].is_up.load(Relaxed)).unwrap_or(first);
        (receiver, self.receivers[receiver].lives.load(Relaxed))
    }

    fn dealt(&self, lane: usize, at_ms: i64) -> usize {
        let count = self.receivers.len();
        let round = self.deal.every_ms.map_or(0, |every_ms| (at_ms - self.deal.start_ms).max(0) / every_ms);
        match round {
            // evenly at first
            0 => lane % count,
            round => {
                let lot = self.deal.seed.child(round.unsigned_abs()).child(lane as u64);
                lot.below(count as u64) as usize
            }
        }
    }

    /// A receiver as a lane sees it.
    pub(super) fn target(&self, receiver: usize, lane: usize) -> Target {
        let targets = &self.receivers[receiver].targets;
        targets[lane / self.shards % targets.len()].clone()
    }

    /// A receiver is about to go.
    pub fn goes(&self, receiver: usize) {
        self.receivers[receiver].is_up.store(false, Relaxed);
    }

    /// It is there again.
    pub fn is_back(&self, receiver: usize) {
        self.receivers[receiver].lives.fetch_add(1, Relaxed);
        self.receivers[receiver].is_up.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reach;

    #[test]
    fn lanes_are_dealt_out_anew_and_nobody_writes_to_who_is_gone() {
        let target = Target::parse("http://127.0.0.1:1/", Reach::Loopback).expect("a URL");
        let deal = Deal { start_ms: 1000, every_ms: Some(100), seed: Seed::new(3) };
        let routes = Routes::new(vec![vec![target.clone()], vec![target]], 2, deal);
        assert_eq!((0..4).map(|lane| routes.choose(lane, 1099).0).collect::<Vec<_>>(), [0, 1, 0, 1]);
        let rounds = |lane| (0..50).map(|n| routes.choose(lane, 1000 + n * 100).0).collect::<Vec<_>>();
        let moves = rounds(0).windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((10..40).contains(&moves), "{moves}");
        assert_eq!(rounds(0), rounds(0));
        routes.goes(1);
        assert!(rounds(1).iter().all(|receiver| *receiver == 0));
        routes.is_back(1);
        assert_eq!(routes.choose(1, 1000), (1, 1));
    }
}
