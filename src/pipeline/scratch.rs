//! Buffers of one worker, used for one request at a time and kept for the next.

use super::read;
use crate::cardinality::ObserveScratch;
use crate::codec::Packer;
use crate::policy::{OwnedLabels, VerdictId};
use crate::series::identity::{Form, Place};
use crate::series::{Fingerprint, Invalid, Probe};
use crate::wire::labels::LabelRun;
use crate::wire::v1::{self, FieldKind, FirstSample};
use crate::wire::v2::Composer;

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
    /// Number of the edit, where the fate is to be rewritten.
    pub(super) edit: u32,
    /// Place in [`Request::end_markers`], plus one; 0: it goes on as what it was sent as.
    pub(super) end_marker: u32,
    pub(super) state: SlotState,
    /// Whether the label bytes are canonical; known once it is decided.
    pub(super) form: Form,
    /// Whether other fields stand between the labels.
    pub(super) scattered: bool,
    /// Whether the last sample is a stale marker.
    pub(super) ends: bool,
}

/// What becomes of a series in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotState {
    /// Not decided yet.
    Open,
    /// As the policies say.
    Verdict(VerdictId),
    /// Cannot be accepted.
    Rejected(Invalid),
}

/// What a series was sent as until now and is not any more; a stale marker says so in the series' place.
#[derive(Debug)]
pub(super) struct EndMarker {
    /// The edit of its labels; `None`: as they come.
    pub(super) script: Option<Box<[u8]>>,
    /// The first sample that is withheld.
    pub(super) at: FirstSample,
}

/// A part of the body that is taken out, and the part of [`RewriteScratch::plain`] that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) plain_start: u32,
    pub(super) plain_end: u32,
}

/// A series in [`RewriteScratch::plain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Place in [`Request::slots`] of the series that it stands before, or for.
    pub(super) slot: u32,
    /// Whether it is the end of what that was sent as; else it is the series itself, under other labels.
    pub(super) ends: bool,
    pub(super) start: u32,
    pub(super) end: u32,
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
    /// Series that were not known by their texts, and what they may be known by from now on.
    pub(super) spelled: Vec<(u32, Fingerprint)>,
    /// Metadata entries.
    pub(super) metadata: u32,
    /// The latest time in it, Unix milliseconds; `i64::MIN` where there is none.
    pub(super) newest_ms: i64,
    /// Newest samples of its series: the oldest and the newest of them, Unix milliseconds.
    pub(super) span_ms: Option<(i64, i64)>,
    /// Metadata entries that cannot be accepted: where they start and end.
    pub(super) bad_metadata: Vec<(u32, u32)>,
    /// Series that are sent on, in whatever form.
    pub(super) kept_series: usize,
    /// Series of which all is too far in the future: their numbers among those that came.
    pub(super) gone: Vec<u32>,
    /// What is taken out and what takes its place, in order.
    pub(super) cuts: Vec<Cut>,
    /// Series that end as what they were sent as.
    pub(super) end_markers: Vec<EndMarker>,
    /// Edits that could not be kept for later.
    pub(super) loose: Vec<Vec<u8>>,
    /// Place in `Outcome::by_verdict` of each verdict row, plus one; zeroed after use.
    pub(super) rows: Vec<u32>,
}

/// Buffers for what the index could not answer.
#[derive(Default)]
pub(super) struct DecideScratch {
    /// Second questions, for bytes that stand for another identity.
    pub(super) probes: Vec<Probe>,
    /// Which slot each of them is about.
    pub(super) slots: Vec<u32>,
    pub(super) order: Vec<u32>,
    /// A canonical label block.
    pub(super) canonical: Vec<u8>,
    /// What the tracker keeps from one look to the next.
    pub(super) look: ObserveScratch,
    /// An edit.
    pub(super) script: Vec<u8>,
    /// The labels that a series went under so far, and where those start that they are made from.
    pub(super) former: Vec<u8>,
    pub(super) starts: Vec<u32>,
    /// Series decided in this request about which there is something to tell, with what they became.
    pub(super) policy_hits: Vec<PolicyHit>,
}

/// A series that policies dropped or rewrote, or would have.
#[derive(Debug)]
pub(super) struct PolicyHit {
    pub(super) slot: u32,
    pub(super) verdict: VerdictId,
    pub(super) output: Option<OwnedLabels>,
}

/// Buffers for series that go under other labels.
#[derive(Default)]
pub(super) struct RewriteScratch {
    /// The series, encoded, one after the other.
    pub(super) plain: Vec<u8>,
    /// Whose they are.
    pub(super) pieces: Vec<Piece>,
    /// Where the labels of one block start.
    pub(super) starts: Vec<u32>,
    /// Where the labels stand that are not canonical.
    pub(super) places: Vec<Place>,
    /// A canonical label block.
    pub(super) block: Vec<u8>,
}

/// Buffers of one worker. They grow to the largest request seen and are bounded by the decoded-size limit.
#[derive(Default)]
pub struct Scratch {
    pub(super) reading: read::Buffers,
    pub(super) request: Request,
    pub(super) decide: DecideScratch,
    pub(super) rewrite: RewriteScratch,
    pub(super) composer: Composer,
    pub(super) packer: Packer,
}

impl Scratch {
    /// Shows `then` the values that some labels have in the first series of a request of remote write 1.0 that was decided last and had
    /// `decoded` bytes; empty ones where there are none.
    pub fn first_values<T>(&self, decoded: usize, names: &[String], then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let body = self.reading.decoded(decoded);
        let mut values = vec![&[][..]; names.len()];
        let first = v1::Fields::new(body).flatten().find(|field| field.kind == FieldKind::Series);
        if let Some(field) = first {
            for label in LabelRun::new(body, field.content, field.end).flatten() {
                if let Some(at) = names.iter().position(|name| name.as_bytes() == label.name) {
                    values[at] = label.value;
                }
            }
        }
        then(&values)
    }

    /// Bytes held. A worker throws away a scratch that one huge request has blown up.
    pub fn capacity(&self) -> usize {
        let Self { reading, request, decide, rewrite, composer, packer } = self;
        reading.capacity()
            + bytes(&request.slots)
            + bytes(&request.probes)
            + bytes(&request.order)
            + bytes(&request.spelled)
            + bytes(&request.bad_metadata)
            + bytes(&request.cuts)
            + bytes(&request.end_markers)
            + bytes(&request.loose)
            + bytes(&request.rows)
            + bytes(&decide.probes)
            + bytes(&decide.slots)
            + bytes(&decide.order)
            + bytes(&decide.policy_hits)
            + rewrite.plain.capacity()
            + bytes(&rewrite.places)
            + bytes(&rewrite.pieces)
            + bytes(&request.gone)
            + composer.bytes()
            + packer.bytes()
    }
}

/// Bytes of a list with its spare room.
pub(super) fn bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}
