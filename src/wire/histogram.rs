//! Whether a native histogram contradicts itself: what it counts against its buckets, and those against its spans.
//!
//! Its fields may come in any order, and in several pieces: one pass adds up what has to agree.

use super::cursor::{Cursor, MAX_DEPTH, WireError, WireType};
use super::v1::STALE_MARKER;

/// The schema of buckets with bounds of their own.
const CUSTOM: i32 = -53;
/// The schemas of exponential buckets. Of those above 8 receivers make 8.
const EXPONENTIAL: std::ops::RangeInclusive<i32> = -4..=52;

/// How a native histogram contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not count what its buckets count together.
    Count,
    /// Its spans are not as long as there are buckets, go back, or do not fit its bounds; or a bucket counts less than nothing.
    Buckets,
    /// Its schema is none.
    Schema,
}

/// A count: of one kind or the other; the last that is given holds.
#[derive(Clone, Copy)]
enum Number {
    Integer(u64),
    Float,
}

/// One side of a histogram: its buckets above zero, or those below.
#[derive(Default)]
struct Side {
    spans: u64,
    /// Buckets that the spans cover, and places from the first that may be to the last that is covered.
    covered: u64,
    reach: i64,
    goes_back: bool,
    starts_before: bool,
    deltas: u64,
    /// What the last bucket counts, and all together.
    last: i64,
    sum: u64,
    /// Whether a bucket counts less than nothing, or more than can be counted.
    impossible: bool,
    floats: u64,
}

/// All that has to agree.
struct Facts {
    count: Number,
    zero: Number,
    sum_bits: u64,
    zero_threshold: f64,
    schema: i32,
    positive: Side,
    negative: Side,
    bounds: u64,
    last_bound: f64,
    /// Whether its bounds rise, and end.
    bounds_rise: bool,
}

/// What is wrong with a native histogram (`body[at..end]`, of either version); `None` where nothing is.
///
/// # Errors
/// If the bytes are none.
pub fn fault(body: &[u8], at: usize, end: usize) -> Result<Option<Fault>, WireError> {
    let facts = Facts::read(Cursor::new(body, at, end))?;
    // the end of a series says nothing else
    Ok(if facts.sum_bits == STALE_MARKER { None } else { facts.fault() })
}

impl Facts {
    fn read(mut cursor: Cursor<'_>) -> Result<Self, WireError> {
        let mut facts = Self {
            count: Number::Integer(0),
            zero: Number::Integer(0),
            sum_bits: 0,
            zero_threshold: 0.0,
            schema: 0,
            positive: Side::default(),
            negative: Side::default(),
            bounds: 0,
            last_bound: f64::NEG_INFINITY,
            bounds_rise: true,
        };
        while !cursor.is_done() {
            let (number, kind) = cursor.key()?;
            match (number, kind) {
                (1, WireType::Varint) => facts.count = Number::Integer(cursor.varint()?),
                (2, WireType::Fixed64) => {
                    cursor.fixed64()?;
                    facts.count = Number::Float;
                }
                (3, WireType::Fixed64) => facts.sum_bits = cursor.fixed64()?,
                (4, WireType::Varint) => facts.schema = signed(cursor.varint()?) as i32,
                (5, WireType::Fixed64) => facts.zero_threshold = f64::from_bits(cursor.fixed64()?),
                (6, WireType::Varint) => facts.zero = Number::Integer(cursor.varint()?),
                (7, WireType::Fixed64) => {
                    facts.zero = if cursor.fixed64()? == 0 { Number::Integer(0) } else { Number::Float };
                }
                (8, WireType::Len) => facts.negative.span(cursor.message()?)?,
                (11, WireType::Len) => facts.positive.span(cursor.message()?)?,
                (9, _) => varints(&mut cursor, kind, |delta| facts.negative.delta(delta))?,
                (12, _) => varints(&mut cursor, kind, |delta| facts.positive.delta(delta))?,
                (10, _) => doubles(&mut cursor, kind, |_| facts.negative.floats += 1)?,
                (13, _) => doubles(&mut cursor, kind, |_| facts.positive.floats += 1)?,
                (16, _) => doubles(&mut cursor, kind, |bits| facts.bound(f64::from_bits(bits)))?,
                _ => cursor.skip(number, kind, MAX_DEPTH - 2)?,
            }
        }
        Ok(facts)
    }

    fn bound(&mut self, bound: f64) {
        // NaN is not above anything
        self.bounds_rise &= bound > self.last_bound && bound < f64::INFINITY;
        self.last_bound = bound;
        self.bounds += 1;
    }

    fn fault(&self) -> Option<Fault> {
        let custom = self.schema == CUSTOM;
        if !custom && !EXPONENTIAL.contains(&self.schema) {
            return Some(Fault::Schema);
        }
        let integers = matches!(self.count, Number::Integer(_));
        let fits = |side: &Side| side.fits(integers);
        if !fits(&self.positive) || !fits(&self.negative) {
            return Some(Fault::Buckets);
        }
        if custom && !self.fits_bounds() || !custom && self.bounds > 0 {
            return Some(Fault::Buckets);
        }
        match self.count {
            Number::Integer(count) => self.miscounts(count).then_some(Fault::Count),
            // sums of floats depend on their order
            Number::Float => None,
        }
    }

