//! A request of the queue on its way out, and several of them as one.

use bytes::Bytes;

use super::kept::Kept;
use crate::codec::{self, snappy};
use crate::egress::Outbound;
use crate::pipeline::Counts;
use crate::queue::{Entry, Lost, Record};
use crate::wire::Form;

/// What requests that go out as one decode to, bytes: receivers have a limit for that.
const MOST_DECODED: usize = 8 << 20;

/// A request of the queue that can be sent.
pub(super) struct Letter {
    pub(super) entry: Entry,
    pub(super) kept: Kept,
    /// Where in the head that stands in which requests have to be alike.
    common: Bytes,
    pub(super) record: Record,
}

impl Letter {
    /// Of what was read.
    pub(super) fn of(entry: Entry, record: Result<Record, Lost>) -> Result<Self, Lost> {
        let record = record?;
        let (kept, common) = Kept::decode(&record.head).map_err(|error| Lost::Damaged(error.to_string()))?;
        let common = record.head.slice(common);
        Ok(Self { entry, kept, common, record })
    }

    pub(super) fn outbound(&self) -> Outbound {
        let Kept { counts, form, query, headers, .. } = self.kept.clone();
        Outbound { body: self.record.body.clone(), form, counts, query, headers }
    }

    /// Whether two requests may go out as one.
    fn goes_with(&self, other: &Self) -> bool {
        self.entry.header.id == other.entry.header.id
            || (self.kept.joins.is_some() && self.common == other.common)
    }
}

/// The first, and as many of those behind it as may go out with it and have room in one request.
pub(super) fn run<'l>(first: &'l Letter, all: &'l [Result<Letter, Lost>], most: usize) -> Vec<&'l Letter> {
    let like = all.iter().map_while(|letter| letter.as_ref().ok().filter(|letter| first.goes_with(letter)));
    let (mut bytes, mut decoded) = (0_usize, 0_usize);
    let mut fits = |at: usize, letter: &Letter| {
        let body = &letter.record.body;
        bytes += body.len();
        decoded += codec::decoded_len(body, usize::MAX).unwrap_or(MOST_DECODED);
        at == 0 || (bytes <= most && decoded <= MOST_DECODED)
    };
    like.enumerate().take_while(|(at, letter)| fits(*at, letter)).map(|(_, letter)| letter).collect()
}

/// Several requests of remote write 1.0 as one: of two messages, one behind the other, a reader makes one that has the fields of both.
pub(super) fn joined(run: &[&Letter]) -> Option<Outbound> {
    let bodies: Vec<&[u8]> = run.iter().map(|letter| &letter.record.body[..]).collect();
    let body = Bytes::from(snappy::concat(&bodies)?);
    let mut counts = Counts::default();
    for letter in run {
        counts += letter.kept.counts;
    }
    Some(Outbound { body, form: Form::PLAIN, counts, ..run.first()?.outbound() })
}
