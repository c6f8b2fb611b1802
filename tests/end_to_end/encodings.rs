//! Bodies in snappy and in zstd, under their own names and under each other's.

use hyper::header::HeaderValue;
use prost::Message as _;
use seriesgate::codec::zstd::Encoder;
use seriesgate_proto::{WriteRequest, encode_snappy};

use super::support::backend::{Backend, stored};
use super::support::gate::{Gate, Setup};
use super::support::http::{self, Reply};
use super::{NO_NOISE, mixture};

pub(crate) fn zstd(request: &WriteRequest) -> Vec<u8> {
    Encoder::default().encode(&request.encode_to_vec()).unwrap()
}

/// Sends a body under the name of an encoding, as vmagent does.
pub(crate) async fn send(gate: &Gate, encoding: &'static str, body: Vec<u8>) -> Reply {
    let mut request = http::write_request(gate.write, body);
    request.headers_mut().insert("content-encoding", HeaderValue::from_static(encoding));
    request.headers_mut().insert("x-victoriametrics-remote-write-version", HeaderValue::from_static("1"));
    http::send(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn zstd_is_taken_under_its_own_name_and_under_that_of_snappy_and_the_other_way_round() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(NO_NOISE).start().await;
    let request = mixture(3, 2);
    for (encoding, body) in [
        ("zstd", zstd(&request)),
        ("snappy", zstd(&request)),
        ("", zstd(&request)),
        ("zstd", encode_snappy(&request)),
        ("ZSTD", zstd(&mixture(3, 0))),
    ] {
        assert_eq!(send(&gate, encoding, body).await.status, 204, "{encoding}");
    }
    for seen in backend.seen() {
        assert_eq!(seen.decoded(), mixture(3, 0));
    }
    assert_eq!(backend.seen().len(), 5);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vmagent_is_told_that_zstd_is_taken() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let url = format!("http://{}/api/v1/write?get_vm_proto_version=1", gate.write);
    for reply in [http::get(&url).await.unwrap(), http::post(&url).await.unwrap()] {
        assert_eq!((reply.status, reply.text.as_str()), (200, "1"), "vmagent reads this as a number");
    }
    assert_eq!(backend.seen().len(), 0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_encodings_are_refused_with_a_word_that_says_what_to_send() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    for encoding in ["gzip", "deflate", "br"] {
        let reply = send(&gate, encoding, vec![0]).await;
        assert_eq!(reply.status, 415, "{encoding}");
        assert!(reply.text.contains("send snappy (block format) or zstd"), "{}", reply.text);
    }
    let framed = b"\xff\x06\x00\x00sNaPpY\x01\x05\x00\x00\x00\x00\x00\x00\x00".to_vec();
    for (body, name) in [(framed, "the framing format of snappy"), (b"\x1f\x8b\x08\0".to_vec(), "gzip")] {
        let reply = send(&gate, "snappy", body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains(&format!("this is {name}; send the block format")), "{}", reply.text);
    }
    // no block of snappy, and nothing that is known by how it begins: deflate, and a length that nothing of this size decodes to
    let deflate = b"\x78\x9c\xe3\xe2\xe7\xe2\xe5\xe2\x88\x8f\xcf\x4b\xcc\x4d\x8d\x8f\x17\x62\xcc\xe5\x22\x28\x00\x00\x19\x19\x0b\x9e".to_vec();
    for body in [deflate, b"\xff\xff\x7f\0".to_vec()] {
        let reply = send(&gate, "snappy", body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("; send the block format of snappy, or zstd"), "{}", reply.text);
    }
    let mut cut = zstd(&mixture(3, 0));
    cut.truncate(20);
    assert_eq!(send(&gate, "zstd", cut).await.status, 400);
    let metrics = gate.metrics().await;
    let undecodable = |reason| metrics.sum("seriesgate_undecodable_requests_total", &[("reason", reason)]);
    assert_eq!(
        (undecodable("content_encoding"), undecodable("snappy"), undecodable("zstd")),
        (3.0, 4.0, 1.0)
    );
    gate.finish().await;
}
