//! Mends series: values that are there twice are left out, the others are put in the order of their times, and labels without a
//! value of 2.0 are left out. Each series keeps as many places for values as it had values that stay, and all else that it has.

use super::mended::{Chosen, Writer};
use super::{Mended, Repair};
use crate::pipeline::Counts;
use crate::pipeline::expand::Expansion;
use crate::pipeline::outcome::Outcome;
use crate::pipeline::scratch::{Slot, bytes};
use crate::wire::v1::Part;
use crate::wire::{Message, WireError, values};

/// A request that is to be mended.
pub(super) struct Body<'b> {
    pub(super) message: Message,
    /// In the form of 1.0, where the slots are.
    pub(super) plain: &'b [u8],
    /// As it came.
    pub(super) came: &'b [u8],
    pub(super) expansion: &'b Expansion,
    pub(super) slots: &'b [Slot],
}

impl Body<'_> {
    /// The bytes of a series as they came.
    fn series(&self, number: u32) -> &[u8] {
        let slot = &self.slots[number as usize];
        match self.expansion.frames().get(number as usize).filter(|_| self.message == Message::V2) {
            Some(frame) => &self.came[frame.field.start..frame.field.end],
            None => &self.plain[slot.start as usize..slot.end as usize],
        }
    }
}

/// A sample or native histogram.
#[derive(Clone, Copy)]
struct Value {
    ms: i64,
    /// Its place among those of all series with these labels.
    order: u32,
    /// The series that it came in, by its place among them.
    member: u32,
    stands: Chosen,
}

/// What becomes of a series.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) slot: u32,
    /// Its values, first and behind the last of those that were chosen.
    pub(super) values: (u32, u32),
    /// Nothing of it stays.
    pub(super) gone: bool,
}

/// Buffers, made to be used again.
#[derive(Default)]
pub(in crate::pipeline) struct Mending {
    /// Series with the same labels, and their values.
    members: Vec<u32>,
    /// How many values each of them keeps.
    stay: Vec<u32>,
    values: Vec<Value>,
    chosen: Vec<Chosen>,
    changes: Vec<Change>,
    /// How many of them are plans of orders, once those are sorted.
    ordered: Option<usize>,
    repairs: [u64; Repair::ALL.len()],
    /// What was there twice.
    duplicates: Counts,
    /// Series of which nothing stays.
    gone: u64,
    writer: Writer,
}

impl Mending {
    pub(super) fn start(&mut self) {
        self.chosen.clear();
        self.changes.clear();
        self.values.clear();
        self.ordered = None;
        (self.repairs, self.duplicates, self.gone) = Default::default();
    }

