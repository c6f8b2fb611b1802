//! The agent that scrapes a cluster and writes what it saw: what is gone since the last scrape ends with a stale marker.

use std::sync::Arc;

use super::Cluster;
use crate::body::{Body, BodyBuilder};
use crate::law::STALE_MARKER;

/// An agent with its cluster.
pub struct Agent {
    cluster: Cluster,
    hasher: ahash::RandomState,
    /// What the last scrape had: hash and labels, sorted by hash.
    seen: Vec<(u64, Block)>,
}

/// The labels of a series: names and values in turns, each behind its length in four bytes.
type Block = Arc<[u8]>;

impl Agent {
    /// An agent that has not scraped yet.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, hasher: ahash::RandomState::with_seeds(1, 2, 3, 4), seen: Vec::new() }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The agent starts anew: it does not know what it saw before, and ends nothing of it.
    pub fn restart(&mut self) {
        self.seen.clear();
    }

    /// Scrapes at a time (Unix milliseconds) and shows each series with its value, then those that have ended since
    /// the last scrape with a stale marker. Returns how many there were of either.
    pub fn scrape(&mut self, now_ms: i64, mut visit: impl FnMut(&[(&str, &str)], f64)) -> (u64, u64) {
        let mut now: Vec<(u64, Block)> = Vec::with_capacity(self.seen.len());
        let (seen, hasher) = (&self.seen, &self.hasher);
        let series = self.cluster.scrape(now_ms, |labels, value, _| {
            visit(labels, value);
            let hash = hasher.hash_one(labels);
            let block = match seen.binary_search_by_key(&hash, |(hash, _)| *hash) {
                Ok(at) => Arc::clone(&seen[at].1),
                Err(_) => encode(labels),
            };
            now.push((hash, block));
        });
        now.sort_unstable_by_key(|(hash, _)| *hash);
        let mut ended = 0;
        for (hash, block) in &self.seen {
            if now.binary_search_by_key(hash, |(hash, _)| *hash).is_err() {
                visit(&decode(block), STALE_MARKER);
                ended += 1;
            }
        }
        self.seen = now;
        (series, ended)
    }

    /// Scrapes, and puts what there is into remote-write bodies of `batch_series` series.
    pub fn bodies(&mut self, now_ms: i64, batch_series: usize) -> Vec<Body> {
        let mut builder = BodyBuilder::new(batch_series);
        let mut bodies = Vec::new();
        self.scrape(now_ms, |labels, value| bodies.extend(builder.push(labels, value, now_ms)));
        bodies.extend(builder.finish());
        bodies
    }
}

fn encode(labels: &[(&str, &str)]) -> Block {
    let mut block = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        block.extend((text.len() as u32).to_le_bytes());
        block.extend(text.as_bytes());
    }
    block.into()
}

fn decode(mut block: &[u8]) -> Vec<(&str, &str)> {
    let mut text = || {
        let (len, rest) = block.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        block = rest;
        std::str::from_utf8(text).ok()
    };
    std::iter::from_fn(|| Some((text()?, text()?))).collect()
}
