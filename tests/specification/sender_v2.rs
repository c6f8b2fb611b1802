//! What remote write 2.0 asks of a sender, which the gate is towards its upstream.

use std::collections::HashSet;

use prost::Message as _;
use seriesgate_proto::v2::{self, metadata::MetricType};

use crate::rig::{Rig, V1, V2, V2_TYPE, body_v1, body_v2, said, without, written};
use crate::sender_v1::header;
use crate::series::{self, STALE, Series, exponential, histograms};
use crate::support::backend::{Seen, Step, answer, stored, stored_all, written_headers};
use crate::support::gate::Setup;

const NOW: i64 = 1_700_000_000_000;

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

fn named(name: &str) -> Series {
    Series::of(&[("__name__", name), ("job", "api")])
}

/// Series that say all they can, texts shared between them.
fn rich(names: &[&str]) -> Vec<Series> {
    let one = |name: &&str| {
        let series =
            named(name).sample(NOW, 1.0).started(NOW - 60_000).sample(NOW + 1, 2.0).started(NOW - 60_000);
        series.exemplar(&[("trace_id", "abc"), ("user", "api")], 0.5, NOW).metadata(
            MetricType::Counter,
            "It helps.",
            "s",
        )
    };
    names.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_post_with_the_four_headers_each_once() {
    // as it came, made anew, and out of the other version
    for (protocol, headers, body) in [
        ("auto", V2.to_vec(), body_v2(&[up()])),
        ("rewritten", without(V2, "user-agent"), body_v2(&[up()])),
        ("v2", V1.to_vec(), body_v1(&[up()])),
    ] {
        let mut rig = Rig::speaking(protocol).await;
        assert_eq!(rig.post(&headers, body).await.status, 204);
        let seen = rig.seen().remove(0);
        assert!(seen.head.starts_with("post /api/v1/write http/1.1\r\n"), "{}", seen.head);
        for (name, value) in [
            ("content-encoding", "snappy"),
            // receivers compare it byte for byte: no blank
            ("content-type", &*V2_TYPE.to_lowercase()),
            ("x-prometheus-remote-write-version", "2.0.0"),
        ] {
            assert_eq!(header(&seen, name), [value], "{protocol}: {}", seen.head);
        }
        assert_eq!(header(&seen, "user-agent").len(), 1, "{}", seen.head);
        assert_eq!(said(&seen).len(), 1, "{protocol}: the block format");
        rig.finish().await;
    }
}

/// The table of a request that was made here: no text twice, none that nothing refers to, references in pairs that lead somewhere.
pub(crate) fn assert_tidy(seen: &Seen, what: &str) {
    let request = seen.v2();
    assert_eq!(request.encode_to_vec().len(), seen.raw().len(), "{what}: no fields of another version");
    assert_eq!(request.symbols.first().map(String::as_str), Some(""), "{what}");
    let texts: HashSet<&String> = request.symbols.iter().collect();
    assert_eq!(texts.len(), request.symbols.len(), "{what}: {:?}", request.symbols);
    let mut used: HashSet<u32> = HashSet::from([0]);
    for series in &request.timeseries {
        assert!(!series.labels_refs.is_empty() && series.labels_refs.len() % 2 == 0, "{what}");
        used.extend(&series.labels_refs);
        for exemplar in &series.exemplars {
            assert_eq!(exemplar.labels_refs.len() % 2, 0, "{what}");
            used.extend(&exemplar.labels_refs);
        }
        used.extend(series.metadata.iter().flat_map(|said| [said.help_ref, said.unit_ref]));
        let one_kind = series.samples.is_empty() != series.histograms.is_empty();
        assert!(one_kind, "{what}: samples or histograms, and at least one");
        let names: Vec<&String> =
            series.labels_refs.iter().step_by(2).map(|place| &request.symbols[*place as usize]).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{what}: {names:?}");
        assert!(series.labels_refs.iter().all(|place| *place != 0), "{what}: no empty names or values");
    }
    assert!(used.iter().all(|place| (*place as usize) < texts.len()), "{what}");
    assert_eq!(used.len(), texts.len(), "{what}: {:?}", request.symbols);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_here_begins_with_the_empty_text_says_each_text_once_and_all_references_lead_into_it() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let v1: Vec<Series> = rich(&names).iter().map(Series::in_v1).collect();
    let native = histograms(NOW).iter().take(3).fold(named("native"), Series::histogram);
    let mut of_v1 = Rig::speaking("v2").await;
    let mut rewritten = Rig::speaking("rewritten").await;
    let mut parts = Rig::with(|setup| setup.upstream("max_body: 1KiB")).await;
    let mut mostly_gone =
        Rig::with(|setup| setup.policy("name: n, match: '{__name__=~\"[a-g]\"}', action: drop")).await;
    for _ in 0..2 {
        assert_eq!(of_v1.send_v1(&[&v1[..], std::slice::from_ref(&native)].concat()).await.status, 204);
        assert_eq!(
            rewritten.send_v2(&[&rich(&names)[..], std::slice::from_ref(&native)].concat()).await.status,
            204
        );
        let long = (0..400).fold(named("long"), |series, n| series.sample(NOW + n, (n * 7919 % 1000) as f64));
        assert_eq!(parts.send_v2(&[rich(&names), vec![long]].concat()).await.status, 204);
        assert_eq!(mostly_gone.send_v2(&rich(&names)).await.status, 204);
    }
    for (what, rig) in [
        ("1.0", &mut of_v1),
        ("rewritten", &mut rewritten),
        ("parts", &mut parts),
        ("gone", &mut mostly_gone),
    ] {
        let seen = rig.seen();
        assert!(seen.len() >= 2, "{what}");
        seen.iter().for_each(|seen| assert_tidy(seen, what));
    }
    for rig in [of_v1, rewritten, parts, mostly_gone] {
        rig.finish().await;
    }
}

/// What policies leave says what it said: start timestamps, types, help and units, exemplars, histograms.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_request_is_complete() {
    let native = histograms(NOW).iter().take(6).fold(named("native"), Series::histogram);
    let native =
        native.exemplar(&[("trace_id", "n")], 1.0, NOW).metadata(MetricType::Histogram, "It helps, too.", "");
    let kept = [rich(&["a", "b"]), vec![native]].concat();
    let mut rig = Rig::with(|setup| setup.policy("name: no-noise, match: noise, action: drop")).await;
    for noise in [1, 20] {
        let all = [rich(&vec!["noise"; noise]), kept.clone()].concat();
        assert_eq!(rig.send_v2(&all).await.status, 204);
        assert_eq!(rig.arrived(), kept);
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_go_out_in_order_also_in_parts() {
    let mut rig = Rig::with(|setup| setup.upstream("max_body: 2KiB")).await;
    let long = (0..1000).fold(named("long"), |series, n| series.sample(NOW + n, (n * 7919 % 1000) as f64));
    let native =
        (0..200).fold(named("native"), |series, n| series.histogram(&exponential(NOW + n, true, true, true)));
    let reply = rig.send_v2(&[long.clone(), native.clone()]).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([1000, 200, 0])));
    let all: Vec<Series> = rig.seen().iter().flat_map(said).collect();
    assert!(all.len() > 4);
    let samples: Vec<_> = all.iter().flat_map(|series| series.samples.clone()).collect();
    let histograms: Vec<_> = all.iter().flat_map(|series| series.histograms.clone()).collect();
    assert_eq!((samples, histograms), (long.samples, native.histograms));
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_is_not_sent_any_more_ends_with_a_stale_marker_of_its_kind() {
    let mut rig = Rig::start().await;
    let float = |ms: i64, value: f64| named("gone").sample(ms, value);
    let native = |ms: i64| named("gone_too").histogram(&exponential(ms, true, false, true));
    assert_eq!(rig.send_v2(&[float(NOW, 1.0), native(NOW), up()]).await.status, 204);
    rig.seen();
    rig.gate.write_config(
        &Setup::to(rig.backend.url()).policy("name: d, match: '{__name__=~\"gone.*\"}', action: drop"),
    );
    assert_eq!(rig.gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(rig.send_v2(&[float(NOW + 1, 2.0), native(NOW + 1), up()]).await.status, 204);
    let seen = rig.seen().remove(0).v2();
    let arrived = series::of_v2(&seen);
    assert_eq!((&arrived[0], &arrived[2]), (&float(NOW + 1, STALE), &up()));
    let end = &seen.timeseries[1];
    let bits = end.histograms.first().map(|h| (h.sum.to_bits(), h.timestamp));
    let of_sample = end.samples.first().map(|s| (s.value.to_bits(), s.timestamp));
    assert_eq!(bits.or(of_sample), Some((STALE.to_bits(), NOW + 1)));
    rig.finish().await;
}

/// A marker alone is something, too: who does not count it has not read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_marker_alone_goes_out_in_1_0_to_who_does_not_take_2_0() {
    let mut rig = Rig::start().await;
    let gone = |ms: i64, value: f64| named("gone").sample(ms, value);
    assert_eq!(rig.send_v2(&[gone(NOW, 1.0)]).await.status, 204);
    rig.gate.write_config(&Setup::to(rig.backend.url()).policy("name: d, match: gone, action: drop"));
    assert_eq!(rig.gate.admin_post("/-/reload").await.status, 200);
    rig.backend.answer_by(|_| stored());
    rig.seen();
    let reply = rig.send_v2(&[gone(NOW + 1, 2.0)]).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])));
    let seen = rig.seen();
    assert_eq!(seen.iter().map(Seen::is_v2).collect::<Vec<_>>(), [true, false]);
    assert!(seen.iter().all(|seen| said(seen) == [gone(NOW + 1, STALE)]));
    rig.finish().await;
}

