//! What remote write 2.0 asks of a receiver: requests as wholes, and answers.

use hyper::Method;
use prost::Message as _;
use seriesgate_proto::{snappy, v2};

use crate::rig::{Rig, V2, V2_TYPE, assert_spoken, body_v1, body_v2, request, with, without, written};
use crate::series::{Series, counts, exponential};
use crate::support::backend::{answer, stored_all, written_headers};
use crate::support::http;

const NOW: i64 = 1_700_000_000_000;

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

/// Two samples, a histogram and three exemplars.
fn all_kinds() -> Vec<Series> {
    vec![
        up().exemplar(&[("trace_id", "a")], 1.0, NOW).exemplar(&[("trace_id", "b")], 2.0, NOW),
        Series::named("native").histogram(&exponential(NOW, true, true, true)).exemplar(&[], 0.5, NOW),
        Series::named("other").sample(NOW, 2.0),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_post_to_a_path_that_there_is() {
    let mut rig = Rig::start().await;
    for (method, path, status) in [
        (Method::GET, "/api/v1/write", 405),
        (Method::PUT, "/api/v1/write", 405),
        (Method::POST, "/nowhere", 404),
        (Method::POST, "/api/v1/write", 204),
    ] {
        let reply = http::send(request((method, rig.gate.write, path), V2, body_v2(&[up()]))).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
        assert_spoken(&reply, path);
    }
    assert_eq!(rig.arrived(), [up()]);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_says_which_message_it_is_and_no_other_header_does() {
    let mut rig = Rig::start().await;
    let kinds = [
        V2_TYPE,
        "application/x-protobuf; proto=io.prometheus.write.v2.Request",
        "application/x-protobuf;proto=\"io.prometheus.write.v2.Request\"",
        "APPLICATION/x-protobuf;PROTO=io.prometheus.write.v2.Request",
        "application/x-protobuf;charset=utf-8;proto=io.prometheus.write.v2.Request",
    ];
    let mut all: Vec<_> = kinds.iter().map(|kind| with(V2, "content-type", kind)).collect();
    all.extend(
        ["0.1.0", "2.0", "2.1.0", "3.0.0", ""].map(|v| with(V2, "x-prometheus-remote-write-version", v)),
    );
    let absent = ["content-encoding", "user-agent", "x-prometheus-remote-write-version"];
    all.extend(absent.iter().map(|name| without(V2, name)));
    for headers in all {
        let reply = rig.post(&headers, body_v2(&[up()])).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])), "{headers:?}: {}", reply.text);
        assert_eq!(rig.arrived(), [up()], "{headers:?}");
    }
    for kind in ["application/x-protobuf", "application/x-protobuf;proto=prometheus.WriteRequest"] {
        // whatever the version says
        let reply = rig.post(&with(V2, "content-type", kind), body_v1(&[up()])).await;
        assert_eq!((reply.status, written(&reply)), (204, None), "{kind}: {}", reply.text);
        assert_eq!(rig.arrived(), [up()], "{kind}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_or_an_encoding_that_is_not_supported_is_415() {
    let mut rig = Rig::start().await;
    let kinds = [
        "application/json",
        "text/html",
        "application/protobuf",
        "application/x-protobuf;proto=io.prometheus.write.v3.Request",
        "application/x-protobuf;proto=prometheus.writerequest",
        "application/x-protobuf;proto=io.prometheus.write.v2.Request.Other",
    ];
    let encodings = ["gzip", "deflate", "br", "identity", "x-snappy-framed", "snappy, gzip"];
    let kinds = kinds.iter().map(|kind| with(V2, "content-type", kind));
    let encodings = encodings.iter().map(|encoding| with(V2, "content-encoding", encoding));
    for headers in kinds.chain(encodings) {
        let reply = rig.post(&headers, body_v2(&[up()])).await;
        assert_eq!(reply.status, 415, "{headers:?}");
        assert_spoken(&reply, &format!("{headers:?}"));
    }
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_204_without_a_body_and_counted_by_kind() {
    for protocol in ["auto", "rewritten", "v1"] {
        let mut rig = Rig::speaking(protocol).await;
        for all in [all_kinds(), vec![up()], vec![all_kinds().remove(1)], vec![]] {
            let reply = rig.send_v2(&all).await;
            let told = (reply.status, reply.text.as_str(), written(&reply));
            assert_eq!(told, (204, "", Some(counts(&all))), "{protocol}");
            assert_eq!(rig.arrived(), all, "{protocol}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_takes_was_accepted_and_counts_as_written() {
    let mut rig = Rig::with(|setup| setup.policy("name: no-noise, match: noise, action: drop")).await;
    let noise = Series::named("noise").sample(NOW, 1.0).exemplar(&[], 1.0, NOW);
    let native = Series::named("noise").histogram(&exponential(NOW, true, false, false));
    let mut all = all_kinds();
    all.extend([noise, native]);
    let reply = rig.send_v2(&all).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([3, 2, 4])));
    assert_eq!(rig.arrived(), all_kinds());
    let reply = rig.send_v2(&all[3..]).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([1, 1, 1])));
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_not_written_makes_it_400_with_exact_counts_and_says_how_much_and_why() {
    let mut rig = Rig::start().await;
    for bad in 1..4 {
        let rejected = |n: i64| {
            let series = Series::of(&[("job", "x")]).exemplar(&[], 1.0, NOW + n);
            if n % 2 == 0 {
                series.sample(NOW + n, 1.0)
            } else {
                series.histogram(&exponential(NOW + n, true, false, true))
            }
        };
        let all = [all_kinds(), (0..bad).map(rejected).collect()].concat();
        let reply = rig.send_v2(&all).await;
        assert_eq!((reply.status, written(&reply)), (400, Some([2, 1, 3])), "{}", reply.text);
        let says = [
            &*format!("{bad} of {} series rejected", all.len()),
            "no metric name",
            "the valid rest was written",
        ];
        assert!(says.iter().all(|part| reply.text.contains(part)), "{}", reply.text);
        assert_eq!(rig.arrived(), all_kinds());
    }
    let reply = rig.send_v2(&[Series::of(&[("job", "y")]).sample(NOW, 1.0)]).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([0; 3])), "{}", reply.text);
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_400_and_nothing_of_it_is_written() {
    let mut rig = Rig::start().await;
    let good = body_v2(&[up()]);
    let raw = crate::series::v2(&[up()]).encode_to_vec();
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut framed, &raw).unwrap();
    let cases = [
        ("nothing at all", Vec::new()),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("another first byte", [&b"0"[..], &good[1..]].concat()),
        ("frames of snappy", framed.into_inner().unwrap()),
        ("not compressed", raw.clone()),
        ("no protobuf", snappy(&raw[..raw.len() - 1])),
        ("a symbol of another wire type", snappy(&[0x20, 1])),
    ];
    for (what, body) in cases {
        let reply = rig.post(V2, body).await;
        assert_eq!((reply.status, written(&reply)), (400, Some([0; 3])), "{what}: {}", reply.text);
        assert_spoken(&reply, what);
    }
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_series_is_written() {
    let mut rig = Rig::start().await;
    let table_only = v2::Request { symbols: vec![String::new(), "unused".to_owned()], timeseries: vec![] };
    for body in [snappy(b""), snappy(&table_only.encode_to_vec())] {
        let reply = rig.post(V2, body).await;
        assert_eq!((reply.status, reply.text.as_str(), written(&reply)), (204, "", Some([0; 3])));
    }
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_upstream_did_not_write_is_not_told_as_written() {
    let rig = Rig::start().await;
    let part = [1, 1, 2];
    rig.backend
        .answer_by(move |_| answer("400 Bad Request", &written_headers(part), "1 sample is out of order"));
    let reply = rig.send_v2(&all_kinds()).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([1, 1, 2])));
    assert!(reply.text.contains("1 sample is out of order"), "{}", reply.text);
    rig.backend.answer_by(|_| answer("400 Bad Request", "", "nothing of it"));
    let reply = rig.send_v2(&all_kinds()).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([0; 3])));
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_behind_is_told_as_it_is_with_its_retry_after_and_nothing_written() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.send_v2(&[up()]).await.status, 204);
    for (status, told) in [
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("503 Service Unavailable", 503),
        ("504 Gateway Timeout", 504),
    ] {
        rig.backend.answer_by(move |_| answer(status, "retry-after: 5\r\n", "too busy for that"));
        let reply = rig.send_v2(&all_kinds()).await;
        assert_eq!((reply.status, written(&reply)), (told, Some([0; 3])), "{}", reply.text);
        // a fifth is added at random, so that not all come back at once
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((5..=6).contains(&wait), "{wait}");
        assert_spoken(&reply, status);
    }
    rig.backend.answer_by(stored_all);
    rig.seen();
    // who is to send the whole request again may do so, as often as it likes
    for _ in 0..3 {
        let reply = rig.send_v2(&all_kinds()).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([2, 1, 3])));
        assert_eq!(rig.arrived(), all_kinds());
    }
    rig.finish().await;
}

