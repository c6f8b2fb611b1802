//! `series`.

use super::Checker;
use crate::config::Series;
use crate::config::raw::RawSeries;

impl Checker<'_> {
    pub(super) fn series(&mut self, raw: &RawSeries) -> Series {
        Series {
            // Short ones are for trials and tests; production wants more than a few scrape intervals.
            idle_after: self.duration(&raw.idle_after, "1s", "30d"),
            max_tracked: self.number(&raw.max_tracked, 1, 1_000_000_000),
            warmup: self.duration(&raw.warmup, "0s", "1d"),
            stale_markers: raw.stale_markers.value,
            max_labels: self.number(&raw.max_labels, 1, 65_535),
            max_label_name_bytes: self.size(&raw.max_label_name_size, "16B", "1MiB"),
            max_label_value_bytes: self.size(&raw.max_label_value_size, "16B", "16MiB"),
        }
    }
}
