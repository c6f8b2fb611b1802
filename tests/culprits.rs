//! Six hours of a simulated cluster, in seconds: who multiplies series must be named within ten minutes, in the right
//! order, and nobody else ever.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use seriesgate::cardinality::{Finding, FindingKind, Settings as Tracking};
use seriesgate::clock::Clock;
use seriesgate::pipeline::{Origin, Outcome, Pipeline, Scratch, Settings};
use seriesgate::policy::{PolicySet, Run};
use seriesgate::series::{Fingerprinter, Limits};
use seriesgate_loadtest::cluster::{Agent, Cluster, ClusterSpec, Event, Happening};

/// 2026-01-01T00:00:30Z.
const START_S: i64 = 1_767_225_630;
const SCRAPE_S: i64 = 60;
const IDLE_AFTER_S: u32 = 1200;
/// An agent's address.
const AGENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

/// A cluster, its agent, and the gate that it writes to.
struct Watch {
    agent: Agent,
    pipeline: Pipeline,
    clock: Clock,
    minute: i64,
    scratch: Scratch,
    outcome: Outcome,
    samples: u64,
}

fn pipeline(clock: &Clock) -> Pipeline {
    let limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };
    let settings = Settings {
        max_tracked: 2_000_000,
        max_tenants: 10,
        max_decoded_bytes: 1 << 26,
        max_future_ms: None,
        validation: Default::default(),
        long_values: None,
        stale_markers: true,
        limits,
        tracking: Tracking { warmup: 300, idle_after: IDLE_AFTER_S, ..Tracking::default() },
        aggregation: seriesgate::aggregate::Settings::default(),
    };
    let set = PolicySet::compile(&[], Run::AsConfigured).unwrap();
    Pipeline::new(settings, set, Fingerprinter::from_seed(1), clock.clone())
}

impl Watch {
    fn new(spec: ClusterSpec) -> Self {
        let clock = Clock::manual(START_S * 1000);
        Self {
            agent: Agent::new(Cluster::new(spec, START_S * 1000)),
            pipeline: pipeline(&clock),
            clock,
            minute: 0,
            scratch: Scratch::default(),
            outcome: Outcome::default(),
            samples: 0,
        }
    }

    /// Lets time pass until a minute; `scraping` or not.
    fn until(&mut self, minute: i64, scraping: bool) {
        while self.minute < minute {
            self.minute += 1;
            self.clock.advance_ms(SCRAPE_S * 1000);
            if scraping {
                self.scrape();
            }
            self.pipeline.tracker().sweep(self.clock.unix_seconds());
            self.walk();
            if self.minute % 5 == 0 {
                self.expire();
            }
        }
    }

    fn scrape(&mut self) {
        for body in self.agent.bodies(self.clock.unix_ms(), 2000) {
            let origin = Origin { scope: "", sender: Some(AGENT), ..Origin::default() };
            self.pipeline.decide(origin, &body.bytes, &mut self.scratch, &mut self.outcome).unwrap();
            self.pipeline.commit(&self.outcome);
            self.samples += body.series;
        }
    }

    fn walk(&self) {
        let (tracker, index) = (self.pipeline.tracker(), self.pipeline.index());
        let mut walk = tracker.begin_walk(self.clock.unix_seconds());
        (0..index.shards()).for_each(|shard| tracker.walk(&mut walk, index, shard));
        tracker.end_walk(walk);
    }

    fn expire(&mut self) {
        let now = self.clock.unix_seconds();
        let index = self.pipeline.index();
        let mut departed = Vec::new();
        for shard in 0..index.shards() {
            index.expire(shard, (now - IDLE_AFTER_S, now), &mut departed, |_, _| {});
        }
        self.pipeline.tracker().series_expired(&departed, now);
    }

    fn findings(&self) -> Vec<Finding> {
        let found = self.pipeline.tracker().findings(self.clock.unix_seconds());
        let weight = |f: &Finding| (f.kind == FindingKind::StuckRuns, f.series.max(f.series_held));
        let weights: Vec<_> = found.iter().map(weight).collect();
        assert!(weights.is_sorted_by(|a, b| a >= b), "worst first: {weights:?}");
        found
    }

    /// Names of the workloads and nodes that are named.
    fn named(&self, kinds: &[FindingKind]) -> BTreeSet<String> {
        let named = self.findings().into_iter().filter(|finding| kinds.contains(&finding.kind));
        named.map(|finding| finding.culprit.map(|c| c.name).or(finding.node).unwrap_or_default()).collect()
    }

