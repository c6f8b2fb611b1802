//! Makes a body of remote write 2.0: series, and the table of the texts that they name.

mod metadata;

use ahash::RandomState;
use hashbrown::HashTable;

use super::{
    Cursor, Field, MAX_DEPTH, SERIES_TAG, SYMBOL_TAG, Symbols, WireError, WireType, for_each_reference,
};
use crate::codec::varint;
use crate::wire::labels::LabelRun;
use crate::wire::metadata::Said;

/// Tags of the parts of a `TimeSeries`; references have the same in an `Exemplar`.
const REFERENCES: u8 = 0x0a;
const SAMPLE: u8 = 0x12;
const HISTOGRAM: u8 = 0x1a;
const EXEMPLAR: u8 = 0x22;
const METADATA: u8 = 0x2a;

/// Stands for a text of the table that came which has no place in ours yet.
const NOWHERE: u32 = u32::MAX;

/// Makes a body. Made to be used again.
#[derive(Default)]
pub struct Composer {
    /// All texts, one after the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<u32>,
    /// Positions of texts, by text, and of how many they are known.
    positions: HashTable<u32>,
    indexed: usize,
    hasher: RandomState,
    /// Our position of each text of the table that came.
    ours: Vec<u32>,
    /// Whether it is that table, with ours behind it: then series may be copied as they are.
    adopted: bool,
    /// The series, encoded.
    series: Vec<u8>,
    /// References of what is being written.
    references: Vec<u32>,
    body: Vec<u8>,
}

/// A part of a series, which may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A sample of this time, Unix milliseconds.
    Sample(i64),
    /// A native histogram of this time, Unix milliseconds.
    Histogram(i64),
    /// An exemplar.
    Exemplar,
}

/// A series of a body of 2.0, and the table that it refers to.
#[derive(Clone, Copy)]
pub struct Came<'a> {
    /// The body.
    pub body: &'a [u8],
    /// Its table.
    pub symbols: &'a Symbols,
}

impl Composer {
    /// Begins a body with a table of its own.
    pub fn start(&mut self) {
        self.texts.clear();
        self.ends.clear();
        self.positions.clear();
        self.ours.clear();
        self.series.clear();
        self.adopted = false;
        self.indexed = 0;
        self.push(b"");
    }

    /// Begins a body with the table that came.
    pub fn start_with(&mut self, came: Came<'_>) {
        self.start();
        self.adopted = true;
        for position in 1..came.symbols.len() as u64 {
            let text = came.symbols.get(came.body, position).unwrap_or_default();
            // one that is there twice keeps both places
            self.push(text);
        }
    }

    /// The position of a text, which it gets if it has none.
    fn position(&mut self, text: &[u8]) -> u32 {
        let Self { texts, ends, positions, hasher, .. } = self;
        // not before something is looked for: mostly nothing is, in a table that came
        for position in self.indexed as u32..ends.len() as u32 {
            let text = of(texts, ends, position);
            let hash = hasher.hash_one(text);
            if positions.find(hash, |at| of(texts, ends, *at) == text).is_none() {
                positions.insert_unique(hash, position, |at| hasher.hash_one(of(texts, ends, *at)));
            }
        }
        self.indexed = ends.len();
        let found = positions.find(hasher.hash_one(text), |at| of(texts, ends, *at) == text).copied();
        found.unwrap_or_else(|| {
            self.push(text);
            self.ends.len() as u32 - 1
        })
    }

    fn push(&mut self, text: &[u8]) {
        self.texts.extend_from_slice(text);
        self.ends.push(self.texts.len() as u32);
    }

    /// Our position of a text of the table that came. One that is not there gets a position that nothing has.
    fn ours(&mut self, came: Came<'_>, position: u64) -> u32 {
        if self.adopted {
            return position as u32;
        }
        if self.ours.is_empty() {
            self.ours.resize(came.symbols.len(), NOWHERE);
        }
        let Some(text) = came.symbols.get(came.body, position) else { return NOWHERE };
        let at = position as usize;
        if self.ours[at] == NOWHERE {
            self.ours[at] = self.position(text);
        }
        self.ours[at]
    }

    /// Adds a series as it came.
    ///
    /// # Errors
    /// If it is no series.
    pub fn copy(&mut self, came: Came<'_>, field: &Field) -> Result<(), WireError> {
        if self.adopted {
            self.series.extend_from_slice(&came.body[field.start..field.end]);
            return Ok(());
        }
        self.copy_parts(came, field, None, |_| true)
    }

