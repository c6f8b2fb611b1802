//! The twin of each case of the public compliance suite for senders that makes sense for a proxy: what a sender that passes it sends
//! through the gate passes it behind the gate, too; as it came, made anew, and from one version to the other. What does not apply:
//!
//! | cases | why |
//! |---|---|
//! | backoff: exponential, required, at most 60 s, with jitter | Its sender has what passes through, and waits as it likes; it is told `Retry-After` (`receiver_v2`). What the gate makes itself is sent again with a backoff (`sender_v1`). |
//! | retries: no retry on 400, 401, 404 and 413, retries on 429 and 5xx | The same: one request is one request (`compliance_sender_answers`, `sender_v1`). 401, 403 and 404 are told as 503, since they are of the gate's config: then its sender comes again. |
//! | batching: size, multiple series, varying cardinality, metadata | A request stays one request (`batches`), but for what the upstream finds too large. |
//! | labels: `job` and `instance`, format of names | Scraping puts them there. 2.0 allows any UTF-8, and so does the gate (`receiver_v2_data`). |
//! | label values may be empty | An empty value is no label: see `validated`. |
//! | stale markers of targets that are gone | Who scrapes knows of them. Those that come arrive by their bits, and what a policy stops sending ends with one (`sender_v1`, `sender_v2`). |
//! | remote write 1.0 has no native histograms | Prometheus sends them in 1.0 if asked; what a sender sends is passed on. |
//! | errors are logged as they are | `sender_v1`. |

use seriesgate_proto::v2::metadata::MetricType;

use crate::rig::{Rig, V2_TYPE, written};
use crate::sender_v1::header;
use crate::sender_v2::assert_tidy;
use crate::series::{NAN, Pairs, STALE, Series, counts, custom, exponential, float, stale_histogram};

