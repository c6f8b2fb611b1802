//! What is done from time to time, away from what is appended and delivered: records are found, what is done is written down, and
//! files are deleted of which all is done.

use std::io;

use super::frame::RECORD_HEADER;
use super::lane::Entry;
use super::ledger::Ledger;
use super::scan::{self, Found};
use super::state::Place;
use super::{Shared, ledger, segment};

/// Records looked for under one lock at most.
const AT_ONCE: usize = 1024;

impl Shared {
    pub(super) fn settle(&self) {
        self.find();
        self.write_down(Ledger::Safe);
        self.delete();
    }

    /// Finds what is not remembered, as long as there is room for it.
    fn find(&self) {
        self.take_up();
        if !self.state.lock().has_room() {
            return;
        }
        while let Some(place) = self.unread() {
            match self.find_from(place) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, segment = place.segment, "the queue cannot be read");
                    self.metrics.damaged.increment(1);
                    // what else is in the file is left for another run, which may be able to read it; what is in the next ones is not
                    let mut state = self.state.lock();
                    state.keep(place.segment);
                    state.go_on(Place { segment: place.segment, offset: u64::MAX });
                }
            }
        }
    }

    fn unread(&self) -> Option<Place> {
        self.state.lock().unread
    }

    /// Reads some records. Whether it is worth it to go on.
    fn find_from(&self, place: Place) -> io::Result<bool> {
        let mut state = self.state.lock();
        let Some(segment) = state.segments.iter().find(|segment| segment.first >= place.segment).cloned()
        else {
            state.unread = None;
            return Ok(false);
        };
        drop(state);
        // a segment that is gone was let go of
        let mut at = if segment.first == place.segment { place.offset } else { 0 };
        let mut least = segment.first;
        let mut found = Vec::new();
        while found.len() < AT_ONCE {
            let (what, next) = scan::next(&segment.file, at, segment.bytes, least)?;
            match what {
                Found::Record(header, begins) => {
                    least = header.id + 1;
                    let offset = begins + RECORD_HEADER as u64;
                    found.push(Entry { header, segment: segment.first, offset });
                }
                Found::Damage(bytes) => self.damaged(segment.first, at, bytes),
                Found::End => break,
            }
            at = next;
        }
        let mut state = self.state.lock();
        let mut is_news = false;
        for entry in &found {
            is_news |= state.found(*entry);
        }
        // in one step with what was found: else that is taken for unread where its file is let go of
        state.next = state.next.max(least);
        state.go_on(Place { segment: segment.first, offset: at });
        let is_full = state.is_full();
        drop(state);
        if is_news {
            self.ready.notify_one();
        }
        Ok(!is_full)
    }

    fn damaged(&self, segment: u64, at: u64, bytes: u64) {
        self.metrics.damaged.increment(1);
        tracing::warn!(
            segment,
            at,
            bytes,
            "part of the queue is damaged and is skipped; at the end of a file a crash leaves what was not acknowledged"
        );
    }

    /// Writes down what is done, if that changed.
    pub(super) fn write_down(&self, ledger: Ledger) {
        let done = self.state.lock().done.clone();
        let mut written = self.written.lock();
        let known = if ledger == Ledger::Safe { &mut written.0 } else { &mut written.1 };
        if *known == done {
            return;
        }
        match ledger::write(&self.dir, ledger, &done) {
            Ok(()) => *known = done,
            Err(error) => {
                self.metrics.failures.increment(1);
                if let Some(others) = self.failing[1].turn(crate::clock::monotonic()) {
                    tracing::warn!(%error, others, "what the queue has delivered cannot be written down; after a restart it is delivered again");
                }
            }
        }
    }

    /// Deletes files of which all is done.
    pub(super) fn delete(&self) {
        let gone = self.state.lock().take_done();
        for first in gone {
            segment::remove(&self.dir, first);
        }
    }
}
