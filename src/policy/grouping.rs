//! Which series become one, and under which labels: the part of an `aggregate` policy that only labels are needed for.

use std::borrow::Cow;
use std::sync::Arc;

use super::OwnedLabels;
use super::bound::{self, Spelling};
use crate::series::{Labels, grammar};

/// What an `aggregate` policy does with the series that match it, as the config states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Which labels the result has.
    pub keys: Keys,
    /// Labels whose values become the name of the workload behind them.
    pub collapse: Vec<String>,
    /// Labels that tell the replicas of one agent apart; they stay, whatever `keys` says.
    pub replica_labels: Arc<[String]>,
    /// A label that marks whose output it is, and its value.
    pub instance: Option<(String, String)>,
    /// Length of a window, milliseconds.
    pub interval_ms: i64,
    /// How long a window stays open after its end, milliseconds of sample time.
    pub delay_ms: i64,
    /// What the metrics are, where the config says it.
    pub kind: Option<MetricKind>,
    /// What is made of gauges; empty: their sum.
    pub outputs: Vec<Output>,
    /// Put behind the metric's name.
    pub suffix: Option<String>,
    /// Whether the series are forwarded as well.
    pub keep_input: bool,
}

/// Adds up nothing but what is alike in all labels, once a minute. The config has defaults of its own.
impl Default for Aggregation {
    fn default() -> Self {
        Self {
            keys: Keys::All,
            collapse: Vec::new(),
            replica_labels: [].into(),
            instance: None,
            interval_ms: 60_000,
            delay_ms: 0,
            kind: None,
            outputs: Vec::new(),
            suffix: None,
            keep_input: false,
        }
    }
}

/// Labels that tell replicas of an agent apart, where the config does not say which do.
pub const REPLICA_LABELS: [&str; 3] = ["__replica__", "prometheus_replica", "replica"];

/// Labels that are part of what a value means: a sum over buckets of different bounds, or over quantiles, is no
/// number of anything. (`vmrange` is the bound of VictoriaMetrics' own histograms.)
const MEANING: [&str; 4] = ["__name__", "le", "quantile", "vmrange"];

/// Whether a label is part of what the value of a series means, so that it always stays.
pub fn is_part_of_meaning(label: &str) -> bool {
    MEANING.contains(&label)
}

/// Which labels stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All.
    All,
    /// These, and the metric's name.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

/// What a metric is, as far as adding series up goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows; a fall is a reset. Buckets, sums and counts of histograms are counters too.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What is made of the values of a gauge's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Output {
    Sum,
    Min,
    Max,
    Avg,
    Count,
    Last,
}

impl Output {
    /// All of them, as configs name them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("sum", Self::Sum),
        ("min", Self::Min),
        ("max", Self::Max),
        ("avg", Self::Avg),
        ("count", Self::Count),
        ("last", Self::Last),
    ];

    /// As configs name it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, output)| *output == self).map_or("", |(name, _)| name)
    }
}

impl Aggregation {
    /// Whether it is metadata that says which of its series are gauges, so that they pass until it has come.
    pub fn learns_gauges(&self) -> bool {
        self.kind.is_none() && self.outputs.is_empty()
    }

