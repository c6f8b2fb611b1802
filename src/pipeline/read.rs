//! The first stages: a body in, a request of which each series has a slot; what is against the rules is mended or marked by then.

use super::ahead;
use super::expand::Expansion;
use super::outcome::{Outcome, Undecodable};
use super::recognise::Recogniser;
use super::scan::{FIELD_BYTES, FieldRoom};
use super::scratch::Request;
use super::texts::Texts;
use super::validate::{self, Mended, Validator};
use crate::codec::{self, zstd};
use crate::config::Validation;
use crate::series::Fingerprint;
use crate::wire::Message;

/// What a request that is mended takes without a room of its own, bytes.
const FREE_BYTES: usize = 1 << 20;

/// Buffers, made to be used again.
#[derive(Default)]
pub(super) struct Buffers {
    decoder: zstd::Decoder,
    decoded: Vec<u8>,
    /// The same as remote write 1.0, where it is 2.0.
    expansion: Expansion,
    texts: Texts,
    validation: validate::Buffers,
    /// The same without what is too far in the future.
    timely: Vec<u8>,
}

/// By what a body is read.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) message: Message,
    /// Bytes of a body at most.
    pub(super) most: usize,
    pub(super) validation: Validation,
    /// What is later is taken out, Unix milliseconds; `None`: nothing is.
    pub(super) latest_ms: Option<i64>,
}

/// A body that was read.
pub(super) struct Read<'s> {
    /// In the form of 1.0.
    pub(super) body: &'s [u8],
    /// As it came; of 2.0 with series that were mended behind it.
    pub(super) came: &'s [u8],
    pub(super) expansion: &'s Expansion,
    pub(super) request: &'s mut Request,
    /// Whether nothing that is too late was taken out.
    pub(super) is_timely: bool,
    /// Whether series of it were mended.
    pub(super) is_mended: bool,
    /// Whether the index was asked already.
    pub(super) is_asked: bool,
    /// Fields of room that are held for it.
    pub(super) beside: usize,
}

impl Buffers {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        let Self { decoder, decoded, expansion, texts, validation, timely } = self;
        let copies = decoded.capacity() + timely.capacity();
        decoder.bytes() + copies + expansion.capacity() + texts.capacity() + validation.capacity()
    }

    /// The first bytes of the body that was decoded last.
    pub(super) fn decoded(&self, bytes: usize) -> &[u8] {
        self.decoded.get(..bytes).unwrap_or_default()
    }

    /// Decodes a body.
    pub(super) fn open<'s>(
        &'s mut self,
        compressed: &'s [u8],
        rules: Rules,
        outcome: &mut Outcome,
    ) -> Result<Opened<'s>, Undecodable> {
        let Self { decoder, decoded, expansion, texts, validation, timely } = self;
        let came = codec::decode(decoder, compressed, rules.most, decoded)?;
        outcome.decoded_bytes = came.len() as u64;
        Ok(Opened { came, expansion, texts, validation, timely, rules })
    }
}

/// A body that can be read.
pub(super) struct Opened<'s> {
    came: &'s [u8],
    expansion: &'s mut Expansion,
    texts: &'s mut Texts,
    validation: &'s mut validate::Buffers,
    timely: &'s mut Vec<u8>,
    rules: Rules,
}

impl<'s> Opened<'s> {
    /// Reads it: by its texts where there is somebody who can, and where that is not enough as 1.0.
    #[inline]
    pub(super) fn read(
        self,
        recogniser: Option<Recogniser<'_>>,
        request: &'s mut Request,
        fingerprint: impl Fn(&[u8]) -> Fingerprint,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<Read<'s>, Undecodable> {
        let Self { came, expansion, texts, validation, rules, .. } = self;
        if let Some(recogniser) = recogniser
            && let Some(beside) =
                recogniser.run(came, (&mut *expansion, texts, &mut *validation), request, &mut *room)?
        {
            let (body, is_timely, is_mended, is_asked) = (expansion.body(), true, false, true);
            return Ok(Read { body, came, expansion, request, is_timely, is_mended, is_asked, beside });
        }
        let beside = expansion.read(rules.message, came, rules.most, &mut *room, outcome)?;
        let opened = Opened { came, expansion, texts, validation, timely: self.timely, rules };
        opened.scan(beside, request, fingerprint, room, outcome)
    }

    /// Reads it as 1.0.
    #[inline]
    fn scan(
        self,
        mut beside: usize,
        request: &'s mut Request,
        fingerprint: impl Fn(&[u8]) -> Fingerprint,
        room: FieldRoom<'_>,
        outcome: &mut Outcome,
    ) -> Result<Read<'s>, Undecodable> {
        let Self { came, expansion, validation, timely, rules, .. } = self;
        let Rules { message, latest_ms, validation: level, .. } = rules;
        request.gone.clear();
        let plain = plain_body(message, came, expansion);
        request.scan(plain, &fingerprint, &mut |fields| room(fields.saturating_add(beside)))?;
        let validate::Buffers { sifted, mending } = validation;
        let mut validator = Validator { level, message, came, expansion, sifted };
        let more: FieldRoom<'_> = &mut |fields| room(fields.saturating_add(beside));
        let mended = if validator.look(plain, request, mending, more)? {
            let bytes = plain.len() + 2 * came.len() + mending.planned(0);
            beside += if bytes > FREE_BYTES { bytes / FIELD_BYTES } else { 0 };
            if !room(request.slots.len().saturating_add(beside)) {
                return Err(Undecodable::NoRoom);
            }
            Some(validator.mend(plain, request, mending, outcome)?)
        } else {
            None
        };
        let room: FieldRoom<'_> = &mut |fields| room(fields.saturating_add(beside));
        let is_mended = mended.is_some();
        let (body, came, expansion) = match mended {
            None => (plain_body(message, came, expansion), came, &*expansion),
            Some(Mended { plain, came: mended, frames }) => {
                expansion.replace_frames(frames);
                let fingerprint: &dyn Fn(&[u8]) -> Fingerprint = &fingerprint;
                request.scan(plain, fingerprint, &mut *room)?;
                (plain, if message == Message::V1 { came } else { mended }, &*expansion)
            }
        };
        let reader = ahead::Reader { latest_ms, timely, request: &mut *request, outcome, room };
        let (body, is_timely) = reader.rest(body, &fingerprint)?;
        if is_mended || !is_timely {
            Validator { level, message, came, expansion, sifted }.look_again(body, request)?;
        }
        Ok(Read { body, came, expansion, request, is_timely, is_mended, is_asked: false, beside })
    }
}

/// A request in the form of 1.0.
fn plain_body<'s>(message: Message, came: &'s [u8], expansion: &'s Expansion) -> &'s [u8] {
    match message {
        Message::V1 => came,
        Message::V2 => expansion.body(),
    }
}
