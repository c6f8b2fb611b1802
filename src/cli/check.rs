//! `seriesgate check`.

mod candidate;
mod cause;
mod derived;
mod impact;
mod meaning;
mod memory;
mod possible;
mod promql;
mod reads;
mod relabels;
mod report;
mod rules_file;
mod steps;
mod template;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::load;
use super::output::{say, tell};
use crate::config::{Config, Secrets};
use crate::policy::Definition;
use crate::series::quote;
use possible::Possible;
use rules_file::RulesFile;

/// The analysis goes into expressions as deep as they nest, and into hostile ones, too.
const STACK_BYTES: usize = 256 << 20;

/// Options of `check`.
#[derive(Debug, Args)]
#[command(after_help = super::usage::CHECK, override_usage = super::usage::CHECK_USAGE)]
pub(super) struct Options {
    #[command(flatten)]
    config: super::ConfigFile,
    /// Rule files to hold against the policies: of Prometheus, Mimir, or PrometheusRule resources; `*`, `?` and
    /// `[…]` stand for several, `-` for standard input. It takes all files behind it, so the config stands in front.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Exit 1 where there is a warning, too.
    #[arg(long)]
    strict: bool,
    /// Do not look at environment variables and files that the config takes secrets and certificates from: they may be
    /// missing. For CI, which has none.
    #[arg(long)]
    no_secrets: bool,
}

/// Exit 0 and a summary, or 2 and every mistake; 1 where what was found is none of the config.
pub(super) fn check(options: &Options) -> ExitCode {
    let path = options.config.path();
    let rules = options.rules.iter().any(|file| load::is_stdin(file));
    if let Some(why) = load::read_twice(&[("the config", load::is_stdin(path)), ("--rules", rules)]) {
        return load::refuse(&why);
    }
    let env = |name: &str| std::env::var(name).ok();
    let secrets = if options.no_secrets { Secrets::NotAsked } else { Secrets::Asked(&env) };
    let loaded = match load::once(path, secrets) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let (config, mut remarks) = (loaded.config, loaded.remarks);
    if let Some(warning) = limit_of(&config).and_then(|limit| memory::warning(&config, limit)) {
        remarks.warn(loaded.max_tracked, warning);
    }
    let name = quote::shown(&load::name(path)).into_owned();
    say(format_args!(
        "{name}: ok, {}, upstream `{}`{}",
        if config.policies.len() == 1 {
            "1 policy".to_owned()
        } else {
            format!("{} policies", config.policies.len())
        },
        quote::shown(&config.upstream.name),
        if config.data_dir.is_none() { ", memory only (no data_dir)" } else { "" },
    ));
    if !remarks.is_empty() {
        say(quote::shown_lines(&remarks.to_string()));
    }
    let own = remarks.warnings().len();
    let checked = if options.rules.is_empty() {
        Some(0)
    } else {
        let (policies, rules) = (config.policies, options.rules.clone());
        beside(move || check_rules(&rules, &name, &policies))
    };
    match checked {
        None => ExitCode::FAILURE,
        Some(warnings) if options.strict && warnings + own > 0 => ExitCode::FAILURE,
        Some(_) => ExitCode::SUCCESS,
    }
}

/// The memory that there is for a config, bytes.
fn limit_of(config: &Config) -> Option<u64> {
    let configured = config.memory.limit_bytes.map(|bytes| bytes as u64);
    configured.or_else(crate::memory::limit_bytes)
}

/// On a stack that is large enough.
fn beside(analysis: impl FnOnce() -> Option<usize> + Send + 'static) -> Option<usize> {
    match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(analysis) {
        Ok(analysis) => analysis.join().ok().flatten(),
        Err(error) => {
            tell!("cannot start a thread: {error}");
            None
        }
    }
}

/// How many warnings there are; `None` if a file has a mistake. Mistakes come last, where they are seen.
fn check_rules(patterns: &[PathBuf], config: &str, policies: &[Definition]) -> Option<usize> {
    let mut paths: Vec<_> = patterns.iter().flat_map(|pattern| found(pattern)).collect();
    // Patterns may overlap.
    let mut seen = BTreeSet::new();
    paths.retain(|path| path.as_ref().map_or(true, |path| seen.insert(path.clone())));
    let (mut files, mut rules, mut warnings) = (0, 0, 0);
    let (mut possible, mut held, mut mistakes) = (Possible::default(), Possible::default(), Vec::new());
    for path in paths {
        let loaded = path.and_then(|path| RulesFile::load(&path).map_err(|errors| errors.to_string()));
        let file = match loaded {
            Ok(file) => file,
            Err(mistake) => {
                mistakes.push(mistake);
                continue;
            }
        };
        let report = report::report(&file, policies);
        files += 1;
        rules += file.rules.len();
        warnings += report.warnings;
        possible.append(report.possible);
        held.append(report.held);
        if let Some(text) = report.text {
            say(quote::shown_lines(&text.to_string()));
        }
        mistakes.extend(file.errors.map(|errors| errors.to_string()));
    }
    for warning in possible.warnings(policies) {
        warnings += 1;
        say(format_args!("{config}: warning: {}", quote::shown(&warning)));
    }
    for note in held.notes(policies) {
        say(format_args!("{config}: note: {}", quote::shown(&note)));
    }
    for mistake in &mistakes {
        tell!("{}", quote::shown_lines(mistake));
    }
    if !mistakes.is_empty() {
        return None;
    }
    let (files, rules) = (count(files, "rule file"), count(rules, "rule"));
    say(format_args!("{files}, {rules}, {}", count(warnings, "warning")));
    Some(warnings)
}

/// The files that a pattern stands for, sorted; a file that is there stands for itself, whatever its name.
fn found(pattern: &Path) -> Vec<Result<PathBuf, String>> {
    let refused = |why: String| vec![Err(format!("{}: {why}", pattern.display()))];
    let text = match pattern.to_str() {
        Some(text) if text.contains(['*', '?', '[']) && !pattern.exists() => text,
        _ => return vec![Ok(pattern.to_owned())],
    };
    match glob::glob(text) {
        Err(error) => refused(error.to_string()),
        Ok(paths) => {
            let paths: Vec<_> = paths.map(|path| path.map_err(|error| error.to_string())).collect();
            if paths.is_empty() { refused("no file has such a name".into()) } else { paths }
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
