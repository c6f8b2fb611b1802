//! Looking at the series of one request, one after the other: whose each is, what is new about it, which values it has.
//! Nothing is counted here that a request sent again could see twice.
//!
//! Neighbours have most labels in common, and series of one pod come together. So what a label's value comes to is worked
//! out when it changes, values are counted in the sketches once for all neighbours that have them, and what was found out
//! of a metric, of a pod or of both together holds for the rest of the request.

mod memory;
mod recent;
mod shapes;

use std::sync::atomic::Ordering;

use self::memory::{Memory, OfMetric, Whose};
pub(super) use self::recent::Recent;
pub(super) use self::shapes::Shape;
use self::shapes::Shapes;
use super::evidence::Evidence;
use super::nodes::OnNode;
use super::novelty::{HashedLabels, Novelty};
use super::record_table::OTHERS;
use super::tracker::{Observation, SenderContext, SeriesState, Tracker, is_on};
use crate::series::index::WINDOW_SECONDS;
use crate::series::{Attribution, Labels};

/// What a worker keeps from one request to the next.
#[derive(Default)]
pub struct ObserveScratch {
    shapes: Shapes,
    memory: Memory,
    /// A hash for each label of the series in hand.
    hashes: Vec<u64>,
    /// How many neighbours have that label and are not counted in the sketches yet.
    alike: Vec<u32>,
}

/// Looks at the series of one request; what it holds back is counted when it goes.
pub struct Observer<'w, 'b> {
    tracker: &'w Tracker,
    sender_context: SenderContext,
    now: u32,
    scratch: &'w mut ObserveScratch,
    /// The labels of the series in hand.
    pairs: Vec<(&'b str, &'b str)>,
    /// Which of [`Shapes`] has their names.
    shape: usize,
    metric: Option<OfMetric>,
    /// What the labels that say whose a series is come to; `None` until asked.
    subject: Option<u64>,
    /// Series that came on one node.
    came: (OnNode, u32),
}

impl Tracker {
    /// Looks at the series of a request of this sender.
    pub fn observer<'w, 'b>(
        &'w self,
        sender_context: SenderContext,
        scratch: &'w mut ObserveScratch,
        now: u32,
    ) -> Observer<'w, 'b> {
        let (pairs, came) = (Vec::new(), (OnNode::default(), 0));
        Observer {
            tracker: self,
            sender_context,
            now,
            scratch,
            pairs,
            shape: 0,
            metric: None,
            subject: None,
            came,
        }
    }
}

