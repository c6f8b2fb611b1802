//! Groups of several gates, of agents that join, and of scopes: an honest aggregation is not accused, and each fault that such a
//! one can have is found. The aggregation is made here, scrape by scrape, from the bodies that are sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seriesgate_loadtest::client::{Client, Reach, Target};
use seriesgate_loadtest::expect::{Expectation, Expectations};
use seriesgate_loadtest::fleet::{Lane, Planner, Spread};
use seriesgate_loadtest::identity;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::proxy::{INSTANCE_LABEL, instance};
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::scope::Scope;
use seriesgate_loadtest::sink::OnThread;
use seriesgate_loadtest::verify::{Setting, Verdict, compare};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use super::expected::{START_MS, STEP_MS, runtime, sink};

const SCRAPES: i64 = 80;
/// Lanes change their gates after so many scrapes; the first of these is also when the second agent joins, where it does.
const DEAL: i64 = 30;
/// Points are made for windows of two scrapes.
const WINDOW: i64 = 2;

/// What the aggregation does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    /// What a member gained while it was elsewhere counts here too.
    CountsGaps,
    /// What comes for the first time counts from zero.
    CountsArrivals,
    /// A third of what members gain is lost.
    Loses,
    /// A counter begins anew.
    Falls,
    /// A point is sent again with another value.
    Corrects,
    /// What is aggregated goes out under no scope.
    Strays,
    /// Two scopes make one group, under the first of them.
    Mixes,
}

#[derive(Clone, Copy, Default)]
struct Case {
    gates: usize,
    churn: f64,
    joins: bool,
    scopes: bool,
}

#[derive(Default)]
struct Gate {
    /// Of each series: the last scrape in which it came, and its value then.
    last: BTreeMap<String, (i64, f64)>,
    /// By scope and metric.
    groups: BTreeMap<(usize, String), f64>,
}

impl Gate {
    fn take(&mut self, scrape: i64, scope: usize, series: &TimeSeries, flaw: Flaw) {
        let value = series.samples[0].value;
        if value.is_nan() {
            return;
        }
        let before = self.last.insert(format!("{scope} {:?}", series.labels), (scrape, value));
        let gained = match before {
            Some((last, before)) if last + 1 == scrape || flaw == Flaw::CountsGaps => value - before,
            None if flaw == Flaw::CountsArrivals => value,
            _ => 0.0,
        };
        let kept = if flaw == Flaw::Loses { 2.0 / 3.0 } else { 1.0 };
        let scope = if flaw == Flaw::Mixes { 0 } else { scope };
        let name = series.label("__name__").unwrap().to_owned();
        *self.groups.entry((scope, name)).or_default() += gained * kept;
    }

    /// The points of one scope at a time.
    fn points(&self, of_scope: usize, name: Option<&str>, at_ms: i64, more: f64) -> Vec<TimeSeries> {
        let mine = self.groups.iter().filter(|((scope, _), _)| *scope == of_scope);
        let labels: Vec<(&str, &str)> = name.map(|name| (INSTANCE_LABEL, name)).into_iter().collect();
        mine.map(|((_, metric), value)| TimeSeries::named(metric, &labels).with_sample(at_ms, value + more))
            .collect()
    }
}

