//! Labels that a policy lists although they always stay.

use super::{Checker, Policy};
use crate::policy::{Aggregation, is_part_of_meaning};

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
    }
}

/// Why a label always stays.
fn reason(label: &str, aggregation: &Aggregation) -> &'static str {
    if label == "quantile" {
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
