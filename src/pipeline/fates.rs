//! What became of the samples of a request. Each ends in exactly one counted outcome, and together they are what came.

use super::{Counts, Outcome, Policies};
use crate::aggregate::{PolicyCounts, SampleCounts};
use crate::policy::{Disposition, PolicyIndex, Row};
use crate::series::Invalid;

/// What became of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The upstream has them.
    Forwarded,
    /// A policy dropped them.
    Dropped,
    /// Another series has the identity that they would have had.
    Collided,
    /// They became part of a group.
    Aggregated,
    /// A limit does not admit their series.
    Held,
    /// The same, and they became part of what is sent for all such.
    Folded,
    /// Their group had a sample of that series and time already, or of a later one; or their request had the very same.
    Duplicate,
    /// They could not become part of a group, for this reason.
    Unaggregated(&'static str),
    /// They cannot be accepted.
    Rejected(Invalid),
    /// The upstream refused them for good.
    Refused,
    /// The upstream does not take them even alone.
    TooLarge,
    /// Their sender has to send them again, or is gone.
    Returned(Returned),
}

/// Why a request went back to its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The upstream refused, failed or timed out.
    Upstream,
    /// The upstream said 429.
    Throttled,
    /// The sender hung up before there was an answer.
    HungUp,
    /// Too much that aggregations made waits to be sent.
    Backlog,
    /// What was decided would have held more memory than there was.
    Overload,
}

impl Returned {
    /// All causes.
    pub const ALL: [Self; 5] = [Self::Upstream, Self::Throttled, Self::HungUp, Self::Backlog, Self::Overload];

    /// As the metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Throttled => "throttled",
            Self::HungUp => "hung_up",
            Self::Backlog => "backlog",
            Self::Overload => "overload",
        }
    }
}

impl Fate {
    /// `fate` and `reason` as the metrics have them.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Forwarded => ("forwarded", ""),
            Self::Dropped => ("dropped", ""),
            Self::Collided => ("dropped", "collision"),
            Self::Aggregated => ("aggregated", ""),
            Self::Held => ("held", ""),
            Self::Folded => ("folded", ""),
            Self::Duplicate => ("duplicate", ""),
            Self::Unaggregated(reason) => ("dropped", reason),
            Self::Rejected(reason) => ("rejected", reason.as_str()),
            Self::Refused => ("rejected", "upstream"),
            Self::TooLarge => ("rejected", "too_large"),
            Self::Returned(cause) => ("returned", cause.as_str()),
        }
    }
}

/// Told of each fate, the policy that is the reason, where it is one, and how much met it.
type Tell<'t> = &'t mut dyn FnMut(Fate, Option<PolicyIndex>, Counts);

impl Outcome {
    /// Tells what became of all that was received, once a request is over for good: what was to be forwarded was, but for
    /// what the upstream `refused` and what was `too_large` for it. `by_policy`: what did not become part of a group although it
    /// was to.
    pub fn fates(&self, refused: Counts, too_large: Counts, by_policy: &[PolicyCounts], tell: Tell<'_>) {
        let mut sum = Counts::default();
        let mut tell = |fate, policy, counts: Counts| {
            sum += counts;
            if !counts.is_zero() {
                tell(fate, policy, counts);
            }
        };
        // what was refused may hold stale markers of our own, which have no fate
        let refused = refused.min(self.forwarded);
        let too_large = too_large.min(self.forwarded - refused);
        tell(Fate::Forwarded, None, self.forwarded - refused - too_large);
        tell(Fate::Refused, None, refused);
        tell(Fate::TooLarge, None, too_large);
        for (reason, counts) in Invalid::ALL.iter().zip(self.rejected) {
            tell(Fate::Rejected(*reason), None, counts);
        }
        tell(Fate::Duplicate, None, self.duplicates);
        if let Some(policies) = &self.policies {
            self.fates_by_policy(policies, by_policy, &mut tell);
        }
        debug_assert_eq!(sum, self.received, "each sample has one fate");
    }

    /// Samples and native histograms that go on under a label value that was cut.
    pub fn cut(&self) -> u64 {
        let Some(policies) = self.policies.as_ref().filter(|policies| policies.long_values.is_some()) else {
            return 0;
        };
        let rewritten = self.by_verdict.iter().filter(|(id, _)| id.disposition() == Disposition::Rewrite);
        let cut = rewritten.filter(|(verdict, _)| policies.set.row(*verdict).cut);
        cut.map(|(_, counts)| counts.samples + counts.histograms).sum()
    }

    /// What did not go on ends at the policy that ended the walk, or at the last one that changed the labels.
    fn fates_by_policy(&self, policies: &Policies, by_policy: &[PolicyCounts], tell: Tell<'_>) {
        let mut by_policy = by_policy.to_vec();
        for (verdict, counts) in &self.by_verdict {
            let row = policies.set.row(*verdict);
            match row.disposition {
                Disposition::Forward | Disposition::Rewrite => {}
                Disposition::Drop => tell(Fate::Dropped, row.ended_by, *counts),
                Disposition::Hold => tell(Fate::Held, row.ended_by, *counts),
                Disposition::Collide => tell(Fate::Collided, row.changed_by, *counts),
                Disposition::Reject => tell(rejected(&row), row.changed_by, *counts),
                Disposition::Aggregate => {
                    // several verdicts may be of one policy
                    let astray = by_policy.iter_mut().find(|(policy, _)| Some(*policy) == row.ended_by);
                    let sample_counts = astray.map_or(SampleCounts::default(), |(_, sample_counts)| {
                        sample_counts.take(counts.samples)
                    });
                    let by = row.ended_by.filter(|policy| policies.set.limit(*policy).is_some());
                    let fate = if by.is_some() { Fate::Folded } else { Fate::Aggregated };
                    aggregated((fate, row.ended_by), *counts, sample_counts, tell);
                }
            }
        }
    }
}

fn rejected(row: &Row) -> Fate {
    row.reason.map_or(Fate::Dropped, Fate::Rejected)
}

/// Samples that became part of a group, those of them that were there already, and those that could not. Exemplars do not
/// go into groups.
fn aggregated(
    (fate, policy): (Fate, Option<PolicyIndex>),
    counts: Counts,
    sample_counts: SampleCounts,
    tell: Tell<'_>,
) {
    let samples = |samples| Counts { samples, ..Counts::default() };
    let joined = Counts { samples: counts.samples - sample_counts.all(), exemplars: 0, ..counts };
    let exemplars = Counts { exemplars: counts.exemplars, ..Counts::default() };
    tell(fate, policy, joined);
    tell(Fate::Unaggregated("aggregated"), policy, exemplars);
    tell(Fate::Duplicate, policy, samples(sample_counts.duplicates));
    for (reason, dropped) in sample_counts.dropped() {
        tell(Fate::Unaggregated(reason), policy, samples(dropped));
    }
}
