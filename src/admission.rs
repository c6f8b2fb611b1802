//! Which series a limit lets in: the state of policies with `action: limit`.
//!
//! A series asks when it is decided. Where its group has room, a place is **reserved** for it; it is **admitted** once the upstream
//! has its data, and keeps its place until it ends (a stale marker) or is idle. A reservation that comes to nothing is given up
//! by itself when the request is over. So what flows keeps flowing, and a group never admits more than it may.
//!
//! Beyond a limit stands only what was there before it: series that flowed when the policy came into force, and those that came
//! during the warm-up of a process that has no memory of earlier ones.

mod admissions;
mod group;
mod groups;
mod registry;
mod reserved;
mod slot;
mod snapshot;
#[cfg(test)]
mod tests;
mod usage;

pub use self::admissions::{Admissions, Answer, Ask};
pub use self::group::{Fullness, Name};
pub use self::registry::{Adopted, Registry};
pub use self::reserved::Reserved;
pub use self::snapshot::{Restored, SavedLimits};
pub use self::usage::{GroupUsage, Usage};
