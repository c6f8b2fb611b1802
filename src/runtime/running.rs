//! A gate that runs: its loops, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::parts::Parts;
use super::settings::intake_settings;
use super::shared::{Runtime, Source};
use super::{aggregation as windows, janitor, limits, memory, watcher};
use crate::admin;
use crate::config::Loaded;
use crate::gate::drain::Drain;
use crate::gate::flush::Flusher;
use crate::health::Phase;
use crate::intake::{self, Drained};
use crate::telemetry::AdminMetrics;

/// Metrics are folded this often, scraped or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A gate that runs.
pub struct Running {
    /// Where the write port listens.
    pub write_address: SocketAddr,
    /// Where the admin port listens.
    pub admin_address: SocketAddr,
    /// The parts, for reload and reports.
    pub runtime: Arc<Runtime>,
    /// How long the end may take.
    drain_timeout: Duration,
    stop: CancellationToken,
    stop_admin: CancellationToken,
    write: JoinHandle<std::io::Result<Drained>>,
    loops: Vec<JoinHandle<()>>,
    flush: JoinHandle<Flusher>,
    drain: Option<JoinHandle<Drain>>,
    stop_flush: CancellationToken,
    stop_drain: CancellationToken,
}

/// What the outside comes in by.
pub(super) struct Sockets {
    pub(super) write: intake::Listener,
    pub(super) admin: tokio::net::TcpListener,
    pub(super) hangups: Signal,
}

impl Running {
    /// Starts all loops.
    pub(super) fn begin(
        loaded: Loaded,
        source: Source,
        parts: Parts,
        sockets: Sockets,
    ) -> std::io::Result<Self> {
        let (write_address, admin_address) = (sockets.write.local_addr()?, sockets.admin.local_addr()?);
        let drain_timeout = loaded.config.listen.drain_timeout;
        let (listen, seed, metrics) = (loaded.config.clone(), parts.seed, Arc::clone(&parts.intake));
        let runtime = Arc::new(Runtime::new(loaded, source, parts));
        let (access, port) = (Arc::clone(&runtime.accesses.write), Arc::clone(&runtime.memory.port));
        let settings = intake_settings(&listen, access, port, seed);
        let [stop, stop_admin, stop_flush, stop_drain] = std::array::from_fn(|_| CancellationToken::new());

        let gate = Arc::clone(&runtime.gate);
        let accepting = beat(&runtime, "accept");
        let write =
            tokio::spawn(intake::serve(sockets.write, settings, gate, metrics, accepting, stop.clone()));
        let own = || (Arc::clone(&runtime), stop_admin.clone());
        let closing = windows::run(own().0, beat(&runtime, "aggregation"), own().1);
        let watching = watcher::run(own().0, sockets.hangups, beat(&runtime, "config"), own().1);
        let loops = vec![
            tokio::spawn(admin::serve(sockets.admin, admin_port(&runtime), own().1)),
            tokio::spawn(closing),
            tokio::spawn(janitor::run(own().0, beat(&runtime, "expiry"), own().1)),
            tokio::spawn(limits::run(own().0, beat(&runtime, "limits"), own().1)),
            tokio::spawn(memory::run(own().0, beat(&runtime, "memory"), own().1)),
            tokio::spawn(watching),
            tokio::spawn(upkeep(own().0, own().1)),
        ];
        let flushing = beat(&runtime, "flush");
        let flusher = Flusher::new(Arc::clone(&runtime.gate));
        let flush = tokio::spawn(flusher.run(move || flushing(), stop_flush.clone()));
        let drain = drain(&runtime, seed, stop_drain.clone());
        runtime.health.enter(Phase::Ready);
        Ok(Self {
            write_address,
            admin_address,
            runtime,
            drain_timeout,
            stop,
            stop_admin,
            write,
            loops,
            flush,
            drain,
            stop_flush,
            stop_drain,
        })
    }

    /// Stops accepting, finishes what is in hand, ends all loops and sends what aggregations made: all that within
    /// `listen.drain_timeout`.
    pub async fn shutdown(self) -> Drained {
        let deadline = Instant::now() + self.drain_timeout;
        self.runtime.health.enter(Phase::Draining);
        self.stop.cancel();
        let drained = drained(self.write).await;
        // the admin port answers until the drain is over
        self.stop_admin.cancel();
        for task in self.loops {
            if let Err(error) = task.await {
                tracing::error!(%error, "a loop failed");
            }
        }
        // last: what the others still made is sent if the upstream takes it
        windows::last(&self.runtime).await;
        self.stop_flush.cancel();
        match self.flush.await {
            Ok(flusher) => flusher.finish(deadline).await,
            Err(error) => tracing::error!(%error, "the loop that sends aggregated samples failed"),
        }
        // behind it: what it sends goes into the queue
        if let Some(drain) = self.drain {
            self.stop_drain.cancel();
            match drain.await {
                Ok(drain) => drain.finish(deadline).await,
                Err(error) => tracing::error!(%error, "the loop that delivers the queue failed"),
            }
        }
        windows::save(&self.runtime, true).await;
        limits::save(&self.runtime, false).await;
        drained
    }
}

fn admin_port(runtime: &Arc<Runtime>) -> admin::Port<Runtime> {
    admin::Port {
        control: Arc::clone(runtime),
        access: Arc::clone(&runtime.accesses.admin),
        metrics: AdminMetrics::new(&runtime.registry),
    }
}

async fn drained(write: JoinHandle<std::io::Result<Drained>>) -> Drained {
    match write.await {
        Ok(Ok(drained)) => return drained,
        Ok(Err(error)) => tracing::error!(%error, "the write port failed"),
        Err(error) => tracing::error!(%error, "the write port's task failed"),
    }
    Drained { aborted: 0 }
}

fn drain(runtime: &Arc<Runtime>, seed: u64, stop: CancellationToken) -> Option<JoinHandle<Drain>> {
    runtime.gate.spool()?;
    let (delivering, writing) = (beat(runtime, "queue"), beat(runtime, "disk"));
    let drain = Drain::new(Arc::clone(&runtime.gate), seed);
    Some(tokio::spawn(drain.run(move || delivering(), move || writing(), stop)))
}

fn beat(runtime: &Arc<Runtime>, name: &'static str) -> intake::Heartbeat {
    match runtime.health.heartbeat(name) {
        Some(heartbeat) => Arc::new(move || heartbeat.beat()),
        None => Arc::new(|| {}),
    }
}

async fn upkeep(runtime: Arc<Runtime>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_EVERY) => runtime.registry.upkeep(),
        }
    }
}
