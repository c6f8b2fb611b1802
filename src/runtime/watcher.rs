//! Notices that the config (or a file it names) has other content, or that SIGHUP came, and reloads.
//!
//! Content is compared every five seconds rather than watched: Kubernetes replaces mounted files by swapping a
//! symlink above them, which file watchers miss.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Runtime;
use crate::intake::Heartbeat;

const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGHUP; reload by POST /-/reload or by changing the file");
            return;
        }
    };
    loop {
        heartbeat();
        let signalled = tokio::select! {
            () = stop.cancelled() => return,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let runtime = Arc::clone(&runtime);
        let work = move || if signalled { runtime.reload_logged() } else { runtime.reload_if_changed() };
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "reload failed");
        }
    }
}
