//! Nodes that went away.

use ahash::AHashMap;

use crate::cardinality::snapshot::NodeLine;

/// A node is gone when series of so many workloads ended there,
const WORKLOADS: usize = 3;
/// which are so many,
const SERIES: u32 = 20;
/// and more than this share of all that named it.
const SHARE: f64 = 0.5;
/// So long it is spoken of, seconds.
const NEWS: u32 = 3600;
/// So long kube-state-metrics is not to know it any more, seconds: until the series of all nodes that it does not know have
/// ended.
const SETTLED: u32 = 60;

/// The nodes that went away, and how many series ended with each.
pub(super) fn lost(nodes: &[NodeLine], now: u32) -> Vec<(&NodeLine, u32)> {
    let mut clusters: AHashMap<(u32, &str), (usize, usize)> = AHashMap::new();
    for node in nodes {
        let (there, gone) = clusters.entry((node.tenant, &node.cluster)).or_default();
        *there += usize::from(node.exists);
        *gone += usize::from(is_unknown(node, now));
    }
    let lost = nodes.iter().map(|node| {
        let (there, gone) = clusters[&(node.tenant, node.cluster.as_str())];
        let from = if is_silent(node, now) { node.from.losing } else { 0 };
        // where most are gone it is their exporter that went away
        let of = if gone < there && is_deserted(node, now) { node.of.losing } else { 0 };
        (node, from + of)
    });
    lost.filter(|(_, series)| *series > 0).collect()
}

/// Whether kube-state-metrics does not know it any more.
fn is_unknown(node: &NodeLine, now: u32) -> bool {
    node.gone_since != 0 && now.saturating_sub(node.gone_since) <= NEWS
}

/// Whether its pods went with it.
fn is_deserted(node: &NodeLine, now: u32) -> bool {
    let settled = now.saturating_sub(node.gone_since) >= SETTLED;
    is_unknown(node, now) && settled && node.of.workloads >= WORKLOADS
}

/// Whether much of what came from it has ended, and nothing came since.
fn is_silent(node: &NodeLine, now: u32) -> bool {
    let loss = &node.from;
    loss.losing >= SERIES
        && loss.workloads >= WORKLOADS
        && f64::from(loss.losing) >= SHARE * f64::from(loss.reported)
        && now.saturating_sub(loss.since) <= NEWS
}
