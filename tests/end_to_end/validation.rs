//! `upstreams[].validation` of the real program: what arrives, what the sender is told, and what is counted.

use seriesgate_proto::histogram::Count;
use seriesgate_proto::{Histogram, Label, TimeSeries, WriteRequest, v2};

use super::support::backend::{Backend, stored, stored_all};
use super::support::gate::Setup;
use super::version2::{send, written};

fn up() -> TimeSeries {
    TimeSeries::named("up", &[("job", "a")])
}

/// Labels that are not sorted, samples out of order, one of them twice; a histogram that does not count its buckets.
fn broken() -> WriteRequest {
    let mut odd = up().with_sample(2_000, 2.0).with_sample(1_000, 1.0).with_sample(2_000, 2.0);
    odd.labels = vec![Label::new("job", "a"), Label::new("__name__", "up")];
    let mut native = TimeSeries::named("sizes", &[("job", "a")]);
    native.histograms.push(Histogram {
        count: Some(Count::CountInt(7)),
        timestamp: 1_000,
        ..Histogram::default()
    });
    WriteRequest::of(vec![odd, native])
}

fn mended() -> WriteRequest {
    WriteRequest::of(vec![up().with_sample(1_000, 1.0).with_sample(2_000, 2.0)])
}

/// The labels of the series of a request as text, with their samples.
fn spelled(request: &v2::Request) -> Vec<(Vec<&str>, &[v2::Sample])> {
    let text = |at: &u32| request.symbols[*at as usize].as_str();
    let series = |of: &'_ v2::TimeSeries| of.labels_refs.iter().map(text).collect();
    request.timeseries.iter().map(|of| (series(of), &of.samples[..])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_mended_arrives_mended_and_the_rest_is_refused_with_a_reason() {
    let backend = Backend::start(stored_all).await;
    let gate = Setup::to(backend.url()).listen("invalid: always_report").start().await;
    for round in 0..2 {
        let reply = gate.send(&broken()).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        let told = "1 of 2 series rejected, the valid rest was written (1 sample: native histograms that do not count what their \
                    buckets count, as `sizes`{job})";
        assert_eq!(reply.text.trim_end(), told);
        let reply = send(&gate, &v2::Request::of(&broken())).await;
        // what was there twice was written
        assert_eq!((reply.status, written(&reply)), (400, Some([3, 0, 0])), "{}", reply.text);
        let seen = backend.seen();
        assert_eq!(seen[2 * round].decoded(), mended(), "{round}");
        assert!(seen[2 * round + 1].is_v2());
        assert_eq!(spelled(&seen[2 * round + 1].v2()), spelled(&v2::Request::of(&mended())), "{round}");
    }
    let metrics = gate.metrics().await;
    for (reason, series) in [
        ("unsorted_labels", 4.0),
        ("empty_label_value", 0.0),
        ("duplicate_sample", 4.0),
        ("out_of_order", 4.0),
    ] {
        assert_eq!(
            metrics.sum("seriesgate_repaired_series_total", &[("reason", reason)]),
            series,
            "{reason}"
        );
    }
    assert_eq!(metrics.sum("seriesgate_samples_total", &[("fate", "duplicate")]), 4.0);
    let rejected = [("fate", "rejected"), ("reason", "histogram_count")];
    assert_eq!(metrics.sum("seriesgate_histograms_total", &rejected), 4.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_refuses_all_of_it_and_off_sends_it_as_it_came() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("validation: strict").start().await;
    let reply = gate.send(&broken()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("3 samples: labels that are not sorted"), "{}", reply.text);
    assert_eq!(backend.seen().len(), 0);
    gate.finish().await;
    let gate = Setup::to(backend.url()).upstream("validation: off").start().await;
    assert_eq!(gate.send(&broken()).await.status, 204);
    assert_eq!(backend.seen()[0].decoded(), broken());
    gate.finish().await;
}
