//! A snapshot that version 1 of the format has, made by the program of then, still loads.

use std::collections::BTreeMap;
use std::path::Path;

use seriesgate::aggregate::{Head, Outbox, Restored, Snapshot};
use seriesgate::clock::Clock;
use seriesgate::config::Config;
use seriesgate::pipeline::{Pipeline, Settings};
use seriesgate::policy::{Definition, PolicySet, Run};
use seriesgate::series::{Fingerprinter, Limits, Tenant};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use crate::pipeline::decode;

/// When its first samples were of; one each five seconds, up to the eighth.
const THEN_MS: i64 = 1_700_000_000_000;

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snapshot-v1").join(name)
}

fn policies() -> Vec<Definition> {
    let text = std::fs::read_to_string(data("policies.yaml")).unwrap();
    let text = format!("upstreams: [ {{ name: a, url: 'http://127.0.0.1:1/' }} ]\n{text}");
    let loaded = Config::parse(&text, "gate.yaml", Path::new("."), &|_| None);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config.policies
}

fn head() -> Head {
    Head::read(std::fs::File::open(data("aggregation.snapshot")).unwrap()).unwrap()
}

fn pipeline(keys: &[u8]) -> (Pipeline, impl Fn(&Pipeline, &str) -> Option<u32>) {
    let settings = Settings {
        max_tracked: 1000,
        max_future_ms: None,
        validation: Default::default(),
        long_values: None,
        stale_markers: true,
        max_tenants: 10,
        max_decoded_bytes: 1 << 20,
        limits: Limits { max_labels: 8, max_name_bytes: 64, max_value_bytes: 64 },
        tracking: Default::default(),
        aggregation: Default::default(),
    };
    let set = PolicySet::compile(&policies(), Run::AsConfigured).unwrap();
    let prints = Fingerprinter::from_keys(keys);
    let pipeline = Pipeline::new(settings, set, prints.clone(), Clock::manual(THEN_MS + 60_000));
    let register = move |pipeline: &Pipeline, name: &str| match pipeline.tenants().resolve(name, &prints) {
        Tenant::Known { group, .. } => Some(group),
        Tenant::Overflow => None,
    };
    (pipeline, register)
}

fn from_first(policies: &[Definition]) -> (Pipeline, Outbox, Restored) {
    let head = head();
    let (pipeline, register) = pipeline(&head.keys);
    let outbox = Outbox::new(1000);
    let now: BTreeMap<String, String> =
        policies.iter().map(|policy| (policy.legacy().unwrap(), policy.canonical())).collect();
    let restored = pipeline.engine().restore_first(
        &head,
        pipeline.clock().now(),
        &outbox,
        |name| register(&pipeline, name),
        |then| now.get(then).cloned(),
    );
    (pipeline, outbox, restored.unwrap())
}

/// The next samples of the same series, and one more that closes their window.
fn go_on(pipeline: &Pipeline, tenant: &str, steps: std::ops::RangeInclusive<i64>) {
    for step in steps {
        let at = THEN_MS + step * 5000;
        let series = ["a", "b"].into_iter().flat_map(|pod| {
            let counter = |name: &str, labels: &[(&str, &str)], value: i64| {
                let labels: Vec<_> = labels.iter().copied().chain([("pod", pod)]).collect();
                TimeSeries::named(name, &labels).with_sample(at, value as f64)
            };
            [
                counter("hits_total", &[], 100 + 10 * step),
                counter("old_total", &[("kind", "a")], 50 + 5 * step),
                counter("memory_bytes", &[], 1000 + step),
                counter("d_bucket", &[("le", "1")], step),
                counter("d_bucket", &[("le", "+Inf")], 2 * step),
            ]
        });
        let body = encode_snappy(&WriteRequest::of(series.collect()));
        let (mut scratch, mut outcome) = Default::default();
        pipeline.decide(tenant, &body, &mut scratch, &mut outcome).unwrap();
        assert_eq!(outcome.not_aggregated, [], "what was known of types is known");
        pipeline.commit(&outcome);
    }
}

