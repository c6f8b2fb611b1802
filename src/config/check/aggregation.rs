//! `aggregation`, and the keys of a policy that aggregates.

use std::sync::Arc;

use super::Checker;
use crate::clock::milliseconds;
use crate::config::Aggregation;
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::position::Position;
use crate::config::raw::{DurationText, RawAggregation, RawPolicy};
use crate::policy::{self, Keys, MetricKind, Output, VirtualLabel, is_part_of_meaning};

/// What holds where a policy does not say it.
const INTERVAL: &str = "1m";
const DELAY: &str = "30s";

impl Checker<'_> {
    pub(super) fn aggregation(&mut self, raw: &RawAggregation) -> Aggregation {
        for label in &raw.replica_labels {
            self.label_name(label);
        }
        let label = raw.instance_label.as_ref();
        let named = label.is_some_and(|label| self.label_name(label) && self.is_free(label, raw));
        let value = match &raw.instance {
            Some(value) if value.value.is_empty() => {
                self.refuse(value.position, "expected a text; leave `instance` out for the host name");
                None
            }
            Some(value) if label.is_none() => {
                if !self.could_not_read(&["instance_label"]) {
                    self.refuse(
                        value.position,
                        "`instance` is the value of `instance_label`, which is not given",
                    );
                }
                None
            }
            Some(value) => Some(value.value.clone()),
            None => host_name(),
        };
        let instance = label.filter(|_| named).map(|label| label.value.clone());
        Aggregation {
            replica_labels: raw.replica_labels.iter().map(|label| label.value.clone()).collect(),
            instance: instance.zip(Some(value.unwrap_or_else(|| "seriesgate".to_owned()))),
            max_groups: self.number(&raw.max_groups, 1, 10_000_000),
            max_tombstones: self.number(&raw.max_tombstones, 0, 100_000_000),
            max_types: self.number(&raw.max_types, 1, 10_000_000),
            max_pending_samples: self.number(&raw.max_pending_samples, 1000, 100_000_000),
            max_future: self.duration(&raw.max_future, "0s", "1d"),
        }
    }

    /// The label of an instance takes the place of what a series has there.
    fn is_free(&mut self, label: &At<String>, raw: &RawAggregation) -> bool {
        let name = cited(&label.value);
        let replica = raw.replica_labels.iter().any(|replica| replica.value == label.value);
        if replica {
            let message = format!(
                "`{name}` is one of `replica_labels`, which tell the replicas of one agent apart; choose another label, \
                 or give that list without it"
            );
            self.refuse(label.position, message);
        } else if is_part_of_meaning(&label.value) {
            self.refuse(
                label.position,
                format!("`{name}` is part of what series mean; choose another label"),
            );
        }
        !replica && !is_part_of_meaning(&label.value)
    }

    /// The part of an `aggregate` policy that no other action has; `None` if a mistake was found.
    pub(super) fn aggregate(
        &mut self,
        at: Position,
        raw: &RawPolicy,
        common: &Aggregation,
    ) -> Option<policy::Aggregation> {
        let keys = self.keys(at, raw);
        self.aggregation_of(keys, raw, common)
    }

    /// Whether a `relabel` policy has what it changes added up.
    pub(super) fn collects(&mut self, raw: &RawPolicy) -> bool {
        let words = [("hold", false), ("aggregate", true)];
        raw.on_collision.as_ref().and_then(|word| self.choice(word, &words)).unwrap_or(false)
    }

    /// The aggregation of what a `relabel` policy changes.
    pub(super) fn collected(&mut self, raw: &RawPolicy, common: &Aggregation) -> Option<policy::Aggregation> {
        self.aggregation_of(Keys::All, raw, common)
    }

    fn aggregation_of(
        &mut self,
        keys: Keys,
        raw: &RawPolicy,
        common: &Aggregation,
    ) -> Option<policy::Aggregation> {
        let before = self.errors.len();
        let collapse = raw.collapse.as_ref().map(|labels| self.labels(labels)).unwrap_or_default();
        let kinds = [
            ("counter", MetricKind::Counter),
            ("gauge", MetricKind::Gauge),
            ("histogram", MetricKind::Counter),
        ];
        let kind = raw.kind.as_ref().and_then(|kind| self.choice(kind, &kinds));
        let outputs = self.outputs(raw);
        let suffix = raw.suffix.as_ref().map(|suffix| suffix.value.clone());
        if let Some(suffix) = raw.suffix.as_ref().filter(|suffix| !is_suffix(&suffix.value)) {
            let message = "expected letters, digits, `_` and `:`, as the end of a metric's name has them";
            self.refuse(suffix.position, message);
        }
        let keep_input = raw.keep_input.as_ref().is_some_and(|keep| keep.value);
        let bare = suffix.is_none() && !self.could_not_read(&["suffix"]);
        if let Some(keep) = raw.keep_input.as_ref().filter(|keep| keep.value && bare) {
            let message = "`keep_input` sends the series beside their sum under the same name, so that queries count \
                           everything twice; give the sum another name with `suffix`";
            self.refuse(keep.position, message);
        }
        let interval = self.milliseconds(raw.interval.as_ref(), INTERVAL, "1s", "1d");
        let delay = self.milliseconds(raw.delay.as_ref(), DELAY, "0s", "1d");
        (self.errors.len() == before).then_some(policy::Aggregation {
            keys,
            collapse,
            replica_labels: Arc::clone(&common.replica_labels),
            instance: common.instance.clone(),
            interval_ms: interval,
            delay_ms: delay,
            kind,
            outputs,
            suffix,
            keep_input,
        })
    }

    fn keys(&mut self, at: Position, raw: &RawPolicy) -> Keys {
        match (&raw.by, &raw.without) {
            (Some(by), Some(_)) => {
                self.refuse(by.position, "`by` and `without` exclude each other");
                Keys::All
            }
            (Some(by), None) => {
                by.value.iter().for_each(|label| self.is_real(label));
                Keys::By(by.value.iter().map(|label| label.value.clone()).collect())
            }
            (None, without) => {
                let goes = |labels: &Option<At<Vec<At<String>>>>| {
                    labels.as_ref().is_some_and(|labels| !labels.value.is_empty())
                };
                let none_goes = !goes(&raw.without) && !goes(&raw.collapse);
                if none_goes && !self.could_not_read(&["by", "without", "collapse"]) {
                    let message = "`aggregate` needs to know which labels go: give `without: [pod, …]`, `by: [job, …]` \
                                   or `collapse: [pod]`";
                    self.refuse(without.as_ref().map_or(at, |without| without.position), message);
                }
                without.as_ref().map_or(Keys::All, |without| Keys::Without(self.labels(without)))
            }
        }
    }

    /// Labels that go, or are collapsed. Those that always stay are warned of, not refused.
    fn labels(&mut self, at: &At<Vec<At<String>>>) -> Vec<String> {
        for label in at.value.iter().filter(|label| label.value.is_empty()) {
            self.refuse(label.position, "expected the name of a label, found nothing");
        }
        at.value.iter().for_each(|label| self.is_real(label));
        at.value.iter().map(|label| label.value.clone()).collect()
    }

    fn label_name(&mut self, at: &At<String>) -> bool {
        let good = !at.value.is_empty() && at.value != "__name__";
        if !good {
            self.refuse(at.position, "expected the name of a label other than `__name__`, which stays");
        }
        self.is_real(at);
        good
    }

    /// No series has a label that is only there to be read.
    fn is_real(&mut self, at: &At<String>) {
        if let Some(label) = VirtualLabel::named(&at.value) {
            let name = label.as_str();
            let message = format!(
                "`{name}` is no label of a series: policies can read it in `match` and in `source_labels`"
            );
            self.refuse(at.position, message);
        }
    }

    fn outputs(&mut self, raw: &RawPolicy) -> Vec<Output> {
        let Some(outputs) = &raw.outputs else { return Vec::new() };
        if outputs.value.is_empty() && !self.could_not_read(&["outputs"]) {
            self.refuse(outputs.position, "the list is empty; leave `outputs` out for the sum");
        }
        let mut found = Vec::new();
        for output in &outputs.value {
            let Some(kind) = self.choice(output, &Output::ALL) else { continue };
            if found.contains(&kind) {
                self.refuse(output.position, format!("`{}` is given twice", output.value));
            }
            found.push(kind);
        }
        found
    }

    fn milliseconds(&mut self, at: Option<&At<DurationText>>, default: &str, min: &str, max: &str) -> i64 {
        let default = At::default_value(default);
        let time = self.duration(at.unwrap_or(&default), min, max);
        milliseconds(time)
    }

    /// Keys of `aggregate` in a policy that does something else. `collects`: it adds up what it changes all the same.
    pub(super) fn no_aggregation(&mut self, action: &str, raw: &RawPolicy, collects: bool) {
        let given = [
            ("by", raw.by.as_ref().map(|at| at.position)),
            ("without", raw.without.as_ref().map(|at| at.position)),
            ("collapse", raw.collapse.as_ref().map(|at| at.position)),
            ("interval", raw.interval.as_ref().map(|at| at.position)),
            ("delay", raw.delay.as_ref().map(|at| at.position)),
            ("outputs", raw.outputs.as_ref().map(|at| at.position)),
            ("type", raw.kind.as_ref().map(|at| at.position)),
            ("suffix", raw.suffix.as_ref().map(|at| at.position)),
            ("keep_input", raw.keep_input.as_ref().map(|at| at.position)),
        ];
        let collects = collects || self.could_not_read(&["on_collision", "on_exceed"]);
        for (key, position) in given {
            let timing = collects && matches!(key, "interval" | "delay" | "outputs" | "type");
            let grouping = action == "limit" && key == "by";
            if let Some(position) = position.filter(|_| !timing && !grouping) {
                let message = if action == "limit" && matches!(key, "interval" | "delay" | "outputs" | "type")
                {
                    format!("`{key}` belongs to `on_exceed: fold`")
                } else {
                    format!("`{key}` belongs to `action: aggregate`, not `{action}`")
                };
                self.refuse(position, message);
            }
        }
    }
}

fn is_suffix(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
}

fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned).filter(|name| !name.is_empty())
}
