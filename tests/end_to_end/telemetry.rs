//! What the gate says of itself: how long things take.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::mixture;
use super::support::backend::{Backend, answer, stored};
use super::support::gate::{Gate, Setup};
use super::support::metrics::Metrics;

/// How many values a histogram has, and their sum.
fn counted(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> (f64, f64) {
    let count = metrics.sum(&format!("{name}_count"), labels);
    let all = [labels, &[("le", "+Inf")]].concat();
    assert_eq!(metrics.sum(&format!("{name}_bucket"), &all), count, "{name}");
    (count, metrics.sum(&format!("{name}_sum"), labels))
}

async fn writes(gate: &Gate) -> [f64; 3] {
    let metrics = gate.metrics().await;
    ["2xx", "4xx", "5xx"]
        .map(|class| counted(&metrics, "seriesgate_write_duration_seconds", &[("code", class)]).0)
}

#[tokio::test(flavor = "multi_thread")]
async fn durations_are_counted_once_for_each_answer_each_try_and_each_decision() {
    let mut answers = vec![stored(), answer("503 Service Unavailable", "", ""), stored()].into_iter();
    let backend = Backend::start(move |_| answers.next().unwrap()).await;
    let gate = Setup::to(backend.url()).start().await;
    assert_eq!(writes(&gate).await, [0.0; 3], "there before the first request");
    for (body, status) in [(Some(3), 204), (Some(3), 503), (None, 400), (Some(3), 204)] {
        let reply = match body {
            Some(series) => gate.send(&mixture(series, 0)).await,
            None => gate.post(b"hello there, this is text".to_vec()).await,
        };
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    assert_eq!(writes(&gate).await, [2.0, 1.0, 1.0]);
    let metrics = gate.metrics().await;
    let (decided, _) = counted(&metrics, "seriesgate_decide_duration_seconds", &[]);
    assert_eq!(decided, 4.0, "what could not be decoded took its time, too");
    let (tries, of_tries) =
        counted(&metrics, "seriesgate_upstream_duration_seconds", &[("upstream", "primary")]);
    assert_eq!(tries, metrics.sum("seriesgate_upstream_requests_total", &[]));
    let (answers, of_answers) = counted(&metrics, "seriesgate_write_duration_seconds", &[]);
    assert_eq!(answers, metrics.sum("seriesgate_requests_total", &[]));
    assert!(0.0 < of_tries && of_tries < of_answers && of_answers < 20.0, "{of_tries} s of {of_answers} s");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_and_its_build_are_named() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let metrics = gate.metrics().await;
    let (version, commit) = (seriesgate::version::VERSION, seriesgate::version::COMMIT);
    let build = [("version", version), ("commit", commit)];
    assert_eq!(metrics.sum("seriesgate_build_info", &build), 1.0);
    if cfg!(target_os = "linux") {
        let names = metrics.names();
        assert!(names.contains(&"process_cpu_seconds_total"), "{}", metrics.0);
        for what in ["resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"] {
            assert!(metrics.sum(&format!("process_{what}"), &[]) > 0.0, "{what}\n{}", metrics.0);
        }
    }
    gate.finish().await;
}

/// Prometheus' own tool reads all of it, and finds nothing against its rules.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_about_what_is_exported() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(super::NO_NOISE).start().await;
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    let metrics = gate.metrics().await;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match promtool.spawn() {
        Ok(mut running) => {
            running.stdin.take().unwrap().write_all(metrics.0.as_bytes()).unwrap();
            let output = running.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.trim().is_empty(), "{said}\n{}", metrics.0);
        }
        Err(error) => {
            let required = std::env::var_os("SERIESGATE_REQUIRE_REAL").is_some();
            assert!(!required, "promtool (Debian package prometheus): {error}");
            eprintln!("not run, promtool is not there: {error}");
        }
    }
    gate.finish().await;
}
