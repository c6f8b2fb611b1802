//! Rule files of Prometheus, Mimir and VictoriaMetrics, PrometheusRule and VMRule resources: each rule with its place.

mod place;
mod raw;
mod reader;

use std::collections::BTreeMap;
use std::path::Path;

use super::reads::Read;
use crate::cli::load;
use crate::config::{At, ConfigErrors, FilesRead, Position, Source, documents, read_stream, read_text};
use crate::series::quote::shown;
use raw::RawDocument;
use reader::Reader;

/// What a file says, and what is wrong with it.
#[derive(Debug)]
pub(super) struct RulesFile {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) rules: Vec<RuleEntry>,
    /// What was not read, and why.
    pub(super) remarks: Vec<Remark>,
    /// Mistakes; the rules are those that could be read all the same.
    pub(super) errors: Option<ConfigErrors>,
}

/// An alert or a recording rule.
#[derive(Debug)]
pub(super) struct RuleEntry {
    pub(super) group: String,
    pub(super) kind: Kind,
    /// Of the alert, or of the metric that is recorded.
    pub(super) name: At<String>,
    /// Its expression, and those in its text templates.
    pub(super) queries: Vec<Query>,
    /// Labels that the rule sets.
    pub(super) labels: BTreeMap<String, String>,
}

/// What one expression of a rule reads.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) position: Position,
    /// Which text of the rule asks for it; `None` for the rule's own expression.
    pub(super) text: Option<String>,
    pub(super) reads: Vec<Read>,
    /// Whether it is the rule's own expression, and all that is asked is which labels of it the text shows.
    pub(super) shows: bool,
}

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    Recording,
}

/// Something that was not read.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) position: Position,
    pub(super) is_warning: bool,
    pub(super) message: String,
}

impl RulesFile {
    /// Reads and checks a file; an error is that there is no text to read.
    pub(super) fn load(path: &Path) -> Result<RulesFile, ConfigErrors> {
        let name = load::name(path).into_owned();
        let text = if load::is_stdin(path) {
            read_stream(std::io::stdin().lock(), &name)?
        } else {
            read_text(path)?
        };
        Ok(RulesFile::parse(name, text))
    }

    fn parse(name: String, text: String) -> RulesFile {
        let source = Source::new(&text);
        let mut reader = Reader::new(&source);
        if !source.is_blank() {
            match documents::<Option<RawDocument>>(&text) {
                Ok(documents) => reader.documents(documents),
                Err(refusal) => reader.refuse(refusal.position, refusal.message),
            }
        }
        let Reader { rules, remarks, errors, .. } = reader;
        let errors =
            (!errors.is_empty()).then(|| ConfigErrors::new(&shown(&name), errors, FilesRead::default()));
        RulesFile { name, text, rules, remarks, errors }
    }
}

impl RuleEntry {
    /// What it is called in messages.
    pub(super) fn subject(&self) -> String {
        subject(self.kind, &self.name.value, &self.group)
    }
}

fn subject(kind: Kind, name: &str, group: &str) -> String {
    let kind = match kind {
        Kind::Alert => "alert",
        Kind::Recording => "recording rule",
    };
    format!("{kind} `{name}` (group `{group}`)")
}
