//! What series of remote write 2.0 say of their metrics, for an upstream of 1.0: in requests of its own, as its senders do, and not
//! over and over.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;

use super::Upstream;
use crate::codec::{Encoding, Packer};
use crate::egress::{Outbound, Reply};
use crate::pipeline::{Counts, Entry, Metadata};
use crate::wire::Form;

/// What was said is said again after so long: a backend may have forgotten it.
const AGAIN: Duration = Duration::from_secs(600);
/// What the upstream has no time for now is said again after so long: with each request it would be sent as often as samples are.
const LATER: Duration = Duration::from_secs(60);
/// Things said of which that is remembered; of the one that was not spoken of for longest it is forgotten first, and said again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1 << 16).expect("not zero");
/// What one of them takes, bytes.
const SAID_BYTES: usize = 96;

/// What is to be said now, and the body that says it.
pub(super) struct Due {
    pub(super) entries: Vec<Entry>,
    pub(super) body: Bytes,
}

/// When what was said is to be said again, by family in its scope and by what that was: two programs that have two texts for one family would be
/// news to each other with every request.
pub(super) struct Told(Mutex<LruCache<(u64, u64), Instant>>);

impl Default for Told {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Told {
    /// Another upstream knows nothing.
    pub(super) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.lock().len() * SAID_BYTES
    }

    /// Sends what the upstream was not told lately, under the head of a request that it took.
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        head: Outbound,
        metadata: &Metadata,
        deadline: tokio::time::Instant,
    ) {
        let Some(Due { entries, body }) = self.due_now(metadata) else { return };
        let outbound = Outbound { body, form: Form::PLAIN, counts: Counts::default(), ..head };
        // the samples are there: this is for people, so it may come late
        let reply = upstream.client.send_by(outbound, deadline).await;
        if reply != Reply::Accepted {
            upstream.metrics.lost_metadata.increment(entries.len() as u64);
        }
        self.note(&entries, crate::clock::monotonic() + again(&reply));
    }

    /// What the upstream was not told lately; `None` where that is nothing.
    pub(super) fn due_now(&self, metadata: &Metadata) -> Option<Due> {
        let entries = self.due(metadata, crate::clock::monotonic());
        if entries.is_empty() {
            return None;
        }
        let mut plain = Vec::new();
        for entry in &entries {
            plain.extend_from_slice(&metadata.encoded[entry.start as usize..entry.end as usize]);
        }
        let mut packer = Packer::default();
        let body = Bytes::copy_from_slice(packer.pack(Encoding::Snappy, &plain).ok()?);
        Some(Due { entries, body })
    }

    /// Remembers that this is on its way to the upstream.
    pub(super) fn note_as_said(&self, said: &[Entry]) {
        self.note(said, crate::clock::monotonic() + AGAIN);
    }

    /// Remembers when these are to be said again.
    fn note(&self, said: &[Entry], due: Instant) {
        let mut told = self.0.lock();
        for entry in said {
            told.put((entry.metric, entry.content), due);
        }
    }

    fn due(&self, metadata: &Metadata, now: Instant) -> Vec<Entry> {
        let mut told = self.0.lock();
        let mut is_due =
            |entry: &&Entry| told.get(&(entry.metric, entry.content)).is_none_or(|due| now >= *due);
        metadata.entries.iter().filter(|entry| is_due(entry)).copied().collect()
    }
}

/// After how long what was answered so is said again.
fn again(reply: &Reply) -> Duration {
    match reply {
        Reply::Accepted | Reply::Invalid { .. } => AGAIN,
        _ => LATER,
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    fn entry(metric: u64, content: u64) -> Entry {
        Entry { metric, content, start: 0, end: 0 }
    }

    #[test]
    fn what_was_said_is_due_again_after_ten_minutes_and_at_once_where_it_is_another() {
        let told = Told::default();
        let now = crate::clock::monotonic();
        let metadata = |entries: &[Entry]| Metadata { entries: entries.to_vec(), ..Metadata::default() };
        let all = metadata(&[entry(1, 7), entry(2, 7)]);
        assert_eq!(told.due(&all, now), all.entries);
        told.note(&[entry(1, 7)], now + AGAIN);
        assert_eq!(told.due(&all, now), [entry(2, 7)]);
        assert_eq!(told.due(&metadata(&[entry(1, 8)]), now), [entry(1, 8)]);
        assert_eq!(told.due(&metadata(&[entry(1, 7)]), now + AGAIN), [entry(1, 7)]);
        told.forget();
        assert_eq!((told.due(&all, now).len(), told.bytes()), (2, 0));
    }

    #[test]
    fn two_texts_for_one_family_are_each_said_once() {
        let told = Told::default();
        let now = crate::clock::monotonic();
        let said = [entry(1, 7), entry(1, 8)];
        let mut requests = 0;
        for round in 0..20 {
            let metadata = Metadata { entries: vec![said[round % 2]], ..Metadata::default() };
            let due = told.due(&metadata, now);
            requests += due.len();
            told.note(&due, now + AGAIN);
        }
        assert_eq!(requests, 2);
    }

    #[test]
    fn what_is_refused_for_good_waits_as_long_as_what_was_taken_and_what_is_put_off_a_minute() {
        let invalid =
            Reply::Invalid { status: StatusCode::BAD_REQUEST, excerpt: String::new(), written: None };
        assert_eq!([again(&Reply::Accepted), again(&invalid)], [AGAIN; 2]);
        assert_eq!(again(&Reply::Throttled { retry_after: None, excerpt: String::new() }), LATER);
    }
}
