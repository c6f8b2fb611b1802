//! One request's life: decide, forward, settle, answer.
//!
//! Everything of the data path that awaits is here, and nothing else is.

mod apart;
mod attach;
mod complaints;
mod deliver;
pub(crate) mod drain;
mod exchange;
pub(crate) mod flush;
mod kept;
mod letter;
mod metadata;
mod pool;
mod refuse;
mod rejected;
mod scope;
mod split;
mod spool;
mod transcode;
mod turn;

use std::sync::Arc;
use std::thread::available_parallelism;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use self::complaints::Complaints;
pub(crate) use self::kept::Kept;
pub use self::spool::Spool;
use crate::admin::Rejected;
use crate::aggregate::Outbox;
use crate::codec::Encoding;
use crate::config::{OnInvalid, OnRefusal};
use crate::egress::{Client, Outbound, Reply};
use crate::health::Health;
use crate::intake::{Handler, Hold, Inbound, SenderReply, TurnedAway};
use crate::pipeline::{
    Body, Counts, FIELD_BYTES, FieldRoom, Origin, Outcome, Pipeline, Returned, Scratch, Undecodable,
};
use crate::telemetry::{
    AggregationMetrics, DataMetrics, EgressMetrics, IntakeMetrics, Undecodable as Unread,
};
use crate::wire::{Form, Message};
use deliver::{Delivered, Parcel, deliver};
use exchange::Exchange;
use metadata::Told;
use pool::Pool;
use rejected::{LastRejected, Sender};
use scope::Scopes;

/// The upstream in use; replaced as a whole on reload.
pub struct Upstream {
    /// Sends.
    pub client: Client,
    /// Counts.
    pub metrics: Arc<EgressMetrics>,
}

impl Upstream {
    /// Whether a body of so many bytes is more than the upstream takes; then in words.
    fn is_over(&self, bytes: usize) -> Option<String> {
        let most = self.client.max_body_bytes().filter(|most| bytes > *most)?;
        Some(format!("{bytes} bytes, and upstreams[].max_body is {most}"))
    }

    /// Whether what is refused is to be looked for, so that the rest is kept.
    fn bisects(&self, reply: &Reply) -> bool {
        self.client.on_400() == OnRefusal::Bisect && matches!(reply, Reply::Invalid { written: None, .. })
    }
}

/// The gate: what the write port hands its requests to.
pub struct Gate {
    pipeline: Arc<Pipeline>,
    upstream: ArcSwap<Upstream>,
    /// Where requests wait on disk for the upstream; `None`: senders wait for it.
    spool: Option<Spool>,
    data: Arc<DataMetrics>,
    intake: Arc<IntakeMetrics>,
    health: Arc<Health>,
    scratches: Pool<Scratch>,
    outcomes: Pool<Outcome>,
    /// Long bodies leave their worker, so something else must bound how many are decoded at one time.
    long_bodies: Semaphore,
    /// A request that is split is held decoded while its parts are sent.
    splits: Semaphore,
    /// What aggregations made and the upstream does not have yet.
    outbox: Outbox,
    aggregation: AggregationMetrics,
    scopes: Scopes,
    complaints: Complaints,
    rejected: LastRejected,
    told: Told,
    /// What came of metrics in messages of its own, for an upstream that has no such.
    metadata: attach::Metadata,
}

/// What a gate needs to send what aggregations make.
pub struct Aggregating {
    /// Counts.
    pub metrics: AggregationMetrics,
    /// Name of the header that names the tenant.
    pub tenant_header: String,
    /// Samples at most that wait to be sent.
    pub max_pending_samples: usize,
}

/// Bodies that are larger than this once decoded are decoded where other tasks of the worker can move away (a few
/// milliseconds of work).
const LONG_BODY_BYTES: usize = 4 << 20;
/// Of those, so many at one time at least; more where there are more cores.
const LONG_BODIES_AT_ONCE: usize = 2;
/// Larger buffers are not kept for the next request. There are as many as workers and long bodies.
const LARGEST_SCRATCH_BYTES: usize = 16 << 20;
/// The same for what was decided, of which there is one for each request in hand: a steady request decides little.
const LARGEST_OUTCOME_BYTES: usize = 1 << 20;
/// A request of so many series is decided alone where the budget is too small for it.
const FIELDS_ALONE: usize = 16_384;
/// Requests split at one time: an upstream whose limit was lowered must not make us hold all of them decoded.
const SPLITS_AT_ONCE: usize = 4;

