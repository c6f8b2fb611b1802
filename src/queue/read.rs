//! Records as they are in the files.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;

use super::frame::{Header, SEGMENT_HEADER, segment_version};
use super::lane::Entry;
use super::scan::{self, Found};
use super::{Queue, Shared};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is known of it without its payload.
    pub header: Header,
    /// What stands in front of the body.
    pub head: Bytes,
    /// The body.
    pub body: Bytes,
}

/// Why a record cannot be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It was let go of, and counted then.
    Gone,
    /// It cannot be read.
    Damaged(String),
}

impl Queue {
    /// Reads what waits. Blocks.
    pub fn read(&self, entries: &[Entry]) -> Vec<Result<Record, Lost>> {
        entries.iter().map(|entry| self.shared.read(entry)).collect()
    }

    /// Lets go of the oldest of a lane, which cannot be delivered, and counts it: here and not where it is read, which is done again
    /// as long as what stands in front of it is not delivered.
    pub fn lose(&self, entry: &Entry, why: &Lost) {
        if let Lost::Damaged(error) = why {
            self.shared.metrics.damaged.increment(1);
            self.shared.metrics.dropped_for_damage(u64::from(entry.header.samples));
            tracing::error!(
                error,
                id = entry.header.id,
                segment = entry.segment,
                "a record of the queue is lost"
            );
        }
        self.done(entry.header.lane, entry.header.id);
    }
}

impl Shared {
    fn read(&self, entry: &Entry) -> Result<Record, Lost> {
        let file = self.state.lock().file_of(entry).ok_or(Lost::Gone)?;
        match payload(&file, entry.offset, entry.header) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Lost::Damaged("its checksum is wrong".to_owned())),
            Err(error) => Err(Lost::Damaged(error.to_string())),
        }
    }
}

fn payload(file: &File, at: u64, header: Header) -> io::Result<Option<Record>> {
    let mut raw = vec![0; header.bytes as usize];
    file.read_exact_at(&mut raw, at)?;
    if crc32fast::hash(&raw) != header.checksum {
        return Ok(None);
    }
    let raw = Bytes::from(raw);
    let Some(head) = raw.first_chunk().map(|length| u32::from_le_bytes(*length) as usize) else {
        return Ok(None);
    };
    Ok((head <= raw.len() - 4).then(|| Record {
        header,
        head: raw.slice(4..4 + head),
        body: raw.slice(4 + head..),
    }))
}

/// Shows each record of a file in turn, of a queue or of what was refused for good: `None` and how many bytes where it is damaged.
///
/// # Errors
/// If the file cannot be read, is none of a queue, or is of a later version.
pub fn records_of(path: &Path, mut show: impl FnMut(Option<&Record>, u64)) -> io::Result<()> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut start = [0; SEGMENT_HEADER];
    let version = match file.read_exact_at(&mut start, 0) {
        Ok(()) => segment_version(&start),
        Err(_) => None,
    };
    match version {
        Some(super::frame::VERSION) => {}
        Some(found) => {
            return Err(io::Error::other(format!(
                "it has version {found}, which this program does not know"
            )));
        }
        None => return Err(io::Error::other("it does not begin as a file of a queue does")),
    }
    let (mut at, mut least) = (0, 0);
    loop {
        let (found, next) = scan::next(&file, at, end, least)?;
        match found {
            Found::End => return Ok(()),
            Found::Damage(bytes) => show(None, bytes),
            Found::Record(header, begins) => {
                least = header.id + 1;
                let record = payload(&file, begins + super::frame::RECORD_HEADER as u64, header)?;
                show(record.as_ref(), header.len());
            }
        }
        at = next;
    }
}
