//! Builds every body before the clock starts, one thread for each connection's share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Result, bail};

use super::BlastOptions;
use crate::body::{Body, BodyBuilder};
use crate::protocol::Protocol;
use crate::shape::Population;

/// Simulated time between two scrapes, in milliseconds.
const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// Bodies in the order in which each connection sends them.
pub struct Prepared {
    shares: Vec<Share>,
    series: u64,
    distinct_series: u64,
}

/// What one connection sends: bodies by scrape.
struct Share {
    scrapes: Vec<Vec<Body>>,
}

impl Prepared {
    /// Builds the bodies of all scrapes, the last of which has timestamps just before `now_ms`.
    pub fn new(options: &BlastOptions, now_ms: i64) -> Result<Self> {
        let scrapes = options.warm + options.scrapes;
        let plan = Plan {
            population: options.population(),
            scrapes,
            connections: options.connections as u64,
            batch_series: options.batch_series,
            protocol: options.protocol,
            start_ms: now_ms - i64::from(scrapes) * SCRAPE_INTERVAL_MS,
            bytes: AtomicU64::new(0),
            max_bytes: options.max_prepared_bytes,
        };
        // as many at a time as there are cores: more threads would only share them
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let numbers: Vec<u64> = (0..plan.connections).collect();
        let mut shares = Vec::new();
        for group in numbers.chunks(threads) {
            let built: Result<Vec<Share>> = std::thread::scope(|scope| {
                let started: Vec<_> = group
                    .iter()
                    .map(|&share| {
                        scope.spawn({
                            let plan = &plan;
                            move || plan.build(share)
                        })
                    })
                    .collect();
                started
                    .into_iter()
                    .map(|thread| thread.join().expect("building bodies never panics"))
                    .collect()
            });
            shares.extend(built?);
        }
        let distinct_series = plan.distinct_series();
        Ok(Self { shares, series: options.series, distinct_series })
    }

    /// The bodies of one connection for one scrape.
    pub(super) fn bodies(&self, connection: usize, scrape: usize) -> &[Body] {
        &self.shares[connection].scrapes[scrape]
    }

    /// Series in one scrape.
    pub fn series(&self) -> u64 {
        self.series
    }

    /// Series over all scrapes, replaced pods included.
    pub fn distinct_series(&self) -> u64 {
        self.distinct_series
    }

    /// Samples in all scrapes.
    pub fn total_samples(&self) -> u64 {
        self.all().map(|body| body.series).sum()
    }

    /// Compressed and decompressed bytes of all bodies.
    pub fn total_bytes(&self) -> (u64, u64) {
        self.all().fold((0, 0), |(wire, raw), body| (wire + body.bytes.len() as u64, raw + body.raw_bytes))
    }

    fn all(&self) -> impl Iterator<Item = &Body> {
        self.shares.iter().flat_map(|share| share.scrapes.iter().flatten())
    }
}

struct Plan {
    population: Population,
    scrapes: u32,
    connections: u64,
    batch_series: usize,
    protocol: Protocol,
    start_ms: i64,
    /// Compressed bytes built so far, by all threads.
    bytes: AtomicU64,
    max_bytes: u64,
}

impl Plan {
    fn build(&self, share: u64) -> Result<Share> {
        let mut incarnations = vec![0; usize::try_from(self.population.pods())?];
        let mut scrapes = Vec::new();
        for scrape in 0..u64::from(self.scrapes) {
            scrapes.push(self.build_scrape(share, scrape, &mut incarnations)?);
        }
        Ok(Share { scrapes })
    }

    /// One scrape's bodies; `incarnations` holds the scrape at which each pod was last replaced.
    fn build_scrape(&self, share: u64, scrape: u64, incarnations: &mut [u64]) -> Result<Vec<Body>> {
        let seed = self.population.seed.child(9);
        let mut builder = BodyBuilder::new(self.batch_series).with_protocol(self.protocol);
        let mut bodies = Vec::new();
        let scraped_ms = self.start_ms + i64::try_from(scrape)? * SCRAPE_INTERVAL_MS;
        for (pod, incarnation) in (0..).zip(incarnations) {
            if self.population.replaced(pod, scrape) {
                *incarnation = scrape;
            }
            let pod_seed = seed.child(pod);
            let timestamp_ms = scraped_ms + i64::try_from(pod_seed.below(15_000))?;
            let mine = |index| pod_seed.child(index).below(self.connections) == share;
            self.population.visit(pod, *incarnation, mine, |index, labels| {
                let base = pod_seed.child(index).child(1).below(1_000_000);
                let value = (base + scrape * 17) as f64 / 100.0;
                bodies.extend(builder.push(labels, value, timestamp_ms));
            });
        }
        bodies.extend(builder.finish());
        let built: u64 = bodies.iter().map(|body| body.bytes.len() as u64).sum();
        if self.bytes.fetch_add(built, Relaxed) + built > self.max_bytes {
            bail!("the prepared bodies exceed {} bytes; send fewer series or scrapes", self.max_bytes);
        }
        Ok(bodies)
    }

    fn distinct_series(&self) -> u64 {
        let pods = 0..self.population.pods();
        pods.map(|pod| {
            let births = (1..u64::from(self.scrapes)).filter(|&scrape| self.population.replaced(pod, scrape));
            self.population.series_of(pod) * (1 + births.count() as u64)
        })
        .sum()
    }
}
