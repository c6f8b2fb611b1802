//! Examples of what policies do: the last few series that each dropped or rewrote, as text, for people.

use ahash::AHashMap;

use super::policies::Policies;
use super::scratch::{PolicyHit, Request};
use crate::policy::{Effect, PolicyIndex, borrowed};
use crate::series::identity;
use crate::series::{Labels, Limits};

/// Examples kept for each policy.
pub const KEPT: usize = 20;
/// One series that a policy dropped, held back or rewrote, in preview would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Which policy.
    pub policy: PolicyIndex,
    /// What it did.
    pub effect: Effect,
    /// The series as it came.
    pub input: String,
    /// The series as it was sent after all policies, where it was under other labels.
    pub output: Option<String>,
}

impl Example {
    /// Bytes of its text.
    pub(super) fn bytes(&self) -> usize {
        self.input.capacity() + self.output.as_ref().map_or(0, String::capacity)
    }
}

/// Puts the last series of this request that each policy dropped, held back or rewrote into words.
pub(super) fn collect(
    body: &[u8],
    request: &Request,
    policy_hits: &[PolicyHit],
    policies: &Policies,
    limits: &Limits,
    now: u32,
    examples: &mut Vec<Example>,
) {
    if policy_hits.is_empty() {
        return;
    }
    let mut taken: AHashMap<PolicyIndex, usize> = AHashMap::new();
    for hit in policy_hits.iter().rev() {
        let row = policies.set.row(hit.verdict);
        for (policy, effect) in &row.matched {
            let worth_telling =
                matches!(effect, Effect::Drop | Effect::Relabel | Effect::Hold | Effect::Fold);
            if !worth_telling || taken.get(policy).is_some_and(|taken| *taken >= KEPT) {
                continue;
            }
            *taken.entry(*policy).or_default() += 1;
            if !policies.allowance.take(*policy, now) {
                continue;
            }
            let Some(slot) = request.slots.get(hit.slot as usize) else { continue };
            let mut pairs = Vec::new();
            let run = slot.labels_start as usize..slot.labels_end as usize;
            if !matches!(identity::read(body, run, limits, &mut pairs), Ok(Ok(_))) {
                continue;
            }
            let output = hit.output.as_ref();
            let output = output.map(|output| Labels::from_sorted(&borrowed(output)).to_string());
            let input = Labels::from_sorted(&pairs).to_string();
            examples.push(Example { policy: *policy, effect: *effect, input, output });
        }
    }
    // the newest last, as they came
    examples.reverse();
}