/// The forms of the requests that came.
fn forms(rig: &mut Rig) -> Vec<bool> {
    let seen = rig.seen();
    for request in &seen {
        let (version, kind) =
            if request.is_v2() { ("2.0.0", V2_TYPE) } else { ("0.1.0", "application/x-protobuf") };
        assert_eq!(header(request, "x-prometheus-remote-write-version"), [version]);
        assert_eq!(header(request, "content-type"), [kind.to_lowercase()]);
        assert_eq!(said(request).iter().map(Series::in_v1).collect::<Vec<_>>(), [up()]);
    }
    seen.iter().map(Seen::is_v2).collect()
}

/// 415; as receivers of 1.0 do, 400; as those do that look at no type, 2xx without a count.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_2_0_gets_1_0_under_other_headers_and_that_is_remembered() {
    let refusals: [fn() -> Step; 5] = [
        || answer("415 Unsupported Media Type", "", "only 1.0 here"),
        || answer("400 Bad Request", "", "what is this"),
        stored,
        || answer("200 OK", "x-prometheus-remote-write-version: 2.0.0\r\n", "ok"),
        || answer("204 No Content", &written_headers([0; 3]), ""),
    ];
    for (n, refusal) in refusals.into_iter().enumerate() {
        let mut rig = Rig::start().await;
        rig.backend.answer_by(move |seen| if seen.is_v2() { refusal() } else { stored() });
        for wanted in [&[true, false][..], &[false], &[false]] {
            let reply = rig.send_v2(&[up()]).await;
            assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])), "{n}: {}", reply.text);
            assert_eq!(forms(&mut rig), wanted, "{n}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_2_0_is_not_sent_anything_else_whatever_it_answers() {
    let mut rig = Rig::start().await;
    assert_eq!(rig.send_v2(&[up()]).await.status, 204);
    assert_eq!(forms(&mut rig), [true]);
    for status in
        ["400 Bad Request", "429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"]
    {
        rig.backend.answer_by(move |_| answer(status, "", "not now"));
        assert_eq!(rig.send_v2(&[up()]).await.status.to_string(), status[..3]);
        assert_eq!(forms(&mut rig), [true], "{status}");
    }
    rig.backend.answer_by(stored_all);
    assert_eq!(rig.send_v2(&[up()]).await.status, 204);
    assert_eq!(forms(&mut rig), [true]);
    rig.finish().await;
}

