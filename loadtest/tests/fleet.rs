//! Bodies of prepared segments, read back with prost: every series of the source, once in each scrape, with the value that
//! its law says, and an end for everything that is gone.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use seriesgate_loadtest::cluster::{Agent, Cluster, ClusterSpec};
use seriesgate_loadtest::fleet::{ExpectAll, Lane, Planner, Source, Spread};
use seriesgate_loadtest::identity;
use seriesgate_loadtest::names::Seed;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::shape::{Population, Shape};
use seriesgate_loadtest::source::{Clusters, Plain, Template, parse_exposition};
use seriesgate_proto::{Exemplar, Histogram, Label, TimeSeries, WriteRequest, v2};

const START_MS: i64 = 1_700_000_000_000;
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Labels as text, time, bits.
type Sample = (String, i64, u64);

struct Rig {
    planner: Planner,
    lanes: Vec<Lane>,
    protocol: Protocol,
    /// Series that ended.
    ended: usize,
}

impl Rig {
    fn new(source: Box<dyn Source>, lanes: usize, batch: usize) -> Self {
        Self::speaking(source, lanes, batch, Protocol::V1)
    }

    fn speaking(source: Box<dyn Source>, lanes: usize, batch: usize, protocol: Protocol) -> Self {
        let spread =
            Spread { lanes, batch, within_ms: 0, stale_markers: true, metadata: true, shards: 1, protocol };
        let planner = Planner::new(source, Arc::new(ExpectAll), spread);
        let lanes = (0..lanes).map(|_| Lane::new(batch).with_protocol(protocol)).collect();
        Self { planner, lanes, protocol, ended: 0 }
    }

    /// All bodies of a scrape by lane.
    fn scrape(&mut self, at_ms: i64) -> Vec<Vec<WriteRequest>> {
        let steps = self.planner.scrape(at_ms);
        let mut all = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            self.lanes[number].begin(step);
            let (mut bodies, mut body) = (Vec::new(), Vec::new());
            while let Some(loaded) = self.lanes[number].next_body(&mut body) {
                let request = self.decode(&body);
                let samples: usize = request.timeseries.iter().map(|series| series.samples.len()).sum();
                assert_eq!(loaded.samples as usize, samples);
                bodies.push(request);
            }
            all.push(bodies);
        }
        all
    }

    /// What is in a body, as 1.0 says it.
    fn decode(&mut self, body: &[u8]) -> WriteRequest {
        let request = match self.protocol {
            Protocol::V1 => decode(body),
            Protocol::V2 => of_2_0(&v2::Request::decode(unpack(body).as_slice()).unwrap()),
            Protocol::Zstd => WriteRequest::decode(zstd::decode_all(body).unwrap().as_slice()).unwrap(),
        };
        let samples = request.timeseries.iter().flat_map(|series| &series.samples);
        self.ended += samples.filter(|sample| sample.value.to_bits() == STALE_BITS).count();
        request
    }
}

fn unpack(body: &[u8]) -> Vec<u8> {
    let mut raw = vec![0; snap::raw::decompress_len(body).unwrap()];
    snap::raw::Decoder::new().decompress(body, &mut raw).unwrap();
    raw
}

fn decode(body: &[u8]) -> WriteRequest {
    WriteRequest::decode(unpack(body).as_slice()).unwrap()
}

fn of_2_0(request: &v2::Request) -> WriteRequest {
    let text = |position: u32| request.symbols[position as usize].as_str();
    let labels = |refs: &[u32]| -> Vec<Label> {
        assert!(refs.len().is_multiple_of(2));
        refs.as_chunks::<2>().0.iter().map(|&[name, value]| Label::new(text(name), text(value))).collect()
    };
    let series = |series: &v2::TimeSeries| TimeSeries {
        labels: labels(&series.labels_refs),
        samples: series
            .samples
            .iter()
            .map(|sample| seriesgate_proto::Sample::at(sample.timestamp, sample.value))
            .collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|e| Exemplar { labels: labels(&e.labels_refs), value: e.value, timestamp: e.timestamp })
            .collect(),
        histograms: series
            .histograms
            .iter()
            .map(|histogram| Histogram::decode(histogram.encode_to_vec().as_slice()).unwrap())
            .collect(),
    };
    WriteRequest::of(request.timeseries.iter().map(series).collect())
}

