//! What systemd is told of the process that it started, as `sd_notify(3)` says. Elsewhere there is no `NOTIFY_SOCKET`, and
//! nothing is said.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::health::Health;

/// Says that the ports answer.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(one_line(status))]);
}

/// Says that what is in hand is being finished.
pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("finishing the requests in hand")]);
}

/// Says that a reload begins, which `reloaded` ends.
pub(super) fn reloading() {
    // systemd compares it with when it asked for the reload (from 253 on)
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "no monotonic time for the service manager"),
    }
}

/// Says that the reload is over, whatever became of it.
pub(super) fn reloaded() {
    say(&[NotifyState::Ready]);
}

/// Puts a line in `systemctl status`.
pub(super) fn status(status: &str) {
    say(&[NotifyState::Status(one_line(status))]);
}

/// Shows that the gate is alive for as long as its loops are, where the service manager wants to know; else it
/// ends at once.
pub async fn show_life(health: Arc<Health>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = interval((limit / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if is_alive(&health) {
            say(&[NotifyState::Watchdog]);
        }
    }
}

fn is_alive(health: &Health) -> bool {
    // a drain ends the loops one by one; how long it may take says the unit
    let stuck = if health.is_draining() { Vec::new() } else { health.stuck() };
    if !stuck.is_empty() {
        let loops = stuck.join(", ");
        tracing::error!(
            loops,
            "stuck: the service manager gets no sign of life, so it will start the gate anew"
        );
    }
    stuck.is_empty()
}

/// A further line would be a message of its own.
fn one_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager (NOTIFY_SOCKET) how the gate stands");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Phase;

    #[test]
    fn a_stuck_loop_ends_the_signs_of_life() {
        assert!(is_alive(&Health::new(&[("fine", 1000.0)])));
        let health = Health::new(&[("fine", 1000.0), ("stuck", -1.0)]);
        assert!(!is_alive(&health));
        health.enter(Phase::Draining);
        assert!(is_alive(&health), "loops that have ended are not stuck");
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("config reloaded: policies\nMAINPID=1"), "config reloaded: policies");
        assert_eq!(one_line(""), "");
    }
}
