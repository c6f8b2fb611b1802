//! The time of one tenant, by the samples that came from it, and the streams of its senders.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;

use super::stream::Stream;

/// A tenant that sent nothing for so long, or for its policy's interval if that is longer, has its windows closed by
/// our clock.
const SILENT_MS: i64 = 60_000;
/// Senders of one tenant whose streams are told apart; one that is too many is never known to be watched.
const MAX_STREAMS: usize = 10_000;

/// The time of one tenant.
pub(super) struct Tenant {
    /// Newest sample that was taken, Unix milliseconds, never ahead of our clock; `i64::MIN` before the first.
    pub(super) watermark: AtomicI64,
    /// When that was, by our clock, Unix milliseconds.
    pub(super) heard_ms: AtomicI64,
    pub(super) streams: Mutex<AHashMap<Option<IpAddr>, Stream>>,
    /// Requests whose sender found no room.
    pub(super) refused: AtomicU64,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            watermark: AtomicI64::new(i64::MIN),
            heard_ms: AtomicI64::new(0),
            streams: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }
}

impl Tenant {
    /// The next one with its number. What was counted stays, so that sums never fall.
    pub(super) fn successor(&self) -> Self {
        Self { refused: AtomicU64::new(self.refused.load(Ordering::Relaxed)), ..Self::default() }
    }

    /// What is known of a sender.
    pub(super) fn stream(&self, sender: Option<IpAddr>) -> Option<Stream> {
        self.streams.lock().get(&sender).copied()
    }

    /// Notes a request of these times (Unix milliseconds) that was taken at `now_ms`.
    pub(super) fn see(&self, sender: Option<IpAddr>, oldest: i64, newest: i64, now_ms: i64) {
        let mut streams = self.streams.lock();
        if let Some(stream) = streams.get_mut(&sender) {
            stream.see(oldest, newest);
        } else if streams.len() < MAX_STREAMS {
            streams.insert(sender, Stream::new(oldest, newest));
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.watermark.fetch_max(newest.min(now_ms), Ordering::Relaxed);
    }

    /// Up to when windows of this length are to be judged as over: by the samples, or by our clock where they fail to
    /// come. `None` before the first.
    pub(super) fn time(&self, now_ms: i64, interval_ms: i64) -> Option<i64> {
        let watermark =
            Some(self.watermark.load(Ordering::Relaxed)).filter(|watermark| *watermark != i64::MIN)?;
        let silent =
            now_ms.saturating_sub(self.heard_ms.load(Ordering::Relaxed)) >= SILENT_MS.max(interval_ms);
        Some(if silent { watermark.max(now_ms) } else { watermark })
    }
}
