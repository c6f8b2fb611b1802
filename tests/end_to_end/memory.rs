//! What requests in hand hold is counted, whatever form it has.

use std::time::Duration;

use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use super::support::backend::{Backend, Step, stored};
use super::support::gate::{Gate, Setup};
use super::support::http;
use super::support::wait::until;
use super::{mixture, pods};

/// Series in each of the large requests here.
const MANY: usize = 5_000;

async fn held(gate: &Gate) -> f64 {
    gate.metrics().await.sum("seriesgate_in_flight_bytes", &[])
}

fn send(gate: &Gate, request: &WriteRequest) -> tokio::task::JoinHandle<Result<http::Reply, String>> {
    tokio::spawn(http::send(http::write_request(gate.write, encode_snappy(request))))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_about_new_series_is_held_and_counted() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).listen("max_body_size: 1MiB, max_in_flight: 1500KiB").start().await;
    let (first, second) = (WriteRequest::of(pods("first", MANY)), WriteRequest::of(pods("second", MANY)));
    let compressed = encode_snappy(&first).len() as f64;
    let waits = send(&gate, &first);
    backend.until_seen(1).await;
    let one = held(&gate).await;
    assert!(one > 10.0 * compressed && one > 100.0 * MANY as f64, "{one} for {compressed} compressed");
    // its body fits, what is decided about it does not
    let reply = gate.send(&second).await;
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert!(reply.text.contains("(listen.max_in_flight)") && reply.header("retry-after").is_some());
    assert_eq!(held(&gate).await, one);
    let returned = [("fate", "returned"), ("reason", "overload")];
    assert_eq!(gate.metrics().await.sum("seriesgate_samples_total", &returned), MANY as f64);
    backend.answer_by(|_| stored());
    backend.release();
    assert_eq!(waits.await.unwrap().unwrap().status, 204);
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    // known series: nothing was decided that is to be remembered
    assert_eq!(gate.send(&second).await.status, 204);
    assert_eq!(gate.metrics().await.sum("seriesgate_new_series_total", &[]), 2.0 * MANY as f64);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_budget_could_never_hold_is_let_in() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).listen("max_body_size: 128KiB, max_in_flight: 128KiB").start().await;
    let small = send(&gate, &mixture(1, 0));
    backend.until_seen(1).await;
    let huge = send(&gate, &WriteRequest::of(pods("many", MANY)));
    backend.until_seen(2).await;
    assert!(held(&gate).await > f64::from(128 << 10));
    assert_eq!(gate.send(&mixture(1, 0)).await.status, 503, "nobody after it");
    backend.release();
    assert_eq!((small.await.unwrap().unwrap().status, huge.await.unwrap().unwrap().status), (204, 204));
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_sent_in_another_form_is_held_in_that_form_only() {
    let backend = Backend::start(|_| Step::Hold).await;
    let drop = "name: d, match: 'noise', action: drop";
    let gate = Setup::to(backend.url()).policy(drop).start().await;
    let mut state = 1_u32;
    let mut letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    };
    let noise = |_| {
        TimeSeries::named("noise", &[("x", &(0..200).map(&mut letter).collect::<String>())])
            .with_sample(1, 1.0)
    };
    let request = WriteRequest::of([pods("kept", 1), (0..2_000).map(noise).collect()].concat());
    // known first, so that nothing but the body is held
    backend.answer_by(|_| stored());
    assert_eq!(gate.send(&request).await.status, 204);
    backend.answer_by(|_| Step::Hold);
    let waits = send(&gate, &request);
    backend.until_seen(2).await;
    let (held, compressed) = (held(&gate).await, encode_snappy(&request).len() as f64);
    assert!(compressed > 300_000.0 && held < compressed, "{held} of {compressed}");
    backend.release();
    assert_eq!(waits.await.unwrap().unwrap().status, 204);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_burst_took_is_given_back_while_nothing_comes() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).series("idle_after: 10s").start().await;
    let before = gate.own_memory();
    // each small enough to be kept for the next request
    let burst: Vec<_> =
        (0..32).map(|n| send(&gate, &WriteRequest::of(pods(&format!("burst_{n}"), 4_000)))).collect();
    backend.until_seen(32).await;
    let taken = gate.own_memory() - before;
    assert!(taken > 16 << 20, "{taken}");
    backend.release();
    for waits in burst {
        assert_eq!(waits.await.unwrap().unwrap().status, 204);
    }
    let given_back = async || (gate.own_memory() < before + taken / 3).then_some(());
    until("two thirds of a burst are given back", Duration::from_secs(60), given_back).await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_make_of_a_body_has_to_find_room_too() {
    let backend = Backend::start(|_| stored()).await;
    let rules = "{ source_labels: [x], target_label: y, regex: (.*), replacement: '$1$1$1$1$1$1$1$1' }";
    let policy = format!("name: r, action: relabel, relabel_configs: [ {rules} ]");
    let limits = "max_body_size: 1MiB, max_in_flight: 16MiB";
    let series = "max_label_value_size: 8KiB";
    let gate = Setup::to(backend.url()).listen(limits).series(series).policy(&policy).start().await;
    let of = |many: usize| {
        let one = |i| TimeSeries::named("m", &[("i", &format!("{i}")), ("x", &"v".repeat(1000))]);
        WriteRequest::of((0..many).map(|i| one(i).with_sample(1, 1.0)).collect())
    };
    // 9 MB of 1 MB, twice: the one that is made and the one that grows
    let reply = gate.send(&of(4000)).await;
    assert_eq!(reply.status, 413, "{}", reply.text);
    assert!(reply.text.contains("while it is decided (listen.max_in_flight)"), "{}", reply.text);
    assert_eq!(gate.send(&of(200)).await.status, 204);
    gate.until_metric("seriesgate_in_flight_bytes", &[], 0.0).await;
    gate.finish().await;
}
