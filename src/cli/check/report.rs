//! The analysis of rule files in words.

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::cause::Cause;
use super::impact::{Impact, impacts};
use super::possible::Possible;
use super::reads::{How, Read};
use super::rules_file::{Kind, RuleEntry, RulesFile};
use super::words::{doing, sentence};
use crate::config::{ConfigError, ConfigErrors, FilesRead, Position, Source};
use crate::policy::Definition;
use crate::policy::known::{Known, NAME, Test};
use crate::series::quote::shown;

/// What is to be said of one file.
pub(super) struct Report {
    pub(super) warnings: usize,
    /// Warnings and notes; `None` if there is nothing to say.
    pub(super) text: Option<ConfigErrors>,
    /// What is only possible, and is told for all files together.
    pub(super) possible: Possible,
    /// What limits may hold; told so as well.
    pub(super) held: Possible,
}

/// Holds every rule of a file against the policies.
pub(super) fn report(file: &RulesFile, policies: &[Definition]) -> Report {
    let candidates: Vec<Candidate<'_>> = policies.iter().map(Candidate::new).collect();
    let mut reporter = Reporter {
        file: &file.name,
        source: Source::new(&file.text),
        candidates: &candidates,
        warnings: 0,
        told: Vec::new(),
        possible: Possible::default(),
        held: Possible::default(),
    };
    for remark in &file.remarks {
        if remark.is_warning {
            reporter.warn(remark.position, &remark.message);
        } else {
            reporter.tell(remark.position, format!("note: {}", remark.message));
        }
    }
    for rule in &file.rules {
        reporter.rule(rule);
    }
    let Reporter { warnings, told, possible, held, .. } = reporter;
    let text = (!told.is_empty()).then(|| ConfigErrors::new(&shown(&file.name), told, FilesRead::default()));
    Report { warnings, text, possible, held }
}

struct Reporter<'a> {
    file: &'a str,
    source: Source<'a>,
    candidates: &'a [Candidate<'a>],
    warnings: usize,
    told: Vec<ConfigError>,
    possible: Possible,
    held: Possible,
}

impl Reporter<'_> {
    fn rule(&mut self, rule: &RuleEntry) {
        let (mut certain, mut possible, mut held) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for query in &rule.queries {
            let subject = match &query.text {
                None => rule.subject(),
                Some(text) => format!("{text} of {}", rule.subject()),
            };
            let shown = |impact: &Impact| match &impact.cause {
                Cause::Removes(used) | Cause::Overwrites(used) => used.how == How::Shows,
                _ => false,
            };
            let all = query.reads.iter().flat_map(|read| impacts(self.candidates, read));
            let all = all.filter(|impact| !query.shows || shown(impact));
            let (limited, all): (Vec<Impact>, Vec<Impact>) =
                all.partition(|impact| impact.cause == Cause::Holds);
            let (only_possible, told): (Vec<Impact>, Vec<Impact>) =
                all.into_iter().partition(|impact| impact.possible);
            held.extend(limited.iter().map(|impact| impact.policy));
            possible.extend(only_possible.iter().map(|impact| impact.policy));
            certain.extend(told.iter().map(|impact| impact.policy));
            for (impact, names) in merged(told.into_iter()) {
                let policy = self.candidates[impact.policy].definition;
                self.warn(query.position, &sentence(&subject, policy, &impact, &names));
            }
        }
        let name = format!("{}:{}/{}", self.file, rule.group, rule.name.value);
        for policy in possible.difference(&certain) {
            self.possible.add(*policy, name.clone());
        }
        for policy in held {
            self.held.add(policy, name.clone());
        }
        if rule.kind == Kind::Recording {
            self.recorded(rule);
        }
    }

    /// What is recorded goes through remote write, too.
    fn recorded(&mut self, rule: &RuleEntry) {
        let mut known = Known::default();
        known.add(NAME, Test::is(rule.name.value.as_str()));
        for (label, value) in &rule.labels {
            known.add(label, Test::is(value.as_str()));
        }
        let read = Read {
            shown: rule.name.value.clone(),
            known,
            uses: Vec::new(),
            steps: None,
            partners: Vec::new(),
            all_but: None,
        };
        for impact in impacts(self.candidates, &read) {
            if impact.all && impact.cause == Cause::Drops {
                let policy = self.candidates[impact.policy].definition;
                let (subject, doing) = (rule.subject(), doing(policy, "drops", "drop"));
                self.tell(rule.name.position, format!("note: what {subject} records, {doing}"));
            }
        }
    }

    fn warn(&mut self, position: Position, message: &str) {
        self.warnings += 1;
        self.tell(position, format!("warning: {message}"));
    }

    fn tell(&mut self, position: Position, message: String) {
        let excerpt = self.source.excerpt(position, None);
        self.told.push(ConfigError::new(position, shown(&message), excerpt));
    }
}

/// One for each policy and cause, with the names of all that is read.
fn merged(impacts: impl Iterator<Item = Impact>) -> Vec<(Impact, Vec<String>)> {
    let mut merged: Vec<(Impact, Vec<String>)> = Vec::new();
    for impact in impacts {
        let same = |known: &Impact| {
            (known.policy, known.all, &known.cause) == (impact.policy, impact.all, &impact.cause)
        };
        match merged.iter_mut().find(|(known, _)| same(known)) {
            Some((_, names)) if names.contains(&impact.read) => {}
            Some((_, names)) => names.push(impact.read),
            None => {
                let names = vec![impact.read.clone()];
                merged.push((impact, names));
            }
        }
    }
    merged
}
