//! Runs of other kinds than CronJobs: whose they are, and when they are named for being kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use seriesgate::admin::View;
use seriesgate::aggregate::Types;
use seriesgate::cardinality::{Finding, FindingKind};
use seriesgate::config::Config;
use seriesgate::policy::{Definition, Disposition, PolicySet, Run, WorkloadSource};
use seriesgate::series::{self, Limits};

use super::ksm::{Job, Pod, Scrape, State, pod_name};
use super::rig::Watch;
use super::world::NAMESPACE;

/// Who makes runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Jobs with a `generateName`, which no object owns.
    Job,
    /// Jobs that a script names by the second.
    Script,
    /// Jobs that a script names by the second as people write it.
    Dated,
    /// TaskRuns of one pipeline.
    Tekton,
    /// Workflows of one template.
    Argo,
    /// SparkApplications of a ScheduledSparkApplication.
    SparkOperator,
    /// Drivers that nobody owns.
    SparkSubmit,
    Airflow,
    GitlabRunner,
}

impl Maker {
    pub(crate) const ALL: [Self; 9] = [
        Self::Job,
        Self::Script,
        Self::Dated,
        Self::Tekton,
        Self::Argo,
        Self::SparkOperator,
        Self::SparkSubmit,
        Self::Airflow,
        Self::GitlabRunner,
    ];

    /// Kind and name of the workload.
    pub(crate) fn workload(self) -> (&'static str, &'static str) {
        match self {
            Self::Job => ("job", "migrate"),
            Self::Script => ("job", "backup"),
            Self::Dated => ("job", "dump"),
            Self::Tekton => ("tekton", "build"),
            Self::Argo => ("argo", "etl"),
            Self::SparkOperator => ("spark", "nightly"),
            Self::SparkSubmit => ("spark", "word-count"),
            Self::Airflow => ("airflow", "sales-load"),
            Self::GitlabRunner => ("gitlab_runner", "runner-xyz1-project-7"),
        }
    }

    /// The name of a run.
    fn run(self, number: u64) -> String {
        let (_, name) = self.workload();
        let random = pod_name("x", number)[2..].to_owned();
        let mixed = format!("k{}q{}{}7z", number % 10, number / 10 % 10, &random[..2]);
        match self {
            Self::Job | Self::Tekton | Self::Argo => format!("{name}-{random}"),
            Self::Script => format!("{name}-{}", 1_767_225_601 + 60 * number),
            Self::Dated => {
                let (day, hour, minute) = (1 + number / 1440, number / 60 % 24, number % 60);
                format!("{name}-202601{day:02}{hour:02}{minute:02}07")
            }
            Self::SparkOperator => format!("{name}-{}000000007", 1_767_225_601 + 60 * number),
            Self::SparkSubmit => format!("{name}-{:016x}", 0x9fe8_0c1f_53a7_0000 + number),
            Self::Airflow => format!("{name}-{mixed}"),
            Self::GitlabRunner => format!("{name}-concurrent-0-{random}"),
        }
    }

    /// What is there of a run of this age, minutes.
    fn pods(self, number: u64, age: u32, ending: &'static str) -> Vec<Pod> {
        let run = self.run(number);
        let over = |from: u32| if age < from { "Running" } else { ending };
        let pod = |name: String, kind, owner: &str, phase| Pod {
            name,
            namespace: NAMESPACE,
            node: "worker-1".to_owned(),
            owner: (kind, owner.to_owned()),
            phase,
        };
        match self {
            Self::Job | Self::Script | Self::Dated => vec![pod(pod_name(&run, 1), "Job", &run, over(LASTS))],
            Self::Tekton => {
                let task = |task: &str, phase| {
                    pod(format!("{run}-{task}-pod"), "TaskRun", &format!("{run}-{task}"), phase)
                };
                let mut pods = vec![task("compile", over(1))];
                // the next task begins a while after the one before has ended
                pods.extend((age >= 2).then(|| task("unit-tests", over(LASTS))));
                pods
            }
            Self::Argo => vec![pod(format!("{run}-extract-2881340912"), "Workflow", &run, over(LASTS))],
            Self::SparkOperator => {
                let driver = format!("{run}-driver");
                let executor = format!("{run}-{:016x}-exec-1", 0x9fe8_0c1f_53a7_0000 + number);
                let mut pods = vec![pod(driver.clone(), "SparkApplication", &run, over(LASTS))];
                pods.extend((age < LASTS).then(|| pod(executor, "Pod", &driver, "Running")));
                pods
            }
            Self::SparkSubmit => {
                let driver = format!("{run}-driver");
                let executor = pod(format!("{run}-exec-1"), "Pod", &driver, "Running");
                let mut pods = vec![pod(driver, "", "", over(LASTS))];
                pods.extend((age < LASTS).then_some(executor));
                pods
            }
            Self::Airflow | Self::GitlabRunner => vec![pod(run, "", "", over(LASTS))],
        }
    }