/// A failure says nothing of the form.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_before_anything_is_known_changes_no_form() {
    let mut rig = Rig::start().await;
    for status in ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"] {
        rig.backend.answer_by(move |_| answer(status, "", "not now"));
        assert!(rig.send_v2(&[up()]).await.status >= 429);
        assert_eq!(forms(&mut rig), [true], "{status}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1_0_an_answer_without_counts_means_that_all_is_written() {
    let mut rig = Rig::start().await;
    rig.backend.answer_by(|_| stored());
    assert_eq!(rig.send_v1(&[up()]).await.status, 204);
    assert_eq!(forms(&mut rig), [false]);
    let metrics = rig.gate.metrics().await;
    assert_eq!((metrics.fate("forwarded"), metrics.fate("rejected")), (1.0, 0.0));
    rig.finish().await;
}

/// A count that is missing is 0.
#[tokio::test(flavor = "multi_thread")]
async fn counts_of_a_partial_write_are_believed() {
    let all =
        [rich(&["a", "b"]), vec![named("native").histogram(&exponential(NOW, true, false, false))]].concat();
    for (headers, told) in [
        (written_headers([3, 1, 2]), [3, 1, 2]),
        (written_headers([3, 0, 0]), [3, 0, 0]),
        ("x-prometheus-remote-write-samples-written: 4\r\n".to_owned(), [4, 0, 0]),
        ("x-prometheus-remote-write-histograms-written: 1\r\n".to_owned(), [0, 1, 0]),
    ] {
        let rig = Rig::start().await;
        rig.backend.answer_by(move |_| answer("400 Bad Request", &headers, "some are out of order"));
        let reply = rig.send_v2(&all).await;
        assert_eq!((reply.status, written(&reply)), (400, Some(told)), "{}", reply.text);
        assert_eq!(rig.backend.seen().len(), 1, "who counts speaks 2.0");
        let metrics = rig.gate.metrics().await;
        assert_eq!(
            (metrics.fate("forwarded"), metrics.fate("rejected")),
            (told[0] as f64, (4 - told[0]) as f64)
        );
        rig.finish().await;
    }
}

