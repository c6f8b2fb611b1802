//! Metrics whose names do not say what they are.

use super::{Checker, Policy};
use crate::policy::Action;
use crate::policy::known::{Known, NAME};

/// Endings that say, by themselves or with their siblings, what a metric is.
const TYPED: [&str; 4] = ["_total", "_bucket", "_sum", "_count"];

impl Checker<'_> {
    pub(super) fn metrics_without_a_type(&mut self, policy: &Policy<'_>) {
        let Some(aggregation) = policy.meant.aggregation() else { return };
        if aggregation.kind.is_some() || !aggregation.outputs.is_empty() {
            return;
        }
        let untyped: Vec<&Known> = policy.known.iter().filter(|known| may_be_untyped(known)).collect();
        if untyped.is_empty() {
            return;
        }
        let named: Option<Vec<Vec<String>>> = untyped.iter().map(|known| untyped_names(known)).collect();
        let which = match named.map(|names| names.concat()) {
            Some(names) if names.len() <= 5 => names.join(", "),
            _ => {
                "metrics whose names say nothing of it (no `_total`, `_bucket`, `_sum`, `_count`)".to_owned()
            }
        };
        let otherwise = match policy.meant.action {
            Action::Limit(_) => {
                "are held, and not folded, until metadata says their type; where they are gauges, say `type: gauge`"
            }
            _ => {
                "may pass as they are until metadata says their type; where they are gauges, aggregate them by a policy \
                 with `type: gauge`"
            }
        };
        let message =
            format!("policy `{}` does not say what its metrics are: {which} {otherwise}", policy.name());
        let place = policy.raw.value.action.as_ref().map_or(policy.raw.position, |action| action.position);
        self.note(place, message);
    }
}

fn is_typed(ending: &str) -> bool {
    TYPED.iter().any(|typed| ending.ends_with(typed))
}

fn may_be_untyped(known: &Known) -> bool {
    !known.requires("le") && known.endings(NAME).is_none_or(|ends| ends.iter().any(|end| !is_typed(end)))
}

/// The names without a type, where the names can be counted.
fn untyped_names(known: &Known) -> Option<Vec<String>> {
    let names = known.values(NAME)?;
    Some(names.into_iter().filter(|name| !is_typed(name)).map(|name| format!("`{name}`")).collect())
}

/// Whether a selector may match buckets.
pub(super) fn may_be_buckets(known: &Known) -> bool {
    let ends_so = |end: &String| end.ends_with("_bucket") || "_bucket".ends_with(end.as_str());
    known.endings(NAME).is_none_or(|ends| ends.iter().any(ends_so))
}
