//! What metadata says that metrics are, for reports: known without any policy, of the metrics that are counted.

use super::tracker::Tracker;

/// What metadata says of a metric, by the number of its type on the wire (`MetricMetadata.MetricType` of remote write 1.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MetricType {
    /// 0: nothing is said.
    number: u8,
    /// Whether it is said of the metric itself, not of the family that it may be a part of.
    of_itself: bool,
}

/// How names of the parts of a family end, by the number of its type.
fn endings(number: u8) -> &'static [&'static str] {
    match number {
        1 => &["_total"],
        3..=5 => &["_bucket", "_sum", "_count"],
        _ => &[],
    }
}

impl MetricType {
    fn learn(&mut self, said: Self) {
        if said.of_itself || !self.of_itself {
            *self = said;
        }
    }
}

impl Tracker {
    /// Takes in one metadata entry. What is said of metrics that are not counted is not kept: senders say it again.
    pub fn declare(&self, tenant: u32, family: &str, number: u64) {
        let Some(number) = u8::try_from(number).ok().filter(|number| *number > 0) else { return };
        self.learn_type(tenant, family, MetricType { number, of_itself: true });
        for ending in endings(number) {
            self.learn_type(tenant, &format!("{family}{ending}"), MetricType { number, of_itself: false });
        }
    }

    fn learn_type(&self, tenant: u32, metric: &str, said: MetricType) {
        self.metrics.find(self.metric_key(tenant, metric), |metric| metric.declared.learn(said));
    }

    /// The number of a metric's type, as metadata says it; 0: it says nothing.
    pub fn declared(&self, tenant: u32, metric: &str) -> u64 {
        let number = self.metrics.find(self.metric_key(tenant, metric), |metric| metric.declared.number);
        number.map_or(0, u64::from)
    }
}
