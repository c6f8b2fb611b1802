//! A pipeline without a network, and series to put through it.

use prost::Message;
use seriesgate::clock::Clock;
use seriesgate::pipeline::{Body, Outcome, Pipeline, Scratch, Settings, Undecodable};
use seriesgate::policy::{Action, Definition, Mode, PolicySet, Run, Selector};
use seriesgate::series::{Fingerprinter, Limits};
use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest, encode_snappy};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A pipeline with what a worker has.
pub(crate) struct Gate {
    pub(crate) pipeline: Pipeline,
    pub(crate) scratch: Scratch,
    pub(crate) outcome: Outcome,
}

pub(crate) fn policy(name: &str, selector: &str, action: Action, mode: Mode) -> Definition {
    Definition { name: name.into(), selectors: vec![Selector::parse(selector).unwrap()], action, mode }
}

impl Gate {
    pub(crate) fn new(policies: &[Definition]) -> Self {
        Self::with(policies, |_| {})
    }

    pub(crate) fn with(policies: &[Definition], change: impl FnOnce(&mut Settings)) -> Self {
        let limits = Limits { max_labels: 8, max_name_bytes: 64, max_value_bytes: 256 };
        let mut settings = Settings { max_tracked: 1000, max_tenants: 2, max_decoded_bytes: 1 << 24, limits };
        change(&mut settings);
        let set = PolicySet::compile(policies, Run::AsConfigured).unwrap();
        let pipeline = Pipeline::new(settings, set, Fingerprinter::from_seed(1), Clock::manual(NOW_MS));
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
    for (verdict, counts) in &outcome.by_verdict {
        if !verdict.disposition().forwards() {
            fates += *counts;
        }
    }
    assert_eq!(fates, outcome.received);
}
