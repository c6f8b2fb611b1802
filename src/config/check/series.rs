//! `memory` and `series`.

use std::borrow::Cow;
use std::sync::Arc;

use super::Checker;
use crate::config::at::At;
use crate::config::raw::{RawMemory, RawSeries, RawSubjectLabels};
use crate::config::{Memory, Series};
use crate::series::SubjectTable;
use crate::series::subject::LabelRow;

impl Checker<'_> {
    pub(super) fn memory(&mut self, raw: &RawMemory) -> Memory {
        Memory { limit_bytes: raw.limit.as_ref().map(|at| self.size(at, "64MiB", "16TiB")) }
    }

    pub(super) fn series(&mut self, raw: &RawSeries) -> Series {
        Series {
            // Short ones are for trials and tests; production wants more than a few scrape intervals.
            idle_after: self.duration(&raw.idle_after, "1s", "30d"),
            max_tracked: self.number(&raw.max_tracked, 1, 1_000_000_000),
            warmup: self.duration(&raw.warmup, "0s", "1d"),
            max_future: Some(self.duration(&raw.max_future, "0s", "30d")).filter(|ahead| !ahead.is_zero()),
            stale_markers: raw.stale_markers.value,
            max_labels: self.number(&raw.max_labels, 1, 65_535),
            max_label_name_bytes: self.size(&raw.max_label_name_size, "16B", "1MiB"),
            max_label_value_bytes: self.size(&raw.max_label_value_size, "16B", "16MiB"),
            subjects: Arc::new(self.subjects(&raw.subject_labels)),
        }
    }

    fn subjects(&mut self, raw: &[At<RawSubjectLabels>]) -> SubjectTable {
        if let Some(more) = raw.get(SubjectTable::MAX_ROWS) {
            self.refuse(more.position, format!("{} entries at most", SubjectTable::MAX_ROWS));
        }
        let rows = raw.iter().take(SubjectTable::MAX_ROWS).map(|at| {
            let RawSubjectLabels { pod, job, namespace, container } = &at.value;
            if pod.is_none() && job.is_none() {
                self.refuse(at.position, "expected `pod`, `job` or both: the label that holds its name");
            }
            let mut label = |at: &Option<At<String>>| {
                let Some(at) = at else { return Cow::Borrowed("") };
                if matches!(at.value.as_str(), "" | "__name__") {
                    self.refuse(at.position, "expected the name of a label other than `__name__`");
                }
                Cow::Owned(at.value.clone())
            };
            LabelRow {
                namespace: label(namespace),
                pod: label(pod),
                job: label(job),
                container: label(container),
            }
        });
        let rows = rows.collect();
        SubjectTable::new(rows)
    }
}