    fn has_jobs(self) -> bool {
        matches!(self, Self::Job | Self::Script | Self::Dated)
    }
}

/// A run takes so many minutes.
const LASTS: u32 = 3;

/// The runs of one maker.
pub(crate) struct Runs {
    pub(crate) maker: Maker,
    /// Minutes from run to run.
    every: u32,
    /// How many finished runs are kept; none: all.
    pub(crate) keeps: Option<usize>,
    /// Whether what failed is kept, all of it: every third run.
    keeps_failed: bool,
    /// Number, when it began, and how it ends.
    runs: Vec<(u64, u32, &'static str)>,
    next: u64,
}

impl Runs {
    pub(crate) fn new(maker: Maker, every: u32, keeps: Option<usize>) -> Self {
        Self { maker, every, keeps, keeps_failed: false, runs: Vec::new(), next: 0 }
    }

    pub(crate) fn advance(&mut self, minute: u32) {
        if minute.is_multiple_of(self.every) {
            let ending = if self.next.is_multiple_of(3) { "Failed" } else { "Succeeded" };
            self.runs.push((self.next, minute, ending));
            self.next += 1;
        }
        let Some(keeps) = self.keeps else { return };
        let goes =
            |run: &(u64, u32, &str)| minute >= run.1 + LASTS && !(self.keeps_failed && run.2 == "Failed");
        let mut gone = self.runs.iter().filter(|run| goes(run)).count().saturating_sub(keeps);
        self.runs.retain(|run| {
            let is_gone = gone > 0 && goes(run);
            gone -= usize::from(is_gone);
            !is_gone
        });
    }

    pub(crate) fn scrape(&self, minute: u32, scrape: &mut Scrape) {
        let (kind, name) = self.maker.workload();
        scrape.about = Some((kind, name.to_owned()));
        for (number, began, ending) in &self.runs {
            let age = minute - began;
            if self.maker.has_jobs() {
                let state = match *ending {
                    _ if age < LASTS => State::Active,
                    "Failed" => State::Failed,
                    _ => State::Complete,
                };
                let name = self.maker.run(*number);
                scrape.job(&Job { name, namespace: NAMESPACE, cronjob: None, state, completed: 0 });
            }
            self.maker.pods(*number, age, ending).iter().for_each(|pod| scrape.pod(pod));
        }
        scrape.about = None;
    }
}

/// A cluster with the runs of some makers.
pub(crate) struct Engines {
    pub(crate) of: Vec<Runs>,
    pub(crate) honors_labels: bool,
}

impl Engines {
    pub(crate) fn age(&mut self, watch: &Watch, minutes: u32) {
        let now = watch.now() / 60;
        (now - minutes..=now).for_each(|minute| self.of.iter_mut().for_each(|runs| runs.advance(minute)));
    }

    pub(crate) fn scrape(&self, watch: &Watch) -> Scrape {
        let mut scrape = Scrape::new(self.honors_labels);
        scrape.node("worker-1", "6.1");
        self.of.iter().for_each(|runs| runs.scrape(watch.now() / 60, &mut scrape));
        scrape
    }

