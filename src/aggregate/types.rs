//! What is known of the types of metrics: from metadata, from their names, and from their siblings' names.

mod families;
mod untyped;

use self::families::Families;
pub(super) use self::families::{Known, News};
use self::untyped::Untyped;
use crate::policy::{Aggregation, MetricKind, bound};
use crate::series::Labels;

/// Type of a metric as metadata says it (`MetricMetadata.MetricType` of remote write 1.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// Nothing is said.
    Unknown,
    /// Counter.
    Counter,
    /// Gauge.
    Gauge,
    /// Histogram, classic or native.
    Histogram,
    /// Summary.
    Summary,
    /// Gauge histogram, info, state set: cannot be added up in a way that would be of use.
    Other,
}

impl Declared {
    /// By its number on the wire.
    pub fn from_wire(number: u64) -> Self {
        match number {
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            5 => Self::Summary,
            4 | 6 | 7 => Self::Other,
            _ => Self::Unknown,
        }
    }

    fn number(self) -> u8 {
        self as u8
    }

    fn from_number(number: u8) -> Self {
        [Self::Unknown, Self::Counter, Self::Gauge, Self::Histogram, Self::Summary, Self::Other]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Unknown)
    }
}

/// What a series is to an aggregation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Class {
    /// A counter.
    Counter,
    /// A part of a classic histogram: the bucket of this upper bound, or its sum or count.
    Histogram(Option<f64>),
    /// A gauge.
    Gauge,
    /// It cannot be aggregated and passes as it is.
    Pass(NotAggregated),
}

/// Why a series passes an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAggregated {
    /// Nobody said what it is; more may be known later.
    Untyped,
    /// A quantile of a summary: quantiles cannot be added up.
    Quantile,
    /// A native histogram.
    Native,
    /// There is no room for its group, or for it.
    Full,
    /// A series that passes has the identity its group would have.
    Taken,
    /// Rules took a label that keeps it apart from others: [`Aggregation::lost`].
    Apart,
    /// What is sent for its group would have a label value that the upstream does not take.
    LongValue,
}

impl NotAggregated {
    /// The `reason` label of our metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untyped => "untyped",
            Self::Quantile => "quantile",
            Self::Native => "native_histogram",
            Self::Full => "full",
            Self::Taken => "collision",
            Self::Apart => "label_gone",
            Self::LongValue => "long_label_value",
        }
    }
}

/// Names of a family that were seen.
const BUCKET: u8 = 1;
const SUM: u8 = 2;
const COUNT: u8 = 4;

/// How the names of parts end, and the bit of each.
const ENDINGS: [(&str, u8); 3] = [("_bucket", BUCKET), ("_sum", SUM), ("_count", COUNT)];

/// The family of which a metric of this name may be a part.
pub fn family_of(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|(ending, _)| name.strip_suffix(ending))
}

/// The families that may say what a metric of this name is.
pub(super) fn families_of(name: &str) -> impl Iterator<Item = &str> {
    let stem = family_of(name).or_else(|| name.strip_suffix("_total"));
    std::iter::once(name).chain(stem)
}

/// What is known of the types of metrics, by tenant and family.
pub struct Types {
    known: Families,
    untyped: Untyped,
}

impl Types {
    pub(super) fn new(max: usize) -> Self {
        Self { known: Families::new(max), untyped: Untyped::default() }
    }

