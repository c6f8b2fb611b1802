//! Series, requests and points as the promises of aggregation put them.

use std::fmt::Write as _;

use seriesgate::policy::{Action, Aggregation, Keys, Mode};
use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest, v2};

use crate::pipeline::{assert_conserved, policy};
use crate::rig::{Rig, aggregation};
use crate::world::STALE;
use crate::{IDLE_MS, START_MS};

/// The start of a minute.
pub(crate) const T: i64 = START_MS - START_MS % 60_000;

pub(crate) fn without_pod() -> Aggregation {
    Aggregation { keys: Keys::Without(vec!["pod".into()]), collapse: Vec::new(), ..aggregation(0) }
}

pub(crate) fn rig() -> Rig {
    Rig::of(
        vec![policy("agg", "{pod!=\"\"}", Action::Aggregate(without_pod().into()), Mode::Enforce)],
        IDLE_MS,
    )
}

pub(crate) fn series(name: &str, pod: &str, samples: &[(i64, f64)]) -> TimeSeries {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let samples =
        samples.iter().map(|(at, value)| Sample { timestamp: T + at * 1000, value: *value }).collect();
    TimeSeries { labels: vec![label("__name__", name), label("pod", pod)], samples, ..TimeSeries::default() }
}

pub(crate) fn request(name: &str, pod: &str, samples: &[(i64, f64)]) -> WriteRequest {
    WriteRequest::of(vec![series(name, pod, samples)])
}

impl Rig {
    /// One request for each sample; time in seconds after `T`.
    pub(crate) fn put(&mut self, name: &str, pod: &str, samples: &[(i64, f64)]) {
        for sample in samples {
            self.deliver(&request(name, pod, &[*sample]));
            assert_conserved(&self.gate.outcome);
        }
    }

    /// One request that holds a sample of each of these: metric, pod, value; time in seconds after `T`.
    pub(crate) fn put_all(&mut self, at: i64, all: &[(&str, &str, f64)]) {
        let of = |(name, pod, value): &(&str, &str, f64)| series(name, pod, &[(at, *value)]);
        self.deliver(&WriteRequest::of(all.iter().map(of).collect()));
        assert_conserved(&self.gate.outcome);
    }

    /// One request of remote write 2.0 at one time, in which series say when they began: seconds after `T`; 0: they do not.
    pub(crate) fn put_started(&mut self, at: i64, all: &[(&str, &str, f64, i64)]) {
        let of = |(name, pod, value, _): &(&str, &str, f64, i64)| series(name, pod, &[(at, *value)]);
        let mut request = v2::Request::of(&WriteRequest::of(all.iter().map(of).collect()));
        for (series, (.., began)) in request.timeseries.iter_mut().zip(all) {
            let start = if *began == 0 { 0 } else { T + began * 1000 };
            series.samples.iter_mut().for_each(|sample| sample.start_timestamp = start);
        }
        self.deliver_v2(&request);
        assert_conserved(&self.gate.outcome);
    }

    /// What came out for a series: time in seconds after `T`, value.
    pub(crate) fn points(&mut self, series: &str) -> String {
        let mut text = String::new();
        for (ms, value) in self.finish().get(series).cloned().unwrap_or_default() {
            let seconds = (ms - T) as f64 / 1000.0;
            write!(text, "{seconds}:{value} ").unwrap();
        }
        text.trim_end().to_owned()
    }
}

pub(crate) const STALE_MARKER: f64 = f64::from_bits(STALE);
