//! The walk as the data path takes it.

use super::columns::View;
use super::routes::BranchId;
use super::rows::Row;
use super::{Act, Policy, PolicySet};
use crate::policy::relabel::{Applied, LabelSet, Rules};
use crate::policy::{
    Admission, Decision, Disposition, Effect, Limit, Mode, NoOthers, OtherSeries, OwnedLabels, PolicyIndex,
    VerdictId, WorkloadSource, borrowed,
};
use crate::series::identity;
use crate::series::{Invalid, Labels, Limits};

/// What one chain of rules makes of a series.
pub(super) enum Relabeled {
    /// The labels stay as they are.
    Unchanged,
    /// The labels are these now, maybe none.
    Changed(OwnedLabels),
    /// The series is dropped.
    Dropped,
    /// There is no bearing it.
    Overgrown(Invalid),
    /// A limit has the series added up under these labels.
    Folded(OwnedLabels),
}

/// How a stretch of the walk, in which the labels stay the same, came to its end.
enum Stop {
    /// No policy is left, or one ended the walk.
    End,
    /// The labels are others now; the walk goes on at this selector.
    Changed(OwnedLabels, BranchId),
    /// A limit has the series added up under these labels.
    Folded(OwnedLabels),
}

/// A walk under way.
struct Walked<'w> {
    workload: &'w WorkloadSource<'w>,
    others: &'w dyn OtherSeries,
    row: Row,
    matched: Vec<(PolicyIndex, Effect)>,
}

impl Walked<'_> {
    /// What a policy that matches does, in preview what it would do.
    fn act(
        &self,
        index: PolicyIndex,
        policy: &Policy,
        labels: Labels<'_>,
        limits: &Limits,
    ) -> (Effect, Relabeled) {
        match &policy.act {
            Act::Pass => (Effect::Pass, Relabeled::Unchanged),
            Act::Drop => (Effect::Drop, Relabeled::Unchanged),
            Act::Aggregate(aggregation) => {
                if policy.mode == Mode::Preview {
                    self.others.would_join(index, aggregation, labels);
                }
                (Effect::Aggregate, Relabeled::Unchanged)
            }
            Act::Limit(limit) => self.ask(index, limit, labels),
            Act::Relabel(rules, _) => relabel(rules, labels, self.workload, limits).with_effect(),
        }
    }

    /// What a limit does with the series.
    fn ask(&self, policy: PolicyIndex, limit: &Limit, labels: Labels<'_>) -> (Effect, Relabeled) {
        let fold = match self.others.admit(policy, labels, self.workload) {
            Admission::Admitted => return (Effect::Limit, Relabeled::Unchanged),
            Admission::Exceeded => limit.fold.as_ref(),
            Admission::NoRoom => None,
        };
        match fold.and_then(|fold| fold.apply(labels)) {
            Some(folded) => (Effect::Fold, Relabeled::Folded(folded)),
            None => (Effect::Hold, Relabeled::Unchanged),
        }
    }
}

impl PolicySet {
    /// [`PolicySet::decide_among`] where every limit admits the series.
    pub fn decide(&self, labels: Labels<'_>, workload: &WorkloadSource<'_>, limits: &Limits) -> Decision {
        self.decide_among(labels, workload, &NoOthers(Admission::Admitted), limits)
    }

    /// Asks the policies, first to last: the first `pass` or `drop` in force that matches ends it, rules of
    /// `relabel` are applied and later policies see the result, previews are noted. Of the workload of the series, as it
    /// came, `workload` knows, and of the other series `others`.
    pub fn decide_among(
        &self,
        labels: Labels<'_>,
        workload: &WorkloadSource<'_>,
        others: &dyn OtherSeries,
        limits: &Limits,
    ) -> Decision {
        let mut walked = Walked { workload, others, row: Row::default(), matched: Vec::new() };
        let mut output = None;
        let mut stop = self.stretch(labels, 0, limits, &mut walked);
        while let Stop::Changed(now, from) = stop {
            stop = self.stretch(Labels::from_sorted(&borrowed(&now)), from, limits, &mut walked);
            output = Some(now);
        }
        if let Stop::Folded(now) = stop {
            output = Some(now);
        }
        let Walked { mut row, matched, .. } = walked;
        let sent = matches!(row.disposition, Disposition::Forward | Disposition::Aggregate);
        let output = output.filter(|output| sent && !same(output, labels));
        let mut aggregated_by = row.ended_by.filter(|index| sent && self.aggregation(*index).is_some());
        if let Some(output) = &output {
            if let Some(changed_by) = self.collects(row.disposition, row.changed_by) {
                row.disposition = Disposition::Aggregate;
                row.ended_by = Some(changed_by);
                aggregated_by = Some(changed_by);
            }
            if row.disposition == Disposition::Forward {
                row.disposition = Disposition::Rewrite;
            }
            row.reason = row.reason.or_else(|| identity::fault(&borrowed(output), limits));
        }
        if row.reason.is_some() {
            row.disposition = Disposition::Reject;
        }
        row.matched = matched.into();
        let untouched = row.matched.is_empty() && row.disposition == Disposition::Forward;
        let verdict = if untouched { VerdictId::UNTOUCHED } else { self.rows.id(row) };
        let lives = verdict.disposition() != Disposition::Reject;
        let output = output.filter(|_| lives && verdict.disposition() != Disposition::Forward);
        let aggregated_by = aggregated_by.filter(|_| lives);
        Decision { verdict, valid_until: workload.valid_until(), output, aggregated_by }
    }

