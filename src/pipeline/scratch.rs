//! Buffers of one worker, used for one request at a time and kept for the next.

use crate::codec::snappy::Gatherer;
use crate::policy::VerdictId;
use crate::series::{Invalid, Probe};

/// One series of the request in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The whole field: tag, length, content.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The label run (or the whole content where labels are scattered).
    pub(super) labels_start: u32,
    pub(super) labels_end: u32,
    pub(super) samples: u32,
    pub(super) histograms: u32,
    pub(super) exemplars: u32,
    pub(super) fate: Fate,
}

/// What becomes of a series in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not decided yet.
    Open,
    /// As the policies say.
    Verdict(VerdictId),
    /// Cannot be accepted.
    Rejected(Invalid),
}

/// The request in hand.
#[derive(Default)]
pub(super) struct Request {
    /// Its series, in order.
    pub(super) slots: Vec<Slot>,
    /// A question to the index for each of them.
    pub(super) probes: Vec<Probe>,
    /// Order in which the index answers.
    pub(super) order: Vec<u32>,
    /// Metadata entries.
    pub(super) metadata: u32,
    /// Metadata entries that cannot be accepted: where they start and end.
    pub(super) bad_metadata: Vec<(u32, u32)>,
    /// Fields taken out, in order.
    pub(super) removed: Vec<(u32, u32)>,
    /// Place in `Outcome::by_verdict` of each verdict row, plus one; zeroed after use.
    pub(super) rows: Vec<u32>,
}

/// Buffers for what the index could not answer.
#[derive(Default)]
pub(super) struct JudgeScratch {
    /// Second questions, for bytes that stand for another identity.
    pub(super) probes: Vec<Probe>,
    /// Which slot each of them is about.
    pub(super) slots: Vec<u32>,
    pub(super) order: Vec<u32>,
    /// A canonical label block.
    pub(super) canonical: Vec<u8>,
}

/// Buffers of one worker. They grow to the largest request seen and are bounded by the decoded-size limit.
#[derive(Default)]
pub struct Scratch {
    pub(super) decoded: Vec<u8>,
    pub(super) request: Request,
    pub(super) judge: JudgeScratch,
    pub(super) gatherer: Gatherer,
}

impl Scratch {
    /// Bytes held. A worker throws away a scratch that one huge request has blown up.
    pub fn capacity(&self) -> usize {
        self.decoded.capacity()
            + self.request.slots.capacity() * size_of::<Slot>()
            + self.request.probes.capacity() * size_of::<Probe>()
            + self.judge.probes.capacity() * size_of::<Probe>()
            + self.gatherer.capacity()
    }
}
