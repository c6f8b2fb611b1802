//! What remote write 2.0 asks of a receiver: symbols, labels, samples and what goes with them.

use prost::Message as _;
use seriesgate_proto::{snappy, v2, v2::metadata::MetricType};

use crate::rig::{Rig, V2, written};
use crate::series::{self, NAN, Pairs, STALE, Series, counts, histograms};

const NOW: i64 = 1_700_000_000_000;

/// How it goes on: as it came, made anew, and made to 1.0.
const WAYS: [&str; 3] = ["auto", "rewritten", "v1"];

fn up() -> Series {
    Series::of(&[("__name__", "up"), ("job", "api")]).sample(NOW, 1.0)
}

fn body(request: &v2::Request) -> Vec<u8> {
    snappy(&request.encode_to_vec())
}

/// What a series is to the upstream.
fn wanted(protocol: &str, all: &[Series]) -> Vec<Series> {
    all.iter().map(|series| if protocol == "v1" { series.in_v1() } else { series.clone() }).collect()
}

/// All of it is taken, and arrives, whichever way it goes, and again where it is known by then. (What ended is not sent twice
/// where the gate has made it anew: who comes after has to be newer.)
async fn assert_taken(all: &[Series]) {
    let goes_on: Vec<Series> = all.iter().filter(|series| !series.ends()).cloned().collect();
    for protocol in WAYS {
        let mut rig = Rig::speaking(protocol).await;
        for all in [all, &goes_on] {
            let reply = rig.send_v2(all).await;
            assert_eq!((reply.status, written(&reply)), (204, Some(counts(all))), "{}", reply.text);
            assert_eq!(rig.arrived(), wanted(protocol, all), "{protocol}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_begins_with_the_empty_text() {
    let mut rig = Rig::start().await;
    let mut request = series::v2(&[up()]);
    request.symbols[0] = "x".to_owned();
    let reply = rig.post(V2, body(&request)).await;
    assert_eq!((reply.status, written(&reply)), (400, Some([0; 3])), "{}", reply.text);
    assert_eq!(rig.arrived(), []);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn references_lead_into_the_table_and_are_pairs_or_their_series_is_refused() {
    type Break = fn(&mut v2::Request, u32);
    let breaks: [(&str, Break); 9] = [
        ("a label's name beyond the table", |r, beyond| r.timeseries[1].labels_refs[2] = beyond),
        ("a label's value beyond the table", |r, beyond| r.timeseries[1].labels_refs[3] = beyond),
        ("far beyond it", |r, _| r.timeseries[1].labels_refs[0] = u32::MAX),
        ("one reference too few", |r, _| r.timeseries[1].labels_refs.truncate(3)),
        ("one reference alone", |r, _| r.timeseries[1].labels_refs.truncate(1)),
        ("an exemplar's beyond the table", |r, beyond| r.timeseries[1].exemplars[0].labels_refs[1] = beyond),
        ("an exemplar's too few", |r, _| r.timeseries[1].exemplars[0].labels_refs.truncate(1)),
        ("help beyond the table", |r, beyond| r.timeseries[1].metadata.as_mut().unwrap().help_ref = beyond),
        ("a unit beyond the table", |r, beyond| r.timeseries[1].metadata.as_mut().unwrap().unit_ref = beyond),
    ];
    for protocol in WAYS {
        let mut rig = Rig::speaking(protocol).await;
        for (what, do_break) in breaks {
            let bad = Series::of(&[("__name__", "bad"), ("what", what)])
                .sample(NOW, 1.0)
                .exemplar(&[("trace_id", "t")], 1.0, NOW)
                .metadata(MetricType::Counter, "It helps.", "seconds");
            let (first, last) = (up(), Series::named("last").sample(NOW, 2.0));
            let mut request = series::v2(&[first.clone(), bad, last.clone()]);
            let beyond = request.symbols.len() as u32;
            do_break(&mut request, beyond);
            let reply = rig.post(V2, body(&request)).await;
            assert_eq!((reply.status, written(&reply)), (400, Some([2, 0, 0])), "{what}: {}", reply.text);
            assert!(reply.text.contains("1 of 3 series rejected"), "{what}: {}", reply.text);
            assert_eq!(rig.arrived(), [first, last], "{what} {protocol}");
        }
        rig.finish().await;
    }
}

/// Fields come in any order, repeated numbers packed or not, and a table may say a text twice or one that nobody needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_may_stand_anywhere_and_say_more_than_it_has_to() {
    let sample = v2::Sample { value: 1.0, timestamp: NOW, start_timestamp: 0 }.encode_to_vec();
    let field = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8][..], inside].concat();
    let text = |text: &str| field(0x22, text.as_bytes());
    let table = |texts: &[&str]| texts.iter().flat_map(|one| text(one)).collect::<Vec<u8>>();
    let of = |references: &[u8]| field(0x2a, &[references, &field(0x12, &sample)].concat());
    let texts = ["", "__name__", "up", "job", "api"];
    let packed = field(0x0a, &[1, 2, 3, 4]);
    let single: Vec<u8> = [1, 2, 3, 4].into_iter().flat_map(|place| [0x08, place]).collect();
    let cases = [
        ("packed", [table(&texts), of(&packed)].concat()),
        ("one by one", [table(&texts), of(&single)].concat()),
        (
            "in two packs",
            [table(&texts), of(&[field(0x0a, &[1]), field(0x0a, &[2, 3, 4])].concat())].concat(),
        ),
        ("series first", [of(&packed), table(&texts)].concat()),
        ("series between", [table(&texts[..2]), of(&packed), table(&texts[2..])].concat()),
        ("unused texts", [table(&[&texts[..], &["not", "used"]].concat()), of(&packed)].concat()),
        (
            "texts twice",
            [table(&["", "__name__", "up", "job", "api", "job", "api"]), of(&field(0x0a, &[1, 2, 5, 6]))]
                .concat(),
        ),
        ("in long varints", [table(&texts), of(&field(0x0a, &[0x81, 0, 2, 0x83, 0x80, 0, 4]))].concat()),
    ];
    for protocol in WAYS {
        let mut rig = Rig::speaking(protocol).await;
        for (what, raw) in &cases {
            let reply = rig.post(V2, snappy(raw)).await;
            assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])), "{what}: {}", reply.text);
            assert_eq!(rig.arrived(), [up()], "{what} {protocol}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_labels_that_no_series_has_is_invalid_and_the_rest_is_written() {
    let bad: [(&str, Pairs<'_>); 6] = [
        ("no labels", &[]),
        ("no name", &[("job", "x")]),
        ("an empty name", &[("__name__", ""), ("job", "x")]),
        ("repeated", &[("__name__", "m"), ("a", "1"), ("a", "2")]),
        ("repeated, alike", &[("__name__", "m"), ("a", "1"), ("a", "1")]),
        ("without a label's name", &[("", "1"), ("__name__", "m")]),
    ];
    for protocol in WAYS {
        let mut rig = Rig::speaking(protocol).await;
        for (what, labels) in bad {
            let reply = rig.send_v2(&[up(), Series::of(labels).sample(NOW, 1.0)]).await;
            assert_eq!((reply.status, written(&reply)), (400, Some([1, 0, 0])), "{what}: {}", reply.text);
            assert!(reply.text.contains("1 of 2 series rejected"), "{what}: {}", reply.text);
            assert_eq!(rig.arrived(), [up()], "{what} {protocol}");
        }
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_are_any_utf8_and_names_that_begin_with_two_underscores_are_kept() {
    let texts = ["with.dots", "with spaces", "a\nb", "\"\\{}", "größe", "🚀", "9", "a:b-c"];
    let all: Vec<Series> = texts
        .iter()
        .map(|text| {
            let mut labels = vec![("__meta_x", *text), ("__name__", *text), (text, text)];
            labels.sort_unstable();
            Series::of(&labels).sample(NOW, 1.0)
        })
        .collect();
    assert_taken(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_labels_may_be_there_several_times() {
    let one = |n: i64| up().exemplar(&[("trace_id", &n.to_string())], n as f64, NOW + n);
    let mut all = vec![one(1), one(2), one(3)];
    for (series, ms) in all.iter_mut().zip(NOW..) {
        series.samples[0].0 = ms;
    }
    all.push(Series::of(&[("__name__", "up"), ("job", "api")]).histogram(&series::custom(NOW + 9)));
    assert_taken(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_times_arrive_bit_for_bit_and_in_order() {
    let values = [
        0.0,
        1.0,
        -1e308,
        f64::from_bits(1),
        f64::INFINITY,
        f64::NEG_INFINITY,
        NAN,
        STALE,
        f64::from_bits(0xfff8_0000_dead_beef),
    ];
    let mut all: Vec<Series> = (0..)
        .zip(values)
        .map(|(n, value)| Series::of(&[("__name__", "v"), ("n", &n.to_string())]).sample(NOW, value))
        .collect();
    all.push(values.into_iter().zip(NOW..).fold(Series::named("all"), |s, (value, ms)| s.sample(ms, value)));
    all.push(
        [-5, -1, 0, 1, i64::from(u32::MAX)].into_iter().fold(Series::named("t"), |s, ms| s.sample(ms, 1.0)),
    );
    assert_taken(&all).await;
}

/// 0 is none; who means it says 1 or -1.
#[tokio::test(flavor = "multi_thread")]
async fn start_timestamps_arrive_with_their_samples() {
    let starts = [0, 1, -1, NOW - 60_000, NOW];
    let each: Vec<Series> = starts
        .iter()
        .map(|start| {
            Series::of(&[("__name__", "c_total"), ("s", &start.to_string())]).sample(NOW, 1.0).started(*start)
        })
        .collect();
    assert_taken(&each).await;
    let one = starts
        .iter()
        .zip(NOW..)
        .fold(Series::named("c_total"), |s, (start, ms)| s.sample(ms, 1.0).started(*start));
    assert_taken(&[one]).await;
    let mut rig = Rig::speaking("rewritten").await;
    let started = v2::Histogram {
        start_timestamp: NOW - 1,
        ..v2::Histogram::decode(&*series::exponential(NOW, true, false, true).encode_to_vec()).unwrap()
    };
    let native = Series { histograms: vec![started.encode_to_vec()], ..Series::named("native") };
    for _ in 0..2 {
        assert_eq!(rig.send_v2(std::slice::from_ref(&native)).await.status, 204);
        assert_eq!(rig.arrived(), std::slice::from_ref(&native));
    }
    rig.finish().await;
}

/// Release candidate 3 said when a series began in its field 6, which later ones reserve.
#[tokio::test(flavor = "multi_thread")]
async fn the_created_timestamp_of_older_candidates_is_no_error() {
    for protocol in WAYS {
        let mut rig = Rig::speaking(protocol).await;
        let request = series::v2(&[up()]);
        let inside = [&*request.timeseries[0].encode_to_vec(), &[0x30, 0x88, 0x27]].concat();
        let table = v2::Request { timeseries: vec![], ..request.clone() }.encode_to_vec();
        let reply = rig.post(V2, snappy(&[&*table, &[0x2a, inside.len() as u8], &inside].concat())).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 0])), "{}", reply.text);
        assert_eq!(rig.arrived(), [up()], "{protocol}");
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_of_all_kinds_arrive_as_they_are() {
    let all: Vec<Series> = histograms(NOW)
        .iter()
        .zip(0..)
        .map(|(one, n)| Series::of(&[("__name__", "native"), ("n", &n.to_string())]).histogram(one))
        .collect();
    assert_taken(&all).await;
    assert_taken(&[histograms(NOW).iter().fold(Series::named("native"), Series::histogram)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_arrive_with_value_time_and_labels_or_none() {
    let values = [0.0, -123.456, 1e10, 1e-10, NAN, f64::INFINITY, f64::NEG_INFINITY];
    let one =
        values.into_iter().zip(NOW..).fold(up(), |s, (v, ms)| s.exemplar(&[("trace_id", "abc")], v, ms));
    let labels: [Pairs<'_>; 4] =
        [&[], &[("trace_id", "追跡")], &[("span_id", "s"), ("trace_id", "t")], &[("empty", "")]];
    let two = labels.into_iter().fold(Series::named("m").sample(NOW, 1.0), |s, l| s.exemplar(l, 1.0, NOW));
    let three =
        Series::named("native").histogram(&series::custom(NOW)).exemplar(&[("trace_id", "n")], 0.5, NOW);
    assert_taken(&[one, two, three]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_help_and_units_arrive_with_their_series() {
    let kinds = [
        MetricType::Unspecified,
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::Gaugehistogram,
        MetricType::Summary,
        MetricType::Info,
        MetricType::Stateset,
    ];
    let texts = [("It helps.", "seconds"), ("", ""), ("two\nlines and \"quotes\"", ""), ("", "größe/s")];
    let mut all = Vec::new();
    for (n, kind) in kinds.into_iter().enumerate() {
        for (m, (help, unit)) in texts.iter().enumerate() {
            all.push(Series::named(&format!("m_{n}_{m}")).sample(NOW, 1.0).metadata(kind, help, unit));
        }
    }
    for protocol in ["auto", "rewritten"] {
        let mut rig = Rig::speaking(protocol).await;
        for _ in 0..2 {
            assert_eq!(rig.send_v2(&all).await.status, 204);
            assert_eq!(rig.arrived(), all, "{protocol}");
        }
        rig.finish().await;
    }
}

/// No series of 2.0 is without samples and histograms. Prometheus sends exemplars so all the same: who is behind decides.
#[tokio::test(flavor = "multi_thread")]
async fn a_series_without_samples_is_left_to_the_upstream() {
    let exemplars = up().exemplar(&[("trace_id", "t")], 1.0, NOW);
    let exemplars = Series { samples: vec![], ..exemplars };
    let said = Series::named("orphan").metadata(MetricType::Counter, "It helps.", "");
    for protocol in ["auto", "rewritten"] {
        let mut rig = Rig::speaking(protocol).await;
        let reply = rig.send_v2(&[exemplars.clone(), up(), said.clone()]).await;
        assert_eq!((reply.status, written(&reply)), (204, Some([1, 0, 1])), "{protocol}: {}", reply.text);
        assert_eq!(rig.arrived(), [exemplars.clone(), up(), said.clone()], "{protocol}");
        rig.finish().await;
    }
}
