//! A body taken apart, so that parts of it can be sent alone.

use std::ops::Range;

use bytes::Bytes;

use crate::codec::{self, Packer, varint, zstd};
use crate::pipeline::Counts;
use crate::wire::v2::{self, Came, Composer, Symbols};
use crate::wire::{Form, Message, v1};

/// A top-level field and what it carries.
pub(super) struct Piece {
    start: usize,
    content: usize,
    end: usize,
    counts: Counts,
}

/// Some pieces, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pieces: Range<usize>,
    /// Of a piece that is alone: which of its samples and histograms, by number. Its exemplars go with the first.
    values: Range<u64>,
}

/// A body and its pieces, in order.
pub(super) struct Apart {
    form: Form,
    raw: Vec<u8>,
    symbols: Symbols,
    pieces: Vec<Piece>,
    composer: Composer,
    packer: Packer,
}

impl Apart {
    /// Takes a body apart; `None` where it is not of this form.
    pub(super) fn of(body: &[u8], form: Form) -> Option<Self> {
        let mut raw = Vec::new();
        let length =
            codec::decode(&mut zstd::Decoder::default(), body, u32::MAX as usize, &mut raw).ok()?.len();
        raw.truncate(length);
        let mut symbols = Symbols::default();
        let pieces: Option<Vec<Piece>> = match form.message {
            Message::V1 => v1::Fields::new(&raw).map(|field| piece_v1(&raw, field.ok()?)).collect(),
            Message::V2 => {
                symbols.read(&raw).ok()?;
                let is_other = |field: &v2::Field| field.kind != v2::FieldKind::Series;
                let series = v2::Fields::new(&raw).filter(|field| !field.as_ref().is_ok_and(is_other));
                series.map(|field| piece_v2(&raw, field.ok()?)).collect()
            }
        };
        let (composer, packer) = Default::default();
        Some(Self { form, symbols, pieces: pieces?, raw, composer, packer })
    }

    /// All of it.
    pub(super) fn whole(&self) -> Part {
        Part { pieces: 0..self.pieces.len(), values: 0..u64::MAX }
    }