/// Receivers of 2.0 that do not have all must not answer 2xx; where one does, its counts are what is told, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn counts_beside_a_2xx_are_believed() {
    let all =
        [rich(&["a", "b"]), vec![named("native").histogram(&exponential(NOW, true, false, false))]].concat();
    for told in [[3, 1, 2], [4, 1, 0], [4, 0, 2], [0, 0, 1], [4, 1, 2]] {
        let rig = Rig::start().await;
        rig.backend.answer_by(move |_| answer("204 No Content", &written_headers(told), ""));
        let told = told.map(|count| count as u64);
        let reply = rig.send_v2(&all).await;
        assert_eq!((reply.status, reply.text.as_str(), written(&reply)), (204, "", Some(told)));
        assert_eq!(rig.backend.seen().len(), 1, "who counts speaks 2.0");
        let metrics = rig.gate.metrics().await;
        assert_eq!(
            (metrics.fate("forwarded"), metrics.fate("rejected")),
            (told[0] as f64, (4 - told[0]) as f64)
        );
        let logged = rig.gate.log().contains(&format!("it counts {} samples, ", told[0]));
        assert_eq!(logged, told != [4, 1, 2], "{}", rig.gate.log());
        // of 1.0 they mean nothing
        assert_eq!(rig.send_v1(&[up(), named("b").sample(NOW, 1.0)]).await.status, 204);
        let metrics = rig.gate.metrics().await;
        assert_eq!(metrics.fate("forwarded"), (told[0] + 2) as f64);
        rig.finish().await;
    }
    // in parts, too
    let rig = Rig::with(|setup| setup.upstream("max_body: 2KiB")).await;
    rig.backend.answer_by(|seen| {
        let samples: usize = seen.v2().timeseries.iter().map(|series| series.samples.len()).sum();
        answer("204 No Content", &written_headers([samples - 1, 0, 0]), "")
    });
    let long = (0..1000).fold(named("long"), |series, n| series.sample(NOW + n, (n * 7919 % 1000) as f64));
    let reply = rig.send_v2(&[long]).await;
    let parts = rig.backend.seen().len() as u64;
    assert!(parts > 1);
    assert_eq!((reply.status, written(&reply)), (204, Some([1000 - parts, 0, 0])));
    rig.finish().await;
}

