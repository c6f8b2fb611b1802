//! What was decided about one request, and what is to be done once its data is safe.

use std::sync::Arc;

use thiserror::Error;

use super::scratch::bytes;
use super::{Blamed, Counts, Example, Metadata, Policies, Repair};
use crate::admission::Reserved;
use crate::aggregate::{Batch, NotAggregated, PolicyCounts};
use crate::cardinality::{Observation, OnNode, PodKey};
use crate::codec::CodecError;
use crate::policy::{PolicyIndex, VerdictId};
use crate::series::{Arrival, Fingerprint, Invalid, Remembered};
use crate::wire::{Form, WireError};

/// Why a body could not be read; nothing in it was counted.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Undecodable {
    /// Neither snappy nor zstd, or too large.
    #[error("cannot decompress the body: {0}")]
    Compressed(#[from] CodecError),
    /// Not a WriteRequest.
    #[error("cannot decode the body as prometheus.WriteRequest: {0}")]
    Wire(#[from] WireError),
    /// Not a request of remote write 2.0.
    #[error("cannot decode the body as io.prometheus.write.v2.Request: {0}")]
    WireV2(WireError),
    /// With its texts wherever they are used it is too long.
    #[error(
        "the symbols of the request make more than {0} bytes (listen.max_decoded_size) where they are used; send smaller requests"
    )]
    Unfolded(usize),
    /// The rules of a policy blow the body up.
    #[error("relabel rules make the body larger than {0} bytes; send smaller requests or shorten the labels")]
    Outgrown(usize),
    /// It has more series than there is room for, or policies make more of them.
    #[error("no room for the series of this request; send fewer in one")]
    NoRoom,
}

/// What goes upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing: all was disposed of, or there was nothing.
    #[default]
    Nothing,
    /// The body as it came.
    Untouched,
    /// [`Outcome::spliced`].
    Spliced,
}

/// A series that was not in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSeries {
    /// Which.
    pub series: Fingerprint,
    /// What was decided.
    pub decided: Remembered,
    /// Who it is charged to, and why it is new.
    pub observation: Observation,
    /// Where in [`Effects::keys`] stands what is to be remembered of its labels.
    pub keys: (u32, u32),
    /// Whether it says when something began, and may say otherwise later.
    pub tells: bool,
    /// Samples that came with it, saturating.
    pub samples: u16,
    /// Whether the last of them is a stale marker.
    pub ends: bool,
}

impl NewSeries {
    /// What the index is to know of it.
    pub(super) fn arrival(&self) -> Arrival {
        let Observation { attribution, learned, on, observe_again, .. } = self.observation;
        Arrival {
            attribution,
            learned,
            samples: self.samples,
            watched: self.tells || attribution.evidence != 0,
            on,
            ended: self.ends,
            observe_again,
        }
    }
}

/// An identity upstream that is nobody's once the upstream has the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub output: Fingerprint,
    /// Whose it was.
    pub owner: Fingerprint,
    /// Its last sample, Unix seconds of sample time.
    pub last: u32,
}

/// What a commit does. As many entries as the request has series, at most.
#[derive(Debug, Default)]
pub struct Effects {
    /// Series to remember.
    pub new_series: Vec<NewSeries>,
    /// Label bytes and the series they stand for.
    pub aliases: Vec<(Fingerprint, Fingerprint)>,
    /// What is to be remembered of the labels of new series.
    pub keys: Vec<u64>,
    /// Known series that ended, the node that each names and the pod that it is about, and when; here and below Unix seconds of
    /// sample time.
    pub ended: Vec<(Fingerprint, (OnNode, PodKey), u32)>,
    /// Series that had ended and are there again, the pod that each is about, and since when.
    pub returned: Vec<(Fingerprint, PodKey, u32)>,
    /// Watched series whose value has turned, whether it is other than 0 now, and when.
    pub run_state_changes: Vec<(Fingerprint, bool, u32)>,
    /// Known series that were decided to be part of a group.
    pub redecided: Vec<(Fingerprint, Remembered)>,
    /// Known series that leave what they were sent as, end, or are there again.
    pub changes: Vec<(Fingerprint, Remembered)>,
    /// What they leave.
    pub released: Vec<Release>,
    /// What goes into groups.
    pub aggregated: Batch,
    /// Places that are held for series with limits; given up where the request is not committed.
    pub reserved: Reserved,
    /// Series that policies dropped, held back or rewrote, for people; a few of each policy.
    pub examples: Vec<Example>,
}

impl Effects {
    /// Bytes held.
    fn capacity(&self) -> usize {
        let texts = self.examples.iter().map(Example::bytes).sum::<usize>();
        bytes(&self.new_series)
            + bytes(&self.aliases)
            + bytes(&self.keys)
            + bytes(&self.ended)
            + bytes(&self.returned)
            + bytes(&self.run_state_changes)
            + bytes(&self.redecided)
            + bytes(&self.changes)
            + bytes(&self.released)
            + self.aggregated.capacity()
            + self.reserved.bytes()
            + bytes(&self.examples)
            + texts
    }
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Series seen for the first time.
    pub new_series: u64,
    /// Those of them that were learned: seen during `series.warmup` after the start or after their sender came.
    pub learned_series: u64,
    /// Series that ended with a stale marker.
    pub ended_series: u64,
    /// Series that found the index full.
    pub untracked: u64,
    /// What became of samples that went into groups, by policy, where it is not the usual.
    pub aggregated: Vec<PolicyCounts>,
}

