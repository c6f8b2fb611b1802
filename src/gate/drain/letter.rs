//! A request of the queue, and which of them may go out as one.

use bytes::Bytes;

use crate::codec::{self, snappy};
use crate::egress::Outbound;
use crate::gate::kept::Kept;
use crate::pipeline::Counts;
use crate::queue::{Entry, Record};
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

/// What was read, if it can be.
pub(super) fn letter(entry: Entry, record: Option<Record>) -> Option<Letter> {
    let record = record?;
    match Kept::decode(&record.head) {
        Ok((kept, common)) => {
            let common = record.head.slice(common);
            Some(Letter { entry, kept, common, record })
        }
        Err(error) => {
            tracing::error!(%error, id = entry.header.id, "a request of the queue cannot be read and is lost");
            None
        }
    }
}

/// Whether a request may go out as one with the first.
fn goes_with(first: &Letter, other: &Letter) -> bool {
    first.kept.joins.is_some() && first.common == other.common
}

/// The first, and as many more behind it as may go out with it and have room in one request of so many bytes.
pub(super) fn run<'l>(first: &'l Letter, behind: &'l [Option<Letter>], most: usize) -> Vec<&'l Letter> {
    let (mut bytes, mut decoded) = (0, 0);
    let mut fits = |letter: &Letter| {
        let body = &letter.record.body;
        bytes += body.len();
        decoded += codec::decoded_len(body, usize::MAX).unwrap_or(MOST_DECODED);
        bytes <= most && decoded <= MOST_DECODED
    };
    fits(first);
    let like = behind.iter().map_while(|letter| letter.as_ref().filter(|letter| goes_with(first, letter)));
    [first].into_iter().chain(like.take_while(|letter| fits(letter))).collect()
}

/// It as it is sent alone.
pub(super) fn outbound(letter: &Letter) -> Outbound {
    let Kept { counts, form, query, headers, .. } = letter.kept.clone();
    Outbound { body: letter.record.body.clone(), form, counts, query, headers }
}

/// Several requests of remote write 1.0 as one: of two messages, one behind the other, a reader makes one that has the fields of both.
pub(super) fn joined(run: &[&Letter]) -> Option<Outbound> {
    let bodies: Vec<&[u8]> = run.iter().map(|letter| &letter.record.body[..]).collect();
    let body = Bytes::from(snappy::concat(&bodies)?);
    let mut counts = Counts::default();
    for letter in run {
        counts += letter.kept.counts;
    }
    Some(Outbound { body, form: Form::PLAIN, counts, ..outbound(run[0]) })
}
