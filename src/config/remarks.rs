//! What is said of a config that is good and may yet not be what was meant.

use std::fmt;

use super::errors::{ConfigError, ConfigErrors};
use super::files::FilesRead;

/// Warnings and notes on one file, in its order. `Display` renders all of them, as mistakes are.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    told: Option<ConfigErrors>,
    warnings: Vec<String>,
}

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Something that has no effect, or another one than it seems.
    Warning,
    /// Something to know.
    Note,
}

/// What was found, in no order.
pub(crate) type Found = Vec<(Weight, ConfigError)>;

impl Weight {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Remarks {
    pub(crate) fn new(file: &str, told: Found) -> Self {
        let warnings = told.iter().filter(|(weight, _)| *weight == Weight::Warning);
        let warnings = warnings.map(|(_, remark)| remark.in_one_line(file)).collect();
        let remark = |(weight, remark): (Weight, ConfigError)| remark.prefixed(weight.as_str());
        let told: Vec<ConfigError> = told.into_iter().map(remark).collect();
        Self {
            told: (!told.is_empty()).then(|| ConfigErrors::new(file, told, FilesRead::default())),
            warnings,
        }
    }

    /// The warnings, each in one line with its place, as they were found; notes are none.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Logs the warnings, for whoever starts without asking `check`.
    pub fn log(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.told.is_none()
    }
}

impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.as_ref().map_or(Ok(()), |told| told.fmt(f))
    }
}
