//! What is looked for in series beside what the gate cannot work with, before anything is decided (`upstreams[].validation`).
//!
//! A known plain series costs a look at its slot and a place in a table. Only those are looked into that have native histograms, several
//! samples or none, or that are there twice. What is mended here is mended in the body, of 2.0 in both forms of it, so that policies
//! and aggregations see what goes on. Labels are put in order on the way out, by `rewrite`: whether they are not, is known only
//! once a series is decided.

mod labels;
mod look;
mod mend;
mod mended;
mod order;
mod repair;
mod twins;

use super::expand::{Expansion, Frame};
use super::outcome::{Outcome, Undecodable};
use super::scan::FieldRoom;
use super::scratch::{Request, SlotState};
use crate::config::Validation;
use crate::series::Invalid;
use crate::wire::{Message, WireError};

pub(super) use labels::disorder;
pub(super) use look::{SIFTED_BYTES, Sifted};
pub(super) use mend::Mending;
pub use repair::Repair;

/// Buffers, made to be used again.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) sifted: Sifted,
    pub(super) mending: Mending,
}

impl Buffers {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        self.sifted.capacity() + self.mending.capacity()
    }
}

/// One request.
pub(super) struct Validator<'a> {
    pub(super) level: Validation,
    pub(super) message: Message,
    /// As it came, decoded.
    pub(super) came: &'a [u8],
    pub(super) expansion: &'a Expansion,
    pub(super) sifted: &'a mut Sifted,
}

/// A request that was mended.
pub(super) struct Mended<'b> {
    /// In the form of 1.0.
    pub(super) plain: &'b [u8],
    /// As it came, and behind that the series that were mended.
    pub(super) came: &'b [u8],
    /// The series of 2.0.
    pub(super) frames: &'b mut Vec<Frame>,
}

impl Validator<'_> {
    /// Looks at all series, rejects what cannot be accepted, and plans what is to be mended; returns whether anything is.
    #[inline]
    pub(super) fn look(
        &mut self,
        body: &[u8],
        request: &mut Request,
        mending: &mut Mending,
        room: FieldRoom<'_>,
    ) -> Result<bool, Undecodable> {
        if self.level == Validation::Off {
            return Ok(false);
        }
        self.sifted.sift(body, request);
        self.judge(body, request, mending, room)
    }

    /// The same for a request that was sifted.
    pub(super) fn judge(
        &mut self,
        body: &[u8],
        request: &mut Request,
        mending: &mut Mending,
        room: FieldRoom<'_>,
    ) -> Result<bool, Undecodable> {
        self.reject(body, request)?;
        Ok(self.level == Validation::Repair && self.plan(body, request, mending, room)?)
    }

    /// The same for a body that was mended, or of which something was taken out: what is left to be rejected in it.
    #[inline]
    pub(super) fn look_again(&mut self, body: &[u8], request: &mut Request) -> Result<(), WireError> {
        if self.level == Validation::Off {
            return Ok(());
        }
        self.sifted.sift(body, request);
        self.reject(body, request)
    }

    /// Rejects what cannot be accepted.
    fn reject(&mut self, body: &[u8], request: &mut Request) -> Result<(), WireError> {
        self.reject_faulty(body, request)?;
        if self.level == Validation::Strict {
            self.reject_disorder(body, request)?;
        }
        Ok(())
    }

    /// Mends what was planned.
    pub(super) fn mend<'m>(
        &self,
        body: &[u8],
        request: &Request,
        mending: &'m mut Mending,
        outcome: &mut Outcome,
    ) -> Result<Mended<'m>, WireError> {
        mending.run(&self.body(body, &request.slots), outcome)
    }
}

fn reject(state: &mut SlotState, reason: Invalid) {
    if *state == SlotState::Open {
        *state = SlotState::Rejected(reason);
    }
}
