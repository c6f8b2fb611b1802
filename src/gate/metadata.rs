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
/// Metrics of which that is remembered; of the one that was not spoken of for longest it is forgotten first, and said again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1 << 16).expect("not zero");
/// What one of them takes, bytes.
const METRIC_BYTES: usize = 96;

/// What the upstream was told, by metric and scope: what that was, and when.
pub(super) struct Told(Mutex<LruCache<u64, (u64, Instant)>>);

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
        self.0.lock().len() * METRIC_BYTES
    }

    /// Sends what the upstream was not told lately, under the head of a request that it took.
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        head: Outbound,
        metadata: &Metadata,
        deadline: tokio::time::Instant,
    ) {
        let now = crate::clock::monotonic();
        let due = self.due(metadata, now);
        if due.is_empty() {
            return;
        }
        let mut plain = Vec::new();
        for entry in &due {
            plain.extend_from_slice(&metadata.encoded[entry.start as usize..entry.end as usize]);
        }
        let mut packer = Packer::default();
        let Ok(body) = packer.pack(Encoding::Snappy, &plain) else { return };
        let outbound = Outbound {
            body: Bytes::copy_from_slice(body),
            form: Form::PLAIN,
            counts: Counts::default(),
            ..head
        };
        // the samples are there: this is for people, and is said again with the next request if it was not heard
        if upstream.client.send_by(outbound, deadline).await == Reply::Accepted {
            let mut told = self.0.lock();
            for entry in due {
                told.put(entry.metric, (entry.content, now));
            }
        } else {
            upstream.metrics.lost_metadata.increment(due.len() as u64);
        }
    }

    fn due(&self, metadata: &Metadata, now: Instant) -> Vec<Entry> {
        let mut told = self.0.lock();
        let mut is_due = |entry: &&Entry| {
            told.get(&entry.metric).is_none_or(|(content, at)| {
                *content != entry.content || now.saturating_duration_since(*at) >= AGAIN
            })
        };
        metadata.entries.iter().filter(|entry| is_due(entry)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(metric: u64, content: u64) -> Entry {
        Entry { metric, content, start: 0, end: 0 }
    }

    #[test]
    fn what_was_said_is_due_again_when_it_is_another_or_after_ten_minutes() {
        let told = Told::default();
        let now = crate::clock::monotonic();
        let metadata = |entries: &[Entry]| Metadata { entries: entries.to_vec(), ..Metadata::default() };
        let all = metadata(&[entry(1, 7), entry(2, 7)]);
        assert_eq!(told.due(&all, now), all.entries);
        told.0.lock().put(1, (7, now));
        assert_eq!(told.due(&all, now), [entry(2, 7)]);
        assert_eq!(told.due(&metadata(&[entry(1, 8)]), now), [entry(1, 8)]);
        assert_eq!(told.due(&metadata(&[entry(1, 7)]), now + AGAIN), [entry(1, 7)]);
        told.forget();
        assert_eq!((told.due(&all, now).len(), told.bytes()), (2, 0));
    }
}
