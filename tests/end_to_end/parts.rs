//! Bodies that go upstream in parts: what it does not take in one, and what it refuses something of.

use seriesgate_proto::{Exemplar, Histogram, TimeSeries, WriteRequest, v2};

use super::encodings::{send as send_encoded, zstd};
use super::support::backend::{Backend, Seen, Step, answer, stored, stored_all};
use super::support::gate::Setup;
use super::version2::{send, written};
use super::{mixture, pods};

/// Series that compress badly.
fn noisy(count: usize, samples: usize) -> Vec<TimeSeries> {
    let mut seed = 7u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 11
    };
    (0..count)
        .map(|_| {
            let series = TimeSeries::named("noisy", &[("id", &format!("{:013x}{:013x}", next(), next()))]);
            (0..samples).fold(series, |series, at| series.with_sample(at as i64 * 1000, next() as f64))
        })
        .collect()
}

/// All series with all their samples, in whatever parts they came.
fn joined(seen: &[Seen]) -> Vec<TimeSeries> {
    let mut all: Vec<TimeSeries> = Vec::new();
    for series in seen.iter().flat_map(|seen| seen.decoded().timeseries) {
        match all.last_mut().filter(|last| last.labels == series.labels) {
            Some(last) => {
                last.samples.extend(series.samples);
                last.histograms.extend(series.histograms);
                last.exemplars.extend(series.exemplars);
            }
            None => all.push(series),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_of_the_config_is_split_before_it_is_sent() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("max_body: 4KiB, validation: off").start().await;
    // one of them alone is too long, too; it has samples and histograms, which is looked for elsewhere
    let mut series = noisy(100, 2);
    let mut long = noisy(1, 1500).remove(0);
    long.labels[1].value = "long".into();
    long.exemplars.push(Exemplar { value: 1.0, timestamp: 1, labels: vec![] });
    long.histograms =
        (0..50).map(|at| Histogram { timestamp: at, sum: at as f64, ..Default::default() }).collect();
    series.insert(50, long);
    let request = WriteRequest::of(series.clone());
    assert_eq!(gate.send(&request).await.status, 204);
    let seen = backend.seen();
    assert!(seen.len() > 5 && seen.iter().all(|seen| seen.body.len() <= 4096), "{}", seen.len());
    assert_eq!(joined(&seen), series);
    let metrics = gate.metrics().await;
    assert_eq!(metrics.fate("forwarded"), 200.0 + 1500.0);
    assert_eq!(metrics.sum("seriesgate_histograms_total", &[("fate", "forwarded")]), 50.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_of_2_0_that_is_too_long_alone_goes_in_parts_too() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).upstream("max_body: 4KiB").start().await;
    let mut request = v2::Request::of(&WriteRequest::of(noisy(2, 1000)));
    let exemplar = v2::Exemplar { labels_refs: vec![1, 2], value: 0.5, timestamp: 1 };
    for series in &mut request.timeseries {
        series.exemplars.push(exemplar.clone());
        series.samples.iter_mut().for_each(|sample| sample.start_timestamp = 1);
        series.metadata = Some(v2::Metadata { r#type: 1, help_ref: 2, unit_ref: 0 });
    }
    let reply = send(&gate, &request).await;
    assert_eq!((reply.status, written(&reply)), (204, Some([2000, 0, 2])));
    let parts: Vec<_> = backend.seen().iter().map(Seen::v2).collect();
    assert!(backend.seen().iter().all(|seen| seen.body.len() <= 4096));
    let samples = |of: &[v2::Request]| -> Vec<v2::Sample> {
        of.iter().flat_map(|part| &part.timeseries).flat_map(|series| series.samples.clone()).collect()
    };
    assert_eq!(samples(&parts), samples(&[request]));
    let said = parts.iter().flat_map(|part| part.timeseries.iter().map(move |series| (part, series)));
    let mut exemplars = 0;
    for (part, series) in said {
        let text = |at: u32| part.symbols[at as usize].as_str();
        assert_eq!(
            (text(series.labels_refs[0]), text(series.metadata.unwrap().help_ref)),
            ("__name__", "noisy")
        );
        exemplars += series.exemplars.len();
    }
    assert_eq!(exemplars, 2);
    gate.finish().await;
}

/// As Prometheus does with remote write 1.0: one bad sample, and nothing of the request is kept.
fn rolls_back(seen: &Seen) -> Step {
    let is_bad = |series: &TimeSeries| series.label("__name__") == Some("noise");
    if seen.decoded().timeseries.iter().any(is_bad) {
        answer("400 Bad Request", "", "out of bounds")
    } else {
        stored()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_found_and_the_rest_is_kept() {
    let backend = Backend::start(rolls_back).await;
    let gate = Setup::to(backend.url()).upstream("on_400: bisect").start().await;
    let mut series = pods("kept", 1000);
    series.insert(700, mixture(0, 1).timeseries.remove(0));
    let reply = gate.send(&WriteRequest::of(series)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("out of bounds"), "{}", reply.text);
    let seen = backend.seen();
    // the whole, and two a level
    assert!(seen.len() <= 1 + 2 * 10, "{}", seen.len());
    let kept: Vec<_> = seen
        .iter()
        .filter(|seen| matches!(rolls_back(seen), Step::Answer(text) if text.contains("204")))
        .cloned()
        .collect();
    assert_eq!(joined(&kept), pods("kept", 1000));
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("forwarded"), metrics.fate("rejected")), (1000.0, 1.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_for_what_is_refused_has_an_end() {
    let backend = Backend::start(|_| answer("400 Bad Request", "", "no")).await;
    let gate = Setup::to(backend.url()).upstream("on_400: bisect").start().await;
    assert_eq!(gate.send(&mixture(1000, 0)).await.status, 400);
    let requests = backend.seen().len();
    assert!(requests <= 1 + 2 * 10 + 32, "{requests}");
    assert_eq!(gate.metrics().await.fate("rejected"), 1000.0);
    // by itself nothing is sent twice
    gate.write_config(&Setup::to(backend.url()));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(gate.send(&mixture(1000, 0)).await.status, 400);
    assert_eq!(backend.seen().len(), requests + 1);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_split_before_it_is_known_whether_its_form_is_taken_is_not_lost() {
    // zstd is answered 400, and of 2.0 nothing is read
    let backend =
        Backend::start(|seen| if seen.is_zstd() { answer("400 Bad Request", "", "no") } else { stored() })
            .await;
    let gate = Setup::to(backend.url()).upstream("max_body: 4KiB").start().await;
    let series = noisy(200, 2);
    let v2 = v2::Request::of(&WriteRequest::of(series.clone()));
    let zstd = zstd(&WriteRequest::of(series.clone()));
    for statuses in [[503, 503], [204, 204]] {
        let before = backend.seen().len();
        let told = [send(&gate, &v2).await.status, send_encoded(&gate, "zstd", zstd.clone()).await.status];
        assert_eq!(told, statuses);
        if statuses[0] == 204 {
            assert_eq!(joined(&backend.seen()[before..]), [series.clone(), series.clone()].concat());
        }
    }
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("forwarded"), metrics.fate("rejected")), (800.0, 0.0));
    gate.finish().await;
}
