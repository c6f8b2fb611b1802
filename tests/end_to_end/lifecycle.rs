//! Starting, failing to start, ending, and what is exported meanwhile.

use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use rustix::process::Signal;
use seriesgate_proto::encode_snappy;
use tokio::net::TcpStream;

use super::support::backend::{Backend, Step};
use super::support::gate::{self, Gate, SOON, Setup};
use super::support::wait::until;
use super::support::{http, ports};
use super::{mixture, sink};

/// Runs a gate that is expected to end by itself.
pub(super) async fn output(yaml: &str) -> Output {
    let (mut command, dir) = gate::command(yaml);
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(SOON, run).await.expect("the gate does not end").unwrap();
    drop(dir);
    output
}

pub(super) fn assert_fails_saying(output: &Output, status: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken, free) = (taken.local_addr().unwrap().to_string(), ports::free().to_string());
    let _keep = &taken;
    for (write, admin, key) in [(&taken, &free, "listen.address"), (&free, &taken, "admin.address")] {
        let yaml = format!(
            "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
             upstreams: [ {{ name: a, url: 'http://127.0.0.1:1/' }} ]\n"
        );
        assert_fails_saying(&output(&yaml).await, 1, &[&taken, key]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_does_not_start() {
    assert_fails_saying(&output("listn: {}\n").await, 2, &["gate.yaml:1:1", "listn", "^"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_chosen_by_the_machine_are_logged() {
    let sink = sink().await;
    let yaml = format!(
        "listen: {{ address: 127.0.0.1:0 }}\nadmin: {{ address: 127.0.0.1:0 }}\n\
         upstreams: [ {{ name: a, url: '{}' }} ]\n",
        sink.write_url()
    );
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut gate = Gate::spawn(&yaml, nowhere, nowhere);
    let addresses = until("both ports are logged", SOON, async || {
        let log = gate.log();
        let lines = log.lines().filter(|line| line.contains("listening"));
        let found = lines.filter_map(|line| line.split("address=").nth(1)?.split(' ').next()?.parse().ok());
        <[SocketAddr; 2]>::try_from(found.collect::<Vec<_>>()).ok()
    });
    [gate.write, gate.admin] = addresses.await;
    until("the gate is ready", SOON, async || http::is_ok(&gate.admin_url("/-/ready")).await.then_some(()))
        .await;
    assert_eq!(gate.send(&mixture(1, 0)).await.status, 204);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_hand_and_exits_0() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).start().await;
    let body = encode_snappy(&mixture(4, 0));
    let held = tokio::spawn(http::send(http::write_request(gate.write, body)));
    backend.until_seen(1).await;

    gate.signal(Signal::TERM);
    let not_ready = async || {
        let reply = http::get(&gate.admin_url("/-/ready")).await.ok()?;
        (reply.status == 503).then_some(reply.text)
    };
    let said = until("the gate is not ready any more", SOON, not_ready).await;
    assert!(said.contains("draining"), "{said}");
    until("new connections are refused", SOON, async || {
        TcpStream::connect(gate.write).await.err().map(|_| ())
    })
    .await;
    assert!(http::is_ok(&gate.admin_url("/-/healthy")).await, "draining is not unhealthy");
    gate.metrics().await.assert_conserved();

    backend.release();
    assert_eq!(held.await.unwrap().unwrap().status, 204);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked at"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_in_time_whatever_is_in_hand() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).listen("drain_timeout: 200ms").start().await;
    let held = tokio::spawn(http::send(http::write_request(gate.write, encode_snappy(&mixture(4, 0)))));
    backend.until_seen(1).await;
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("aborted=1"), "{log}");
    // the sender has no answer or is told to come again: either way it keeps its data
    if let Ok(reply) = held.await.unwrap() {
        assert_eq!(reply.status, 503);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_gate_ends_at_once_on_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let sink = sink().await;
        let gate = Setup::to(sink.write_url()).start().await;
        assert_eq!(gate.send(&mixture(4, 0)).await.status, 204);
        gate.metrics().await.assert_conserved();
        gate.signal(signal);
        let (status, log) = gate.exit().await;
        assert_eq!(status.code(), Some(0), "{signal:?}: {log}");
    }
}

/// What docs/metrics.md promises to dashboards.
const PROMISED: [&str; 16] = [
    "seriesgate_samples_received_total",
    "seriesgate_samples_total",
    "seriesgate_active_series",
    "seriesgate_new_series_total",
    "seriesgate_expired_series_total",
    "seriesgate_requests_total",
    "seriesgate_request_bytes_total",
    "seriesgate_undecodable_requests_total",
    "seriesgate_upstream_requests_total",
    "seriesgate_upstream_bytes_total",
    "seriesgate_policy_samples_total",
    "seriesgate_policy_saved_series",
    "seriesgate_loop_last_active_seconds",
    "seriesgate_connections",
    "seriesgate_open_files",
    "seriesgate_accept_errors_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_are_exported_are_those_in_the_table() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(super::NO_NOISE).start().await;
    assert_eq!(gate.send(&mixture(2, 2)).await.status, 204);
    let saved = [("policy", "no-noise"), ("mode", "enforce")];
    gate.until_metric("seriesgate_policy_saved_series", &saved, 2.0).await;
    let metrics = gate.metrics().await;
    let exported = metrics.names();
    for name in PROMISED {
        assert!(exported.contains(&name), "{name} is promised and not exported:\n{}", metrics.0);
    }
    for name in &exported {
        assert!(
            seriesgate::telemetry::ALL.iter().any(|metric| metric.name == *name),
            "{name} is not in the table"
        );
    }
    for line in metrics.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let metric = seriesgate::telemetry::ALL.iter().find(|metric| metric.name == name).unwrap();
        assert!(format!("{:?}", metric.kind).eq_ignore_ascii_case(kind), "{line}");
    }
    gate.finish().await;
}

/// The disk that the log goes to is full, or its reader is gone: the gate goes on, and ends as it should.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_takes_changes_nothing() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start_without_log().await;
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    gate.write_config_text("nonsense: 1\n");
    assert_eq!(gate.admin_post("/-/reload").await.status, 400);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(sink.stats().samples, 10);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_may_open_few_files_never_runs_out_of_them() {
    let sink = sink().await;
    // whatever the config asks for
    let gate = Setup::to(sink.write_url()).listen("max_connections: 10000").start_with_files(200).await;
    let request = mixture(3, 0);
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(TcpStream::connect(gate.write).await.unwrap());
    }
    let refused = [("reason", "too_many")];
    // the admin port answers meanwhile
    gate.until_metric_is("seriesgate_connections_refused_total", &refused, |count| count > 200.0).await;
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_accept_errors_total", &[]), 0.0);
    assert!(metrics.sum("seriesgate_open_files", &[]) < 200.0);
    drop(open);
    gate.until_metric("seriesgate_connections", &[], 0.0).await;
    assert_eq!(gate.send(&request).await.status, 204);
    gate.finish().await;
}
