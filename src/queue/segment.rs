//! Segment files: made, opened, listed. A file is named by the number of its first record, so that names sort as records do.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::QueueError;
use super::frame::{SEGMENT_HEADER, VERSION, segment_header, segment_version};
use super::ledger;
use super::scan::{self, Found};
use super::state::State;

const SUFFIX: &str = ".queue";

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Number of its first record, and its name.
    pub(super) first: u64,
    pub(super) file: Arc<File>,
    /// Bytes of it that are known to be on disk.
    pub(super) bytes: u64,
    /// Records of it that are remembered.
    pub(super) live: u64,
}

fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// Makes the file of the records from `first` on, and makes sure that it is found after a crash.
pub(super) fn create(dir: &Path, first: u64) -> io::Result<Segment> {
    // never what a link leads to; samples of all tenants are in it
    remove(dir, first);
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path(dir, first))?;
    let begun = file
        .write_all_at(&segment_header(first), 0)
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(dir)?.sync_all());
    if let Err(error) = begun {
        remove(dir, first);
        return Err(error);
    }
    Ok(Segment { first, file: Arc::new(file), bytes: SEGMENT_HEADER as u64, live: 0 })
}

/// Deletes a file. Who still reads it goes on.
pub(super) fn remove(dir: &Path, first: u64) {
    let path = path(dir, first);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "{} cannot be deleted", path.display());
        }
        _ => {}
    }
}

/// Opens the directory, and makes it if it is not there. What is in the files is found by settling.
pub(super) fn open_all(dir: &Path) -> Result<State, QueueError> {
    fs::create_dir_all(dir)?;
    let done = ledger::read(dir)?;
    let (segments, next) = list(dir)?;
    let next = next.max(done.end());
    Ok(State::new(segments, done, next))
}

/// The files of a directory, oldest first, and the number of the next record.
pub(super) fn list(dir: &Path) -> Result<(VecDeque<Segment>, u64), QueueError> {
    let mut segments = VecDeque::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let first = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 20);
        let Some(first) = first.and_then(|digits| digits.parse().ok()) else { continue };
        let file = File::open(entry.path())?;
        let bytes = file.metadata()?.len();
        let mut header = [0; SEGMENT_HEADER];
        if file.read_exact_at(&mut header, 0).is_ok()
            && let Some(found) = segment_version(&header)
            && found > VERSION
        {
            return Err(QueueError::Version { file: name, found, known: VERSION });
        }
        segments.push_back(Segment { first, file: Arc::new(file), bytes, live: 0 });
    }
    segments.make_contiguous().sort_by_key(|segment| segment.first);
    let Some(last) = segments.back() else { return Ok((segments, 1)) };
    let next = behind_last(last)?;
    if next == last.first {
        // nothing in it: the next file has its name
        remove(dir, next);
        segments.pop_back();
    }
    Ok((segments, next.max(1)))
}

/// One more than the number of the last record of a segment; its first number where it has none.
fn behind_last(segment: &Segment) -> io::Result<u64> {
    let (mut at, mut behind) = (0, segment.first);
    loop {
        let (found, next) = scan::next(&segment.file, at, segment.bytes, behind)?;
        match found {
            Found::Record(header, _) => behind = header.id + 1,
            Found::Damage(_) => {}
            Found::End => return Ok(behind),
        }
        at = next;
    }
}
