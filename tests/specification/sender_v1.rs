//! What remote write 1.0 asks of a sender, which the gate is towards its upstream.

use std::process::Command;

use prost::Message as _;
use seriesgate_proto::WriteRequest;

use crate::rig::{Rig, V1, V2, assert_spoken, body_v1, body_v2, with, without};
use crate::series::{STALE, Series, histograms};
use crate::support::backend::{Backend, Seen, Step, answer, stored};
use crate::support::gate::{Setup, command};
use crate::support::ports;

const NOW: i64 = 1_700_000_000_000;

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

/// The values of a header.
pub(crate) fn header<'s>(seen: &'s Seen, name: &str) -> Vec<&'s str> {
    let lines = seen.head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(of, _)| *of == name).map(|(_, value)| value).collect()
}

/// Samples of one series, so many that their order shows.
fn long(name: &str, from: i64, samples: i64) -> Series {
    (from..from + samples).fold(Series::named(name), |series, n| series.sample(NOW + n, n as f64))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_post_to_the_url_with_the_four_headers_each_once() {
    // as it came, made anew, and out of the other version
    for (protocol, headers, body) in
        [("auto", V1, body_v1(&[up()])), ("rewritten", V1, body_v1(&[up()])), ("v1", V2, body_v2(&[up()]))]
    {
        let mut rig = Rig::speaking(protocol).await;
        assert_eq!(rig.post(headers, body).await.status, 204);
        let seen = rig.seen().remove(0);
        assert!(seen.head.starts_with("post /api/v1/write http/1.1\r\n"), "{}", seen.head);
        for (name, value) in [
            ("content-encoding", "snappy"),
            ("content-type", "application/x-protobuf"),
            ("x-prometheus-remote-write-version", "0.1.0"),
            ("content-length", &*seen.body.len().to_string()),
        ] {
            assert_eq!(header(&seen, name), [value], "{protocol}: {}", seen.head);
        }
        assert_eq!(header(&seen, "user-agent").len(), 1, "{}", seen.head);
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_always_a_user_agent() {
    let mut rig = Rig::start().await;
    let own = concat!("seriesgate/", env!("CARGO_PKG_VERSION"));
    for (headers, said) in [(V1.to_vec(), "specification/1"), (without(V1, "user-agent"), own)] {
        assert_eq!(rig.post(&headers, body_v1(&[up()])).await.status, 204);
        assert_eq!(header(&rig.seen()[0], "user-agent"), [said]);
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_a_write_request_in_snappys_block_format() {
    let zstd = seriesgate::codec::zstd::Encoder::default()
        .encode(&crate::series::v1(&[up()]).encode_to_vec())
        .unwrap();
    for (protocol, headers, body) in [
        ("auto", V1.to_vec(), body_v1(&[up()])),
        ("rewritten", V1.to_vec(), body_v1(&[up()])),
        ("v1", V2.to_vec(), body_v2(&[up()])),
        ("v1", with(V1, "content-encoding", "zstd"), zstd),
    ] {
        let mut rig = Rig::speaking(protocol).await;
        assert_eq!(rig.post(&headers, body).await.status, 204, "{protocol}");
        let seen = rig.backend.seen().remove(0);
        assert!(!seen.is_zstd(), "{protocol}");
        let raw = seen.raw();
        assert!(WriteRequest::decode(&*raw).is_ok_and(|request| request.timeseries.len() == 1), "{protocol}");
        assert_eq!(rig.arrived(), [up()], "{protocol}");
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_headers_can_neither_be_configured_nor_come_from_a_sender() {
    let reserved = [
        "Host",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "WWW-Authenticate",
        "Accept-Encoding",
        "X-Prometheus-Remote-Write-Version",
        "X-Prometheus-Remote-Read-Version",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
        "Authorization",
    ];
    for name in reserved {
        let (write, admin) = (ports::free(), ports::free());
        let (mut run, _dir) = command(&format!(
            "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
             upstreams: [ {{ name: a, url: 'http://127.0.0.1:1/', headers: {{ {name}: x }} }} ]\n"
        ));
        let output = Command::output(&mut run).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(name), "{name}: {said}");
    }
    let mut rig = Rig::start().await;
    let names: Vec<String> = reserved.iter().map(|name| name.to_lowercase()).collect();
    let ours = ["content-", "x-prometheus-remote-write-version", "host", "transfer-encoding", "connection"];
    let theirs: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !ours.iter().any(|our| name.starts_with(our)))
        .collect();
    let mut headers = with(V1, "x-prometheus-remote-write-version", "7.7.7");
    headers.extend(theirs.iter().map(|name| (*name, "of-the-sender")));
    assert_eq!(rig.post(&headers, body_v1(&[up()])).await.status, 204);
    let seen = rig.seen().remove(0);
    assert!(!seen.head.contains("of-the-sender") && !seen.head.contains("7.7.7"), "{}", seen.head);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_2xx_is_not_looked_at_and_it_is_not_sent_again() {
    let mut rig = Rig::start().await;
    for (status, body) in [
        ("200 OK", ""),
        ("200 OK", "error: nothing of that was written"),
        ("202 Accepted", "{\"status\":\"error\"}"),
        ("206 Partial Content", "\0\x01\x02"),
        ("299 Fine", &"x".repeat(1 << 20)),
    ] {
        let body = body.to_owned();
        rig.backend.answer_by(move |_| answer(status, "", &body));
        let reply = rig.send_v1(&[up()]).await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{status}");
        assert_eq!(rig.arrived(), [up()], "{status}");
    }
    assert_eq!(rig.gate.metrics().await.fate("forwarded"), 5.0);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_4xx_is_not_sent_again() {
    let rig = Rig::start().await;
    for status in [400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414, 415, 422, 429, 431, 451] {
        rig.backend.answer_by(move |_| answer(&format!("{status} No"), "", "not that"));
        let before = rig.backend.seen().len();
        let reply = rig.send_v1(&[up()]).await;
        assert!(reply.status >= 400, "{status}: {}", reply.status);
        assert_eq!(rig.backend.seen().len(), before + 1, "{status}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_5xx_leaves_the_data_with_its_sender_which_sends_it_again_after_a_wait() {
    let mut rig = Rig::start().await;
    for status in ["500 A", "501 B", "502 C", "503 D", "504 E", "507 F", "529 G"] {
        rig.backend.answer_by(move |_| answer(status, "retry-after: 3\r\n", "down"));
        let before = rig.backend.seen().len();
        let reply = rig.send_v1(&[up()]).await;
        assert!((500..600).contains(&reply.status), "{status}: {}", reply.status);
        assert!(reply.header("retry-after").is_some_and(|wait| ["3", "4"].contains(&wait)), "{reply:?}");
        assert_eq!(rig.backend.seen().len(), before + 1, "{status}: the sender's turn");
        rig.backend.answer_by(|_| stored());
        rig.seen();
        assert_eq!(rig.send_v1(&[up()]).await.status, 204);
        assert_eq!(rig.arrived(), [up()]);
    }
    let metrics = rig.gate.metrics().await;
    assert_eq!((metrics.fate("returned"), metrics.fate("forwarded")), (7.0, 7.0));
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_says_is_logged_as_it_is_and_told_and_not_interpreted() {
    let rig = Rig::start().await;
    let said = "err-mimir-sample-out-of-order: success, retry, 204 OK {\"code\":200}";
    for (status, told) in [("400 Bad Request", 400), ("500 Internal Server Error", 500)] {
        rig.backend.answer_by(move |_| answer(status, "", said));
        let reply = rig.send_v1(&[up()]).await;
        assert_eq!(reply.status, told);
        assert!(reply.text.contains(said), "{}", reply.text);
        assert_spoken(&reply, status);
        let logged = rig.gate.log();
        let lines = logged.lines().filter(|line| line.contains(&status[..3]) && line.contains(said));
        assert_eq!(lines.count(), 1, "{logged}");
    }
    rig.finish().await;
}

/// Byte order: `A` stands before `_`, and `_` before `a`.
#[tokio::test(flavor = "multi_thread")]
async fn labels_of_what_is_made_here_are_complete_sorted_without_repeats_and_without_empty_ones() {
    let rules = "relabel_configs: [ { target_label: Zone, replacement: z }, { target_label: aa, replacement: '1' }, \
         { source_labels: [job], target_label: job, replacement: 'x' }, { target_label: gone, replacement: '' }, \
         { target_label: zz, replacement: '9' }, { action: labeldrop, regex: pod } ]";
    for (protocol, is_v2) in [("v1", false), ("v1", true), ("v2", false), ("auto", true)] {
        let mut rig = Rig::with(|setup| {
            let setup = setup.upstream(&format!("protocol: {protocol}"));
            setup.policy(&format!("name: r, match: m, action: relabel, {rules}"))
        })
        .await;
        let labels =
            [("Before", "b"), ("__name__", "m"), ("gone", "g"), ("job", "api"), ("pod", "p"), ("~", "t")];
        let series = Series::of(&labels).sample(NOW, 1.0);
        let reply = if is_v2 { rig.send_v2(&[series]).await } else { rig.send_v1(&[series]).await };
        assert_eq!(reply.status, 204);
        let wanted = [
            ("Before", "b"),
            ("Zone", "z"),
            ("__name__", "m"),
            ("aa", "1"),
            ("job", "x"),
            ("zz", "9"),
            ("~", "t"),
        ];
        assert_eq!(rig.arrived(), [Series::of(&wanted).sample(NOW, 1.0)], "{protocol} {is_v2}");
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_a_series_go_out_in_order_also_in_parts() {
    let mut rig = Rig::with(|setup| setup.upstream("max_body: 4KiB")).await;
    let all = [long("a", 0, 800), long("b", 0, 3), long("a", 800, 800)];
    assert_eq!(rig.send_v1(&all).await.status, 204);
    let seen = rig.seen();
    assert!(seen.len() > 3 && seen.iter().all(|seen| seen.body.len() <= 4096), "{}", seen.len());
    for (name, samples) in [("a", 1600), ("b", 3)] {
        let parts = seen.iter().flat_map(crate::rig::said).filter(|series| series.labels[0].1 == name);
        let times: Vec<i64> = parts.flat_map(|series| series.samples).map(|sample| sample.0 - NOW).collect();
        assert_eq!(times, (0..samples).collect::<Vec<i64>>(), "{name}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_is_not_sent_any_more_ends_with_a_stale_marker_of_the_right_bits() {
    for is_v2 in [false, true] {
        let mut rig = Rig::start().await;
        let gone =
            |ms: i64, value: f64| Series::of(&[("__name__", "gone"), ("job", "api")]).sample(ms, value);
        let send = async |rig: &Rig, all: &[Series]| {
            let reply = if is_v2 { rig.send_v2(all).await } else { rig.send_v1(all).await };
            assert_eq!(reply.status, 204);
        };
        send(&rig, &[gone(NOW, 1.0), up()]).await;
        rig.seen();
        let drop = Setup::to(rig.backend.url()).policy("name: drop, match: gone, action: drop");
        rig.gate.write_config(&drop);
        assert_eq!(rig.gate.admin_post("/-/reload").await.status, 200);
        send(&rig, &[gone(NOW + 1, 2.0), up()]).await;
        assert_eq!(rig.arrived(), [gone(NOW + 1, STALE), up()]);
        send(&rig, &[gone(NOW + 2, 3.0), up()]).await;
        assert_eq!(rig.arrived(), [up()], "once");
        rig.finish().await;
    }
}

/// What 1.0 has no place for is left out; nothing is said in a place of another meaning.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_no_fields_that_1_0_does_not_have() {
    let mut rig = Rig::speaking("v1").await;
    let kind = seriesgate_proto::v2::metadata::MetricType::Counter;
    let rich =
        up().started(NOW - 1).exemplar(&[("trace_id", "t")], 1.0, NOW).metadata(kind, "It helps.", "s");
    let native = histograms(NOW).iter().take(4).fold(Series::named("native"), Series::histogram);
    assert_eq!(rig.send_v2(&[rich.clone(), native.clone()]).await.status, 204);
    let seen = rig.seen();
    assert_eq!(seen.iter().flat_map(crate::rig::said).collect::<Vec<_>>(), [rich.in_v1(), native]);
    for request in &seen {
        // what prost does not know it leaves out: then the lengths differ
        assert_eq!(request.decoded().encode_to_vec().len(), request.raw().len());
    }
    let metadata: Vec<_> = seen.iter().flat_map(|seen| seen.decoded().metadata).collect();
    assert_eq!(
        (metadata.len(), &*metadata[0].metric_family_name, &*metadata[0].help),
        (1, "up", "It helps.")
    );
    rig.finish().await;
}

/// Not on 400, and on 5xx again and again, each time after a longer wait, or after the one that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_gate_has_made_is_sent_again_on_5xx_with_a_backoff_and_not_on_4xx() {
    let times = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let (of_script, is_refused) =
        (std::sync::Arc::clone(&times), |seen: &Seen| seen.decoded().timeseries.len());
    let backend = Backend::start(move |seen| -> Step {
        assert!(is_refused(seen) > 0);
        let mut times = of_script.lock();
        times.push(seriesgate::clock::monotonic());
        match times.len() {
            1 => answer("500 No", "", "down"),
            2 => answer("503 No", "", "still down"),
            3 => answer("429 No", "retry-after: 3\r\n", "too much"),
            _ => answer("400 Bad Request", "", "no use"),
        }
    })
    .await;
    let sum = "name: agg, match: 'hits_total', action: aggregate, without: [pod], interval: 10s, delay: 0s";
    let gate = Setup::to(backend.url()).policy(sum).start().await;
    let now = seriesgate::clock::Clock::system().unix_ms();
    let start = (now - 600_000) / 10_000 * 10_000;
    for tick in 0..2 {
        let one = |pod: &str| {
            Series::of(&[("__name__", "hits_total"), ("pod", pod)])
                .sample(start + tick * 10_000 + 5_000, tick as f64)
        };
        assert_eq!(gate.post(body_v1(&[one("a"), one("b")])).await.status, 204);
    }
    backend.until_seen(4).await;
    // refused for good: it is gone, and what comes next is another
    gate.until_metric_is("seriesgate_aggregation_lost_samples_total", &[], |lost| lost > 0.0).await;
    let seen = backend.seen();
    assert!(seen[1..4].iter().all(|again| again.body == seen[0].body), "the very same");
    assert!(seen[4..].iter().all(|later| later.body != seen[0].body));
    let times = times.lock().clone();
    let waits: Vec<_> = times.windows(2).take(3).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    let at_least = [900, 1_900, 2_900];
    assert!(waits.iter().zip(at_least).all(|(wait, least)| *wait >= least), "{waits:?}");
    gate.finish().await;
}
