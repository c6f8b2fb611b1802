//! Makes a body of remote write 1.0 of one of 2.0, so that all that comes after reads one language: of all its series, or of those
//! that `recognise` asks for.

use super::Counts;
use super::count_fates::mark;
use super::outcome::{Outcome, Undecodable};
use super::rejected::describe_rejected;
use super::scan::{FIELD_BYTES, FieldRoom};
use super::scratch::bytes;
use crate::series::{Invalid, TextHash};
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
    pub(super) frames: Vec<Frame>,
    /// How many cannot.
    broken: usize,
    /// Bytes of all series in the form of 1.0.
    pub(super) plain_bytes: usize,
    /// Whether a series says when what it counts began, and whether one says of which type its metric is.
    says: (bool, bool),
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

    /// Adds a series that can be accepted.
    pub(super) fn push(&mut self, field: Field, said: Expanded) {
        self.says.0 |= said.start_ms != 0;
        self.says.1 |= said.metric_type != 0;
        self.frames.push(Frame { field, said });
    }

    /// The series if one of them says when what it counts began.
    pub(super) fn starts(&self) -> &[Frame] {
        if self.says.0 { &self.frames } else { &[] }
    }

    /// The series if one of them says of which type its metric is.
    pub(super) fn types(&self) -> &[Frame] {
        if self.says.1 { &self.frames } else { &[] }
    }

    /// Takes the series of the request after it was mended in place of those that came.
    pub(super) fn replace_frames(&mut self, mended: &mut Vec<Frame>) {
        std::mem::swap(&mut self.frames, mended);
    }

    /// Whether all of it is in [`Expansion::body`].
    pub(super) fn is_whole(&self) -> bool {
        self.broken == 0
    }

    /// The body as 1.0; of a request that was recognised, those of its series that something is to be read of.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Starts to read a body of 2.0, of which nothing is expanded yet. Says how many series it has.
    pub(super) fn start(
        &mut self,
        body: &[u8],
        held: &mut Held,
        room: FieldRoom<'_>,
    ) -> Result<usize, Undecodable> {
        self.frames.clear();
        self.body.clear();
        (self.broken, self.plain_bytes, self.says) = (0, 0, (false, false));
        let series = self.symbols.read(body).map_err(Undecodable::WireV2)?;
        held.ask(self.beside(series), room)?;
        Ok(series)
    }

    /// What is held beside the body of so many series.
    fn beside(&self, series: usize) -> usize {
        let hashes = self.symbols.len() * size_of::<TextHash>();
        series * size_of::<Frame>() + self.symbols.bytes() + hashes
    }

    /// Appends a series to the body; says what it was made to, and where it starts.
    pub(super) fn add(
        &mut self,
        came: &[u8],
        field: &Field,
        most: usize,
    ) -> Result<(Expanded, usize), Undecodable> {
        let start = self.body.len();
        let said = v2::expand((came, &self.symbols), field, &mut self.body, most)
            .map_err(Undecodable::WireV2)?
            .map_err(|_| Undecodable::Unfolded(most))?;
        Ok((said, start))
    }

    /// The series in the body that starts there.
    pub(super) fn series(&self, start: usize) -> Result<Option<(v1::Field, v1::SeriesFrame)>, Undecodable> {
        let Some(field) = v1::Fields::starting(&self.body, start).next().transpose()? else {
            return Ok(None);
        };
        let frame = v1::series(&self.body, &field)?;
        Ok(Some((field, frame)))
    }

    /// Asks for room for what is there by now.
    pub(super) fn ask(&self, series: usize, held: &mut Held, room: FieldRoom<'_>) -> Result<(), Undecodable> {
        held.ask(self.beside(series) + self.body.len(), room)
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
        match message {
            Message::V1 => {
                self.frames.clear();
                (self.broken, self.plain_bytes) = (0, 0);
                Ok(0)
            }
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
        let mut held = Held::default();
        let series = self.start(body, &mut held, &mut *room)?;
        for field in Fields::new(body) {
            let field = field.map_err(Undecodable::WireV2)?;
            if field.kind != FieldKind::Series {
                continue;
            }
            let (said, start) = self.add(body, &field, most)?;
            if said.broken {
                reject(&self.body, start, &body[field.start..field.end], outcome)?;
                self.body.truncate(start);
                self.broken += 1;
            } else {
                self.push(field, said);
            }
            self.ask(series, &mut held, &mut *room)?;
        }
        self.plain_bytes = self.body.len();
        Ok(held.fields)
    }
}

/// What room there is.
pub(super) struct Held {
    free: usize,
    /// As many fields.
    pub(super) fields: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self { free: FREE_BYTES, fields: 0 }
    }
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
