//! Fourth stage: adds up what becomes of the samples. Every slot has its fate by now.

use ahash::RandomState;

use super::Counts;
use super::outcome::Outcome;
use super::rejected::describe_rejected;
use super::scratch::{Request, Slot, SlotState};
use crate::policy::VerdictId;

/// Fills the numbers of `outcome`.
pub(super) fn count_fates(body: &[u8], request: &mut Request, outcome: &mut Outcome) {
    let mut untouched = Counts::default();
    let mut kept = 0;
    let mut touched = 0;
    for slot in &request.slots {
        let counts = slot.counts();
        match slot.state {
            SlotState::Verdict(VerdictId::UNTOUCHED) => untouched += counts,
            SlotState::Verdict(verdict) => {
                touched += 1;
                add_counts(verdict, counts, &mut request.rows, outcome);
                if verdict.disposition().forwards() {
                    kept += 1;
                    outcome.forwarded += counts;
                }
            }
            SlotState::Rejected(reason) => {
                let came = mark(&body[slot.start as usize..slot.end as usize]);
                outcome.reject(reason, counts, came, || describe_rejected(body, slot.labels(), reason));
                touched += 1;
            }
            SlotState::Open => unreachable!("every series is decided before it is weighed"),
        }
    }
    request.kept_series = request.slots.len() - touched + kept;
    outcome.forwarded += untouched;
    outcome.received += untouched;
    for (_, counts) in &outcome.by_verdict {
        outcome.received += *counts;
    }
    for (verdict, _) in &outcome.by_verdict {
        request.rows[verdict.row()] = 0;
    }
    outcome.stale_markers = request.end_markers.len() as u64;
    outcome.series += request.slots.len() as u64;
    outcome.rejected_metadata = request.bad_metadata.len() as u64;
    for (start, end) in &request.bad_metadata {
        outcome.rejected_mark = outcome.rejected_mark.min(mark(&body[*start as usize..*end as usize]));
    }
}

/// What stands for the bytes of a series that was rejected.
pub(super) fn mark(bytes: &[u8]) -> u64 {
    RandomState::with_seeds(1, 2, 3, 4).hash_one(bytes)
}

impl Slot {
    #[inline]
    fn counts(&self) -> Counts {
        Counts {
            samples: u64::from(self.samples),
            histograms: u64::from(self.histograms),
            exemplars: u64::from(self.exemplars),
        }
    }
}

#[inline]
fn add_counts(verdict: VerdictId, counts: Counts, rows: &mut Vec<u32>, outcome: &mut Outcome) {
    let row = verdict.row();
    if row >= rows.len() {
        rows.resize(row + 1, 0);
    }
    if rows[row] == 0 {
        outcome.by_verdict.push((verdict, Counts::default()));
        rows[row] = outcome.by_verdict.len() as u32;
    }
    outcome.by_verdict[rows[row] as usize - 1].1 += counts;
}