    /// Whether the buckets are those between its own bounds: nothing below zero, nor at it, and none that has no bound.
    fn fits_bounds(&self) -> bool {
        let none_below = self.negative.spans == 0 && matches!(self.zero, Number::Integer(0));
        let reaches = u64::try_from(self.positive.reach).is_ok_and(|reach| reach <= self.bounds + 1);
        none_below
            && self.zero_threshold == 0.0
            && self.bounds_rise
            && reaches
            && !self.positive.starts_before
    }

    /// Whether it counts other than its buckets do. What is not a number is counted, but is in no bucket.
    fn miscounts(&self, count: u64) -> bool {
        let zero = match self.zero {
            Number::Integer(zero) => zero,
            Number::Float => 0,
        };
        let in_buckets =
            self.positive.sum.checked_add(self.negative.sum).and_then(|sum| sum.checked_add(zero));
        let not_a_number = f64::from_bits(self.sum_bits).is_nan();
        in_buckets.is_none_or(|buckets| if not_a_number { buckets > count } else { buckets != count })
    }
}

impl Side {
    fn span(&mut self, mut span: Cursor<'_>) -> Result<(), WireError> {
        let (mut offset, mut length) = (0, 0);
        while !span.is_done() {
            match span.key()? {
                (1, WireType::Varint) => offset = signed(span.varint()?) as i32,
                (2, WireType::Varint) => length = span.varint()? & u64::from(u32::MAX),
                (number, kind) => span.skip(number, kind, MAX_DEPTH - 3)?,
            }
        }
        self.goes_back |= self.spans > 0 && offset < 0;
        self.starts_before |= self.spans == 0 && offset < 0;
        self.spans += 1;
        // a body has less than 2^32 bytes, and so fewer spans
        self.covered += length;
        self.reach = self.reach.saturating_add(i64::from(offset)).saturating_add(length as i64);
        Ok(())
    }

    fn delta(&mut self, delta: u64) {
        let count = self.last.checked_add(signed(delta));
        let sum = count.and_then(|count| self.sum.checked_add(u64::try_from(count).ok()?));
        match (count, sum) {
            (Some(count), Some(sum)) => (self.last, self.sum) = (count, sum),
            _ => self.impossible = true,
        }
        self.deltas += 1;
    }

    /// Whether there are as many buckets as the spans cover.
    fn fits(&self, integers: bool) -> bool {
        let buckets = if integers { self.deltas } else { self.floats };
        buckets == self.covered && !self.goes_back && !(integers && self.impossible)
    }
}

/// Shows the numbers of a field: packed, or a single one.
fn varints(cursor: &mut Cursor<'_>, kind: WireType, mut visit: impl FnMut(u64)) -> Result<(), WireError> {
    if kind != WireType::Len {
        visit(cursor.varint()?);
        return Ok(());
    }
    let mut packed = cursor.message()?;
    while !packed.is_done() {
        visit(packed.varint()?);
    }
    Ok(())
}

/// The same of doubles, by their bits.
fn doubles(cursor: &mut Cursor<'_>, kind: WireType, mut visit: impl FnMut(u64)) -> Result<(), WireError> {
    if kind != WireType::Len {
        visit(cursor.fixed64()?);
        return Ok(());
    }
    let mut packed = cursor.message()?;
    while !packed.is_done() {
        visit(packed.fixed64()?);
    }
    Ok(())
}

