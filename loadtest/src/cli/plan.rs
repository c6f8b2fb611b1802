//! `seriesgate-loadtest calibrate` and `plan`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::load::LoadArgs;
use super::run::OutputArgs;
use super::shown::Shown;
use super::{print, wait_for};
use crate::page;
use crate::plan::{Calibration, Demand, Need, Plan, Sizing, calibrate as measure, observe};
use crate::proxy::ProxySpec;
use crate::run::{self, Outcome};
use crate::scenario::{Span, Variant};

/// Where coefficients are kept unless told otherwise.
const FILE: &str = "calibration.json";

#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// The gate to measure; the one beside this program if absent
    #[arg(long, value_name = "PROGRAM")]
    gate: Option<PathBuf>,
    /// Where to write the coefficients
    #[arg(long, default_value = FILE, value_name = "FILE")]
    to: PathBuf,
    /// How often each run is made
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// How long each run lasts
    #[arg(long, default_value = "8s")]
    hold: Span,
    /// Say nothing on stderr while it runs
    #[arg(long)]
    quiet: bool,
}

pub(super) fn calibrate(args: &CalibrateArgs) -> Result<ExitCode> {
    let shown = Shown::new(args.quiet);
    let gate = ProxySpec::gate(args.gate.clone())?;
    let found = measure(&gate, args.rounds, args.hold.0.as_secs_f64(), |progress| shown.show(progress));
    shown.done();
    let found = found?;
    let json = serde_json::to_string_pretty(&found)?;
    std::fs::write(&args.to, json).with_context(|| format!("cannot write {}", args.to.display()))?;
    print(&format!("{found}\nwritten to {}: plan reads it\n", args.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Coefficients that calibrate wrote
    #[arg(long, default_value = FILE, value_name = "FILE")]
    coefficients: PathBuf,
    /// Plan for the traffic of a gate that runs instead, seen through its admin port
    #[arg(long, value_name = "URL")]
    report: Option<String>,
    /// How long that gate is watched
    #[arg(long, default_value = "60s")]
    watch: Span,
    /// Cores of one replica
    #[arg(long, default_value_t = 2.0)]
    replica_cores: f64,
    /// The share of its cores that a replica is to use on an ordinary day
    #[arg(long, default_value_t = 0.5)]
    utilisation: f64,
    /// Replicas at least
    #[arg(long, default_value_t = 2)]
    least_replicas: u32,
    /// Then run it, and compare
    #[arg(long)]
    check: bool,
    /// Print values of the Helm chart (deploy/helm/seriesgate) that are enough, instead of the table
    #[arg(long, conflicts_with_all = ["json", "check"])]
    values: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn plan(args: &PlanArgs) -> Result<ExitCode> {
    let calibration = read(&args.coefficients)?;
    ensure!(args.replica_cores > 0.0 && args.utilisation > 0.0, "cores and utilisation are above 0");
    let sizing = Sizing {
        replica_cores: args.replica_cores,
        utilisation: args.utilisation,
        least_replicas: args.least_replicas,
    };
    let shown = Shown::new(args.load.proxy.quiet);
    if let Some(admin) = &args.report {
        ensure!(!args.check, "a gate that runs is not run again: no --check with --report");
        let reach = args.load.proxy.reach();
        shown.say(&format!("watching {admin} for {}", args.watch));
        let demands = wait_for(observe(admin, reach, args.watch.0))?;
        let plan = Plan::new(admin, &demands, &calibration, &sizing);
        args.output.write(&plan, &text(args, &plan, &sizing), || plan_page(&plan))?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = args.load.options(args.load.proxy.gate()?)?;
    let mut variants = vec![options.scenario.variant(None)?];
    match &args.load.variant {
        Some(_) => variants = vec![options.variant.clone()],
        None => variants.extend(options.scenario.variants.clone()),
    }
    let mut demands = Vec::new();
    for variant in &variants {
        shown.say(&format!("counting {}, {}", options.scenario.name, variant.name));
        demands.push(Demand::of(&options, variant)?);
    }
    let every = match options.pace() {
        crate::send::Pace::Every(time) => format!("a scrape every {}", Span(time)),
        crate::send::Pace::Rate(rate) => format!("{rate:.0} samples/s"),
    };
    let plan = Plan::new(
        &format!("{}, {every}, {}", options.scenario.name, options.scenario.protocol),
        &demands,
        &calibration,
        &sizing,
    );
    args.output.write(&plan, &text(args, &plan, &sizing), || plan_page(&plan))?;
    if !args.check {
        return Ok(ExitCode::SUCCESS);
    }
    let mut worst: f64 = 0.0;
    for (variant, need) in variants.iter().zip(&plan.needs) {
        let options = run::RunOptions { variant: variant.clone(), ..options.clone() };
        let outcome = run::run(&options, |progress| shown.show(progress))?;
        worst = worst.max(check(variant, need, &outcome)?);
    }
    shown.done();
    Ok(ExitCode::from(u8::from(worst > 0.2)))
}

/// What is printed of a plan.
fn text(args: &PlanArgs, plan: &Plan, sizing: &Sizing) -> String {
    if args.values { plan.values(sizing) } else { plan.to_string() }
}

/// Prints what was planned beside what was measured; returns the largest difference, as a share.
fn check(variant: &Variant, need: &Need, outcome: &Outcome) -> Result<f64> {
    let seconds = outcome.accepted as f64 / outcome.offered_per_second.max(1e-9);
    let cost = outcome.cost.context("CPU time cannot be read here")?;
    let rows = [
        ("cores", need.cores, cost.cpu_seconds / seconds),
        ("memory, MiB", need.memory_mib, outcome.end_rss_kib.unwrap_or(0) as f64 / 1024.0),
        ("MB/s in", need.in_bytes_per_second / 1e6, outcome.flow.in_wire_bytes as f64 / seconds / 1e6),
        ("MB/s out", need.out_bytes_per_second / 1e6, outcome.flow.out_wire_bytes as f64 / seconds / 1e6),
        ("samples/s out", need.out_samples_per_second, outcome.flow.out_samples as f64 / seconds),
    ];
    let mut text = format!(
        "\n{}: planned against measured\n\n| | planned | measured | error |\n|---|---|---|---|\n",
        variant.name
    );
    let mut worst: f64 = 0.0;
    for (what, planned, measured) in rows {
        let error = planned / measured.max(1e-9) - 1.0;
        worst = worst.max(error.abs());
        text += &format!("| {what} | {planned:.3} | {measured:.3} | {:+.0}% |\n", error * 100.0);
    }
    print(&text)?;
    Ok(worst)
}

fn plan_page(plan: &Plan) -> String {
    page::page(
        &format!("plan: {}", plan.of),
        &[page::table(&Plan::HEAD, &plan.table()), page::text(&plan.to_string())],
    )
}

fn read(file: &Path) -> Result<Calibration> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => bail!(
            "cannot read {} ({error}): measure this machine first, with seriesgate-loadtest calibrate",
            file.display()
        ),
    };
    serde_json::from_str(&text).with_context(|| format!("{} is not what calibrate writes", file.display()))
}