    fn kinds(&self) -> BTreeSet<FindingKind> {
        self.findings().into_iter().map(|finding| finding.kind).collect()
    }
}

fn cronjobs() -> BTreeSet<String> {
    (0..50).map(|i| format!("sync-{i}")).collect()
}

fn at(minutes: i64, what: Happening) -> Event {
    Event { at_s: START_S + minutes * 60, what }
}

#[test]
fn culprits_are_named_within_ten_minutes_and_nobody_else_is() {
    const RUNS: [FindingKind; 2] = [FindingKind::Runs, FindingKind::StuckRuns];
    let mut spec = ClusterSpec::field_test(7);
    spec.keep_past_runs = true;
    spec.events = vec![at(90, Happening::Rollout(17)), at(180, Happening::NodeLost(3))];
    let mut watch = Watch::new(spec);

    watch.until(5, true);
    assert!(watch.findings().is_empty(), "everything is still learned");
    watch.until(15, true);
    assert!(watch.findings().is_empty(), "three runs are what Kubernetes keeps");

    watch.until(33, true);
    assert_eq!(watch.named(&[FindingKind::StuckRuns]), cronjobs(), "the fifth is more");
    watch.until(89, true);
    assert_eq!(watch.kinds(), BTreeSet::from([FindingKind::StuckRuns]), "and nothing else");
    let first = &watch.findings()[0];
    assert!((11.0..13.0).contains(&first.growth_per_hour.unwrap()), "twelve runs an hour: {first:?}");
    assert_eq!(first.new_runs, 12);
    let sentence = first.sentence();
    println!("{sentence}");
    let worst = first.worst.as_ref().unwrap();
    assert_eq!(
        (worst.name.as_str(), &worst.labels[..]),
        ("kube_pod_status_phase", &["pod".into(), "uid".into()][..])
    );
    assert!(worst.share > 0.9 && worst.pattern.ends_with("-<minutes>-<5>"), "{worst:?}");

    watch.until(100, true);
    assert_eq!(watch.named(&[FindingKind::Rollout]), BTreeSet::from(["app-17".to_owned()]));
    assert_eq!(watch.named(&RUNS), cronjobs());
    watch.until(179, true);
    assert_eq!(watch.kinds(), BTreeSet::from([FindingKind::StuckRuns]), "a rollout is over after an hour");

    watch.until(190, true);
    let node = watch.agent.cluster().node_name(3).unwrap().to_owned();
    assert_eq!(watch.named(&[FindingKind::NodeLost]), BTreeSet::from([node]));
    assert_eq!(watch.kinds(), BTreeSet::from([FindingKind::StuckRuns, FindingKind::NodeLost]));

    // the gate starts anew: it has seen nothing, and learns
    watch.until(245, true);
    watch.pipeline = pipeline(&watch.clock);
    watch.until(250, true);
    assert!(watch.kinds().is_subset(&[FindingKind::StuckRuns].into()), "{:?}", watch.findings());
    assert!(watch.named(&RUNS).is_subset(&cronjobs()));
    watch.until(256, true);
    assert_eq!(watch.named(&[FindingKind::StuckRuns]), cronjobs(), "ten minutes after the first request");
    watch.until(300, true);
    assert_eq!(watch.kinds(), BTreeSet::from([FindingKind::StuckRuns]));
    assert_eq!(watch.named(&RUNS), cronjobs());

    // the agent is away for longer than series are remembered, and comes back without memory
    watch.until(330, false);
    watch.agent.restart();
    watch.until(336, true);
    assert!(watch.named(&RUNS).is_subset(&cronjobs()));
    assert!(watch.kinds().is_subset(&RUNS.into()), "{:?}", watch.findings().last());
    watch.until(360, true);
    assert_eq!(watch.named(&RUNS), cronjobs());
    assert!(watch.kinds().is_subset(&RUNS.into()), "{:?}", watch.kinds());
    println!("{} samples", watch.samples);
}

#[test]
fn a_healthy_cluster_has_nothing_to_be_named() {
    let mut spec = ClusterSpec::field_test(3);
    spec.cronjobs.truncate(0);
    let mut watch = Watch::new(spec);
    watch.until(120, true);
    assert!(watch.findings().is_empty(), "{:?}", watch.findings());

    // history as Kubernetes keeps it: each run is new, and makes another go
    let mut watch = Watch::new(ClusterSpec::field_test(3));
    for minute in 1..=90 {
        watch.until(minute, true);
        assert!(watch.findings().is_empty(), "minute {minute}: {:?}", watch.findings());
    }
}