    /// Memory held, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.known.bytes() + self.untyped.bytes()
    }

    /// Takes in one metadata entry.
    pub fn declare(&self, tenant: u32, family: &str, declared: Declared) {
        if declared != Declared::Unknown {
            self.known.learn(tenant, family, Known { declared: declared.number(), seen: 0 });
        }
    }

    /// Whether what is said of a metric speaks against what a group of it was taken for.
    pub(super) fn speaks_against(
        &self,
        tenant: u32,
        labels: Labels<'_>,
        aggregation: &Aggregation,
        kind: MetricKind,
    ) -> bool {
        let said = |family: &str| self.known.of(tenant).ask(family).declared != Declared::Unknown.number();
        if !families_of(labels.metric()).any(said) {
            // what was known once and is forgotten holds for the groups that are there
            return false;
        }
        match self.class(tenant, labels, aggregation) {
            Class::Counter | Class::Histogram(_) => kind != MetricKind::Counter,
            Class::Gauge => kind != MetricKind::Gauge,
            Class::Pass(_) => true,
        }
    }

    /// Another number whenever the type of a metric is said of which nothing was said.
    #[inline]
    pub fn declarations(&self) -> u32 {
        self.known.declarations()
    }

    /// Whether that was so, of any tenant's metric, since the look before the last.
    pub(super) fn has_news(&self) -> bool {
        self.known.has_news()
    }

    /// The families of which there was such news since the look before the last: requests that were on their way at the last
    /// one are there by now.
    pub(super) fn take_news(&self) -> News {
        self.known.take_news()
    }

    /// What metadata says of a metric, or of the family that it is a part of.
    pub fn declared(&self, tenant: u32, name: &str) -> Declared {
        let known = self.known.of(tenant);
        let all = families_of(name).map(|family| Declared::from_number(known.ask(family).declared));
        all.into_iter().find(|declared| *declared != Declared::Unknown).unwrap_or(Declared::Unknown)
    }

    /// What a series is to `aggregation`: as the policy says, as metadata says, as the ends of names say.
    pub fn class(&self, tenant: u32, labels: Labels<'_>, aggregation: &Aggregation) -> Class {
        let name = labels.metric();
        let part = Part::of(name, labels);
        match aggregation.kind {
            Some(MetricKind::Gauge) => return Class::Gauge,
            Some(MetricKind::Counter) => return part.map_or(Class::Counter, |(_, part)| part.class()),
            None => {}
        }
        if let Some((stem, part)) = part {
            self.see(tenant, stem, part.bit());
        }
        let known = self.known.of(tenant);
        let get = |family: &str| known.ask(family);
        let declared = |family: &str| Declared::from_number(get(family).declared);
        let own = declared(name);
        match own {
            Declared::Counter => return Class::Counter,
            Declared::Gauge => return Class::Gauge,
            Declared::Summary | Declared::Histogram => {
                // of remote write 2.0, where each series says it of itself
                let summed = part.filter(|(_, part)| own == Declared::Histogram || !part.is_bucket());
                match summed {
                    Some((_, part)) => return part.class(),
                    None if own == Declared::Summary => return Class::Pass(NotAggregated::Quantile),
                    None => {}
                }
            }
            Declared::Other => return Class::Pass(NotAggregated::Untyped),
            Declared::Unknown => {}
        }
        if let Some((stem, part)) = part {
            let Known { declared, seen } = get(stem);
            let class = match Declared::from_number(declared) {
                // buckets of a gauge histogram fall, too
                Declared::Other => return Class::Pass(NotAggregated::Untyped),
                Declared::Histogram => true,
                Declared::Summary => !part.is_bucket(),
                _ => seen & BUCKET != 0 || seen & (SUM | COUNT) == SUM | COUNT,
            };
            if class {
                return part.class();
            }
        }
        if let Some(stem) = name.strip_suffix("_total") {
            let gauge = declared(stem) == Declared::Gauge;
            return if gauge { Class::Gauge } else { Class::Counter };
        }
        if !labels.get("quantile").is_empty() {
            return Class::Pass(NotAggregated::Quantile);
        }
        if !aggregation.outputs.is_empty() && own == Declared::Unknown {
            return Class::Gauge;
        }
        Class::Pass(NotAggregated::Untyped)
    }

    /// Notes that there is a metric of this name: siblings tell what a `_sum` or a `_count` is.
    pub fn see_name(&self, tenant: u32, name: &str) {
        for (ending, bit) in ENDINGS {
            if let Some(stem) = name.strip_suffix(ending) {
                self.see(tenant, stem, bit);
            }
        }
    }

    fn see(&self, tenant: u32, stem: &str, bit: u8) {
        self.known.learn(tenant, stem, Known { declared: 0, seen: bit });
    }

    /// Another number whenever more is known: a series that passed because nobody had said what it is may be decided
    /// anew then.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.known.epoch()
    }

    /// Times a type was forgotten to make room for another.
    pub fn given_up(&self) -> u64 {
        self.known.given_up()
    }

    /// Types that are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that a series of this name passed because nobody said what it is.
    pub fn untyped(&self, metric: &str) {
        self.untyped.note(metric);
    }

    /// The metrics that passed most often because nobody said what they are, and how often.
    pub fn most_untyped(&self, most: usize) -> Vec<(Box<str>, u64)> {
        self.untyped.most(most)
    }

    /// Forgets what was neither said nor asked for long; to be called sixteen times in `series.idle_after`.
    pub(super) fn expire(&self) {
        self.known.expire();
        self.untyped.expire();
    }

    /// Whether what is known of a tenant's metrics is other than when this was last asked.
    pub(super) fn take_changed(&self, tenant: u32) -> bool {
        self.known.take_changed(tenant)
    }

    /// Whether anything is known of a tenant's metrics.
    pub(super) fn holds(&self, tenant: u32) -> bool {
        self.known.holds(tenant)
    }

    pub(super) fn forget(&self, tenant: u32) {
        self.known.forget(tenant);
    }

    /// What is known of a tenant's metrics: family, what it is, and for how many rounds nobody spoke of it.
    pub(super) fn all(&self, tenant: u32) -> Vec<(Box<str>, Known, u32)> {
        self.known.all(tenant)
    }

    /// Goes on with what was known before.
    pub(super) fn restore(&self, tenant: u32, family: &str, known: Known, age: u32) {
        self.known.restore(tenant, family, known, age);
    }
}

