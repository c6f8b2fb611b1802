//! Works of the data path whose instructions callgrind counts; `scripts/instructions.sh` runs this program under it.
//!
//! `instructions` names its works, `instructions WORK` does one, with 20,000 series of 14 Kubernetes labels in requests of 2,000. Only
//! what [`counted`] does is counted, and callgrind writes a sum each time that it returns. So for each call of it this program says on
//! a line to which figure that sum belongs, whether it is added or taken away, and how many units it is for:
//!
//! ```text
//! FIGURE <tab> + or - <tab> UNITS
//! ```
//!
//! A new series does not come alone: those of a pod or two, 40 each, stand in a request among known ones. Its figure is what scrapes
//! with new series take more than the scrapes behind them, in which the same series are known. What still differs from run to run is
//! when hash tables grow, whose keys the standard library and `ahash` draw: the more series are new, the less it weighs.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::ExitCode;

use seriesgate::clock::Clock;
use seriesgate::pipeline::{Body, Origin, Outcome, Pipeline, Scratch, Settings};
use seriesgate::policy::relabel::RuleText;
use seriesgate::policy::{Action, Aggregation, Definition, Keys, MetricKind, Mode, PolicySet, Run, Selector};
use seriesgate::series::{Fingerprinter, Limits};
use seriesgate::wire::{Form, Message};
use seriesgate_loadtest::body::BodyBuilder;
use seriesgate_loadtest::names::Seed;
use seriesgate_loadtest::protocol::Protocol;
use seriesgate_loadtest::shape::{Population, Shape};

const SERIES: u64 = 20_000;
const BATCH: usize = 2000;
const CHURN: f64 = 0.04;
const START_MS: i64 = 1_700_000_000_000;
const INTERVAL_MS: i64 = 15_000;
/// Scrapes before any counts: by then it is known whose series these are, and tables have grown.
const WARM: usize = 3;
/// Scrapes that count.
const COUNTED: usize = 2;
/// Pairs of scrapes, with new series and without.
const PAIRS: usize = 8;

/// What a gate is given to do, and what goes on of each request.
struct Work {
    name: &'static str,
    protocol: Protocol,
    policies: Vec<Definition>,
    goes_on: Body,
}

fn policy(selector: &str, action: Action) -> Definition {
    let selectors = vec![Selector::parse(selector).unwrap()];
    Definition { name: selector.into(), selectors, workload: None, action, mode: Mode::Enforce }
}

/// Nobody says of these metrics what they are, so policies do: three of ten are gauges.
fn aggregation(selector: &str, kind: MetricKind) -> Definition {
    let without = ["id", "instance", "node", "pod", "job_name"].map(String::from);
    let aggregation =
        Aggregation { keys: Keys::Without(without.into()), kind: Some(kind), ..Aggregation::default() };
    policy(selector, Action::Aggregate(aggregation.into()))
}

