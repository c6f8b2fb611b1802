//! From a config to a gate that listens.

use thiserror::Error;

use super::parts::Parts;
use super::reload::Source;
use super::running::{Running, Sockets};
use super::snapshots::DirError;
use super::watcher;
use crate::admin;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::egress::EgressError;
use crate::intake::{self, BindError};
use crate::policy::CompileError;

/// Loops that must show themselves, and within how many seconds.
pub(super) const LOOPS: [(&str, f64); 5] =
    [("accept", 30.0), ("expiry", 30.0), ("config", 30.0), ("aggregation", 60.0), ("flush", 90.0)];

/// Why a gate could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The write port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin port.
    #[error("{0}")]
    Admin(String),
    /// The upstream's settings.
    #[error("upstream `{0}`: {1}")]
    Upstream(String, EgressError),
    /// A policy.
    #[error("policy {}: {}", .0.policy + 1, .0.message)]
    Policy(CompileError),
    /// The directory for snapshots.
    #[error("data_dir `{0}`: {1}")]
    DataDir(String, DirError),
    /// No source of random numbers for the keys of the identity hash.
    #[error("cannot draw the keys of the series hash: {0}")]
    Random(#[from] getrandom::Error),
    /// The operating system refuses something else (a listener's address, the signal handler).
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Starts a gate: binds both ports, then runs until [`Running::shutdown`].
///
/// # Errors
/// If a port cannot be bound, another gate has the `data_dir`, or the config cannot be carried out on this machine.
pub async fn start(loaded: Loaded, source: Source, clock: Clock) -> Result<Running, StartError> {
    let hangups = watcher::hangups()?;
    let config = &loaded.config;
    let parts = Parts::new(config, clock)?;
    let write = intake::bind(&config.listen)?;
    let admin = admin::bind(config.admin.address).await.map_err(StartError::Admin)?;
    Ok(Running::begin(loaded, source, parts, Sockets { write, admin, hangups })?)
}