struct Rig {
    case: Case,
    flaw: Flaw,
    planner: Planner,
    lanes: Vec<Lane>,
    gates: Vec<Gate>,
    scopes: Vec<Scope>,
    sink: OnThread,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    fn new(case: Case, flaw: Flaw) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let page = "a_total{pod=\"x-12345\"} 5000\nb_total{pod=\"x-12345\"} 70000\n";
        std::fs::write(directory.path().join("page.txt"), page).unwrap();
        let text = format!(
            "{{ name: x, source: {{ template: {{ file: page.txt, copies: 24, churn: {}, renamed: [pod] }} }} }}",
            case.churn
        );
        let scenario = Scenario::parse(&text, directory.path()).unwrap();
        let select = r#"{__name__=~".+_total"}"#.to_owned();
        let expect = [Expectation::Aggregated { select, without: vec!["pod".into()] }];
        let spread = Spread {
            lanes: 4,
            batch: 1000,
            within_ms: 0,
            stale_markers: true,
            metadata: false,
            shards: 2,
            protocol: Protocol::V1,
        };
        let account = |id: &str| Scope {
            headers: [("AccountID".to_owned(), id.to_owned())].into(),
            query: format!("x={id}"),
        };
        let scopes = if case.scopes { vec![account("1"), account("2")] } else { Vec::new() };
        let salts: Vec<u64> = scopes.iter().map(Scope::salt).collect();
        let expect = Arc::new(Expectations::new(&expect).unwrap());
        let mut planner =
            Planner::new(scenario.source(START_MS).unwrap(), expect, spread).with_scopes(&salts);
        if case.joins {
            planner = planner.with_join(1, START_MS + DEAL * STEP_MS);
        }
        let sink = sink();
        sink.handle().reset_scoped();
        Self {
            case,
            flaw,
            planner,
            lanes: (0..4).map(|_| Lane::new(1000)).collect(),
            gates: (0..case.gates).map(|_| Gate::default()).collect(),
            scopes,
            sink,
            runtime: runtime(),
        }
    }

    fn scrape(&mut self, scrape: i64) {
        let at_ms = START_MS + scrape * STEP_MS;
        let steps = self.planner.scrape(at_ms);
        for (number, (lane, step)) in self.lanes.iter_mut().zip(steps).enumerate() {
            lane.begin(step);
            let gate = (number + (scrape / DEAL) as usize) % self.case.gates;
            let scope = if self.case.scopes { number / 2 } else { 0 };
            let mut body = Vec::new();
            while lane.next_body(&mut body).is_some() {
                lane.went_to(gate, 0);
                for series in &decode(&body).timeseries {
                    self.gates[gate].take(scrape, scope, series, self.flaw);
                }
            }
        }
        if scrape == SCRAPES / 2 && self.flaw == Flaw::Falls {
            self.gates[0].groups.values_mut().for_each(|value| *value = 0.0);
        }
        if scrape % WINDOW == 0 {
            self.send(at_ms, 0.0);
            if scrape == SCRAPES / 2 && self.flaw == Flaw::Corrects {
                self.send(at_ms, 1.0);
            }
        }
    }

    /// Sends the points of a window; `more` is added to each.
    fn send(&self, at_ms: i64, more: f64) {
        for (number, gate) in self.gates.iter().enumerate() {
            let name = (self.case.gates > 1).then(|| instance(number));
            for scope in 0..self.scopes.len().max(1) {
                let points = gate.points(scope, name.as_deref(), at_ms, more);
                self.post(scope, points);
            }
        }
    }

    fn post(&self, scope: usize, points: Vec<TimeSeries>) {
        let mut target = Target::parse(&self.sink.handle().write_url(), Reach::Loopback).unwrap();
        if let Some(scope) = self.scopes.get(scope).filter(|_| self.flaw != Flaw::Strays) {
            for (name, value) in &scope.headers {
                target = target.with_header(name, value).unwrap();
            }
            target = target.with_query(&scope.query).unwrap();
        }
        let body = encode_snappy(&WriteRequest::of(points));
        let mut client = Client::new(target);
        let posted = client.post(body.into(), Duration::from_secs(10));
        assert!(self.runtime.block_on(posted).unwrap().status.is_success());
    }

    fn verdict(&self) -> Verdict {
        let name = |gate| identity::of_label(INSTANCE_LABEL.as_bytes(), instance(gate).as_bytes());
        let several = self.case.gates > 1;
        let setting = Setting {
            second_ms: 1000,
            step_ms: STEP_MS,
            holds_ms: WINDOW * STEP_MS,
            instances: (0..self.case.gates).filter(|_| several).map(name).collect(),
            scopes: self.scopes.iter().map(Scope::salt).collect(),
        };
        self.sink.handle().ledger(|ledger| compare(&self.lanes, 0, &setting, ledger))
    }
}

fn decode(body: &[u8]) -> WriteRequest {
    let mut raw = vec![0; snap::raw::decompress_len(body).unwrap()];
    snap::raw::Decoder::new().decompress(body, &mut raw).unwrap();
    prost::Message::decode(raw.as_slice()).unwrap()
}

