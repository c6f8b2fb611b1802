//! The runs that coefficients are fitted to: they differ in one thing each.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::calibrate::{Calibration, Experiment};
use super::demand::Demand;
use crate::expect::Expectation;
use crate::proxy::ProxySpec;
use crate::run::{self, Progress, RunOptions};
use crate::scenario::{Scenario, SourceFile, Span, Variant};
use crate::shape::Shape;
use crate::sink::Level;

/// One setting: name, series, shape, churn, batch, shards, seconds from scrape to scrape, policy.
type Setting = (&'static str, u64, Shape, f64, usize, usize, f64, Option<&'static str>);

/// Each differs from another in one thing or two. None is a scenario that comes with the program.
const SETTINGS: [Setting; 16] = [
    ("14 labels", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, None),
    ("6 labels", 100_000, Shape::Short6, 0.0, 2000, 4, 1.0, None),
    ("14 labels, small requests", 100_000, Shape::K8s14, 0.0, 300, 4, 1.0, None),
    ("6 labels, small requests", 60_000, Shape::Short6, 0.0, 500, 8, 1.0, None),
    ("14 labels, 10% churn", 100_000, Shape::K8s14, 0.1, 2000, 4, 1.0, None),
    ("6 labels, 5% churn", 100_000, Shape::Short6, 0.05, 2000, 4, 1.0, None),
    ("400,000 series a second", 400_000, Shape::K8s14, 0.0, 2000, 8, 1.0, None),
    ("400,000 series, slow, 2% churn", 400_000, Shape::K8s14, 0.02, 2000, 8, 3.0, None),
    ("few series", 10_000, Shape::K8s14, 0.0, 2000, 2, 1.0, None),
    ("half a million series", 500_000, Shape::Short6, 0.01, 2000, 4, 2.0, None),
    ("40% dropped", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("drop")),
    ("all relabeled", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("relabel")),
    ("6 labels, 40% dropped", 150_000, Shape::Short6, 0.0, 2000, 4, 1.0, Some("drop")),
    ("6 labels, all relabeled", 150_000, Shape::Short6, 0.0, 2000, 4, 1.0, Some("relabel")),
    ("counters aggregated", 100_000, Shape::K8s14, 0.0, 2000, 4, 1.0, Some("aggregate")),
    ("counters aggregated, 5% churn", 200_000, Shape::K8s14, 0.05, 2000, 4, 1.0, Some("aggregate")),
];

/// The policies that are measured, and what they do.
fn variant(name: Option<&str>) -> Variant {
    let (policy, expect) = match name {
        Some("drop") => {
            let some = r#"{__name__=~"container_(cpu|memory|fs_reads).+"}"#;
            (json!({ "match": some, "action": "drop" }), Expectation::Removed(some.into()))
        }
        Some("relabel") => (
            json!({ "action": "relabel", "relabel_configs": [{ "action": "labeldrop", "regex": "metrics_path|endpoint|job" }] }),
            Expectation::Relabeled(r#"{__name__=~".+"}"#.into()),
        ),
        Some(_) => {
            let counters = r#"{__name__=~".+_total"}"#;
            let without = ["id", "instance", "node", "pod", "job_name"].map(str::to_owned).to_vec();
            (
                json!({ "match": counters, "action": "aggregate", "without": without, "interval": "60s" }),
                Expectation::Aggregated { select: counters.into(), without },
            )
        }
        None => return Variant { name: "forward".into(), ..Variant::default() },
    };
    let mut policy = policy.as_object().cloned().unwrap_or_default();
    policy.insert("name".into(), json!("calibrated"));
    let gate = [("policies".to_owned(), json!([policy]))].into_iter().collect();
    Variant { name: name.unwrap_or_default().into(), gate, expect: vec![expect], holds: None }
}

/// Runs them all, `rounds` times in turns, each for about `hold` seconds, and fits.
pub fn calibrate(
    proxy: &ProxySpec,
    rounds: u32,
    hold_s: f64,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Calibration> {
    let mut experiments = Vec::new();
    for round in 1..=rounds.max(1) {
        for (number, setting) in (1..).zip(&SETTINGS) {
            let what =
                format!("round {round} of {rounds}, run {number} of {}: {}", SETTINGS.len(), setting.0);
            progress(Progress::Doing(what));
            experiments.push(experiment(setting, proxy, hold_s, &mut progress)?);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Calibration::of(format!("{}, {cores} cores", processor()), proxy.name(), experiments)
}

fn experiment(
    &(name, series, shape, churn, batch, shards, every_s, policy): &Setting,
    proxy: &ProxySpec,
    hold_s: f64,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Experiment> {
    let text = "{ name: calibrate, warm: 2, source: { plain: { series: 1 } } }";
    let mut scenario = Scenario::parse(text, std::path::Path::new("."))?;
    scenario.source = SourceFile::Plain { series, shape, churn, more_labels: 0 };
    (scenario.batch, scenario.shards) = (batch, shards);
    scenario.every = Some(Span(std::time::Duration::from_secs_f64(every_s)));
    scenario.scrapes = (hold_s / every_s).round().max(2.0) as u64;
    let variant = variant(policy);
    let options =
        RunOptions { level: Level::Bytes, ..RunOptions::new(scenario, variant.clone(), proxy.clone()) };
    let outcome = run::run(&options, progress)?;
    ensure!(
        outcome.refused + outcome.unknown == 0,
        "{name}: {} samples were not accepted",
        outcome.refused + outcome.unknown
    );
    let cost = outcome.cost.context("the gate's CPU time cannot be read here")?;
    Ok(Experiment {
        name: name.into(),
        demand: Demand::of(&options, &variant)?,
        cpu_seconds: cost.cpu_seconds,
        memory_bytes: outcome.end_rss_kib.unwrap_or(0) as f64 * 1024.0,
        left_out: (0.0, 0.0),
    })
}

/// The processor as Linux calls it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    model
        .and_then(|line| line.split_once(':'))
        .map_or_else(|| "unknown".into(), |(_, name)| name.trim().into())
}
