//! The text by which snapshots of version 1 name a policy: what `Debug` made of it then. These types are as they were;
//! they do not change with those that they are named like.

#![allow(dead_code)] // they are there to be printed

use std::fmt;

use super::{Action as Now, Keys as NowKeys, MatchOp, MetricKind, Mode};

/// A word without quotes.
struct Bare(&'static str);

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Debug)]
struct Definition<'d> {
    name: &'d str,
    selectors: Vec<Selector<'d>>,
    action: Action<'d>,
    mode: Bare,
}

#[derive(Debug)]
struct Selector<'d> {
    matchers: Vec<Matcher<'d>>,
}

#[derive(Debug)]
struct Matcher<'d> {
    name: &'d str,
    op: Bare,
    value: &'d str,
}

#[derive(Debug)]
enum Action<'d> {
    RelabelAggregate(Vec<RuleText<'d>>, Aggregation<'d>),
    Aggregate(Aggregation<'d>),
}

#[derive(Debug)]
struct RuleText<'d> {
    source_labels: &'d Option<Vec<String>>,
    separator: &'d Option<String>,
    regex: &'d Option<String>,
    modulus: u64,
    target_label: &'d str,
    replacement: &'d Option<String>,
    action: &'d Option<String>,
}

#[derive(Debug)]
struct Aggregation<'d> {
    keys: Keys<'d>,
    collapse: &'d [String],
    replica_labels: &'d [String],
    instance: &'d Option<(String, String)>,
    interval_ms: i64,
    delay_ms: i64,
    kind: Option<Bare>,
    outputs: Vec<Bare>,
    suffix: &'d Option<String>,
    keep_input: bool,
}

#[derive(Debug)]
enum Keys<'d> {
    All,
    By(&'d [String]),
    Without(&'d [String]),
}

impl super::Definition {
    /// What version 1 of the snapshot calls this policy; `None` where it aggregates nothing, or asks for what policies could
    /// not ask for then.
    pub fn legacy(&self) -> Option<String> {
        if self.asks_for_workloads() {
            return None;
        }
        let action = match &self.action {
            Now::Aggregate(aggregation) => Action::Aggregate(Aggregation::of(aggregation)),
            Now::RelabelAggregate(rules, aggregation) => Action::RelabelAggregate(
                rules.iter().map(RuleText::of).collect(),
                Aggregation::of(aggregation),
            ),
            Now::Pass | Now::Drop | Now::Relabel(_) | Now::Limit(_) => return None,
        };
        let mode = match self.mode {
            Mode::Enforce => "Enforce",
            Mode::Preview => "Preview",
        };
        let then = Definition {
            name: &self.name,
            selectors: self.selectors.iter().map(Selector::of).collect(),
            action,
            mode: Bare(mode),
        };
        Some(format!("{then:?}"))
    }
}

impl<'d> Selector<'d> {
    fn of(selector: &'d super::Selector) -> Self {
        Self { matchers: selector.matchers.iter().map(Matcher::of).collect() }
    }
}

impl<'d> Matcher<'d> {
    fn of(matcher: &'d super::Matcher) -> Self {
        let op = match matcher.op {
            MatchOp::Equal => "Equal",
            MatchOp::NotEqual => "NotEqual",
            MatchOp::Regex => "Regex",
            MatchOp::NotRegex => "NotRegex",
        };
        Self { name: &matcher.name, op: Bare(op), value: &matcher.value }
    }
}

impl<'d> RuleText<'d> {
    fn of(rule: &'d super::relabel::RuleText) -> Self {
        Self {
            source_labels: &rule.source_labels,
            separator: &rule.separator,
            regex: &rule.regex,
            modulus: rule.modulus,
            target_label: &rule.target_label,
            replacement: &rule.replacement,
            action: &rule.action,
        }
    }
}

impl<'d> Aggregation<'d> {
    fn of(aggregation: &'d super::Aggregation) -> Self {
        Self {
            keys: match &aggregation.keys {
                NowKeys::All => Keys::All,
                NowKeys::By(labels) => Keys::By(labels),
                NowKeys::Without(labels) => Keys::Without(labels),
            },
            collapse: &aggregation.collapse,
            replica_labels: replica_labels(&aggregation.replica_labels),
            instance: &aggregation.instance,
            interval_ms: aggregation.interval_ms,
            delay_ms: aggregation.delay_ms,
            kind: aggregation.kind.map(|kind| match kind {
                MetricKind::Counter => Bare("Counter"),
                MetricKind::Gauge => Bare("Gauge"),
            }),
            outputs: aggregation.outputs.iter().map(|output| Bare(then(*output))).collect(),
            suffix: &aggregation.suffix,
            keep_input: aggregation.keep_input,
        }
    }
}

/// The default had two of its three labels then.
fn replica_labels(now: &[String]) -> &[String] {
    match now {
        [first, second, third]
            if [first, second, third] == ["__replica__", "prometheus_replica", "replica"] =>
        {
            &now[..2]
        }
        other => other,
    }
}

fn then(output: super::Output) -> &'static str {
    use super::Output;
    match output {
        Output::Sum => "Sum",
        Output::Min => "Min",
        Output::Max => "Max",
        Output::Avg => "Avg",
        Output::Count => "Count",
        Output::Last => "Last",
    }
}
