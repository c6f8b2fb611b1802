//! Typed text to meaning: every value read, bounded and put into [`Config`]; every mistake collected.
//!
//! A value that is refused leaves a stand-in behind, so that one pass finds all mistakes. Nothing built
//! from a file with mistakes gets out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::at::At;
use super::cited::cited;
use super::errors::ConfigError;
use super::files::FilesRead;
use super::position::Position;
use super::raw::{DurationText, RawConfig, SizeText};
use super::remarks::Found;
use super::secrets::Secrets;
use super::source::Source;
use super::suggest::{did_you_mean, listed};
use super::{Config, duration, expand, size};

mod access;
mod address;
mod aggregation;
mod auth;
mod files;
mod http;
mod limit;
mod listen;
mod oauth2;
mod policies;
mod queue;
mod remarks;
mod rules;
mod series;
mod tracking;
mod upstream;
mod workload;

pub(super) use address::unquoted as unquoted_address;

/// Collects mistakes, and knows what surrounds the file.
pub(crate) struct Checker<'a> {
    pub(crate) source: &'a Source<'a>,
    /// Relative paths in the file start here.
    pub(crate) base_dir: &'a Path,
    pub(crate) secrets: Secrets<'a>,
    pub(crate) errors: Vec<ConfigError>,
    /// What is no mistake, and worth saying.
    pub(crate) remarks: Found,
    /// Takes in each file that is read, to tell when one of them changes.
    pub(crate) files: FilesRead,
    /// Paths of what the file gives in a form that could not be read. That is said already.
    pub(crate) unread: BTreeSet<String>,
    /// The path of the mapping that is being checked.
    within: String,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        base_dir: &'a Path,
        secrets: Secrets<'a>,
        files: FilesRead,
    ) -> Self {
        let (errors, remarks) = (Vec::new(), Vec::new());
        let (unread, within) = (BTreeSet::new(), String::new());
        Self { source, base_dir, secrets, errors, remarks, files, unread, within }
    }
}

impl Checker<'_> {
    /// The whole file. The result is worth something only if no mistake was collected.
    pub(crate) fn config(&mut self, raw: &RawConfig) -> Option<Config> {
        let listen = self.inside("listen", |check| check.listen(&raw.listen));
        let admin = self.admin(&raw.admin, &raw.listen, &listen);
        let tenant = self.tenant(&raw.tenant);
        let data_dir = raw.data_dir.as_ref().and_then(|dir| self.data_dir(dir));
        let upstream = self.upstreams(raw.upstreams.as_ref());
        self.room_for_queue(raw, &listen, upstream.as_ref());
        let memory = self.memory(&raw.memory);
        let series = self.series(&raw.series);
        let tracking = self.tracking(&raw.tracking);
        let aggregation = self.inside("aggregation", |check| check.aggregation(&raw.aggregation));
        let policies = self.policies(raw.policies.as_deref().unwrap_or_default(), &aggregation);
        self.authorization_is_for_us(&raw.listen.auth, raw.upstreams.as_ref());
        self.credentials_for_aggregates(raw.upstreams.as_ref(), &policies);
        let upstream = upstream?;
        let config = Config {
            listen,
            admin,
            tenant,
            data_dir,
            upstream,
            memory,
            series,
            tracking,
            aggregation,
            policies,
        };
        if self.errors.is_empty() {
            self.remark(raw, &config);
        }
        Some(config)
    }

    /// The line is added to those mistakes that are shown.
    fn refuse(&mut self, position: Position, message: impl Into<String>) {
        self.errors.push(ConfigError::new(position, message, None));
    }

    /// Checks the mapping at `path`, below the one that is being checked.
    fn inside<T>(&mut self, path: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let below = self.path_of(path);
        let outer = std::mem::replace(&mut self.within, below);
        let checked = check(self);
        self.within = outer;
        checked
    }

    fn path_of(&self, key: &str) -> String {
        if self.within.is_empty() { key.to_owned() } else { format!("{}.{key}", self.within) }
    }

    /// Whether one of these keys only seems to be absent: it, or part of it, could not be read. Of what is absent nothing
    /// is said then.
    fn could_not_read(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| {
            let path = self.path_of(key);
            let inside = format!("{path}.");
            let below = self.unread.range(inside.clone()..).next();
            self.unread.contains(&path) || below.is_some_and(|below| below.starts_with(&inside))
        })
    }

    /// Unwraps what a parser said of the value at `position`.
    fn accept<T>(&mut self, position: Position, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.refuse(position, message)).ok()
    }

    fn number(&mut self, at: &At<u64>, min: u64, max: u64) -> usize {
        if !(min..=max).contains(&at.value) {
            self.refuse(at.position, format!("{} is out of range; expected {min} to {max}", at.value));
        }
        usize::try_from(at.value).unwrap_or(usize::MAX)
    }

    /// A duration between two others, which are written as a user would.
    fn duration(&mut self, at: &At<DurationText>, min: &str, max: &str) -> Duration {
        let bound = |text| duration::parse(text).expect("bounds in the code are durations");
        let Some(value) = self.accept(at.position, duration::parse(&at.value.0)) else {
            return Duration::ZERO;
        };
        if !(bound(min)..=bound(max)).contains(&value) {
            let text = cited(&at.value.0);
            self.refuse(at.position, format!("`{text}` is out of range; expected `{min}` to `{max}`"));
        }
        value
    }

    /// A size between two others, which are written as a user would.
    fn size(&mut self, at: &At<SizeText>, min: &str, max: &str) -> usize {
        let bound = |text| size::parse(text).expect("bounds in the code are sizes");
        let Some(value) = self.accept(at.position, size::parse(&at.value.0)) else { return 0 };
        if !(bound(min)..=bound(max)).contains(&value) {
            let text = cited(&at.value.0);
            self.refuse(at.position, format!("`{text}` is out of range; expected `{min}` to `{max}`"));
        }
        usize::try_from(value).unwrap_or(usize::MAX)
    }

    /// One of a few words.
    fn choice<T: Copy>(&mut self, at: &At<String>, choices: &[(&'static str, T)]) -> Option<T> {
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == at.value) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = did_you_mean(&at.value, &words).map(|near| format!("; did you mean `{near}`?"));
        let message =
            format!("expected {}, found `{}`{}", either(&words), cited(&at.value), hint.unwrap_or_default());
        self.refuse(at.position, message);
        None
    }

    /// A name that becomes a label value of our own metrics.
    fn name(&mut self, at: &At<String>) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if at.value.is_empty() || at.value.len() > 64 || !at.value.bytes().all(plain) {
            self.refuse(at.position, "a name has 1 to 64 letters (a-z, A-Z), digits, `_` and `-`");
        }
    }

    /// The value with `${NAME}` replaced.
    fn expand(&mut self, position: Position, text: &str) -> Option<String> {
        let expanded = expand::expand(text, &|name| self.secrets.variable(name));
        self.accept(position, expanded)
    }

    fn data_dir(&mut self, at: &At<String>) -> Option<PathBuf> {
        if at.value.is_empty() {
            self.refuse(
                at.position,
                "expected a directory; leave `data_dir` out to keep everything in memory",
            );
            return None;
        }
        let path = self.base_dir.join(&at.value);
        if path.exists() && !path.is_dir() {
            self.refuse(at.position, format!("`{}` is not a directory", cited(&path.to_string_lossy())));
        }
        Some(path)
    }
}

fn either(words: &[&str]) -> String {
    listed(words).replace(" and ", " or ")
}
