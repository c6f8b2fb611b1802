//! Makes a body of remote write 1.0 of one of 2.0, so that all that comes after reads one language.

use super::Counts;
use super::count_fates::mark;
use super::outcome::{Outcome, Undecodable};
use super::rejected::describe_rejected;
use super::scan::{FIELD_BYTES, FieldRoom};
use super::scratch::bytes;
use crate::series::Invalid;
use crate::wire::v1;
use crate::wire::v2::{self, Expanded, Field, FieldKind, Fields, Symbols};
use crate::wire::{Message, WireError};

/// What a request takes without a room of its own, bytes.
const FREE_BYTES: usize = 1 << 20;

/// A request of 2.0 in the form of 1.0. Made to be used again.
#[derive(Default)]
pub(super) struct Expansion {
    symbols: Symbols,
    body: Vec<u8>,
    /// Its series, in order, but for those that cannot be accepted.
    frames: Vec<Frame>,
    /// How many cannot.
    broken: usize,
}

/// A series of 2.0.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Where it stands.
    pub(super) field: Field,
    /// What it says beside what 1.0 can say.
    pub(super) said: Expanded,
}

impl Expansion {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        self.symbols.bytes() + self.body.capacity() + bytes(&self.frames)
    }

    /// The texts of the request.
    pub(super) fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Its series, in order; none of a request of 1.0.
    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether all of it is in [`Expansion::body`].
    pub(super) fn is_whole(&self) -> bool {
        self.broken == 0
    }

    /// The body as 1.0.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Reads a body, if it is one of 2.0; says how many fields of room are held for it then.
    pub(super) fn read(
        &mut self,
        message: Message,
        body: &[u8],
        most: usize,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<usize, Undecodable> {
        self.frames.clear();
        self.broken = 0;
        match message {
            Message::V1 => Ok(0),
            Message::V2 => self.read_v2(body, most, room, outcome),
        }
    }

    /// Reads a body of 2.0. A series with references that lead nowhere is rejected here, and counted.
    fn read_v2(
        &mut self,
        body: &[u8],
        most: usize,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<usize, Undecodable> {
        self.body.clear();
        let series = self.symbols.read(body).map_err(Undecodable::WireV2)?;
        let mut held = Held { free: FREE_BYTES, fields: 0 };
        let beside = series * size_of::<Frame>() + self.symbols.bytes();
        held.ask(beside, &mut *room)?;
        for field in Fields::new(body) {
            let field = field.map_err(Undecodable::WireV2)?;
            if field.kind != FieldKind::Series {
                continue;
            }
            let start = self.body.len();
            let said = v2::expand((body, &self.symbols), &field, &mut self.body, most)
                .map_err(Undecodable::WireV2)?
                .map_err(|_| Undecodable::Unfolded(most))?;
            if said.broken {
                reject(&self.body, start, &body[field.start..field.end], outcome)?;
                self.body.truncate(start);
                self.broken += 1;
            } else {
                self.frames.push(Frame { field, said });
            }
            held.ask(beside + self.body.len(), &mut *room)?;
        }
        Ok(held.fields)
    }
}

/// What room there is.
struct Held {
    free: usize,
    fields: usize,
}

impl Held {
    /// Asks for room where there has to be more.
    fn ask(&mut self, bytes: usize, room: FieldRoom<'_>) -> Result<(), Undecodable> {
        if bytes <= self.free {
            return Ok(());
        }
        // a buffer that grows is held twice for a moment
        self.free = 2 * bytes;
        self.fields = 2 * self.free / FIELD_BYTES;
        if room(self.fields) { Ok(()) } else { Err(Undecodable::NoRoom) }
    }
}

/// Counts a series that cannot be accepted; what could be read of it stands in `body` from `start` on.
fn reject(body: &[u8], start: usize, came: &[u8], outcome: &mut Outcome) -> Result<(), WireError> {
    const REASON: Invalid = Invalid::Reference;
    let Some(field) = v1::Fields::new(&body[start..]).next().transpose()? else { return Ok(()) };
    let frame = v1::series(&body[start..], &field)?;
    let counts = Counts {
        samples: u64::from(frame.samples),
        histograms: u64::from(frame.histograms),
        exemplars: u64::from(frame.exemplars),
    };
    outcome.reject(REASON, counts, mark(came), || describe_rejected(&body[start..], frame.labels, REASON));
    outcome.series += 1;
    Ok(())
}
