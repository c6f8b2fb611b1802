//! Limits of a running gate: what it says of them, and what a restart knows.

use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest};
use tempfile::TempDir;

use super::sink;
use super::support::gate::{Gate, SOON, Setup};
use super::support::http;
use super::support::wait::until;

const LIMIT: &str = "name: jobs, match: 'jobs_total', action: limit, by: [namespace], max_series: 2";

async fn send(gate: &Gate, namespace: &str, job: &str) {
    let labels = [("job_name", job), ("namespace", namespace)];
    let series = TimeSeries::named("jobs_total", &labels).with_sample(1_000, 1.0);
    assert_eq!(gate.send(&WriteRequest::of(vec![series])).await.status, 204);
}

/// Samples forwarded and held so far.
async fn fates(gate: &Gate) -> (f64, f64) {
    let metrics = gate.metrics().await;
    (metrics.fate("forwarded"), metrics.fate("held"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_knows_who_has_a_place_and_says_so() {
    let sink = sink().await;
    let dir = TempDir::new().unwrap();
    let setup = Setup::to(sink.write_url()).series("warmup: 0s").data_dir(dir.path()).policy(LIMIT);
    let gate = setup.start().await;
    for job in ["a", "b", "c"] {
        send(&gate, "x", job).await;
    }
    send(&gate, "y", "a").await;
    assert_eq!(fates(&gate).await, (3.0, 1.0));
    let metrics = gate.metrics().await;
    let groups = |state| metrics.sum("seriesgate_limit_groups", &[("policy", "jobs"), ("state", state)]);
    assert_eq!((groups("calm"), groups("near"), groups("full")), (1.0, 0.0, 1.0));
    assert_eq!(metrics.sum("seriesgate_limit_series", &[]), 3.0);
    let told = http::get(&gate.admin_url("/api/v1/policies")).await.unwrap().text;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let policy = &told["policies"][0];
    assert_eq!((&policy["action"], &policy["samples_held"]), (&"limit".into(), &1.into()), "{policy}");
    let limit = &policy["limit"];
    assert_eq!(
        (&limit["max_series"], &limit["series"], &limit["groups_full"]),
        (&2.into(), &3.into(), &1.into())
    );
    let fullest = &limit["fullest"][0];
    assert_eq!(
        (&fullest["group"], &fullest["state"]),
        (&"{namespace=\"x\"}".into(), &"full".into()),
        "{limit}"
    );
    assert!(policy["examples"][0]["series"].as_str().unwrap().contains("job_name=\"c\""), "{policy}");
    until("the full group is in the log", SOON, async || {
        gate.log().contains("a limit is reached").then_some(())
    })
    .await;
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");

    // it would learn for five minutes, and it knows
    let setup = Setup::to(sink.write_url()).data_dir(dir.path()).policy(LIMIT);
    let gate = setup.start().await;
    for job in ["c", "a", "b"] {
        send(&gate, "x", job).await;
    }
    assert_eq!(fates(&gate).await, (2.0, 1.0), "{}", gate.log());
    send(&gate, "y", "b").await;
    assert_eq!(fates(&gate).await, (3.0, 1.0), "there was room for one more");
    // killed, it knows what was written, which is soon
    let file = dir.path().join("limits.snapshot");
    let written = || std::fs::metadata(&file).unwrap().modified().unwrap();
    let before = written();
    until("it is written", SOON, async || (written() > before).then_some(())).await;
    gate.signal(Signal::KILL);
    gate.exit().await;
    let gate = setup.start().await;
    send(&gate, "y", "c").await;
    assert_eq!(fates(&gate).await, (0.0, 1.0), "{}", gate.log());
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_set_aside_and_the_gate_learns_anew() {
    let sink = sink().await;
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("limits.snapshot"), b"no such thing").unwrap();
    let gate = Setup::to(sink.write_url()).data_dir(dir.path()).policy(LIMIT).start().await;
    for job in ["a", "b", "c"] {
        send(&gate, "x", job).await;
    }
    assert_eq!(fates(&gate).await, (3.0, 0.0));
    assert!(dir.path().join("limits.snapshot.damaged").exists());
    assert!(gate.log().contains("limits do not know what they admitted"), "{}", gate.log());
    gate.finish().await;
}
