//! The analysis of rule files in words.

use super::impact::{Candidate, Cause, Impact, impacts};
use super::reads::{How, Read, reads};
use super::rules_file::{Kind, RuleEntry, RulesFile};
use crate::config::{ConfigError, ConfigErrors, Position, Source, listed};
use crate::policy::known::{Known, NAME, Test};
use crate::policy::{Definition, Mode};

/// What is to be said of one file.
pub(super) struct Report {
    pub(super) warnings: usize,
    /// Warnings and notes; `None` if there is nothing to say.
    pub(super) text: Option<ConfigErrors>,
}

/// Holds every rule of a file against the policies.
pub(super) fn report(file: &RulesFile, policies: &[Definition]) -> Report {
    let candidates: Vec<Candidate<'_>> = policies.iter().map(Candidate::new).collect();
    let mut reporter =
        Reporter { source: Source::new(&file.text), candidates: &candidates, warnings: 0, told: Vec::new() };
    for rule in &file.rules {
        reporter.rule(rule);
    }
    let Reporter { warnings, told, .. } = reporter;
    let text = (!told.is_empty()).then(|| ConfigErrors::new(&file.name, told, None));
    Report { warnings, text }
}

struct Reporter<'a> {
    source: Source<'a>,
    candidates: &'a [Candidate<'a>],
    warnings: usize,
    told: Vec<ConfigError>,
}

impl Reporter<'_> {
    fn rule(&mut self, rule: &RuleEntry) {
        match reads(&rule.expr.value) {
            Err(why) => {
                // The parser's words may go over several lines.
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                self.warn(rule.expr.position, &format!("cannot read this expression: {why}"));
            }
            Ok(reads) => {
                let all = reads.iter().flat_map(|read| impacts(self.candidates, read));
                for (impact, names) in merged(all) {
                    let policy = self.candidates[impact.policy].definition;
                    self.warn(rule.expr.position, &sentence(rule, policy, &impact, &names));
                }
            }
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
        let read = Read { shown: rule.name.value.clone(), known, uses: Vec::new() };
        for impact in impacts(self.candidates, &read) {
            if impact.all && impact.cause == Cause::Drops {
                let policy = self.candidates[impact.policy].definition;
                let (subject, doing) = (subject(rule), doing(policy, "drops", "drop"));
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
        self.told.push(ConfigError::new(position, message, excerpt));
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

fn subject(rule: &RuleEntry) -> String {
    let kind = match rule.kind {
        Kind::Alert => "alert",
        Kind::Recording => "recording rule",
    };
    format!("{kind} `{}` (group `{}`)", rule.name.value, rule.group)
}

/// `` policy `x` drops ``, and what it would do in preview.
fn doing(policy: &Definition, does: &str, would: &str) -> String {
    match policy.mode {
        Mode::Enforce => format!("policy `{}` {does}", policy.name),
        Mode::Preview => format!("policy `{}` (preview) would {would}", policy.name),
    }
}

fn sentence(rule: &RuleEntry, policy: &Definition, impact: &Impact, names: &[String]) -> String {
    let names = listed(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let subject = subject(rule);
    let some = if impact.all { "" } else { "some of " };
    let read = format!("{subject} reads {names}");
    match &impact.cause {
        Cause::Drops if impact.all => format!("{read}, all of which {}", doing(policy, "drops", "drop")),
        Cause::Drops => format!("{read}, of which {} some", doing(policy, "drops", "drop")),
        Cause::Renames(to) => {
            let doing = doing(policy, "renames", "rename");
            let to = to.as_ref().map(|to| format!(" to `{to}`")).unwrap_or_default();
            format!("{read}, {some}which {doing}{to}")
        }
        Cause::Unnames => {
            format!("{read}, {some}which {} without a name", doing(policy, "leaves", "leave"))
        }
        Cause::Removes(used) => {
            let doing = doing(policy, "removes", "remove");
            format!("{subject} {} `{}`, which {doing} from {some}{names}", verb(used.how), used.label)
        }
        Cause::Overwrites(used) => {
            let doing = doing(policy, "overwrites", "overwrite");
            format!("{subject} {} `{}`, which {doing} in {some}{names}", verb(used.how), used.label)
        }
    }
}

/// What an expression does with a label.
fn verb(how: How) -> &'static str {
    match how {
        How::Selects => "selects by",
        How::GroupsBy => "groups by",
        How::Without => "aggregates without",
        How::MatchesOn => "matches on",
        How::Ignores => "matches ignoring",
        How::TakesOver => "takes over",
        How::Derives => "makes a label of",
        How::Quantile => "computes quantiles by",
        How::Sorts => "sorts by",
    }
}
