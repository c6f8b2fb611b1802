//! What is said of a config that is good and may yet not be what was meant.

use std::fmt;

use super::errors::{ConfigError, ConfigErrors, Place};
use super::files::FilesRead;

/// Warnings and notes on one file, in its order. `Display` renders all of them, as mistakes are.
#[derive(Clone, Debug, Default)]
pub struct Remarks {
    file: String,
    told: Vec<ConfigError>,
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
    pub(crate) fn new(file: &str, found: Found) -> Self {
        let mut remarks = Self { file: file.to_owned(), ..Self::default() };
        found.into_iter().for_each(|(weight, remark)| remarks.add(weight, remark));
        remarks
    }

    /// A warning of somebody who knows more than the file: the machine it is for.
    pub(crate) fn warn(&mut self, place: Place, message: String) {
        self.add(Weight::Warning, ConfigError::new(place.position, message, place.excerpt));
    }

    fn add(&mut self, weight: Weight, remark: ConfigError) {
        if weight == Weight::Warning {
            self.warnings.push(remark.in_one_line(&self.file));
        }
        self.told.push(remark.prefixed(weight.as_str()));
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
        self.told.is_empty()
    }
}

impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ConfigErrors::new(&self.file, self.told.clone(), FilesRead::default()).fmt(f)
    }
}
