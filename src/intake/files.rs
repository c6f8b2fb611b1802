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

/// Descriptors that are not for requests: the admin port (64), what aggregations send (32), files, the runtime.
const OTHERS: u64 = 128;

/// Fewer connections than this are worth a warning where nobody asked for so few.
const FEW_CONNECTIONS: usize = 256;

/// Connections at most, with `files` descriptors in all: each may have a request in hand, which needs another
/// descriptor for its connection to the upstream.
fn most_connections(files: u64) -> usize {
    usize::try_from(files.saturating_sub(OTHERS) / 2).unwrap_or(usize::MAX).max(1)
}

/// The part of the memory limit that connections may have where the config does not say how many there may be, and what one
/// takes at least, bytes: a read buffer of 16 KiB, its task, the state of its protocol.
const PART_OF_MEMORY: usize = 8;
const CONNECTION_BYTES: usize = 24 << 10;

/// Connections at most: what the config says, as far as there are descriptors for it; absent: as many as there are
/// descriptors and memory for.
pub(super) fn max_connections(configured: Option<usize>, files: Option<u64>, memory_limit: usize) -> usize {
    let most = files.map_or(usize::MAX, most_connections);
    if let (Some(asked), Some(files)) = (configured.filter(|asked| *asked > most), files) {
        let needed = OTHERS.saturating_add(2 * asked as u64);
        tracing::warn!(
            "listen.max_connections of {asked} needs {needed} file descriptors, two for each request, and the process \
             may have {files}: {most} connections are accepted; raise the limit (ulimit -Hn, LimitNOFILE=, --ulimit nofile=) to \
             {needed}, or lower max_connections"
        );
    }
    if let (None, Some(files)) = (configured, files.filter(|_| most < FEW_CONNECTIONS)) {
        tracing::warn!(
            "the process may have {files} file descriptors, two for each request: {most} connections are accepted; raise the \
             limit (ulimit -Hn, LimitNOFILE=, --ulimit nofile=), or set listen.max_connections"
        );
    }
    let held = (memory_limit / PART_OF_MEMORY / CONNECTION_BYTES).max(1);
    configured.unwrap_or(held).min(most)
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
    fn every_connection_has_a_second_descriptor_for_the_upstream() {
        assert_eq!([1024, 20_000].map(most_connections), [448, 9936]);
        assert_eq!([0, 100, 129].map(most_connections), [1, 1, 1]);
        assert_eq!(most_connections(u64::MAX), ((u64::MAX - OTHERS) / 2) as usize);
        let files = Some(1024);
        assert_eq!(
            [None, Some(1), Some(900)].map(|asked| max_connections(asked, files, 1 << 40)),
            [448, 1, 448]
        );
        // an eighth of 96 MiB, 24 KiB each; what the config says holds
        assert_eq!([None, Some(900)].map(|asked| max_connections(asked, None, 96 << 20)), [512, 900]);
        assert_eq!(max_connections(None, files, 0), 1);
    }

    #[test]
    fn an_open_file_is_counted() {
        let held: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open_files().unwrap() >= held.len());
    }
}
