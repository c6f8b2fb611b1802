//! An aggregating policy from its text: what closes the windows of a policy that is in no config any more.

use std::sync::Arc;

use crate::policy::{Aggregating, Aggregation, Keys, MetricKind, Output};

impl Aggregating {
    /// The policy that has this text; `None` if it does not aggregate, or if this version knows less than wrote it.
    pub fn of_definition(definition: &str) -> Option<Self> {
        let (mut name, mut aggregation, mut aggregates) = ("", Aggregation::default(), false);
        let mut replica_labels = Vec::new();
        for field in Fields(definition) {
            let (field, value) = field?;
            match field {
                "policy" => name = value,
                "action" => aggregates = value.ends_with("aggregate"),
                "replica_label" => replica_labels.push(value.to_owned()),
                _ if is_of_no_aggregation(field) => {}
                _ => read(field, value, &mut aggregation)?,
            }
        }
        aggregation.replica_labels = replica_labels.into();
        let (name, definition) = (Arc::from(name), Arc::from(definition));
        aggregates.then(|| Self { name, definition, aggregation: Arc::new(aggregation) })
    }
}

/// Whether a field belongs to what a policy matches and asks of workloads, or to its rules.
fn is_of_no_aggregation(field: &str) -> bool {
    const OTHERS: [&str; 5] = ["mode", "match", "label", "op", "value"];
    const OF_RULES: [&str; 9] = [
        "rule",
        "source_labels",
        "source_label",
        "separator",
        "regex",
        "modulus",
        "target_label",
        "replacement",
        "rule_action",
    ];
    const OF_WORKLOADS: [&str; 7] = [
        "workload",
        "workload_kind",
        "workload_name",
        "run_finished_for_s",
        "keep_runs",
        "run_older_than_s",
        "unchanged_for_s",
    ];
    OTHERS.contains(&field) || OF_RULES.contains(&field) || OF_WORKLOADS.contains(&field)
}

fn read(field: &str, value: &str, into: &mut Aggregation) -> Option<()> {
    let text = || value.to_owned();
    match (field, value) {
        ("keys", "all") => into.keys = Keys::All,
        ("keys", "by") => into.keys = Keys::By(Vec::new()),
        ("keys", "without") => into.keys = Keys::Without(Vec::new()),
        ("key", _) => match &mut into.keys {
            Keys::By(labels) | Keys::Without(labels) => labels.push(text()),
            Keys::All => return None,
        },
        ("collapse", _) => into.collapse.push(text()),
        ("instance_label", _) => into.instance = Some((text(), String::new())),
        ("instance", _) => into.instance.as_mut()?.1 = text(),
        ("interval_ms", _) => into.interval_ms = value.parse().ok().filter(|ms| *ms > 0)?,
        ("delay_ms", _) => into.delay_ms = value.parse().ok()?,
        ("type", "counter") => into.kind = Some(MetricKind::Counter),
        ("type", "gauge") => into.kind = Some(MetricKind::Gauge),
        ("output", _) => {
            let known = Output::ALL.iter().find(|(name, _)| *name == value)?;
            into.outputs.push(known.1);
        }
        ("suffix", _) => into.suffix = Some(text()),
        ("keep_input", "true") => into.keep_input = true,
        _ => return None,
    }
    Some(())
}

/// The lines of such a text, `field length:value`. `None` for one that is not like that, which is then the last.
struct Fields<'t>(&'t str);

impl<'t> Iterator for Fields<'t> {
    type Item = Option<(&'t str, &'t str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = std::mem::take(&mut self.0);
        (!text.is_empty()).then(|| {
            let (field, rest) = text.split_once(' ')?;
            let (length, rest) = rest.split_once(':')?;
            let (value, rest) = rest.split_at_checked(length.parse().ok()?)?;
            self.0 = rest.strip_prefix('\n')?;
            Some((field, value))
        })
    }
}