/// Asked for, 2.0 is the only form; nobody loses data by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_is_set_and_not_taken_leaves_the_data_with_its_sender() {
    for refusal in [|| answer("415 Unsupported Media Type", "", "only 1.0 here"), stored] {
        let mut rig = Rig::speaking("v2").await;
        rig.backend.answer_by(move |_| refusal());
        for is_v2 in [false, true] {
            let reply = if is_v2 { rig.send_v2(&[up()]).await } else { rig.send_v1(&[up()]).await };
            assert_eq!(reply.status, 503, "{}", reply.text);
            assert_eq!(forms(&mut rig), [true]);
        }
        rig.finish().await;
    }
}

/// Not told by how an answer looks, but by what was taken: a version in it means nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_in_an_answer_is_not_believed() {
    let mut rig = Rig::start().await;
    rig.backend.answer_by(|seen| {
        let version = "x-prometheus-remote-write-version: 0.1.0\r\n";
        let counts = if seen.is_v2() { written_headers([1, 0, 0]) } else { String::new() };
        answer("204 No Content", &(counts + version), "")
    });
    for _ in 0..3 {
        assert_eq!(rig.send_v2(&[up()]).await.status, 204);
    }
    assert_eq!(forms(&mut rig), [true; 3]);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_is_the_one_that_the_headers_name() {
    let mut rig = Rig::speaking("v2").await;
    assert_eq!(rig.send_v1(&[up()]).await.status, 204);
    let raw = rig.seen()[0].raw();
    assert_eq!(v2::Request::decode(&*raw).unwrap().timeseries.len(), 1);
    // read as 1.0 it is empty: its fields 1 to 3 are reserved for that
    assert!(seriesgate_proto::WriteRequest::decode(&*raw).unwrap().timeseries.is_empty());
    rig.finish().await;
}

/// A series that only says what its metric is: 0 of everything is all of it, and no sign that 2.0 is not understood.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_has_nothing_to_count_says_nothing_of_the_form() {
    let orphan = named("orphan").metadata(MetricType::Counter, "It helps.", "");
    for protocol in ["auto", "v2"] {
        let mut rig = Rig::speaking(protocol).await;
        for answers in [stored_all, |_: &Seen| stored()] {
            rig.backend.answer_by(answers);
            let reply = rig.send_v2(std::slice::from_ref(&orphan)).await;
            assert_eq!((reply.status, written(&reply)), (204, Some([0; 3])), "{protocol}: {}", reply.text);
            assert_eq!(rig.arrived(), std::slice::from_ref(&orphan), "{protocol}");
            let takes = rig.gate.metrics().await.sum("seriesgate_upstream_takes", &[("protocol", "v2")]);
            assert_eq!(takes, -1.0, "{protocol}: nobody knows yet");
        }
        rig.backend.answer_by(stored_all);
        assert_eq!(rig.send_v2(&[up()]).await.status, 204);
        assert_eq!(forms(&mut rig), [true], "{protocol}");
        rig.finish().await;
    }
}
