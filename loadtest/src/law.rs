//! How the value of a series moves in time: a pure function, so that a sample can be made, and checked, at any moment
//! without anything being stored.

use crate::names::Seed;

/// The value that ends a series (remote write 1.0, section "Stale markers").
pub const STALE_MARKER: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// What a series is, for those who need to know how its values move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while its pod lives.
    Counter,
    /// Goes up and down, or stays.
    Gauge,
}

/// The value of a series over time. All times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// A gauge that stays.
    Constant(f64),
    /// Grows from nothing at its own rate, in whole steps: a counter of events. Of two counters of the same age the one
    /// with the higher rate is never behind, so the buckets of a histogram stay cumulative.
    Counter {
        /// When it was 0.
        since_s: i64,
        /// Events per second.
        per_second: f64,
    },
    /// Grows from a value that was seen, by a share of it each second: what was cumulative stays so.
    Grown {
        /// When it had the value that was seen.
        since_s: i64,
        /// The value that was seen.
        from: f64,
        /// What it gains each second, as a share of `from`.
        share: f64,
    },
    /// Wobbles by a tenth around a level, in steps of 15 seconds.
    Gauge {
        /// When it began.
        since_s: i64,
        /// What it wobbles around.
        level: f64,
        /// Where the wobble comes from.
        seed: Seed,
    },
}

impl Law {
    /// The value at a time.
    pub fn at(&self, now_s: i64) -> f64 {
        let age_s = |since_s: i64| (now_s - since_s).max(0);
        match *self {
            Self::Constant(value) => value,
            Self::Counter { since_s, per_second } => (age_s(since_s) as f64 * per_second).floor(),
            Self::Grown { since_s, from, share } => {
                let grown = from * (1.0 + age_s(since_s) as f64 * share);
                // what counts whole things goes on counting whole things
                if from.fract() == 0.0 { grown.floor() } else { grown }
            }
            Self::Gauge { since_s, level, seed } => {
                let wobble = seed.child(age_s(since_s).unsigned_abs() / 15).unit() - 0.5;
                (level * (1.0 + wobble / 5.0)).round()
            }
        }
    }

    /// The same with values that are so many times as large, and with the same relations to each other.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value * factor),
            Self::Counter { since_s, per_second } => {
                Self::Counter { since_s, per_second: per_second * factor }
            }
            Self::Grown { since_s, from, share } => Self::Grown { since_s, from: from * factor, share },
            Self::Gauge { since_s, level, seed } => Self::Gauge { since_s, level: level * factor, seed },
        }
    }

    /// What a series that moves so is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Constant(_) | Self::Gauge { .. } => Kind::Gauge,
            Self::Counter { .. } | Self::Grown { .. } => Kind::Counter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_never_goes_back_and_stays_cumulative() {
        let counter = |per_second| Law::Counter { since_s: 100, per_second };
        let grown = |from| Law::Grown { since_s: 100, from, share: 0.001 };
        for now_s in 90..5000 {
            assert!(counter(0.3).at(now_s) <= counter(0.3).at(now_s + 1));
            assert!(counter(0.3).at(now_s) <= counter(0.31).at(now_s));
            assert!(grown(1700.0).at(now_s) <= grown(1701.0).at(now_s));
            assert_eq!(grown(1700.0).at(now_s).fract(), 0.0);
        }
        assert_eq!(counter(0.3).at(90), 0.0);
    }

    #[test]
    fn a_gauge_stays_near_its_level() {
        let gauge = Law::Gauge { since_s: 0, level: 1000.0, seed: Seed::new(3) };
        let values: Vec<f64> = (0..3000).step_by(15).map(|now_s| gauge.at(now_s)).collect();
        assert!(values.iter().all(|value| (900.0..=1100.0).contains(value)));
        assert!(values.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(Law::Constant(2.5).at(77), 2.5);
    }
}
