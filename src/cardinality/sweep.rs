//! What passes with time: windows begin, growth is noted, what is over is forgotten.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::record_table::OTHERS;
use super::records::Label;
use super::tracker::Tracker;
use super::trend::STEP_SECONDS;
use crate::series::index::WINDOW_SECONDS;

/// So long is remembered what has no series any more, seconds: reports speak of the last hour.
const REMEMBERED: u32 = 7200;
/// The same while memory is short.
const REMEMBERED_SHRUNK: u32 = 1200;

impl Tracker {
    /// To be called every few seconds.
    pub fn sweep(&self, now: u32) {
        self.known.tick(now);
        let mut swept = self.swept.lock();
        if now / STEP_SECONDS > swept.step {
            let first = swept.step == 0;
            swept.step = now / STEP_SECONDS;
            if !first {
                self.begin_step(now);
            }
        }
        if now / WINDOW_SECONDS > swept.window {
            let first = swept.window == 0;
            swept.window = now / WINDOW_SECONDS;
            if !first {
                self.begin_window(now);
            }
        }
    }

    /// The numbers of the tenants that anything is remembered of.
    pub fn tenants(&self) -> BTreeSet<u32> {
        let mut all = BTreeSet::new();
        let mut note = |number, tenant| {
            if number != OTHERS {
                all.insert(tenant);
            }
        };
        self.metrics.each(|number, metric| note(number, metric.tenant));
        self.workloads.each(|number, workload| note(number, workload.tenant));
        self.senders.each(|number, sender| note(number, sender.tenant));
        self.labels.each(|number, label| note(number, label.tenant));
        self.nodes.each(|number, node| note(number, node.tenant));
        all
    }

    fn begin_step(&self, now: u32) {
        self.workloads.each(|_, workload| workload.trend.note(workload.runs));
        let remembered = if self.is_shrunk() { REMEMBERED_SHRUNK } else { REMEMBERED };
        let horizon = now.saturating_sub(remembered);
        // who is pointed at outlives who points
        self.causes.retain(|cause| cause.last >= now.saturating_sub(remembered / 2));
        self.forget_latest_causes();
        self.units.retain(|unit| unit.active > 0 || unit.last >= now.saturating_sub(remembered / 2));
        self.workloads
            .retain(|workload| workload.series_counts.active > 0 || workload.series_counts.last >= horizon);
        self.metrics.retain(|metric| metric.series_counts.active > 0 || metric.series_counts.last >= horizon);
        self.senders.retain(|sender| sender.series_counts.active > 0 || sender.series_counts.last >= horizon);
        let labels = self.labels.len();
        self.labels.retain(|label| label.last >= horizon);
        if self.labels.len() < labels {
            self.labels_epoch.fetch_add(1, Ordering::Release);
        }
        self.nodes.retain(|node| node.last >= horizon);
        let idle = self.idle_after.load(Ordering::Relaxed).max(2 * WINDOW_SECONDS);
        self.owners.forget(now.saturating_sub(idle));
        self.values.forget(now.saturating_sub(self.idle_after.load(Ordering::Relaxed)));
    }

    /// Forgets the notes on causes that are gone.
    fn forget_latest_causes(&self) {
        let mut latest = self.latest_causes.lock();
        let is_there = |(metric, workload): (u32, u32), cause: u32| {
            self.causes.with(cause, |cause| (cause.metric, cause.workload) == (metric, workload))
        };
        latest.retain(|of, cause| is_there(*of, *cause));
        latest.shrink_to_fit();
    }

    fn begin_window(&self, now: u32) {
        self.window_began.store(now, Ordering::Relaxed);
        self.labels.each(|_, label: &mut Label| label.rotate());
        self.nodes.each(|_, node| node.rotate());
        self.known.rotate();
    }
}

#[cfg(test)]
mod tests {
    use crate::cardinality::{ObserveScratch, SeriesState, Settings, Tracker};
    use crate::series::Fingerprint;

    const MAX_CAUSES: usize = 10;

    /// Shows a tracker that is done with warming up a new series of each of so many metrics and workloads.
    fn look(tracker: &Tracker, metrics: u32, workloads: u32, now: u32) {
        let sender_context = tracker.sender_context(0, None, now);
        let mut scratch = ObserveScratch::default();
        for (metric, workload) in (0..metrics).flat_map(|metric| (0..workloads).map(move |of| (metric, of))) {
            let (name, pod) = (format!("m{metric}"), format!("w{workload}-7d764666f9-qdcxt"));
            let pairs = [("__name__", &*name), ("namespace", "n"), ("pod", &*pod)];
            let series = Fingerprint { high: u64::from(metric << 16 | workload), ..Fingerprint::default() };
            let first = SeriesState { series, value: None, ends: false, at: now };
            let mut observer = tracker.observer(sender_context, &mut scratch, now);
            let observation = observer.observe(&pairs, first, &mut Vec::new());
            assert!(!observation.learned);
            tracker.series_added(std::iter::once((&observation, &[][..])), now);
        }
    }

    #[test]
    fn what_was_blamed_last_is_noted_of_causes_that_there_are_and_of_no_others() {
        let start = 1_700_000_000;
        let settings = Settings { warmup: 0, max_causes: MAX_CAUSES, ..Settings::default() };
        let tracker = Tracker::new(&settings, start);
        let noted = || tracker.latest_causes.lock().len();
        tracker.sweep(start);
        look(&tracker, 30, 30, start);
        assert_eq!((tracker.causes.len(), noted()), (MAX_CAUSES, MAX_CAUSES));
        // the numbers of those that went are others' by now
        tracker.sweep(start + 7200);
        assert_eq!((tracker.causes.len(), noted()), (0, 0));
        look(&tracker, 2, 1, start + 7200);
        assert_eq!(noted(), 2);
    }
}
