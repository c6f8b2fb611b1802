//! Writes a request that was mended: in the form of 1.0, and where it came in 2.0, in that.

use super::Mended;
use super::mend::{Body, Change};
use crate::pipeline::expand::Frame;
use crate::pipeline::scratch::bytes;
use crate::wire::v2::{self, FieldKind};
use crate::wire::values::{self, Came};
use crate::wire::{Message, WireError};

/// Where a value stands: in the form of 1.0, and as it came.
#[derive(Clone, Copy)]
pub(super) struct Chosen {
    pub(super) plain: (u32, u32),
    pub(super) came: (u32, u32),
}

/// Buffers, made to be used again.
#[derive(Default)]
pub(super) struct Writer {
    plain: Vec<u8>,
    came: Vec<u8>,
    frames: Vec<Frame>,
    labels: Vec<u8>,
}

impl Writer {
    /// Bytes held.
    pub(super) fn capacity(&self) -> usize {
        self.plain.capacity() + self.came.capacity() + bytes(&self.frames)
    }

    /// Writes a request with these changes, in order.
    pub(super) fn write(
        &mut self,
        body: &Body<'_>,
        changes: &[Change],
        chosen: &[Chosen],
    ) -> Result<Mended<'_>, WireError> {
        self.frames.clear();
        self.came.clear();
        self.write_plain(body, changes, chosen)?;
        if body.message == Message::V2 {
            self.write_v2(body, changes, chosen)?;
        }
        let Self { plain, came, frames, .. } = self;
        Ok(Mended { plain, came, frames })
    }

    fn write_plain(
        &mut self,
        body: &Body<'_>,
        changes: &[Change],
        chosen: &[Chosen],
    ) -> Result<(), WireError> {
        self.plain.clear();
        let mut from = 0;
        for change in changes {
            let slot = &body.slots[change.slot as usize];
            self.plain.extend_from_slice(&body.plain[from..slot.start as usize]);
            from = slot.end as usize;
            if !change.gone {
                let values = of(change, chosen).iter().map(|value| value.plain);
                let values = values.map(|(start, end)| &body.plain[start as usize..end as usize]);
                let came = Came { message: Message::V1, body: body.plain, content: slot.content() };
                values::put(&mut self.plain, came, values, None)?;
            }
        }
        self.plain.extend_from_slice(&body.plain[from..]);
        Ok(())
    }

    /// What came, and behind it the series that were mended: so texts and all other series stand where they stood.
    fn write_v2(&mut self, body: &Body<'_>, changes: &[Change], chosen: &[Chosen]) -> Result<(), WireError> {
        let Self { came: out, frames, labels, .. } = self;
        out.extend_from_slice(body.came);
        frames.extend_from_slice(body.expansion.frames());
        for change in changes.iter().filter(|change| !change.gone) {
            let Some(frame) = frames.get_mut(change.slot as usize) else { continue };
            let content = frame.field.content..frame.field.end;
            if frame.said.emptied {
                let symbols = body.expansion.symbols();
                v2::put_labels_without_empty((body.came, symbols), content.clone(), labels)?;
            }
            let values = of(change, chosen).iter().map(|value| value.came);
            let values = values.map(|(start, end)| &body.came[start as usize..end as usize]);
            let start = out.len();
            let came = Came { message: Message::V2, body: body.came, content };
            let content = values::put(out, came, values, frame.said.emptied.then_some(&**labels))?;
            frame.field = v2::Field { kind: FieldKind::Series, start, content, end: out.len() };
            frame.said.emptied = false;
        }
        let mut gone = changes.iter().filter(|change| change.gone).map(|change| change.slot).peekable();
        let mut numbers = 0..;
        frames.retain(|_| numbers.next().is_none_or(|number| gone.next_if_eq(&number).is_none()));
        Ok(())
    }
}

/// The values of a series.
fn of<'c>(change: &Change, chosen: &'c [Chosen]) -> &'c [Chosen] {
    &chosen[change.values.0 as usize..change.values.1 as usize]
}
