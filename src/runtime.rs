//! Starts a gate from a checked config, keeps its loops going, reloads and drains it.

mod access;
mod aggregation;
mod error;
mod janitor;
mod limits;
mod memory;
mod parts;
mod queues;
mod reload;
mod running;
pub mod service_manager;
mod settings;
mod shared;
mod snapshots;
mod start;
mod watcher;

pub use error::StartError;
pub use running::Running;
pub(crate) use settings::pipeline_settings;
pub use shared::{Runtime, Source};
pub use snapshots::DirError;
pub use start::start;