/// A number that protobuf writes with its sign last (`sint32`, `sint64`).
fn signed(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use seriesgate_proto::{BucketSpan, Histogram, histogram::Count, histogram::ZeroCount};

    use super::*;

    fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    /// Three buckets above zero with 1, 3 and 2, one below with 4, and 5 at zero.
    fn good() -> Histogram {
        Histogram {
            count: Some(Count::CountInt(15)),
            zero_count: Some(ZeroCount::ZeroCountInt(5)),
            sum: 7.0,
            schema: 3,
            zero_threshold: 0.001,
            positive_spans: vec![span(-2, 2), span(3, 1)],
            positive_deltas: vec![1, 2, -1],
            negative_spans: vec![span(0, 1)],
            negative_deltas: vec![4],
            timestamp: 1,
            ..Histogram::default()
        }
    }

    /// With bounds of its own.
    fn custom() -> Histogram {
        Histogram {
            count: Some(Count::CountInt(6)),
            schema: CUSTOM,
            positive_spans: vec![span(0, 3)],
            positive_deltas: vec![1, 2, -1],
            custom_values: vec![0.5, 1.0],
            ..Histogram::default()
        }
    }

    fn floats() -> Histogram {
        Histogram {
            count: Some(Count::CountFloat(9.5)),
            zero_count: Some(ZeroCount::ZeroCountFloat(0.5)),
            positive_spans: vec![span(0, 2)],
            positive_counts: vec![4.0, 4.5],
            ..Histogram::default()
        }
    }

    fn found(histogram: &Histogram) -> Option<Fault> {
        let bytes = histogram.encode_to_vec();
        fault(&bytes, 0, bytes.len()).unwrap()
    }

    fn with(base: fn() -> Histogram, change: impl FnOnce(&mut Histogram)) -> Option<Fault> {
        let mut histogram = base();
        change(&mut histogram);
        found(&histogram)
    }

    #[test]
    fn what_agrees_is_right() {
        assert_eq!([good, custom, floats].map(|base| found(&base())), [None; 3]);
        assert_eq!(found(&Histogram::default()), None, "an empty one");
        let ends = |of: &mut Histogram| (of.sum, of.count) = (f64::from_bits(STALE_MARKER), None);
        assert_eq!(with(good, ends), None, "the end of a series");
        let more = |of: &mut Histogram| (of.sum, of.count) = (f64::NAN, Some(Count::CountInt(16)));
        assert_eq!(with(good, more), None, "what is not a number is in no bucket");
        for schema in [-4, 8, 52] {
            assert_eq!(with(good, |of| of.schema = schema), None, "{schema}");
        }
        // an empty span is none that could go back
        assert_eq!(with(good, |of| of.positive_spans = vec![span(5, 0), span(0, 3)]), None);
        assert_eq!(with(floats, |of| of.count = Some(Count::CountFloat(9.500_001))), None);
    }

    #[test]
    fn what_contradicts_itself_is_found() {
        let count = |by: u64| move |of: &mut Histogram| of.count = Some(Count::CountInt(by));
        for (what, fault, expected) in [
            ("too few", with(good, count(14)), Fault::Count),
            ("too many", with(good, count(16)), Fault::Count),
            ("NaN and too few", with(good, |of| (of.sum, of.count) = (f64::NAN, None)), Fault::Count),
            ("nothing counted", with(good, |of| of.count = None), Fault::Count),
            ("a bucket more", with(good, |of| of.positive_deltas.push(0)), Fault::Buckets),
            ("no buckets", with(good, |of| of.negative_deltas.clear()), Fault::Buckets),
            ("a span more", with(good, |of| of.negative_spans.push(span(0, 1))), Fault::Buckets),
            ("back", with(good, |of| of.positive_spans[1].offset = -1), Fault::Buckets),
            ("less than nothing", with(good, |of| of.positive_deltas = vec![1, 2, -4]), Fault::Buckets),
            ("past counting", with(good, |of| of.positive_deltas = vec![i64::MAX, 1, 0]), Fault::Buckets),
            ("of the other kind", with(good, |of| of.count = Some(Count::CountFloat(15.0))), Fault::Buckets),
            ("floats", with(floats, |of| of.positive_counts.push(1.0)), Fault::Buckets),
            ("huge", with(good, |of| of.positive_spans[0].length = u32::MAX), Fault::Buckets),
            ("bounds of no use", with(good, |of| of.custom_values.push(1.0)), Fault::Buckets),
            ("bounds that fall", with(custom, |of| of.custom_values = vec![1.0, 1.0]), Fault::Buckets),
            ("without end", with(custom, |of| of.custom_values[1] = f64::INFINITY), Fault::Buckets),
            ("no number", with(custom, |of| of.custom_values[1] = f64::NAN), Fault::Buckets),
            ("beyond", with(custom, |of| of.positive_spans[0].offset = 1), Fault::Buckets),
            ("before", with(custom, |of| of.positive_spans[0].offset = -1), Fault::Buckets),
            ("at zero", with(custom, |of| of.zero_threshold = 0.1), Fault::Buckets),
            ("schema", with(good, |of| of.schema = -5), Fault::Schema),
            ("schema", with(good, |of| of.schema = 53), Fault::Schema),
        ] {
            assert_eq!(fault, Some(expected), "{what}");
        }
    }

    #[test]
    fn numbers_may_come_one_by_one() {
        // count 3, two spans of one, deltas 1 and 1 unpacked
        let bytes = [0x08, 3, 0x5a, 2, 0x10, 1, 0x60, 2, 0x5a, 2, 0x10, 1, 0x60, 2];
        assert_eq!(fault(&bytes, 0, bytes.len()), Ok(None));
        let packed = [0x08, 3, 0x5a, 2, 0x10, 2, 0x62, 2, 2, 2];
        assert_eq!(fault(&packed, 0, packed.len()), Ok(None));
    }

    proptest::proptest! {
        /// Whatever bytes there are: an answer or an error.
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(0u8..=255, 0..200)) {
            let _any = fault(&bytes, 0, bytes.len());
            // nearly always it is one whose fields are of the right kinds
            let mut numbers = bytes.iter().map(|byte| i64::from(*byte) << (*byte % 60));
            let mut next = || numbers.next().unwrap_or_default();
            let histogram = Histogram {
                count: Some(Count::CountInt(next() as u64)),
                schema: next() as i32 % 60,
                positive_spans: vec![span(next() as i32, next() as u32), span(next() as i32, next() as u32)],
                positive_deltas: vec![next(), next().wrapping_neg(), next()],
                ..good()
            };
            let bytes = histogram.encode_to_vec();
            proptest::prop_assert!(fault(&bytes, 0, bytes.len()).is_ok());
        }
    }
}
