//! Waiting for something to become true, never for time to pass.

use std::time::Duration;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something to see; what is not there after `limit` is a failure called `what`.
pub(crate) async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(limit, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}
