//! The admin port: metrics, health, readiness, reload, bypass. Never shares the write port's listener.

mod connections;
mod control;
mod guard;
mod page;
pub(crate) mod policies;
mod report;
mod route;
mod server;

pub use control::Control;
pub use report::{Rejected, View};
pub(crate) use server::bind;
pub use server::{Port, serve};
