//! A body taken apart, so that parts of it can be sent alone.

use std::ops::Range;

use bytes::Bytes;

use crate::codec::{self, Packer, zstd};
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

/// A body and its pieces, in order.
pub(super) struct Apart {
    form: Form,
    raw: Vec<u8>,
    symbols: Symbols,
    pub(super) pieces: Vec<Piece>,
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
                let series = v2::Fields::new(&raw)
                    .filter(|field| !matches!(field, Ok(field) if field.kind != v2::FieldKind::Series));
                series.map(|field| piece_v2(&raw, field.ok()?)).collect()
            }
        };
        let (composer, packer) = Default::default();
        Some(Self { form, symbols, pieces: pieces?, raw, composer, packer })
    }

    /// What pieces carry.
    pub(super) fn counts(&self, part: Range<usize>) -> Counts {
        let mut all = Counts::default();
        for piece in &self.pieces[part] {
            all += piece.counts;
        }
        all
    }

    /// A body of these pieces alone.
    pub(super) fn pack(&mut self, part: Range<usize>) -> Option<Bytes> {
        let pieces = self.pieces.get(part)?;
        let plain = match self.form.message {
            Message::V1 => self.raw.get(pieces.first()?.start..pieces.last()?.end)?,
            Message::V2 => {
                self.composer.start();
                let came = Came { body: &self.raw, symbols: &self.symbols };
                for Piece { start, content, end, .. } in pieces {
                    let (start, content, end) = (*start, *content, *end);
                    let field = v2::Field { kind: v2::FieldKind::Series, start, content, end };
                    self.composer.copy(came, &field).ok()?;
                }
                self.composer.finish()
            }
        };
        self.packer.pack(self.form.encoding, plain).ok().map(Bytes::copy_from_slice)
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
    let [samples, histograms, exemplars] = v2::counts(raw, &field).ok()?;
    let counts = Counts { samples, histograms, exemplars };
    Some(Piece { start: field.start, content: field.content, end: field.end, counts })
}