/// Room for new series that an outcome keeps from request to request.
const NEW_SERIES_KEPT: usize = 512;

/// What is to become of a request. Made to be used again: its buffers keep their capacity.
#[derive(Default)]
pub struct Outcome {
    /// What goes upstream.
    pub body: Body,
    /// How that is written.
    pub form: Form,
    /// The compressed body where something was taken out or goes under other labels, or in another form than it came in.
    pub spliced: Vec<u8>,
    /// All that was decoded.
    pub received: Counts,
    /// What was there twice, and goes upstream once.
    pub duplicates: Counts,
    /// Series that were mended, by what was.
    pub repairs: [u64; Repair::ALL.len()],
    /// What goes upstream.
    pub forwarded: Counts,
    /// What each verdict but the untouched one applies to; a verdict may forward (a pass, a preview).
    pub by_verdict: Vec<(VerdictId, Counts)>,
    /// What cannot be accepted, by reason.
    pub rejected: [Counts; Invalid::ALL.len()],
    /// Series of which something cannot be accepted.
    pub rejected_series: u64,
    /// The same, by reason.
    pub rejected_by: [u64; Invalid::ALL.len()],
    /// The same for requests that were rejected the same series with the same samples, in whatever order: the smallest of their
    /// hashes. `u64::MAX` where none was.
    pub rejected_mark: u64,
    /// The first of them for each reason, in order.
    pub blamed: Vec<Blamed>,
    /// Stale markers in place of what is withheld from now on.
    pub stale_markers: u64,
    /// Series sent although there was no room to note whose identity they have.
    pub unguarded: u64,
    /// Metadata entries that cannot be accepted.
    pub rejected_metadata: u64,
    /// Series in the request.
    pub series: u64,
    /// When it was decided, Unix seconds.
    pub decided_at: u32,
    /// Decoded size, bytes.
    pub decoded_bytes: u64,
    /// The same as remote write 1.0.
    pub plain_bytes: usize,
    /// Series of remote write 2.0 among those that go upstream that say when what they count began.
    pub started: u64,
    /// What they say of their metrics, where they go as 1.0.
    pub metadata: Metadata,
    /// Series newly decided that a policy was to aggregate and could not.
    pub not_aggregated: Vec<(PolicyIndex, NotAggregated)>,
    /// The tenant is one too many: passed through.
    pub overflow_tenant: bool,
    /// What a commit does.
    pub effects: Effects,
    /// The policies that decided; they name what `by_verdict` means.
    pub policies: Option<Arc<Policies>>,
}

impl Outcome {
    pub(super) fn start(&mut self, policies: &Arc<Policies>, now: u32) {
        self.decided_at = now;
        self.body = Body::Nothing;
        self.form = Form::PLAIN;
        self.spliced.clear();
        self.received = Counts::default();
        self.duplicates = Counts::default();
        self.repairs = Default::default();
        self.forwarded = Counts::default();
        self.by_verdict.clear();
        self.rejected = Default::default();
        self.rejected_series = 0;
        self.rejected_by = Default::default();
        self.blamed.clear();
        self.rejected_mark = u64::MAX;
        self.stale_markers = 0;
        self.unguarded = 0;
        self.rejected_metadata = 0;
        self.series = 0;
        self.decoded_bytes = 0;
        self.plain_bytes = 0;
        self.started = 0;
        self.metadata.clear();
        self.overflow_tenant = false;
        self.not_aggregated.clear();
        // what a start or a new sender has blown up is not kept for the requests after it, which have few
        if self.effects.new_series.capacity() > NEW_SERIES_KEPT {
            (self.effects.new_series, self.effects.keys) = (Vec::new(), Vec::new());
        }
        self.effects.new_series.clear();
        self.effects.aliases.clear();
        self.effects.keys.clear();
        self.effects.ended.clear();
        self.effects.returned.clear();
        self.effects.run_state_changes.clear();
        self.effects.examples.clear();
        self.effects.redecided.clear();
        self.effects.changes.clear();
        self.effects.released.clear();
        self.effects.aggregated.clear();
        self.effects.reserved.clear();
        self.policies = Some(Arc::clone(policies));
    }

    /// Bytes held. What one huge request has blown up is not kept for the next.
    pub fn capacity(&self) -> usize {
        self.spliced.capacity() + self.effects.capacity() + self.metadata.capacity()
    }

    /// Counts a series, or a part of it, that cannot be accepted. `blamed` describes it, if it is the first for this reason.
    pub(super) fn reject(
        &mut self,
        reason: Invalid,
        counts: Counts,
        mark: u64,
        blamed: impl FnOnce() -> Blamed,
    ) {
        if self.rejected_by[reason as usize] == 0 {
            self.blamed.push(blamed());
        }
        self.rejected_mark = self.rejected_mark.min(mark);
        self.rejected[reason as usize] += counts;
        self.rejected_series += 1;
        self.rejected_by[reason as usize] += 1;
        self.received += counts;
    }

    /// All that was rejected.
    pub fn all_rejected(&self) -> Counts {
        let mut all = Counts::default();
        for counts in self.rejected {
            all += counts;
        }
        all
    }
}