/// All that waits and that was made, by series: seconds after then, value.
fn points(pipeline: &Pipeline, outbox: &Outbox, tenant: u32) -> BTreeMap<String, Vec<(i64, f64)>> {
    for (tenant, _, points) in pipeline.engine().collect(pipeline.clock().now()) {
        outbox.push(tenant, points);
    }
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for outgoing in seriesgate::aggregate::Outgoing::of(outbox.of(tenant)) {
        for series in decode(snap::raw::Decoder::new(), &outgoing.encode().unwrap()).timeseries {
            let samples = series.samples.iter().map(|s| ((s.timestamp - THEN_MS) / 1000, s.value));
            all.entry(crate::pipeline::text(&series)).or_default().extend(samples);
        }
    }
    all
}

#[test]
fn it_loads_whole_and_all_counters_go_on() {
    let (pipeline, outbox, restored) = from_first(&policies());
    // three policies, each for two tenants
    assert_eq!(restored, Restored { policies: 6, unknown: 0, members: 28, groups: 16 });
    assert!(!pipeline.engine().types.is_empty());
    go_on(&pipeline, "", 8..=9);
    go_on(&pipeline, "blue", 3..=5);
    let all = points(&pipeline, &outbox, 0);
    // what waited when it was written, and what came since: two pods, and the first sample is where they start from
    assert_eq!(all["hits_total"], [(20, 80.0), (30, 120.0), (40, 160.0)]);
    assert_eq!(all["old_total{kind=\"a\"}"].last(), Some(&(40, 80.0)));
    assert_eq!(all["d_bucket{le=\"+Inf\"}"].last(), Some(&(40, 32.0)));
    assert_eq!(all["memory_bytes:all{pod=\"a\"}"].last(), Some(&(40, 1008.0)));
    assert_eq!(points(&pipeline, &outbox, 1)["hits_total"], [(10, 40.0), (20, 80.0)]);
}

#[test]
fn what_it_was_taken_over_into_is_saved_and_goes_on_again() {
    let (before, outbox, _) = from_first(&policies());
    go_on(&before, "", 8..=9);
    let keys = head().keys;
    let mut bytes = Vec::new();
    before.engine().save((0, ""), &keys, &outbox, &mut bytes).unwrap();
    let snapshot = Snapshot::read(&bytes[..]).unwrap();
    assert!(snapshot.is_of(&keys) && !snapshot.is_of(&vec![1; keys.len()]));
    let (after, register) = pipeline(&keys);
    let waiting = Outbox::new(1000);
    let restored = after
        .engine()
        .restore(&snapshot, after.clock().now(), &waiting, |name| register(&after, name))
        .unwrap();
    assert_eq!((restored.policies, restored.unknown), (3, 0));
    go_on(&after, "", 10..=11);
    let all = points(&after, &waiting, 0);
    assert_eq!(all["hits_total"], [(20, 80.0), (30, 120.0), (40, 160.0), (50, 200.0)]);
}

#[test]
fn a_policy_that_is_another_now_is_left() {
    let mut changed = policies();
    changed[1].name = "others".into();
    let (_, _, restored) = from_first(&changed);
    assert_eq!((restored.policies, restored.unknown), (4, 2));
}

#[test]
fn a_version_that_is_not_known_yet_is_refused() {
    let mut bytes = Vec::new();
    Head::write(&[0; Fingerprinter::KEY_BYTES], &mut bytes).unwrap();
    assert!(!Head::read(&bytes[..]).unwrap().is_first());
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut snap::read::FrameDecoder::new(&bytes[..]), &mut plain).unwrap();
    plain[b"seriesgate aggregation".len()] = 3;
    let mut later = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut later, &plain).unwrap();
    let error = Head::read(&later.into_inner().unwrap()[..]).err().unwrap().to_string();
    assert_eq!(error, "it has version 3, this program knows versions up to 2");
}
