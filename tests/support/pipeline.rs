//! A pipeline without a network, and series to put through it.

use prost::Message;
use seriesgate::clock::Clock;
use seriesgate::pipeline::{Body, Origin, Outcome, Pipeline, Scratch, Settings, Undecodable};
use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{Action, Definition, Mode, PolicySet, Run, Selector};
use seriesgate::series::{Fingerprinter, Labels, Limits};
use seriesgate::wire::Message as Version;
use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest, encode_snappy, snappy, v2};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A pipeline with what a worker has.
pub(crate) struct Gate {
    pub(crate) pipeline: Pipeline,
    pub(crate) scratch: Scratch,
    pub(crate) outcome: Outcome,
}

pub(crate) fn policy(name: &str, selector: &str, action: Action, mode: Mode) -> Definition {
    let selectors = vec![Selector::parse(selector).unwrap()];
    Definition { name: name.into(), selectors, workload: None, action, mode }
}

impl Gate {
    pub(crate) fn new(policies: &[Definition]) -> Self {
        Self::with(policies, |_| {})
    }

    pub(crate) fn with(policies: &[Definition], change: impl FnOnce(&mut Settings)) -> Self {
        Self::begun(NOW_MS, policies, change)
    }

    pub(crate) fn settings() -> Settings {
        let limits = Limits { max_labels: 8, max_name_bytes: 64, max_value_bytes: 256 };
        Settings {
            max_tracked: 1000,
            max_tenants: 2,
            max_decoded_bytes: 1 << 24,
            max_future_ms: None,
            validation: Default::default(),
            long_values: None,
            stale_markers: true,
            limits,
            tracking: Default::default(),
            aggregation: seriesgate::aggregate::Settings::default(),
        }
    }

    /// One whose process began then, Unix milliseconds.
    pub(crate) fn begun(ms: i64, policies: &[Definition], change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Self::settings();
        change(&mut settings);
        let set = PolicySet::compile(policies, Run::AsConfigured).unwrap();
        let pipeline = Pipeline::new(settings, set, Fingerprinter::from_seed(1), Clock::manual(ms));
        Self { pipeline, scratch: Scratch::default(), outcome: Outcome::default() }
    }

    pub(crate) fn decide(&mut self, tenant: &str, body: &[u8]) -> Result<&Outcome, Undecodable> {
        self.pipeline.decide(tenant, body, &mut self.scratch, &mut self.outcome)?;
        Ok(&self.outcome)
    }

    /// Decides and commits; returns how many series were new.
    pub(crate) fn pass(&mut self, tenant: &str, request: &WriteRequest) -> u64 {
        self.decide(tenant, &encode_snappy(request)).unwrap();
        self.pipeline.commit(&self.outcome).new_series
    }

    /// The same of remote write 2.0.
    pub(crate) fn pass_v2(&mut self, tenant: &str, request: &v2::Request) -> u64 {
        let origin = Origin { scope: tenant, message: Version::V2, ..Origin::default() };
        let body = snappy(&request.encode_to_vec());
        self.pipeline.decide(origin, &body, &mut self.scratch, &mut self.outcome).unwrap();
        self.pipeline.commit(&self.outcome).new_series
    }

    pub(crate) fn spliced(&self) -> WriteRequest {
        assert_eq!(self.outcome.body, Body::Spliced);
        let raw = ::snap::raw::Decoder::new();
        decode(raw, &self.outcome.spliced)
    }
}

#[allow(clippy::disallowed_methods)] // the body is our own
pub(crate) fn decode(mut decoder: ::snap::raw::Decoder, body: &[u8]) -> WriteRequest {
    WriteRequest::decode(&decoder.decompress_vec(body).unwrap()[..]).unwrap()
}

pub(crate) fn series(labels: &[(&str, &str)]) -> TimeSeries {
    TimeSeries {
        labels: labels.iter().map(|(n, v)| Label { name: (*n).into(), value: (*v).into() }).collect(),
        samples: vec![Sample { value: 1.0, timestamp: NOW_MS }],
        ..Default::default()
    }
}

pub(crate) fn named(name: &str) -> TimeSeries {
    series(&[("__name__", name), ("job", "node")])
}

pub(crate) fn assert_conserved(outcome: &Outcome) {
    let mut fates = outcome.all_rejected();
    fates += outcome.forwarded;
    fates += outcome.duplicates;
    for (verdict, counts) in &outcome.by_verdict {
        if !verdict.disposition().forwards() {
            fates += *counts;
        }
    }
    assert_eq!(fates, outcome.received);
}

