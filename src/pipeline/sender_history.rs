//! What the known series of a request say of who sent it: those of a sender that has been here for long were here before.

use crate::aggregate::SenderHistory;
use crate::series::{Found, Index, Probe};

/// So many of the known series are asked since when they are known.
const ASKED: usize = 64;

/// Looks at the series of a request that the index has answered for.
pub(super) fn sender_history(index: &Index, probes: &[Probe], now: u32) -> SenderHistory {
    let is_known = |probe: &&Probe| matches!(probe.found, Found::Known(..) | Found::Stale(..));
    let known = probes.iter().filter(is_known).count();
    let unknown = probes.iter().filter(|probe| probe.found == Found::Missing).count();
    let asked = probes.iter().filter(is_known).step_by(known.div_ceil(ASKED).max(1));
    let mut ages: Vec<u32> =
        asked.filter_map(|probe| Some(now.saturating_sub(index.first_seen(probe.fingerprint)?))).collect();
    let middle = ages.len().saturating_sub(1) / 2;
    let known_s = (!ages.is_empty()).then(|| *ages.select_nth_unstable(middle).1);
    SenderHistory { known_ms: known_s.map(|age| i64::from(age) * 1000), most_known: known >= unknown }
}
