//! The stages of the data path and the whole of it, on 14-label Kubernetes series and on 6-label ones.
//!
//! Every figure is for a batch of 2,000 series out of 200,000: divide by 2,000 for nanoseconds a series.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;
use seriesgate::clock::Clock;
use seriesgate::codec::snappy::{self, Gatherer};
use seriesgate::codec::{self, Encoding, Packer, zstd};
use seriesgate::pipeline::{Origin, Outcome, Pipeline, Scratch, Settings};
use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{Action, Definition, Mode, PolicySet, Run, Selector};
use seriesgate::series::{
    Arrival, Fingerprinter, FollowUp, Found, Index, Limits, Probe, Remembered, SentAs, identity,
};
use seriesgate::wire::v1::{self, FieldKind, Fields};
use seriesgate::wire::{Form, Message};
use seriesgate_loadtest::body::BodyBuilder;
use seriesgate_loadtest::names::Seed;
use seriesgate_loadtest::shape::{Population, Shape};
use seriesgate_proto::{WriteRequest, v2};

const BATCH: usize = 2000;
const SERIES: u64 = 200_000;
const NOW_MS: i64 = 1_700_000_000_000;
const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };
const SHAPES: [(&str, Shape); 2] = [("14 labels", Shape::K8s14), ("6 labels", Shape::Short6)];

/// The same as remote write 2.0.
fn as_v2(body: &[u8]) -> Vec<u8> {
    let request = WriteRequest::decode(&decoded(body)[..]).unwrap();
    seriesgate_proto::snappy(&v2::Request::of(&request).encode_to_vec())
}

/// Compressed bodies of all series of a shape.
fn bodies(shape: Shape) -> Vec<Vec<u8>> {
    let population = Population { series: SERIES, shape, churn: 0.0, seed: Seed::new(1) };
    let mut builder = BodyBuilder::new(BATCH);
    let mut bodies = Vec::new();
    for pod in 0..population.pods() {
        population.visit(
            pod,
            0,
            |_| true,
            |index, labels| {
                bodies.extend(builder.push(labels, index as f64, NOW_MS).map(|body| body.bytes.to_vec()));
            },
        );
    }
    bodies
}

fn decoded(body: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    let length = snappy::decode(body, 1 << 28, &mut raw).unwrap().len();
    raw.truncate(length);
    raw
}

fn label_runs(raw: &[u8]) -> Vec<std::ops::Range<usize>> {
    let fields = Fields::new(raw).map(Result::unwrap).filter(|field| field.kind == FieldKind::Series);
    fields.map(|field| v1::series(raw, &field).unwrap().labels).collect()
}

