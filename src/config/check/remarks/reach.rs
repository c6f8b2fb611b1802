//! Policies that take more than was meant, and policies that nothing reaches.

use super::{Checker, Policy};
use crate::policy::known::Known;
use crate::policy::{Action, Mode};

impl Checker<'_> {
    pub(super) fn drops_everything(&mut self, policy: &Policy<'_>) {
        let all = policy.known.iter().any(|known| Known::any_series().implies(known));
        let all = all && policy.meant.workload.is_none();
        if all && policy.meant.mode == Mode::Enforce && matches!(policy.meant.action, Action::Drop) {
            let (name, raw) = (policy.name(), &policy.raw.value);
            let (place, why) = match &raw.matches {
                Some(matches) => (Some(matches.position), "its `match` takes every series"),
                None => (raw.action.as_ref().map(|action| action.position), "it has no `match`"),
            };
            let message = format!("policy `{name}` drops every series that reaches it: {why}");
            self.warn(place.unwrap_or(policy.raw.position), message);
        }
    }

    /// A policy behind one that ends the walk of all its series. Rules in between change labels: behind them only a
    /// policy that takes every series is sure to take these.
    pub(super) fn never_reached(&mut self, policies: &[Policy<'_>]) {
        for (at, later) in policies.iter().enumerate() {
            let ends = |(n, earlier): &(usize, &Policy<'_>)| {
                let changed = policies[*n..at].iter().any(|between| relabels(between));
                let takes = |asked: &Known| {
                    let asked = asked.and(&Known::any_series());
                    earlier.known.iter().any(|known| asked.implies(known))
                };
                let takes_all = || earlier.known.iter().any(|known| Known::any_series().implies(known));
                ends_walk(earlier) && if changed { takes_all() } else { later.known.iter().all(takes) }
            };
            if let Some((_, earlier)) = policies[..at].iter().enumerate().find(ends) {
                let message = format!(
                    "policy `{}` is never reached: the walk of every series that it asks for ends at policy `{}` in \
                     front of it",
                    later.name(),
                    earlier.name()
                );
                self.warn(later.raw.position, message);
            }
        }
    }
}

/// Whether the walk of all that a policy matches ends there. (Behind a limit it goes on for what is admitted.) What is asked of workloads beside leaves some to go on.
fn ends_walk(policy: &Policy<'_>) -> bool {
    let ends = matches!(policy.meant.action, Action::Pass | Action::Drop | Action::Aggregate(_));
    ends && policy.meant.workload.is_none() && policy.meant.mode == Mode::Enforce
}

fn relabels(policy: &Policy<'_>) -> bool {
    let rules = matches!(policy.meant.action, Action::Relabel(_) | Action::RelabelAggregate(..));
    rules && policy.meant.mode == Mode::Enforce
}
