//! Watches the memory of the process and says what is given up as it runs out: see [`crate::memory::Level`].
//!
//! Ten times a second the process is measured and the index asked: those may grow fast. The other parts are asked every two
//! seconds. Nothing here is on the path of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::shared::Runtime;
use crate::intake::Heartbeat;
use crate::memory::{self, Level, Status, WritePort};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// Looks between two questions to all parts.
const ALL_EVERY: u32 = 20;

/// Reports speak of the last hour, seconds.
const AN_HOUR: u32 = 3600;

/// How it stands with memory, and what that means for the loops.
pub(super) struct Memory {
    pub(super) port: Arc<WritePort>,
    status: Mutex<Status>,
    /// How often the time was halved after which a series is forgotten.
    halvings: AtomicU32,
    /// When it was last so short that not everything was counted, Unix seconds; 0: never.
    short_at: AtomicU32,
}

impl Memory {
    /// Nothing is used yet of `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            port: Arc::default(),
            status: Mutex::new(Status { limit, ..Status::default() }),
            halvings: AtomicU32::new(0),
            short_at: AtomicU32::new(0),
        }
    }

    pub(super) fn status(&self) -> Status {
        *self.status.lock()
    }

    /// Whether memory was so short within the last hour that not everything was counted.
    pub(super) fn was_short(&self, now: u32) -> bool {
        let at = self.short_at.load(Ordering::Relaxed);
        at > 0 && now.saturating_sub(at) < AN_HOUR
    }

    /// After how long a series is forgotten that is to be forgotten after `configured`.
    pub(super) fn idle_after(&self, configured: Duration) -> Duration {
        match self.halvings.load(Ordering::Relaxed) {
            0 => configured,
            halvings => {
                let seconds = u32::try_from(configured.as_secs()).unwrap_or(u32::MAX);
                Duration::from_secs(memory::idle_seconds(seconds, halvings).into())
            }
        }
    }

    /// To be called at the end of each round over the index: as long as memory is short each round halves the time after
    /// which a series is forgotten, and when it is not any more each doubles it.
    pub(super) fn end_round(&self, configured: Duration) {
        let halvings = self.halvings.load(Ordering::Relaxed);
        let is_shortest = self.idle_after(configured).as_secs() <= memory::SHORTEST_IDLE_SECONDS.into();
        match self.status().level {
            Level::Normal => self.halvings.store(halvings.saturating_sub(1), Ordering::Relaxed),
            _ if is_shortest => {}
            _ => self.halvings.store(halvings + 1, Ordering::Relaxed),
        }
    }
}

