//! The thread that writes: all that waits at one time goes into one write and one fsync, and only then is anybody told.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::frame::{Header, RECORD_HEADER};
use super::lane::Entry;
use super::scan::{self, Found};
use super::state::Place;
use super::{AppendError, Item, Shared, segment};
use crate::config::WhenFull;

/// Bytes gathered for one write; a record that is longer goes alone.
const MOST_GATHERED: usize = 8 << 20;
/// A buffer that grew above that for one record is not kept.
const LARGEST_KEPT: usize = 16 << 20;
/// Files of a queue that is full, about: with the oldest goes so much of it.
const FILES: u64 = 64;
const SMALLEST_FILE: u64 = 1 << 20;
const LARGEST_FILE: u64 = 1 << 30;

/// An item on its way, and who waits for it.
pub(super) struct Append {
    pub(super) item: Item,
    pub(super) done: oneshot::Sender<Result<(), AppendError>>,
}

/// See above.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The first number of the file that is written to; `None`: the next record begins one.
    active: Option<u64>,
    /// The records of one write.
    buffer: Vec<u8>,
    /// Where they will be.
    entries: Vec<Entry>,
    waiting: Vec<oneshot::Sender<Result<(), AppendError>>>,
    sync: fn(&File) -> io::Result<()>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sync: fn(&File) -> io::Result<()>) -> Self {
        let (buffer, entries, waiting) = (Vec::new(), Vec::new(), Vec::new());
        Self { shared, active: None, buffer, entries, waiting, sync }
    }

    /// Runs until nobody can append any more.
    pub(super) fn start(mut self, mut appends: mpsc::Receiver<Append>) -> io::Result<()> {
        let run = move || {
            while let Some(first) = appends.blocking_recv() {
                self.gather(first);
                while self.buffer.len() < MOST_GATHERED
                    && let Ok(next) = appends.try_recv()
                {
                    self.gather(next);
                }
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                self.commit();
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
            }
        };
        thread::Builder::new().name("queue".to_owned()).spawn(run).map(drop)
    }

    /// Adds a record to what is written next, or refuses it.
    fn gather(&mut self, append: Append) {
        let Append { item, done } = append;
        let bytes = RECORD_HEADER + 4 + item.head.len() + item.body.len();
        let Ok(payload) = u32::try_from(bytes - RECORD_HEADER) else {
            return refuse(done, AppendError::Full);
        };
        if !self.make_room((self.buffer.len() + bytes) as u64) {
            self.shared.metrics.refused.increment(1);
            return refuse(done, AppendError::Full);
        }
        let begins = self.buffer.len();
        self.buffer.resize(begins + RECORD_HEADER, 0);
        self.buffer.extend_from_slice(&(item.head.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(&item.head);
        self.buffer.extend_from_slice(&item.body);
        let id = {
            let mut state = self.shared.state.lock();
            state.next += 1;
            state.next - 1
        };
        let checksum = crc32fast::hash(&self.buffer[begins + RECORD_HEADER..]);
        let Item { lane, at, samples, .. } = item;
        let header = Header { id, lane, at, samples, bytes: payload, checksum };
        self.buffer[begins..begins + RECORD_HEADER].copy_from_slice(&header.encode());
        // where it is in the file is known once that is
        self.entries.push(Entry { header, segment: 0, offset: (begins + RECORD_HEADER) as u64 });
        self.waiting.push(done);
    }

    /// Makes room for so many bytes beside what there is, by letting go of the oldest if that is wanted.
    fn make_room(&mut self, bytes: u64) -> bool {
        let limits = self.shared.limits;
        let mut is_tidy = false;
        loop {
            let (has, files) = {
                let state = self.shared.state.lock();
                (state.bytes(), state.segments.len())
            };
            if has + bytes <= limits.max_bytes {
                return true;
            }
            if !is_tidy {
                // what is delivered is deleted once a second, and nobody is refused for its sake
                self.shared.delete();
                is_tidy = true;
                continue;
            }
            if limits.when_full == WhenFull::Refuse || files == 0 || bytes > limits.max_bytes {
                return false;
            }
            // the file that is written to may be the oldest
            if files == 1 {
                self.active = None;
            }
            let gathered = self.entries.first().map(|entry| entry.header.id);
            self.shared.drop_oldest(gathered);
        }
    }

    /// Writes what was gathered, and says what became of it.
    fn commit(&mut self) {
        let written = if self.entries.is_empty() { Ok(()) } else { self.write() };
        let answer = match written {
            Ok(()) => Ok(()),
            Err(error) => {
                self.shared.metrics.failures.increment(1);
                if let Some(others) = self.shared.failing[0].turn(crate::clock::monotonic()) {
                    tracing::error!(%error, others, "the queue cannot be written; senders keep what they have");
                }
                Err(AppendError::Io(error.to_string()))
            }
        };
        self.entries.clear();
        self.buffer.clear();
        if self.buffer.capacity() > LARGEST_KEPT {
            self.buffer = Vec::new();
        }
        for done in self.waiting.drain(..) {
            // who hung up comes again
            drop(done.send(answer.clone()));
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let (first, file, at) = self.file()?;
        if let Err(error) = file.write_all_at(&self.buffer, at) {
            // a full disk: what is there of it is no record
            if file.set_len(at).is_err() {
                self.active = None;
            }
            return Err(error);
        }
        if let Err(error) = (self.sync)(&file) {
            // what the kernel has of this file is not known any more
            self.active = None;
            drop(file.set_len(at));
            return Err(error);
        }
        self.shared.metrics.syncs.increment(1);
        let mut state = self.shared.state.lock();
        if let Some(segment) = state.segments.back_mut() {
            segment.bytes = at + self.buffer.len() as u64;
        }
        let mut is_news = false;
        let mut samples = 0;
        for entry in &mut self.entries {
            (entry.segment, entry.offset) = (first, at + entry.offset);
            samples += u64::from(entry.header.samples);
            is_news |= state.appended(*entry);
        }
        drop(state);
        self.shared.metrics.appended.increment(samples);
        if is_news {
            self.shared.ready.notify_one();
        }
        Ok(())
    }

    /// The file to write to, and where in it.
    fn file(&mut self) -> io::Result<(u64, Arc<File>, u64)> {
        let largest = (self.shared.limits.max_bytes / FILES).clamp(SMALLEST_FILE, LARGEST_FILE);
        let state = self.shared.state.lock();
        let active = state.segments.back().filter(|last| Some(last.first) == self.active);
        if let Some(active) = active.filter(|active| active.bytes < largest) {
            return Ok((active.first, Arc::clone(&active.file), active.bytes));
        }
        drop(state);
        let first = self.entries.first().map_or(0, |entry| entry.header.id);
        let made = segment::create(&self.shared.dir, first)?;
        let (file, at) = (Arc::clone(&made.file), made.bytes);
        self.shared.state.lock().segments.push_back(made);
        self.active = Some(first);
        Ok((first, file, at))
    }
}

fn refuse(done: oneshot::Sender<Result<(), AppendError>>, why: AppendError) {
    drop(done.send(Err(why)));
}

impl Shared {
    /// Lets go of the oldest file, and of all that waits in it. `gathered`: the first number of what is to be written next.
    fn drop_oldest(&self, gathered: Option<u64>) {
        let mut state = self.state.lock();
        let Some(oldest) = state.segments.pop_front() else { return };
        let behind = state.segments.front().map(|next| next.first).or(gathered).unwrap_or(state.next);
        let mut samples = 0;
        let forgotten = state.unread.into_iter().chain(state.first_aside()).min();
        if let Some(place) = forgotten.filter(|place| place.segment <= oldest.first) {
            let mut at = if place.segment == oldest.first { place.offset } else { 0 };
            while let Ok((found, next)) = scan::next(&oldest.file, at, oldest.bytes, oldest.first) {
                match found {
                    Found::Record(header, begins) => {
                        samples +=
                            state.let_go_forgotten(&header, Place { segment: oldest.first, offset: begins });
                    }
                    Found::Damage(_) => {}
                    Found::End => break,
                }
                at = next;
            }
        }
        samples += state.let_go_before(behind);
        let first = state.segments.front().map(|next| next.first);
        state.aside_from(first);
        if state.unread.is_some_and(|place| place.segment <= oldest.first) {
            state.unread = first.map(|segment| Place { segment, offset: 0 });
        }
        drop(state);
        segment::remove(&self.dir, oldest.first);
        self.metrics.dropped_for_room(samples);
        tracing::warn!(
            samples,
            "the queue is full: its oldest file is let go of (upstreams[].queue.when_full: drop_oldest)"
        );
    }
}
