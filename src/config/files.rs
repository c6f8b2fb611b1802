//! Files that a config is read from: the config itself, secrets, certificates.
//!
//! A path may lead to a pipe that nobody writes to, or to a file system that no longer answers. So only regular files are
//! read, each by a thread of its own that is waited for no longer than [`DEADLINE`].

use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// A local file system answers in milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);
/// Reads that may hang at one time; each has a thread that cannot be ended.
const MAX_HANGING: usize = 4;

static HANGING: AtomicUsize = AtomicUsize::new(0);

/// The files that a config was read from, and what was in them. Equal only if all of that is equal.
///
/// Contents are compared, not times: Kubernetes replaces mounted files by swapping a symlink above them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesRead(Vec<FileRead>);

#[derive(Clone, PartialEq, Eq)]
struct FileRead {
    path: PathBuf,
    max_bytes: u64,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// SipHash with fixed keys: the same in every read of a process, which is all it is for.
    Hash(u64),
    /// Why it could not be read.
    Unreadable(String),
}

/// Without the path: a secret may have been given in its place.
impl fmt::Debug for FileRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRead").field("content", &self.content).finish_non_exhaustive()
    }
}

impl FilesRead {
    /// Reads a regular file, of `max_bytes` and one more at most, and remembers what was in it.
    pub(crate) fn read(&mut self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let bytes = read(path, max_bytes);
        self.0.push(FileRead { path: path.to_owned(), max_bytes, content: Content::of(&bytes) });
        bytes
    }

    /// Whether one of the files has other content now, or can no longer be read, or can be again. May block for some
    /// seconds.
    pub fn changed(&self) -> bool {
        self.0.iter().any(|file| Content::of(&read(&file.path, file.max_bytes)) != file.content)
    }
}

impl Content {
    fn of(bytes: &io::Result<Vec<u8>>) -> Self {
        match bytes {
            Ok(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Self::Hash(hasher.finish())
            }
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    within(DEADLINE, move || read_regular(&path, max_bytes))
}

fn read_regular(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    // a directory is refused by the system's own words
    if !kind.is_file() && !kind.is_dir() {
        let what = if kind.is_fifo() { "a pipe" } else { "a device or a socket" };
        return Err(io::Error::other(format!("it is {what}; expected a regular file")));
    }
    let mut content = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// What `work` gives, if it does so in time. Work that hangs keeps its thread.
fn within(
    deadline: Duration,
    work: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
) -> io::Result<Vec<u8>> {
    if HANGING.load(Ordering::Acquire) >= MAX_HANGING {
        return Err(io::Error::other("earlier reads still wait for a file system that does not answer"));
    }
    let (send, receive) = sync_channel(1);
    // set by whoever is first: the worker that has ended, or the one who waited in vain
    let over = Arc::new(AtomicBool::new(false));
    let worker_over = Arc::clone(&over);
    std::thread::Builder::new().name("read-file".to_owned()).spawn(move || {
        send.send(work()).ok();
        if worker_over.swap(true, Ordering::AcqRel) {
            HANGING.fetch_sub(1, Ordering::AcqRel);
        }
    })?;
    match receive.recv_timeout(deadline) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the read failed")),
        Err(RecvTimeoutError::Timeout) => {
            // counted before it is told, so that the count never falls below zero
            HANGING.fetch_add(1, Ordering::AcqRel);
            if over.swap(true, Ordering::AcqRel) {
                HANGING.fetch_sub(1, Ordering::AcqRel);
            }
            Err(io::Error::other(format!("the file system did not answer within {} s", deadline.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_hangs_is_given_up() {
        let (release, wait) = sync_channel::<()>(1);
        let hangs = move || wait.recv().map(|()| Vec::new()).map_err(io::Error::other);
        let told = within(Duration::ZERO, hangs).expect_err("given up").to_string();
        assert_eq!(told, "the file system did not answer within 0 s");
        release.send(()).expect("it still waits");
    }

    #[test]
    fn other_content_is_seen_through_a_symlink_that_is_swapped() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [("one", "a"), ("same", "a"), ("two", "b")] {
            fs::write(at(name), text).expect("written");
        }
        let swap = |to: &str| {
            fs::remove_file(at("link")).ok();
            std::os::unix::fs::symlink(at(to), at("link")).expect("linked");
        };
        swap("one");
        let mut files = FilesRead::default();
        files.read(&at("link"), 10).expect("read");
        assert!(!files.changed());
        swap("same");
        assert!(!files.changed());
        swap("two");
        assert!(files.changed());
        fs::remove_file(at("link")).expect("removed");
        assert!(files.changed());
        // what is missing still is reported once
        let mut missing = FilesRead::default();
        missing.read(&at("link"), 10).expect_err("missing");
        assert!(!missing.changed());
        swap("one");
        assert!(missing.changed());
    }

    #[test]
    fn a_pipe_is_refused_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("runs").success());
        let told = FilesRead::default().read(&path, 10).expect_err("refused").to_string();
        assert_eq!(told, "it is a pipe; expected a regular file");
    }
}
