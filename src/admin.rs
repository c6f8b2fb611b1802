//! The admin port: metrics, health, readiness, reload, bypass. Never shares the write port's listener.

mod health;
mod page;
pub(crate) mod policies;
mod server;

pub use health::{Health, Heartbeat, Phase};
pub(crate) use server::bind;
pub use server::{Control, serve};
