//! Sends what aggregations made: own requests, each tenant's in order, again until the upstream has them. Tenants are
//! sent side by side, so one whose requests fail or hang delays no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use bytes::Bytes;
use hyper::HeaderMap;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::deliver::{Delivered, Parcel, deliver};
use super::split;
use crate::aggregate::{Outgoing, Waiting};
use crate::egress::{Outbound, Reply};
use crate::pipeline::Counts;
use crate::telemetry::AggregationMetrics;
use crate::wire::Form;

/// Between two looks at what there is to send.
const EVERY: Duration = Duration::from_millis(250);
/// How long to wait after a failure, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Tenants sent at one time; each has one request on its way.
const MOST_AT_ONCE: usize = 32;

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

/// Sends for all tenants.
pub(crate) struct Flusher {
    gate: Arc<Gate>,
    sending: JoinSet<Sent>,
    /// Whose task it is.
    tenants: AHashMap<task::Id, u32>,
    pauses: BTreeMap<u32, Pause>,
}

impl Flusher {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, sending: JoinSet::new(), tenants: AHashMap::new(), pauses: BTreeMap::new() }
    }

    /// Sends until it is stopped.
    pub(crate) async fn run(mut self, beat: impl Fn(), stop: CancellationToken) -> Self {
        loop {
            beat();
            self.begin();
            tokio::select! {
                () = stop.cancelled() => return self,
                Some(sent) = self.sending.join_next_with_id() => self.settle(sent),
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Sends everything that waits once more, as far as the upstream takes it by `deadline`.
    pub(crate) async fn finish(mut self, deadline: Instant) {
        self.pauses.clear();
        loop {
            self.begin();
            match timeout_at(deadline, self.sending.join_next_with_id()).await {
                Ok(Some(sent)) => self.settle(sent),
                // nobody is left who did not fail, or the time is over
                Ok(None) | Err(_) => break,
            }
        }
        let left = self.gate.outbox.len();
        if left > 0 {
            tracing::warn!(samples = left, "aggregated samples could not be sent before the end");
        }
    }

    /// Begins with the tenants that have something to send and no reason to wait.
    fn begin(&mut self) {
        let now = Instant::now();
        for tenant in self.gate.outbox.ready() {
            if self.sending.len() >= MOST_AT_ONCE {
                return;
            }
            let paused = self.pauses.get(&tenant).is_some_and(|pause| pause.until > now);
            if paused || self.tenants.values().any(|sending| *sending == tenant) {
                continue;
            }
            let gate = Arc::clone(&self.gate);
            let sending = self.sending.spawn(async move { gate.send_of(tenant).await });
            self.tenants.insert(sending.id(), tenant);
        }
    }

    fn settle(&mut self, sent: Result<(task::Id, Sent), JoinError>) {
        let (id, sent) = sent.unwrap_or_else(|error| {
            tracing::error!(%error, "sending aggregated samples failed");
            (error.id(), Sent::Later(None))
        });
        let Some(tenant) = self.tenants.remove(&id) else { return };
        match sent {
            Sent::Done => drop(self.pauses.remove(&tenant)),
            Sent::Later(asked) => {
                let before = self.pauses.get(&tenant).map(|pause| pause.length);
                let length = before.map_or(FIRST_PAUSE, |before| (before * 2).min(LONGEST_PAUSE));
                let until = Instant::now() + asked.unwrap_or(length).min(LONGEST_PAUSE);
                self.pauses.insert(tenant, Pause { until, length });
            }
        }
    }
}

impl Gate {
    /// Sends all that waits for one tenant, until something fails.
    async fn send_of(&self, tenant: u32) -> Sent {
        let text = self.pipeline.tenants().text(tenant);
        let under = text.as_ref().and_then(|scope| self.scopes.outgoing(scope));
        let scope = text.as_deref().map_or(0, |scope| self.metadata.scope(scope));
        while let Some(Waiting { number, outgoing }) = self.outbox.first_of(tenant) {
            let Some((headers, query)) = under.clone() else {
                tracing::error!(
                    tenant,
                    "the headers of a tenant cannot be sent; its aggregated samples are lost"
                );
                self.aggregation.lost("unencodable", outgoing.points.len() as u64);
                self.outbox.done(tenant, number);
                continue;
            };
            match self
                .send_points(&outgoing, (headers, query), (text.as_deref().unwrap_or_default(), scope))
                .await
            {
                Sent::Done => self.outbox.done(tenant, number),
                later @ Sent::Later(_) => return later,
            }
        }
        Sent::Done
    }

    async fn send_points(
        &self,
        outgoing: &Outgoing,
        (headers, query): (HeaderMap, Option<String>),
        (text, scope): (&str, u64),
    ) -> Sent {
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
        let counts = Counts { samples: points, ..Counts::default() };
        let outbound = Outbound { body, form: Form::PLAIN, counts, query, headers };
        if let Some(spool) = self.taking_spool() {
            return match self.enqueue_points(spool, outbound, text).await {
                Ok(()) => Sent::Done,
                Err(_) => Sent::Later(None),
            };
        }
        let deadline = upstream.client.deadline();
        // as many points as wait are bounded elsewhere
        let parcel = Parcel { outbound, plain_bytes: 0 };
        let mut attach = self.metadata.attach(scope);
        let sent = match deliver(&upstream, parcel, deadline, &mut |_| true, &mut attach).await {
            Delivered::InParts(outbound, why) => {
                split::send_in_parts(&upstream, outbound, why, deadline).await
            }
            Delivered::Sent(sent) => sent,
        };
        if sent.stored {
            attach.told();
        }
        match sent.reply {
            Reply::Throttled { retry_after, .. } | Reply::Unavailable { retry_after, .. } => {
                self.aggregation.retries.increment(1);
                return Sent::Later(retry_after);
            }
            Reply::Invalid { status, excerpt, .. } => {
                tracing::warn!(%status, samples = sent.refused.samples, "the upstream refused aggregated samples: {excerpt}");
            }
            Reply::Unsupported { .. } => {
                self.aggregation.retries.increment(1);
                return Sent::Later(None);
            }
            Reply::TooLarge { .. } | Reply::Accepted | Reply::AcceptedInPart { .. } => {}
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
