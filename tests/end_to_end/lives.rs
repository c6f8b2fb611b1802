//! How gates that aggregate end, what two of them do with one directory, and what one tenant does to the others.

use std::time::Duration;

use rustix::process::Signal;
use seriesgate_proto::encode_snappy;
use tempfile::TempDir;
use tokio::time::Instant;

use super::aggregating::{INTERVAL_MS, hits, points, start, start_ms, values, yaml};
use super::lifecycle::{assert_fails_saying, output};
use super::support::backend::{Backend, Step, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::support::wait::until;
use super::support::{http, ports};

fn setup(url: String, delay: &str) -> Setup {
    Setup::to(url).policy(&format!(
        "name: agg, match: '{{pod!=\"\"}}', action: aggregate, without: [pod], interval: 10s, delay: {delay}"
    ))
}

async fn send(gate: &Gate, tenant: &str, at_ms: i64, value: f64) {
    let mut request = http::write_request(gate.write, encode_snappy(&hits("a", at_ms, value)));
    request.headers_mut().insert("x-scope-orgid", tenant.parse().unwrap());
    assert_eq!(http::send(request).await.unwrap().status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gate_on_one_data_dir_does_not_start_and_a_next_one_does() {
    let backend = Backend::start(|_| stored()).await;
    let dir = TempDir::new().unwrap();
    let more = format!("data_dir: '{}'\n", dir.path().display());
    let gate = start(&backend.url(), &more).await;
    let second = yaml(&backend.url(), ports::free(), ports::free(), &more);
    let said = ["data_dir", "another gate uses it", "a directory of its own", "strategy: Recreate"];
    assert_fails_saying(&output(&second).await, 1, &said);
    // killed, it leaves nothing behind that would keep the next one out
    gate.signal(Signal::KILL);
    gate.exit().await;
    start(&backend.url(), &more).await.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_data_dir_a_stop_sends_what_was_gathered() {
    let backend = Backend::start(|_| stored()).await;
    let gate = setup(backend.url(), "30s").start().await;
    let start = start_ms();
    // one window is over and waits for the delay, one is open
    for tick in 1..=4 {
        send(&gate, "", start + tick * INTERVAL_MS - 5000, 30.0 * (tick - 1) as f64).await;
    }
    assert!(points(&backend).is_empty(), "nothing is due");
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(values(&backend).last(), Some(&90.0), "{:?}", points(&backend));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_data_dir_a_stop_leaves_open_windows_to_the_next_start() {
    let backend = Backend::start(|_| stored()).await;
    let dir = TempDir::new().unwrap();
    let more = format!("data_dir: '{}'\n", dir.path().display());
    let start_at = start_ms();
    let at = |tick: i64| start_at + tick * INTERVAL_MS - 5000;
    let gate = start(&backend.url(), &more).await;
    for tick in 1..=3 {
        send(&gate, "", at(tick), 30.0 * tick as f64).await;
    }
    gate.signal(Signal::TERM);
    gate.exit().await;
    assert_eq!(values(&backend).last(), Some(&30.0), "the third window is not over");
    let gate = start(&backend.url(), &more).await;
    send(&gate, "", at(3) + 1000, 100.0).await;
    send(&gate, "", at(4), 100.0).await;
    until("the third window is there", SOON, async || (values(&backend).last() == Some(&70.0)).then_some(()))
        .await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_has_one_deadline_whatever_hangs() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = setup(backend.url(), "0s").listen("drain_timeout: 2s").start().await;
    let start = start_ms();
    for tenant in 0..5 {
        for tick in 1..=3 {
            send(&gate, &format!("t{tenant}"), start + tick * INTERVAL_MS - 5000, tick as f64).await;
        }
    }
    backend.until_seen(5).await;
    let began = Instant::now();
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("could not be sent before the end"), "{log}");
    // two seconds, and what a busy machine needs to start and end things; not as much for each tenant
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_requests_hang_delays_no_other() {
    let stuck = |head: &str| head.contains("x-scope-orgid: stuck");
    let backend = Backend::start(move |seen| if stuck(&seen.head) { Step::Hold } else { stored() }).await;
    let gate = setup(backend.url(), "0s").listen("drain_timeout: 1s").start().await;
    let start = start_ms();
    for tick in 1..=3 {
        send(&gate, "stuck", start + tick * INTERVAL_MS - 5000, tick as f64).await;
    }
    backend.until_seen(1).await;
    for tenant in ["blue", "green"] {
        for tick in 1..=3 {
            send(&gate, tenant, start + tick * INTERVAL_MS - 5000, tick as f64).await;
        }
        let theirs = format!("x-scope-orgid: {tenant}");
        // the request of the other would hang for half a minute
        until("the others are served", Duration::from_secs(10), async || {
            backend.seen().iter().any(|seen| seen.head.contains(&theirs)).then_some(())
        })
        .await;
    }
    gate.finish().await;
}
