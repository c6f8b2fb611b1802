//! How long something takes, counted in buckets with fixed bounds.
//!
//! Not the exporter's own histograms: those keep every value until somebody folds them, in blocks that the path of a
//! request allocates. Here a value is two additions, and what is held does not depend on how many there were.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::text::{self, Labels};

/// Upper bounds: nanoseconds, and as the text format has them.
const BOUNDS: [(u64, &str); 18] = [
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (30_000_000_000, "30"),
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub struct Durations {
    /// Values up to each bound and above the one before it; the last are those above all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// Their sum, nanoseconds.
    sum: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < nanos);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Appends the lines of the text format.
    pub(super) fn write(&self, out: &mut String, name: &str, labels: &Labels) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            count += bucket.load(Ordering::Relaxed);
            let labels =
                text::labels(labels.iter().map(|(name, value)| (*name, value.as_str())), Some(bound));
            // a `String` takes all that is written to it
            writeln!(out, "{name}_bucket{labels} {count}").ok();
        }
        let labels = text::labels(labels.iter().map(|(name, value)| (*name, value.as_str())), None);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e9;
        writeln!(out, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(durations: &Durations, labels: &Labels) -> String {
        let mut out = String::new();
        durations.write(&mut out, "took", labels);
        out
    }

    #[test]
    fn a_bound_is_part_of_its_bucket_and_buckets_add_up() {
        let durations = Durations::default();
        for nanos in [0, 50_000, 50_001, 1_000_000_000, 30_000_000_000, 30_000_000_001, 3_600_000_000_000] {
            durations.record(Duration::from_nanos(nanos));
        }
        let text = text(&durations, &[("code", "2xx".to_owned())].to_vec());
        for line in [
            "took_bucket{code=\"2xx\",le=\"0.00005\"} 2\n",
            "took_bucket{code=\"2xx\",le=\"0.0001\"} 3\n",
            "took_bucket{code=\"2xx\",le=\"0.5\"} 3\n",
            "took_bucket{code=\"2xx\",le=\"1\"} 4\n",
            "took_bucket{code=\"2xx\",le=\"30\"} 5\n",
            "took_bucket{code=\"2xx\",le=\"+Inf\"} 7\n",
            "took_sum{code=\"2xx\"} 3661.000100002\n",
            "took_count{code=\"2xx\"} 7\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert_eq!(text.lines().count(), BOUNDS.len() + 3);
    }

    #[test]
    fn bounds_rise_and_are_written_as_what_they_are() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (nanos, written) in BOUNDS {
            assert_eq!((written.parse::<f64>().unwrap() * 1e9).round() as u64, nanos);
        }
        assert!(text(&Durations::default(), &Labels::new()).starts_with("took_bucket{le=\"0.00005\"} 0\n"));
    }
}
