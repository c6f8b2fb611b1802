//! Notices that the config (or a file it names) has other content, or that SIGHUP came, and reloads.
//!
//! Content is compared every five seconds rather than watched: Kubernetes replaces mounted files by swapping a
//! symlink above them, which file watchers miss.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::service_manager;
use super::shared::Runtime;
use crate::admin::Control as _;
use crate::intake::Heartbeat;

const EVERY: Duration = Duration::from_secs(5);

/// Listens for SIGHUP from now on: before that the signal would end the process.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

pub(super) async fn run(
    runtime: Arc<Runtime>,
    mut hangups: Signal,
    heartbeat: Heartbeat,
    stop: CancellationToken,
) {
    loop {
        heartbeat();
        let signalled = tokio::select! {
            () = stop.cancelled() => return,
            _ = hangups.recv() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let runtime = Arc::clone(&runtime);
        // what becomes of it is logged
        let work = move || {
            if signalled {
                service_manager::reloading();
                drop(runtime.reload());
                service_manager::reloaded();
            } else {
                runtime.reload_if_changed();
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "reload failed");
        }
    }
}