fn judged(case: Case, flaw: Flaw) -> Verdict {
    let mut rig = Rig::new(case, flaw);
    for scrape in 0..SCRAPES {
        rig.scrape(scrape);
    }
    rig.verdict()
}

fn faults(case: Case, flaw: Flaw) -> String {
    judged(case, flaw).faults.join("; ")
}

const TWO: Case = Case { gates: 2, churn: 0.0, joins: false, scopes: false };
const JOINED: Case = Case { gates: 1, churn: 0.0, joins: true, scopes: false };
const SCOPED: Case = Case { gates: 1, churn: 0.0, joins: false, scopes: true };

#[test]
fn honest_aggregations_are_not_accused() {
    for churn in [0.0, 0.01] {
        let verdict = judged(Case { churn, ..TWO }, Flaw::None);
        assert_eq!(verdict.faults, Vec::<String>::new(), "{churn}");
        assert_eq!((verdict.groups, verdict.doubtful_groups), (2, 2), "{verdict:?}");
    }
    let verdict = judged(JOINED, Flaw::None);
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!((verdict.groups, verdict.doubtful_groups), (2, 0), "exactly, {verdict:?}");
    let verdict = judged(SCOPED, Flaw::None);
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!((verdict.groups, verdict.doubtful_groups), (4, 0), "exactly, {verdict:?}");
    assert_eq!(faults(Case { gates: 2, joins: true, ..SCOPED }, Flaw::None), "");
}

#[test]
fn what_two_gates_count_twice_is_found() {
    let gaps = faults(TWO, Flaw::CountsGaps);
    assert!(gaps.contains("2 of 2 groups do not gain what their members gain: one gains"), "{gaps}");
    let arrivals = faults(TWO, Flaw::CountsArrivals);
    assert!(arrivals.contains("2 of 2 groups"), "{arrivals}");
}

#[test]
fn what_two_gates_lose_is_found() {
    let lost = faults(TWO, Flaw::Loses);
    assert!(lost.contains("2 of 2 groups"), "{lost}");
}

#[test]
fn a_counter_that_falls_is_found() {
    let fallen = faults(TWO, Flaw::Falls);
    assert!(fallen.contains("counters of groups fall 2 times"), "{fallen}");
}

#[test]
fn another_value_for_the_same_time_is_found() {
    for case in [TWO, JOINED] {
        let corrected = faults(case, Flaw::Corrects);
        let points = 2 * case.gates;
        assert!(
            corrected.contains(&format!("{points} samples came again with another value")),
            "{corrected}"
        );
    }
}

/// An agent that joins behind a known address brings counters that are large already.
#[test]
fn an_agent_that_is_taken_for_newborn_pods_is_found() {
    let joined = faults(JOINED, Flaw::CountsArrivals);
    assert!(joined.contains("2 of 2 groups"), "{joined}");
    let lost = faults(JOINED, Flaw::Loses);
    assert!(lost.contains("2 of 2 groups"), "{lost}");
}

#[test]
fn what_leaves_its_scope_is_found() {
    let strayed = faults(SCOPED, Flaw::Strays);
    assert!(strayed.contains("2 series arrived under another scope"), "{strayed}");
    assert!(strayed.contains("4 groups did not arrive"), "{strayed}");
    let mixed = faults(SCOPED, Flaw::Mixes);
    assert!(mixed.contains("2 groups did not arrive; 2 of 2 groups do not gain"), "{mixed}");
}

/// Keys of a scenario that cannot be meant.
#[test]
fn what_does_not_fit_together_is_refused() {
    let error = |keys: &str| {
        let text = format!("name: x\nsource: {{ plain: {{ series: 5 }} }}\n{keys}");
        format!("{:#}", Scenario::parse(&text, Path::new(".")).unwrap_err())
    };
    assert!(error("gates: 0").contains("1 to 100 gates"));
    assert!(error("addresses: 300").contains("1 to 100 addresses"));
    assert!(error("scopes: [{ query: a=b }, { query: a=c }]").contains("2 scopes need as many agents"));
    assert!(error("joins: [{ agent: 1, at: 5m }]").contains("there is no agent 1"));
    assert!(error("restarts: [{ gate: 1, at: 5m }]").contains("there is no gate 1"));
    assert!(error("restarts: [{ at: 10s }]").contains("while warming up"));
}
