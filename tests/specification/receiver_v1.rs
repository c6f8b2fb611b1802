//! What remote write 1.0 asks of a receiver.

use hyper::Method;
use prost::Message as _;
use seriesgate_proto::{MetricMetadata, WriteRequest, snappy};

use crate::rig::{Rig, V1, V2, assert_spoken, body_v1, request, said, with, without, written};
use crate::series::{NAN, Pairs, STALE, Series, histograms, v1};
use crate::support::backend::{answer, stored};
use crate::support::http;

const NOW: i64 = 1_700_000_000_000;

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_post_to_a_path_that_there_is() {
    let mut rig = Rig::start().await;
    for path in ["/api/v1/write", "/api/v1/push", "/api/prom/push", "/write"] {
        let post = request((Method::POST, rig.gate.write, path), V1, body_v1(&[up()]));
        assert_eq!(http::send(post).await.unwrap().status, 204, "{path}");
        assert_eq!(rig.arrived(), [up()], "{path}");
    }
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let of = method.to_string();
        let other = request((method, rig.gate.write, "/api/v1/write"), V1, body_v1(&[up()]));
        let reply = http::send(other).await.unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{of}");
    }
    for path in ["/", "/api/v1/write/", "/api/v2/write", "/api/v1/read"] {
        let post = request((Method::POST, rig.gate.write, path), V1, body_v1(&[up()]));
        let reply = http::send(post).await.unwrap();
        assert_eq!(reply.status, 404, "{path}");
        assert_spoken(&reply, path);
    }
    assert_eq!(rig.arrived(), [], "nothing of what was refused");
    rig.finish().await;
}

