//! Seeded randomness for spreading retries and connection ages out; not for secrets. The same seed gives the same sequence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// SplitMix64: a counter and a mix, so that one atomic addition is all that threads share.
#[derive(Debug)]
pub struct Jitter {
    state: AtomicU64,
}

impl Jitter {
    /// Begins the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to 1, without it.
    pub fn unit(&self) -> f64 {
        // 53 bits: what a double holds exactly
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One to five seconds: senders refused together must not come back together.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(1 + self.next() % 5)
    }

    /// `duration` by a factor of 0.9 to 1.1.
    pub fn around(&self, duration: Duration) -> Duration {
        let share = u32::try_from(self.next() % 2001).unwrap_or(0);
        duration.saturating_mul(9000 + share) / 10_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_ranges_and_vary() {
        let jitter = Jitter::new(7);
        let hour = Duration::from_secs(3600);
        let ages: Vec<_> = (0..1000).map(|_| jitter.around(hour)).collect();
        assert!(ages.iter().all(|age| *age >= hour * 9 / 10 && *age <= hour * 11 / 10));
        assert!(ages.iter().any(|age| *age < hour) && ages.iter().any(|age| *age > hour));
        let retries: std::collections::BTreeSet<_> =
            (0..1000).map(|_| jitter.retry_after().as_secs()).collect();
        assert_eq!(retries, (1..=5).collect());
    }

    #[test]
    fn the_same_seed_gives_the_same_values() {
        assert_eq!(Jitter::new(3).next(), Jitter::new(3).next());
    }
}