impl<'b> Observer<'_, 'b> {
    /// Looks at a series that is not known. What is to be remembered of its labels is added to `keys`.
    pub fn observe(
        &mut self,
        pairs: &[(&'b str, &'b str)],
        first: SeriesState,
        keys: &mut Vec<u64>,
    ) -> Observation {
        let labels = Labels::from_sorted(pairs);
        let (metric, whose) = self.turn_to(pairs);
        let tracker = self.tracker;
        let Memory { answers, .. } = &mut self.scratch.memory;
        let hashed = HashedLabels { pairs: &self.scratch.hashes, shape: self.scratch.shapes.at(self.shape) };
        let (counts, novelty) =
            tracker.known.first_sight(metric.number, first.series.high, hashed, answers, keys);
        if counts {
            self.count();
            self.note_node(&metric, labels);
        }
        if metric.is_of_kubernetes {
            self.learn(labels, whose.unit, first);
        }
        // the end of something that we never saw alive is no birth
        let learned = self.sender_context.learning || first.ends;
        let evidence = Evidence::of(labels).map_or(0, Evidence::code);
        let sender = self.sender_context.sender;
        let observation = Observation {
            attribution: Attribution { metric: metric.number, unit: whose.unit, sender, evidence },
            pod: whose.pod,
            on: evidence != 0 && is_on(first.value),
            observe_again: !whose.said && tracker.owners.are_said(),
            learned,
            at: first.at,
            ended: first.ends,
            cause: if learned { OTHERS } else { self.cause(&metric, &whose, labels, novelty) },
            rest_known: novelty.rest_known,
        };
        self.show(&metric, &whose, labels);
        observation
    }

    /// Looks again at a series that is known since `first_seen`, once a window; returns who it is to be charged to. `sender` and
    /// `evidence` in it are of no meaning.
    pub fn observe_again(
        &mut self,
        pairs: &[(&'b str, &'b str)],
        first: SeriesState,
        first_seen: u32,
    ) -> Attribution {
        let labels = Labels::from_sorted(pairs);
        let (metric, whose) = self.turn_to(pairs);
        let tracker = self.tracker;
        if metric.is_of_kubernetes {
            self.learn(labels, whose.unit, first);
        }
        // else it was counted when it came; in the second in which a window begins hardly any came after that
        if first_seen <= tracker.window_began.load(Ordering::Relaxed) {
            self.count();
            let on = self.node(&metric, labels);
            tracker.nodes.with(on.number, |node| node.stay(on.side));
            let Memory { refreshed, answers, .. } = &mut self.scratch.memory;
            tracker.known.refresh(metric.number, &self.scratch.hashes, refreshed, answers);
            if let Some(value) = first.value {
                let window = self.now / WINDOW_SECONDS;
                tracker.units.with(whose.unit, |unit| unit.silence.hear(window, first.series.high, value));
            }
        }
        self.show(&metric, &whose, labels);
        let sender = self.sender_context.sender;
        Attribution { metric: metric.number, unit: whose.unit, sender, evidence: 0 }
    }

    /// Takes a series in hand; returns its metric and whose it is.
    fn turn_to(&mut self, pairs: &[(&'b str, &'b str)]) -> (OfMetric, Whose) {
        let is_alike = self.pairs.len() == pairs.len()
            && self.pairs.iter().zip(pairs).all(|(before, pair)| is_same(before.0, pair.0));
        if is_alike {
            self.take_values(pairs);
        } else {
            self.take_labels(pairs);
        }
        let labels = Labels::from_sorted(pairs);
        self.scratch.memory.make_room();
        let metric = self.metric(labels);
        (metric, self.whose(&metric, labels))
    }

    /// Takes over labels that have the names of those before.
    fn take_values(&mut self, pairs: &[(&'b str, &'b str)]) {
        for (place, pair) in pairs.iter().enumerate() {
            if is_same(self.pairs[place].1, pair.1) {
                continue;
            }
            self.feed(place);
            self.pairs[place].1 = pair.1;
            self.scratch.hashes[place] = self.tracker.hash.hash_one(pair);
            let shape = self.scratch.shapes.at(self.shape);
            if shape.says_whose(place) {
                self.subject = None;
            }
            if shape.metric_at == Some(place) {
                self.metric = None;
            }
        }
    }

    /// Takes over labels that have other names.
    fn take_labels(&mut self, pairs: &[(&'b str, &'b str)]) {
        self.feed_all();
        let ObserveScratch { shapes, memory, hashes, alike } = &mut *self.scratch;
        if self.pairs.is_empty() {
            // the first of its request
            memory.clear();
            shapes.renew(self.tracker);
        }
        self.pairs.clear();
        self.pairs.extend(pairs);
        hashes.clear();
        hashes.extend(pairs.iter().map(|pair| self.tracker.hash.hash_one(pair)));
        alike.clear();
        alike.resize(hashes.len(), 0);
        let labels = Labels::from_sorted(pairs);
        self.shape = shapes.find(self.tracker, self.sender_context.tenant, labels, self.now);
        (self.metric, self.subject) = (None, None);
    }

    /// Counts the series in hand in the sketches, with its neighbours.
    fn count(&mut self) {
        self.scratch.alike.iter_mut().for_each(|alike| *alike += 1);
    }

    /// Counts what was held back of one label.
    fn feed(&mut self, place: usize) {
        let count = std::mem::take(&mut self.scratch.alike[place]);
        let (name, value) = self.pairs[place];
        if count == 0 || name == "__name__" {
            return;
        }
        let tracker = self.tracker;
        let number = match self.scratch.shapes.label(tracker, self.shape, place) {
            Some(number) => number,
            // numbers are given out anew
            None => tracker.label(self.sender_context.tenant, name, self.now),
        };
        let hash = self.scratch.hashes[place];
        tracker.labels.with(number, |label| label.feed(hash, value, count, self.now));
    }

    fn feed_all(&mut self) {
        (0..self.pairs.len()).for_each(|place| self.feed(place));
    }

    /// Notes on which node a series came.
    fn note_node(&mut self, metric: &OfMetric, labels: Labels<'_>) {
        let on = self.node(metric, labels);
        if on != self.came.0 {
            self.feed_node();
            self.came.0 = on;
        }
        self.came.1 += 1;
    }

    fn feed_node(&mut self) {
        let (on, series) = (self.came.0, std::mem::take(&mut self.came.1));
        if series > 0 {
            self.tracker.nodes.with(on.number, |node| node.come(on.side, series));
        }
    }

    /// Takes in what a series of kube-state-metrics says of other things than itself.
    fn learn(&self, labels: Labels<'_>, unit: u32, first: SeriesState) {
        let (tracker, tenant) = (self.tracker, self.sender_context.tenant);
        if !first.ends {
            tracker.exists(tenant, labels, first.series, self.now);
            tracker.learn_limit(tenant, labels, first.value, self.now);
        }
        tracker.learn_completion(unit, labels, first.value);
    }

    /// The metric of the series in hand.
    fn metric(&mut self, labels: Labels<'_>) -> OfMetric {
        if let Some(metric) = self.metric {
            return metric;
        }
        let (tracker, tenant) = (self.tracker, self.sender_context.tenant);
        let name = labels.metric();
        let at = self.scratch.shapes.at(self.shape).metric_at;
        let hash = at.map_or(0, |place| self.scratch.hashes[place]);
        let make = || OfMetric::new(tracker.metric(tenant, name, self.now), name, &tracker.hash);
        let metric = *self.scratch.memory.metrics.entry(hash).or_insert_with(make);
        self.metric = Some(metric);
        metric
    }

    /// Whose the series in hand is.
    fn whose(&mut self, metric: &OfMetric, labels: Labels<'_>) -> Whose {
        let (tracker, tenant, now) = (self.tracker, self.sender_context.tenant, self.now);
        let make = || {
            // before it is asked, so that who learns in the meantime has it asked again
            let owners = tracker.owners.version();
            let (unit, said) = tracker.unit(tenant, labels, now);
            let workload = tracker.units.with(unit, |unit| unit.workload);
            Whose { unit, workload, said, pod: tracker.pod(tenant, labels), owners }
        };
        if metric.names_owners {
            return make();
        }
        let key = metric.object ^ self.subject();
        let version = tracker.owners.version();
        match self.scratch.memory.subjects.get(&key) {
            Some(whose) if whose.owners == version => *whose,
            _ => {
                let whose = make();
                self.scratch.memory.subjects.insert(key, whose);
                whose
            }
        }
    }

    /// What the labels of the series in hand come to that say whose it is.
    fn subject(&mut self) -> u64 {
        let ObserveScratch { shapes, hashes, .. } = &*self.scratch;
        *self.subject.get_or_insert_with(|| shapes.at(self.shape).subject(hashes))
    }

    /// The node of the series in hand.
    fn node(&mut self, metric: &OfMetric, labels: Labels<'_>) -> OnNode {
        let Some(side) = metric.side else { return OnNode::default() };
        let (tracker, tenant, now) = (self.tracker, self.sender_context.tenant, self.now);
        let make = || tracker.node_number(tenant, labels, now);
        let key = self.subject();
        match *self.scratch.memory.nodes.entry(key).or_insert_with(make) {
            Some(number) => OnNode { number, side },
            None => OnNode::default(),
        }
    }

    /// The record of what the series in hand is new by.
    fn cause(&mut self, metric: &OfMetric, whose: &Whose, labels: Labels<'_>, novelty: Novelty) -> u32 {
        let shape = self.scratch.shapes.at(self.shape).key;
        let (tracker, now) = (self.tracker, self.now);
        let both = self.scratch.memory.both(metric.number, whose.workload);
        match both.cause {
            Some((of, number)) if of == (shape, novelty.changed) => number,
            _ => {
                let number = tracker.cause(metric.number, whose.workload, labels, novelty, now);
                both.cause = Some(((shape, novelty.changed), number));
                number
            }
        }
    }

    /// Keeps the series in hand as an example, where one like it is wanted.
    fn show(&mut self, metric: &OfMetric, whose: &Whose, labels: Labels<'_>) {
        let (tracker, tenant, now) = (self.tracker, self.sender_context.tenant, self.now);
        let subject = (metric.object ^ self.subject(), whose.workload);
        let memory = &mut self.scratch.memory;
        let both = memory.both(metric.number, whose.workload);
        if !both.has_examples {
            both.has_examples = !tracker.show(tenant, labels, (metric.number, whose.workload), now);
        }
        if !memory.shown.contains(&subject) && !tracker.show_subject(tenant, labels, whose.workload, now) {
            memory.shown.insert(subject);
        }
    }
}

impl Drop for Observer<'_, '_> {
    fn drop(&mut self) {
        self.feed_all();
        self.feed_node();
    }
}

/// Whether two texts are the same; that is known without reading them where they stand at one address.
fn is_same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

#[cfg(test)]
mod tests;
