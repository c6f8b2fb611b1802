//! Scopes that come from an earlier run, and those that go.

use super::Pipeline;
use crate::series::tenants::SILENT_ROUNDS;

impl Pipeline {
    /// How long scopes of a snapshot have been silent: since their newest sample.
    pub fn date_restored_tenants(&self) {
        let now_ms = self.clock.unix_ms();
        for number in (0..).take(self.tenants.names().len()) {
            let silent_ms =
                self.engine.heard_ms(number).map_or(i64::MAX, |heard_ms| now_ms.saturating_sub(heard_ms));
            let rounds = (silent_ms / 60_000).clamp(0, i64::from(SILENT_ROUNDS));
            self.tenants.was_silent(number, rounds as u32);
        }
    }

    /// To be called once a minute, by who collects from the engine. Forgets scopes that are silent for
    /// [`SILENT_ROUNDS`] and that nothing refers to: no group, no count, nothing that `waits` to be sent. A request in
    /// hand cannot: it would have been in hand for as long.
    pub fn forget_silent_tenants(&self, waits: impl Fn(u32) -> bool) {
        let silent = self.tenants.end_round();
        if silent.is_empty() {
            return;
        }
        let counted = self.tracker.tenants();
        let free = |number: &u32| !counted.contains(number) && !self.engine.holds(*number) && !waits(*number);
        for number in silent.into_iter().filter(free) {
            self.tenants.forget(number, || self.engine.forget(number));
        }
    }
}
