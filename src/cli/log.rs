//! What a gate that runs says on standard error: how much, and in which form.

mod json;
mod text;

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use super::output::tell;
use crate::series::quote;
use json::Json;

/// Where the level comes from if the command line has none. The second is what it was called first.
const LEVEL: [&str; 2] = ["SERIESGATE_LOG_LEVEL", "SERIESGATE_LOG"];
const FORMAT: &str = "SERIESGATE_LOG_FORMAT";

/// Options of the log.
#[derive(Debug, Args)]
#[group(skip)] // the command's own options have the name
pub(super) struct Options {
    /// Form of the log: `text`, or `json` with an object in each line. Else SERIESGATE_LOG_FORMAT says it.
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<Format>,
    /// How much is logged: off, error, warn, info, debug or trace; of a module, `info,seriesgate::egress=debug`. Else
    /// SERIESGATE_LOG_LEVEL says it, else SERIESGATE_LOG.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    log_level: Option<String>,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    /// Says why nothing runs. Text is said whatever the level, and as it is: the mistakes of a config with their carets.
    pub(super) fn fails(self, why: &str) {
        match self {
            Self::Text => tell!("{}", quote::shown_lines(why)),
            Self::Json => tracing::error!(lines = why, "seriesgate does not start"),
        }
    }
}

/// A level that was typed.
fn level(typed: &str) -> Result<String, String> {
    match filter(typed) {
        (_, None) => Ok(typed.to_owned()),
        (_, Some(why)) => Err(why),
    }
}

/// Logs to standard error from now on. What the environment says and nobody understands does not keep a gate from
/// running: the log says so.
pub(super) fn to_stderr(options: &Options) -> Format {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (from, asked) = match &options.log_level {
        Some(typed) => ("", typed.clone()),
        None => {
            let found = LEVEL.iter().find_map(|name| Some((*name, variable(name)?)));
            found.unwrap_or_default()
        }
    };
    let (filter, other_level) = filter(&asked);
    let (format, other_format) = match (options.log_format, variable(FORMAT)) {
        (Some(typed), _) => (typed, None),
        (None, Some(said)) => match Format::from_str(&said, false) {
            Ok(format) => (format, None),
            Err(_) => (Format::default(), Some(said)),
        },
        (None, None) => (Format::default(), None),
    };
    begin(format, filter);
    if let Some(why) = other_level {
        tracing::warn!(
            "{from} is not understood, so `info` holds: {why}; write `debug`, or `info,seriesgate::egress=debug`"
        );
    }
    if let Some(said) = other_format {
        tracing::warn!("{FORMAT} is not understood, so `text` holds: `{said}` is neither `text` nor `json`");
    }
    format
}

fn begin(format: Format, filter: EnvFilter) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // it would be said on the same standard error, by a panic of whoever logs
        .log_internal_errors(false)
        .with_ansi(format == Format::Text && std::io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(text::fields());
    // only the first subscriber of a process takes; a second start in one process keeps it
    match format {
        Format::Text => drop(subscriber.try_init()),
        Format::Json => drop(subscriber.event_format(Json).try_init()),
    }
}

/// Whether a word is no level. It would be taken for a module, of which everything is logged, and of all others nothing.
fn names_nothing(directive: &str) -> bool {
    let is_module = directive == env!("CARGO_PKG_NAME") || directive.contains("::");
    !directive.is_empty()
        && !directive.contains(['=', '['])
        && !is_module
        && directive.parse::<LevelFilter>().is_err()
}

/// What is logged, and what is wrong with what was asked for.
fn filter(asked: &str) -> (EnvFilter, Option<String>) {
    let usual = || EnvFilter::new("info");
    if asked.is_empty() {
        return (usual(), None);
    }
    if let Some(word) = asked.split(',').map(str::trim).find(|directive| names_nothing(directive)) {
        return (usual(), Some(format!("`{word}` is no level (off, error, warn, info, debug, trace)")));
    }
    match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (usual(), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for word in ["warning", "bogus", "info debug", "info,verbose", "=", "seriesgate=loud"] {
            let (filter, why) = filter(word);
            assert!(why.is_some() && level(word).is_err(), "{word}");
            assert_eq!(filter.to_string(), "info", "{word}");
        }
        for known in
            ["", "WARN", "off", "info,seriesgate::egress=debug", "seriesgate", "hyper=info", "debug,"]
        {
            assert_eq!(filter(known).1, None, "{known}");
            assert_eq!(level(known).as_deref(), Ok(known));
        }
    }
}
