//! A label set that rules work on.

use std::borrow::Cow;

use crate::policy::{VirtualLabel, WorkloadSource};
use crate::series::Labels;

/// Labels being changed. What was there at the start keeps its order; what is set goes behind it, in the order
/// in which it was first set: `labelmap` goes through labels so, and its last writer wins.
#[derive(Clone)]
pub struct LabelSet<'a> {
    base: Vec<(&'a str, &'a str)>,
    added: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Longest text set so far, bytes.
    longest: usize,
    /// What is known of the workload; `None`: nothing.
    workload: Option<&'a WorkloadSource<'a>>,
}

impl<'a> LabelSet<'a> {
    /// Starts from the labels of a series.
    pub fn new(labels: Labels<'a>) -> Self {
        Self { base: labels.iter().collect(), added: Vec::new(), longest: 0, workload: None }
    }

    /// The same for a series of which `workload` knows.
    pub(in crate::policy) fn of_workload(labels: Labels<'a>, workload: &'a WorkloadSource<'a>) -> Self {
        Self { workload: Some(workload), ..Self::new(labels) }
    }

    /// The value of a label; `""` where it is missing.
    pub fn get(&self, name: &str) -> &str {
        match self.added.iter().find(|(candidate, _)| candidate == name) {
            Some((_, value)) => value,
            None => self.base.iter().find(|(candidate, _)| *candidate == name).map_or("", |(_, value)| value),
        }
    }

    /// The value of a label that no series has.
    pub(super) fn read(&self, label: VirtualLabel) -> &str {
        self.workload.map_or("", |workload| workload.label(label))
    }

    /// Sets a label; an empty value takes it away. Nothing sets a label that is only there to be read.
    pub fn set(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        if VirtualLabel::named(&name).is_some() {
            return;
        }
        if value.is_empty() {
            return self.remove(&name);
        }
        self.longest = self.longest.max(value.len()).max(name.len());
        if let Some((_, present)) = self.added.iter_mut().find(|(candidate, _)| *candidate == name) {
            *present = value;
            return;
        }
        self.base.retain(|(candidate, _)| **candidate != *name);
        self.added.push((name, value));
    }

    /// Takes a label away.
    pub fn remove(&mut self, name: &str) {
        self.base.retain(|(candidate, _)| *candidate != name);
        self.added.retain(|(candidate, _)| candidate != name);
    }

    /// Keeps the labels whose name passes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.base.retain(|(name, _)| keep(name));
        self.added.retain(|(name, _)| keep(name));
    }

    /// All labels as they are now: those from the start in name order, then those set, in the order of setting.
    pub fn snapshot(&self) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let base = self.base.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)));
        base.chain(self.added.iter().cloned()).collect()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.base.len() + self.added.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of the longest name or value that was set so far, bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The labels sorted by name.
    pub fn sorted(&self) -> Vec<(&str, &str)> {
        let base = self.base.iter().copied();
        let added = self.added.iter().map(|(name, value)| (&**name, &**value));
        let mut pairs: Vec<(&str, &str)> = base.chain(added).collect();
        pairs.sort_unstable_by_key(|(name, _)| *name);
        pairs
    }
}
