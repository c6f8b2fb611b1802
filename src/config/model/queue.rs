//! How an upstream is delivered to.

use std::time::Duration;

/// When a sender is told that its data is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// When the upstream has it.
    #[default]
    Sync,
    /// When it is on disk.
    Queue,
}

/// What becomes of new data where the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Its sender keeps it.
    #[default]
    Refuse,
    /// What waits longest is lost instead.
    DropOldest,
}

/// What is kept on disk for an upstream, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Bytes of its files at most.
    pub max_bytes: usize,
    /// What happens above that.
    pub when_full: WhenFull,
    /// What waits longer is not delivered any more.
    pub max_age: Duration,
    /// Compressed bytes at most of requests that go out as one.
    pub max_request_bytes: usize,
    /// The longest wait between two tries.
    pub max_retry_wait: Duration,
    /// Bytes at most of what the upstream refused for good and is kept.
    pub dead_letter_bytes: usize,
}

impl Default for Queue {
    /// As the config fills it in.
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            when_full: WhenFull::Refuse,
            max_age: Duration::from_secs(24 * 3600),
            max_request_bytes: 512 << 10,
            max_retry_wait: Duration::from_secs(30),
            dead_letter_bytes: 64 << 20,
        }
    }
}