pub(super) async fn run(runtime: Arc<Runtime>, heartbeat: Heartbeat, stop: CancellationToken) {
    let mut looks = 0;
    // what the index takes was said by it last, and what all other parts take
    let mut held = Held::default();
    loop {
        let all = looks % ALL_EVERY == 0;
        looks = looks.wrapping_add(1);
        let shared = Arc::clone(&runtime);
        let looked = tokio::task::spawn_blocking(move || {
            held.ask(&shared, all);
            let resident = memory::resident_bytes();
            shared.process.resident_bytes.set(resident.unwrap_or(0) as f64);
            shared.uses(held.sum().max(resident.unwrap_or(0)));
            held
        });
        match looked.await {
            Ok(asked) => held = asked,
            Err(error) => tracing::error!(%error, "memory was not looked at"),
        }
        heartbeat();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// What the parts said that they hold, bytes.
#[derive(Clone, Copy, Default)]
struct Held {
    index: usize,
    others: usize,
}

impl Held {
    fn ask(&mut self, runtime: &Runtime, all: bool) {
        self.index = runtime.pipeline.index().bytes();
        if all {
            let parts = runtime.held();
            let sum: usize = parts.iter().map(|(_, bytes)| bytes).sum();
            self.others = sum.saturating_sub(self.index);
            for (part, bytes) in parts {
                runtime.process.held(part, bytes);
            }
        }
    }

    fn sum(self) -> usize {
        self.index + self.others
    }
}

impl Runtime {
    /// Memory of all parts, bytes.
    fn held(&self) -> Vec<(&'static str, usize)> {
        let mut parts = self.pipeline.held().to_vec();
        parts.extend(self.gate.held());
        let port = &self.memory.port;
        parts.extend([("requests", port.request_bytes()), ("connections", port.connection_bytes())]);
        parts
    }

    /// So many bytes are used now: enters or leaves levels.
    pub(super) fn uses(&self, used: usize) {
        let (before, now) = {
            let mut status = self.memory.status.lock();
            let before = *status;
            *status = before.after(used);
            (before.level, *status)
        };
        if now.level >= Level::Shrinking {
            self.memory.short_at.store(self.pipeline.clock().unix_seconds(), Ordering::Relaxed);
        }
        self.health.set_memory(now);
        self.process.memory_level.set(f64::from(now.level as u8));
        if now.level == before {
            return;
        }
        self.pipeline.degrade(now.level);
        for level in Level::ALL.into_iter().filter(|level| *level > before && *level <= now.level) {
            self.process.entered(level);
        }
        let (used_mib, limit_mib) = (now.used >> 20, now.limit >> 20);
        if now.level > before {
            tracing::warn!(used_mib, limit_mib, "memory is short: {}", meaning(now.level));
        } else {
            tracing::info!(used_mib, limit_mib, "memory is less short: {}", meaning(now.level));
        }
    }
}

fn meaning(level: Level) -> &'static str {
    match level {
        Level::Normal => "nothing is given up for it",
        Level::Evicting => "idle series are forgotten early",
        Level::Shrinking => "idle series are forgotten early, and reports tell less apart",
        Level::Closed => {
            "new series are not tracked, idle ones are forgotten early, and reports tell less apart"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::runtime::Source;
    use crate::runtime::parts::Parts;

    const LIMIT: usize = 64 << 20;
    const START_MS: i64 = 1_700_000_000_000;

    fn runtime() -> Runtime {
        let text =
            "upstreams: [ { name: a, url: 'http://127.0.0.1:9/api/v1/write' } ]\nmemory: { limit: 64MiB }\n";
        let loaded = Config::parse(text, "gate.yaml", std::path::Path::new("."), &|_| None).unwrap();
        let parts = Parts::new(&loaded.config, Clock::manual(START_MS)).unwrap();
        Runtime::new(loaded, Source::Fixed, parts)
    }

    #[test]
    fn each_level_does_what_it_says_and_takes_it_back() {
        let runtime = runtime();
        let room = memory::room(LIMIT);
        let is = |level: Level| {
            let pipeline = &runtime.pipeline;
            (runtime.memory.status().level, pipeline.index().is_closed(), pipeline.tracker().is_shrunk())
                == (level, level >= Level::Closed, level >= Level::Shrinking)
        };
        for (used, level) in [
            (room / 2, Level::Normal),
            (room / 16 * 14, Level::Evicting),
            (room / 16 * 15, Level::Shrinking),
            (room, Level::Closed),
            (room / 16 * 14, Level::Closed),
            (room / 16 * 13, Level::Shrinking),
            (room / 16 * 12, Level::Evicting),
            (room / 2, Level::Normal),
            (2 * room, Level::Closed),
        ] {
            runtime.uses(used);
            assert!(is(level), "{used} of {room}: {:?}", runtime.memory.status());
        }
        let text = runtime.registry.render();
        assert!(text.contains("seriesgate_memory_level 3"), "{text}");
        for level in ["evicting", "shrinking", "closed"] {
            let line = format!("seriesgate_memory_levels_entered_total{{level=\"{level}\"}} 2");
            assert!(text.contains(&line), "{line}: {text}");
        }
        let now = runtime.pipeline.clock().unix_seconds();
        assert!(runtime.memory.was_short(now + 3599) && !runtime.memory.was_short(now + 3600));
        assert!(runtime.health.healthy().1.contains(r#""level":"closed""#));
    }

    #[test]
    fn each_round_halves_the_horizon_while_memory_is_short_and_doubles_it_afterwards() {
        let (memory, usual) = (Memory::new(LIMIT), Duration::from_secs(1200));
        let rounds = |level: Level, count: usize| -> Vec<u64> {
            memory.status.lock().level = level;
            let one = |_| {
                memory.end_round(usual);
                memory.idle_after(usual).as_secs()
            };
            (0..count).map(one).collect()
        };
        assert_eq!(rounds(Level::Normal, 2), [1200, 1200]);
        assert_eq!(rounds(Level::Evicting, 2), [600, 300]);
        assert_eq!(rounds(Level::Closed, 4), [150, 120, 120, 120]);
        assert_eq!(rounds(Level::Normal, 5), [150, 300, 600, 1200, 1200]);
        // one that is shorter by the config stays as it is
        memory.status.lock().level = Level::Closed;
        let short = Duration::from_millis(1500);
        memory.end_round(short);
        assert_eq!(memory.idle_after(short), short);
    }

    #[test]
    fn all_parts_are_asked() {
        let runtime = runtime();
        let names: Vec<&str> = runtime.held().into_iter().map(|(part, _)| part).collect();
        let parts = [
            "index",
            "edits",
            "scopes",
            "sketches",
            "tracking",
            "limits",
            "aggregation",
            "outbox",
            "buffers",
            "queue",
        ];
        assert_eq!(names, [&parts[..], &["requests", "connections"]].concat());
    }
}
