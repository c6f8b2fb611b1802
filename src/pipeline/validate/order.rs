//! The order of the values of a series: rejected where it is none, or planned anew.

use super::look::for_each_time;
use super::mend::{Body, Mending};
use super::{Validator, reject};
use crate::pipeline::compose::left;
use crate::pipeline::outcome::Undecodable;
use crate::pipeline::scan::{FIELD_BYTES, FieldRoom};
use crate::pipeline::scratch::{Request, Slot, SlotState};
use crate::series::Invalid;
use crate::wire::WireError;

/// What a plan takes without a room of its own, bytes.
const FREE_BYTES: usize = 1 << 20;

/// Series of the same labels that have more values go on as they are: no sender sends so many at once, and to put them in order would
/// take long.
const MOST_VALUES: usize = 1 << 16;

/// The series with these labels: the first of them, and what is listed of it and of those after it.
fn groups(several: &[(u32, u32)]) -> impl Iterator<Item = (u32, &[(u32, u32)])> {
    several.chunk_by(|one, next| one.0 == next.0).map(|group| (group[0].0, group))
}

/// The numbers of the series of a group, in order. A plain one that is the first is not listed.
pub(super) fn members((first, group): (u32, &[(u32, u32)])) -> impl Iterator<Item = u32> {
    let plain = (group[0].1 != first).then_some(first);
    plain.into_iter().chain(group.iter().map(|(_, number)| *number))
}

/// How the times of a series go on after a time.
struct Times {
    last: Option<i64>,
    fault: Option<Invalid>,
}

impl Times {
    fn of(body: &[u8], slot: &Slot, last: Option<i64>) -> Result<Self, WireError> {
        let mut times = Self { last, fault: None };
        for_each_time(body, slot, |ms| {
            match times.last {
                Some(last) if ms < last => times.fault = Some(Invalid::OutOfOrder),
                Some(last) if ms == last => times.fault = times.fault.or(Some(Invalid::DuplicateSample)),
                _ => {}
            }
            times.last = Some(ms);
        })?;
        Ok(times)
    }
}

impl Validator<'_> {
    /// Rejects series whose values are not in order, among themselves or after those of a series before.
    pub(super) fn reject_disorder(&self, body: &[u8], request: &mut Request) -> Result<(), WireError> {
        for group in groups(&self.sifted.several) {
            let mut last = None;
            for number in members(group) {
                let slot = &mut request.slots[number as usize];
                if slot.state != SlotState::Open {
                    continue;
                }
                let times = Times::of(body, slot, last)?;
                match times.fault {
                    Some(reason) => reject(&mut slot.state, reason),
                    None => last = times.last,
                }
            }
        }
        Ok(())
    }

    /// What is to be mended of a request, in both forms of it.
    pub(super) fn body<'b>(&'b self, plain: &'b [u8], slots: &'b [Slot]) -> Body<'b> {
        Body { message: self.message, plain, came: self.came, expansion: self.expansion, slots }
    }

    /// Plans how series are mended; returns whether any is.
    pub(super) fn plan(
        &self,
        body: &[u8],
        request: &Request,
        mending: &mut Mending,
        room: FieldRoom<'_>,
    ) -> Result<bool, Undecodable> {
        mending.start();
        let whole = self.body(body, &request.slots);
        let mut held = Held { free: FREE_BYTES, series: request.slots.len(), room };
        for group in groups(&self.sifted.several) {
            let open = |number: &u32| request.slots[*number as usize].state == SlotState::Open;
            let (mut last, mut in_order, mut values) = (None, true, 0);
            for number in members(group).filter(open) {
                let slot = &request.slots[number as usize];
                let times = Times::of(body, slot, last)?;
                in_order &= times.fault.is_none();
                last = times.last;
                values += slot.samples as usize + slot.histograms as usize;
            }
            if !in_order && values <= MOST_VALUES {
                held.ask(mending.planned(values))?;
                mending.order(&whole, members(group).filter(open))?;
            }
        }
        if !self.expansion.frames().is_empty() {
            let frames = left(self.expansion, request).zip(&request.slots);
            let emptied = frames.map(|(frame, slot)| frame.said.emptied && slot.state == SlotState::Open);
            for (number, _) in (0..).zip(emptied).filter(|(_, emptied)| *emptied) {
                let slot = &request.slots[number as usize];
                held.ask(mending.planned(slot.samples as usize + slot.histograms as usize))?;
                mending.strip(&whole, number)?;
            }
        }
        Ok(mending.is_needed())
    }
}

/// What room there is for a plan.
struct Held<'r> {
    free: usize,
    series: usize,
    room: FieldRoom<'r>,
}

impl Held<'_> {
    /// Asks for room where there has to be more.
    fn ask(&mut self, bytes: usize) -> Result<(), Undecodable> {
        if bytes <= self.free {
            return Ok(());
        }
        self.free = 2 * bytes;
        let fields = 2 * self.free / FIELD_BYTES;
        if (self.room)(self.series.saturating_add(fields)) { Ok(()) } else { Err(Undecodable::NoRoom) }
    }
}
