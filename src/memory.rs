//! How much memory the process may use, how much it uses, and what is given up as it runs out.

mod level;
mod limit;
mod resident;
mod write_port;

pub use self::level::{Level, SHORTEST_IDLE_SECONDS, idle_seconds, level};
pub use self::limit::limit_bytes;
pub use self::resident::resident_bytes;
pub use self::write_port::WritePort;

/// Where neither the config nor a cgroup nor the machine tells it: what a small sidecar has.
const ASSUMED_LIMIT_BYTES: u64 = 1 << 30;

/// Memory that the process may use, bytes: as configured, or the tightest limit that is found.
pub fn limit(configured: Option<usize>) -> usize {
    configured.unwrap_or_else(|| {
        usize::try_from(limit_bytes().unwrap_or(ASSUMED_LIMIT_BYTES)).unwrap_or(usize::MAX)
    })
}

/// The part of a limit that the gate may use before it gives up what it can do without: three quarters. The rest is
/// for what comes between two looks, and for what the allocator and reports take for a moment.
pub fn room(limit: usize) -> usize {
    limit / 4 * 3
}

/// The part of a limit that requests in hand may hold, where the config does not say: a quarter.
pub fn for_requests(limit: usize) -> usize {
    limit / 4
}

/// How it stands with the memory of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What is being given up.
    pub level: Level,
    /// The larger of what the parts say that they hold and what the process has of the machine, bytes.
    pub used: usize,
    /// What the process may use, bytes.
    pub limit: usize,
}

impl Status {
    /// The same a moment later, when so much is used.
    pub fn after(self, used: usize) -> Self {
        Self { level: level(used, room(self.limit), self.level), used, ..self }
    }
}
