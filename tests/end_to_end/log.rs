//! The log of the real program: its form, what a start says, and that nobody who sends or answers can write into it.

use rustix::process::Signal;
use serde_json::Value;
use seriesgate_proto::{Label, TimeSeries, WriteRequest, encode_snappy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::backend::{Backend, answer, stored};
use super::support::gate::{self, Gate, SOON, Setup};

/// What would be an entry of its own, colours, and a terminal's title, if it got there as it is.
const FORGED: &str = "x\n2026-01-01T00:00:00.000000Z ERROR FORGED \"quoted\" \\ \r\u{1b}[31m\u{1b}]0;t\u{7}\u{9b}\u{2028}\u{202e}";

/// A label that stands twice is refused, and its series named.
fn refused() -> WriteRequest {
    let labels = vec![Label::new("__name__", FORGED), Label::new(FORGED, FORGED), Label::new(FORGED, FORGED)];
    WriteRequest::of(vec![TimeSeries { labels, ..TimeSeries::default() }.with_sample(1_000, 1.0)])
}

fn named(pod: &str) -> WriteRequest {
    WriteRequest::of(vec![TimeSeries::named("limited", &[("pod", pod)]).with_sample(1_000, 1.0)])
}

/// Sends a request whose headers have these bytes in them; what is no head at all may be answered by hanging up.
async fn send_raw(gate: &Gate, header: &str, value: &[u8], body: &[u8]) {
    let mut stream = TcpStream::connect(gate.write).await.unwrap();
    let head = format!("POST /api/v1/write HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}: ");
    let length = format!("\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), value, length.as_bytes(), body].concat()).await.unwrap();
    let mut reply = Vec::new();
    // a reset is an answer too
    tokio::time::timeout(SOON, stream.read_to_end(&mut reply)).await.unwrap().ok();
}

/// Everything that takes text from outside into the log.
async fn attack(format: &str) -> String {
    let excerpt = FORGED.to_owned();
    let mut answers = vec![
        answer("400 Bad Request", "", &excerpt),
        answer("500 Internal Server Error", "", &excerpt),
        answer("429 Too Many Requests", "retry-after: 0\r\n", &excerpt),
        answer("302 Found", "location: http://FORGED\u{9b}.example/\r\n", &excerpt),
        answer("200 FORGED\u{9b}", "x-FORGED: \u{9b}\r\n", &excerpt),
    ]
    .into_iter();
    let backend = Backend::start(move |_| answers.next().unwrap_or_else(stored)).await;
    let limit = "name: few, action: limit, match: limited, max_series: 1, by: [pod]";
    let gate = Setup::to(backend.url()).series("warmup: 0s").policy(limit).start_logging(format).await;
    for request in [named("a"), named("b"), named("c"), named("d"), named("e"), refused()] {
        gate.send(&request).await;
    }
    // the group is the text of a sender
    let more = |n: u32| {
        let series = TimeSeries::named("limited", &[("n", &n.to_string()), ("pod", FORGED)]);
        WriteRequest::of(vec![series.with_sample(1_000, 1.0)])
    };
    for n in 0..3 {
        gate.send(&more(n)).await;
    }
    let body = encode_snappy(&named("a"));
    // a byte above 0x7f may stand in a header, a control may not
    let high = b"FORGED\x9b31m\xc2\x85\xe2\x80\xa8";
    let control = b"FORGED\x0bERROR FORGED\x1b[31m";
    let folded = b"x\r\n 2026-01-01T00:00:00.000000Z ERROR FORGED";
    for header in ["user-agent", "x-scope-orgid", "content-type", "content-encoding", "FORGED\u{9b}"] {
        for value in [&high[..], control, folded] {
            send_raw(&gate, header, value, &body).await;
            send_raw(&gate, header, value, b"no snappy").await;
        }
    }
    gate.until_metric_is("seriesgate_limit_groups", &[("state", "full")], |groups| groups >= 1.0).await;
    super::support::wait::until("a full group is named", SOON, async || {
        gate.log().contains("a limit is reached").then_some(())
    })
    .await;
    gate.metrics().await.assert_conserved();
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

fn prints(line: &str) -> bool {
    line.chars().all(seriesgate::series::quote::prints)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_can_write_an_entry_of_their_own_into_the_log() {
    let log = attack("text").await;
    let entry = regex::Regex::new(r"^\d{4}-\d\d-\d\dT[\d:.]+Z +(ERROR|WARN|INFO|DEBUG) ").unwrap();
    for line in log.lines() {
        assert!(entry.is_match(line) && prints(line), "{line:?}\n{log}");
        assert!(!line.starts_with("2026-01-01T"), "{line}");
    }
    let named = log.lines().filter(|line| line.contains("FORGED")).count();
    assert!(named >= 5, "what was sent is named, escaped:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_every_line_is_an_object_whatever_was_sent() {
    let log = attack("json").await;
    let mut named = 0;
    for line in log.lines() {
        assert!(prints(line), "{line:?}");
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let texts = ["timestamp", "level", "target", "message"].map(|key| entry[key].is_string());
        assert_eq!(texts, [true; 4], "{line}");
        named += usize::from(line.contains("FORGED"));
    }
    assert!(named >= 5, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_what_starts_and_within_which_bounds_and_no_secret() {
    let backend = Backend::start(|_| stored()).await;
    let url = backend.url().replace("/api/v1/write", "/hunter2hunter2/write?key=hunter3hunter3");
    let auth = "bearer_token: hunter4hunter4, headers: { x-key: hunter5hunter5 }";
    let setup = Setup::to(url).upstream(auth).listen("max_body_size: 1MiB").policy(super::NO_NOISE);
    let gate = setup.start().await;
    let log = gate.log();
    let line = |what: &str| log.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{log}"));
    let starts = line("seriesgate starts");
    let host = backend.url().split('/').nth(2).unwrap().to_owned();
    for part in [
        format!("version={:?} commit={:?}", seriesgate::version::VERSION, seriesgate::version::COMMIT),
        "gate.yaml policies=1".to_owned(),
        format!("upstream=\"primary\" host={host:?}"),
    ] {
        assert!(starts.contains(&part), "{part}: {starts}");
    }
    let limits = line(" limits ");
    for part in ["memory_bytes=", "in_flight_bytes=", "body_bytes=1048576 ", "series=", "tenants="] {
        assert!(limits.contains(part), "{part}: {limits}");
    }
    let listening = log.lines().filter(|line| line.contains(" listening for ")).count();
    assert!(listening == 2 && !log.contains("hunter"), "{log}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_gate_from_running_is_said_in_the_form_of_the_log() {
    let said = async |yaml: &str, arguments: &[&str]| {
        let (mut command, dir) = gate::command(yaml);
        command.args(arguments).env("SERIESGATE_LOG_LEVEL", "bogus");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        drop(dir);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let json = ["--log-format", "json"];
    let no_port =
        "listen: { address: '192.0.2.1:1' }\nupstreams: [ { name: a, url: 'http://127.0.0.1:1/' } ]\n";
    for (yaml, code, why) in [("listn: {}\n", 2, "gate.yaml:1:1"), (no_port, 1, "listen.address")] {
        let (status, text) = said(yaml, &json).await;
        let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = entries.last().unwrap();
        assert_eq!((status, last["level"].as_str()), (Some(code), Some("ERROR")), "{text}");
        assert!(last["fields"]["lines"].as_str().unwrap().contains(why), "{text}");
        assert!(entries[0]["message"].as_str().unwrap().contains("SERIESGATE_LOG_LEVEL"), "{text}");
    }
    for arguments in [["--log-format", "xml"], ["--log-level", "loud"]] {
        let (status, text) = said("", &arguments).await;
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(arguments[0]) && text.contains(arguments[1]), "{text}");
    }
    let (_, text) = said(no_port, &["--log-level", "error"]).await;
    assert!(!text.contains("INFO") && !text.contains("bogus"), "what is typed holds: {text}");
}
