//! Last stage: the body with what was cut out and put in, compressed; or a word that it can go as it came.

use super::compose::{InV2, compose, started};
use super::metadata;
use super::outcome::{Body, Outcome, Undecodable};
use super::scratch::{Cut, Request, RewriteScratch};
use crate::codec::{CodecError, Packer};
use crate::series::Fingerprinter;
use crate::wire::v2::Composer;
use crate::wire::{Form, Message};

/// What a body is made of.
pub(super) struct Splice<'a> {
    /// The request in 1.0.
    pub(super) body: &'a [u8],
    /// Where it came in 2.0: the same in that.
    pub(super) in_v2: InV2<'a>,
    /// How it came; `None` where something was taken out of it already.
    pub(super) came: Option<Form>,
    /// How it goes on; 2.0 only if it came so.
    pub(super) wanted: Form,
    /// Whose it is, and what names are hashed with.
    pub(super) scope: (&'a Fingerprinter, &'a str),
}

impl Splice<'_> {
    /// Decides what goes upstream and makes it where the body cannot go as it came.
    pub(super) fn run(
        &self,
        request: &mut Request,
        rewrite: &RewriteScratch,
        (composer, packer): (&mut Composer, &mut Packer),
        outcome: &mut Outcome,
    ) -> Result<(), Undecodable> {
        outcome.plain_bytes = self.body.len().max(self.in_v2.expansion.plain_bytes);
        outcome.started = started(self.in_v2.expansion, request);
        if self.wanted.message == Message::V1 {
            metadata::collect(self.body, self.in_v2, request, self.scope, &mut outcome.metadata);
        }
        if request.kept_series == 0 && request.end_markers.is_empty() && request.metadata == 0 {
            outcome.body = Body::Nothing;
            outcome.effects.aggregated.forwarded = false;
            return Ok(());
        }
        outcome.form = self.wanted;
        outcome.effects.aggregated.forwarded = true;
        cut_metadata(request, rewrite.plain.len() as u32);
        if request.cuts.is_empty() && self.came == Some(self.wanted) {
            outcome.body = Body::Untouched;
            return Ok(());
        }
        let packed = match self.wanted.message {
            Message::V1 => self.pack_v1(request, &rewrite.plain, packer)?,
            Message::V2 => {
                let pieces = (&rewrite.plain[..], &rewrite.pieces[..]);
                let body = compose(self.in_v2, request, pieces, composer).map_err(Undecodable::WireV2)?;
                packer.pack(self.wanted.encoding, body)?
            }
        };
        outcome.spliced.extend_from_slice(packed);
        outcome.body = Body::Spliced;
        Ok(())
    }

    /// The body of 1.0 with its cuts.
    fn pack_v1<'p>(
        &self,
        request: &Request,
        plain: &[u8],
        packer: &'p mut Packer,
    ) -> Result<&'p [u8], CodecError> {
        let removed: usize = request.cuts.iter().map(|cut| (cut.end - cut.start) as usize).sum();
        packer.start(self.wanted.encoding, self.body.len() - removed + plain.len());
        let mut kept_from = 0;
        for cut in &request.cuts {
            packer.push(&self.body[kept_from..cut.start as usize])?;
            packer.push(&plain[cut.plain_start as usize..cut.plain_end as usize])?;
            kept_from = cut.end as usize;
        }
        packer.push(&self.body[kept_from..])?;
        packer.finish()
    }
}

/// Adds the metadata that cannot be accepted to the cuts.
fn cut_metadata(request: &mut Request, plain_end: u32) {
    if request.bad_metadata.is_empty() {
        return;
    }
    let cuts = request.bad_metadata.drain(..);
    request.cuts.extend(cuts.map(|(start, end)| Cut { start, end, plain_start: plain_end, plain_end }));
    request.cuts.sort_unstable_by_key(|cut| cut.start);
}
