//! `upstreams[].max_label_value` and other settings of an upstream that decide about series, also when they change while the gate runs.

use seriesgate_proto::{Label, TimeSeries, WriteRequest};

use super::support::backend::{Backend, stored};
use super::support::gate::Setup;

const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A series with a value of a hundred bytes.
fn long(at_ms: i64) -> WriteRequest {
    WriteRequest::of(vec![TimeSeries::named("up", &[("image", &"v".repeat(100))]).with_sample(at_ms, 1.0)])
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_are_cut_counted_and_end_when_the_limit_is_another() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).upstream("max_label_value: 32B").start().await;
    for at in [1_000, 2_000] {
        assert_eq!(gate.send(&long(at)).await.status, 204);
    }
    let image = |seen: usize, series: usize| {
        backend.seen()[seen].decoded().timeseries[series].label("image").unwrap_or_default().to_owned()
    };
    // md5 of the whole value, its first ten bytes
    let cut = "vvvvvvvvvvv_bf6ed0a586ff68d9d2f0";
    assert_eq!([image(0, 0), image(1, 0)], [cut; 2]);
    assert_eq!(gate.metrics().await.sum("seriesgate_cut_samples_total", &[]), 2.0);
    // dropped from now on: what was sent until now ends
    gate.write_config(&Setup::to(backend.url()).upstream("max_label_value: 32B, long_values: drop"));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(gate.send(&long(3_000)).await.status, 204);
    assert_eq!(image(2, 0), cut);
    let ended = backend.seen()[2].decoded().timeseries;
    assert_eq!((ended.len(), ended[0].samples[0].value.to_bits()), (1, STALE));
    assert_eq!(gate.send(&long(4_000)).await.status, 204);
    assert_eq!(backend.seen().len(), 3, "nothing is sent of it");
    let rejected = [("fate", "rejected"), ("reason", "long_label_value")];
    assert_eq!(gate.metrics().await.sum("seriesgate_samples_total", &rejected), 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_validation_holds_from_the_reload_on() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).start().await;
    let mut odd = TimeSeries::named("up", &[("job", "a")]).with_sample(1_000, 1.0);
    let sorted = odd.clone();
    odd.labels = vec![Label::new("job", "a"), Label::new("__name__", "up")];
    let request = WriteRequest::of(vec![odd]);
    assert_eq!(gate.send(&request).await.status, 204);
    assert_eq!(backend.seen()[0].decoded().timeseries, [sorted]);
    for (level, status, sent) in [("off", 204, 2), ("strict", 400, 2)] {
        gate.write_config(&Setup::to(backend.url()).upstream(&format!("validation: {level}")));
        assert_eq!(gate.admin_post("/-/reload").await.status, 200);
        assert_eq!((gate.send(&request).await.status, backend.seen().len()), (status, sent), "{level}");
    }
    assert_eq!(backend.seen()[1].decoded(), request);
    gate.finish().await;
}
