//! What somebody who means harm can do to the real program over a real socket, and what they cannot: docs/security.md names these
//! tests as proof. All inputs are harmless but to our own program, on loopback.

// clippy allows it in `#[test]` functions only, not in what they call
#![allow(clippy::unwrap_used)]

#[path = "security/bombs.rs"]
mod bombs;
#[path = "security/docs.rs"]
mod docs;
#[path = "security/heads.rs"]
mod heads;
#[path = "security/paths.rs"]
mod paths;
#[path = "security/smuggling.rs"]
mod smuggling;
#[allow(dead_code)] // other tests use the rest
#[path = "support/mod.rs"]
mod support;

use std::net::SocketAddr;

use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use support::gate::SOON;

/// A write of one series of this metric, compressed.
fn body(metric: &str) -> Vec<u8> {
    let series = TimeSeries::named(metric, &[("job", "a")]).with_sample(1_000, 1.0);
    encode_snappy(&WriteRequest::of(vec![series]))
}

/// The last request of a connection: whoever reads it as a request answers 200 and closes.
const LAST: &[u8] = b"GET /-/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Sends bytes, then [`LAST`], and reads all that comes back until the other end closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // it may have been closed half-way; what came back by then says why
    stream.write_all(&[bytes, LAST].concat()).await.ok();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("still open").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status codes of answers that follow one another.
fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}
