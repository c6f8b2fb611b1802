//! seriesgate: a streaming Prometheus remote-write proxy that keeps the number of series under control.
//!
//! The data path, left to right, is also the order in which modules may use each other:
//!
//! ```text
//! intake ─▶ codec ─▶ wire ─▶ series ─▶ policy ─▶ pipeline (one synchronous function) ─▶ egress
//! ```
//!
//! [`gate`] composes them for one request; [`runtime`] starts, reloads and drains the process;
//! [`admin`] shows it. `docs/architecture.md` is the map, `tests/architecture.rs` holds it against the code.

#![warn(clippy::print_stderr)] // it panics where standard error takes nothing; `cli::output` writes there

pub mod clock;
pub mod codec;
pub mod memory;
pub mod tls;
pub mod version;
pub mod wire;

pub mod series;

pub mod record;

pub mod cardinality;
pub mod policy;

pub mod admission;
pub mod aggregate;

pub mod config;

pub mod pipeline;

pub mod access;
pub mod browser;
pub mod health;
mod socket;
pub mod telemetry;
pub mod via;

pub mod admin;
pub mod egress;
pub mod intake;
pub mod queue;

pub mod gate;

pub mod runtime;

pub mod cli;
