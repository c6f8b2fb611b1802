//! A gate that is killed again and again under load, with senders that retry as Prometheus does: nothing that was acknowledged is missing at
//! the backend, each series arrives in order, and what comes twice comes as whole requests.
//!
//! `SERIESGATE_KILLS=200 cargo test --release --test crash` does it that often (docs/reliability.md).

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use support::backend::{Backend, Seen, stored};
use support::gate::{SOON, Setup};
use support::http;
use support::wait::until;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Senders that each have one request on its way.
const SENDERS: u64 = 4;
/// Series of each that pass.
const SERIES: u64 = 3;
/// Kills, unless the environment says how many.
const KILLS: u64 = 6;

/// What the senders share.
#[derive(Default)]
struct Load {
    /// Where the gate is.
    gate: Mutex<Option<SocketAddr>>,
    stop: AtomicBool,
    /// Requests of each sender that were acknowledged.
    acknowledged: [AtomicU64; SENDERS as usize],
}

/// The `number`th request of a sender: a sample a second.
fn request(sender: u64, number: u64, start_ms: i64) -> WriteRequest {
    let at = start_ms + number as i64 * 1000;
    let sender = sender.to_string();
    let series = |n: u64| {
        TimeSeries::named("m", &[("n", &n.to_string()), ("sender", &sender)]).with_sample(at, number as f64)
    };
    let mut all: Vec<TimeSeries> = (0..SERIES).map(series).collect();
    all.push(TimeSeries::named("hits_total", &[("pod", &sender)]).with_sample(at, number as f64));
    WriteRequest::of(all)
}

