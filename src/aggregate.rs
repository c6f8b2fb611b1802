//! Aggregation: one series in place of many, and nothing lost on the way.
//!
//! Series that an `aggregate` policy matches are *members* of *groups*; a group is one series upstream. Samples are
//! gathered in *windows* of `interval`, by their own time, and a window becomes one point of each group when the newest
//! sample of the tenant is `delay` past its end.
//!
//! - Counters: each member's increase since its last value, resets seen; all increases add up to a counter that goes on
//!   when members come and go. Where a member starts from is its first sample, unless it was born while we watched.
//! - Gauges: the members' last values in the window, or the one before where there is none.
//! - Buckets of a histogram are counters that share a shard, so a window ends for all of them at one moment.
//!
//! ```text
//! decide ─▶ Batch (joins, samples) ─▶ upstream has the rest ─▶ Engine::commit ─▶ windows ─▶ Engine::collect ─▶ points
//! ```

mod admit;
mod adopt;
mod aggregator;
mod apply;
mod birth;
mod buckets;
mod close;
mod commit;
mod depart;
mod doubt;
mod doubts;
mod emptied;
mod engine;
mod expiry;
mod gathered;
mod gauges;
mod given_up;
mod group;
mod locked;
mod member;
mod memory;
mod outbox;
mod outgoing;
mod pace;
mod pages;
mod partition;
mod point;
mod retype;
mod runs;
mod shard;
mod snapshot;
mod starts;
mod tenancy;
mod tenant;
mod time;
mod types;
mod watch;

pub use aggregator::{Aggregator, PolicyCounts};
pub use birth::SenderHistory;
pub use engine::{Adopted, Brings, Collected, Engine, Room, Settings, Wanted};
pub use group::{EndedGroup, Named};
pub use outbox::{Outbox, Waiting};
pub use outgoing::Outgoing;
pub use point::{Age, Batch, Departure, Join, Point, PointKind, Sample, SampleCounts};
pub use shard::Counts;
pub use snapshot::{Head, Restored, Snapshot, SnapshotError};
pub use starts::{Keys, Starts};
pub use types::{Class, Declared, NotAggregated, Types, class_by_labels, family_of};

/// Who has a claim on what a group is sent as, by the hash of its policy's definition: nobody that could come as a
/// series, and another for each policy.
pub fn owner_of(
    definition: crate::series::Fingerprint,
    output: crate::series::Fingerprint,
) -> crate::series::Fingerprint {
    crate::series::Fingerprint {
        high: output.high ^ definition.high ^ 0x6772_6f75_7073_2120,
        low: !output.low ^ definition.low,
    }
}
