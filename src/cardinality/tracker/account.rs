//! Counting what a commit says: series that came, went elsewhere, ended, or were forgotten.

use super::runs::{Alike, Held, Why};
use super::{Observation, Tracker};
use crate::cardinality::nodes::OnNode;
use crate::cardinality::observer::Recent;
use crate::cardinality::record_table::OTHERS;
use crate::cardinality::records::{Cause, PodKey, Unit};
use crate::cardinality::series_counts::SeriesCounts;
use crate::series::{Attribution, Departed, Fingerprint, Moved};

impl Tracker {
    /// Counts the series of a request that came into the index, each with what [`Observer::observe`] added for it. Neighbours
    /// of one run are counted together.
    ///
    /// [`Observer::observe`]: crate::cardinality::Observer::observe
    pub fn series_added<'o>(&self, added: impl Iterator<Item = (&'o Observation, &'o [u64])>, now: u32) {
        let mut alike: Option<Alike> = None;
        let mut remembered = None;
        for (observation, keys) in added {
            let Observation { attribution, learned, at, .. } = *observation;
            self.metrics.with(attribution.metric, |metric| metric.series_counts.came(1, learned, now));
            let remembered = remembered.get_or_insert_with(Recent::default);
            self.known.remember(attribution.metric, keys, learned, now, remembered);
            if !learned {
                self.causes.with(observation.cause, |cause| {
                    if observation.rest_known { &mut cause.blamed } else { &mut cause.first }.add(1, now);
                });
            }
            let (unit, held) = (attribution.unit, held_of(observation, now));
            match &mut alike {
                Some(before) if before.unit == unit && before.held.counts_as(&held) => {
                    before.series += 1;
                    before.latest = before.latest.max(at);
                }
                _ => {
                    let before = alike.replace(Alike { unit, held, series: 1, latest: at });
                    before.into_iter().for_each(|before| self.count(before, now));
                }
            }
        }
        alike.into_iter().for_each(|last| self.count(last, now));
    }

    /// Notes that series were looked at, and not sent on: they may come again.
    pub fn not_added<'o>(&self, observed: impl Iterator<Item = (&'o Observation, Fingerprint)>) {
        observed.for_each(|(observation, series)| {
            self.known.note_in_vain(observation.attribution.metric, series.high)
        });
    }

    /// Counts series to their sender, their run and their workload.
    fn count(&self, alike: Alike, now: u32) {
        let Alike { held: Held { sender, learned, .. }, series, .. } = alike;
        self.senders.with(sender, |sender| sender.series_counts.came(series, learned, now));
        self.move_in(alike, Why::Heard, now);
    }

    /// Counts a series with another unit: more is known of it now. `pod`: the one that it is about. `at`: when its sample was
    /// taken, Unix seconds; so it is below.
    pub fn moved(&self, moved: Moved, pod: PodKey, new: u32, at: u32, now: u32) {
        let Moved {
            from: Attribution { metric, unit: old, sender, evidence },
            learned,
            first_seen,
            ended,
            on,
        } = moved;
        let held = Held { pod, sender, learned, first_seen, at, ended, evidence, on };
        let workload_of = |unit| self.units.with(unit, |unit: &mut Unit| unit.workload);
        let workloads = (workload_of(old), workload_of(new));
        self.move_out(old, held, now);
        self.move_in(Alike { unit: new, held, series: 1, latest: at }, Why::Moved, now);
        if !learned && workloads.0 != workloads.1 {
            self.move_blame(metric, workloads, first_seen, now);
        }
    }

    /// Blames for one new series of a metric what was blamed with another workload. The cause is not remembered for
    /// each series: it is taken to be the last one that this metric and workload had.
    fn move_blame(&self, metric: u32, (old, new): (u32, u32), first_seen: u32, now: u32) {
        let Some(number) = self.latest_causes.lock().get(&(metric, old)).copied() else { return };
        let found = self.causes.with(number, |cause| {
            // its number may be another's by now
            if (cause.metric, cause.workload) != (metric, old) {
                return None;
            }
            let blamed = cause.blamed.in_last(60, now) > 0;
            if blamed { &mut cause.blamed } else { &mut cause.first }.take(1, first_seen);
            let (labels, pattern) = (cause.labels.clone(), cause.pattern.clone());
            Some((Cause { metric, workload: new, labels, pattern, ..Cause::default() }, blamed))
        });
        let Some((copy, blamed)) = found else { return };
        let key = self.cause_key(metric, new, copy.labels.iter().map(|name| &**name));
        let number = self.causes.number(
            key,
            || copy,
            |cause| {
                cause.last = now;
                if blamed { &mut cause.blamed } else { &mut cause.first }.add(1, first_seen);
            },
        );
        self.is_latest(metric, new, number);
    }

    /// Notes which cause a metric and workload had last. One that found no room is not worth it: what is noted is of
    /// causes that there are, so there are no more notes than `tracking.max_causes`.
    pub(super) fn is_latest(&self, metric: u32, workload: u32, cause: u32) {
        if cause != OTHERS {
            self.latest_causes.lock().insert((metric, workload), cause);
        }
    }

    /// Counts a stale marker of a series that names this node and is about this pod; `on` is what its last value was before.
    pub fn ended(
        &self,
        series: Fingerprint,
        (attribution, on): (Attribution, bool),
        (node, pod): (OnNode, PodKey),
        at: u32,
        now: u32,
    ) {
        self.metrics.with(attribution.metric, |metric| metric.series_counts.ended += 1);
        self.senders.with(attribution.sender, |sender| sender.series_counts.ended += 1);
        let (workload, ()) = self.change(attribution.unit, Why::Heard, now, |unit| {
            unit.ended += 1;
            unit.said.take(attribution.evidence, on);
            unit.course.hear(at);
        });
        self.workloads.with(workload, |workload| {
            workload.series_counts.ended += 1;
            workload.pods.end(pod, now);
        });
        if node.number != OTHERS {
            self.nodes.with(node.number, |of| of.lose(node.side, series.high, workload, now));
        }
    }

    /// Takes back the end of a series of this pod that is there again; `on` is what its last value was before.
    pub fn returned(&self, (attribution, on): (Attribution, bool), pod: PodKey, at: u32, now: u32) {
        let (workload, ()) = self.change(attribution.unit, Why::Heard, now, |unit| {
            unit.ended = unit.ended.saturating_sub(1);
            unit.said.add(attribution.evidence, on);
            unit.course.hear(at);
            unit.last = now;
        });
        self.workloads.with(workload, |workload| workload.pods.come_back(pod));
    }

    /// Notes that the value of a series that is evidence has turned, to 0 or away from it.
    pub fn run_state_changed(&self, attribution: Attribution, on: bool, at: u32, now: u32) {
        self.change(attribution.unit, Why::Heard, now, |unit| {
            unit.said.take(attribution.evidence, !on);
            unit.said.add(attribution.evidence, on);
            unit.course.hear(at);
            unit.last = now;
        });
    }

    /// Counts series that were forgotten.
    pub fn series_expired(&self, departed: &[Departed], now: u32) {
        for gone in departed {
            let lifetime = gone.last_seen.saturating_sub(gone.first_seen);
            let count = |series_counts: &mut SeriesCounts| series_counts.removed(lifetime, gone.samples, now);
            self.metrics.with(gone.attribution.metric, |metric| count(&mut metric.series_counts));
            self.senders.with(gone.attribution.sender, |sender| count(&mut sender.series_counts));
            let Departed { attribution, first_seen, ended, on, .. } = *gone;
            // `learned` is of no meaning: nothing is taken back
            let Attribution { sender, evidence, .. } = attribution;
            let pod = PodKey::default();
            let held = Held { pod, sender, learned: false, first_seen, at: 0, ended, evidence, on };
            self.forget(attribution.unit, held, now, count);
        }
    }
}

/// What a run has of a series that comes.
fn held_of(observation: &Observation, now: u32) -> Held {
    let Observation {
        attribution: Attribution { sender, evidence, .. }, pod, learned, ended, on, at, ..
    } = *observation;
    Held { pod, sender, learned, first_seen: now, at, ended, evidence, on }
}