    /// The names of runs that are over, and of their pods.
    fn over(&self, minute: u32) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for Runs { maker, runs, .. } in &self.of {
            for (number, began, ending) in runs {
                let pods = maker.pods(*number, minute - began, ending);
                // between one task and the next nothing says that the run goes on
                if pods.iter().all(|pod| pod.phase == *ending) {
                    names.insert(maker.run(*number));
                    names.extend(pods.into_iter().map(|pod| pod.name));
                }
            }
        }
        names
    }

    pub(crate) fn live(&mut self, watch: &mut Watch, minutes: u32) {
        for _ in 0..minutes {
            watch.wait(1);
            self.of.iter_mut().for_each(|runs| runs.advance(watch.now() / 60));
            watch.scrape(&self.scrape(watch).end().0);
        }
    }
}

fn all(every: u32, keeps: Option<usize>) -> Vec<Runs> {
    Maker::ALL.map(|maker| Runs::new(maker, every, keeps)).into()
}

fn findings(watch: &Watch) -> Vec<Finding> {
    watch.gate.pipeline.tracker().findings(watch.now())
}

/// Kind of finding, kind and name of its workload.
fn named(watch: &Watch) -> BTreeSet<(FindingKind, &'static str, String)> {
    let name = |finding: Finding| {
        let culprit = finding.culprit.unwrap();
        (finding.kind, culprit.kind.as_str(), culprit.name)
    };
    findings(watch).into_iter().map(name).collect()
}

fn stuck(makers: &[Maker]) -> BTreeSet<(FindingKind, &'static str, String)> {
    let of = |maker: &Maker| {
        let (kind, name) = maker.workload();
        (FindingKind::StuckRuns, kind, name.to_owned())
    };
    makers.iter().map(of).collect()
}

#[test]
fn runs_of_each_kind_go_to_one_workload() {
    for honors_labels in [true, false] {
        let mut watch = Watch::warm();
        let mut engines = Engines { of: all(1, None), honors_labels };
        engines.age(&watch, 5);
        engines.live(&mut watch, 8);
        // what came before its owner was said moves at its next sample
        let (page, truth) = engines.scrape(&watch).end();
        watch.wait(1);
        watch.scrape(&page);
        let tracker = watch.gate.pipeline.tracker();
        for (labels, about) in truth {
            let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let found = tracker.workload_of(0, series::Labels::from_sorted(&pairs));
            let found = found.map(|(_, kind, name, _)| (kind.as_str(), name));
            assert_eq!(found, about, "honor_labels: {honors_labels}, {labels:?}");
        }
        for maker in Maker::ALL {
            let (kind, name) = maker.workload();
            let line = watch.workload(kind, name).unwrap_or_else(|| panic!("{maker:?}"));
            let runs = engines.of.iter().find(|runs| runs.maker == maker).unwrap().runs.len() as u32;
            assert_eq!(line.runs, runs, "{maker:?}");
        }
    }
}

#[test]
fn runs_that_pile_up_are_named_whatever_their_kind() {
    for (every, honors_labels) in [(1, true), (5, false)] {
        let mut watch = Watch::new();
        let mut engines = Engines { of: all(every, None), honors_labels };
        engines.age(&watch, 30 * every);
        for minute in 1..=20 {
            engines.live(&mut watch, 1);
            let named = named(&watch);
            assert!(named.is_subset(&stuck(&Maker::ALL)), "every {every}, minute {minute}: {named:?}");
            let missing: Vec<_> = stuck(&Maker::ALL).difference(&named).cloned().collect();
            assert!(minute < 16 || missing.is_empty(), "every {every}, minute {minute}: {missing:?}");
        }
        let first = &findings(&watch)[0];
        let growth = first.growth_per_hour.unwrap();
        assert!((growth - f64::from(60 / every)).abs() <= 12.0, "every {every}: {first:?}");
    }
}

#[test]
fn runs_that_begin_to_pile_up_are_named_and_those_that_are_cleaned_up_are_not_any_more() {
    let mut watch = Watch::new();
    let mut engines = Engines { of: all(1, Some(2)), honors_labels: false };
    engines.age(&watch, 20);
    for minute in 1..=20 {
        engines.live(&mut watch, 1);
        assert_eq!(named(&watch), BTreeSet::new(), "minute {minute}");
    }
    engines.of.iter_mut().for_each(|runs| runs.keeps = None);
    // for an hour those that went are remembered
    engines.live(&mut watch, 60);
    assert_eq!(named(&watch), stuck(&Maker::ALL));
    engines.of.iter_mut().for_each(|runs| runs.keeps = Some(2));
    engines.live(&mut watch, 1);
    assert_eq!(named(&watch), BTreeSet::new());
}