fn samples(bodies: &[Vec<WriteRequest>]) -> Vec<Sample> {
    let mut found = Vec::new();
    for series in bodies.iter().flatten().flat_map(|body| &body.timeseries) {
        let labels: Vec<String> = series.labels.iter().map(|l| format!("{}={}", l.name, l.value)).collect();
        assert!(labels.is_sorted_by_key(|label| label.split('=').next().unwrap().to_owned()));
        for sample in &series.samples {
            found.push((labels.join(","), sample.timestamp, sample.value.to_bits()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_cluster_through_segments_is_what_its_agent_sees() {
    let spec = ClusterSpec { histograms: true, keep_past_runs: false, ..ClusterSpec::incident(7) };
    let mut rig = Rig::new(Box::new(Clusters::new(&spec, 1, START_MS)), 3, 200);
    // the same cluster, seen series by series; the copy's seed is the first child
    let spec = ClusterSpec { seed: Seed::new(7).child(0).value(), ..spec };
    let mut agent = Agent::new(Cluster::new(spec, START_MS));
    let (mut ended, mut homes) = (0, BTreeMap::new());
    for minute in 0..200 {
        let at_ms = START_MS + minute * 60_000;
        let bodies = rig.scrape(at_ms);
        let mut wanted = Vec::new();
        ended += agent
            .scrape(at_ms, |labels, value| {
                let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
                wanted.push((labels.join(","), at_ms, value.to_bits()));
            })
            .1;
        wanted.sort();
        let found = samples(&bodies);
        assert!(found == wanted, "minute {minute}: {} and {} samples", found.len(), wanted.len());
        // a series stays where it is
        for (lane, bodies) in bodies.iter().enumerate() {
            assert!(bodies.iter().all(|body| body.timeseries.len() <= 200));
            for (labels, ..) in samples(std::slice::from_ref(bodies)) {
                assert_eq!(*homes.entry(labels).or_insert(lane), lane);
            }
        }
    }
    assert!(ended > 1000, "{ended} series ended");
    let born: u64 = rig.lanes.iter().map(Lane::born).sum();
    assert_eq!(born, homes.len() as u64, "a pod in another phase is no other pod");
}

#[test]
fn what_was_sent_is_accounted_for() {
    let population = Population { series: 1000, shape: Shape::Short6, churn: 0.1, seed: Seed::new(2) };
    let mut rig = Rig::new(Box::new(Plain::new(population, 3)), 2, 128);
    let mut all = Vec::new();
    for scrape in 0..12 {
        all.extend(samples(&rig.scrape(START_MS + scrape * 15_000)));
    }
    let mut wanted: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    for (labels, timestamp_ms, bits) in &all {
        let labels = labels.split(',').map(|label| label.split_once('=').unwrap());
        let entry = wanted.entry(identity::of_labels(labels)).or_default();
        *entry = (entry.0 + 1, entry.1.wrapping_add(identity::of_sample(*timestamp_ms, *bits)));
    }
    let mut found: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    for sent in rig.lanes.iter().flat_map(Lane::sent) {
        let entry = found.entry(sent.identity).or_default();
        *entry = (entry.0 + sent.count, entry.1.wrapping_add(sent.sum));
    }
    assert!(found == wanted);
    assert!(all.iter().any(|sample| sample.2 == STALE_BITS));
}

#[test]
fn a_refused_body_was_not_sent() {
    let population = Population { series: 400, shape: Shape::K8s14, churn: 0.0, seed: Seed::new(2) };
    let mut planner = Planner::new(
        Box::new(Plain::new(population, 0)),
        Arc::new(ExpectAll),
        Spread {
            lanes: 1,
            batch: 100,
            within_ms: 0,
            stale_markers: true,
            metadata: true,
            shards: 1,
            protocol: Protocol::V1,
        },
    );
    let mut lane = Lane::new(100);
    let mut body = Vec::new();
    for scrape in 0..3 {
        lane.begin(planner.scrape(START_MS + scrape * 15_000).remove(0));
        for number in 0.. {
            if lane.next_body(&mut body).is_none() {
                break;
            }
            match (scrape, number) {
                (1, 2) => lane.refused(),
                (2, 3) => lane.unknown(),
                _ => {}
            }
        }
    }
    let counts: Vec<u32> = lane.sent().map(|sent| sent.count).collect();
    assert_eq!(counts.len(), 400);
    assert!(counts.iter().filter(|count| **count == 2).count() >= 80);
    assert_eq!(counts.iter().sum::<u32>() as usize, 1200 - counts.iter().filter(|c| **c == 2).count());
    assert!(lane.uncertain().len() >= 80);
}

#[test]
fn a_page_multiplied_has_pods_of_its_own() {
    let page = "# TYPE h histogram\nh_bucket{pod=\"a-b-x7k2p\",le=\"1\"} 3\nh_bucket{pod=\"a-b-x7k2p\",le=\"+Inf\"} 5\nup 1\n";
    let template = parse_exposition(page).unwrap();
    let source = Template::new(template, 50, 0.0, vec!["pod".into()], 3);
    let mut rig = Rig::new(Box::new(source), 2, 1000);
    let mut before: BTreeMap<String, u64> = BTreeMap::new();
    for scrape in 0..20 {
        let found = samples(&rig.scrape(START_MS + scrape * 600_000));
        assert_eq!(found.len(), 150);
        let by_labels: BTreeMap<String, u64> =
            found.into_iter().map(|(labels, _, bits)| (labels, bits)).collect();
        assert_eq!(by_labels.len(), 150, "every copy has names of its own");
        for (labels, bits) in &by_labels {
            let value = f64::from_bits(*bits);
            if let Some(low) = labels.contains("le=1,").then(|| labels.replace("le=1,", "le=+Inf,")) {
                assert!(value <= f64::from_bits(by_labels[&low]), "buckets stay cumulative");
                assert!(before.get(labels).is_none_or(|bits| f64::from_bits(*bits) <= value));
            }
        }
        before = by_labels;
    }
    let pods: BTreeSet<&str> = before.keys().filter_map(|labels| labels.split("pod=").nth(1)).collect();
    assert_eq!(pods.len(), 50);
    assert!(pods.iter().all(|pod| pod.starts_with("a-b-") && pod.len() == 9));
}

#[test]
fn exemplars_and_native_histograms_are_valid() {
    let clusters = Clusters::new(&ClusterSpec::incident(7), 2, START_MS).with_rich(true, true);
    let mut rig = Rig::new(Box::new(clusters), 2, 500);
    let (mut exemplars, mut histograms) = (0, 0);
    for scrape in 1..4 {
        for series in
            rig.scrape(START_MS + scrape * 60_000).iter().flatten().flat_map(|body| &body.timeseries)
        {
            for exemplar in &series.exemplars {
                exemplars += 1;
                assert_eq!(exemplar.labels[0].name, "trace_id");
                assert_eq!(exemplar.labels[0].value.len(), 32);
            }
            for histogram in &series.histograms {
                histograms += 1;
                let mut count = 0;
                let counts: Vec<i64> = histogram
                    .positive_deltas
                    .iter()
                    .map(|delta| {
                        count += delta;
                        count
                    })
                    .collect();
                assert_eq!(histogram.positive_spans[0].length as usize, counts.len());
                let Some(seriesgate_proto::histogram::Count::CountInt(all)) = histogram.count else {
                    panic!("a histogram of whole numbers")
                };
                assert_eq!(counts.iter().sum::<i64>(), all as i64);
            }
        }
    }
    // two clusters of fifteen application pods, three scrapes
    assert_eq!((exemplars, histograms), (90, 90));
    let sent =
        rig.lanes.iter().map(Lane::rich).fold((0, 0), |sum, (e, h)| (sum.0 + e.count, sum.1 + h.count));
    assert_eq!(sent, (90, 90));
}

#[test]
fn metadata_is_told_once_a_minute_by_one_lane_of_each_agent() {
    let spec = ClusterSpec { histograms: true, ..ClusterSpec::incident(7) };
    let source = Box::new(Clusters::new(&spec, 1, START_MS));
    let spread = Spread {
        lanes: 4,
        batch: 500,
        within_ms: 0,
        stale_markers: true,
        metadata: true,
        shards: 2,
        protocol: Protocol::V1,
    };
    let mut planner = Planner::new(source, Arc::new(ExpectAll), spread);
    let mut told = |seconds: i64| -> Vec<Option<WriteRequest>> {
        let steps = planner.scrape(START_MS + seconds * 1000);
        steps.iter().map(|step| step.metadata.as_deref().map(decode)).collect()
    };
    let first = told(0);
    assert_eq!(first.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false]);
    let request = first[0].as_ref().unwrap();
    assert!(request.timeseries.is_empty());
    let kind = |name: &str| request.metadata.iter().find(|m| m.metric_family_name == name).map(|m| m.r#type);
    // COUNTER 1, GAUGE 2, HISTOGRAM 3
    assert_eq!(kind("http_requests_total"), Some(1));
    assert_eq!(kind("kube_pod_info"), Some(2));
    assert_eq!(kind("http_request_duration_seconds"), Some(3));
    assert_eq!(kind("http_request_duration_seconds_bucket"), None);
    assert!(told(15).iter().all(Option::is_none));
    assert!(told(60)[2].is_some());
}

/// What is in each body of each lane, in any order.
fn sorted(bodies: Vec<Vec<WriteRequest>>) -> Vec<Vec<Vec<Vec<u8>>>> {
    let body = |body: WriteRequest| {
        let mut all: Vec<Vec<u8>> = body.timeseries.iter().map(Message::encode_to_vec).collect();
        all.sort();
        all
    };
    bodies.into_iter().map(|bodies| bodies.into_iter().map(body).collect()).collect()
}

/// Versions differ in their words only: the same cluster, scrape by scrape, in each protocol.
#[test]
fn every_protocol_sends_the_same() {
    let rig = |protocol| {
        let spec = ClusterSpec { histograms: true, keep_past_runs: false, ..ClusterSpec::incident(7) };
        let clusters = Clusters::new(&spec, 2, START_MS).with_rich(true, true);
        Rig::speaking(Box::new(clusters), 3, 200, protocol)
    };
    let (mut one, mut two, mut zstd) = (rig(Protocol::V1), rig(Protocol::V2), rig(Protocol::Zstd));
    for minute in 0..40 {
        let at_ms = START_MS + minute * 60_000;
        let sent = sorted(one.scrape(at_ms));
        assert!(sorted(two.scrape(at_ms)) == sent, "minute {minute} in 2.0");
        assert!(sorted(zstd.scrape(at_ms)) == sent, "minute {minute} in zstd");
    }
    let told = |rig: &Rig| {
        let mut sent: Vec<_> =
            rig.lanes.iter().flat_map(Lane::sent).map(|sent| (sent.identity, sent.count, sent.sum)).collect();
        sent.sort_unstable();
        (sent, rig.lanes.iter().map(Lane::rich).collect::<Vec<_>>())
    };
    assert!(told(&one) == told(&two) && told(&one) == told(&zstd));
    assert!(one.ended > 500, "{} series ended", one.ended);
}

/// What Prometheus' queue writes: a table of its own for each request, the empty text first, each once, before the series;
/// sorted labels; with metadata the type and the help of each series.
#[test]
fn bodies_of_2_0_are_as_prometheus_makes_them() {
    for metadata in [true, false] {
        let spec = ClusterSpec { histograms: true, ..ClusterSpec::incident(7) };
        let source = Box::new(Clusters::new(&spec, 1, START_MS));
        let protocol = Protocol::V2;
        let spread =
            Spread { lanes: 1, batch: 300, within_ms: 0, stale_markers: true, metadata, shards: 1, protocol };
        let mut planner = Planner::new(source, Arc::new(ExpectAll), spread);
        let mut lane = Lane::new(300).with_protocol(protocol);
        let step = planner.scrape(START_MS).remove(0);
        assert!(step.metadata.is_none(), "no requests of its own");
        lane.begin(step);
        let (mut body, mut kinds) = (Vec::new(), BTreeMap::new());
        while let Some(loaded) = lane.next_body(&mut body) {
            let raw = unpack(&body);
            assert_eq!(raw.len() as u64, loaded.raw_bytes);
            // the table is all in front
            let request = v2::Request::decode(raw.as_slice()).unwrap();
            let table: usize = v2::Request { timeseries: Vec::new(), ..request.clone() }.encoded_len();
            assert_eq!(v2::Request::decode(&raw[..table]).unwrap().symbols, request.symbols);
            assert_eq!(request.symbols[0], "");
            let texts: BTreeSet<&String> = request.symbols.iter().collect();
            assert_eq!(texts.len(), request.symbols.len(), "each once");
            for series in &request.timeseries {
                let text = |position: u32| request.symbols[position as usize].as_str();
                let labels: Vec<_> =
                    series.labels_refs.as_chunks::<2>().0.iter().map(|&[n, v]| (text(n), text(v))).collect();
                assert!(labels.is_sorted() && series.samples.len() == 1);
                let said = series.metadata.expect("Prometheus writes an empty one where nothing is said");
                if metadata {
                    kinds.insert(labels[0].1.to_owned(), said.r#type);
                    assert!(text(said.help_ref).starts_with("What "));
                } else {
                    assert_eq!(said, v2::Metadata::default());
                }
            }
        }
        let kind = |name: &str| kinds.get(name).copied();
        let expected = |kind| if metadata { Some(kind) } else { None };
        assert_eq!(kind("http_requests_total"), expected(1));
        assert_eq!(kind("kube_pod_info"), expected(2));
        assert_eq!(kind("http_request_duration_seconds_bucket"), expected(3));
    }
}
