//! What a policy lists in vain: labels that always stay, outputs of gauges where it has none.

use super::{Checker, Policy};
use crate::policy::known::NAME;
use crate::policy::{Aggregation, Keys, MetricKind, is_part_of_meaning};

impl Checker<'_> {
    pub(super) fn labels_listed_in_vain(&mut self, policy: &Policy<'_>) {
        let Some(aggregation) = policy.meant.aggregation() else { return };
        let raw = &policy.raw.value;
        for (key, list) in [("without", &raw.without), ("collapse", &raw.collapse)] {
            let listed = list.iter().flat_map(|at| &at.value);
            for label in listed.filter(|label| aggregation.always_keeps(&label.value)) {
                let why = reason(&label.value, aggregation);
                let message = format!("`{}` in `{key}` has no effect: {why}", label.value);
                self.warn(label.position, message);
            }
        }
        // one that is gone cannot be given another value
        let goes = |label: &str| match &aggregation.keys {
            Keys::All => None,
            Keys::By(kept) => (!kept.iter().any(|name| name == label)).then_some("`by` does not name it"),
            Keys::Without(gone) => gone.iter().any(|name| name == label).then_some("`without` takes it away"),
        };
        for label in raw.collapse.iter().flat_map(|at| &at.value) {
            if let Some(why) = goes(&label.value).filter(|_| !aggregation.always_keeps(&label.value)) {
                self.warn(label.position, format!("`{}` in `collapse` has no effect: {why}", label.value));
            }
        }
    }
}

impl Checker<'_> {
    pub(super) fn outputs_listed_in_vain(&mut self, policy: &Policy<'_>) {
        let kind = policy.meant.aggregation().and_then(|aggregation| aggregation.kind);
        let raw = &policy.raw.value;
        if let (Some(MetricKind::Counter), Some(kind), Some(outputs)) = (kind, &raw.kind, &raw.outputs) {
            let message = format!(
                "`outputs` has no effect: it says what is made of gauges, and with `type: {}` the policy has none; leave \
                 it out, or give `type: gauge`",
                kind.value
            );
            self.warn(outputs.position, message);
        }
    }
}

/// Why a label always stays.
fn reason(label: &str, aggregation: &Aggregation) -> &'static str {
    if label == NAME {
        "a metric's name always stays; `suffix` gives it another ending"
    } else if label == "quantile" {
        "quantiles cannot be added up, so the label always stays"
    } else if is_part_of_meaning(label) {
        "buckets of different bounds cannot be added up, so the label always stays"
    } else if aggregation.instance.as_ref().is_some_and(|(instance, _)| instance == label) {
        "it is `aggregation.instance_label`, which every group has"
    } else {
        "it is one of `aggregation.replica_labels`, which always stay because replicas of one agent send the same \
         twice; where it means something else here, give that list without it"
    }
}