fn works() -> [Work; 5] {
    let everything = r#"{__name__=~".+"}"#;
    let labeldrop =
        RuleText { action: Some("labeldrop".into()), regex: Some("node".into()), ..RuleText::default() };
    let rewrite = policy(everything, Action::Relabel([labeldrop].into()));
    let drop = policy(r#"{__name__=~"container_(cpu|memory|fs_reads).+"}"#, Action::Drop);
    let aggregate = vec![
        aggregation(r#"{__name__=~"container_memory_.+|kube_pod_status_phase"}"#, MetricKind::Gauge),
        aggregation(everything, MetricKind::Counter),
    ];
    let v1 = |name, policies, goes_on| Work { name, protocol: Protocol::V1, policies, goes_on };
    [
        v1("forward 1.0", Vec::new(), Body::Untouched),
        Work { protocol: Protocol::V2, ..v1("forward 2.0", Vec::new(), Body::Untouched) },
        v1("rewrite all", vec![rewrite], Body::Spliced),
        v1("drop by regex", vec![drop], Body::Spliced),
        v1("aggregate all", aggregate, Body::Nothing),
    ]
}

impl Work {
    fn pipeline(&self, clock: &Clock) -> Pipeline {
        let settings = Settings {
            max_tracked: 1_000_000,
            max_tenants: 1,
            max_decoded_bytes: 1 << 26,
            max_future_ms: None,
            validation: Default::default(),
            long_values: None,
            stale_markers: true,
            limits: Limits { max_labels: 256, max_name_bytes: 4096, max_value_bytes: 65536 },
            tracking: Default::default(),
            aggregation: seriesgate::aggregate::Settings::default(),
        };
        let set = PolicySet::compile(&self.policies, Run::AsConfigured).unwrap();
        Pipeline::new(settings, set, Fingerprinter::from_seed(1), clock.clone())
    }

    fn origin(&self) -> Origin<'static> {
        let message = if self.protocol == Protocol::V2 { Message::V2 } else { Message::V1 };
        let sender = Some([127, 0, 0, 1].into());
        Origin { scope: "", sender, message, wanted: Form { message, ..Form::PLAIN } }
    }
}

/// Pods, the number of the scrape that comes next, and at which each pod was replaced last.
struct Pods {
    population: Population,
    incarnations: Vec<u64>,
    scrape: u64,
    protocol: Protocol,
}

impl Pods {
    fn new(protocol: Protocol) -> Self {
        let population = Population { series: SERIES, shape: Shape::K8s14, churn: CHURN, seed: Seed::new(1) };
        let pods = usize::try_from(population.pods()).unwrap();
        Self { population, incarnations: vec![0; pods], scrape: 0, protocol }
    }

    /// Requests of the next scrape, and how many series in them are new.
    fn scrape(&mut self, replaced: bool) -> (Vec<Vec<u8>>, u64) {
        self.scrape += 1;
        let scraped_ms = START_MS + self.scrape as i64 * INTERVAL_MS;
        let mut builder = BodyBuilder::new(BATCH).with_protocol(self.protocol);
        let (mut bodies, mut new) = (Vec::new(), 0);
        for (pod, incarnation) in (0..).zip(&mut self.incarnations) {
            if replaced && self.population.replaced(pod, self.scrape) {
                *incarnation = self.scrape;
                new += self.population.series_of(pod);
            }
            let seed = self.population.seed.child(pod);
            let sampled_ms = scraped_ms - INTERVAL_MS + seed.below(15_000) as i64;
            self.population.visit(
                pod,
                *incarnation,
                |_| true,
                |index, labels| {
                    let value = (seed.child(index).below(1_000_000) + self.scrape * 17) as f64 / 100.0;
                    bodies.extend(builder.push(labels, value, sampled_ms).map(|body| body.bytes.to_vec()));
                },
            );
        }
        (bodies, new)
    }
}

/// A gate's data path, and what a worker keeps from request to request.
struct Gate {
    work: Work,
    clock: Clock,
    pods: Pods,
    pipeline: Pipeline,
    scratch: Scratch,
    outcome: Outcome,
}

/// All that is counted. The script tells callgrind its name.
#[inline(never)]
fn counted(gate: &mut Gate, bodies: &[Vec<u8>]) {
    let origin = gate.work.origin();
    for body in bodies {
        gate.pipeline.decide(origin, body, &mut gate.scratch, &mut gate.outcome).unwrap();
        gate.pipeline.commit(&gate.outcome);
        assert_eq!(gate.outcome.body, gate.work.goes_on);
    }
}

impl Gate {
    fn new(work: Work) -> Self {
        let clock = Clock::manual(START_MS);
        let (pods, pipeline) = (Pods::new(work.protocol), work.pipeline(&clock));
        Self { work, clock, pods, pipeline, scratch: Scratch::default(), outcome: Outcome::default() }
    }

    /// The next scrape; how many samples it has, and how many of their series are new.
    fn pass(&mut self, replaced: bool) -> (u64, u64) {
        let (bodies, new) = self.pods.scrape(replaced);
        self.clock.advance_ms(INTERVAL_MS);
        counted(self, &bodies);
        // windows that are over make room, as in a gate
        self.pipeline.collect();
        (SERIES, new)
    }
}

fn main() -> ExitCode {
    // cargo's own arguments begin with dashes
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let Some(wanted) = wanted else {
        works().iter().for_each(|work| println!("{}", work.name));
        return ExitCode::SUCCESS;
    };
    let Some(work) = works().into_iter().find(|work| work.name == wanted) else {
        eprintln!("{wanted:?} is none of the works");
        return ExitCode::FAILURE;
    };
    let mut gate = Gate::new(work);
    for _ in 0..WARM {
        gate.pass(false);
        println!("-\t+\t0");
    }
    for _ in 0..COUNTED {
        let (samples, _) = gate.pass(false);
        println!("{wanted}, known\t+\t{samples}");
    }
    for _ in 0..PAIRS {
        let (_, new) = gate.pass(true);
        println!("{wanted}, new\t+\t{new}");
        gate.pass(false);
        println!("{wanted}, new\t-\t0");
    }
    ExitCode::SUCCESS
}
