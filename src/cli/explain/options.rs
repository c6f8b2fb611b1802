//! What `explain` is asked: a config, series, and a time.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use crate::cli::{load, usage};

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = usage::EXPLAIN, override_usage = usage::EXPLAIN_USAGE)]
pub(in crate::cli) struct Options {
    /// The config file whose policies are asked; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object a series instead of text; of a series that could not be read `{"error":…}`.
    #[arg(long)]
    pub(super) json: bool,
    /// The time to decide for: RFC 3339 or Unix seconds; now if absent.
    #[arg(long, value_name = "T", value_parser = timestamp)]
    pub(super) now: Option<Timestamp>,
    /// Recordings of kube-state-metrics, text or remote-write bodies: workloads are told by the owners said there.
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub(super) owners: Vec<PathBuf>,
    /// The config file, unless `--config` names it, and then the series; `-`, or none, reads them from standard input.
    #[arg(value_name = "SERIES")]
    given: Vec<String>,
}

/// What is asked.
pub(super) struct Asked<'o> {
    pub(super) config: &'o Path,
    /// `None`: those of standard input.
    pub(super) series: Option<&'o [String]>,
}

impl Options {
    /// What is asked, or what to type instead.
    pub(super) fn asked(&self) -> Result<Asked<'_>, String> {
        let (config, series) = match (&self.config, self.given.split_first()) {
            (Some(config), _) => (config.as_path(), self.given.as_slice()),
            (None, Some((file, series))) if is_file(file) => (Path::new(file), series),
            (None, _) => {
                return Err(
                    "explain needs a config file: type `seriesgate explain FILE 'up{job=\"a\"}'`".into()
                );
            }
        };
        let series = match series {
            [] => None,
            [one] if one == "-" => None,
            series => Some(series),
        };
        let owners = self.owners.iter().any(|file| load::is_stdin(file));
        let parts =
            [("the config", load::is_stdin(config)), ("--owners", owners), ("the series", series.is_none())];
        match load::read_twice(&parts) {
            Some(why) if series.is_none() => {
                Err(format!("{why}: type `seriesgate explain {} 'up{{job=\"a\"}}'`", config.display()))
            }
            Some(why) => Err(why),
            None => Ok(Asked { config, series }),
        }
    }
}

/// Whether an argument is a config and no series: it is there, or is called as configs are.
fn is_file(given: &str) -> bool {
    let path = Path::new(given);
    let named = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    named || load::is_stdin(path) || path.exists() && !path.is_dir()
}

/// A moment as people give it.
pub(in crate::cli) fn timestamp(text: &str) -> Result<Timestamp, String> {
    let moment = match text.parse::<f64>() {
        Ok(seconds) if !seconds.is_finite() => None,
        Ok(seconds) => Timestamp::from_millisecond((seconds * 1000.0) as i64).ok(),
        Err(_) => text.parse().ok(),
    };
    moment.ok_or_else(|| format!("`{text}` is neither RFC 3339 (2026-11-20T12:00:00Z) nor Unix seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_or_unix_seconds() {
        for (asked, shown) in [
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.5", "2023-11-14T22:13:20.5Z"),
            ("2024-03-01T01:00:00+02:00", "2024-02-29T23:00:00Z"),
        ] {
            assert_eq!(timestamp(asked).unwrap().to_string(), shown);
        }
        for wrong in ["yesterday", "", "NaN", "inf"] {
            assert!(timestamp(wrong).is_err(), "{wrong}");
        }
    }
}