    /// Both halves of a part: of its pieces, or of the values of one; `None` where it has but one.
    pub(super) fn halves(&self, part: &Part) -> Option<[Part; 2]> {
        let Part { pieces, values } = part.clone();
        if pieces.len() > 1 {
            let middle = pieces.start + pieces.len() / 2;
            let half = |pieces| Part { pieces, values: values.clone() };
            return Some([half(pieces.start..middle), half(middle..pieces.end)]);
        }
        let Counts { samples, histograms, .. } = self.pieces.get(pieces.start)?.counts;
        let values = values.start..values.end.min(samples + histograms);
        let middle = values.start + (values.end.checked_sub(values.start)? / 2);
        let half = |values| Part { pieces: pieces.clone(), values };
        (middle > values.start).then(|| [half(values.start..middle), half(middle..values.end)])
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// What a part carries.
    pub(super) fn counts(&self, part: &Part) -> Counts {
        let mut all = Counts::default();
        match self.alone(part) {
            None => self.pieces[part.pieces.clone()].iter().for_each(|piece| all += piece.counts),
            Some(piece) => {
                self.for_each_value(piece, part, |value| match value {
                    Value::Sample => all.samples += 1,
                    Value::Histogram => all.histograms += 1,
                    Value::Exemplar => all.exemplars += 1,
                });
            }
        }
        all
    }

    /// A body of a part alone.
    pub(super) fn pack(&mut self, part: &Part) -> Option<Bytes> {
        let alone;
        let plain: &[u8] = match (self.form.message, self.alone(part)) {
            (Message::V1, None) => {
                let pieces = &self.pieces[part.pieces.clone()];
                self.raw.get(pieces.first()?.start..pieces.last()?.end)?
            }
            (Message::V1, Some(piece)) => {
                alone = self.values_v1(piece, part)?;
                &alone
            }
            (Message::V2, _) => {
                let Self { raw, symbols, pieces, composer, .. } = self;
                composer.start();
                for piece in &pieces[part.pieces.clone()] {
                    let mut selected = Selected::new(part);
                    let keeps = |part: v2::Part| selected.has(part.into());
                    composer.copy_parts(Came { body: raw, symbols }, &piece.field_v2(), None, keeps).ok()?;
                }
                composer.finish()
            }
        };
        self.packer.pack(self.form.encoding, plain).ok().map(Bytes::copy_from_slice)
    }

    /// The piece of which a part has but some values.
    fn alone(&self, part: &Part) -> Option<&Piece> {
        let piece = self.pieces.get(part.pieces.start).filter(|_| part.pieces.len() == 1)?;
        let values = piece.counts.samples + piece.counts.histograms;
        (part.values.start > 0 || part.values.end < values).then_some(piece)
    }

    fn for_each_value(&self, piece: &Piece, part: &Part, mut visit: impl FnMut(Value)) {
        let mut selected = Selected::new(part);
        let mut see = |value: Value| {
            if selected.has(value) {
                visit(value);
            }
        };
        // it was walked before, so it can be walked
        let _walked = match self.form.message {
            Message::V1 => v1::for_each_part(&self.raw, piece.content..piece.end, |_, part| {
                Value::of_v1(part).into_iter().for_each(&mut see);
            }),
            Message::V2 => v2::for_each_part(&self.raw, &piece.field_v2(), |part| see(part.into())),
        };
    }

    /// A series of 1.0 with some of its values.
    fn values_v1(&self, piece: &Piece, part: &Part) -> Option<Vec<u8>> {
        let mut selected = Selected::new(part);
        let mut series = vec![v1::SERIES_TAG, 0];
        let keep = |bytes: &[u8], part| {
            if Value::of_v1(part).is_none_or(|value| selected.has(value)) {
                series.extend_from_slice(bytes);
            }
        };
        v1::for_each_part(&self.raw, piece.content..piece.end, keep).ok()?;
        varint::fill(&mut series, 1, 1);
        Some(series)
    }
}

impl Piece {
    fn field_v2(&self) -> v2::Field {
        let Self { start, content, end, .. } = *self;
        v2::Field { kind: v2::FieldKind::Series, start, content, end }
    }
}

/// What a series carries.
#[derive(Clone, Copy)]
enum Value {
    Sample,
    Histogram,
    Exemplar,
}

impl Value {
    fn of_v1(part: v1::Part) -> Option<Self> {
        match part {
            v1::Part::Sample(_) => Some(Self::Sample),
            v1::Part::Histogram(_) => Some(Self::Histogram),
            v1::Part::Exemplar => Some(Self::Exemplar),
            v1::Part::Label | v1::Part::Other => None,
        }
    }
}

impl From<v2::Part> for Value {
    fn from(part: v2::Part) -> Self {
        match part {
            v2::Part::Sample(_) => Self::Sample,
            v2::Part::Histogram(_) => Self::Histogram,
            v2::Part::Exemplar => Self::Exemplar,
        }
    }
}

/// Tells which values of a series are part of a part, shown one after the other.
struct Selected<'p> {
    values: &'p Range<u64>,
    seen: u64,
}

impl<'p> Selected<'p> {
    fn new(part: &'p Part) -> Self {
        Self { values: &part.values, seen: 0 }
    }

    fn has(&mut self, value: Value) -> bool {
        if matches!(value, Value::Exemplar) {
            return self.values.start == 0;
        }
        self.seen += 1;
        self.values.contains(&(self.seen - 1))
    }
}

fn piece_v1(raw: &[u8], field: v1::Field) -> Option<Piece> {
    let mut counts = Counts::default();
    if field.kind == v1::FieldKind::Series {
        let frame = v1::series(raw, &field).ok()?;
        counts.samples = u64::from(frame.samples);
        counts.histograms = u64::from(frame.histograms);
        counts.exemplars = u64::from(frame.exemplars);
    }
    Some(Piece { start: field.start, content: field.content, end: field.end, counts })
}

fn piece_v2(raw: &[u8], field: v2::Field) -> Option<Piece> {
    let mut counts = Counts::default();
    v2::for_each_part(raw, &field, |part| match part {
        v2::Part::Sample(_) => counts.samples += 1,
        v2::Part::Histogram(_) => counts.histograms += 1,
        v2::Part::Exemplar => counts.exemplars += 1,
    })
    .ok()?;
    Some(Piece { start: field.start, content: field.content, end: field.end, counts })
}
