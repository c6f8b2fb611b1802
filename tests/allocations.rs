//! A steady batch allocates nothing: neither when all is forwarded, nor when a third is dropped, nor when all go under other
//! labels; an aggregated one nothing for a series, and a refused series hardly anything, however large it is.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::alloc::{GlobalAlloc, Layout, System};
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;
use seriesgate::clock::{self, Clock};
use seriesgate::pipeline::{Body, Origin, Outcome, Pipeline, Scratch, Settings};
use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{
    Action, Aggregation, Condition, Definition, Keys, Limit, MetricKind, Mode, PolicySet, Run, Selector,
};
use seriesgate::series::{Fingerprinter, Limits};
use seriesgate::telemetry::{DataMetrics, EgressMetrics, IntakeMetrics, Registry};
use seriesgate::wire::{Form, Message};
use seriesgate_loadtest::body::BodyBuilder;
use seriesgate_proto::{Label, TimeSeries, WriteRequest, encode_snappy, snappy, v2};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Bytes of them.
static BYTES: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
// SAFETY: every call is handed to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as required of our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as required of our caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size as u64, Ordering::Relaxed);
        // SAFETY: as required of our caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn pipeline(policies: &[Definition], max_labels: usize) -> Pipeline {
    let limits = Limits { max_labels, max_name_bytes: 1024, max_value_bytes: 4096 };
    let settings = Settings {
        max_tracked: 100_000,
        max_tenants: 10,
        max_decoded_bytes: 1 << 26,
        max_future_ms: None,
        validation: Default::default(),
        long_values: None,
        stale_markers: true,
        limits,
        tracking: Default::default(),
        aggregation: seriesgate::aggregate::Settings::default(),
    };
    let set = PolicySet::compile(policies, Run::AsConfigured).unwrap();
    Pipeline::new(settings, set, Fingerprinter::from_seed(1), Clock::manual(1_700_000_000_000))
}

fn body(sorted: bool) -> Vec<u8> {
    let mut builder = BodyBuilder::new(5000);
    for i in 0..2000u32 {
        let (metric, pod) = (["a_total", "b_total", "noise_total"][i as usize % 3], format!("pod-{i}"));
        let mut labels = [("__name__", metric), ("job", "node"), ("pod", pod.as_str())];
        if !sorted {
            labels.reverse();
        }
        assert!(builder.push(&labels, f64::from(i), 1_700_000_000_000).is_none());
    }
    builder.finish().unwrap().bytes.to_vec()
}

fn allocations_of_a_steady_batch(policies: &[Definition], sorted: bool, expected: Body) -> u64 {
    allocations_of("team".into(), policies, &body(sorted), expected)
}

/// The same of remote write 2.0 that goes on in this version.
fn allocations_in_v2(policies: &[Definition], wanted: Message, expected: Body) -> u64 {
    #[allow(clippy::disallowed_methods)] // the body is our own
    let plain = snap::raw::Decoder::new().decompress_vec(&body(true)).unwrap();
    let request = v2::Request::of(&WriteRequest::decode(&plain[..]).unwrap());
    let wanted = Form { message: wanted, ..Form::PLAIN };
    let origin = Origin { message: Message::V2, wanted, ..Origin::from("team") };
    allocations_of(origin, policies, &snappy(&request.encode_to_vec()), expected)
}