    /// The labels of the group that a series belongs to, sorted by name, but for a suffix: [`Aggregation::metric`].
    pub fn group<'l>(&'l self, labels: Labels<'l>, spelling: &'l Spelling) -> Vec<(&'l str, &'l str)> {
        let mut group = Vec::with_capacity(labels.len() + 1);
        for (name, value) in labels.iter().filter(|(name, _)| self.keeps(name)) {
            let collapsed = self.collapses(name).then(|| grammar::workload_in(name, value, labels)).flatten();
            group.push((name, collapsed.unwrap_or_else(|| spelling.of_label(name, value))));
        }
        if let Some((name, value)) = &self.instance {
            match group.binary_search_by(|(label, _)| (*label).cmp(name)) {
                Ok(at) => group[at].1 = value,
                Err(at) => group.insert(at, (name, value)),
            }
        }
        group
    }

    /// The name under which a metric's groups are sent, where that is another; `output`: of a gauge's outputs.
    pub fn metric(&self, name: &str, output: usize) -> Option<String> {
        let suffixed = self.suffix.as_ref().map(|suffix| suffixed(name, suffix));
        match self.outputs.get(output).filter(|_| output > 0) {
            // the first output keeps the name, the others add theirs to it
            Some(output) => Some(format!("{}:{}", suffixed.as_deref().unwrap_or(name), output.as_str())),
            None => suffixed,
        }
    }

    /// The metric whose groups are sent under a name, by the first output; see [`Aggregation::metric`].
    pub fn metric_of<'n>(&self, sent: &'n str) -> Cow<'n, str> {
        let Some(suffix) = &self.suffix else { return sent.into() };
        for ending in ENDINGS {
            if let Some(stem) = sent.strip_suffix(ending).and_then(|name| name.strip_suffix(suffix.as_str()))
            {
                return format!("{stem}{ending}").into();
            }
        }
        sent.strip_suffix(suffix.as_str()).unwrap_or(sent).into()
    }

    /// The labels of the group that a series belongs to as they are sent, sorted by name.
    pub fn group_of(&self, labels: Labels<'_>) -> OwnedLabels {
        let metric = self.metric(labels.metric(), 0);
        let sent = |(name, value): (&str, &str)| match &metric {
            Some(metric) if name == "__name__" => (name.into(), metric.as_str().into()),
            _ => (name.into(), value.into()),
        };
        self.group(labels, &Spelling::of(labels)).into_iter().map(sent).collect()
    }

    /// Whether a label stays, if maybe with another value.
    pub fn keeps(&self, name: &str) -> bool {
        let kept = match &self.keys {
            Keys::All => true,
            Keys::By(labels) => listed(labels, name),
            Keys::Without(labels) => !listed(labels, name),
        };
        kept || self.always_keeps(name)
    }

    /// Whether a label stays whatever `by`, `without` and `collapse` say: it is part of what a value means, or says
    /// whose value it is.
    pub fn always_keeps(&self, name: &str) -> bool {
        self.tells_apart(name) || self.instance.as_ref().is_some_and(|(label, _)| label == name)
    }

    /// Whether the value of a label becomes the name of a workload.
    pub fn collapses(&self, name: &str) -> bool {
        listed(&self.collapse, name) && !self.always_keeps(name)
    }

    /// A label that rules took from a series, or whose value they changed, although it tells apart what must not be
    /// added up: buckets of different bounds, quantiles, the replicas of one agent. A new name is no such loss, nor is a
    /// replica under another label for replicas.
    pub fn lost<'l>(&self, before: Labels<'l>, after: Labels<'_>) -> Option<&'l str> {
        let kept = |name: &str, value: &str| {
            let moved = |label: &String| after.get(label) == value;
            bound::same(name, value, after.get(name))
                || (self.is_replica(name) && self.replica_labels.iter().any(moved))
        };
        let told = before.iter().filter(|(name, _)| *name != "__name__" && self.tells_apart(name));
        told.filter(|(name, value)| !kept(name, value)).map(|(name, _)| name).next()
    }

    /// Whether a label tells the replicas of one agent apart.
    pub fn is_replica(&self, name: &str) -> bool {
        listed(&self.replica_labels, name)
    }

    /// The labels that tell apart what must not be added up.
    pub fn telling(&self) -> impl Iterator<Item = &str> {
        let replicas = self.replica_labels.iter().map(String::as_str);
        MEANING.into_iter().filter(|label| *label != "__name__").chain(replicas)
    }

    fn tells_apart(&self, name: &str) -> bool {
        is_part_of_meaning(name) || self.is_replica(name)
    }
}

fn listed(labels: &[String], name: &str) -> bool {
    labels.iter().any(|label| label == name)
}

/// How the names of parts of a metric end.
const ENDINGS: [&str; 4] = ["_bucket", "_sum", "_count", "_total"];

/// Parts of one histogram keep their endings, by which others know them.
fn suffixed(metric: &str, suffix: &str) -> String {
    for ending in ENDINGS {
        if let Some(stem) = metric.strip_suffix(ending).filter(|stem| !stem.is_empty()) {
            return format!("{stem}{suffix}{ending}");
        }
    }
    format!("{metric}{suffix}")
}

#[cfg(test)]
mod tests;
