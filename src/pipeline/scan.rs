//! First stage: what fields there are, how many samples, and which series by the bytes of its labels.

use super::context::seconds;
use super::outcome::{NewSeries, Undecodable};
use super::scratch::{Cut, PolicyHit, Request, Slot, SlotState};
use super::validate::SIFTED_BYTES;
use crate::series::identity::Form;
use crate::series::{Fingerprint, FollowUp, Found, Invalid, Probe};
use crate::wire::schema::Text;
use crate::wire::v1::{self, Field, FieldKind, Fields, SeriesFrame};
use crate::wire::{WireError, WireErrorKind};

/// Fields of a request at most. A series may be as short as two bytes: without a bound, a body of a few megabytes would
/// make us hold gigabytes.
const MAX_FIELDS: usize = 1 << 20;

/// So many fields need no room of their own.
pub(super) const FEW_FIELDS: usize = 4096;

/// What a field of a request takes at most while it is decided, beside the body, bytes.
pub const FIELD_BYTES: usize = 512;

const _: () = {
    let to_be_read = size_of::<Slot>()
        + 2 * size_of::<Probe>()
        + size_of::<Cut>()
        + size_of::<PolicyHit>()
        + 16
        + SIFTED_BYTES;
    let to_be_learned =
        size_of::<NewSeries>() + size_of::<(Fingerprint, Fingerprint)>() + 16 * size_of::<u64>();
    assert!(to_be_read + to_be_learned <= FIELD_BYTES);
};

/// Asked for room for so many fields of a request, of [`FIELD_BYTES`] each.
pub type FieldRoom<'r> = &'r mut dyn FnMut(usize) -> bool;

/// The fields of a body, as many as we take.
fn fields(body: &[u8], room: FieldRoom<'_>) -> impl Iterator<Item = Result<Field, Undecodable>> {
    let mut most = FEW_FIELDS;
    Fields::new(body).enumerate().map(move |(before, field)| {
        let field = field?;
        if before >= MAX_FIELDS {
            return Err(WireError { kind: WireErrorKind::TooManyFields, at: field.start }.into());
        }
        if before >= most {
            most *= 2;
            if !room(most) {
                return Err(Undecodable::NoRoom);
            }
        }
        Ok(field)
    })
}

impl Request {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.probes.clear();
        self.metadata = 0;
        self.newest_ms = i64::MIN;
        self.span_ms = None;
        self.bad_metadata.clear();
        self.loose.clear();
        self.end_markers.clear();
        self.spelled.clear();
    }

    /// Fills slots and probes from a decoded body.
    #[inline]
    pub(super) fn scan(
        &mut self,
        body: &[u8],
        fingerprint: impl Fn(&[u8]) -> Fingerprint,
        room: FieldRoom<'_>,
    ) -> Result<(), Undecodable> {
        self.clear();
        let mut rest = &[][..];
        for field in fields(body, room) {
            let field = field?;
            match field.kind {
                FieldKind::Series => {
                    let frame = v1::series_after(body, &field, &mut rest)?;
                    self.note_times(frame.newest_ms, frame.samples);
                    let known_by_bytes = frame.contiguous && frame.text == Text::Utf8;
                    self.probes.push(Probe {
                        fingerprint: if known_by_bytes {
                            fingerprint(&body[frame.labels.clone()])
                        } else {
                            Fingerprint::default()
                        },
                        sample_seconds: seconds(frame.newest_ms),
                        samples: frame.samples.min(u32::from(u16::MAX)) as u16,
                        ends: frame.ends,
                        follow_up: FollowUp::NONE,
                        found: if known_by_bytes { Found::Missing } else { Found::Skip },
                    });
                    self.slots.push(slot(&field, &frame));
                }
                FieldKind::Metadata => self.metadata_field(body, &field)?,
                FieldKind::Unknown => {}
            }
        }
        Ok(self.check_message(body)?)
    }

    /// Takes in when a series has its newest sample.
    #[inline]
    pub(super) fn note_times(&mut self, newest_ms: i64, samples: u32) {
        self.newest_ms = self.newest_ms.max(newest_ms);
        if samples > 0 {
            let (oldest, newest) = self.span_ms.unwrap_or((i64::MAX, i64::MIN));
            self.span_ms = Some((oldest.min(newest_ms), newest.max(newest_ms)));
        }
    }

    /// Protobuf reads any message as any other. One of which nothing is known would be answered 2xx, and lost.
    fn check_message(&self, body: &[u8]) -> Result<(), WireError> {
        let known = !self.slots.is_empty() || self.metadata > 0 || !self.bad_metadata.is_empty();
        if known || body.is_empty() {
            return Ok(());
        }
        Err(WireError { kind: WireErrorKind::OtherMessage, at: 0 })
    }

    fn metadata_field(&mut self, body: &[u8], field: &Field) -> Result<(), WireError> {
        match v1::metadata(body, field)? {
            Text::Utf8 => self.metadata += 1,
            Text::Invalid => self.bad_metadata.push((field.start as u32, field.end as u32)),
        }
        Ok(())
    }
}

/// Offsets fit: a decoded body is at most 4 GiB less one (checked with the config).
pub(super) fn slot(field: &Field, frame: &SeriesFrame) -> Slot {
    Slot {
        start: field.start as u32,
        end: field.end as u32,
        labels_start: frame.labels.start as u32,
        labels_end: frame.labels.end as u32,
        samples: frame.samples,
        histograms: frame.histograms,
        exemplars: frame.exemplars,
        edit: 0,
        end_marker: 0,
        // until it turns out otherwise
        form: Form::Canonical,
        scattered: !frame.contiguous,
        ends: frame.ends,
        state: if frame.text == Text::Invalid {
            SlotState::Rejected(Invalid::InvalidUtf8)
        } else {
            SlotState::Open
        },
    }
}
