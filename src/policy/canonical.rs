//! A policy as text that is the same exactly where the policy is: the state of an aggregation is found by it, in this
//! process and in snapshots of earlier versions.
//!
//! What is absent or empty writes nothing. So a field that comes later leaves the text of every policy that does not use
//! it as it was, and their state with it.

mod read;

use std::fmt::Write as _;
use std::sync::Arc;

use super::relabel::RuleText;
use super::{
    Action, Aggregation, Condition, Definition, Fold, Keys, Limit, Matcher, MetricKind, Mode, Selector,
};

impl Definition {
    /// All that makes the policy what it is.
    pub fn canonical(&self) -> String {
        let Self { name, selectors, workload, action, mode } = self;
        let mut form = Form::default();
        form.put("policy", name);
        form.put("mode", mode.as_str());
        for Selector { matchers } in selectors {
            form.put("match", "");
            matchers.iter().for_each(|matcher| form.matcher(matcher));
        }
        workload.iter().for_each(|condition| form.condition(condition));
        match action {
            Action::Pass => form.put("action", "pass"),
            Action::Drop => form.put("action", "drop"),
            Action::Relabel(rules) => {
                form.put("action", "relabel");
                rules.iter().for_each(|rule| form.rule(rule));
            }
            Action::RelabelAggregate(rules, aggregation) => {
                form.put("action", "relabel and aggregate");
                rules.iter().for_each(|rule| form.rule(rule));
                form.aggregation(aggregation);
            }
            Action::Aggregate(aggregation) => {
                form.put("action", "aggregate");
                form.aggregation(aggregation);
            }
            Action::Limit(limit) => {
                form.put("action", "limit");
                form.limit(limit);
            }
        }
        form.0
    }

    /// What a limit selects, as text; `None`: it is none.
    pub(super) fn selection(&self) -> Option<Arc<str>> {
        let in_force = || Self { mode: Mode::Enforce, ..self.clone() };
        matches!(self.action, Action::Limit(_)).then(|| in_force().canonical().into())
    }
}

#[derive(Default)]
struct Form(String);

impl Form {
    /// One line. The length stands before the value, so that no value looks like another line.
    fn put(&mut self, field: &str, value: &str) {
        // writing to a string cannot fail
        let _written = writeln!(self.0, "{field} {}:{value}", value.len());
    }

    fn put_all(&mut self, field: &str, values: &[String]) {
        values.iter().for_each(|value| self.put(field, value));
    }

    fn put_some(&mut self, field: &str, value: Option<&String>) {
        value.iter().for_each(|value| self.put(field, value));
    }

    fn put_number(&mut self, field: &str, number: Option<u32>) {
        number.iter().for_each(|number| self.put(field, &number.to_string()));
    }

    fn condition(&mut self, condition: &Condition) {
        let Condition { kind, name, run_finished_for, keep_runs, run_older_than, unchanged_for } = condition;
        self.put("workload", "");
        kind.iter().for_each(|kind| self.put("workload_kind", kind.as_str()));
        self.put_some("workload_name", name.as_ref());
        self.put_number("run_finished_for_s", *run_finished_for);
        self.put_number("keep_runs", *keep_runs);
        self.put_number("run_older_than_s", *run_older_than);
        self.put_number("unchanged_for_s", *unchanged_for);
    }

    fn matcher(&mut self, matcher: &Matcher) {
        let Matcher { name, op, value } = matcher;
        self.put("label", name);
        self.put("op", &op.to_string());
        self.put("value", value);
    }

    fn rule(&mut self, rule: &RuleText) {
        let RuleText { source_labels, separator, regex, modulus, target_label, replacement, action } = rule;
        self.put("rule", "");
        if let Some(labels) = source_labels {
            self.put("source_labels", &labels.len().to_string());
            self.put_all("source_label", labels);
        }
        self.put_some("separator", separator.as_ref());
        self.put_some("regex", regex.as_ref());
        if *modulus != 0 {
            self.put("modulus", &modulus.to_string());
        }
        if !target_label.is_empty() {
            self.put("target_label", target_label);
        }
        self.put_some("replacement", replacement.as_ref());
        self.put_some("rule_action", action.as_ref());
    }