pub(crate) fn rule(
    action: &str,
    sources: &[&str],
    regex: &str,
    target: &str,
    replacement: Option<&str>,
) -> RuleText {
    RuleText {
        source_labels: (!sources.is_empty()).then(|| sources.iter().map(|name| (*name).to_owned()).collect()),
        regex: Some(regex.to_owned()),
        target_label: target.to_owned(),
        replacement: replacement.map(str::to_owned),
        action: Some(action.to_owned()),
        ..RuleText::default()
    }
}

pub(crate) fn labeldrop(regex: &str) -> RuleText {
    rule("labeldrop", &[], regex, "", None)
}

pub(crate) fn relabel(selector: &str, rules: &[RuleText]) -> Definition {
    policy("house", selector, Action::Relabel(rules.into()), Mode::Enforce)
}

pub(crate) fn set(definitions: &[Definition]) -> PolicySet {
    PolicySet::compile(definitions, Run::AsConfigured).unwrap()
}

/// What goes upstream, in order.
pub(crate) fn forwarded(gate: &Gate, request: &WriteRequest) -> Vec<TimeSeries> {
    match gate.outcome.body {
        Body::Nothing => Vec::new(),
        Body::Untouched => request.timeseries.clone(),
        Body::Spliced => gate.spliced().timeseries,
    }
}

/// The same as text, without the samples.
pub(crate) fn sent(gate: &Gate, request: &WriteRequest) -> Vec<String> {
    forwarded(gate, request).iter().map(text).collect()
}

pub(crate) fn text(series: &TimeSeries) -> String {
    let mut pairs: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
    pairs.retain(|(_, value)| !value.is_empty());
    pairs.sort_unstable();
    Labels::from_sorted(&pairs).to_string()
}

/// Sends one series, sampled now, and says what came out.
pub(crate) fn put(gate: &mut Gate, labels: &[(&str, &str)]) -> Option<String> {
    put_value(gate, labels, 1.0)
}

/// The same, of this value.
pub(crate) fn put_value(gate: &mut Gate, labels: &[(&str, &str)], value: f64) -> Option<String> {
    let samples = vec![Sample { value, timestamp: gate.pipeline.clock().unix_ms() }];
    let request = WriteRequest::of(vec![TimeSeries { samples, ..series(labels) }]);
    gate.pass("", &request);
    assert_conserved(&gate.outcome);
    sent(gate, &request).pop()
}

/// What ends a series.
pub(crate) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

pub(crate) fn is_stale(sample: &Sample) -> bool {
    sample.value.to_bits() == STALE.to_bits()
}

/// What goes upstream, as text: labels, seconds since the beginning, and the value of each sample.
pub(crate) fn shown(gate: &Gate, request: &WriteRequest) -> Vec<String> {
    let sample = |s: &Sample| {
        let value = if is_stale(s) { "stale".to_owned() } else { s.value.to_string() };
        format!(" {}:{value}", (s.timestamp - NOW_MS) / 1000)
    };
    let one = |s: &TimeSeries| text(s) + &s.samples.iter().map(sample).collect::<String>();
    forwarded(gate, request).iter().map(one).collect()
}

/// Forgets what was not seen for `seconds`.
pub(crate) fn expire(gate: &Gate, seconds: u32) {
    let index = gate.pipeline.index();
    let now = gate.pipeline.clock().unix_seconds();
    // a claim is looked at once its owner is gone
    for _ in 0..2 {
        for shard in 0..index.shards() {
            let mut departed = Vec::new();
            index.expire(shard, (now - seconds, now), &mut departed, |_, _| {});
            gate.pipeline.series_expired(&departed, now);
        }
    }
}

/// Walks over all series, as a gate does several times a minute.
pub(crate) fn walk(gate: &Gate) {
    let (tracker, index) = (gate.pipeline.tracker(), gate.pipeline.index());
    let mut walk = tracker.begin_walk(gate.pipeline.clock().unix_seconds());
    (0..index.shards()).for_each(|shard| tracker.walk(&mut walk, index, shard));
    tracker.end_walk(walk);
}

pub(crate) fn pod(name: &str) -> [(&'static str, &str); 2] {
    [("__name__", "up"), ("pod", name)]
}
