//! Finds the records of a file, and what is between them where it is damaged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::frame::{Header, RECORD_HEADER, RECORD_MAGIC, SEGMENT_HEADER};

/// What is looked through at one time for the next record, bytes.
const WINDOW: usize = 64 << 10;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record, and where it begins.
    Record(Header, u64),
    /// So many bytes that are no record.
    Damage(u64),
    /// The end.
    End,
}

/// Looks for what is at `at` in a file that has records up to `end`; those before `least` were before. Returns what it is and where to go on.
pub(super) fn next(file: &File, at: u64, end: u64, least: u64) -> io::Result<(Found, u64)> {
    let at = at.max(SEGMENT_HEADER as u64);
    if at >= end {
        return Ok((Found::End, at));
    }
    if let Some(header) = record_at(file, at, end, least)? {
        return Ok((Found::Record(header, at), at + header.len()));
    }
    let next = search(file, at + 1, end, least)?;
    Ok((Found::Damage(next - at), next))
}

fn record_at(file: &File, at: u64, end: u64, least: u64) -> io::Result<Option<Header>> {
    if end - at < RECORD_HEADER as u64 {
        return Ok(None);
    }
    let mut raw = [0; RECORD_HEADER];
    file.read_exact_at(&mut raw, at)?;
    Ok(Header::decode(&raw).filter(|header| header.id >= least && header.len() <= end - at))
}

/// Where the next record begins, from `at` on; `end` if none does.
fn search(file: &File, mut at: u64, end: u64, least: u64) -> io::Result<u64> {
    let mut window = vec![0; WINDOW];
    while at + (RECORD_HEADER as u64) <= end {
        let length = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW);
        let window = &mut window[..length];
        file.read_exact_at(window, at)?;
        for start in 0..length.saturating_sub(RECORD_MAGIC.len() - 1) {
            if window[start..].starts_with(&RECORD_MAGIC)
                && record_at(file, at + start as u64, end, least)?.is_some()
            {
                return Ok(at + start as u64);
            }
        }
        // a magic word may reach from one window into the next
        at += (length - (RECORD_MAGIC.len() - 1)) as u64;
    }
    Ok(end)
}
