//! Checks the rare parts of a message (exemplars, histograms, metadata, unusual samples) field by field.
//!
//! The walk itself looks only at labels and plain samples. What it does not look into must still be what a
//! receiver will be able to decode: one broken exemplar would cost the whole request upstream.

use super::cursor::{Cursor, MAX_DEPTH, WireError, WireErrorKind, WireType};

/// What a field holds.
enum Holds {
    /// int32, int64, uint64, sint, enum.
    Varint,
    /// double.
    Double,
    /// UTF-8 text.
    Text,
    /// A nested message.
    Message(&'static Schema),
    /// Repeated varints, packed or not.
    Varints,
    /// Repeated doubles, packed or not.
    Doubles,
}

/// A message: what each field holds, by field number.
pub struct Schema(&'static [(u32, Holds)]);

/// `prometheus.Label`.
pub static LABEL: Schema = Schema(&[(1, Holds::Text), (2, Holds::Text)]);
/// `prometheus.Sample`.
pub static SAMPLE: Schema = Schema(&[(1, Holds::Double), (2, Holds::Varint)]);
/// `prometheus.Exemplar`.
pub static EXEMPLAR: Schema = Schema(&[(1, Holds::Message(&LABEL)), (2, Holds::Double), (3, Holds::Varint)]);
static BUCKET_SPAN: Schema = Schema(&[(1, Holds::Varint), (2, Holds::Varint)]);
/// The fields that `Histogram` has in both versions, and more.
macro_rules! histogram {
    ($($more:expr),*) => {
        Schema(&[
            (1, Holds::Varint),
            (2, Holds::Double),
            (3, Holds::Double),
            (4, Holds::Varint),
            (5, Holds::Double),
            (6, Holds::Varint),
            (7, Holds::Double),
            (8, Holds::Message(&BUCKET_SPAN)),
            (9, Holds::Varints),
            (10, Holds::Doubles),
            (11, Holds::Message(&BUCKET_SPAN)),
            (12, Holds::Varints),
            (13, Holds::Doubles),
            (14, Holds::Varint),
            (15, Holds::Varint),
            (16, Holds::Doubles),
            $($more),*
        ])
    };
}

/// `prometheus.Histogram`.
pub static HISTOGRAM: Schema = histogram!();
/// `io.prometheus.write.v2.Histogram`: with a start timestamp.
pub static HISTOGRAM_V2: Schema = histogram!((17, Holds::Varint));
/// `io.prometheus.write.v2.Sample`: with a start timestamp.
pub static SAMPLE_V2: Schema = Schema(&[(1, Holds::Double), (2, Holds::Varint), (3, Holds::Varint)]);
/// `io.prometheus.write.v2.Exemplar`: its labels are references.
pub static EXEMPLAR_V2: Schema = Schema(&[(1, Holds::Varints), (2, Holds::Double), (3, Holds::Varint)]);
/// `io.prometheus.write.v2.Metadata`: help and unit are references.
pub static METADATA_V2: Schema = Schema(&[(1, Holds::Varint), (3, Holds::Varint), (4, Holds::Varint)]);
/// `prometheus.MetricMetadata`.
pub static METADATA: Schema =
    Schema(&[(1, Holds::Varint), (2, Holds::Text), (4, Holds::Text), (5, Holds::Text)]);

/// Whether all text in a message is UTF-8. Text that is not costs its series, not the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// All of it.
    Utf8,
    /// Some of it is not.
    Invalid,
}

/// Checks the message between `cursor.at` and `cursor.end`.
///
/// # Errors
/// If a protobuf decoder would refuse the message for anything but invalid UTF-8.
pub(super) fn check(cursor: Cursor<'_>, schema: &Schema) -> Result<Text, WireError> {
    check_at(cursor, schema, MAX_DEPTH - 2)
}

fn check_at(mut cursor: Cursor<'_>, schema: &Schema, depth: u32) -> Result<Text, WireError> {
    let mut text = Text::Utf8;
    while !cursor.is_done() {
        let start = cursor;
        let (number, kind) = cursor.key()?;
        let Some((_, holds)) = schema.0.iter().find(|(n, _)| *n == number) else {
            cursor.skip(number, kind, depth)?;
            continue;
        };
        match (holds, kind) {
            (Holds::Varint | Holds::Varints, WireType::Varint)
            | (Holds::Double | Holds::Doubles, WireType::Fixed64) => cursor.skip(number, kind, depth)?,
            (Holds::Text, WireType::Len) => {
                if std::str::from_utf8(cursor.message()?.slice()).is_err() {
                    text = Text::Invalid;
                }
            }
            (Holds::Message(inner), WireType::Len) => {
                if check_at(cursor.message()?, inner, depth - 1)? == Text::Invalid {
                    text = Text::Invalid;
                }
            }
            (Holds::Varints, WireType::Len) => {
                let mut packed = cursor.message()?;
                while !packed.is_done() {
                    packed.varint()?;
                }
            }
            (Holds::Doubles, WireType::Len) => {
                let packed = cursor.message()?;
                if packed.slice().len() % 8 != 0 {
                    return Err(packed.error(WireErrorKind::Length));
                }
            }
            _ => return Err(start.error(WireErrorKind::WireType)),
        }
    }
    Ok(text)
}
