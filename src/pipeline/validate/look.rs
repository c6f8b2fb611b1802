//! Finds the series that are to be looked into, and rejects those that contradict themselves.

use super::labels;
use super::twins::Twins;
use super::{Validator, reject};
use crate::config::Validation;
use crate::pipeline::compose::left;
use crate::pipeline::scratch::{Request, Slot, SlotState, bytes};
use crate::series::Invalid;
use crate::wire::histogram::{self, Fault};
use crate::wire::v1::{self, Part};
use crate::wire::{Message, WireError, values};

/// What a series takes at most here, bytes: 64 bits, a place of one, up to four places in the table, and one in each list.
pub(in crate::pipeline) const SIFTED_BYTES: usize = 8 + 4 + 4 * 4 + 8 + 4;

/// The series that are to be looked into.
#[derive(Default)]
pub(in crate::pipeline) struct Sifted {
    twins: Twins,
    /// Series with several values, and those that are there again, each after the first of the same labels: that, and it.
    pub(super) several: Vec<(u32, u32)>,
    /// Series that are looked into for another reason.
    others: Vec<u32>,
}

impl Sifted {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        self.twins.capacity() + bytes(&self.several) + bytes(&self.others)
    }

    /// All that are to be looked into; some of them twice.
    pub(in crate::pipeline) fn numbers(&self) -> impl Iterator<Item = u32> {
        let several = self.several.iter().flat_map(|(first, number)| [*first, *number]);
        several.chain(self.others.iter().copied())
    }

    /// Lists the series that are not plain, and those that are there twice.
    #[inline]
    pub(in crate::pipeline) fn sift(&mut self, body: &[u8], request: &Request) {
        let Self { twins, several, others } = self;
        let Request { slots, probes, .. } = request;
        several.clear();
        others.clear();
        twins.start(probes);
        for (number, slot) in (0..).zip(slots) {
            let values = slot.samples.saturating_add(slot.histograms);
            if values != 1 || slot.histograms > 0 {
                others.push(number);
                if values == 0 {
                    continue;
                }
            }
            let first = twins.first(body, slots, probes, number);
            if first != number || values > 1 {
                several.push((first, number));
            }
        }
        // those of one series stand together, in order
        if !several.is_sorted() {
            several.sort_unstable();
        }
    }
}

impl Validator<'_> {
    /// Rejects what no backend takes, and what strict validation has against a series alone.
    pub(super) fn reject_faulty(&self, body: &[u8], request: &mut Request) -> Result<(), WireError> {
        let strict = self.level == Validation::Strict;
        for number in &self.sifted.others {
            let slot = &mut request.slots[*number as usize];
            if let Some(reason) = fault(body, slot, strict)? {
                reject(&mut slot.state, reason);
            }
        }
        if !strict {
            return Ok(());
        }
        let classic = self.message == Message::V1;
        for slot in request.slots.iter_mut().filter(|slot| slot.state == SlotState::Open) {
            if let Some(reason) = labels::fault(body, slot.labels(), classic)? {
                reject(&mut slot.state, reason);
            }
        }
        let emptied: Vec<bool> = left(self.expansion, request).map(|frame| frame.said.emptied).collect();
        for (slot, _) in request.slots.iter_mut().zip(emptied).filter(|(_, emptied)| *emptied) {
            reject(&mut slot.state, Invalid::EmptyLabelValue);
        }
        Ok(())
    }
}

/// What is wrong with the values of a series.
fn fault(body: &[u8], slot: &Slot, strict: bool) -> Result<Option<Invalid>, WireError> {
    if slot.histograms == 0 {
        let nothing = slot.samples == 0 && strict;
        return Ok(nothing.then_some(Invalid::NoData));
    }
    // against the rules, and taken by Prometheus, Mimir, Cortex and Thanos
    if slot.samples > 0 && strict {
        return Ok(Some(Invalid::Mixed));
    }
    let mut found = None;
    values::for_each_histogram(body, slot.content(), |at| {
        if found.is_none() {
            found = histogram::fault(body, at.start, at.end)?;
        }
        Ok(())
    })?;
    Ok(found.map(|fault| match fault {
        Fault::Count => Invalid::HistogramCount,
        Fault::Buckets => Invalid::HistogramBuckets,
        Fault::Schema => Invalid::HistogramSchema,
    }))
}

/// Shows the time of each value of a series, in order.
#[inline]
pub(super) fn for_each_time(body: &[u8], slot: &Slot, mut visit: impl FnMut(i64)) -> Result<(), WireError> {
    let content = slot.content();
    if slot.histograms == 0 && !slot.scattered {
        let samples = slot.labels_end as usize..content.end;
        let walked = v1::for_each_sample(body, samples, |ms, _| visit(ms));
        debug_assert!(walked.is_some(), "it was walked before");
        return Ok(());
    }
    v1::for_each_part(body, content, |_, part| match part {
        Part::Sample(ms) | Part::Histogram(ms) => visit(ms),
        Part::Label | Part::Exemplar | Part::Other => {}
    })
}
