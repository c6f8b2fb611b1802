//! First stages: which series a request has, as remote write 1.0, and what the index knows of them.

use super::ahead::Reader;
use super::expand::Expansion;
use super::outcome::{Outcome, Undecodable};
use super::recognise::Recogniser;
use super::scan::FieldRoom;
use super::scratch::{ReadScratch, Request};
use super::{Origin, Pipeline, Policies};
use crate::series::{Fingerprint, Tenant};
use crate::wire::Message;

/// What a request is read with.
pub(super) struct Reading<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) policies: &'a Policies,
    pub(super) tenant: Tenant,
    pub(super) origin: Origin<'a>,
    /// What is later is too late, Unix milliseconds.
    pub(super) latest_ms: Option<i64>,
    /// Bytes that it may have, decoded and as 1.0.
    pub(super) most: usize,
    pub(super) now: u32,
}

/// How it was read.
pub(super) struct Read<'b> {
    /// The request as 1.0.
    pub(super) body: &'b [u8],
    pub(super) expansion: &'b Expansion,
    /// Whether nothing was taken out of it because it is too late.
    pub(super) is_whole: bool,
    /// Fields of room that are held beside its series.
    pub(super) beside: usize,
}

impl Reading<'_> {
    /// Reads a decoded body, and asks the index about its series.
    pub(super) fn run<'b>(
        &self,
        came: &'b [u8],
        scratch: &'b mut ReadScratch,
        request: &mut Request,
        outcome: &mut Outcome,
        room: FieldRoom<'_>,
    ) -> Result<Read<'b>, Undecodable> {
        let Self { tenant, origin, latest_ms, most, .. } = *self;
        let ReadScratch { expansion, texts, timely } = scratch;
        if let Some(recogniser) = self.recogniser()
            && let Some(beside) = recogniser.run(came, (&mut *expansion, texts), request, &mut *room)?
        {
            return Ok(Read { body: expansion.body(), expansion, is_whole: true, beside });
        }
        let beside = expansion.read(origin.message, came, most, &mut *room, outcome)?;
        let room: FieldRoom<'_> = &mut |fields| room(fields.saturating_add(beside));
        let expansion = &*expansion;
        let body = if origin.message == Message::V1 { came } else { expansion.body() };
        let reader = Reader { latest_ms, timely, request, outcome, room };
        let prints = &self.pipeline.prints;
        let (body, is_whole) = match tenant {
            Tenant::Known { key, .. } => reader.scan(body, |labels| prints.fingerprint(labels, key))?,
            Tenant::Overflow => reader.scan(body, |_| Fingerprint::default())?,
        };
        if let Tenant::Known { .. } = tenant {
            let Request { probes, order, .. } = request;
            self.pipeline.index.touch(probes, order, self.now, self.policies.generation);
        }
        Ok(Read { body, expansion, is_whole, beside })
    }

    /// For what goes on as 2.0.
    fn recogniser(&self) -> Option<Recogniser<'_>> {
        let Self { policies, latest_ms, most, now, .. } = *self;
        let Pipeline { index, prints, speller, .. } = self.pipeline;
        match self.tenant {
            Tenant::Known { key: tenant, .. } if self.origin.stays_v2() => {
                let generation = policies.generation;
                Some(Recogniser { index, prints, speller, tenant, now, generation, latest_ms, most })
            }
            _ => None,
        }
    }
}