/// Which statuses a sender drops its data on: those of the data alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_4xx_means_that_the_same_will_never_succeed() {
    let rig = Rig::start().await;
    assert_eq!(rig.send_v2(&[up()]).await.status, 204);
    for (status, told) in [
        ("400 Bad Request", 400),
        ("409 Conflict", 409),
        ("422 Unprocessable Entity", 422),
        // of the gate's own config, which somebody will mend
        ("401 Unauthorized", 503),
        ("403 Forbidden", 503),
        ("404 Not Found", 503),
        ("405 Method Not Allowed", 503),
        ("301 Moved Permanently", 503),
    ] {
        rig.backend.answer_by(move |_| answer(status, "", "that is the reason"));
        let reply = rig.send_v2(&[up()]).await;
        assert_eq!((reply.status, written(&reply)), (told, Some([0; 3])), "{status}: {}", reply.text);
        assert!(reply.text.contains("that is the reason"), "{status}: {}", reply.text);
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_later_minor_versions_are_no_error() {
    for protocol in ["auto", "rewritten", "v1"] {
        let mut rig = Rig::speaking(protocol).await;
        let raw = crate::series::v2(&[up()]);
        let unknown: [&[u8]; 4] = [
            &[0x98, 0x06, 1],
            &[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x9a, 0x06, 2, 1, 2],
            &[0x9d, 0x06, 1, 2, 3, 4],
        ];
        for extra in unknown {
            let field = |tag: u8, inside: Vec<u8>| [&[tag, inside.len() as u8][..], &inside].concat();
            let symbols: Vec<u8> =
                raw.symbols.iter().flat_map(|text| field(0x22, text.clone().into_bytes())).collect();
            let series = &raw.timeseries[0];
            let references: Vec<u8> = series.labels_refs.iter().map(|place| *place as u8).collect();
            let sample = field(0x12, [&*series.samples[0].encode_to_vec(), extra].concat());
            let inside = [&*field(0x0a, references), extra, &sample, extra].concat();
            let body = [extra, &symbols, &field(0x2a, inside), extra].concat();
            let reply = rig.post(V2, snappy(&body)).await;
            assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])), "{extra:?}: {}", reply.text);
            assert_eq!(rig.arrived(), [up()], "{extra:?}");
        }
        rig.finish().await;
    }
}
