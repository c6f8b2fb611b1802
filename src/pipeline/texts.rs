//! What the series of a request of remote write 2.0 are known by without their texts being put together.

use super::scratch::bytes;
use crate::series::{Fingerprint, SpelledScope, Speller, Spelling, TextHash};
use crate::wire::v2::{self, Field, Pair, References, Symbols, Walked};

/// The texts of a request, and the series that was read last. Made to be used again.
#[derive(Default)]
pub(super) struct Texts {
    hashes: Vec<TextHash>,
    /// Neighbours are much alike.
    references: References,
    spelling: Spelling,
}

/// A series that was read so.
pub(super) struct Recognised {
    pub(super) walked: Walked,
    pub(super) spelling: Fingerprint,
    /// Bytes that it takes as 1.0; those of very long labels a few more.
    pub(super) plain_bytes: usize,
}

impl Texts {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        bytes(&self.hashes) + self.references.bytes()
    }

    /// Begins a request: its texts are hashed, each once.
    pub(super) fn start(&mut self, came: &[u8], symbols: &Symbols, speller: &Speller) {
        self.hashes.clear();
        self.hashes.extend(symbols.iter(came).map(|text| speller.text(text)));
        self.forget();
    }

    /// The next series has none to be compared with.
    fn forget(&mut self) {
        self.references.clear();
        self.spelling = Spelling::default();
    }

    /// Reads a series without its texts. `None` where it must be expanded to be read.
    #[inline]
    pub(super) fn read(
        &mut self,
        (came, symbols): (&[u8], &Symbols),
        field: &Field,
        with: (&Speller, SpelledScope),
    ) -> Option<Recognised> {
        let read = self.read_usual((came, symbols), field, with);
        if read.is_none() {
            self.forget();
        }
        read
    }

    #[inline]
    fn read_usual(
        &mut self,
        (came, symbols): (&[u8], &Symbols),
        field: &Field,
        (speller, scope): (&Speller, SpelledScope),
    ) -> Option<Recognised> {
        let Self { hashes, references, spelling } = self;
        let places = |pair: Pair| (pair.name, pair.value);
        let mut walked = v2::walk(came, field, references, |at, was, is| {
            spelling.change((speller, hashes), at, was.map(places), is.map(places));
        })?;
        let (spelling, text_bytes) = spelling.finish(speller, scope)?;
        let is_text = |at: u64| at < hashes.len().max(1) as u64;
        let (said, named) = (&mut walked.said, symbols.metric_name());
        // a position that leads nowhere, and a name at a second place of the table, are rare enough
        let metric = references.pairs().iter().find(|pair| pair.name == named && named != 0)?;
        if !is_text(said.help) || !is_text(said.unit) {
            return None;
        }
        said.metric = metric.value;
        // a label has three tags and three lengths, nearly always of one byte
        let plain_bytes = field.end - field.start + 6 * references.pairs().len() + text_bytes;
        Some(Recognised { walked, spelling, plain_bytes })
    }
}
