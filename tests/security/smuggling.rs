//! Where one request ends and the next begins. What two readers could read in two ways is refused, or has the one reading that
//! RFC 9112 gives it; and nothing of a sender's framing goes on to the upstream.

use super::support::backend::{Backend, stored};
use super::support::gate::{Gate, Setup};
use super::{body, exchange, statuses};

/// How a request is read that has another one behind it, which would be a part of it if it ended elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    /// As none: 400 or no answer at all, and the connection ends.
    Refused,
    /// As one, after which the connection ends, so that nobody can take the rest for a request.
    Last,
    /// As one, and what is behind it as the next.
    Next,
}
use Reading::{Last, Next, Refused};

/// The request behind.
fn next() -> Vec<u8> {
    let body = body("next");
    let head = format!("POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// Names of the metrics that arrived.
fn arrived(backend: &Backend) -> Vec<String> {
    let name = |series: &seriesgate_proto::TimeSeries| {
        series.labels.iter().find(|label| label.name == "__name__").unwrap().value.clone()
    };
    backend.seen().iter().map(|seen| name(&seen.decoded().timeseries[0])).collect()
}

async fn check(gate: &Gate, backend: &Backend, what: &str, bytes: &[u8], wanted: Reading) {
    let before = backend.seen().len();
    let answers = statuses(&exchange(gate.write, bytes).await);
    let arrived = arrived(backend).split_off(before);
    let reading = match (&arrived[..], &answers[..]) {
        ([], [] | [400]) => Refused,
        ([first], [204]) if first == "first" => Last,
        ([first, next], [204, 204, 200]) if first == "first" && next == "next" => Next,
        other => panic!("{what}: {other:?}"),
    };
    assert_eq!(reading, wanted, "{what}");
}

async fn rig() -> (Gate, Backend) {
    let backend = Backend::start(|_| stored()).await;
    (Setup::to(backend.url()).start().await, backend)
}

async fn finish(gate: Gate, backend: &Backend) {
    for seen in backend.seen() {
        let count = |name: &str| seen.head.lines().filter(|line| line.starts_with(name)).count();
        let length = format!("\ncontent-length: {}\r\n", seen.body.len());
        assert!(seen.head.contains(&length), "{}", seen.head);
        assert_eq!([count("content-length:"), count("transfer-encoding:")], [1, 0], "{}", seen.head);
        assert!(!seen.head.contains("injected"), "{}", seen.head);
    }
    gate.finish().await;
}

/// A head of these lines, then what is behind it.
fn request(lines: &[&str], rest: &[u8]) -> Vec<u8> {
    let head = ["POST /api/v1/write HTTP/1.1", "host: x"].iter().chain(lines);
    let head: String = head.map(|line| format!("{line}\r\n")).collect();
    [head.as_bytes(), b"\r\n", rest].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_two_lengths_is_refused_or_ends_its_connection() {
    let (gate, backend) = rig().await;
    let first = body("first");
    let size = format!("{:x}\r\n", first.len());
    let chunked = [size.as_bytes(), &first, b"\r\n0\r\n\r\n", &next()].concat();
    let plain = [first.clone(), next()].concat();
    let length = |bytes: usize| format!("content-length: {bytes}");
    let (short, all, all_chunked) = (length(first.len()), length(plain.len()), length(chunked.len()));
    let te = "transfer-encoding: chunked";
    for (lines, rest, wanted) in [
        // RFC 9112, 6.3: chunked it is, and the connection has to end
        (vec![&*all_chunked, te], &chunked, Last),
        (vec![te, &*all_chunked], &chunked, Last),
        (vec![&*short, &*all], &plain, Refused),
        (vec![&*all, &*short], &plain, Refused),
        (vec![&*short, &*short], &plain, Next),
        (vec![&*format!("{short}, {}", plain.len())], &plain, Refused),
        (vec!["transfer-encoding: xchunked", &*all_chunked], &chunked, Refused),
        (vec!["transfer-encoding: identity", &*short], &plain, Refused),
        (vec!["transfer-encoding: chunked, identity", &*all_chunked], &chunked, Refused),
        (vec![te, "transfer-encoding: identity"], &chunked, Refused),
        (vec!["transfer-encoding: \x0bchunked"], &chunked, Refused),
        (vec!["transfer-encoding: CHUNKED"], &chunked, Next),
    ] {
        check(&gate, &backend, &format!("{lines:?}"), &request(&lines, rest), wanted).await;
    }
    let old = request(&[te, &*all_chunked], &chunked);
    let old = String::from_utf8_lossy(&old[..27]).replace("1.1", "1.0").into_bytes().into_iter();
    let old: Vec<u8> = old.chain(request(&[te, &*all_chunked], &chunked).split_off(27)).collect();
    check(&gate, &backend, "chunked in HTTP/1.0", &old, Refused).await;
    finish(gate, &backend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_is_a_number_and_nothing_else() {
    let (gate, backend) = rig().await;
    let first = body("first");
    let plain = [first.clone(), next()].concat();
    let n = first.len();
    for length in
        [format!("+{n}"), "-1".into(), format!("0x{n:x}"), format!("{n} {n}"), "9".repeat(30), String::new()]
    {
        let line = format!("content-length: {length}");
        check(&gate, &backend, &line, &request(&[&line], &plain), Refused).await;
    }
    let end = b"\r\n0\r\n\r\n";
    for (size, wanted) in [
        (format!("{n:x}"), Next),
        (format!("{n:x};name=value"), Next),
        (format!("{n:x};na\nme=value"), Refused),
        (format!("{n:x}\nx"), Refused),
        (format!("0x{n:x}"), Refused),
        (format!("1{n:016x}"), Refused),
        ("-1".into(), Refused),
        (String::new(), Refused),
    ] {
        let rest = [format!("{size}\r\n").as_bytes(), &first, end, &next()].concat();
        let bytes = request(&["transfer-encoding: chunked"], &rest);
        check(&gate, &backend, &format!("a chunk of {size:?}"), &bytes, wanted).await;
    }
    let cut = [format!("{n:x}\r\n").as_bytes(), &first, b"XX0\r\n\r\n", &next()].concat();
    check(&gate, &backend, "a chunk without end", &request(&["transfer-encoding: chunked"], &cut), Refused)
        .await;
    let end = b"\r\n0\r\ncontent-length: 5\r\n\r\n";
    let trailer = [format!("{n:x}\r\n").as_bytes(), &first, end, &next()].concat();
    let bytes = request(&["transfer-encoding: chunked"], &trailer);
    check(&gate, &backend, "a length behind the body says nothing", &bytes, Next).await;
    finish(gate, &backend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_head_has_one_reading() {
    let (gate, backend) = rig().await;
    let first = body("first");
    let plain = [first.clone(), next()].concat();
    let size = format!("{:x}\r\n", first.len());
    let chunked = [size.as_bytes(), &first, b"\r\n0\r\n\r\n", &next()].concat();
    let (short, all) = (first.len(), plain.len());
    for (line, wanted) in [
        // obsolete line folding
        (format!("x-a: b\r\n content-length: {all}\r\ncontent-length: {short}"), Refused),
        (format!("content-length:\r\n {short}"), Refused),
        (format!("content-length : {short}"), Refused),
        (format!("content-length\t: {short}"), Refused),
        (format!(" content-length: {short}"), Refused),
        (format!("x-a: b\rcontent-length: {all}\r\ncontent-length: {short}"), Refused),
        (format!("x-a: b\0\r\ncontent-length: {short}"), Refused),
        (format!("x a: b\r\ncontent-length: {short}"), Refused),
        // 2.2: a line feed alone ends a line, too
        (format!("x-a: b\ncontent-length: {short}"), Next),
    ] {
        check(&gate, &backend, &format!("{line:?}"), &request(&[&line], &plain), wanted).await;
    }
    let hidden = format!("x-a: b\ntransfer-encoding: chunked\r\ncontent-length: {}", chunked.len());
    check(&gate, &backend, "two lengths, one behind a line feed", &request(&[&hidden], &chunked), Last).await;
    for (start, wanted) in [
        ("POST /api/v1/write HTTP/1.1\nhost: x\n", Next),
        ("POST /api/v1/write HTTP/1.2\r\nhost: x\r\n", Refused),
        ("POST /api/v1/write\n HTTP/1.1\r\nhost: x\r\n", Refused),
        ("POST /api/v1/write?a=b c HTTP/1.1\r\nhost: x\r\n", Refused),
        ("POST /api/v1/write?a=b%0d%0ainjected:%20c HTTP/1.1\r\nhost: x\r\n", Next),
    ] {
        let bytes = [format!("{start}content-length: {short}\r\n\r\n").as_bytes(), &plain].concat();
        let seen = backend.seen().len();
        check(&gate, &backend, &format!("{start:?}"), &bytes, wanted).await;
        if start.contains("%0d") {
            // as it came, in the first line
            let first = backend.seen()[seen].head.lines().next().unwrap().to_owned();
            assert_eq!(first, "post /api/v1/write?a=b%0d%0ainjected:%20c http/1.1");
        }
    }
    let lines: Vec<String> = backend.seen().iter().map(|seen| seen.head.clone()).collect();
    assert!(lines.iter().all(|head| !head.contains("\ninjected")), "{lines:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_read_is_not_taken_for_a_request() {
    let (gate, backend) = rig().await;
    let length = next().len();
    for (line, wanted) in [
        ("POST /nowhere", vec![404]),
        ("GET /api/v1/write", vec![405]),
        ("GET /-/ready", vec![200, 200]),
        ("DELETE /-/ready", vec![405]),
    ] {
        let head = format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        let answers = exchange(gate.write, &[head.as_bytes(), &next()].concat()).await;
        assert_eq!(statuses(&answers), wanted, "{line}: {answers}");
    }
    assert_eq!(backend.seen().len(), 0);
    // the admin port takes one request of a connection
    let reload = b"POST /-/reload HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let head = format!("GET /-/ready HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", reload.len());
    for first in [head.as_bytes(), b"GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let answers = exchange(gate.admin, &[first, reload].concat()).await;
        assert_eq!(statuses(&answers), [200], "{answers}");
    }
    assert_eq!(gate.metrics().await.sum("seriesgate_config_reloads_total", &[]), 0.0);
    gate.finish().await;
}