/// Sends until it is told to stop, each request until it is acknowledged.
async fn send(load: Arc<Load>, sender: u64, start_ms: i64) {
    let mut number = 0;
    while !load.stop.load(Ordering::Relaxed) {
        let body = encode_snappy(&request(sender, number, start_ms));
        let gate = *load.gate.lock();
        let Some(gate) = gate else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        match http::send(http::write_request(gate, body)).await {
            Ok(reply) if reply.status < 300 => {
                number += 1;
                load.acknowledged[sender as usize].store(number, Ordering::Relaxed);
            }
            Ok(reply) => {
                assert!(reply.status == 429 || reply.status >= 500, "{}: {}", reply.status, reply.text);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// What arrived of each series, in order.
fn arrived(seen: &[Seen]) -> BTreeMap<String, Vec<(i64, f64)>> {
    let mut arrived: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for request in seen {
        for series in request.decoded().timeseries {
            let name = series.labels.iter().map(|label| label.value.clone()).collect::<Vec<_>>().join("/");
            let samples = series.samples.iter().map(|sample| (sample.timestamp, sample.value));
            arrived.entry(name).or_default().extend(samples);
        }
    }
    arrived
}

/// Kills a gate of this upstream `KILLS` times at moments that are different each time, and compares.
async fn kill_again_and_again(upstream: &str, dir: &Path) {
    let kills = std::env::var("SERIESGATE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let backend = Backend::start(|_| stored()).await;
    let setup = Setup::to(backend.url())
        .upstream(upstream)
        .data_dir(dir)
        .policy("name: sum, match: hits_total, action: aggregate, without: [pod], interval: 10s, delay: 0s");
    let load = Arc::new(Load::default());
    let start_ms = (seriesgate::clock::Clock::system().unix_ms() / 10_000 - 360) * 10_000;
    let senders: Vec<JoinHandle<()>> =
        (0..SENDERS).map(|sender| tokio::spawn(send(Arc::clone(&load), sender, start_ms))).collect();
    let mut gate = setup.start().await;
    let mut noise = 1_u64;
    for _ in 0..kills {
        *load.gate.lock() = Some(gate.write);
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros(noise >> 44)).await;
        gate.signal(Signal::KILL);
        *load.gate.lock() = None;
        gate.exit().await;
        gate = setup.start().await;
    }
    *load.gate.lock() = Some(gate.write);
    // the last run is no shorter than the others
    let before: u64 = load.acknowledged.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    until("the last run takes some, too", SOON, async || {
        let now: u64 = load.acknowledged.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        (now >= before + 100).then_some(())
    })
    .await;
    load.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    if upstream.contains("queue") {
        gate.until_metric("seriesgate_queue_requests", &[], 0.0).await;
    }
    gate.until_metric("seriesgate_aggregation_pending_samples", &[], 0.0).await;
    compare(&load, &backend.seen(), start_ms);
    gate.finish().await;
}

fn compare(load: &Load, seen: &[Seen], start_ms: i64) {
    for request in seen {
        // each request that passed has all series of its sender for each of its times
        let mut times: BTreeMap<(String, i64), u64> = BTreeMap::new();
        for series in request.decoded().timeseries {
            if let Some(sender) = series.label("sender") {
                *times.entry((sender.to_owned(), series.samples[0].timestamp)).or_default() += 1;
            }
        }
        assert!(times.values().all(|count| count % SERIES == 0), "a part of a request: {times:?}");
    }
    let arrived = arrived(seen);
    let (mut all, mut again) = (0, 0);
    for sender in 0..SENDERS {
        let acknowledged = load.acknowledged[sender as usize].load(Ordering::Relaxed);
        for n in 0..SERIES {
            let samples = arrived.get(&format!("m/{n}/{sender}")).cloned().unwrap_or_default();
            let mut next = 0;
            for (at, value) in samples {
                let number = ((at - start_ms) / 1000) as u64;
                assert_eq!(value, number as f64, "no sample is another than was sent");
                assert!(number <= next, "{sender}/{n}: {number} came before {next}");
                again += u64::from(number < next);
                next = next.max(number + 1);
                all += 1;
            }
            assert!(next >= acknowledged, "{sender}/{n}: {next} arrived, {acknowledged} were acknowledged");
        }
    }
    let mut newest = (i64::MIN, f64::MIN);
    for (at, value) in arrived.get("hits_total").cloned().unwrap_or_default() {
        if at > newest.0 {
            assert!(value >= newest.1, "the sum falls from {newest:?} to {value} at {at}");
            newest = (at, value);
        }
    }
    eprintln!("{all} samples arrived, {again} of them again; the sum is {newest:?}");
    let most: u64 = load.acknowledged.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    assert!(newest.1 > 0.0 && newest.1 <= most as f64, "{newest:?}, and {most} were counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_a_gate_with_a_queue_lose_nothing() {
    let dir = TempDir::new().unwrap();
    kill_again_and_again("delivery: queue, queue: { max_retry_wait: 100ms }", dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_a_gate_without_one_lose_nothing_that_is_sent_again() {
    let dir = TempDir::new().unwrap();
    kill_again_and_again("timeout: 5s", dir.path()).await;
}

/// Reloads that are asked for, every other of another config.
const RELOADS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_load_cost_no_request_and_leave_nothing_behind() {
    let reloads = std::env::var("SERIESGATE_RELOADS").map_or(RELOADS, |reloads| reloads.parse().unwrap());
    let backend = Backend::start(|_| stored()).await;
    let dir = TempDir::new().unwrap();
    let setup = |keys: &str| {
        Setup::to(backend.url()).upstream(&format!("delivery: queue, {keys}")).data_dir(dir.path()).policy(
            "name: sum, match: hits_total, action: aggregate, without: [pod], interval: 10s, delay: 0s",
        )
    };
    let configs = [
        setup("timeout: 20s").policy("name: none, match: 'absent', action: drop"),
        setup("timeout: 10s").policy("name: one, match: 'm{n=\"2\"}', action: drop, mode: preview"),
    ];
    let gate = configs[0].start().await;
    let load = Arc::new(Load::default());
    *load.gate.lock() = Some(gate.write);
    let start_ms = (seriesgate::clock::Clock::system().unix_ms() / 10_000 - 360) * 10_000;
    let senders: Vec<JoinHandle<()>> =
        (0..SENDERS).map(|sender| tokio::spawn(send(Arc::clone(&load), sender, start_ms))).collect();
    let mut files = Vec::new();
    for round in 0..reloads {
        gate.write_config(&configs[(round + 1) % 2]);
        assert_eq!(gate.admin_post("/-/reload").await.status, 200);
        files.push(gate.metrics().await.sum("seriesgate_open_files", &[]));
    }
    load.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    gate.until_metric("seriesgate_queue_requests", &[], 0.0).await;
    gate.until_metric("seriesgate_aggregation_pending_samples", &[], 0.0).await;
    compare(&load, &backend.seen(), start_ms);
    let metrics = gate.metrics().await;
    let answers = metrics.sum("seriesgate_requests_total", &[]);
    assert_eq!(metrics.sum("seriesgate_requests_total", &[("code", "204")]), answers, "no request failed");
    let most = |files: &[f64]| files.iter().fold(0.0_f64, |most, count| most.max(*count));
    let (first, last) = files.split_at(files.len() / 2);
    assert!(most(last) <= most(first) + 20.0, "files stay open: {files:?}");
    gate.finish().await;
}
