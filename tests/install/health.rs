//! `seriesgate health` against gates in several states, and against what is no gate.

use std::process::Output;

use rustix::process::Signal;
use seriesgate_proto::encode_snappy;

use super::support::backend::{Backend, Step, answer};
use super::support::gate::{Gate, SOON, Setup};
use super::support::wait::until;
use super::support::{http, ports};

/// Exit status and what is said, on either stream.
async fn health(arguments: Vec<String>) -> (Option<i32>, String) {
    let asked = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        super::seriesgate(&[&["health"], arguments.as_slice()].concat())
    });
    let Output { status, stdout, stderr } = asked.await.unwrap();
    assert!(stdout.is_empty() != stderr.is_empty(), "one of them");
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

async fn of(address: impl ToString, more: &[&str]) -> (Option<i32>, String) {
    let mut arguments = vec!["--admin".to_owned(), address.to_string()];
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    health(arguments).await
}

fn well(text: &str) -> (Option<i32>, String) {
    (Some(0), format!("{text}\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_well_ready_bypassed_and_draining() {
    let backend = Backend::start(|_| Step::Hold).await;
    let gate = Setup::to(backend.url()).start().await;
    // as host:port too, and on either port
    for address in [gate.admin.to_string(), format!("http://{}/", gate.write)] {
        assert_eq!(of(&address, &[]).await, well("ok"));
        assert_eq!(of(&address, &["--ready"]).await, well("ready"));
    }
    assert_eq!(gate.admin_post("/-/bypass?on=true").await.status, 200);
    assert_eq!(of(gate.admin, &[]).await, well("bypassed"));

    let held = tokio::spawn(http::send(http::write_request(gate.write, encode_snappy(&super::one_series()))));
    backend.until_seen(1).await;
    gate.signal(Signal::TERM);
    let not_ready = async || Some(of(gate.admin, &["--ready"]).await).filter(|(code, _)| *code == Some(1));
    let (_, said) = until("the gate is not ready any more", SOON, not_ready).await;
    assert!(said.contains("503") && said.contains("draining"), "{said}");
    assert_eq!(of(gate.admin, &[]).await, well("bypassed"), "draining is not unhealthy");
    backend.release();
    assert_eq!(held.await.unwrap().unwrap().status, 204);
    ended(gate).await;
}

async fn ended(gate: Gate) {
    let (status, log) = gate.exit().await;
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_that_hangs_is_named() {
    let report = r#"{"status":"stuck","loops":[
        {"name":"flush","last_active_seconds":120.4,"threshold_seconds":90.0},
        {"name":"expiry","last_active_seconds":0.1,"threshold_seconds":30.0}]}"#;
    let stuck = Backend::start(|_| answer("503 Service Unavailable", "", report)).await;
    let expected = "health: stuck: loop `flush` has not shown itself for 120 s, 90 s are allowed\n";
    assert_eq!(of(authority(&stuck), &[]).await, (Some(1), expected.to_owned()));
}

fn authority(backend: &Backend) -> String {
    backend.url().trim_start_matches("http://").split('/').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_or_is_no_gate_is_not_well() {
    let nobody = ports::free();
    let silent = Backend::start(|_| Step::Hold).await;
    let other = Backend::start(|_| answer("200 OK", "", "<html>hello</html>")).await;
    let cases = [
        (nobody.to_string(), "is a gate running there"),
        (authority(&silent), "within 200ms"),
        (authority(&other), "is this the gate's admin.address?"),
    ];
    for (address, expected) in cases {
        let (code, said) = of(&address, &["--timeout", "200ms"]).await;
        assert!(code == Some(1) && said.contains(expected), "{said}");
    }
    let (code, said) = of(nobody, &["--timeout", "2"]).await;
    assert!(code == Some(2) && said.contains("`2` has no unit"), "{said}");
    let (code, said) = of("ftp://h", &[]).await;
    assert!(code == Some(2) && said.contains("must start with http:// or https://"), "{said}");
}