    /// What is added up, and how. How much it takes until then is not part of it: a group goes on under other numbers.
    fn limit(&mut self, limit: &Limit) {
        let Limit { by, max_series: _, max_new_per_hour: _, max_groups: _, warn_at: _, fold } = limit;
        self.put_all("by", by);
        if let Some(Fold { labels, aggregation }) = fold {
            self.put_all("fold_label", labels);
            self.aggregation(aggregation);
        }
    }

    fn aggregation(&mut self, aggregation: &Aggregation) {
        let Aggregation {
            keys,
            collapse,
            replica_labels,
            instance,
            interval_ms,
            delay_ms,
            kind,
            outputs,
            suffix,
            keep_input,
        } = aggregation;
        match keys {
            Keys::All => self.put("keys", "all"),
            Keys::By(labels) => {
                self.put("keys", "by");
                self.put_all("key", labels);
            }
            Keys::Without(labels) => {
                self.put("keys", "without");
                self.put_all("key", labels);
            }
        }
        self.put_all("collapse", collapse);
        self.put_all("replica_label", replica_labels);
        if let Some((label, value)) = instance {
            self.put("instance_label", label);
            self.put("instance", value);
        }
        self.put("interval_ms", &interval_ms.to_string());
        self.put("delay_ms", &delay_ms.to_string());
        match kind {
            None => {}
            Some(MetricKind::Counter) => self.put("type", "counter"),
            Some(MetricKind::Gauge) => self.put("type", "gauge"),
        }
        outputs.iter().for_each(|output| self.put("output", output.as_str()));
        self.put_some("suffix", suffix.as_ref());
        if *keep_input {
            self.put("keep_input", "true");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Aggregating, MatchOp, Output};
    use crate::series::grammar::Kind;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn aggregation() -> Aggregation {
        Aggregation {
            keys: Keys::By(texts(&["job"])),
            collapse: texts(&["pod"]),
            replica_labels: texts(&["r"]).into(),
            instance: Some(("gate".into(), "g1".into())),
            interval_ms: 60_000,
            delay_ms: 10_000,
            kind: Some(MetricKind::Gauge),
            outputs: vec![Output::Sum, Output::Max],
            suffix: Some(":all".into()),
            keep_input: false,
        }
    }

    fn rule() -> RuleText {
        RuleText {
            source_labels: Some(texts(&["a", "b"])),
            separator: Some(";".into()),
            regex: Some("(.*)".into()),
            modulus: 7,
            target_label: "t".into(),
            replacement: Some("$1".into()),
            action: Some("replace".into()),
        }
    }

    fn definition() -> Definition {
        let matcher = |name: &str| Matcher { name: name.into(), op: MatchOp::Equal, value: "v".into() };
        Definition {
            name: "p".into(),
            selectors: vec![Selector { matchers: vec![matcher("x"), matcher("y")] }],
            workload: Some(condition()),
            action: Action::RelabelAggregate([rule()].into(), aggregation().into()),
            mode: Mode::Enforce,
        }
    }

    fn condition() -> Condition {
        Condition {
            kind: Some(Kind::Cronjob),
            name: Some("sync".into()),
            run_finished_for: Some(1800),
            keep_runs: Some(3),
            run_older_than: Some(86_400),
            unchanged_for: Some(3600),
        }
    }

    fn with_condition(change: impl Fn(&mut Condition)) -> Definition {
        let mut changed = condition();
        change(&mut changed);
        Definition { workload: Some(changed), ..definition() }
    }

    /// The same policy with one thing changed in its aggregation.
    fn with(change: impl Fn(&mut Aggregation)) -> Definition {
        let mut changed = aggregation();
        change(&mut changed);
        Definition { action: Action::RelabelAggregate([rule()].into(), changed.into()), ..definition() }
    }

    fn with_rule(change: impl Fn(&mut RuleText)) -> Definition {
        let mut changed = rule();
        change(&mut changed);
        Definition {
            action: Action::RelabelAggregate([changed].into(), aggregation().into()),
            ..definition()
        }
    }

    fn with_selectors(change: impl Fn(&mut Vec<Selector>)) -> Definition {
        let mut changed = definition();
        change(&mut changed.selectors);
        changed
    }

    fn others() -> Vec<Definition> {
        let actions = [
            Action::Pass,
            Action::Drop,
            Action::Relabel([rule()].into()),
            Action::Relabel([rule(), rule()].into()),
            Action::Aggregate(aggregation().into()),
        ];
        let mut all: Vec<Definition> =
            actions.into_iter().map(|action| Definition { action, ..definition() }).collect();
        all.extend([
            Definition { name: "q".into(), ..definition() },
            Definition { mode: Mode::Preview, ..definition() },
            with_selectors(Vec::clear),
            with_selectors(|all| all.push(Selector { matchers: Vec::new() })),
            with_selectors(|all| all[0].matchers[0].name.push('z')),
            with_selectors(|all| all[0].matchers[0].op = MatchOp::NotEqual),
            with_selectors(|all| all[0].matchers[0].op = MatchOp::Regex),
            with_selectors(|all| all[0].matchers[0].op = MatchOp::NotRegex),
            with_selectors(|all| all[0].matchers[0].value.push('z')),
            // one selector of two matchers, and two of one
            with_selectors(|all| {
                let second = all[0].matchers.split_off(1);
                all.push(Selector { matchers: second });
            }),
            // a value that has the look of the next line
            with_selectors(|all| all[0].matchers[0].value = "v\nlabel 1:y".into()),
        ]);
        all.extend([
            Definition { workload: None, ..definition() },
            with_condition(|c| *c = Condition::default()),
            with_condition(|c| c.kind = None),
            with_condition(|c| c.kind = Some(Kind::Job)),
            with_condition(|c| c.name = None),
            with_condition(|c| c.name = Some("sync.".into())),
            with_condition(|c| c.run_finished_for = None),
            with_condition(|c| c.run_finished_for = Some(1801)),
            with_condition(|c| c.keep_runs = None),
            with_condition(|c| c.keep_runs = Some(0)),
            with_condition(|c| c.run_older_than = None),
            with_condition(|c| c.run_older_than = Some(1)),
            with_condition(|c| c.unchanged_for = None),
            with_condition(|c| c.unchanged_for = Some(1)),
        ]);
        all.extend([
            with(|a| a.keys = Keys::All),
            with(|a| a.keys = Keys::Without(texts(&["job"]))),
            with(|a| a.keys = Keys::By(Vec::new())),
            with(|a| a.keys = Keys::By(texts(&["job", "pod"]))),
            with(|a| a.collapse.clear()),
            with(|a| a.replica_labels = texts(&["s"]).into()),
            with(|a| a.instance = None),
            with(|a| a.instance = Some(("gate".into(), "g2".into()))),
            with(|a| a.instance = Some(("door".into(), "g1".into()))),
            with(|a| a.interval_ms = 30_000),
            with(|a| a.delay_ms = 0),
            with(|a| a.kind = None),
            with(|a| a.kind = Some(MetricKind::Counter)),
            with(|a| a.outputs = Vec::new()),
            with(|a| a.outputs = vec![Output::Max, Output::Sum]),
            with(|a| a.suffix = None),
            with(|a| a.keep_input = true),
        ]);
        all.extend([
            with_rule(|r| r.source_labels = None),
            with_rule(|r| r.source_labels = Some(Vec::new())),
            with_rule(|r| r.separator = None),
            with_rule(|r| r.regex = Some("(.+)".into())),
            with_rule(|r| r.modulus = 0),
            with_rule(|r| r.target_label.clear()),
            with_rule(|r| r.replacement = None),
            with_rule(|r| r.action = None),
        ]);
        all
    }

    #[test]
    fn each_field_changes_it_and_nothing_else_does() {
        assert_eq!(definition().canonical(), definition().canonical());
        let mut all: Vec<String> = others().iter().map(Definition::canonical).collect();
        all.push(definition().canonical());
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "two that are not the same have one text");
    }

    #[test]
    fn it_is_read_back_where_it_aggregates() {
        for policy in others() {
            let text = policy.canonical();
            let read = Aggregating::of_definition(&text);
            match &policy.action {
                Action::Aggregate(aggregation) | Action::RelabelAggregate(_, aggregation) => {
                    let read = read.unwrap();
                    assert_eq!((&*read.name, &*read.definition), (&*policy.name, &*text));
                    assert_eq!(read.aggregation, *aggregation);
                }
                _ => assert!(read.is_none()),
            }
        }
        let text = definition().canonical();
        let later = format!("{text}per_tenant 4:true\n");
        // what a later version wrote, what is cut off, what an interval cannot be, and what version 1 wrote
        for strange in
            [later.as_str(), &text[..text.len() - 2], &text.replace("60000", "0"), "Definition { }"]
        {
            assert!(Aggregating::of_definition(strange).is_none(), "{strange}");
        }
    }
}
