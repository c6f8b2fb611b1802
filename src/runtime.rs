//! Starts a gate from a checked config, keeps its loops going, reloads and drains it.

mod aggregation;
mod janitor;
mod reload;
mod snapshots;
mod start;
mod watcher;

pub use reload::{Runtime, Source};
pub(crate) use start::pipeline_settings;
pub use start::{Running, StartError, start};
