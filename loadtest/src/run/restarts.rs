//! Gates that end and come back while a load goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::clock;
use crate::proxy::Gates;
use crate::scenario::Scenario;
use crate::send::Routes;

/// How long a receiver is left out before it ends: what was on its way to it arrives, as where a pod ends behind a Service.
const LEAVES: Duration = Duration::from_millis(50);

/// What is done to one gate, and when on the clock, from the beginning of the measurement.
#[derive(Clone, Copy)]
pub(super) struct Cycle {
    gate: usize,
    ends: Duration,
    back: Duration,
}

/// The restarts of a scenario whose scrapes last so long on the clock.
pub(super) fn of(scenario: &Scenario, lasts: Duration) -> Vec<Cycle> {
    let scale = lasts.as_secs_f64() / scenario.interval.0.as_secs_f64();
    let warm = scenario.interval.0 * u32::try_from(scenario.warm).unwrap_or(u32::MAX);
    let mut cycles: Vec<Cycle> = scenario
        .restarts
        .iter()
        .map(|restart| Cycle {
            gate: restart.gate,
            ends: restart.at.0.saturating_sub(warm).mul_f64(scale),
            back: (restart.at.0.saturating_sub(warm) + restart.down.0).mul_f64(scale),
        })
        .collect();
    cycles.sort_by_key(|cycle| cycle.ends);
    cycles
}

/// Does it, one after the other. Returns whether all ended by themselves.
pub(super) fn perform(cycles: &[Cycle], start: Instant, gates: &Gates, routes: &Arc<Routes>) -> Result<bool> {
    let mut by_themselves = true;
    for cycle in cycles {
        wait_until(start + cycle.ends);
        routes.goes(cycle.gate);
        std::thread::sleep(LEAVES);
        by_themselves &= gates.end(cycle.gate)?;
        wait_until(start + cycle.back);
        gates.start_again(cycle.gate)?;
        routes.is_back(cycle.gate);
    }
    Ok(by_themselves)
}

fn wait_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(clock::monotonic()));
}