impl Gate {
    /// Puts the parts together.
    pub fn new(
        pipeline: Arc<Pipeline>,
        upstream: Upstream,
        data: Arc<DataMetrics>,
        intake: Arc<IntakeMetrics>,
        health: Arc<Health>,
        aggregation: Aggregating,
        on_invalid: OnInvalid,
    ) -> Self {
        Self {
            pipeline,
            upstream: ArcSwap::from_pointee(upstream),
            spool: None,
            data,
            intake,
            health,
            scratches: Pool::new(LARGEST_SCRATCH_BYTES),
            outcomes: Pool::new(LARGEST_OUTCOME_BYTES),
            long_bodies: Semaphore::new(
                available_parallelism()
                    .map_or(LONG_BODIES_AT_ONCE, |cores| cores.get().max(LONG_BODIES_AT_ONCE)),
            ),
            splits: Semaphore::new(SPLITS_AT_ONCE),
            outbox: Outbox::new(aggregation.max_pending_samples),
            aggregation: aggregation.metrics,
            scopes: Scopes::new(&aggregation.tenant_header),
            complaints: Complaints::new(on_invalid),
            rejected: LastRejected::default(),
            told: Told::default(),
            metadata: attach::Metadata::default(),
        }
    }

    /// Delivers by way of a queue.
    pub fn with_spool(self, spool: Option<Spool>) -> Self {
        Self { spool, ..self }
    }

    /// The queue, if there is one.
    pub fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// The queue, if requests go into it.
    fn taking_spool(&self) -> Option<&Spool> {
        self.spool.as_ref().filter(|spool| spool.takes)
    }

    /// What aggregations made and the upstream does not have yet.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What was refused lately, newest first.
    pub fn rejected(&self) -> Vec<Rejected> {
        self.rejected.all()
    }

    /// Lets go of the buffers that no request uses now. Called from time to time, so that no burst is kept for ever.
    pub fn let_go(&self) {
        self.scratches.clear();
        self.outcomes.clear();
        self.scopes.let_go();
    }

    /// Memory of what waits to be sent and of buffers that no request uses, bytes, by part.
    pub fn held(&self) -> [(&'static str, usize); 3] {
        let pooled = self.scratches.bytes(Scratch::capacity) + self.outcomes.bytes(Outcome::capacity);
        let buffers = pooled + self.told.bytes() + self.metadata.bytes();
        let queue = self.spool.as_ref().map_or(0, |spool| spool.queue.held());
        [("outbox", self.outbox.bytes()), ("buffers", buffers), ("queue", queue)]
    }

    /// Sends through another upstream from now on; requests in hand finish with the one they began with.
    pub fn replace_upstream(&self, upstream: Upstream) {
        self.upstream.store(Arc::new(upstream));
        if let Some(spool) = &self.spool {
            spool.forget_limit();
        }
        self.told.forget();
        self.metadata.forget();
    }

    /// Runs the pipeline over a body; `is_long`: away from other tasks.
    fn decide(
        &self,
        inbound: &Inbound,
        is_long: bool,
        room: FieldRoom<'_>,
    ) -> Result<Exchange<'_>, Undecodable> {
        let began = crate::clock::monotonic();
        let mut outcome = self.outcomes.take();
        let mut scratch = self.scratches.take();
        let upstream = self.upstream.load();
        let (mut scope_key, mut address) = (0, None);
        let decided = self.scopes.with(inbound, &upstream.client, |scope| {
            scope_key = self.metadata.scope(scope);
            let came = Form { message: inbound.message, encoding: Encoding::of(&inbound.body) };
            let wanted = match upstream.client.form(came) {
                // series of 1.0 are made to 2.0 behind the policies
                Form { message: Message::V2, .. } if came.message == Message::V1 => Form::PLAIN,
                form => form,
            };
            let Inbound { peer: sender, message, .. } = *inbound;
            let origin = Origin { scope, sender, message, wanted };
            let mut decide =
                || self.pipeline.decide_within(room, origin, &inbound.body, &mut scratch, &mut outcome);
            let decided = if is_long { aside(decide) } else { decide() };
            address = self.taking_spool().map(|spool| spool.address(inbound, scope, &scratch, &outcome));
            decided
        });
        self.data.decided(began);
        self.scratches.give(scratch, Scratch::capacity);
        decided.map(|()| Exchange::new(self, outcome, scope_key, address))
    }

    /// Sends what is to be sent. `None`: nothing is.
    async fn forward(
        &self,
        exchange: &mut Exchange<'_>,
        inbound: Inbound,
        hold: &mut Hold,
    ) -> Option<split::Sent> {
        let Inbound { body: came, query, headers, .. } = inbound;
        let queued = self.taking_spool().zip(exchange.take_address());
        let body = match exchange.outcome().body {
            Body::Nothing => return None,
            Body::Untouched => came,
            Body::Spliced => {
                // not to be held until there is an answer
                drop(came);
                Bytes::from(exchange.take_spliced())
            }
        };
        let upstream = self.upstream.load_full();
        let Outcome { form, forwarded, stale_markers, series, plain_bytes, ref metadata, .. } =
            *exchange.outcome();
        let counts = Counts { samples: forwarded.samples + stale_markers, ..forwarded };
        let outbound = Outbound { body, form, counts, query, headers };
        if let Some((spool, address)) = queued {
            return Some(self.enqueue(spool, exchange, outbound, address).await);
        }
        let head =
            (!metadata.entries.is_empty()).then(|| Outbound { body: Bytes::new(), ..outbound.clone() });
        let parcel = Parcel { outbound, plain_bytes };
        // one for all parts: a sender waits for its request, not for ours
        let deadline = upstream.client.deadline();
        let mut attach = self.metadata.attach(exchange.scope());
        let room = &mut |bytes| hold.add(bytes);
        let sent = match deliver(&upstream, parcel, deadline, room, &mut attach).await {
            Delivered::Sent(sent) => sent,
            Delivered::InParts(outbound, why) => match timeout_at(deadline, self.splits.acquire()).await {
                Ok(_turn) if hold.add(split::holds(&outbound.body, series)) => {
                    split::send_in_parts(&upstream, outbound, why, deadline).await
                }
                _ => split::Sent::busy(),
            },
        };
        if sent.stored {
            attach.told();
        }
        if let Some(head) = head.filter(|_| sent.stored) {
            self.told.send(&upstream, head, metadata, deadline).await;
        }
        Some(sent)
    }
}

