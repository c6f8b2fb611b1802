//! The queue of the upstream, in `data_dir`; it is opened behind the lock of that.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::error::StartError;
use crate::clock::LogInterval;
use crate::config::{Config, Delivery};
use crate::gate::Spool;
use crate::memory;
use crate::queue::{DeadLetters, Limits, Queue, QueueError};
use crate::telemetry::{QueueMetrics, Registry};

/// Where queues are, by the name of their upstream.
const QUEUES: &str = "queue";
/// The same of what upstreams refused.
const REFUSED: &str = "refused";
/// The part of the memory limit that may be read from the queue at one time.
const PART_OF_MEMORY: usize = 16;
const LEAST_READ: usize = 1 << 20;
const MOST_READ: usize = 64 << 20;

/// Opens the queue of a config that has one, or that which an earlier run left.
pub(super) fn open(config: &Config, registry: &Arc<Registry>) -> Result<Option<Spool>, StartError> {
    let Some(data_dir) = &config.data_dir else { return Ok(None) };
    let upstream = &config.upstream;
    let failed = |error: QueueError| StartError::Queue(upstream.name.clone(), error);
    tell_of_others(&data_dir.join(QUEUES), &upstream.name).map_err(|error| failed(error.into()))?;
    let dir = data_dir.join(QUEUES).join(&upstream.name);
    let takes = upstream.delivery == Delivery::Queue;
    if !takes && !dir.exists() {
        return Ok(None);
    }
    let max_bytes = upstream.queue.max_bytes as u64;
    let metrics = QueueMetrics::new(registry, &upstream.name);
    let limits = Limits { max_bytes, when_full: upstream.queue.when_full, max_age: upstream.queue.max_age };
    let queue = Queue::open(&dir, limits, metrics.clone()).map_err(failed)?;
    if takes {
        tell_of_room(&dir, max_bytes);
    }
    let left = queue.len();
    if left > 0 {
        tracing::info!(
            upstream = upstream.name,
            requests = left,
            "the queue goes on from where the last run was"
        );
    }
    if !takes && left == 0 {
        return Ok(None);
    }
    if !takes {
        tracing::warn!(
            upstream = upstream.name,
            requests = left,
            "an earlier run with `delivery: queue` left requests; they are delivered, and new ones go past them"
        );
    }
    let keep = upstream.queue.dead_letter_bytes as u64;
    let letters = (keep > 0).then(|| DeadLetters::open(&data_dir.join(REFUSED).join(&upstream.name), keep));
    Ok(Some(Spool {
        queue,
        letters: letters.transpose().map_err(failed)?,
        takes,
        max_request_bytes: upstream.queue.max_request_bytes,
        most_in_one: AtomicUsize::new(upstream.queue.max_request_bytes),
        max_read_bytes: (memory::limit(config.memory.limit_bytes) / PART_OF_MEMORY)
            .clamp(LEAST_READ, MOST_READ),
        max_retry_wait: upstream.queue.max_retry_wait,
        replica_labels: Arc::clone(&config.aggregation.replica_labels),
        metrics,
        refusals: LogInterval::default(),
    }))
}

/// Says so where the disk is smaller than what the queue may become: its bounds would never be met.
fn tell_of_room(dir: &Path, max_bytes: u64) {
    let Ok(disk) = rustix::fs::statvfs(dir) else { return };
    let disk_bytes = disk.f_blocks.saturating_mul(disk.f_frsize);
    if max_bytes > disk_bytes {
        tracing::warn!(
            max_bytes,
            disk_bytes,
            "the queue may become larger than the disk that it is on (upstreams[].queue.max_size): it is full before the queue \
             is, and then senders are told 503, whatever `when_full` says, and nothing else in data_dir can be written either"
        );
    }
}

/// Says so where there are queues of upstreams that are not in the config: nobody delivers them.
fn tell_of_others(dir: &Path, name: &str) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let of_records = |file: io::Result<fs::DirEntry>| {
            file.is_ok_and(|file| file.path().extension().is_some_and(|ending| ending == "queue"))
        };
        let has_records = fs::read_dir(entry.path()).is_ok_and(|mut files| files.any(of_records));
        if entry.file_name() != name && has_records {
            tracing::warn!(
                "{} is the queue of an upstream that the config does not have: nobody delivers it. Give the upstream its old \
                 name, or delete the directory",
                entry.path().display()
            );
        }
    }
    Ok(())
}
