//! Makes a body of remote write 1.0 of one of 2.0, so that all that comes after reads one language.

use super::Counts;
use super::count_fates::mark;
use super::outcome::{Outcome, Undecodable};
use super::rejected::describe_rejected;
use super::scan::{FIELD_BYTES, FieldRoom};
use super::scratch::bytes;
use crate::series::Invalid;
use crate::wire::v1;
use crate::wire::v2::{self, Expanded, FieldKind, Fields, Symbols};
use crate::wire::{Message, WireError};

/// What a request takes without a room of its own, bytes.
const FREE_BYTES: usize = 1 << 20;

/// A request of 2.0 in the form of 1.0. Made to be used again.
#[derive(Default)]
pub(super) struct Expansion {
    symbols: Symbols,
    body: Vec<u8>,
    /// What each series says of its metric, in order.
    said: Vec<Expanded>,
}

/// A body of 1.0, perhaps made of one of 2.0.
pub(super) struct InV1<'b> {
    pub(super) body: &'b [u8],
    /// What each series says of its metric, in order; empty where the request is one of 1.0.
    pub(super) said: &'b [Expanded],
    /// How many fields of room are held for it.
    pub(super) fields: usize,
}

impl Expansion {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        self.symbols.bytes() + self.body.capacity() + bytes(&self.said)
    }

    /// The body as 1.0.
    pub(super) fn as_v1<'b>(
        &'b mut self,
        message: Message,
        body: &'b [u8],
        most: usize,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<InV1<'b>, Undecodable> {
        match message {
            Message::V1 => Ok(InV1 { body, said: &[], fields: 0 }),
            Message::V2 => {
                let fields = self.read(body, most, room, outcome)?;
                Ok(InV1 { body: &self.body, said: &self.said, fields })
            }
        }
    }

    /// Reads a body of 2.0. A series with references that lead nowhere is rejected here, and counted.
    fn read(
        &mut self,
        body: &[u8],
        most: usize,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<usize, Undecodable> {
        self.body.clear();
        self.said.clear();
        let series = self.symbols.read(body).map_err(Undecodable::WireV2)?;
        let mut held = Held { free: FREE_BYTES, fields: 0 };
        held.ask(series * size_of::<Expanded>() + self.symbols.bytes(), &mut *room)?;
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
            } else {
                self.said.push(said);
            }
            held.ask(self.body.len(), &mut *room)?;
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