    /// Adds a series as it came, but for the parts that `keeps` is not to have, and under other labels where `labels` has them:
    /// where they stand in a body of 1.0.
    ///
    /// # Errors
    /// If it is no series.
    pub fn copy_parts(
        &mut self,
        came: Came<'_>,
        field: &Field,
        labels: Option<LabelRun<'_>>,
        mut keeps: impl FnMut(Part) -> bool,
    ) -> Result<(), WireError> {
        let start = self.open_series();
        let content = || Cursor::new(came.body, field.content, field.end);
        match labels {
            Some(labels) => self.labels(labels)?,
            None => self.references(came, content(), MAX_DEPTH - 1)?,
        }
        let mut parts = content();
        while !parts.is_done() {
            let from = parts.at;
            let (number, kind) = parts.key()?;
            let inside = parts;
            parts.skip(number, kind, MAX_DEPTH - 1)?;
            let mut inside = inside;
            match (number, kind) {
                (1, _) => {}
                (2, WireType::Len) if !keeps(Part::Sample(inside.message()?.timestamp(2)?)) => {}
                (3, WireType::Len) if !keeps(Part::Histogram(inside.message()?.timestamp(15)?)) => {}
                (4, WireType::Len) if !keeps(Part::Exemplar) => {}
                (4, WireType::Len) if !self.adopted => self.exemplar(came, inside.message()?)?,
                (5, WireType::Len) if !self.adopted => self.metadata(came, inside.message()?)?,
                _ => self.series.extend_from_slice(&came.body[from..parts.at]),
            }
        }
        varint::fill(&mut self.series, start, 2);
        Ok(())
    }

    /// Adds a series of 1.0, of which this is the content.
    ///
    /// # Errors
    /// If it is none.
    pub fn add_v1(&mut self, content: &[u8]) -> Result<(), WireError> {
        self.add_v1_saying(content, None)
    }

    /// The same with what it is to say of its metric.
    ///
    /// # Errors
    /// If it is none.
    pub fn add_v1_saying(&mut self, content: &[u8], said: Option<&Said<'_>>) -> Result<(), WireError> {
        let start = self.open_series();
        self.labels(LabelRun::new(content, 0, content.len()))?;
        let mut parts = Cursor::new(content, 0, content.len());
        while !parts.is_done() {
            let (number, kind) = parts.key()?;
            let mut inside = parts;
            parts.skip(number, kind, MAX_DEPTH - 1)?;
            match (number, kind) {
                (2, WireType::Len) => self.message(SAMPLE, inside.message()?),
                (3, WireType::Len) => self.exemplar_v1(inside.message()?)?,
                (4, WireType::Len) => self.message(HISTOGRAM, inside.message()?),
                _ => {}
            }
        }
        if let Some(said) = said {
            self.say(said);
        }
        varint::fill(&mut self.series, start, 2);
        Ok(())
    }

    /// The finished body.
    pub fn finish(&mut self) -> &[u8] {
        let Self { texts, ends, series, body, .. } = self;
        body.clear();
        let mut start = 0;
        for end in ends.iter() {
            body.push(SYMBOL_TAG);
            varint::put(body, (*end - start) as usize);
            body.extend_from_slice(&texts[start as usize..*end as usize]);
            start = *end;
        }
        body.extend_from_slice(series);
        body
    }

    /// Memory held, bytes.
    pub fn bytes(&self) -> usize {
        let words = self.ends.capacity() + self.ours.capacity() + self.references.capacity();
        self.texts.capacity()
            + size_of::<u32>() * words
            + self.positions.allocation_size()
            + self.series.capacity()
            + self.body.capacity()
    }

    /// Begins a series, with room for a length of two bytes.
    fn open_series(&mut self) -> usize {
        self.series.push(SERIES_TAG);
        self.series.extend_from_slice(&[0, 0]);
        self.series.len() - 2
    }

    /// Writes labels of 1.0 as references.
    fn labels(&mut self, labels: LabelRun<'_>) -> Result<(), WireError> {
        self.references.clear();
        for label in labels {
            let label = label?;
            for text in [label.name, label.value] {
                let position = self.position(text);
                self.references.push(position);
            }
        }
        self.put_references();
        Ok(())
    }