/// "Any 1.x compatible receivers MUST be able to read any 1.x compatible sender": whatever it leaves out or writes in another way.
#[tokio::test(flavor = "multi_thread")]
async fn headers_may_be_missing_or_written_in_another_way() {
    let mut rig = Rig::start().await;
    let absent = ["content-encoding", "content-type", "user-agent", "x-prometheus-remote-write-version"];
    let mut all: Vec<_> = absent.iter().map(|name| without(V1, name)).collect();
    all.push(Vec::new());
    for kind in [
        "application/x-protobuf;proto=prometheus.WriteRequest",
        "application/x-protobuf; proto=prometheus.WriteRequest",
        "application/x-protobuf;proto=\"prometheus.WriteRequest\"",
        "Application/X-Protobuf",
        "application/x-protobuf; charset=utf-8",
    ] {
        all.push(with(V1, "content-type", kind));
    }
    all.extend(["Snappy", "SNAPPY", " snappy "].map(|encoding| with(V1, "content-encoding", encoding)));
    let versions = ["0.1.0", "0.1", "1.0", "1.1.0", "2.0.0", "x"];
    all.extend(versions.map(|version| with(V1, "x-prometheus-remote-write-version", version)));
    for headers in all {
        let reply = rig.post(&headers, body_v1(&[up()])).await;
        assert_eq!((reply.status, written(&reply)), (204, None), "{headers:?}: {}", reply.text);
        assert_eq!(rig.arrived(), [up()], "{headers:?}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_snappy_in_its_block_format_and_not_in_frames() {
    let mut rig = Rig::start().await;
    let raw = v1(&[up()]).encode_to_vec();
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut framed, &raw).unwrap();
    for (what, body) in [("frames", framed.into_inner().unwrap()), ("not compressed", raw)] {
        let reply = rig.post(V1, body).await;
        assert_eq!(reply.status, 400, "{what}");
        assert_spoken(&reply, what);
    }
    assert_eq!(rig.arrived(), []);
    assert_eq!(rig.send_v1(&[up()]).await.status, 204);
    assert_eq!(rig.arrived(), [up()]);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_what_was_written_is_2xx_without_a_body_and_without_written_headers() {
    let rig = Rig::start().await;
    let reply = rig.send_v1(&[up(), Series::named("b").sample(1, 2.0)]).await;
    assert_eq!((reply.status, reply.text.as_str(), written(&reply)), (204, "", None));
    assert_eq!((reply.header("content-type"), reply.header("content-length")), (None, None));
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_int64_milliseconds_and_values_are_float64_bit_for_bit() {
    let times = [0, 1, -1, NOW, NOW + 1, -62_135_596_800_000, i64::from(i32::MAX) + 1];
    let values = [
        0.0,
        1.0,
        -1.5,
        0.1 + 0.2,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::INFINITY,
        f64::NEG_INFINITY,
        NAN,
        STALE,
        f64::from_bits(0xfff8_0000_dead_beef),
        9_007_199_254_740_993.0,
    ];
    let mut all: Vec<Series> = times
        .iter()
        .map(|ms| Series::of(&[("__name__", "t"), ("ms", &ms.to_string())]).sample(*ms, 1.0))
        .collect();
    all.extend(
        (0..)
            .zip(values)
            .map(|(n, value)| Series::of(&[("__name__", "v"), ("n", &format!("{n:02}"))]).sample(NOW, value)),
    );
    for protocol in ["auto", "rewritten", "v2"] {
        let mut rig = Rig::speaking(protocol).await;
        let goes_on: Vec<Series> = all.iter().filter(|series| !series.ends()).cloned().collect();
        for all in [&all, &goes_on] {
            assert_eq!(rig.send_v1(all).await.status, 204);
            assert_eq!(rig.arrived(), *all, "{protocol}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_later_minor_versions_are_no_error() {
    for protocol in ["auto", "rewritten", "v2"] {
        let mut rig = Rig::speaking(protocol).await;
        // field 99 with each wire type, beside and within what is known
        let unknown: [&[u8]; 4] = [
            &[0x98, 0x06, 1],
            &[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x9a, 0x06, 2, 1, 2],
            &[0x9d, 0x06, 1, 2, 3, 4],
        ];
        for extra in unknown {
            let series = &v1(&[up()]).timeseries[0];
            let field = |tag: u8, inside: Vec<u8>| [&[tag, inside.len() as u8][..], &inside].concat();
            let labels =
                series.labels.iter().flat_map(|l| field(0x0a, [&*l.encode_to_vec(), extra].concat()));
            let sample = field(0x12, [&*series.samples[0].encode_to_vec(), extra].concat());
            let inside: Vec<u8> = labels.chain(sample).chain(extra.to_vec()).collect();
            let body = [extra, &field(0x0a, inside), extra].concat();
            assert_eq!(rig.post(V1, snappy(&body)).await.status, 204, "{extra:?}");
            assert_eq!(rig.arrived(), [up()], "{extra:?}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_labels_that_no_series_has_is_invalid_and_the_rest_is_written() {
    let mut rig = Rig::start().await;
    let long = "n".repeat(5_000);
    let bad: [(&str, Pairs<'_>); 7] = [
        ("no labels", &[]),
        ("no name", &[("job", "x")]),
        ("an empty name", &[("__name__", ""), ("job", "x")]),
        ("repeated", &[("__name__", "m"), ("a", "1"), ("a", "2")]),
        ("repeated, alike", &[("__name__", "m"), ("a", "1"), ("a", "1")]),
        ("without a label's name", &[("", "1"), ("__name__", "m")]),
        ("over a limit of this receiver", &[("__name__", "m"), (&long, "1")]),
    ];
    let good = Series::of(&[("__name__", "good"), ("a", "1")]).sample(NOW, 2.0);
    for (what, labels) in bad {
        let series = Series::of(labels).sample(NOW, 1.0);
        let reply = rig.send_v1(&[up(), series, good.clone()]).await;
        assert_eq!((reply.status, written(&reply)), (400, None), "{what}: {}", reply.text);
        assert_spoken(&reply, what);
        assert!(reply.text.contains("1 of 3 series rejected"), "{what}: {}", reply.text);
        assert_eq!(rig.arrived(), [up(), good.clone()], "{what}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn label_values_are_any_utf8_and_names_that_begin_with_two_underscores_are_kept() {
    let all: Vec<Series> = ["a b", "a\nb", "\"\\", "\u{0}", "ü", "🚀", "e\u{301}", " ", &"v".repeat(4096)]
        .iter()
        .map(|value| Series::of(&[("__meta_x", value), ("__name__", "m"), ("label", value)]).sample(NOW, 1.0))
        .collect();
    for protocol in ["auto", "rewritten", "v2"] {
        let mut rig = Rig::speaking(protocol).await;
        assert_eq!(rig.send_v1(&all).await.status, 204);
        assert_eq!(rig.arrived(), all, "{protocol}");
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_succeed_is_4xx_with_a_word_for_people() {
    let mut rig = Rig::with(|setup| setup.listen("max_body_size: 64KiB, max_decoded_size: 256KiB")).await;
    let good = body_v1(&[up()]);
    let text =
        WriteRequest::of(v1(&[Series::of(&[("__name__", "m"), ("x", "MARK")]).sample(1, 1.0)]).timeseries);
    let mut not_text = text.encode_to_vec();
    let at = not_text.windows(4).position(|window| window == b"MARK").unwrap();
    not_text[at] = 0xff;
    let cases = [
        ("nothing at all", Vec::new(), 400),
        ("cut off", good[..good.len() / 2].to_vec(), 400),
        ("no snappy", b"0 samples in here".to_vec(), 400),
        ("claims 4 GiB", [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], b"short"].concat(), 400),
        ("no protobuf", snappy(b"\x0a\xff\xff\xff\xff\x0fno"), 400),
        ("a series of another wire type", snappy(&[0x08, 1]), 400),
        ("not UTF-8", snappy(&not_text), 400),
        ("too large", vec![0; 100_000], 413),
        ("too large once it is decoded", snappy(&vec![0; 400_000]), 400),
    ];
    for (what, body, status) in cases {
        let reply = rig.post(V1, body).await;
        assert_eq!((reply.status, written(&reply)), (status, None), "{what}: {}", reply.text);
        assert_spoken(&reply, what);
    }
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_here_or_behind_is_5xx_so_that_it_comes_again_and_can_come_again() {
    let mut rig = Rig::start().await;
    for status in
        ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
    {
        rig.backend.answer_by(move |_| answer(status, "", "down for a while"));
        let reply = rig.send_v1(&[up()]).await;
        assert_eq!(reply.status.to_string(), status[..3], "{}", reply.text);
        assert_spoken(&reply, status);
        rig.backend.answer_by(|_| stored());
        rig.seen();
        // the whole request again, and once more although it was taken
        for _ in 0..2 {
            assert_eq!(rig.send_v1(&[up()]).await.status, 204);
            assert_eq!(rig.arrived(), [up()]);
        }
    }
    rig.finish().await;
    let nobody = crate::support::ports::free();
    let gate = crate::support::gate::Setup::to(format!("http://{nobody}/write")).start().await;
    let reply = gate.post(body_v1(&[up()])).await;
    assert_eq!(reply.status, 503, "{}", reply.text);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_keep_their_order_within_a_request_and_from_one_to_the_next() {
    let mut rig = Rig::with(|setup| setup.policy("name: no-noise, match: noise, action: drop")).await;
    let series = |from: i64| (0..5).fold(Series::named("m"), |m, n| m.sample(NOW + from + n, n as f64));
    let noise = Series::named("noise").sample(1, 1.0);
    for from in [0, 10, 20] {
        assert_eq!(rig.send_v1(&[noise.clone(), series(from), up()]).await.status, 204);
    }
    // the same series several times in one request
    assert_eq!(rig.send_v1(&[series(30), noise, series(40)]).await.status, 204);
    let all = [series(0), up(), series(10), up(), series(20), up(), series(30), series(40)];
    assert_eq!(rig.arrived(), all);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_markers_are_told_from_other_nans_by_their_bits() {
    let mut rig = Rig::start().await;
    let others = [1.0, NAN, f64::from_bits(0x7ff0_0000_0000_0001), f64::from_bits(0xfff0_0000_0000_0002)];
    let values = others.into_iter().map(|value| (value, 0.0)).chain([(STALE, 1.0)]);
    for ((value, ended), ms) in values.zip(NOW..) {
        let series = Series::named("m").sample(ms, value);
        assert_eq!(rig.send_v1(std::slice::from_ref(&series)).await.status, 204);
        assert_eq!(rig.arrived(), [series]);
        let metrics = rig.gate.metrics().await;
        assert_eq!(metrics.sum("seriesgate_ended_series_total", &[]), ended, "{:x}", value.to_bits());
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_series_is_written() {
    let mut rig = Rig::start().await;
    let reply = rig.send_v1(&[]).await;
    assert_eq!((reply.status, reply.text.as_str(), written(&reply)), (204, "", None));
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

/// No part of the text of 1.0, and sent by all: native histograms, exemplars, and metadata in requests of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_senders_of_1_0_add_to_it_arrives() {
    for policy in ["", "name: no-noise, match: noise, action: drop"] {
        let mut rig = Rig::with(|setup| if policy.is_empty() { setup } else { setup.policy(policy) }).await;
        let native = histograms(NOW).iter().fold(Series::named("native"), Series::histogram);
        let exemplars = up().exemplar(&[("trace_id", "abc")], 0.5, NOW).exemplar(&[], STALE, NOW + 1);
        let noise = Series::named("noise").sample(1, 1.0);
        assert_eq!(rig.send_v1(&[noise, native.clone(), exemplars.clone()]).await.status, 204);
        let arrived = rig.arrived();
        assert_eq!(arrived[arrived.len() - 2..], [native, exemplars]);
        let metadata: Vec<_> = (0..8)
            .map(|kind| MetricMetadata {
                r#type: kind,
                metric_family_name: format!("family_{kind}"),
                help: format!("It helps {kind}."),
                unit: "seconds".to_owned(),
            })
            .collect();
        let request = WriteRequest { timeseries: Vec::new(), metadata: metadata.clone() };
        assert_eq!(rig.post(V1, snappy(&request.encode_to_vec())).await.status, 204);
        let seen = rig.seen();
        assert_eq!((seen.len(), said(&seen[0]), seen[0].decoded().metadata), (1, vec![], metadata));
        rig.finish().await;
    }
}

/// Taken as 1.0, a request of 2.0 is empty: what looks so is not acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn the_type_says_which_message_it_is_and_a_body_of_the_other_is_not_taken_for_an_empty_one() {
    let mut rig = Rig::start().await;
    for (headers, body) in [(V1, crate::rig::body_v2(&[up()])), (V2, body_v1(&[up()]))] {
        let reply = rig.post(headers, body).await;
        assert_eq!(reply.status, 415, "{}", reply.text);
        assert_spoken(&reply, "the other message");
    }
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}
