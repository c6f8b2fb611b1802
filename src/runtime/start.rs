//! From a config to a gate that listens.

use super::error::StartError;
use super::parts::Parts;
use super::running::{Running, Sockets};
use super::shared::Source;
use super::watcher;
use crate::admin;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::intake;

/// Starts a gate: binds both ports, then runs until [`Running::shutdown`].
///
/// # Errors
/// If a port cannot be bound, another gate has the `data_dir`, or the config cannot be carried out on this machine.
pub async fn start(loaded: Loaded, source: Source, clock: Clock) -> Result<Running, StartError> {
    let hangups = watcher::hangups()?;
    let config = &loaded.config;
    let parts = Parts::new(config, clock)?;
    let write = intake::bind(&config.listen)?;
    let admin = admin::bind(config.admin.address).map_err(StartError::Admin)?;
    Ok(Running::begin(loaded, source, parts, Sockets { write, admin, hangups })?)
}
