//! The walk told step by step, for `explain`: no routing and no shared regexes, so that it can also be held
//! against [`super::PolicySet::decide`].

use super::decide::{Relabeled, relabel};
use super::{Act, PolicySet};
use crate::policy::pattern::Pattern;
use crate::policy::selector::METRIC_NAME;
use crate::policy::{
    Disposition, Effect, MatchOp, Matcher, Mode, OwnedLabels, PolicyIndex, VirtualLabel, WorkloadSource,
    borrowed,
};
use crate::series::identity;
use crate::series::{Invalid, Labels, Limits};

/// What every policy said of a series.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Policies in order, up to the last one that was asked.
    pub steps: Vec<Step>,
    /// The enforced policy that ended the walk, if one did.
    pub ended_by: Option<PolicyIndex>,
    /// What becomes of the series; collisions are not foreseen.
    pub disposition: Disposition,
    /// Why it is rejected.
    pub reason: Option<Invalid>,
    /// The last enforced policy that changed the labels.
    pub changed_by: Option<PolicyIndex>,
}

/// One policy asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub policy: PolicyIndex,
    /// Whether it acts.
    pub mode: Mode,
    /// Whether one of its selectors matches, and what it asks of the workload holds.
    pub matched: bool,
    /// Whether what it asks of the workload holds, where it asks and a selector matches.
    pub workload_holds: Option<bool>,
    /// What it does, in preview what it would do.
    pub effect: Effect,
    /// The labels after it; those of the series for as long as nothing changed them.
    pub labels: OwnedLabels,
}

impl PolicySet {
    /// The same as [`PolicySet::decide`], told step by step and slower.
    pub fn walk(&self, labels: Labels<'_>, workload: &WorkloadSource<'_>, limits: &Limits) -> Walk {
        let mut walk = Walk::default();
        let mut now: OwnedLabels = labels.iter().map(|(name, value)| (name.into(), value.into())).collect();
        for (policy, index) in self.policies.iter().zip((0u16..).map(PolicyIndex)) {
            let pairs = borrowed(&now);
            let current = Labels::from_sorted(&pairs);
            let selected = policy.plain.iter().any(|all| all.iter().all(|m| m.holds(current, workload)));
            let condition = policy.condition.as_ref().filter(|_| selected);
            let workload_holds = condition.map(|condition| workload.meets(condition));
            let matched = selected && workload_holds != Some(false);
            let enforced = policy.mode == Mode::Enforce;
            let group = match &policy.act {
                Act::Aggregate(aggregation) if matched && enforced => Some(aggregation.group_of(current)),
                _ => None,
            };
            let (effect, relabeled) = match &policy.act {
                _ if !matched => (Effect::None, Relabeled::Unchanged),
                Act::Pass => (Effect::Pass, Relabeled::Unchanged),
                Act::Drop => (Effect::Drop, Relabeled::Unchanged),
                Act::Aggregate(_) => (Effect::Aggregate, Relabeled::Unchanged),
                // who has a place already is not known here
                Act::Limit(_) => (Effect::Limit, Relabeled::Unchanged),
                Act::Relabel(rules, _) => relabel(rules, current, workload, limits).with_effect(),
            };
            match relabeled {
                Relabeled::Changed(changed) if enforced => {
                    walk.changed_by = Some(index);
                    now = changed;
                }
                Relabeled::Overgrown(reason) if enforced => {
                    walk.changed_by = Some(index);
                    walk.reason = Some(reason);
                }
                _ => {}
            }
            let after = group.unwrap_or_else(|| now.clone());
            let mode = policy.mode;
            walk.steps.push(Step { policy: index, mode, matched, workload_holds, effect, labels: after });
            let ends = matches!(effect, Effect::Pass | Effect::Drop | Effect::Aggregate);
            if enforced && ends {
                walk.ended_by = Some(index);
                walk.disposition = match (effect, &policy.act) {
                    (Effect::Drop, _) => Disposition::Drop,
                    (_, Act::Aggregate(aggregation)) if !aggregation.keep_input => Disposition::Aggregate,
                    _ => Disposition::Forward,
                };
            }
            if enforced && (ends || walk.reason.is_some()) {
                break;
            }
        }
        if let Some(changed_by) = self.collects(walk.disposition, walk.changed_by)
            && !borrowed(&now).into_iter().eq(labels.iter())
        {
            walk.disposition = Disposition::Aggregate;
            walk.ended_by = Some(changed_by);
        }
        walk.conclude(&now, labels, limits);
        walk
    }
}

impl Walk {
    fn conclude(&mut self, now: &OwnedLabels, labels: Labels<'_>, limits: &Limits) {
        let pairs = borrowed(now);
        let sent = matches!(self.disposition, Disposition::Forward | Disposition::Aggregate);
        if sent && !pairs.iter().copied().eq(labels.iter()) {
            if self.disposition == Disposition::Forward {
                self.disposition = Disposition::Rewrite;
            }
            self.reason = self.reason.or_else(|| identity::fault(&pairs, limits));
        }
        if self.reason.is_some() {
            self.disposition = Disposition::Reject;
        }
    }
}

/// A matcher on its own.
#[derive(Debug)]
pub(super) struct Plain {
    name: Box<str>,
    read: Option<VirtualLabel>,
    test: PlainTest,
    positive: bool,
}

#[derive(Debug)]
enum PlainTest {
    Literal(Box<str>),
    Regex(Pattern),
}

impl Plain {
    pub(super) fn literal(matcher: &Matcher) -> Self {
        Self::new(matcher, PlainTest::Literal(matcher.value.as_str().into()))
    }

    pub(super) fn regex(matcher: &Matcher, pattern: Pattern) -> Self {
        Self::new(matcher, PlainTest::Regex(pattern))
    }

    fn new(matcher: &Matcher, test: PlainTest) -> Self {
        let positive = matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
        let read = VirtualLabel::named(&matcher.name);
        Self { name: matcher.name.as_str().into(), read, test, positive }
    }

    /// Whether it is about the metric's name.
    pub(super) fn is_of_name(&self) -> bool {
        *self.name == *METRIC_NAME
    }

    pub(super) fn holds(&self, labels: Labels<'_>, workload: &WorkloadSource<'_>) -> bool {
        let value = match self.read {
            Some(label) => workload.label(label),
            None => labels.get(&self.name),
        };
        let found = match &self.test {
            PlainTest::Literal(wanted) => **wanted == *value,
            PlainTest::Regex(pattern) => pattern.is_match(value),
        };
        found == self.positive
    }
}
