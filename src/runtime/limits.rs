//! Says what limits hold, and keeps who has a place where a restart finds it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::shared::Runtime;
use crate::intake::Heartbeat;

/// How often it is looked for groups that became full, and what changed is written: a crash forgets what was admitted since.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let mut failing = false;
    loop {
        heartbeat();
        tell(&runtime);
        failing = save(&runtime, failing).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Says which groups have become full.
fn tell(runtime: &Runtime) {
    for limit in runtime.pipeline.limits().all() {
        let (named, more) = limit.take_news();
        if more > 0 {
            tracing::warn!(policy = &*limit.name, groups = more, "so many more groups of a limit are full");
        }
        for group in named {
            tracing::warn!(
                policy = &*limit.name,
                group = &*group.labels,
                tenant = &*group.tenant,
                "a limit is reached: new series of this group are not admitted (see /api/v1/policies)"
            );
        }
    }
}

/// Writes who has a place, where that changed and there is a `data_dir`. `failing`: whether the last attempt failed; returns
/// whether this one did.
pub(super) async fn save(runtime: &Arc<Runtime>, failing: bool) -> bool {
    let Some(snapshots) = runtime.snapshots.clone() else { return false };
    let shared = Arc::clone(runtime);
    let work = move || {
        let (limits, now) = (shared.pipeline.limits(), shared.pipeline.clock().unix_seconds());
        snapshots.save_limits(limits, now)
    };
    let saved =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    match saved {
        Ok(false) => failing,
        Ok(true) => {
            if failing {
                tracing::info!("what limits admitted is written again");
            }
            false
        }
        Err(error) => {
            if !failing {
                tracing::error!(%error, "what limits admitted cannot be written; a restart will not know it");
            }
            true
        }
    }
}

/// Says what limits hold.
pub(super) fn publish(runtime: &Runtime) {
    let now = runtime.pipeline.clock().unix_seconds();
    for limit in runtime.pipeline.limits().all() {
        runtime.limits.publish(&limit.usage(now));
    }
}