#[test]
fn who_cleans_up_is_not_named_however_many_it_keeps() {
    for (every, keeps, marks) in [
        (1, 0, true),
        (1, 3, false),
        (1, 10, true),
        (1, 10, false),
        (1, 30, true),
        (1, 30, false),
        (5, 20, true),
    ] {
        let mut watch = Watch::new();
        watch.marks = marks;
        let mut engines = Engines { of: all(every, Some(keeps)), honors_labels: true };
        engines.age(&watch, 40 * every);
        for minute in 1..=40 {
            engines.live(&mut watch, 1);
            let named = named(&watch);
            assert_eq!(named, BTreeSet::new(), "every {every}, {keeps} kept, {marks}, minute {minute}");
        }
    }
}

#[test]
fn failed_runs_that_are_kept_are_named_beside_others_that_go() {
    let mut watch = Watch::new();
    let mut engines = Engines { of: all(1, Some(0)), honors_labels: true };
    engines.of.iter_mut().for_each(|runs| runs.keeps_failed = true);
    engines.age(&watch, 60);
    engines.live(&mut watch, 20);
    assert_eq!(named(&watch), stuck(&Maker::ALL));
}

/// Many jobs of one release that end together, and are deleted some minutes later.
#[test]
fn a_batch_that_ends_at_one_stroke_is_not_named() {
    let mut watch = Watch::new();
    let mut engines = Engines { of: all(1, None), honors_labels: true };
    engines.live(&mut watch, 1);
    for _ in 0..3 {
        let minute = watch.now() / 60;
        for runs in &mut engines.of {
            runs.every = u32::MAX;
            runs.runs.extend((0..30).map(|n| (runs.next + n, minute, "Succeeded")));
            runs.next += 30;
        }
        for after in 1..=30 {
            engines.live(&mut watch, 1);
            // of what has just come the owner is not known yet
            assert!(after == 1 || named(&watch).is_empty(), "minute {after}: {:?}", named(&watch));
        }
        engines.of.iter_mut().for_each(|runs| runs.runs.clear());
        engines.live(&mut watch, 5);
    }
}

pub(crate) const LIMITS: Limits = Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 };

/// The findings as the admin port answers.
pub(crate) fn answered(watch: &Watch, types: Option<&Types>) -> Vec<serde_json::Value> {
    let pipeline = &watch.gate.pipeline;
    let view = View {
        tracker: pipeline.tracker(),
        types,
        tenants: pipeline.tenants().names(),
        policies: Vec::new(),
        rejected: Vec::new(),
        incomplete: false,
        now: watch.now(),
    };
    let answer: serde_json::Value = serde_json::from_str(&view.json("/api/v1/churn", "limit=1")).unwrap();
    answer["findings"].as_array().unwrap().clone()
}

