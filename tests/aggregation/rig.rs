//! A pipeline that aggregates, in the time of its samples, with its output collected.

use seriesgate::aggregate::{Outbox, Outgoing, Settings, Snapshot};
use seriesgate::policy::{Action, Aggregation, Definition, MetricKind, Mode};
use seriesgate::series::Fingerprinter;
use seriesgate_proto::{WriteRequest, encode_snappy, v2};

use crate::pipeline::{Gate, NOW_MS, decode, expire, policy, text};
use crate::world::{Output, shown};

pub(crate) struct Rig {
    pub(crate) gate: Gate,
    pub(crate) policies: Vec<Definition>,
    idle_ms: i64,
    pub(crate) output: Output,
    last: Option<WriteRequest>,
    next_round_ms: i64,
}

pub(crate) fn aggregation(delay_ms: i64) -> Aggregation {
    Aggregation {
        collapse: vec!["pod".into()],
        replica_labels: ["__replica__".to_owned()].into(),
        delay_ms,
        ..Aggregation::default()
    }
}

fn policies(delay_ms: i64) -> Vec<Definition> {
    let gauges = Aggregation { kind: Some(MetricKind::Gauge), ..aggregation(delay_ms) };
    vec![
        policy("gauges", "memory_bytes", Action::Aggregate(gauges.into()), Mode::Enforce),
        policy("rest", "{pod!=\"\"}", Action::Aggregate(aggregation(delay_ms).into()), Mode::Enforce),
    ]
}

/// A gate at [`NOW_MS`], whose process began long before.
pub(crate) fn gate(policies: &[Definition], idle_ms: i64) -> Gate {
    let gate = begun(NOW_MS - 3_600_000, policies, idle_ms);
    gate.pipeline.clock().advance_ms(3_600_000);
    gate
}

/// One whose process begins then, Unix milliseconds.
pub(crate) fn begun(ms: i64, policies: &[Definition], idle_ms: i64) -> Gate {
    Gate::begun(ms, policies, |settings| {
        settings.max_tracked = 100_000;
        settings.aggregation = Settings { idle_ms, ..Settings::default() };
    })
}

impl Rig {
    pub(crate) fn new(delay_ms: i64, idle_ms: i64) -> Self {
        Self::of(policies(delay_ms), idle_ms)
    }

    pub(crate) fn of(policies: Vec<Definition>, idle_ms: i64) -> Self {
        let gate = gate(&policies, idle_ms);
        Self { gate, policies, idle_ms, output: Output::new(), last: None, next_round_ms: 0 }
    }

    /// A request that the upstream takes at the first try.
    pub(crate) fn deliver(&mut self, request: &WriteRequest) {
        let newest = request.timeseries.iter().flat_map(|s| &s.samples).map(|sample| sample.timestamp).max();
        self.move_clock(newest.unwrap_or(0));
        self.send(request);
    }

    /// The same, at the time that it is.
    pub(crate) fn send(&mut self, request: &WriteRequest) {
        self.gate.pass("", request);
        self.last = Some(request.clone());
        self.collect();
    }

    /// As [`Rig::deliver`], of remote write 2.0.
    pub(crate) fn deliver_v2(&mut self, request: &v2::Request) {
        let newest = request.timeseries.iter().flat_map(|s| &s.samples).map(|sample| sample.timestamp).max();
        self.move_clock(newest.unwrap_or(0));
        self.gate.pass_v2("", request);
        self.collect();
    }

    /// A request that is decided and not taken.
    pub(crate) fn refuse(&mut self, request: &WriteRequest) {
        self.gate.decide("", &encode_snappy(request)).unwrap();
        self.gate.pipeline.refuse(&self.gate.outcome);
    }

    /// The last request again: its sender did not get the answer.
    pub(crate) fn send_again(&mut self) {
        if let Some(last) = self.last.clone() {
            self.gate.pass("", &last);
            self.collect();
        }
    }

    pub(crate) fn change_settings(&mut self, change: impl Fn(&mut Settings)) {
        let mut settings = self.gate.pipeline.engine().settings();
        change(&mut settings);
        self.gate.pipeline.engine().replace_settings(settings);
    }

    pub(crate) fn now(&self) -> i64 {
        self.gate.pipeline.clock().unix_ms()
    }

    fn move_clock(&mut self, ms: i64) {
        let clock = self.gate.pipeline.clock();
        clock.advance_ms((ms - clock.unix_ms()).max(0));
    }

    /// What loops do as time passes; returns whether what is idle was forgotten.
    pub(crate) fn pass_time(&mut self, ms: i64) -> bool {
        self.move_clock(ms);
        let forgets = ms >= self.next_round_ms;
        if forgets {
            self.next_round_ms = ms + self.idle_ms / 16;
            expire(&self.gate, (self.idle_ms / 1000) as u32);
            self.gate.pipeline.expire_groups();
        }
        self.collect();
        forgets
    }

    /// The state of the one tenant.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (keys, outbox) = (vec![0; Fingerprinter::KEY_BYTES], Outbox::new(1_000_000));
        self.gate.pipeline.engine().save((0, ""), &keys, &outbox, &mut bytes).unwrap();
        bytes
    }

    /// Ends the gate and begins another from a snapshot.
    pub(crate) fn restore(&mut self, snapshot: &[u8]) {
        let now = self.gate.pipeline.clock().unix_ms();
        self.restore_at(snapshot, now.max(NOW_MS));
    }

    /// The same, where the wall clock shows this.
    pub(crate) fn restore_at(&mut self, snapshot: &[u8], ms: i64) {
        self.gate = gate(&self.policies, self.idle_ms);
        let clock = self.gate.pipeline.clock();
        clock.step_ms(ms - clock.unix_ms());
        let snapshot = Snapshot::read(snapshot).unwrap();
        let pipeline = &self.gate.pipeline;
        let prints = Fingerprinter::from_seed(1);
        let register = |name: &str| match pipeline.tenants().resolve(name, &prints) {
            seriesgate::series::Tenant::Known { group, .. } => Some(group),
            seriesgate::series::Tenant::Overflow => None,
        };
        let outbox = Outbox::new(1_000_000);
        pipeline.engine().restore(&snapshot, pipeline.clock().now(), &outbox, register).unwrap();
        pipeline.claim_groups();
        // what was made and not collected goes on to where it was going
        let waiting = Outgoing::of(outbox.of(0));
        self.keep(waiting.into_iter());
    }

    pub(crate) fn restart(&mut self) {
        let snapshot = self.snapshot();
        self.restore(&snapshot);
    }

    pub(crate) fn collect(&mut self) {
        let made = self.gate.pipeline.collect();
        self.keep(made.into_iter().flat_map(|(_, _, points)| Outgoing::of(points)));
    }

    pub(crate) fn finish(&mut self) -> Output {
        let made = self.gate.pipeline.engine().finish();
        self.keep(made.into_iter().flat_map(|(_, _, points)| Outgoing::of(points)));
        std::mem::take(&mut self.output)
    }

    fn keep(&mut self, requests: impl Iterator<Item = Outgoing>) {
        for outgoing in requests {
            let request = decode(snap::raw::Decoder::new(), &outgoing.encode().unwrap());
            for series in &request.timeseries {
                let points = self.output.entry(text(series)).or_default();
                points.extend(series.samples.iter().map(|s| (s.timestamp, shown(s.value.to_bits()))));
            }
        }
    }
}