    pub(super) fn is_needed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Bytes that the plan takes, and so many values more.
    pub(in crate::pipeline) fn planned(&self, values: usize) -> usize {
        size_of::<Value>() * values
            + size_of::<Chosen>() * (self.chosen.len() + values)
            + size_of::<Change>() * self.changes.len()
    }

    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        bytes(&self.members)
            + bytes(&self.stay)
            + bytes(&self.values)
            + bytes(&self.chosen)
            + bytes(&self.changes)
            + self.writer.capacity()
    }

    /// Plans the order of the values of series that have the same labels.
    pub(super) fn order(
        &mut self,
        body: &Body<'_>,
        members: impl Iterator<Item = u32>,
    ) -> Result<(), WireError> {
        self.values.clear();
        self.members.clear();
        self.members.extend(members);
        for at in 0..self.members.len() {
            self.gather(body, self.members[at], at as u32)?;
        }
        let values = &mut self.values;
        let before = values.len();
        let text = |value: &Value| &body.came[value.stands.came.0 as usize..value.stands.came.1 as usize];
        let same_time = |one: &Value, next: &Value| one.ms == next.ms;
        values.sort_unstable_by_key(|value| (value.ms, value.order));
        // of those that are the same to the bit, the first stays
        for run in values.chunk_by_mut(same_time).filter(|run| run.len() > 1) {
            run.sort_unstable_by(|a, b| (text(a), a.order).cmp(&(text(b), b.order)));
        }
        values.dedup_by(|next, kept| same_time(next, kept) && text(next) == text(kept));
        for run in values.chunk_by_mut(same_time).filter(|run| run.len() > 1) {
            run.sort_unstable_by_key(|value| value.order);
        }
        let duplicates = (before - values.len()) as u64;
        let out_of_order = !values.is_sorted_by_key(|value| value.order);
        if duplicates == 0 && !out_of_order {
            // several values of one time, which are for the backend to decide about
            return Ok(());
        }
        self.repairs[Repair::DuplicateSample as usize] += u64::from(duplicates > 0);
        self.repairs[Repair::OutOfOrder as usize] += u64::from(out_of_order);
        self.allot(body, duplicates);
        self.chosen.extend(self.values.iter().map(|value| value.stands));
        Ok(())
    }

    /// Gives each series as many of the values as it has that stay.
    fn allot(&mut self, body: &Body<'_>, duplicates: u64) {
        self.stay.clear();
        self.stay.resize(self.members.len(), 0);
        for value in &self.values {
            self.stay[value.member as usize] += 1;
        }
        let mut start = self.chosen.len() as u32;
        let (mut first, mut last) = (None, None);
        for (&number, &stay) in self.members.iter().zip(&self.stay) {
            let slot = &body.slots[number as usize];
            let end = start + stay;
            let again =
                |other: &Option<u32>| other.is_some_and(|other| body.series(other) == body.series(number));
            let gone = stay == 0 && (slot.exemplars == 0 || again(&first) || again(&last));
            self.changes.push(Change { slot: number, values: (start, end), gone });
            if gone {
                self.gone += 1;
                self.duplicates.exemplars += u64::from(slot.exemplars);
            }
            start = end;
            first = first.or(Some(number));
            last = Some(number);
        }
        let histograms = first.is_some_and(|first| body.slots[first as usize].histograms > 0);
        let of_kind = if histograms { &mut self.duplicates.histograms } else { &mut self.duplicates.samples };
        *of_kind += duplicates;
    }

    /// Adds the values of a series.
    fn gather(&mut self, body: &Body<'_>, number: u32, member: u32) -> Result<(), WireError> {
        let slot = &body.slots[number as usize];
        let from = self.values.len();
        values::for_each_part(Message::V1, body.plain, slot.content(), |at, part| {
            if let Part::Sample(ms) | Part::Histogram(ms) = part {
                let at = (at.start as u32, at.end as u32);
                let (order, stands) = (self.values.len() as u32, Chosen { plain: at, came: at });
                self.values.push(Value { ms, order, member, stands });
            }
        })?;
        let Some(frame) =
            body.expansion.frames().get(number as usize).filter(|_| body.message == Message::V2)
        else {
            return Ok(());
        };
        let mut those = self.values[from..].iter_mut();
        values::for_each_part(Message::V2, body.came, frame.field.content..frame.field.end, |at, part| {
            if let Part::Sample(_) | Part::Histogram(_) = part
                && let Some(value) = those.next()
            {
                value.stands.came = (at.start as u32, at.end as u32);
            }
        })
    }

    /// Plans that labels without a value are left out of a series of 2.0. It comes after the plans of orders.
    pub(super) fn strip(&mut self, body: &Body<'_>, number: u32) -> Result<(), WireError> {
        self.repairs[Repair::EmptyLabelValue as usize] += 1;
        let ordered = self.ordered.get_or_insert_with(|| {
            self.changes.sort_unstable_by_key(|change| change.slot);
            self.changes.len()
        });
        if self.changes[..*ordered].binary_search_by_key(&number, |change| change.slot).is_ok() {
            return Ok(());
        }
        self.values.clear();
        self.gather(body, number, 0)?;
        let start = self.chosen.len() as u32;
        self.chosen.extend(self.values.iter().map(|value| value.stands));
        let values = (start, self.chosen.len() as u32);
        self.changes.push(Change { slot: number, values, gone: false });
        Ok(())
    }

    /// Does what was planned, and counts it.
    pub(super) fn run(&mut self, body: &Body<'_>, outcome: &mut Outcome) -> Result<Mended<'_>, WireError> {
        self.changes.sort_unstable_by_key(|change| change.slot);
        outcome.duplicates = self.duplicates;
        outcome.received += self.duplicates;
        outcome.series += self.gone;
        outcome.repairs = self.repairs;
        self.writer.write(body, &self.changes, &self.chosen)
    }
}
