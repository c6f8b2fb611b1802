//! Sends what aggregations made: own requests, each tenant's in order, again until the upstream has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::split;
use crate::aggregate::{Outgoing, Waiting};
use crate::egress::{Outbound, Reply};
use crate::telemetry::AggregationMetrics;

/// Between two looks at what there is to send.
const EVERY: Duration = Duration::from_millis(250);
/// How long to wait after a failure, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is still to be sent at the end has so long for each tenant; the rest is in the snapshot.
const LAST_TRY: Duration = Duration::from_secs(3);
/// A loop that waits for an upstream is not stuck.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// What became of one request.
enum Sent {
    Done,
    /// To be sent again, after the upstream's own wait where it names one.
    Later(Option<Duration>),
}

/// A tenant whose requests fail.
struct Pause {
    until: Instant,
    length: Duration,
}

/// Sends until it is stopped; then everything that waits once more, as far as the upstream takes it.
pub(crate) async fn run(gate: Arc<Gate>, beat: impl Fn(), stop: CancellationToken) {
    let mut pauses: BTreeMap<u32, Pause> = BTreeMap::new();
    loop {
        beat();
        let stopping = stop.is_cancelled();
        for (tenant, _) in gate.outbox.first() {
            let now = Instant::now();
            if !stopping && pauses.get(&tenant).is_some_and(|pause| pause.until > now) {
                continue;
            }
            let sending = showing_life(&beat, gate.send_of(tenant, &beat));
            let sent = if stopping {
                tokio::time::timeout(LAST_TRY, sending).await.unwrap_or(Sent::Later(None))
            } else {
                sending.await
            };
            match sent {
                Sent::Done => drop(pauses.remove(&tenant)),
                Sent::Later(asked) => {
                    let before = pauses.get(&tenant).map(|pause| pause.length);
                    let length = before.map_or(FIRST_PAUSE, |before| (before * 2).min(LONGEST_PAUSE));
                    let until = Instant::now() + asked.unwrap_or(length).min(LONGEST_PAUSE);
                    pauses.insert(tenant, Pause { until, length });
                }
            }
        }
        if stopping {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn showing_life<T>(beat: &impl Fn(), work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(ALIVE_EVERY) => beat(),
        }
    }
}

impl Gate {
    /// Sends all that waits for one tenant, until something fails.
    async fn send_of(&self, tenant: u32, beat: &impl Fn()) -> Sent {
        let under = self.pipeline.tenants().text(tenant).and_then(|scope| self.scopes.outgoing(&scope));
        while let Some(Waiting { number, outgoing }) = self.outbox.first_of(tenant) {
            beat();
            let Some((headers, query)) = under.clone() else {
                tracing::error!(
                    tenant,
                    "the headers of a tenant cannot be sent; its aggregated samples are lost"
                );
                self.aggregation.lost("unencodable", outgoing.points.len() as u64);
                self.outbox.done(tenant, number);
                continue;
            };
            match self.send_points(&outgoing, headers, query).await {
                Sent::Done => self.outbox.done(tenant, number),
                later @ Sent::Later(_) => return later,
            }
        }
        Sent::Done
    }

    async fn send_points(&self, outgoing: &Outgoing, headers: HeaderMap, query: Option<String>) -> Sent {
        let points = outgoing.points.len() as u64;
        let body = match outgoing.encode() {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                tracing::error!(%error, points, "aggregated samples cannot be encoded");
                self.aggregation.lost("unencodable", points);
                return Sent::Done;
            }
        };
        let upstream = self.upstream.load_full();
        let outbound = Outbound { body, query, headers };
        let deadline = upstream.client.deadline();
        let sent = match upstream.client.send_by(outbound.clone(), deadline).await {
            Reply::TooLarge { excerpt } => split::send_in_parts(&upstream, outbound, excerpt, deadline).await,
            reply => {
                split::Sent::whole(reply, crate::pipeline::Counts { samples: points, ..Default::default() })
            }
        };
        match sent.reply {
            Reply::Throttled { retry_after, .. } | Reply::Unavailable { retry_after, .. } => {
                self.aggregation.retries.increment(1);
                return Sent::Later(retry_after);
            }
            Reply::Invalid { status, excerpt } => {
                tracing::warn!(%status, samples = sent.refused.samples, "the upstream refused aggregated samples: {excerpt}");
            }
            Reply::TooLarge { .. } | Reply::Accepted => {}
        }
        self.aggregation.lost("refused", sent.refused.samples);
        self.aggregation.lost("too_large", sent.too_large.samples);
        Sent::Done
    }

    /// What aggregations counted.
    pub(crate) fn aggregation(&self) -> &AggregationMetrics {
        &self.aggregation
    }
}
