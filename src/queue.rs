//! A durable queue of requests for one upstream: what is appended is on disk before [`Queue::append`] returns, and stays there until
//! it is delivered, restarts included.
//!
//! ```text
//! append ─▶ writer (its own thread: many records, one fsync) ─▶ segment files ─▶ lanes ─▶ taken, read, delivered ─▶ done
//!                                                                                     ▲            whole files deleted
//!                                                  ledger: what is done ◀─ settle ────┘
//! ```
//!
//! A lane is what has to keep its order: the queue gives out one lane at a time to one sender, first in, first out. What a record
//! holds is its owner's business.
//!
//! Nothing here waits for who empties the queue: a full one refuses, or lets go of its oldest file. Files that a record cannot be read
//! from any more are read on behind it.

mod aside;
mod dead;
mod done;
mod error;
mod frame;
mod lane;
mod ledger;
mod read;
mod scan;
mod segment;
mod settle;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::dead::DeadLetters;
use self::done::Done;
pub use self::error::{AppendError, QueueError};
pub use self::frame::Header;
pub use self::lane::Entry;
use self::ledger::Ledger;
pub use self::read::{Lost, Record, records_of};
use self::state::State;
use self::writer::{Append, Writer};
use crate::clock::LogInterval;
use crate::config::WhenFull;
use crate::telemetry::QueueMetrics;

/// Requests that may wait for the writer; one more waits until there is room, and holds its own bytes as all do.
const WAITING_FOR_WRITER: usize = 1024;

/// How much a queue may keep, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files.
    pub max_bytes: u64,
    /// What happens above that.
    pub when_full: WhenFull,
    /// A record that is older is not delivered any more.
    pub max_age: Duration,
}

/// What is appended.
#[derive(Debug)]
pub struct Item {
    /// What it has to keep its order with.
    pub lane: u64,
    /// When it came, Unix seconds.
    pub at: u32,
    /// Samples and histograms in it.
    pub samples: u32,
    /// What it holds, in front of the body.
    pub head: Vec<u8>,
    /// The body.
    pub body: Bytes,
}

/// What all parts of a queue share.
struct Shared {
    dir: PathBuf,
    limits: Limits,
    state: Mutex<State>,
    /// What was written down last of what is done, in either file.
    written: Mutex<(Done, Done)>,
    /// Twice the number of writes; odd while one is under way.
    commits: AtomicU64,
    /// Told when a lane has something to send that had nothing.
    ready: Notify,
    metrics: QueueMetrics,
    /// How often the log says that the disk does not take what is appended, and what is done.
    failing: [LogInterval; 2],
}

/// A queue that is open. Its files belong to it alone: who opens it holds the lock of `data_dir`.
pub struct Queue {
    shared: Arc<Shared>,
    to_writer: mpsc::Sender<Append>,
}

impl Queue {
    /// Opens the queue in `dir`, which is made if it is not there, and finds what the last run left. Blocks while it reads.
    ///
    /// # Errors
    /// If the directory cannot be made or read, or another version wrote what is there.
    pub fn open(dir: &Path, limits: Limits, metrics: QueueMetrics) -> Result<Self, QueueError> {
        Self::open_with(dir, limits, metrics, File::sync_data)
    }

    /// The same with another fsync.
    fn open_with(
        dir: &Path,
        limits: Limits,
        metrics: QueueMetrics,
        sync: fn(&File) -> io::Result<()>,
    ) -> Result<Self, QueueError> {
        let state = segment::open_all(dir)?;
        let written = Mutex::new((state.done.clone(), Done::default()));
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            limits,
            state: Mutex::new(state),
            written,
            commits: AtomicU64::new(0),
            ready: Notify::new(),
            metrics,
            failing: Default::default(),
        });
        shared.metrics.max_bytes.set(limits.max_bytes as f64);
        shared.settle();
        let (to_writer, appends) = mpsc::channel(WAITING_FOR_WRITER);
        Writer::new(Arc::clone(&shared), sync).start(appends)?;
        Ok(Self { shared, to_writer })
    }

    /// Puts an item behind all others of its lane. Once this returns it is on disk.
    ///
    /// # Errors
    /// If the queue is full, or the disk does not take it: then it is not in the queue. Dropping the future leaves open whether
    /// it is.
    pub async fn append(&self, item: Item) -> Result<(), AppendError> {
        let (done, answer) = oneshot::channel();
        let closed = || AppendError::Io("the thread that writes the queue has ended".to_owned());
        self.to_writer.send(Append { item, done }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// A lane that has something to send and that nobody else has; to be given back with [`Queue::end_turn`].
    pub fn take_turn(&self) -> Option<u64> {
        self.shared.state.lock().take_turn()
    }

    /// Gives a lane back. It has its turn again, behind all others, as soon as it has something to send; whether it has that now.
    pub fn end_turn(&self, lane: u64) -> bool {
        let has_more = self.shared.state.lock().end_turn(lane);
        if has_more {
            self.shared.ready.notify_one();
        }
        has_more
    }

    /// How often something was written, and whether something is being written now, or never will be again.
    pub fn progress(&self) -> (u64, bool) {
        let commits = self.shared.commits.load(Ordering::Relaxed);
        // odd while one is under way
        (commits, commits % 2 == 1 || self.to_writer.is_closed())
    }

    /// The oldest of a lane, in order: one, and more as long as all together are not above `bytes`. What is too old is let go of
    /// first.
    pub fn oldest(&self, lane: u64, bytes: usize, now: u32) -> Vec<Entry> {
        let max_age = u32::try_from(self.shared.limits.max_age.as_secs()).unwrap_or(u32::MAX);
        let mut state = self.shared.state.lock();
        let expired = state.let_go_of_old(lane, now.saturating_sub(max_age));
        let oldest = state.oldest(lane, bytes);
        drop(state);
        self.shared.metrics.dropped_for_age(expired);
        oldest
    }

    /// Says that nothing more is to be done about the oldest of a lane, up to `id` and with it.
    pub fn done(&self, lane: u64, id: u64) {
        self.shared.state.lock().done(lane, id);
    }

    /// Waits until a lane has something to send that had nothing. May return once too often.
    pub async fn ready(&self) {
        self.shared.ready.notified().await;
    }

    /// Writes down what is done, so that a kill repeats little. To be called some times a second; blocks for a moment.
    pub fn note(&self) {
        self.shared.write_down(Ledger::Recent);
    }

    /// Writes down what is done so that it survives whatever happens to the machine, deletes files of which all is, and finds what
    /// there was no room to remember. To be called every second; blocks.
    pub fn settle(&self) {
        self.shared.settle();
        self.publish();
    }

    /// The same at the end, when nothing is appended any more: a queue in which nothing waits leaves no files of records.
    pub fn close(&self) {
        self.shared.settle();
        let last = self.shared.state.lock().take_last();
        if let Some(last) = last {
            self.shared.settle();
            segment::remove(&self.shared.dir, last);
        }
        self.publish();
    }

    /// Records that wait.
    pub fn len(&self) -> u64 {
        self.shared.state.lock().waiting.records
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held, bytes.
    pub fn held(&self) -> usize {
        self.shared.state.lock().held()
    }

    /// Shows what waits in the metrics.
    pub fn publish(&self) {
        let state = self.shared.state.lock();
        let (waiting, bytes, oldest) = (state.waiting, state.bytes(), state.oldest_at());
        drop(state);
        self.shared.metrics.show(waiting.records, waiting.samples, bytes, oldest);
    }
}
