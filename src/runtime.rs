//! Starts a gate from a checked config, keeps its loops going, reloads and drains it.

mod aggregation;
mod janitor;
mod parts;
mod reload;
mod running;
mod settings;
mod snapshots;
mod start;
mod watcher;

pub use reload::{Runtime, Source};
pub use running::Running;
pub(crate) use settings::pipeline_settings;
pub use snapshots::DirError;
pub use start::{StartError, start};
