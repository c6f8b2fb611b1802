//! In which form samples go upstream, and what becomes of them where the upstream does not take it.

use std::time::Duration;

use prost::Message as _;
use seriesgate_proto::{
    Exemplar, Label, MetricMetadata, TimeSeries, WriteRequest, encode_snappy, snappy, v2,
};

use super::encodings::{send as send_encoded, zstd};
use super::support::backend::{Backend, Seen, Step, answer, stored, stored_all, written_headers};
use super::support::gate::{Gate, Setup};
use super::support::http;
use super::version2::{send, written};
use super::{NO_NOISE, mixture, pods};

/// Series of 2.0 that say all that they can, under tables that have more than they need.
fn rich(names: &[&str]) -> v2::Request {
    let series = |name: &&str| {
        let mut series = TimeSeries::named(name, &[("job", "api"), ("pod", &format!("{name}-1"))]);
        let labels = vec![Label::new("trace", name.to_string())];
        series.exemplars.push(Exemplar { labels, value: 1.0, timestamp: 1 });
        series.with_sample(2_000, 1.5).with_sample(3_000, 2.5)
    };
    let mut request = v2::Request::of(&WriteRequest::of(names.iter().map(series).collect()));
    for (at, series) in (0..).zip(&mut request.timeseries) {
        request.symbols.push(format!("help of {}", names[at]));
        let help_ref = request.symbols.len() as u32 - 1;
        series.metadata = Some(v2::Metadata { r#type: 2, help_ref, unit_ref: 0 });
        series.samples.iter_mut().for_each(|sample| sample.start_timestamp = 1_000);
    }
    request.symbols.push("used by nothing".to_owned());
    request
}

/// What a request says, each series with its texts.
fn content(request: &v2::Request) -> Vec<String> {
    let text = |at: &u32| request.symbols[*at as usize].as_str();
    let series = |series: &v2::TimeSeries| {
        let labels: Vec<_> = series.labels_refs.iter().map(text).collect();
        let exemplars: Vec<_> = series
            .exemplars
            .iter()
            .map(|e| (e.labels_refs.iter().map(text).collect::<Vec<_>>(), e.value, e.timestamp))
            .collect();
        let said = series.metadata.as_ref().map(|said| (said.r#type, text(&said.help_ref)));
        format!("{labels:?} {:?} {:?} {exemplars:?} {said:?}", series.samples, series.histograms)
    };
    assert_eq!(request.symbols[0], "");
    request.timeseries.iter().map(series).collect()
}

/// The forms in which requests came: whether each was 2.0.
fn versions(backend: &Backend) -> Vec<bool> {
    backend.seen().iter().map(Seen::is_v2).collect()
}

async fn takes(gate: &Gate, protocol: &str) -> f64 {
    gate.metrics().await.sum("seriesgate_upstream_takes", &[("protocol", protocol)])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_goes_on_byte_for_byte_if_the_upstream_takes_it() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    assert_eq!((takes(&gate, "v2").await, takes(&gate, "zstd").await), (-1.0, -1.0));
    let request = rich(&["a", "b"]);
    for _ in 0..2 {
        let reply = send(&gate, &request).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([4, 0, 2])));
    }
    let zstd = zstd(&mixture(2, 0));
    assert_eq!(send_encoded(&gate, "zstd", zstd.clone()).await.status, 204);
    assert_eq!(gate.send(&mixture(2, 0)).await.status, 204);
    let seen = backend.seen();
    let v2 = snappy(&request.encode_to_vec());
    let came: Vec<_> = seen.iter().map(|seen| (seen.is_v2(), seen.is_zstd(), seen.body.clone())).collect();
    let plain = (false, false, encode_snappy(&mixture(2, 0)));
    assert_eq!(came, [(true, false, v2.clone()), (true, false, v2), (false, true, zstd), plain]);
    assert!(seen[0].head.contains("x-prometheus-remote-write-version: 2.0.0\r\n"), "{}", seen[0].head);
    assert!(seen[2].head.contains("x-victoriametrics-remote-write-version: 1\r\n"), "{}", seen[2].head);
    assert_eq!((takes(&gate, "v2").await, takes(&gate, "zstd").await), (1.0, 1.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_take_2_0_gets_the_same_as_1_0_before_the_sender_is_answered() {
    // one says so, one reads nothing and says nothing, as VictoriaMetrics does, one says that it wrote nothing
    let nothing = || answer("204 No Content", &written_headers([0; 3]), "");
    let refusals: [fn() -> Step; 3] =
        [|| answer("415 Unsupported Media Type", "", "1.0 only"), stored, nothing];
    for refusal in refusals {
        let backend = Backend::start(move |seen| if seen.is_v2() { refusal() } else { stored() }).await;
        let gate = Setup::to(backend.url()).start().await;
        for _ in 0..2 {
            let reply = send(&gate, &v2::Request::of(&mixture(3, 0))).await;
            assert_eq!((reply.status, written(&reply)), (204, Some([3, 0, 0])));
        }
        assert_eq!(versions(&backend), [true, false, false], "it is remembered");
        for seen in &backend.seen()[1..] {
            assert_eq!(seen.decoded(), mixture(3, 0));
        }
        assert_eq!(takes(&gate, "v2").await, 0.0);
        let told = gate.log().matches("does not take remote write 2.0 in snappy; remote write 1.0").count();
        assert_eq!(told, 1, "{}", gate.log());
        let metrics = gate.metrics().await;
        assert_eq!(metrics.sum("seriesgate_upstream_fallbacks_total", &[]), 1.0);
        assert_eq!(metrics.fate("forwarded"), 6.0);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_is_tried_again_after_a_while() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("protocol_retry: 1s").start().await;
    let request = v2::Request::of(&mixture(1, 0));
    assert_eq!(send(&gate, &request).await.status, 204);
    backend.answer_by(stored_all);
    assert_eq!(send(&gate, &request).await.status, 204);
    assert_eq!(versions(&backend), [true, false, false]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(send(&gate, &request).await.status, 204);
    assert_eq!(versions(&backend), [true, false, false, true]);
    assert_eq!(takes(&gate, "v2").await, 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_400_is_of_the_form_only_if_the_same_is_taken_in_plain() {
    let bad = || answer("400 Bad Request", "", "no");
    let backend = Backend::start(move |_| bad()).await;
    let gate = Setup::to(backend.url()).start().await;
    let request = v2::Request::of(&mixture(1, 0));
    for _ in 0..2 {
        let reply = send(&gate, &request).await;
        assert_eq!((reply.status, written(&reply)), (400, Some([0, 0, 0])));
    }
    assert_eq!(versions(&backend), [true, false, true, false], "nothing is known yet");
    assert_eq!(takes(&gate, "v2").await, -1.0);
    // once it has taken one, a 400 is of the data
    backend.answer_by(stored_all);
    assert_eq!(send(&gate, &request).await.status, 204);
    backend.answer_by(move |_| bad());
    assert_eq!(send(&gate, &request).await.status, 400);
    assert_eq!(versions(&backend)[4..], [true, true]);
    // and of zstd: vmagent's way
    assert_eq!(send_encoded(&gate, "zstd", zstd(&mixture(2, 0))).await.status, 400);
    backend.answer_by(move |seen| if seen.is_zstd() { bad() } else { stored() });
    for _ in 0..2 {
        assert_eq!(send_encoded(&gate, "zstd", zstd(&mixture(2, 0))).await.status, 204);
    }
    let zstd: Vec<_> = backend.seen()[6..].iter().map(Seen::is_zstd).collect();
    assert_eq!(zstd, [true, false, true, false, false]);
    assert_eq!(backend.seen().last().map(Seen::decoded), Some(mixture(2, 0)));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_writes_a_part_is_believed() {
    let backend =
        Backend::start(|_| answer("400 Bad Request", &written_headers([2, 0, 0]), "1 of 3: out of order"))
            .await;
    let gate = Setup::to(backend.url()).policy(NO_NOISE).start().await;
    let reply = send(&gate, &v2::Request::of(&mixture(3, 5))).await;
    // five were dropped by policy, which accepted them
    assert_eq!((reply.status, written(&reply)), (400, Some([7, 0, 0])));
    assert!(reply.text.contains("1 of 3: out of order"), "{}", reply.text);
    assert_eq!(versions(&backend), [true], "who says what was written speaks 2.0");
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("forwarded"), metrics.fate("rejected")), (2.0, 1.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policies_leave_of_2_0_keeps_all_that_it_says() {
    let backend = Backend::start(stored_all).await;
    let relabel = "name: no-pod, match: '{__name__=~\"b|c\"}', action: relabel, relabel_configs: [ { action: labeldrop, regex: pod } ]";
    let gate = Setup::to(backend.url()).policy(NO_NOISE).policy(relabel).start().await;
    // most stays, so the table does; and most goes
    for names in [&["noise", "a", "b", "d"][..], &["noise", "noise_2", "noise", "c", "noise", "noise"]] {
        let before = backend.seen().len();
        let request = rich(names);
        assert_eq!(send(&gate, &request).await.status, 204);
        let mut wanted = request.clone();
        wanted.timeseries.retain(|series| request.symbols[series.labels_refs[1] as usize] != "noise");
        for series in &mut wanted.timeseries {
            if ["b", "c"].contains(&request.symbols[series.labels_refs[1] as usize].as_str()) {
                series.labels_refs.truncate(4);
            }
        }
        let seen = &backend.seen()[before];
        assert!(seen.is_v2());
        assert_eq!(content(&seen.v2()), content(&wanted));
        let kept_table = seen.v2().symbols.contains(&"used by nothing".to_owned());
        assert_eq!(kept_table, names.len() == 4);
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_upstream_not_carried_total", &[]), 0.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_series_say_of_their_metrics_goes_to_an_upstream_of_1_0_in_requests_of_its_own() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").policy(NO_NOISE).start().await;
    for _ in 0..2 {
        assert_eq!(send(&gate, &rich(&["a", "noise", "b"])).await.status, 204);
    }
    let mut again = rich(&["a", "b"]);
    again.timeseries[1].metadata.as_mut().unwrap().r#type = 1;
    assert_eq!(send(&gate, &again).await.status, 204);
    let seen: Vec<_> = backend.seen().iter().map(Seen::decoded).collect();
    let metadata = |metric: &str, r#type: i32| {
        let help = format!("help of {metric}");
        MetricMetadata { r#type, metric_family_name: metric.into(), help, unit: String::new() }
    };
    let said: Vec<_> = seen.iter().map(|request| request.metadata.clone()).collect();
    let first = vec![metadata("a", 2), metadata("b", 2)];
    assert_eq!(said, [vec![], first, vec![], vec![], vec![metadata("b", 1)]], "only what is news");
    assert!(seen.iter().all(|request| request.timeseries.is_empty() != request.metadata.is_empty()));
    let metrics = gate.metrics().await;
    let lost = |what| metrics.sum("seriesgate_upstream_not_carried_total", &[("what", what)]);
    assert_eq!((lost("start_timestamp"), lost("metadata")), (6.0, 0.0));
    // what is refused costs the samples nothing, and an upstream that takes no metadata does not get two requests for each
    backend.answer_by(|seen| {
        if seen.decoded().metadata.is_empty() { stored() } else { answer("400 Bad Request", "", "no") }
    });
    for _ in 0..2 {
        let reply = send(&gate, &rich(&["c"])).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([2, 0, 1])));
    }
    assert_eq!(backend.seen().len(), 5 + 3);
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_upstream_not_carried_total", &[("what", "metadata")]), 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_an_upstream_of_1_0_is_said_of_families_and_each_text_once() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v1").start().await;
    let request = |help: &str| {
        let mut request = rich(&["h_bucket", "h_sum", "h_count", "h_count", "c_total"]);
        request.symbols.push(help.to_owned());
        let help_ref = request.symbols.len() as u32 - 1;
        for (series, r#type) in request.timeseries.iter_mut().zip([3, 3, 3, 3, 1]) {
            series.metadata = Some(v2::Metadata { r#type, help_ref, unit_ref: 0 });
        }
        // native: this is the name of all of it
        let native = &mut request.timeseries[3];
        native.samples.clear();
        native.histograms.push(v2::Histogram { timestamp: 3, sum: 2.5, ..v2::Histogram::default() });
        request
    };
    // two versions of a program, in turns
    for help in ["old", "new", "old", "new"] {
        assert_eq!(send(&gate, &request(help)).await.status, 204);
    }
    let said: Vec<_> = backend.seen().iter().flat_map(|seen| seen.decoded().metadata).collect();
    let said: Vec<_> = said.iter().map(|one| (&one.metric_family_name[..], &one.help[..])).collect();
    let families = |help| ["h", "h_count", "c_total"].map(|family| (family, help));
    assert_eq!(said, [families("old"), families("new")].concat());
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_asked_for_is_the_one_that_is_sent() {
    let series = WriteRequest::of(pods("up", 3));
    for (protocol, is_v2, is_zstd) in [("v1", false, false), ("v2", true, false), ("zstd", false, true)] {
        let backend = Backend::start(stored_all).await;
        let gate = Setup::to(backend.url()).upstream(&format!("protocol: {protocol}")).start().await;
        assert_eq!(gate.send(&series).await.status, 204);
        assert_eq!(send(&gate, &v2::Request::of(&series)).await.status, 204);
        assert_eq!(send_encoded(&gate, "zstd", zstd(&series)).await.status, 204);
        for seen in backend.seen() {
            assert_eq!((seen.is_v2(), seen.is_zstd()), (is_v2, is_zstd), "{protocol}");
            if is_v2 {
                assert_eq!(content(&seen.v2()), content(&v2::Request::of(&series)));
            } else {
                assert_eq!(seen.decoded(), series);
            }
        }
        assert_eq!(backend.seen().len(), 3);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_asked_for_and_not_taken_costs_no_data() {
    for refusal in [|| answer("415 Unsupported Media Type", "", "1.0 only"), stored] {
        let backend = Backend::start(move |_| refusal()).await;
        let gate = Setup::to(backend.url()).upstream("protocol: v2").start().await;
        let reply = gate.send(&mixture(1, 0)).await;
        assert_eq!(reply.status, 503, "{}", reply.text);
        assert!(reply.text.contains("protocol") || reply.text.contains("remote write 2.0"), "{}", reply.text);
        assert_eq!(versions(&backend), [true]);
        assert_eq!(gate.metrics().await.fate("returned"), 1.0);
        gate.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_2_0_that_is_too_large_goes_in_parts_with_tables_of_their_own() {
    let backend = Backend::start(|seen| {
        if seen.v2().timeseries.len() > 2 {
            answer("413 Payload Too Large", "", "two")
        } else {
            stored_all(seen)
        }
    })
    .await;
    let gate = Setup::to(backend.url()).start().await;
    let request = rich(&["a", "b", "c", "d", "e"]);
    let reply = send(&gate, &request).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([10, 0, 5])));
    let taken: Vec<_> =
        backend.seen().iter().map(Seen::v2).filter(|part| part.timeseries.len() <= 2).collect();
    assert_eq!(taken.iter().flat_map(content).collect::<Vec<_>>(), content(&request));
    assert!(taken.iter().all(|part| !part.symbols.contains(&"used by nothing".to_owned())));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_from_now_on_ends_in_2_0_too() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).start().await;
    let request = rich(&["noise", "a"]);
    assert_eq!(send(&gate, &request).await.status, 204);
    gate.write_config(&Setup::to(backend.url()).policy(NO_NOISE));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(send(&gate, &request).await.status, 204);
    let sent = backend.seen()[1].v2();
    let text = |at: usize| sent.symbols[sent.timeseries[0].labels_refs[at] as usize].as_str();
    let end = &sent.timeseries[0];
    assert_eq!((sent.timeseries.len(), text(1), end.samples.len()), (2, "noise", 1));
    assert_eq!((end.samples[0].value.to_bits(), end.samples[0].timestamp), (0x7ff0_0000_0000_0002, 2_000));
    assert_eq!(content(&sent)[1], content(&request)[1]);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_far_in_the_future_is_taken_out_of_2_0_too() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).series("max_future: 10m").start().await;
    let mut request = rich(&["a", "b", "c"]);
    let ahead = i64::MAX / 2;
    request.timeseries[0].samples.iter_mut().for_each(|sample| sample.timestamp = ahead);
    request.timeseries[1].samples[1].timestamp = ahead;
    let reply = send(&gate, &request).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([3, 0, 2])));
    request.timeseries.remove(0);
    request.timeseries[0].samples.truncate(1);
    assert_eq!(content(&backend.seen()[0].v2()), content(&request));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_alone_is_kept_for_an_upstream_of_2_0_and_said_with_series() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).upstream("protocol: v2").start().await;
    let of = |name: &str, r#type: i32, help: &str| MetricMetadata {
        metric_family_name: name.into(),
        r#type,
        help: help.into(),
        ..Default::default()
    };
    let request =
        WriteRequest { timeseries: vec![], metadata: vec![of("up", 2, "Up."), of("hits", 1, "Hits.")] };
    assert_eq!(gate.send(&request).await.status, 204);
    assert_eq!(backend.seen().len(), 0, "it has no message for that");
    let series = WriteRequest::of([pods("up", 2), pods("hits_total", 1), pods("other", 1)].concat());
    for _ in 0..2 {
        assert_eq!(gate.send(&series).await.status, 204);
    }
    let mut news = request.clone();
    news.metadata[0].help = "Is it up?".into();
    news.timeseries = pods("up", 1);
    assert_eq!(gate.send(&news).await.status, 204);
    // of another tenant nobody said anything
    let mut other = http::write_request(gate.write, encode_snappy(&series));
    other.headers_mut().insert("x-scope-orgid", "b".parse().unwrap());
    assert_eq!(http::send(other).await.unwrap().status, 204);
    let said = |seen: &Seen| {
        let request = seen.v2();
        let text = |at: u32| request.symbols[at as usize].clone();
        let of =
            |series: &v2::TimeSeries| series.metadata.as_ref().map(|said| (said.r#type, text(said.help_ref)));
        request.timeseries.iter().map(of).collect::<Vec<_>>()
    };
    let seen = backend.seen();
    let (up, hits) = (Some((2, "Up.".to_owned())), Some((1, "Hits.".to_owned())));
    assert_eq!(said(&seen[0]), [up, None, hits, None]);
    assert_eq!(said(&seen[1]), [None, None, None, None]);
    assert_eq!(said(&seen[2]), [Some((2, "Is it up?".to_owned()))]);
    assert_eq!(said(&seen[3]), [None, None, None, None]);
    let reply = http::get(&gate.admin_url("/-/healthy")).await.unwrap();
    assert_eq!(reply.status, 200);
    gate.finish().await;
}
