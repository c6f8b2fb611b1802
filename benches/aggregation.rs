//! What aggregation costs, without a network: a million series in a hundred thousand groups.
//!
//! `cargo bench --bench aggregation` prints CPU per sample for requests of known series and of new ones, how long windows
//! take to close, and for how long a request waits for that at most.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seriesgate::aggregate;
use seriesgate::clock::{Clock, monotonic};
use seriesgate::pipeline::{Outcome, Pipeline, Scratch, Settings};
use seriesgate::policy::{Action, Aggregation, Definition, Keys, Mode, PolicySet, Run, Selector};
use seriesgate::series::{Fingerprinter, Limits};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

const SERIES: usize = 1_000_000;
const GROUPS: usize = 100_000;
const BATCH: usize = 2000;
const START_MS: i64 = 1_700_000_040_000;

fn pipeline(clock: &Clock) -> Pipeline {
    let aggregation = Aggregation {
        keys: Keys::Without(vec!["pod".into()]),
        replica_labels: ["__replica__".to_owned()].into(),
        delay_ms: 10_000,
        ..Aggregation::default()
    };
    let policy = Definition {
        name: "agg".into(),
        selectors: vec![Selector::parse("{pod!=\"\"}").unwrap()],
        workload: None,
        action: Action::Aggregate(aggregation.into()),
        mode: Mode::Enforce,
    };
    let settings = Settings {
        max_tracked: 2 * SERIES,
        max_tenants: 1,
        max_decoded_bytes: 1 << 26,
        max_future_ms: None,
        validation: Default::default(),
        long_values: None,
        stale_markers: true,
        limits: Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 },
        tracking: Default::default(),
        aggregation: aggregate::Settings::default(),
    };
    let set = PolicySet::compile(&[policy], Run::AsConfigured).unwrap();
    Pipeline::new(settings, set, Fingerprinter::from_seed(1), clock.clone())
}

/// The requests of one scrape at `at_ms`, compressed.
fn scrape(at_ms: i64, value: f64) -> Vec<Vec<u8>> {
    let one = |n: usize| {
        let (group, pod) = ((n % GROUPS).to_string(), format!("web-7d764666f9-{n:07}"));
        let labels = [
            ("cluster", "prod-cn-hangzhou-1"),
            ("group", group.as_str()),
            ("instance", "ip-10-0-12-34.ec2.internal"),
            ("job", "kubelet"),
            ("namespace", "team-7"),
            ("pod", pod.as_str()),
        ];
        TimeSeries::named("container_cpu_usage_seconds_total", &labels).with_sample(at_ms, value)
    };
    let batches = (0..SERIES / BATCH).map(|batch| (batch * BATCH..(batch + 1) * BATCH).map(one).collect());
    batches.map(|batch| encode_snappy(&WriteRequest::of(batch))).collect()
}

/// Puts requests through; the longest that one took to commit.
fn put(pipeline: &Pipeline, requests: &[Vec<u8>]) -> (Duration, Duration) {
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    let began = monotonic();
    let mut longest = Duration::ZERO;
    for request in requests {
        pipeline.decide("", request, &mut scratch, &mut outcome).unwrap();
        let committing = monotonic();
        pipeline.commit(&outcome);
        longest = longest.max(committing.elapsed());
    }
    (began.elapsed(), longest)
}

fn per_sample(took: Duration) -> f64 {
    took.as_nanos() as f64 / SERIES as f64
}

fn main() {
    let clock = Clock::manual(START_MS);
    let pipeline = Arc::new(pipeline(&clock));
    let (took, _) = put(&pipeline, &scrape(START_MS, 1.0));
    println!("new series          {:7.0} ns each", per_sample(took));
    let mut known = Duration::MAX;
    for tick in 1..4 {
        clock.advance_ms(15_000);
        let requests = scrape(START_MS + tick * 15_000, tick as f64);
        known = known.min(put(&pipeline, &requests).0);
    }
    println!("known series        {:7.0} ns each, decoding included", per_sample(known));

    // as the gate's loop does twice a second
    pipeline.engine().collect(clock.now());

    // windows close while requests are committed
    let mut longest = Duration::ZERO;
    let mut closing = Duration::ZERO;
    for minute in 1..4 {
        clock.advance_ms(60_000);
        let requests = scrape(START_MS + 30_000 + minute * 60_000, 10.0 * minute as f64);
        let done = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&pipeline), Arc::clone(&done));
        let now = clock.now();
        let flusher = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let began: Instant = monotonic();
                let points: usize =
                    shared.engine().collect(now).iter().map(|(_, _, points)| points.len()).sum();
                if points > 0 {
                    longest = longest.max(began.elapsed());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            longest
        });
        longest = longest.max(put(&pipeline, &requests).1);
        done.store(true, Ordering::Relaxed);
        closing = closing.max(flusher.join().unwrap());
    }
    println!("closing {GROUPS} groups {:7.1} ms in all, in sixteen parts", closing.as_secs_f64() * 1e3);
    println!("longest commit      {:7.1} ms while windows close", longest.as_secs_f64() * 1e3);
    let counts = pipeline.engine().aggregators()[0].counts();
    println!("members and windows {:7.1} bytes for each series", counts.bytes as f64 / counts.members as f64);
}
