//! What a series is shown to the tracker for: when it is new, when it ends, when its value says that a run is over,
//! and once a window in between.

use super::context::SeriesContext;
use super::decider::{Decider, Work};
use super::outcome::NewSeries;
use super::scratch::Slot;
use crate::aggregate::Starts;
use crate::cardinality::{Observation, SeriesState, is_on};
use crate::series::identity::{self, Form};
use crate::series::{Fingerprint, FollowUp, Labels, Probe, Remembered};
use crate::wire::v1;

impl Decider<'_> {
    /// Looks closely at a series that was decided, where there is something to be done with it.
    pub(super) fn observe_decided<'b>(
        &self,
        pairs: &[(&'b str, &'b str)],
        context: &SeriesContext<'_>,
        (decided, held): (Remembered, bool),
        work: &mut Work<'_, 'b>,
    ) {
        let SeriesContext { series, body, slot, probe, unknown, .. } = context;
        if !unknown && (probe.follow_up != FollowUp::NONE || probe.ends) {
            self.observe_known(pairs, body, slot, probe, work);
        }
        // what is held back asks each time where there is no room to remember that it is
        if *unknown && !(held && self.index.is_crowded()) {
            let new = self.observe_new((*series, decided), pairs, body, slot, probe, work);
            work.outcome.effects.new_series.push(new);
        }
    }

    /// Looks closely at a series that is not known.
    fn observe_new<'b>(
        &self,
        (series, decided): (Fingerprint, Remembered),
        pairs: &[(&'b str, &'b str)],
        body: &[u8],
        slot: &Slot,
        probe: &Probe,
        work: &mut Work<'_, 'b>,
    ) -> NewSeries {
        if self.index.is_full() {
            // it will be decided anew at each sample, and is not to cost more than that
            let observation = Observation::default();
            return NewSeries {
                series,
                decided,
                observation,
                keys: (0, 0),
                tells: false,
                samples: probe.samples,
                ends: slot.ends,
            };
        }
        let (value, at) = (slot.last_value(body), probe.sample_seconds);
        let first = SeriesState { series, value, ends: slot.ends, at };
        let keys = &mut work.outcome.effects.keys;
        let start = keys.len() as u32;
        let labels = Labels::from_sorted(pairs);
        let observation = work.observer.observe(pairs, first, keys);
        let keys = (start, keys.len() as u32);
        let tells = self.policies.aggregates() && Starts::tells_of_thing(labels.metric().as_bytes());
        NewSeries { series, decided, observation, keys, tells, samples: probe.samples, ends: slot.ends }
    }

    /// Does what there is to be done with a series that is known.
    pub(super) fn observe_known<'b>(
        &self,
        pairs: &[(&'b str, &'b str)],
        body: &[u8],
        slot: &Slot,
        probe: &Probe,
        work: &mut Work<'_, 'b>,
    ) {
        let series = match slot.form {
            Form::Canonical => probe.fingerprint,
            Form::Other => {
                identity::encode_canonical(pairs, &mut work.scratch.canonical);
                self.prints.fingerprint(&work.scratch.canonical, self.tenant)
            }
        };
        let labels = Labels::from_sorted(pairs);
        let pod = || self.tracker.pod(self.sender_context.tenant, labels);
        let value = slot.last_value(body);
        if probe.follow_up.is_due() {
            let first = SeriesState { series, value, ends: slot.ends, at: probe.sample_seconds };
            // one that was forgotten just now counts as one that came just now
            let first_seen = self.index.first_seen(series).unwrap_or(self.now);
            let attribution = work.observer.observe_again(pairs, first, first_seen);
            // as with refreshing: idempotent, and nothing about the data
            if let Some(moved) = self.index.reattribute(series, attribution.unit) {
                self.tracker.moved(moved, pod(), attribution.unit, probe.sample_seconds, self.now);
                if self.policies.set.asks_for_workloads() {
                    self.index.reopen(series);
                }
            }
        }
        let effects = &mut work.outcome.effects;
        if probe.follow_up.has_returned() {
            effects.returned.push((series, pod(), probe.sample_seconds));
            self.tracker.exists(self.sender_context.tenant, labels, series, self.now);
        }
        let tells = Starts::tells(labels.metric().as_bytes());
        if tells && self.policies.aggregates() {
            match slot.ends {
                true => self.engine.starts.end(self.tenant, labels),
                false => self.engine.starts.learn(self.tenant, labels, value, self.now),
            }
        }
        if slot.ends {
            let node = self.tracker.node(self.sender_context.tenant, labels, self.now);
            effects.ended.push((series, (node, pod()), probe.sample_seconds));
            // what comes back may be of another run of that name
            if self.policies.set.asks_for_workloads() {
                self.index.reopen(series);
            }
        } else if let Some(on) = probe.follow_up.watched().filter(|_| !tells) {
            self.tracker.learn_limit(self.sender_context.tenant, labels, value, self.now);
            if on != is_on(value) {
                effects.run_state_changes.push((series, is_on(value), probe.sample_seconds));
            }
        }
    }
}

impl Slot {
    /// The value of the last float sample, where there is one.
    pub(super) fn last_value(&self, body: &[u8]) -> Option<f64> {
        v1::last_value(body, self.data())
    }
}
