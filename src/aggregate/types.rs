//! What is known of the types of metrics: from metadata, from their names, and from their siblings' names.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::{Mutex, RwLock};

use crate::policy::{Aggregation, MetricKind};
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
    Pass(Passed),
}

/// Why a series passes an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
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
}

impl Passed {
    /// The `reason` label of our metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untyped => "untyped",
            Self::Quantile => "quantile",
            Self::Native => "native_histogram",
            Self::Full => "full",
            Self::Taken => "collision",
        }
    }
}

/// Metrics without a type that are counted by name.
const MAX_UNTYPED: usize = 1000;

/// Names of a family that were seen.
const BUCKET: u8 = 1;
const SUM: u8 = 2;
const COUNT: u8 = 4;

#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    declared: u8,
    seen: u8,
}

/// By tenant, then by the name of the family.
#[derive(Default)]
pub struct Types {
    known: RwLock<AHashMap<u32, AHashMap<Box<str>, Known>>>,
    max: usize,
    /// Changes whenever more is known.
    epoch: AtomicU32,
    /// Times a metric found no room.
    refused: AtomicU64,
    /// Metrics that passed because nobody said what they are, and how often.
    untyped: Mutex<AHashMap<Box<str>, u64>>,
}

impl Types {
    pub(super) fn new(max: usize) -> Self {
        let epoch = AtomicU32::new(0);
        Self { known: RwLock::default(), max, epoch, refused: AtomicU64::new(0), untyped: Mutex::default() }
    }

    /// Takes in one metadata entry.
    pub fn declare(&self, tenant: u32, family: &str, declared: Declared) {
        if declared != Declared::Unknown && self.get(tenant, family).declared != declared.number() {
            self.change(tenant, family, |known| known.declared = declared.number());
        }
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
        let known = self.known.read();
        let families = known.get(&tenant);
        let get =
            |family: &str| families.and_then(|families| families.get(family)).copied().unwrap_or_default();
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
                    None if own == Declared::Summary => return Class::Pass(Passed::Quantile),
                    None => {}
                }
            }
            Declared::Other | Declared::Unknown => {}
        }
        if let Some((stem, part)) = part {
            let Known { declared, seen } = get(stem);
            let class = match Declared::from_number(declared) {
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
            return Class::Pass(Passed::Quantile);
        }
        if !aggregation.outputs.is_empty() && own == Declared::Unknown {
            return Class::Gauge;
        }
        Class::Pass(Passed::Untyped)
    }

    /// Notes that there is a metric of this name: siblings tell what a `_sum` or a `_count` is.
    pub fn see_name(&self, tenant: u32, name: &str) {
        let endings = [("_bucket", BUCKET), ("_sum", SUM), ("_count", COUNT)];
        for (ending, bit) in endings {
            if let Some(stem) = name.strip_suffix(ending) {
                self.see(tenant, stem, bit);
            }
        }
    }

    fn see(&self, tenant: u32, stem: &str, bit: u8) {
        if self.get(tenant, stem).seen & bit == 0 {
            self.change(tenant, stem, |known| known.seen |= bit);
        }
    }

    fn get(&self, tenant: u32, family: &str) -> Known {
        let known = self.known.read();
        known.get(&tenant).and_then(|families| families.get(family)).copied().unwrap_or_default()
    }

    /// Another number whenever more is known: a series that passed because nobody had said what it is may be decided
    /// anew then.
    #[inline]
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    fn change(&self, tenant: u32, family: &str, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.write();
        let total: usize = known.values().map(|families| families.len()).sum();
        let families = known.entry(tenant).or_default();
        if let Some(known) = families.get_mut(family) {
            change(known);
        } else if total < self.max {
            change(families.entry(family.into()).or_default());
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Times a metric found no room, so that it may pass untyped.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Notes that a series of this name passed because nobody said what it is.
    pub fn untyped(&self, metric: &str) {
        let mut untyped = self.untyped.lock();
        if let Some(times) = untyped.get_mut(metric) {
            *times += 1;
        } else if untyped.len() < MAX_UNTYPED {
            untyped.insert(metric.into(), 1);
        }
    }

    /// The metrics that passed most often because nobody said what they are, and how often.
    pub fn most_untyped(&self, most: usize) -> Vec<(Box<str>, u64)> {
        let mut all: Vec<_> =
            self.untyped.lock().iter().map(|(name, times)| (name.clone(), *times)).collect();
        all.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        all.truncate(most);
        all
    }

    pub(super) fn all(&self) -> Vec<(u32, Box<str>, u8, u8)> {
        let known = self.known.read();
        let families = known.iter().flat_map(|(tenant, families)| families.iter().map(|f| (*tenant, f)));
        families.map(|(tenant, (name, known))| (tenant, name.clone(), known.declared, known.seen)).collect()
    }

    pub(super) fn restore(&self, tenant: u32, family: &str, declared: u8, seen: u8) {
        self.change(tenant, family, |known| *known = Known { declared, seen });
    }
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
            let bound = labels.get("le").parse().ok().filter(|bound: &f64| !bound.is_nan())?;
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