fn stages(criterion: &mut Criterion) {
    for (name, shape) in SHAPES {
        let body = &bodies(shape)[0];
        let raw = decoded(body);
        let runs = label_runs(&raw);
        let prints = Fingerprinter::from_seed(1);
        let tenant = prints.tenant("");

        let mut group = criterion.benchmark_group("codec");
        group.throughput(Throughput::Bytes(raw.len() as u64));
        let mut buffer = Vec::new();
        group.bench_function(BenchmarkId::new("decode", name), |b| {
            b.iter(|| snappy::decode(body, 1 << 28, &mut buffer).unwrap().len());
        });
        let mut packer = Packer::default();
        let zstd = packer.pack(Encoding::Zstd, &raw).unwrap().to_vec();
        let mut decoder = zstd::Decoder::default();
        group.bench_function(BenchmarkId::new("decode zstd", name), |b| {
            b.iter(|| codec::decode(&mut decoder, &zstd, 1 << 28, &mut buffer).unwrap().len());
        });
        let mut gatherer = Gatherer::default();
        group.bench_function(BenchmarkId::new("encode", name), |b| {
            b.iter(|| {
                gatherer.start(raw.len());
                gatherer.push(&raw).unwrap();
                gatherer.finish().unwrap().len()
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group("walk");
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("known", name), |b| b.iter(|| label_runs_len(&raw)));
        let mut pairs = Vec::new();
        group.bench_function(BenchmarkId::new("parse and validate", name), |b| {
            b.iter(|| {
                for run in &runs {
                    identity::read(&raw, run.clone(), &LIMITS, &mut pairs).unwrap().unwrap();
                }
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group("identity");
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("fingerprint", name), |b| {
            b.iter(|| {
                runs.iter().fold(0, |acc, run| acc ^ prints.fingerprint(&raw[run.clone()], tenant).high)
            });
        });
        group.finish();
    }
}

/// The walk of a known batch, without keeping anything.
fn label_runs_len(raw: &[u8]) -> usize {
    let fields = Fields::new(raw).map(Result::unwrap);
    fields.map(|field| v1::series(raw, &field).unwrap().labels.end).sum()
}

fn index(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(BATCH as u64));
    let prints = Fingerprinter::from_seed(1);
    let tenant = prints.tenant("");
    for series in [10_000u64, 1_000_000] {
        let index = Index::new(2_000_000);
        let decided =
            Remembered { verdict: 0, generation: 1, valid_until: u32::MAX, sent_as: SentAs::Itself };
        let all: Vec<_> = (0..series).map(|i| prints.fingerprint(&i.to_le_bytes(), tenant)).collect();
        for fingerprint in &all {
            index.insert(*fingerprint, decided, &Arrival::default(), 1);
        }
        let mut order = Vec::new();
        let mut batches = all.chunks(BATCH).cycle();
        group.bench_function(BenchmarkId::new("touch a batch", series), |b| {
            b.iter(|| {
                let batch = batches.next().unwrap();
                let probe = |&fingerprint| Probe {
                    fingerprint,
                    sample_seconds: 1,
                    samples: 1,
                    ends: false,
                    follow_up: FollowUp::NONE,
                    found: Found::Missing,
                };
                let mut probes: Vec<Probe> = batch.iter().map(probe).collect();
                index.touch(&mut probes, &mut order, 2, 1);
                assert_eq!(probes[0].found, Found::Known(0, SentAs::Itself));
            });
        });
    }
    group.finish();
}

fn rules(count: usize) -> Vec<Definition> {
    (0..count)
        .map(|i| Definition {
            name: format!("rule-{i}").into(),
            selectors: vec![
                Selector::parse(&format!("{{__name__=~\"container_fs_.+\",pod=~\"absent-{i}-.+\"}}"))
                    .unwrap(),
            ],
            workload: None,
            action: Action::Drop,
            mode: Mode::Enforce,
        })
        .collect()
}

fn pipeline(criterion: &mut Criterion) {
    let drop_a_third = Definition {
        name: "third".into(),
        selectors: vec![Selector::parse(r#"{__name__=~"container_(cpu|memory|fs_reads).+"}"#).unwrap()],
        workload: None,
        action: Action::Drop,
        mode: Mode::Enforce,
    };
    let rule = |action: &str, regex: &str, source: Option<&str>, target: &str| RuleText {
        action: Some(action.into()),
        regex: Some(regex.into()),
        source_labels: source.map(|source| vec![source.into()]),
        target_label: target.into(),
        ..RuleText::default()
    };
    let rules_of_the_house = [
        rule("labeldrop", "instance|metrics_path", None, ""),
        rule("replace", "(.*)", Some("namespace"), "team"),
        rule("labeldrop", "namespace", None, ""),
    ];
    let house_style = Definition {
        name: "house".into(),
        selectors: Vec::new(),
        workload: None,
        action: Action::Relabel(rules_of_the_house.into()),
        mode: Mode::Enforce,
    };
    let sets = [
        ("rewrite all", Message::V1, vec![house_style]),
        ("forward", Message::V1, vec![]),
        ("forward 2.0", Message::V2, vec![]),
        ("forward, 1000 rules", Message::V1, rules(1000)),
        ("drop some and splice", Message::V1, vec![drop_a_third]),
    ];
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (shape_name, shape) in SHAPES {
        let v1 = bodies(shape);
        let v2: Vec<_> = v1.iter().map(|body| as_v2(body)).collect();
        for (name, message, policies) in &sets {
            let bodies = if *message == Message::V1 { &v1 } else { &v2 };
            let wanted = Form { message: *message, ..Form::PLAIN };
            let origin = Origin { message: *message, wanted, ..Origin::default() };
            let settings = Settings {
                max_tracked: 1_000_000,
                max_tenants: 1,
                max_decoded_bytes: 1 << 28,
                tracking: Default::default(),
                aggregation: seriesgate::aggregate::Settings::default(),
                max_future_ms: None,
                validation: Default::default(),
                long_values: None,
                stale_markers: true,
                limits: LIMITS,
            };
            let set = PolicySet::compile(policies, Run::AsConfigured).unwrap();
            let pipeline = Pipeline::new(settings, set, Fingerprinter::from_seed(1), Clock::manual(NOW_MS));
            let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
            let mut pass = |body: &[u8]| {
                pipeline.decide(origin, body, &mut scratch, &mut outcome).unwrap();
                pipeline.commit(&outcome);
            };
            bodies.iter().for_each(|body| pass(body));
            let mut next = bodies.iter().cycle();
            group.bench_function(BenchmarkId::new(*name, shape_name), |b| {
                b.iter(|| pass(next.next().unwrap()))
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stages, index, pipeline);
criterion_main!(benches);
