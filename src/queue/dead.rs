//! What an upstream refused for good, kept for somebody to look at: the same files as those of a queue, and of a bounded size.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::error::QueueError;
use super::frame::Header;
use super::segment::{self, Segment};

/// Files of a folder that is full: with the oldest goes so much of it.
const FILES: u64 = 8;

/// A folder of what was refused.
pub struct DeadLetters {
    dir: PathBuf,
    max_bytes: u64,
    files: Mutex<Files>,
}

struct Files {
    /// Oldest first. The last is written to, if this run made it.
    segments: VecDeque<Segment>,
    is_open: bool,
    next: u64,
}

impl DeadLetters {
    /// Opens the folder; it is made with the first that is put into it.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, QueueError> {
        let (segments, next) = if dir.exists() { segment::list(dir)? } else { (VecDeque::new(), 1) };
        let files = Files { segments, is_open: false, next };
        Ok(Self { dir: dir.to_owned(), max_bytes, files: Mutex::new(files) })
    }

    /// Keeps one: when it came (Unix seconds), samples in it, what stands in front of the body, and the body. Blocks.
    ///
    /// # Errors
    /// If the disk does not take it. One that is larger than all that may be kept is not kept.
    pub fn put(&self, at: u32, samples: u32, head: &[u8], body: &[u8]) -> io::Result<()> {
        let mut payload = (head.len() as u32).to_le_bytes().to_vec();
        payload.extend_from_slice(head);
        payload.extend_from_slice(body);
        let mut files = self.files.lock();
        let checksum = crc32fast::hash(&payload);
        let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let header = Header { id: files.next, lane: 0, at, samples, bytes, checksum };
        if header.len() > self.max_bytes {
            return Ok(());
        }
        files.make_room(&self.dir, header.len(), self.max_bytes);
        let raw = [&header.encode()[..], &payload].concat();
        let segment = files.current(&self.dir, self.max_bytes / FILES)?;
        if let Err(error) = segment.file.write_all_at(&raw, segment.bytes) {
            drop(segment.file.set_len(segment.bytes));
            return Err(error);
        }
        segment.bytes += raw.len() as u64;
        files.next += 1;
        Ok(())
    }

    /// Bytes of the folder.
    pub fn bytes(&self) -> u64 {
        self.files.lock().bytes()
    }
}

impl Files {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn make_room(&mut self, dir: &Path, bytes: u64, most: u64) {
        while self.bytes() + bytes > most
            && let Some(oldest) = self.segments.pop_front()
        {
            segment::remove(dir, oldest.first);
            self.is_open &= !self.segments.is_empty();
        }
    }

    /// The file to write to.
    fn current(&mut self, dir: &Path, largest: u64) -> io::Result<&mut Segment> {
        if !self.is_open || self.segments.back().is_none_or(|last| last.bytes >= largest) {
            fs::create_dir_all(dir)?;
            self.segments.push_back(segment::create(dir, self.next)?);
            self.is_open = true;
        }
        self.segments.back_mut().ok_or_else(|| io::Error::other("there is no file"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::records_of;
    use super::*;

    fn kept(dir: &Path) -> Vec<(u64, Vec<u8>)> {
        let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mut kept = Vec::new();
        for path in paths {
            records_of(&path, |record, _| {
                let record = record.unwrap();
                assert_eq!((&record.head[..], record.header.at), (&b"head"[..], 7));
                kept.push((record.header.id, record.body.to_vec()));
            })
            .unwrap();
        }
        kept
    }

    #[test]
    fn the_newest_are_kept_within_the_bound_and_restarts_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("dead");
        let most = 64 << 10;
        for run in 0..4_u8 {
            let letters = DeadLetters::open(&dir, most).unwrap();
            for i in 0..50_u8 {
                letters.put(7, 1, b"head", &[run * 50 + i; 1000]).unwrap();
                assert!(letters.bytes() <= most);
            }
            letters.put(7, 1, b"head", &vec![0; 100 << 10]).unwrap();
        }
        let on_disk: u64 =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(on_disk <= most && on_disk > most / 2, "{on_disk}");
        let kept = kept(&dir);
        let last: Vec<_> = (200 - kept.len() as u8..200).map(|i| (u64::from(i) + 1, vec![i; 1000])).collect();
        assert_eq!(kept, last, "the newest, in order, and none too large");
    }
}