    /// The policy that has what it changes added up where series become one.
    pub(super) fn collects(
        &self,
        disposition: Disposition,
        changed_by: Option<PolicyIndex>,
    ) -> Option<PolicyIndex> {
        changed_by.filter(|index| disposition == Disposition::Forward && self.aggregation(*index).is_some())
    }

    /// Walks as long as the labels stay the same.
    fn stretch(&self, labels: Labels<'_>, from: BranchId, limits: &Limits, walked: &mut Walked<'_>) -> Stop {
        let mut view = View::new(&self.columns, labels, walked.workload);
        for branch in self.routes.candidates(labels.metric(), from) {
            let branch = &self.branches[branch as usize];
            let index = branch.policy;
            // Selectors of one policy follow each other, and one that matches is enough.
            let again = walked.matched.last().is_some_and(|(policy, _)| *policy == index);
            if again || !branch.checks.iter().all(|check| view.holds(check)) {
                continue;
            }
            let policy = &self.policies[usize::from(index.0)];
            if !policy.condition.as_ref().is_none_or(|condition| walked.workload.meets(condition)) {
                continue;
            }
            let enforced = policy.mode == Mode::Enforce;
            let (effect, relabeled) = walked.act(index, policy, labels, limits);
            walked.matched.push((index, effect));
            let row = &mut walked.row;
            match relabeled {
                _ if !enforced => {}
                Relabeled::Changed(now) => {
                    row.changed_by = Some(index);
                    return Stop::Changed(now, policy.next_branch);
                }
                Relabeled::Overgrown(reason) => {
                    row.changed_by = Some(index);
                    row.reason = Some(reason);
                    return Stop::End;
                }
                Relabeled::Folded(now) => {
                    row.ended_by = Some(index);
                    row.disposition = Disposition::Aggregate;
                    return Stop::Folded(now);
                }
                Relabeled::Unchanged | Relabeled::Dropped
                    if matches!(effect, Effect::None | Effect::Limit) => {}
                Relabeled::Unchanged | Relabeled::Dropped => {
                    row.ended_by = Some(index);
                    row.disposition = match (effect, &policy.act) {
                        (Effect::Drop, _) => Disposition::Drop,
                        (Effect::Hold, _) => Disposition::Hold,
                        (_, Act::Aggregate(aggregation)) if !aggregation.keep_input => Disposition::Aggregate,
                        _ => Disposition::Forward,
                    };
                    return Stop::End;
                }
            }
        }
        Stop::End
    }
}

/// Runs a chain over labels.
pub(super) fn relabel(
    rules: &Rules,
    labels: Labels<'_>,
    workload: &WorkloadSource<'_>,
    limits: &Limits,
) -> Relabeled {
    let mut set = LabelSet::of_workload(labels, workload);
    match rules.apply(&mut set, limits) {
        Applied::Dropped => Relabeled::Dropped,
        Applied::Overgrown(reason) => Relabeled::Overgrown(reason),
        Applied::Kept => {
            let sorted = set.sorted();
            if sorted.iter().copied().eq(labels.iter()) {
                return Relabeled::Unchanged;
            }
            Relabeled::Changed(sorted.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
        }
    }
}

impl Relabeled {
    /// With what it is called.
    pub(super) fn with_effect(self) -> (Effect, Relabeled) {
        let effect = match self {
            Relabeled::Unchanged => Effect::None,
            Relabeled::Changed(_) | Relabeled::Overgrown(_) => Effect::Relabel,
            Relabeled::Dropped => Effect::Drop,
            Relabeled::Folded(_) => Effect::Fold,
        };
        (effect, self)
    }
}

fn same(output: &OwnedLabels, labels: Labels<'_>) -> bool {
    output.iter().map(|(name, value)| (&**name, &**value)).eq(labels.iter())
}
