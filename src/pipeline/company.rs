//! What the known series of a request say of who sent it: those of a sender that has been here for long were here before.

use crate::aggregate::Company;
use crate::series::{Found, Index, Probe};

/// So many of the known series are asked since when they are known.
const ASKED: usize = 64;

/// Looks at the series of a request that the index has answered for.
pub(super) fn company(index: &Index, probes: &[Probe], now: u32) -> Company {
    let is_known = |probe: &&Probe| matches!(probe.found, Found::Known(..) | Found::Stale(..));
    let known = probes.iter().filter(is_known).count();
    let unknown = probes.iter().filter(|probe| probe.found == Found::Missing).count();
    let asked = probes.iter().filter(is_known).step_by(known.div_ceil(ASKED).max(1));
    let mut since: Vec<u32> = asked.filter_map(|probe| index.born(probe.fingerprint)).collect();
    let middle = since.len() / 2;
    let known_since = (!since.is_empty()).then(|| *since.select_nth_unstable(middle).1);
    let known_ms = known_since.map(|since| i64::from(now.saturating_sub(since)) * 1000);
    Company { known_ms, most_known: known >= unknown }
}
