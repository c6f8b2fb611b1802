//! Rules that are kept by looking into each series: what can be mended without losing anything is, what contradicts itself is refused
//! (`validation: repair`).

use prost::Message as _;
use seriesgate_proto::{BucketSpan, Histogram, histogram};

use crate::rig::{Rig, assert_spoken, written};
use crate::series::{Pairs, Series, custom, exponential, float};

const NOW: i64 = 1_700_000_000_000;

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

/// Sends it in both versions, known and not, and says what arrived; all of it is accepted.
async fn accepted(all: &[Series]) -> Vec<Vec<Series>> {
    let mut arrived = Vec::new();
    for (is_v2, protocol) in
        [(true, "auto"), (true, "v1"), (false, "auto"), (false, "v2"), (true, "rewritten")]
    {
        let mut rig = Rig::speaking(protocol).await;
        for _ in 0..2 {
            let reply = if is_v2 { rig.send_v2(all).await } else { rig.send_v1(all).await };
            assert_eq!(reply.status, 204, "{protocol}: {}", reply.text);
            assert_eq!(written(&reply), is_v2.then(|| crate::series::counts(all)), "{protocol}");
            arrived.push(rig.arrived());
        }
        rig.finish().await;
    }
    arrived
}

/// Refused in both versions, and what stands beside it is written.
async fn assert_refused(bad: &Series, what: &str) {
    for (is_v2, protocol) in
        [(true, "auto"), (true, "v1"), (false, "auto"), (false, "v2"), (true, "rewritten")]
    {
        let mut rig = Rig::speaking(protocol).await;
        let all = [up(), bad.clone()];
        let reply = if is_v2 { rig.send_v2(&all).await } else { rig.send_v1(&all).await };
        assert_eq!(
            (reply.status, written(&reply)),
            (400, is_v2.then_some([1, 0, 0])),
            "{what}: {}",
            reply.text
        );
        assert!(reply.text.contains("1 of 2 series rejected"), "{what}: {}", reply.text);
        assert_spoken(&reply, what);
        assert_eq!(rig.arrived(), [up()], "{what} ({protocol}, 2.0: {is_v2})");
        rig.finish().await;
    }
}

/// "MUST have label names sorted": the compliance suite sends them in no order.
#[tokio::test(flavor = "multi_thread")]
async fn labels_that_come_unsorted_go_out_sorted() {
    let unsorted: Pairs<'_> = &[("job", "api"), ("Zone", "z"), ("__name__", "up"), ("a", "1")];
    let sorted: Pairs<'_> = &[("Zone", "z"), ("__name__", "up"), ("a", "1"), ("job", "api")];
    for arrived in
        accepted(&[Series::of(unsorted).sample(NOW, 1.0), Series::named("m").sample(NOW, 1.0)]).await
    {
        assert_eq!(arrived, [Series::of(sorted).sample(NOW, 1.0), Series::named("m").sample(NOW, 1.0)]);
    }
}

/// "MUST NOT contain any empty label values": such a label is none.
#[tokio::test(flavor = "multi_thread")]
async fn labels_without_a_value_do_not_go_out() {
    let came: Pairs<'_> = &[("__name__", "up"), ("a", ""), ("job", "api"), ("z", "")];
    for arrived in accepted(&[Series::of(came).sample(NOW, 1.0)]).await {
        assert_eq!(arrived, [up()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_that_is_there_twice_goes_out_once() {
    let twice = Series::named("m").sample(NOW, 1.0).sample(NOW, 1.0).sample(NOW + 1, 2.0);
    let once = Series::named("m").sample(NOW, 1.0).sample(NOW + 1, 2.0);
    for arrived in accepted(&[twice, up()]).await {
        assert_eq!(arrived, [once.clone(), up()]);
    }
    // the same series several times in one request
    for arrived in accepted(&[up(), Series::named("m").sample(NOW, 1.0), up()]).await {
        let samples: Vec<_> = arrived.iter().filter(|series| series.labels == up().labels).collect();
        assert_eq!(samples.iter().map(|series| series.samples.len()).sum::<usize>(), 1, "{arrived:?}");
    }
}

/// Which of them is right is for the backend to say.
#[tokio::test(flavor = "multi_thread")]
async fn two_values_at_one_time_go_on() {
    let all = [Series::named("m").sample(NOW, 1.0).sample(NOW, 2.0), up(), up().sample(NOW, 2.0)];
    let all = [all[0].clone(), all[1].clone(), Series { samples: vec![all[2].samples[1]], ..up() }];
    for arrived in accepted(&all).await {
        assert_eq!(arrived, all);
    }
}

/// "MUST send samples for any given series in timestamp order".
#[tokio::test(flavor = "multi_thread")]
async fn samples_of_a_series_that_come_out_of_order_go_out_in_order() {
    let mixed = Series::named("m").sample(NOW + 2, 3.0).sample(NOW, 1.0).sample(NOW + 1, 2.0);
    let sorted = Series::named("m").sample(NOW, 1.0).sample(NOW + 1, 2.0).sample(NOW + 2, 3.0);
    for arrived in accepted(&[mixed]).await {
        assert_eq!(arrived, std::slice::from_ref(&sorted));
    }
}

/// "A TimeSeries MUST NOT include both": and yet Prometheus, Mimir, Cortex and Thanos keep both, so nothing is lost here.
#[tokio::test(flavor = "multi_thread")]
async fn samples_and_histograms_in_one_series_go_on() {
    let both = [Series::named("both").sample(NOW, 1.0).histogram(&exponential(NOW + 1, true, false, true))];
    for arrived in accepted(&both).await {
        assert_eq!(arrived, both);
    }
}

/// The compliance suite's histogram of a wrong count, and its likes.
#[tokio::test(flavor = "multi_thread")]
async fn histograms_that_contradict_themselves_are_refused() {
    type Break = fn(&mut Histogram);
    let breaks: [(&str, Histogram, Break); 8] = [
        ("a count above its buckets", exponential(NOW, true, true, true), |h| {
            h.count = Some(histogram::Count::CountInt(99));
        }),
        ("a count below its buckets", exponential(NOW, true, true, true), |h| {
            h.count = Some(histogram::Count::CountInt(1));
        }),
        ("spans of more buckets than there are", exponential(NOW, true, false, true), |h| {
            h.positive_spans[0].length += 1;
        }),
        ("spans of fewer buckets than there are", exponential(NOW, false, true, true), |h| {
            h.negative_spans[0].length -= 1;
        }),
        ("buckets without spans", exponential(NOW, true, false, true), |h| h.positive_spans.clear()),
        ("a bucket below nothing", exponential(NOW, true, false, false), |h| {
            h.positive_deltas = vec![1, -2, 9, 4, 4];
        }),
        ("custom bounds that are not in order", custom(NOW), |h| h.custom_values.swap(0, 2)),
        ("floats that do not add up", float(NOW), |h| {
            h.positive_spans = vec![BucketSpan { offset: 0, length: 3 }]
        }),
    ];
    for (what, mut one, do_break) in breaks {
        do_break(&mut one);
        assert!(!one.encode_to_vec().is_empty());
        assert_refused(&Series::of(&[("__name__", "size"), ("case", what)]).histogram(&one), what).await;
    }
}
