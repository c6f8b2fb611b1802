//! `seriesgate-loadtest compare`, `capacity`, `outage` and `policies`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::load::LoadArgs;
use super::run::{OutputArgs, exit};
use super::shown::Shown;
use crate::capacity::{self, Axis, Capacity, Search};
use crate::page;
use crate::plot::Plot;
use crate::run::Outcome;
use crate::scenario::{Span, Variant};
use crate::sink::{Act, Level};
use crate::{compare, outage, policies};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Runs of each
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn compare(args: &CompareArgs) -> Result<ExitCode> {
    ensure!(
        !args.load.proxy.command.is_empty(),
        "say which other proxy, as in: compare small -- vmagent -remoteWrite.url={{upstream}} -httpListenAddr={{listen}}"
    );
    let ours = args.load.options(args.load.proxy.gate()?)?;
    let theirs = args.load.options(args.load.proxy.proxy()?)?;
    let shown = Shown::new(args.load.proxy.quiet);
    let found = compare::compare(&[ours, theirs], args.rounds, |progress| shown.show(progress));
    shown.done();
    let found = found?;
    args.output.write(&found, &found.to_string(), || {
        let [first, second] = &found.names;
        let table = page::table(&["", first, second, "ratio"], &found.table());
        let last: Vec<Outcome> = found.runs.last().map(|pair| pair.to_vec()).unwrap_or_default();
        page::of_runs_with(&[table, page::text(&found.conclusion())], &last)
    })?;
    let limited = found.runs.iter().flatten().any(|run| run.headroom.limit.is_some());
    Ok(ExitCode::from(if !found.is_clean() {
        1
    } else if limited {
        3
    } else {
        0
    }))
}

#[derive(Debug, Args)]
pub(super) struct CapacityArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// Samples per second to begin with
    #[arg(long, default_value_t = 100_000.0)]
    from: f64,
    /// Samples per second beyond which nothing is tried
    #[arg(long, default_value_t = 20e6)]
    most: f64,
    /// The most that the 99th percentile of latency may be
    #[arg(long, default_value = "250ms")]
    p99: Span,
    /// How long each rate is held
    #[arg(long, default_value = "8s")]
    hold: Span,
    /// The share to which the rate is to be known
    #[arg(long, default_value_t = 0.05)]
    precision: f64,
    /// Searches
    #[arg(long, default_value_t = 3)]
    repeat: u32,
    /// What to change, and the values it takes: series, churn, labels, rules, batch, connections or memory; as in
    /// churn=0,0.02,0.1. May be given more than once, one is changed at a time
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = capacity::parse_axis)]
    sweep: Vec<Axis>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn capacity(args: &CapacityArgs) -> Result<ExitCode> {
    let options = args.load.options(args.load.proxy.proxy()?)?;
    let search = Search {
        from: args.from,
        most: args.most,
        p99: args.p99.0,
        hold: args.hold.0,
        precision: args.precision,
        repeat: args.repeat,
    };
    let mut settings = Vec::new();
    for axis in &args.sweep {
        settings.extend(axis.settings(&options)?);
    }
    if settings.is_empty() {
        settings.push((String::new(), options));
    }
    let shown = Shown::new(args.load.proxy.quiet);
    let mut found = Vec::new();
    for (name, options) in &settings {
        shown.say(&format!("searching {}{name}", if name.is_empty() { "the highest rate" } else { "" }));
        found.push(capacity::search(options, name, &search, |progress| shown.show(progress))?);
        shown.say(found.last().map(Capacity::to_string).unwrap_or_default().trim_end());
    }
    shown.done();
    let text: String = found.iter().map(Capacity::to_string).collect();
    args.output.write(&found, &text, || capacity_page(&args.load.scenario, &found, &text))?;
    Ok(ExitCode::from(u8::from(found.iter().any(|capacity| capacity.middle() == 0.0))))
}

fn capacity_page(scenario: &str, found: &[Capacity], text: &str) -> String {
    let plot = |capacity: &Capacity, what: &str, value: fn(&capacity::Step) -> f64| {
        let mut points: Vec<(f64, f64)> =
            capacity.steps.iter().map(|step| (step.rate, value(step))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let title = if capacity.setting.is_empty() {
            what.to_owned()
        } else {
            format!("{what} ({})", capacity.setting)
        };
        Plot::new(&title, "samples/s that were due").line(what, points)
    };
    let mut parts = vec![page::text(text)];
    for capacity in found {
        parts.push(page::plots(&[
            plot(capacity, "p99, ms", |step| step.p99_ms),
            plot(capacity, "cores", |step| step.cores),
        ]));
        let steps: Vec<String> = capacity.steps.iter().map(ToString::to_string).collect();
        parts.push(page::text(&steps.join("\n")));
    }
    page::page(&format!("capacity: {scenario}"), &parts)
}

#[derive(Debug, Args)]
pub(super) struct OutageArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// How long all is well before it
    #[arg(long, default_value = "10s")]
    before: Span,
    /// How long the backend is gone
    #[arg(long, default_value = "20s")]
    down: Span,
    /// How long it is watched afterwards
    #[arg(long, default_value = "30s")]
    after: Span,
    /// What the backend does meanwhile: gone (nobody listens), stall, reset, or a status as 503 or 429:5
    #[arg(long, default_value = "gone", value_parser = act)]
    act: Act,
    #[command(flatten)]
    output: OutputArgs,
}

fn act(text: &str) -> Result<Act, String> {
    crate::sink::parse_episode(&format!("{text}@0+1")).map(|episode| episode.act)
}

pub(super) fn outage(args: &OutageArgs) -> Result<ExitCode> {
    let options = args.load.options(args.load.proxy.proxy()?)?;
    let plan =
        outage::Plan { before: args.before.0, down: args.down.0, after: args.after.0, act: args.act.clone() };
    let shown = Shown::new(args.load.proxy.quiet);
    let found = outage::rehearse(&options, &plan, |progress| shown.show(progress));
    shown.done();
    let found = found?;
    args.output.write(&found, &found.to_string(), || {
        page::of_runs_with(&[page::text(&found.to_string())], std::slice::from_ref(&found.run))
    })?;
    Ok(exit(&found.run))
}

#[derive(Debug, Args)]
pub(super) struct PoliciesArgs {
    #[command(flatten)]
    load: LoadArgs,
    /// A gate's configuration: each of its policies is measured alone, then all. Absent: the scenario's variants
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Runs of each
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn policies(args: &PoliciesArgs) -> Result<ExitCode> {
    let mut options = args.load.options(args.load.proxy.gate()?)?;
    let variants = match &args.config {
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let config = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{error}"));
            let variants = config.and_then(|config| policies::variants_of(&config));
            // nobody said what is expected to arrive
            options.level = options.level.min(Level::Series);
            variants.with_context(|| file.display().to_string())?
        }
        None => {
            let mut variants = vec![Variant { name: "none".into(), ..Variant::default() }];
            variants.extend(options.scenario.variants.clone());
            ensure!(variants.len() > 1, "{} has no variants; give a --config", options.scenario.name);
            variants
        }
    };
    let shown = Shown::new(args.load.proxy.quiet);
    let found = policies::measure(&options, &variants, args.rounds, |progress| shown.show(progress));
    shown.done();
    let found = found?;
    args.output.write(&found, &found.to_string(), || {
        let table = page::table(&policies::Policies::HEAD, &found.table());
        page::page(&format!("policies: {}", found.scenario), &[table])
    })?;
    Ok(ExitCode::from(u8::from(found.measured.iter().any(|policy| !policy.faults.is_empty()))))
}