fn allocations_of(origin: Origin<'_>, policies: &[Definition], body: &[u8], expected: Body) -> u64 {
    let pipeline = pipeline(policies, 64);
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    for _ in 0..3 {
        pipeline.decide(origin, body, &mut scratch, &mut outcome).unwrap();
        pipeline.commit(&outcome);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..10 {
        pipeline.decide(origin, body, &mut scratch, &mut outcome).unwrap();
        pipeline.commit(&outcome);
    }
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!(outcome.body, expected);
    assert_eq!(outcome.received.samples, 2000);
    assert_eq!(pipeline.index().live(), 2000);
    after - before
}

/// Of a thousand requests that are measured, none of which anybody reads.
fn allocations_of_measuring() -> u64 {
    let registry = Arc::new(Registry::default());
    let (intake, data) = (IntakeMetrics::new(&registry), DataMetrics::new(&registry));
    let egress = EgressMetrics::new(&registry, "primary");
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..1000 {
        let began = clock::monotonic();
        data.decided(began);
        egress.answered(204, began);
        intake.answered(204, began);
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Bytes that it takes to refuse a series of so many labels, and to name the one that is the reason.
fn bytes_of_a_refusal((most, many): (usize, u32), last: (&str, &str)) -> u64 {
    let pipeline = pipeline(&[], most);
    let mut labels: Vec<Label> = (0..many).map(|i| Label::new(format!("l{i:06}"), "v")).collect();
    labels.extend([Label::new("__name__", "huge"), Label::new(last.0, last.1)]);
    let huge = TimeSeries { labels, ..TimeSeries::default() }.with_sample(1, 1.0);
    let body = encode_snappy(&WriteRequest::of(vec![huge]));
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    pipeline.decide("team", &body, &mut scratch, &mut outcome).unwrap();
    let before = BYTES.load(Ordering::Relaxed);
    pipeline.decide("team", &body, &mut scratch, &mut outcome).unwrap();
    let bytes = BYTES.load(Ordering::Relaxed) - before;
    assert_eq!(outcome.rejected_series, 1);
    assert_eq!(outcome.blamed.first().and_then(|first| first.metric.as_deref()), Some("huge"));
    bytes
}

// One test: the counter is the process's, and tests of one binary run side by side.
#[test]
fn a_steady_batch_allocates_nothing() {
    let history = Definition {
        name: "history".into(),
        selectors: Vec::new(),
        workload: Some(Condition { run_finished_for: Some(1800), ..Condition::default() }),
        action: Action::Drop,
        mode: Mode::Enforce,
    };
    assert_eq!(allocations_of_a_steady_batch(&[history], true, Body::Untouched), 0, "its runs are asked for");
    let limited = Limit {
        by: vec!["__name__".to_owned()],
        max_series: Some(10_000),
        max_new_per_hour: Some(10_000),
        max_groups: 100,
        warn_at: 80,
        fold: None,
    };
    let limit = Definition {
        name: "limit".into(),
        selectors: Vec::new(),
        workload: None,
        action: Action::Limit(limited.into()),
        mode: Mode::Enforce,
    };
    assert_eq!(allocations_of_a_steady_batch(&[limit], true, Body::Untouched), 0, "all have their places");
    let drop_noise = Definition {
        name: "noise".into(),
        selectors: vec![Selector::parse(r#"{__name__=~"noise.+"}"#).unwrap()],
        workload: None,
        action: Action::Drop,
        mode: Mode::Enforce,
    };
    assert_eq!(allocations_of_measuring(), 0, "measured");
    assert_eq!(allocations_of_a_steady_batch(&[], true, Body::Untouched), 0, "forwarded");
    assert_eq!(allocations_of_a_steady_batch(&[], false, Body::Spliced), 0, "labels not sorted");
    let drop_noise = from_ref(&drop_noise);
    assert_eq!(allocations_of_a_steady_batch(drop_noise, true, Body::Spliced), 0, "spliced");
    assert_eq!(allocations_in_v2(&[], Message::V2, Body::Untouched), 0, "2.0 forwarded");
    assert_eq!(allocations_in_v2(drop_noise, Message::V2, Body::Spliced), 0, "2.0 spliced");
    assert_eq!(allocations_in_v2(&[], Message::V1, Body::Spliced), 0, "2.0 as 1.0");
    let rule = |action: &str, regex: &str| RuleText {
        action: Some(action.into()),
        regex: Some(regex.into()),
        replacement: (action == "labelmap").then(|| "a_$1".into()),
        ..RuleText::default()
    };
    let rules = [rule("labelmap", "(job)"), rule("labeldrop", "job")];
    let house_style = Definition {
        name: "house".into(),
        selectors: Vec::new(),
        workload: None,
        action: Action::Relabel(rules.into()),
        mode: Mode::Enforce,
    };
    for sorted in [true, false] {
        let allocations = allocations_of_a_steady_batch(from_ref(&house_style), sorted, Body::Spliced);
        assert_eq!(allocations, 0, "rewritten, labels sorted: {sorted}");
    }
    assert_eq!(allocations_in_v2(from_ref(&house_style), Message::V2, Body::Spliced), 0, "2.0 rewritten");
    let aggregate = Definition {
        name: "all".into(),
        selectors: Vec::new(),
        workload: None,
        action: Action::Aggregate(
            Aggregation {
                keys: Keys::Without(vec!["pod".into()]),
                kind: Some(MetricKind::Counter),
                ..Aggregation::default()
            }
            .into(),
        ),
        mode: Mode::Enforce,
    };
    // a few lists for each of the ten commits, and nothing for a series
    let allocations = allocations_of_a_steady_batch(from_ref(&aggregate), true, Body::Nothing);
    assert!(allocations <= 30, "aggregated: {allocations}");
    let bytes = bytes_of_a_refusal((64, 1_000_000), ("a", "v"));
    assert!(bytes < 4096, "too many labels: {bytes}");
    // they have to be told apart, and there are no more of them than the largest limit; lists grow by doubling
    for last in [("l000000", "v"), ("", "v")] {
        let bytes = bytes_of_a_refusal((65_535, 60_000), last);
        assert!(bytes < 10 << 20, "{last:?}: {bytes}");
    }
}
