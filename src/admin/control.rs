//! What the routes of the admin port need of the process behind them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::report::View;
use crate::health::Health;

/// What the admin port can ask of the process. Calls may block; they are made off the async workers.
pub trait Control: Send + Sync + 'static {
    /// Everything in Prometheus' text format.
    fn metrics(&self) -> String;
    /// Health of the loops.
    fn health(&self) -> &Health;
    /// What each policy did, as JSON.
    fn policies(&self) -> String;
    /// What the cardinality reports are made from.
    fn view(&self) -> View<'_>;
    /// The one permit that whoever reads reports or findings out of the counts holds: each takes memory and time.
    fn reports(&self) -> &Arc<Semaphore>;
    /// Name of the request header that holds a tenant.
    fn tenant_header(&self) -> String;
    /// Series in the index.
    fn active_series(&self) -> usize;
    /// Reads the config again. `Ok`: what happened. `Err`: why the running one stays.
    fn reload(&self) -> Result<String, String>;
    /// Turns all policies into previews, or back.
    fn bypass(&self, on: bool) -> Result<String, String>;
}