    /// Writes the references of a message of 2.0 as one packed field.
    fn references(&mut self, came: Came<'_>, mut message: Cursor<'_>, depth: u32) -> Result<(), WireError> {
        let mut references = std::mem::take(&mut self.references);
        references.clear();
        while !message.is_done() {
            match message.key()? {
                (1, kind) => for_each_reference(&mut message, kind, |position| {
                    references.push(self.ours(came, position));
                })?,
                (number, kind) => message.skip(number, kind, depth)?,
            }
        }
        self.references = references;
        self.put_references();
        Ok(())
    }

    fn put_references(&mut self) {
        if self.references.is_empty() {
            return;
        }
        self.series.extend_from_slice(&[REFERENCES, 0]);
        let start = self.series.len() - 1;
        for position in &self.references {
            varint::put(&mut self.series, *position as usize);
        }
        varint::fill(&mut self.series, start, 1);
    }

    /// Writes a message as it is, under a tag.
    fn message(&mut self, tag: u8, message: Cursor<'_>) {
        self.series.push(tag);
        varint::put(&mut self.series, message.end - message.at);
        self.series.extend_from_slice(message.slice());
    }

    fn exemplar(&mut self, came: Came<'_>, exemplar: Cursor<'_>) -> Result<(), WireError> {
        let start = self.open(EXEMPLAR);
        self.references(came, exemplar, MAX_DEPTH - 2)?;
        self.others(exemplar, |number| number == 1)?;
        varint::fill(&mut self.series, start, 1);
        Ok(())
    }

    fn exemplar_v1(&mut self, exemplar: Cursor<'_>) -> Result<(), WireError> {
        let start = self.open(EXEMPLAR);
        self.labels(LabelRun::new(exemplar.bytes, exemplar.at, exemplar.end))?;
        self.others(exemplar, |number| number == 1)?;
        varint::fill(&mut self.series, start, 1);
        Ok(())
    }

    fn metadata(&mut self, came: Came<'_>, metadata: Cursor<'_>) -> Result<(), WireError> {
        let start = self.open(METADATA);
        let mut fields = metadata;
        while !fields.is_done() {
            let (number, kind) = fields.key()?;
            match (number, kind) {
                (3 | 4, WireType::Varint) => {
                    // 0 is no text, also where there is no table
                    let position = match fields.varint()? & u64::from(u32::MAX) {
                        0 => 0,
                        position => self.ours(came, position),
                    };
                    self.series.push((number << 3) as u8);
                    varint::put(&mut self.series, position as usize);
                }
                _ => fields.skip(number, kind, MAX_DEPTH - 2)?,
            }
        }
        self.others(metadata, |number| matches!(number, 3 | 4))?;
        varint::fill(&mut self.series, start, 1);
        Ok(())
    }

    fn open(&mut self, tag: u8) -> usize {
        self.series.extend_from_slice(&[tag, 0]);
        self.series.len() - 1
    }

    /// Copies the fields of a message but those that stand elsewhere already.
    fn others(&mut self, mut message: Cursor<'_>, is_done: impl Fn(u32) -> bool) -> Result<(), WireError> {
        while !message.is_done() {
            let from = message.at;
            let (number, kind) = message.key()?;
            message.skip(number, kind, MAX_DEPTH - 2)?;
            if !is_done(number) {
                self.series.extend_from_slice(&message.bytes[from..message.at]);
            }
        }
        Ok(())
    }
}

/// Shows what a series has, in order.
///
/// # Errors
/// If it is no series.
pub fn for_each_part(body: &[u8], field: &Field, mut visit: impl FnMut(Part)) -> Result<(), WireError> {
    let mut parts = Cursor::new(body, field.content, field.end);
    while !parts.is_done() {
        let (number, kind) = parts.key()?;
        let mut inside = parts;
        parts.skip(number, kind, MAX_DEPTH - 1)?;
        match (number, kind) {
            (2, WireType::Len) => visit(Part::Sample(inside.message()?.timestamp(2)?)),
            (3, WireType::Len) => visit(Part::Histogram(inside.message()?.timestamp(15)?)),
            (4, WireType::Len) => visit(Part::Exemplar),
            _ => {}
        }
    }
    Ok(())
}

/// A text, by its position.
fn of<'t>(texts: &'t [u8], ends: &[u32], position: u32) -> &'t [u8] {
    let at = position as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] as usize };
    &texts[start..ends[at] as usize]
}
