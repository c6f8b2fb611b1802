//! The twin of each case of the public compliance suite for receivers of 2.0. It looks at answers only; here it is compared as well
//! what reaches the upstream: as it came, made anew, and as 1.0.

use prost::Message as _;
use seriesgate_proto::{snappy, v2, v2::metadata::MetricType};

use crate::compliance_receiver_cases::{
    Case, TARGET, combined, exemplars, metadata, multiple_metrics, native_histograms, now, single_metric,
};
use crate::rig::{Rig, V1, V2, assert_spoken, body_v1, body_v2, with, without, written};
use crate::series::{self, Series, counts, exponential};

/// The suite writes labels in no order; here they are sorted, as a sender must. (See `validated` for the other.)
async fn run(cases: Vec<Case>) {
    for protocol in ["auto", "rewritten", "v1"] {
        let mut rig = Rig::speaking(protocol).await;
        for Case { name, series, kept } in &cases {
            let what = format!("{name} ({protocol})");
            let written_series = match kept {
                None => series.as_slice(),
                Some(kept) => &series[series.len() - kept..],
            };
            let reply = rig.send_v2(series).await;
            let status = if kept.is_none() { 204 } else { 400 };
            assert_eq!(
                (reply.status, written(&reply)),
                (status, Some(counts(written_series))),
                "{what}: {}",
                reply.text
            );
            assert_spoken(&reply, &what);
            let wanted = written_series.iter().map(|s| if protocol == "v1" { s.in_v1() } else { s.clone() });
            assert_eq!(rig.arrived(), wanted.collect::<Vec<_>>(), "{what}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_metrics_of_each_value() {
    run(single_metric()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multiple_metrics_of_each_value() {
    run(multiple_metrics()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_of_each_kind() {
    run(exemplars()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_of_each_kind() {
    run(native_histograms()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_each_kind() {
    run(metadata()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn combined_features() {
    run(combined()).await;
}

/// Where the suite's library still says them: field 6 of a series, of release candidate 3.
#[tokio::test(flavor = "multi_thread")]
async fn created_timestamps() {
    let counter = Series::of(&[("__name__", "hits_total"), ("job", "web")]).sample(now(), 100.0);
    let traced = counter.clone().exemplar(&[("span_id", "s"), ("trace_id", "t")], 100.0, now());
    let said = counter.clone().metadata(MetricType::Counter, "How many.", "hits");
    let native = Series::named("size").histogram(&exponential(now(), true, true, true));
    for protocol in ["auto", "rewritten", "v1"] {
        let mut rig = Rig::speaking(protocol).await;
        for series in [&counter, &traced, &said, &native] {
            let request = series::v2(std::slice::from_ref(series));
            let mut created = vec![0x30];
            prost::encoding::encode_varint((now() - 3_600_000) as u64, &mut created);
            let inside = [request.timeseries[0].encode_to_vec(), created].concat();
            let mut body = v2::Request { timeseries: vec![], ..request }.encode_to_vec();
            body.push(0x2a);
            prost::encoding::encode_varint(inside.len() as u64, &mut body);
            let reply = rig.post(V2, snappy(&[body, inside].concat())).await;
            assert_eq!((reply.status, written(&reply)), (204, Some(series.counts())), "{}", reply.text);
            assert_eq!(rig.arrived(), [if protocol == "v1" { series.in_v1() } else { series.clone() }]);
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_exemplars_without_data() {
    let orphan = Series::named("orphan").metadata(MetricType::Counter, "Nobody's.", "count");
    let traced = Series::named("orphan").exemplar(&[("trace_id", "t")], 42.0, now());
    let mut rig = Rig::start().await;
    for series in [orphan, traced] {
        let reply = rig.send_v2(std::slice::from_ref(&series)).await;
        assert_eq!((reply.status, written(&reply)), (204, Some(series.counts())), "{}", reply.text);
        assert_eq!(rig.arrived(), [series]);
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_content_types_and_encodings_and_bodies() {
    let mut rig = Rig::start().await;
    let series = [Series::named("up").sample(now(), 1.0)];
    let mut corrupt = body_v2(&series);
    corrupt[0] = b'0';
    for kind in ["application/json", "image/png"] {
        let reply = rig.post(&with(V2, "content-type", kind), corrupt.clone()).await;
        assert_eq!(reply.status, 415, "{kind}");
    }
    for encoding in ["gzip", "deflate"] {
        let reply = rig.post(&with(V2, "content-encoding", encoding), corrupt.clone()).await;
        assert_eq!(reply.status, 415, "{encoding}");
    }
    let reply = rig.post(V2, corrupt).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([0; 3])));
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_of_1_0() {
    let mut rig = Rig::start().await;
    let series = [Series::of(TARGET).sample(now(), 1.0), Series::named("hits_total").sample(now(), 100.0)];
    let unversioned = without(V1, "x-prometheus-remote-write-version");
    let headers = without(&unversioned, "user-agent");
    let reply = rig.post(&headers, body_v1(&series)).await;
    assert_eq!((reply.status, written(&reply)), (204, None));
    assert_eq!(rig.arrived(), series);
    let mut corrupt = body_v1(&series);
    corrupt[0] = 0xff;
    let reply = rig.post(&headers, corrupt).await;
    assert_eq!((reply.status, written(&reply)), (400, None));
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}
