//! A gate, and an agent that writes to it what it scrapes: what is gone since the last scrape ends with a stale marker.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use seriesgate::cardinality::WorkloadLine;
use seriesgate::pipeline::Origin;
use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest, encode_snappy};

use super::support::{Gate, STALE};

/// Series are forgotten after so many seconds.
pub(crate) const IDLE_AFTER_S: u32 = 1200;
/// First sights are learned for so long.
pub(crate) const WARMUP_S: u32 = 300;

/// The labels of a series, sorted by name.
pub(crate) type Labels = Vec<(String, String)>;
/// What a scrape finds: series and their values.
pub(crate) type Page = BTreeMap<Labels, f64>;

/// Labels as an agent sends them: sorted, none of them empty.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    let mut labels: Labels = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    labels.sort_unstable();
    labels
}

/// A series with one sample, as it is written.
pub(crate) fn series_of(labels: &Labels, value: f64, timestamp: i64) -> TimeSeries {
    let label = |(name, value): &(String, String)| Label { name: name.clone(), value: value.clone() };
    TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: vec![Sample { value, timestamp }],
        ..TimeSeries::default()
    }
}

/// An agent, the gate that it writes to, and their time.
pub(crate) struct Watch {
    pub(crate) gate: Gate,
    /// What the last scrape found.
    seen: Page,
    /// The agent's address.
    pub(crate) address: IpAddr,
    /// Whether it says what is gone.
    pub(crate) marks: bool,
    /// What the gate sent on of what was sent last; stale markers, too.
    pub(crate) sent: Page,
    minute: u32,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let gate = Gate::with(&[], |settings| {
            settings.max_tracked = 200_000;
            settings.limits.max_labels = 64;
            settings.limits.max_name_bytes = 1024;
            settings.limits.max_value_bytes = 4096;
            settings.tracking.warmup = WARMUP_S;
            settings.tracking.idle_after = IDLE_AFTER_S;
        });
        Self {
            gate,
            seen: Page::new(),
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)),
            marks: true,
            sent: Page::new(),
            minute: 0,
        }
    }

    /// One that has done its learning.
    pub(crate) fn warm() -> Self {
        let mut watch = Self::new();
        let up = Page::from([(labels(&[("__name__", "up"), ("job", "node")]), 1.0)]);
        watch.scrape(&up);
        watch.wait(6);
        watch
    }

    pub(crate) fn now(&self) -> u32 {
        self.gate.pipeline.clock().unix_seconds()
    }

    /// Lets minutes pass, with what a gate does every so often.
    pub(crate) fn wait(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.minute += 1;
            self.gate.pipeline.clock().advance_ms(60_000);
            let now = self.now();
            self.gate.pipeline.tracker().sweep(now);
            super::support::walk(&self.gate);
            if self.minute.is_multiple_of(5) {
                super::support::expire(&self.gate, IDLE_AFTER_S);
            }
        }
    }

    /// Scrapes a page, and ends what it has not any more.
    pub(crate) fn scrape(&mut self, page: &Page) {
        let is_gone = |labels: &&Labels| self.marks && !page.contains_key(*labels);
        let gone: Vec<Labels> = self.seen.keys().filter(is_gone).cloned().collect();
        let all = page.iter().map(|(labels, value)| (labels.clone(), *value));
        self.send(all.chain(gone.into_iter().map(|labels| (labels, STALE))).collect());
        self.seen.clone_from(page);
    }

    /// The agent starts anew, without a memory and under another address.
    pub(crate) fn restart(&mut self) {
        self.seen.clear();
        self.address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 77));
    }

    /// Sends series, 500 in a request.
    pub(crate) fn send(&mut self, series: Vec<(Labels, f64)>) {
        self.sent.clear();
        let timestamp = self.gate.pipeline.clock().unix_ms();
        for chunk in series.chunks(500) {
            let one = |(labels, value): &(Labels, f64)| series_of(labels, *value, timestamp);
            let request = WriteRequest::of(chunk.iter().map(one).collect());
            let body = encode_snappy(&request);
            let Gate { pipeline, scratch, outcome } = &mut self.gate;
            pipeline
                .decide(
                    Origin { scope: "", sender: Some(self.address), ..Origin::default() },
                    &body,
                    scratch,
                    outcome,
                )
                .unwrap();
            pipeline.commit(outcome);
            for series in super::support::forwarded(&self.gate, &request) {
                let pairs = series.labels.iter().map(|label| (label.name.clone(), label.value.clone()));
                assert_eq!(series.samples.len(), 1);
                assert_eq!(series.samples[0].timestamp, timestamp);
                self.sent.insert(pairs.collect(), series.samples[0].value);
            }
        }
    }

    pub(crate) fn workloads(&self) -> Vec<WorkloadLine> {
        self.gate.pipeline.tracker().workloads(self.now())
    }

    /// The line of a workload, if there is one.
    pub(crate) fn workload(&self, kind: &str, name: &str) -> Option<WorkloadLine> {
        self.workloads().into_iter().find(|line| line.kind.as_str() == kind && line.name == name)
    }

    /// Runs of a CronJob that are reported, and those of them that are over.
    pub(crate) fn runs(&self, cronjob: &str) -> Option<(u32, u32)> {
        self.workload("cronjob", cronjob).map(|line| (line.runs, line.runs_over))
    }
}
