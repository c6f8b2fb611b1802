//! How a number grows: its values in steps of five minutes, and the straight line through them.

/// Seconds between two values.
pub(super) const STEP_SECONDS: u32 = 300;
/// Values kept: three hours.
const STEPS: usize = 36;
/// Values before a line means anything: twenty minutes.
const ENOUGH: usize = 4;

/// The last three hours of a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Trend {
    /// Oldest first; made at the first value.
    values: Option<Box<[u32; STEPS]>>,
    len: usize,
}

impl Trend {
    /// Notes the next value; to be called once a step. Nothing is kept of what has always been 0.
    pub(super) fn note(&mut self, value: u32) {
        if value == 0 && self.values.is_none() {
            return;
        }
        let values = self.values.get_or_insert_with(|| Box::new([0; STEPS]));
        if self.len == STEPS {
            values.copy_within(1.., 0);
            self.len -= 1;
        }
        values[self.len] = value;
        self.len += 1;
        if values.iter().all(|value| *value == 0) {
            *self = Self::default();
        }
    }

    /// Growth an hour, by least squares over what is kept; `None` before there is enough.
    pub(super) fn an_hour(&self) -> Option<f64> {
        let values = &self.values.as_ref()?[..self.len];
        if values.len() < ENOUGH {
            return None;
        }
        let n = values.len() as f64;
        let middle = (n - 1.0) / 2.0;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
        let (mut over, mut under) = (0.0, 0.0);
        for (i, value) in values.iter().enumerate() {
            let x = i as f64 - middle;
            over += x * (f64::from(*value) - mean);
            under += x * x;
        }
        Some(over / under * f64::from(3600 / STEP_SECONDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_the_last_three_hours() {
        let mut trend = Trend::default();
        trend.note(0);
        assert!(trend.values.is_none());
        for step in 0..100 {
            trend.note(10 + step);
            // one more each five minutes
            assert_eq!(trend.an_hour().map(|growth| growth.round()), (step >= 3).then_some(12.0), "{step}");
        }
        for _ in 0..STEPS {
            trend.note(7);
        }
        assert_eq!(trend.an_hour(), Some(0.0));
        for _ in 0..STEPS {
            trend.note(0);
        }
        assert!(trend.values.is_none() && trend.an_hour().is_none());
    }
}
