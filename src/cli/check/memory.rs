//! Whether what a config may remember has room in the memory there is.

use crate::config::Config;

/// Bytes of a tracked series, and of one that an aggregation knows as well: measured, docs/performance.md.
const TRACKED_BYTES: u64 = 116;
const AGGREGATED_BYTES: u64 = 200;
/// The part of the memory that series may have, in percent: a quarter is for bodies (`listen.max_in_flight`).
const FOR_SERIES: u64 = 75;

/// A warning, if `series.max_tracked` series need more than there is for them; `memory` in bytes, that of the machine or
/// the control group.
pub(super) fn warning(config: &Config, memory: u64) -> Option<String> {
    let aggregates = config.policies.iter().any(|policy| policy.enforced_aggregation().is_some());
    let each = if aggregates { AGGREGATED_BYTES } else { TRACKED_BYTES };
    let tracked = config.series.max_tracked as u64;
    let needed = tracked.saturating_mul(each);
    let room = memory / 100 * FOR_SERIES;
    (needed > room).then(|| {
        let with = if aggregates { " that are tracked and aggregated" } else { "" };
        format!(
            "`series.max_tracked: {tracked}` series{with} need about {} MiB, and of the {} MiB of memory here {} \
             MiB are for them; lower it to {}, or check where the gate runs",
            needed >> 20,
            memory >> 20,
            room >> 20,
            room / each
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_a_warning_with_what_would() {
        let warned = |policy: &str, memory: u64| {
            let text = format!("upstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies: [ {policy} ]\n");
            let config = Config::parse(&text, "gate.yaml", std::path::Path::new("."), &|_| None);
            warning(&config.unwrap().config, memory)
        };
        let aggregate = "{ name: a, match: x_total, action: aggregate, without: [pod] }";
        // 2,000,000 series by default: 222 MiB, and 382 MiB where they are aggregated
        assert_eq!(warned("", 320 << 20), None);
        assert_eq!(warned(aggregate, 640 << 20), None);
        let text = warned(aggregate, 320 << 20).unwrap();
        assert!(text.contains("need about 381 MiB, and of the 320 MiB of memory here 239 MiB"), "{text}");
        assert!(text.contains("lower it to 1258"), "{text}");
        assert!(
            warned("", 256 << 20)
                .unwrap()
                .contains("`series.max_tracked: 2000000` series need about 221 MiB")
        );
    }
}
