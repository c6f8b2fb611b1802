//! What the gauges of each group were in one window.

use super::gauges::ABSENT;
use super::shard::{GroupShard, Window};
use crate::policy::Output;
use crate::wire::v1::STALE_MARKER;

/// The values of a gauge's members in one window.
#[derive(Clone, Copy)]
pub(super) struct Gathered {
    sum: f64,
    min: f64,
    max: f64,
    count: u64,
    last: f64,
    last_ms: i64,
    /// Whether a stale marker came of one of them.
    ended: bool,
}

pub(super) const NOTHING: Gathered = Gathered {
    sum: 0.0,
    min: f64::NAN,
    max: f64::NAN,
    count: 0,
    last: f64::NAN,
    last_ms: i64::MIN,
    ended: false,
};

impl Gathered {
    fn add(&mut self, value: f64, ms: i64) {
        self.sum += value;
        // as PromQL has it: NaN only where there is nothing else
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.count += 1;
        if ms >= self.last_ms {
            (self.last, self.last_ms) = (value, ms);
        }
    }

    /// Whether none of them has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn output(&self, output: Output) -> f64 {
        match output {
            Output::Sum => self.sum,
            Output::Min => self.min,
            Output::Max => self.max,
            Output::Avg => self.sum / self.count as f64,
            Output::Count => self.count as f64,
            Output::Last => self.last,
        }
    }
}

impl GroupShard {
    /// By group. One that is silent is carried on for as long as its last value holds.
    pub(super) fn gather(&mut self, window: &Window, end: i64) -> Vec<Gathered> {
        let mut gathered = Vec::new();
        if !self.gauges.is_empty() {
            gathered.resize(self.groups.span() as usize, NOTHING);
        }
        for (number, gauge) in self.gauges.iter_mut() {
            let Some(all) = gathered.get_mut(gauge.group as usize) else { continue };
            let bits = window.values.get(number);
            if bits != ABSENT {
                (gauge.bits, gauge.ms, gauge.end) = (bits, window.times.get(number), end);
                gauge.period = window.periods.get(number);
                all.ended |= bits == STALE_MARKER;
            }
            if let Some((bits, ms)) = gauge.carried(end) {
                all.add(f64::from_bits(bits), ms);
            }
        }
        gathered
    }
}
