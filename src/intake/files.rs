//! File descriptors: the limit raised at start, and how many are in use.
//!
//! Each connection is a descriptor. A gate that runs into the soft limit of 1024 looks dead to its senders: their
//! connections wait in the kernel's queue and health checks time out.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What became of the soft file limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimit {
    /// The soft limit found; `None` = unlimited.
    pub before: Option<u64>,
    /// The soft limit now; `None` = unlimited.
    pub now: Option<u64>,
}

/// Raises the soft limit to the hard one. What the kernel refuses leaves the limit as it was.
pub fn raise_file_limit() -> FileLimit {
    let found = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: found.maximum, maximum: found.maximum };
    let now = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => found.maximum,
        Err(_) => found.current,
    };
    FileLimit { before: found.current, now }
}

/// The soft limit as it is now; `None` = unlimited.
pub(super) fn file_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Descriptors in use by the process; `None` where `/proc` is not there. Blocks: thousands of entries take milliseconds.
pub(super) fn open_files() -> Option<usize> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // the listing's own descriptor is among them
    Some(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_ends_at_the_hard_one() {
        let limit = raise_file_limit();
        assert_eq!(limit.now, getrlimit(Resource::Nofile).maximum);
        assert_eq!(file_limit(), limit.now);
    }

    #[test]
    fn an_open_file_is_counted() {
        let held: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open_files().unwrap() >= held.len());
    }
}
