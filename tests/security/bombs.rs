//! Bodies of a few kilobytes that would become gigabytes.

use prost::Message as _;
use seriesgate_proto::{snappy, v2};

use super::body;
use super::support::backend::{Backend, stored};
use super::support::gate::{Gate, Setup};
use super::support::http;

const MIB: u64 = 1 << 20;

/// A frame of zstd with this header, whose blocks are one byte repeated 128 Ki times each.
fn frame(header: &[u8], blocks: u32) -> Vec<u8> {
    let mut frame = [&[0x28, 0xb5, 0x2f, 0xfd], header].concat();
    for n in 1..=blocks {
        let head = (128u32 << 10) << 3 | 1 << 1 | u32::from(n == blocks);
        frame.extend([&head.to_le_bytes()[..3], b"\0"].concat());
    }
    frame
}

/// A text of 32 KiB that 16,384 series share: half a gigabyte if each had its own.
fn shared_text() -> Vec<u8> {
    let series = |n: u32| v2::TimeSeries {
        labels_refs: vec![1, 2, 3, 4 + n],
        samples: vec![v2::Sample { value: 1.0, timestamp: 1_000, ..v2::Sample::default() }],
        ..v2::TimeSeries::default()
    };
    let own = (0..16_384).map(|n| format!("{n}"));
    let long = "u".repeat(32 << 10);
    let shared = ["", "__name__", &long, "x"].map(str::to_owned).into_iter();
    let symbols = shared.chain(own).collect();
    let request = v2::Request { symbols, timeseries: (0..16_384).map(series).collect() };
    snappy(&request.encode_to_vec())
}

async fn rig(listen: &str) -> Gate {
    let backend = Backend::start(|_| stored()).await;
    Setup::to(backend.url()).upstream("protocol: v1").listen(listen).start().await
}

/// Posts all of them again and again; the memory that the gate took for it.
async fn grown_by(gate: &Gate, bombs: &[(&str, Vec<u8>)], reason: &str) -> u64 {
    let before = gate.own_memory();
    for round in 0..10 {
        for (what, body) in bombs {
            let reply = gate.post(body.clone()).await;
            assert_eq!(reply.status, 400, "{round}, {what}: {}", reply.text);
        }
    }
    let undecodable =
        gate.metrics().await.sum("seriesgate_undecodable_requests_total", &[("reason", reason)]);
    assert_eq!(undecodable, 10.0 * bombs.len() as f64);
    gate.own_memory().saturating_sub(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_snappy_that_claims_gigabytes_or_has_too_much_in_it_takes_no_memory() {
    let gate = rig("max_body_size: 32MiB").await;
    let bombs = [
        ("claims 4 GiB", [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0; 1000]].concat()),
        ("claims 126 MiB, which may be", [&[0x80, 0x80, 0x80, 0x3f][..], &[0; 1000]].concat()),
        ("is 200 MiB", snappy(&vec![0; 200 << 20])),
    ];
    let grown = grown_by(&gate, &bombs, "snappy").await;
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    assert_eq!(gate.post(body("up")).await.status, 204);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_zstd_that_becomes_gigabytes_takes_no_memory() {
    let gate = rig("max_body_size: 32MiB").await;
    let window = 0x88;
    let bombs = [
        ("says nothing and is 1 GiB", frame(&[0x00, window], 8192)),
        ("says 4 GiB", frame(&[&[0xc0, window][..], &(4u64 << 30).to_le_bytes()].concat(), 4)),
        ("says 100 bytes and is 1 GiB", frame(&[0x60, 100, 0], 8192)),
        ("is many", frame(&[0x00, window], 64).repeat(128)),
    ];
    for (what, bomb) in &bombs {
        assert!(bomb.len() < 64 << 10, "{what} has {} bytes", bomb.len());
    }
    let grown = grown_by(&gate, &bombs, "zstd").await;
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    assert_eq!(gate.post(body("up")).await.status, 204);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_2_0_that_many_series_share_does_not_become_as_many_texts() {
    let gate = rig("max_body_size: 4MiB, max_decoded_size: 16MiB").await;
    let bomb = shared_text();
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let before = gate.own_memory();
    for _ in 0..10 {
        let reply = http::send(http::write_v2(gate.write, bomb.clone())).await.unwrap();
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    let outgrown = [("reason", "outgrown")];
    assert_eq!(gate.metrics().await.sum("seriesgate_undecodable_requests_total", &outgrown), 10.0);
    // as much as listen.max_decoded_size is expanded before it is known to be more; each worker may keep it for a while
    let grown = gate.own_memory().saturating_sub(before);
    assert!(grown < 100 * MIB, "{} MiB", grown / MIB);
    assert_eq!(gate.post(body("up")).await.status, 204);
    gate.finish().await;
}
