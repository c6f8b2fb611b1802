//! What is done, in files beside the segments: one that survives what happens to the machine, and one that is newer and survives what happens
//! to the process. Both may be behind: what they do not know of is delivered once more.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::done::Done;
use crate::record::{Put as _, Source};

const MAGIC: &[u8] = b"SGDONE\n\0";
const VERSION: u32 = 1;
/// Ranges that are written down at most; what is done above the last of them is delivered again after a restart.
const MOST_RANGES: usize = 65_536;

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ledger {
    /// Synced before it is put in place.
    Safe,
    /// Only written.
    Recent,
}

impl Ledger {
    fn name(self) -> &'static str {
        match self {
            Self::Safe => "done",
            Self::Recent => "done.recent",
        }
    }
}

/// Puts it in place in one step.
pub(super) fn write(dir: &Path, ledger: Ledger, done: &Done) -> io::Result<()> {
    let mut raw = MAGIC.to_vec();
    raw.put_u32(VERSION);
    raw.put_u64(done.low());
    let ranges: Vec<_> = done.ranges().take(MOST_RANGES).collect();
    raw.put_u32(ranges.len() as u32);
    for (from, to) in ranges {
        raw.put_u64(from);
        raw.put_u64(to);
    }
    let checksum = crc32fast::hash(&raw);
    raw.put_u32(checksum);
    let new = dir.join(format!("{}.new", ledger.name()));
    // what a kill left; never what a link leads to
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&raw)?;
    if ledger == Ledger::Safe {
        file.sync_data()?;
    }
    fs::rename(new, dir.join(ledger.name()))
}

/// What is written down in either; nothing where there is no such file, or one that cannot be used.
pub(super) fn read(dir: &Path) -> io::Result<Done> {
    let mut done = Done::default();
    for ledger in [Ledger::Safe, Ledger::Recent] {
        let path = dir.join(ledger.name());
        let raw = match fs::read(&path) {
            Ok(raw) => raw,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match parse(&raw) {
            Some(known) => done.add_all(&known),
            // a crash of the machine may leave the other one empty
            None if ledger == Ledger::Recent => {}
            None => tracing::error!(
                "{} cannot be used; of what the queue has, what the upstream has already may be delivered again",
                path.display()
            ),
        }
    }
    Ok(done)
}

fn parse(raw: &[u8]) -> Option<Done> {
    let (content, checksum) = raw.split_last_chunk::<4>()?;
    if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut source = Source::new(content.strip_prefix(MAGIC)?);
    if source.u32().ok()? != VERSION {
        return None;
    }
    let mut done = Done::below(source.u64().ok()?);
    for _ in 0..source.u32().ok()? {
        let (from, to) = (source.u64().ok()?, source.u64().ok()?);
        done.add(from, to);
    }
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_not_with_any_byte_changed() {
        let dir = tempfile::tempdir().unwrap();
        let mut done = Done::below(7);
        done.add(9, 12);
        done.add(20, 21);
        write(dir.path(), Ledger::Safe, &done).unwrap();
        assert_eq!(read(dir.path()).unwrap(), done);
        let raw = fs::read(dir.path().join("done")).unwrap();
        for at in 0..raw.len() {
            let mut other = raw.clone();
            other[at] ^= 1;
            assert_eq!(parse(&other), None, "byte {at}");
            assert_eq!(parse(&raw[..at]), None, "cut at {at}");
        }
        fs::write(dir.path().join("done"), b"").unwrap();
        assert_eq!(read(dir.path()).unwrap(), Done::default(), "a crash left it empty");
        write(dir.path(), Ledger::Safe, &done).unwrap();
        let mut newer = done.clone();
        newer.add(12, 20);
        write(dir.path(), Ledger::Recent, &newer).unwrap();
        assert_eq!(read(dir.path()).unwrap(), newer, "what either knows");
        fs::write(dir.path().join("done.recent"), &raw[..9]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), done);
    }
}