impl Handler for Gate {
    async fn handle(&self, mut inbound: Inbound, hold: &mut Hold) -> SenderReply {
        let (came, typed) = (inbound.body.len(), inbound.typed);
        let decoded = self.pipeline.decoded_len(&inbound.body);
        let is_long = decoded > LONG_BODY_BYTES;
        let turn = if is_long { self.long_bodies.acquire().await.ok() } else { None };
        if !hold.resize(came.saturating_add(decoded)) {
            self.intake.undecodable(Unread::Overload);
            return self.turn_away(&Sender::of(&mut inbound), Unread::Overload, hold.refusal());
        }
        let mut asked = 0;
        let body = came.saturating_add(decoded);
        let decided = self.decide(&inbound, is_long, &mut |fields| {
            asked = fields;
            may_ever_hold(hold, fields) && hold.resize(body.saturating_add(fields * FIELD_BYTES))
        });
        drop(turn);
        let sender = Sender::of(&mut inbound);
        let mut exchange = match decided {
            Ok(exchange) => exchange,
            Err(Undecodable::NoRoom) => {
                let comes_again = may_ever_hold(hold, asked);
                let (reason, answer) = if comes_again {
                    (Unread::Overload, hold.refusal())
                } else {
                    (Unread::TooLarge, hold.refusal_of_many())
                };
                self.intake.undecodable(reason);
                return self.turn_away(&sender, reason, answer);
            }
            Err(undecodable) => return self.undecodable(&undecodable, typed, &sender),
        };
        // what it took to decide is given back first: what was let in alone for that has to fit like all others now
        if !(hold.resize(came) && hold.resize(exchange.holds(came))) {
            return self.turn_away(&sender, Unread::Overload, exchange.no_room(hold.refusal()));
        }
        let aggregated = &exchange.outcome().effects.aggregated;
        if !aggregated.samples.is_empty()
            && self.outbox.is_full(aggregated.tenant, self.pipeline.engine().uncollected())
        {
            return exchange.wait();
        }
        let sent = self.forward(&mut exchange, inbound, hold).await;
        exchange.conclude(sent, &sender)
    }

    fn turned_away(&self, request: &TurnedAway<'_>) {
        self.note(&Sender::turned_away(request), request.reason, request.status, request.message);
    }

    fn healthy(&self) -> (StatusCode, String) {
        self.health.healthy()
    }

    fn ready(&self) -> (StatusCode, String) {
        self.health.ready()
    }
}

impl Gate {
    /// Counts a request that is over for good and does what was decided.
    fn settle(&self, outcome: &Outcome, sent: &split::Sent) {
        for (policy, reason) in &outcome.not_aggregated {
            let policies = outcome.policies.as_ref().map(|policies| policies.set.policies());
            if let Some(policy) = policies.and_then(|all| all.get(usize::from(policy.0))) {
                self.aggregation.not_aggregated(&policy.name, *reason);
            }
        }
        if sent.form.message == Message::V1 {
            let metrics = &self.upstream.load().metrics;
            metrics.lost_starts.increment(outcome.started);
        }
        if sent.stored {
            let committed = self.pipeline.commit(outcome);
            self.data.settled(outcome, sent.refused, sent.too_large, &committed.aggregated);
            self.data.committed(outcome, &committed);
        } else {
            // the sender will not come again, and what the upstream refused was not this
            let by_policy = self.pipeline.commit_refused(outcome);
            self.data.settled(outcome, sent.refused, sent.too_large, &by_policy);
        }
    }

    fn give_back(&self, outcome: &Outcome, cause: Returned) {
        self.pipeline.refuse(outcome);
        self.data.returned(outcome, cause);
    }
}

/// Whether a request of so many fields can be decided once there is room. A few it can in any case: see `listen.max_in_flight`.
fn may_ever_hold(hold: &Hold, fields: usize) -> bool {
    fields <= FIELDS_ALONE || fields * FIELD_BYTES <= hold.max()
}

/// Runs long work so that the other tasks of this worker can go on, where the runtime has other workers.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