/// A config with these policies, which `check --strict` finds nothing to say about.
pub(crate) fn config(policies: &[&str]) -> String {
    let text = format!(
        "listen: {{ address: '127.0.0.1:9201' }}\nupstreams: [ {{ name: a, url: 'http://h/w' }} ]\npolicies:\n{}",
        policies.concat()
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gate.yaml"), &text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let checked =
        command.current_dir(dir.path()).args(["check", "--strict", "--config", "gate.yaml"]).output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{text}\n{}", String::from_utf8_lossy(&checked.stdout));
    text
}

/// The policies that are printed, in force.
pub(crate) fn in_force(policies: &[&str]) -> Vec<Definition> {
    let text = config(policies).replace("mode: preview", "mode: enforce");
    Config::parse(&text, "gate.yaml", Path::new("."), &|_| None).unwrap().config.policies
}

#[test]
fn each_remedy_takes_exactly_the_runs_that_it_is_for() {
    for honors_labels in [true, false] {
        let mut watch = Watch::new();
        let mut engines = Engines { of: all(1, None), honors_labels };
        engines.age(&watch, 20);
        engines.live(&mut watch, 18);
        let found = answered(&watch, None);
        assert_eq!(found.len(), Maker::ALL.len());
        let policies: Vec<&str> = found
            .iter()
            .map(|finding| {
                assert_eq!(finding["remedy"]["tried"]["result"], "right", "{finding}");
                assert!(!finding["advice"].as_str().unwrap().contains("no policy"), "{finding}");
                finding["remedy"]["policy"].as_str().unwrap()
            })
            .collect();
        config(&policies);
        let (page, truth) = engines.scrape(&watch).end();
        let (now, over) = (watch.now(), engines.over(watch.now() / 60));
        for (finding, policy) in found.iter().zip(&policies) {
            let set = PolicySet::compile(&in_force(&[*policy]), Run::AsConfigured).unwrap();
            let workload = &finding["workload"];
            for labels in page.keys() {
                let pairs: Vec<_> =
                    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let series = series::Labels::from_sorted(&pairs);
                let find = || watch.gate.pipeline.tracker().known_facts(0, series, now);
                // half an hour from now
                let decision = set.decide(series, &WorkloadSource::new(now + 1800, &find), &LIMITS);
                let is_own = truth[labels]
                    .as_ref()
                    .is_some_and(|(kind, name)| workload["kind"] == *kind && workload["name"] == **name);
                let is_over = pairs.iter().any(|(_, value)| over.contains(*value));
                let is_for_alerts = matches!(series.metric(), "kube_job_failed" | "kube_job_status_failed");
                assert_eq!(
                    decision.verdict.disposition() == Disposition::Drop,
                    is_own && is_over && !is_for_alerts,
                    "{policy}\n{labels:?}"
                );
            }
        }
    }
}

#[test]
fn where_no_policy_takes_exactly_the_runs_the_answer_says_so_and_what_to_do() {
    let mut watch = Watch::new();
    let of = vec![Runs::new(Maker::Job, 1, None), Runs::new(Maker::Argo, 1, None)];
    let mut engines = Engines { of, honors_labels: true };
    engines.age(&watch, 20);
    for minute in 0..18 {
        watch.wait(1);
        engines.of.iter_mut().for_each(|runs| runs.advance(watch.now() / 60));
        let mut scrape = engines.scrape(&watch);
        let mut pod = |name: String, kind: &'static str, owner: &str, phase| {
            let (node, owner) = ("worker-1".to_owned(), (kind, owner.to_owned()));
            scrape.pod(&Pod { name, namespace: NAMESPACE, node, owner, phase });
        };
        // somebody's pods that are called as those of runs
        for owner in ["migrate-x2b7q", "fetch-1767225600"] {
            pod(format!("{owner}-zzzzz"), "DaemonSet", owner, "Running");
        }
        // runs of something that nobody knows
        for number in 0..20 + minute {
            let run = format!("fetch-{}", 1_767_225_601 + number);
            let phase = if number < 19 + minute { "Succeeded" } else { "Running" };
            pod(pod_name(&run, number), "FetchRun", &run, phase);
        }
        watch.scrape(&scrape.end().0);
    }
    let found = answered(&watch, None);
    let of = |kind: &str| found.iter().find(|finding| finding["workload"]["kind"] == kind).unwrap();
    // by their names they are not told apart
    assert!(of("generated")["remedy"].is_null(), "{}", of("generated"));
    let advice = of("generated")["advice"].as_str().unwrap();
    assert!(advice.starts_with("no policy is offered: one for these runs takes "), "{advice}");
    assert!(advice.contains("have who makes these pods delete them"), "{advice}");
    for (kind, at_source) in [("job", "set ttlSecondsAfterFinished"), ("argo", "set ttlStrategy")] {
        assert_eq!(of(kind)["remedy"]["tried"]["result"], "right", "{}", of(kind));
        assert!(of(kind)["advice"].as_str().unwrap().starts_with(at_source), "{}", of(kind));
    }
}
