//! What a series is shown to the tracker for: when it is new, when it ends, when its value says that a run is over,
//! and once a window in between.

use super::judge::{Judgement, Work};
use super::outcome::Birth;
use super::scratch::Slot;
use crate::aggregate::Starts;
use crate::cardinality::{First, Sighting, is_on};
use crate::series::identity::{self, Form};
use crate::series::{Fingerprint, Labels, Probe, Remembered};
use crate::wire::v1;

impl Judgement<'_> {
    /// Looks closely at a series that is not known.
    pub(super) fn birth(
        &self,
        (series, decided): (Fingerprint, Remembered),
        pairs: &[(&str, &str)],
        body: &[u8],
        slot: &Slot,
        probe: &Probe,
        work: &mut Work<'_>,
    ) -> Birth {
        if self.index.is_full() {
            // it will be decided anew at each sample, and is not to cost more than that
            let sighting = Sighting::default();
            return Birth {
                series,
                decided,
                sighting,
                keys: (0, 0),
                tells: false,
                samples: probe.samples,
                ends: slot.ends,
            };
        }
        let first = First { series, value: slot.last_value(body), ends: slot.ends };
        let keys = &mut work.outcome.effects.keys;
        let start = keys.len() as u32;
        let labels = Labels::from_sorted(pairs);
        let sighting = self.tracker.look(self.party, labels, first, &mut work.scratch.look, keys, self.now);
        let keys = (start, keys.len() as u32);
        self.tracker.show(self.party.tenant, pairs, sighting.charge, self.now);
        let tells = self.policies.aggregates() && Starts::tells_of_thing(labels.metric().as_bytes());
        Birth { series, decided, sighting, keys, tells, samples: probe.samples, ends: slot.ends }
    }

    /// Does what there is to be done with a series that is known.
    pub(super) fn attend(
        &self,
        pairs: &[(&str, &str)],
        body: &[u8],
        slot: &Slot,
        probe: &Probe,
        work: &mut Work<'_>,
    ) {
        let series = match slot.form {
            Form::Canonical => probe.fingerprint,
            Form::Other => {
                identity::encode_canonical(pairs, &mut work.scratch.canonical);
                self.prints.fingerprint(&work.scratch.canonical, self.tenant)
            }
        };
        let labels = Labels::from_sorted(pairs);
        let value = slot.last_value(body);
        if probe.notice.is_due() {
            let first = First { series, value, ends: slot.ends };
            let scratch = &mut work.scratch.look;
            let charge = self.tracker.look_again(self.party, labels, first, scratch, self.now);
            self.tracker.show(self.party.tenant, pairs, charge, self.now);
            // as with refreshing: idempotent, and nothing about the data
            if let Some(moved) = self.index.recharge(series, charge.unit) {
                self.tracker.moved(moved, charge.unit, self.now);
            }
        }
        let effects = &mut work.outcome.effects;
        if probe.notice.has_returned() {
            effects.returned.push(series);
            self.tracker.exists(self.party.tenant, labels, series, self.now);
        }
        let tells = Starts::tells(labels.metric().as_bytes());
        if tells && self.policies.aggregates() {
            match slot.ends {
                true => self.engine.starts.end(self.tenant, labels),
                false => self.engine.starts.learn(self.tenant, labels, value, self.now),
            }
        }
        if slot.ends {
            effects.ended.push((series, self.tracker.node(self.party.tenant, labels, self.now)));
        } else if let Some(on) = probe.notice.watched().filter(|_| !tells) {
            self.tracker.learn_limit(self.party.tenant, labels, value, self.now);
            if on != is_on(value) {
                effects.turned.push((series, is_on(value)));
            }
        }
    }
}

impl Slot {
    /// The value of the last float sample, where there is one.
    pub(super) fn last_value(&self, body: &[u8]) -> Option<f64> {
        v1::last_value(body, self.labels_start as usize..self.end as usize)
    }
}