/// What a series is to an aggregation as long as nothing but its labels says so.
pub fn class_by_labels(labels: Labels<'_>, aggregation: &Aggregation) -> Class {
    Types::new(1).class(0, labels, aggregation)
}

/// A part of a histogram or summary.
#[derive(Clone, Copy)]
enum Part {
    Bucket(f64),
    Sum,
    Count,
}

impl Part {
    fn of<'n>(name: &'n str, labels: Labels<'_>) -> Option<(&'n str, Self)> {
        if let Some(stem) = name.strip_suffix("_bucket") {
            let bound = bound::number(labels.get("le"))?;
            return Some((stem, Self::Bucket(bound)));
        }
        if let Some(stem) = name.strip_suffix("_sum") {
            return Some((stem, Self::Sum));
        }
        name.strip_suffix("_count").map(|stem| (stem, Self::Count))
    }

    fn bit(self) -> u8 {
        match self {
            Self::Bucket(_) => BUCKET,
            Self::Sum => SUM,
            Self::Count => COUNT,
        }
    }

    fn is_bucket(self) -> bool {
        matches!(self, Self::Bucket(_))
    }

    fn class(self) -> Class {
        match self {
            Self::Bucket(bound) => Class::Histogram(Some(bound)),
            Self::Sum | Self::Count => Class::Histogram(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_said() -> Aggregation {
        Aggregation::default()
    }

    fn bucket<'l>(le: &'l str, all: &'l mut [(&'l str, &'l str); 2]) -> Labels<'l> {
        *all = [("__name__", "x_bucket"), ("le", le)];
        Labels::from_sorted(all)
    }

    #[test]
    fn a_bound_is_a_number_in_any_spelling() {
        for (le, bound) in [("1", 1.0), ("1.0", 1.0), (".5", 0.5), ("+Inf", f64::INFINITY)] {
            let class = class_by_labels(bucket(le, &mut [("", ""); 2]), &nothing_said());
            assert_eq!(class, Class::Histogram(Some(bound)), "{le}");
        }
        let class = class_by_labels(bucket("low", &mut [("", ""); 2]), &nothing_said());
        assert_eq!(class, Class::Pass(NotAggregated::Untyped));
    }

    #[test]
    fn buckets_of_a_gauge_histogram_are_no_counters() {
        // of remote write 1.0 the family says it, of 2.0 each series
        for declared in ["x", "x_bucket"] {
            let types = Types::new(9);
            types.declare(0, declared, Declared::Other);
            let class = types.class(0, bucket("1", &mut [("", ""); 2]), &nothing_said());
            assert_eq!(class, Class::Pass(NotAggregated::Untyped), "{declared}");
        }
    }
}
