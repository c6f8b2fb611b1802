//! Nobody names a file: neither with a header or a query that gets into `data_dir`, nor with a path of either port.

use hyper::header::{HeaderName, HeaderValue};
use regex::Regex;
use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use super::support::backend::{Backend, stored};
use super::support::gate::Setup;
use super::support::http;
use super::{exchange, statuses};

/// Names that mean something to a file system.
const NAMES: [&str; 12] = [
    "../../../../tmp/escaped",
    "..",
    ".",
    "/tmp/escaped",
    "a/../../b",
    "%2e%2e%2fescaped",
    "..\\..\\escaped",
    "lock",
    "aggregation.snapshot",
    "limits.snapshot",
    "escaped\u{2215}..",
    "~root",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_sender_gets_into_a_path_of_data_dir() {
    let backend = Backend::start(|_| stored()).await;
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("data");
    let setup = Setup::to(backend.url())
        .data_dir(&inside)
        .policy("name: all, action: aggregate, match: up, type: counter, without: [pod]")
        .policy("name: few, action: limit, match: up, max_series: 10, by: [pod]");
    let gate = setup.start().await;
    for name in NAMES {
        let series = TimeSeries::named("up", &[("job", name), ("pod", name)]).with_sample(1_000, 1.0);
        let other = TimeSeries::named(name, &[("pod", name)]).with_sample(1_000, 1.0);
        let body = encode_snappy(&WriteRequest::of(vec![series, other]));
        for header in ["x-scope-orgid", "accountid", "x-greptime-db-name"] {
            let mut request = http::write_request(gate.write, body.clone());
            let value = HeaderValue::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(HeaderName::from_static(header), value);
            let reply = http::send(request).await.unwrap();
            assert!([204, 400].contains(&reply.status), "{header}: {name}: {}", reply.text);
        }
        let mut request = http::write_request(gate.write, body);
        let query: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let uri = format!("http://{}/api/v1/write?{query}=../../{query}", gate.write);
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(http::send(request).await.unwrap().status, 204, "{name}");
    }
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let names = |dir: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(outside.path()), ["data"]);
    let ours = Regex::new(r"^(lock|limits\.snapshot|aggregation\.([0-9a-f]{24}\.)?snapshot)$").unwrap();
    let found = names(&inside);
    assert!(found.iter().all(|name| ours.is_match(name)), "{found:?}");
    assert!(found.len() > NAMES.len(), "there is a file for each scope: {found:?}");
    assert!(found.iter().all(|name| inside.join(name).is_file()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_one_of_ours_letter_for_letter() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let traversals = [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/metrics/../../etc/passwd",
        "/metrics/../-/reload",
        "/./-/reload",
        "//-/reload",
        "/-//reload",
        "/-/reload/",
        "/-/reload;a",
        "/-/reload%00",
        "/%2d/reload",
        "/-/RELOAD",
        "/-/bypass/../bypass?on=true",
        "/api/v1/../../-/bypass?on=true",
        "/\\..\\-\\reload",
        "/file:///etc/passwd",
    ];
    for port in [gate.write, gate.admin] {
        for path in traversals {
            for method in ["GET", "POST"] {
                let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
                let answer = exchange(port, request.as_bytes()).await;
                let status = statuses(&answer);
                assert!(status == [404] || status == [400], "{method} {path}: {answer}");
                assert!(!answer.contains("root:"), "{answer}");
            }
        }
    }
    // what changes something is asked for with POST, and not by the write port
    for (port, method, path, status) in [
        (gate.admin, "GET", "/-/reload", 405),
        (gate.admin, "GET", "/-/bypass?on=true", 405),
        (gate.write, "POST", "/-/reload", 404),
        (gate.write, "POST", "/-/bypass?on=true", 404),
        (gate.write, "GET", "/metrics", 404),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(statuses(&exchange(port, request.as_bytes()).await), [status], "{method} {path}");
    }
    let metrics = gate.metrics().await;
    let changed = ["seriesgate_config_reloads_total", "seriesgate_bypass"].map(|name| metrics.sum(name, &[]));
    assert_eq!((changed, backend.seen().len()), ([0.0, 0.0], 0));
    gate.finish().await;
}
