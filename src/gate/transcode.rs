//! A body in another form: where an upstream does not take the one that it is in.

use bytes::Bytes;

use super::attach::Attach;
use crate::codec::{self, Packer, zstd};
use crate::wire::labels::LabelRun;
use crate::wire::v1;
use crate::wire::v2::{self, Composer, Symbols};
use crate::wire::{Form, Message};

/// No body is longer: it was checked against the limit of the config when it came.
const MOST: usize = u32::MAX as usize / 2;

/// A body in another form.
pub(super) enum Transcoded {
    /// It.
    Body(Bytes),
    /// Nothing of it can be said in that form: metadata has no message of its own in 2.0, and is kept for series.
    Nothing,
}

/// A body that is in one form, in another; as 2.0 it says what `attach` has to say of its metrics. `None` where it is not in the first.
pub(super) fn transcode(body: &[u8], from: Form, to: Form, attach: &mut Attach<'_>) -> Option<Transcoded> {
    let mut decoded = Vec::new();
    let raw = codec::decode(&mut zstd::Decoder::default(), body, MOST, &mut decoded).ok()?;
    let mut composer = Composer::default();
    let mut expanded = Vec::new();
    let plain = match (from.message, to.message) {
        (Message::V2, Message::V1) => {
            expand(raw, &mut expanded)?;
            &expanded
        }
        (Message::V1, Message::V2) => match compose(raw, &mut composer, attach)? {
            0 => return Some(Transcoded::Nothing),
            _ => composer.finish(),
        },
        _ => raw,
    };
    let mut packer = Packer::default();
    let packed = packer.pack(to.encoding, plain).ok()?;
    Some(Transcoded::Body(Bytes::copy_from_slice(packed)))
}

/// Bytes that [`transcode`] holds for a body: what it decodes to, that in the other message (`plain` bytes, if it is 1.0), and
/// the result.
pub(super) fn holds(body: &[u8], plain: usize) -> usize {
    let decoded = codec::decoded_len(body, u32::MAX as usize).unwrap_or(0);
    // 2.0 is shorter than 1.0, and is made in two parts; snappy makes nothing longer by more than a sixth
    let other = plain.max(decoded);
    decoded.saturating_add(3 * other)
}

fn expand(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut symbols = Symbols::default();
    symbols.read(raw).ok()?;
    for field in v2::Fields::new(raw) {
        let field = field.ok()?;
        if field.kind == v2::FieldKind::Series {
            let said = v2::expand((raw, &symbols), &field, out, MOST).ok()?.ok()?;
            if said.broken {
                return None;
            }
        }
    }
    Some(())
}

/// Composes the series of a body of 1.0; says how many.
fn compose(raw: &[u8], composer: &mut Composer, attach: &mut Attach<'_>) -> Option<usize> {
    composer.start();
    attach.learn(raw);
    let may_say = attach.may_say();
    // neighbours are mostly of one metric
    let mut last: &[u8] = b"";
    let mut series = 0;
    for field in v1::Fields::new(raw) {
        let field = field.ok()?;
        if field.kind == v1::FieldKind::Series {
            let content = &raw[field.content..field.end];
            let name = if may_say { metric(content) } else { b"" };
            if name == last {
                composer.add_v1(content).ok()?;
            } else {
                last = name;
                attach.say(name, |said| composer.add_v1_saying(content, said)).ok()?;
            }
            series += 1;
        }
    }
    Some(series)
}

/// The name of a series.
fn metric(content: &[u8]) -> &[u8] {
    let mut labels = LabelRun::new(content, 0, content.len()).map_while(Result::ok);
    labels.find(|label| label.name == b"__name__").map_or(b"", |label| label.value)
}