type Case = (&'static str, Vec<Series>);

pub(crate) fn now() -> i64 {
    seriesgate::clock::Clock::system().unix_ms()
}

pub(crate) fn of(name: &str) -> Series {
    Series::of(&[("__name__", name), ("instance", "host:9100"), ("job", "node")])
}

/// What is sent arrives, under the right headers, with a table that is in order.
async fn run(cases: Vec<Case>) {
    for (protocol, is_v2, to_v2) in [
        ("auto", true, true),
        ("rewritten", true, true),
        ("v1", true, false),
        ("v2", false, true),
        ("rewritten", false, false),
    ] {
        let mut rig = Rig::speaking(protocol).await;
        for (name, sent) in &cases {
            let what = format!("{name} ({protocol}, 2.0: {is_v2})");
            let plain: Vec<Series> = sent.iter().map(Series::in_v1).collect();
            let reply = if is_v2 { rig.send_v2(sent).await } else { rig.send_v1(&plain).await };
            assert_eq!(reply.status, 204, "{what}: {}", reply.text);
            assert_eq!(written(&reply), is_v2.then(|| counts(sent)), "{what}");
            let before = rig.backend.seen().len();
            let arrived = rig.arrived();
            assert_eq!(arrived, if is_v2 && to_v2 { sent.clone() } else { plain }, "{what}");
            let seen = &rig.backend.seen()[before - 1];
            let (kind, version) =
                if to_v2 { (V2_TYPE, "2.0.0") } else { ("application/x-protobuf", "0.1.0") };
            for (name, value) in [
                ("content-type", kind.to_lowercase().as_str()),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", version),
            ] {
                assert_eq!(header(seen, name), [value], "{what}");
            }
            assert_eq!(header(seen, "user-agent").len(), 1, "{what}");
            if to_v2 {
                assert_tidy(seen, &what);
            }
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples() {
    let rows = [
        ("float", 3.25),
        ("integer", 42.0),
        ("zero", 0.0),
        ("negative", -7.5),
        ("positive infinity", f64::INFINITY),
        ("negative infinity", f64::NEG_INFINITY),
        ("nan", NAN),
        ("large", 1.797e308),
        ("small", 2.3e-308),
        ("scientific", 6.022e23),
        ("precision", 0.123_456_789_012_345_68),
        ("2^53 + 2", 9_007_199_254_740_994.0),
    ];
    let mut cases: Vec<Case> = rows.map(|(name, value)| (name, vec![of("m").sample(now(), value)])).into();
    let several = (0..10).fold(of("several"), |series, n| series.sample(now() - 10_000 + n * 1000, n as f64));
    cases.push(("multiple samples of a series, in order", vec![several]));
    cases.push(("stale marker", vec![of("ends").sample(now() - 1, 1.0).sample(now(), STALE)]));
    run(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps() {
    let now = now();
    let started = |start: i64| of("c_total").sample(now, 1.0).started(start);
    run(vec![
        ("milliseconds", vec![of("m").sample(1_700_000_000_123, 1.0)]),
        ("zero", vec![of("zero").sample(0, 1.0)]),
        ("before the epoch", vec![of("before").sample(-1, 1.0)]),
        (
            "precision",
            (0..3)
                .map(|n| Series::of(&[("__name__", "p"), ("n", &n.to_string())]).sample(now + n, 1.0))
                .collect(),
        ),
        ("future", vec![of("future").sample(now + 3_600_000, 1.0)]),
        ("start of a counter", vec![started(now - 60_000)]),
        ("start not set", vec![started(0)]),
        ("start at the sample", vec![started(now)]),
        (
            "starts that change",
            vec![of("reset_total").sample(now - 2, 9.0).started(now - 99).sample(now, 1.0).started(now - 1)],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels() {
    let long_name = "n".repeat(900);
    let (long, huge) = ("v".repeat(1000), "h".repeat(10_000));
    let many: Vec<(String, String)> =
        (0..25).map(|n| (format!("label_{n:02}"), format!("value {n}"))).collect();
    let many: Vec<(&str, &str)> =
        [("__name__", "many")].into_iter().chain(many.iter().map(|(n, v)| (&**n, &**v))).collect();
    let rows: [(&str, Pairs<'_>); 10] = [
        ("lexicographical", &[("A", "1"), ("Z", "2"), ("__name__", "m"), ("a", "3"), ("z", "4")]),
        ("colons", &[("__name__", "job:hits:rate5m"), ("job", "node")]),
        ("reserved prefix", &[("__meta_kept", "x"), ("__name__", "m")]),
        ("unicode", &[("__name__", "m"), ("city", "Zürich 🚠 東京")]),
        ("special chars", &[("__name__", "m"), ("path", "C:\\a\t\"b\"\n{c=d}")]),
        ("very long label name", &[("__name__", "m"), (&long_name, "x")]),
        ("very long value", &[("__name__", "m"), ("v", &long)]),
        ("huge value", &[("__name__", "m"), ("v", &huge)]),
        ("very long metric name", &[("__name__", &long)]),
        ("many labels", &many),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, labels) in rows {
        cases.push((name, vec![Series::of(labels).sample(now(), 1.0)]));
    }
    run(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms() {
    let ms = now();
    let mut large = exponential(ms, true, false, false);
    large.positive_deltas = vec![1 << 40, 0, 0, 0, 0];
    large.count = Some(seriesgate_proto::histogram::Count::CountInt(5 << 40));
    let rows = [
        ("structure", exponential(ms, true, true, true)),
        ("positive buckets", exponential(ms, true, false, false)),
        ("negative buckets", exponential(ms, false, true, false)),
        ("zero bucket", exponential(ms, false, false, true)),
        ("empty buckets", exponential(ms, false, false, false)),
        ("large counts", large),
        ("custom buckets", custom(ms)),
        ("float counts of a gauge", float(ms)),
        ("stale marker", stale_histogram(ms + 1)),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, one) in rows {
        cases.push((name, vec![Series::of(&[("__name__", "size"), ("case", name)]).histogram(&one)]));
    }
    let ordered =
        (0..5).fold(of("ordered"), |series, n| series.histogram(&exponential(ms + n, true, false, true)));
    cases.push(("in order", vec![ordered]));
    cases.push((
        "beside samples of another series",
        vec![of("m").sample(ms, 1.0), of("n").histogram(&custom(ms))],
    ));
    run(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars() {
    let ms = now();
    let traced = |series: Series, labels: Pairs<'_>| series.exemplar(labels, 0.25, ms);
    run(vec![
        ("trace id", vec![traced(of("hits_total").sample(ms, 1.0), &[("trace_id", "4bf9")])]),
        (
            "span id",
            vec![traced(of("hits_total").sample(ms, 1.0), &[("span_id", "00f0"), ("trace_id", "4bf9")])],
        ),
        ("custom labels", vec![traced(of("hits_total").sample(ms, 1.0), &[("path", "/x"), ("user", "u")])]),
        ("no labels", vec![traced(of("hits_total").sample(ms, 1.0), &[])]),
        ("on a histogram", vec![traced(of("size").histogram(&custom(ms)), &[("trace_id", "4bf9")])]),
        (
            "several of a series",
            vec![(0..5).fold(of("hits_total").sample(ms, 1.0), |s, n| {
                s.exemplar(&[("trace_id", "t")], n as f64, ms + n)
            })],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata() {
    let ms = now();
    let texts = [
        ("plain", "It helps.", "seconds"),
        ("newlines", "a\nb", ""),
        ("special chars", "\"\\ ü", "b/s"),
        ("none", "", ""),
    ];
    let kinds = [
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Summary,
        MetricType::Histogram,
        MetricType::Info,
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, help, unit) in texts {
        let one = |kind: MetricType| {
            let series = Series::of(&[("__name__", &format!("m_{name}_{kind:?}")), ("job", "node")]);
            let series = if kind == MetricType::Histogram {
                series.histogram(&custom(ms))
            } else {
                series.sample(ms, 1.0)
            };
            series.metadata(kind, help, unit)
        };
        cases.push((name, kinds.map(one).into()));
    }
    let shared = |n: usize| {
        let pod = format!("p{n}");
        Series::of(&[("__name__", "same"), ("pod", &pod)]).sample(ms, 1.0).metadata(
            MetricType::Gauge,
            "Shared.",
            "s",
        )
    };
    cases.push(("consistent across series", (0..5).map(shared).collect()));
    for protocol in ["auto", "rewritten"] {
        let mut rig = Rig::speaking(protocol).await;
        for (name, sent) in &cases {
            assert_eq!(rig.send_v2(sent).await.status, 204, "{name}");
            assert_eq!(rig.arrived(), *sent, "{name} {protocol}");
            assert_tidy(rig.backend.seen().last().unwrap(), name);
        }
        rig.finish().await;
    }
}

/// A scrape of a real target, and requests of all sizes: each stays one request, its table says each text once.
#[tokio::test(flavor = "multi_thread")]
async fn batches() {
    let ms = now();
    let series = |metric: &str, n: usize| {
        let pod = format!("pod-{n}");
        Series::of(&[("__name__", metric), ("namespace", "shop"), ("pod", &pod)])
    };
    let family = |n: usize| -> Vec<Series> {
        let bucket = |le: &str, v: f64| {
            let pod = format!("pod-{n}");
            Series::of(&[("__name__", "wait_bucket"), ("le", le), ("namespace", "shop"), ("pod", &pod)])
                .sample(ms, v)
        };
        let trace = [("trace_id", "4bf9")];
        vec![
            bucket("0.5", 1.0).exemplar(&trace, 0.3, ms),
            bucket("+Inf", 2.0),
            series("wait_count", n).sample(ms, 2.0).started(ms - 60_000),
            series("wait_sum", n).sample(ms, 1.1).started(ms - 60_000),
            series("up", n).sample(ms, 1.0),
            series("heap_bytes", n).sample(ms, 1e9),
            series("size", n).histogram(&exponential(ms, true, true, true)),
        ]
    };
    let scrape = |targets: usize| (0..targets).flat_map(family).collect::<Vec<_>>();
    run(vec![
        ("one target", scrape(1)),
        ("many targets", scrape(300)),
        ("one series", vec![of("up").sample(ms, 1.0)]),
    ])
    .await;
    let mut rig = Rig::start().await;
    assert_eq!(rig.send_v2(&[]).await.status, 204);
    assert_eq!(rig.seen().len(), 0, "an empty scrape is nothing to send");
    rig.finish().await;
}
