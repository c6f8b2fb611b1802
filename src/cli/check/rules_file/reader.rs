//! From YAML to rules, with every mistake on the way.

use std::collections::BTreeSet;

use super::place;
use super::raw::{RawDocument, RawGroup, RawRule};
use super::{Kind, Query, Remark, RuleEntry, subject};
use crate::cli::check::promql::{Because, Refusal};
use crate::cli::check::reads::{reads, reads_for};
use crate::cli::check::template::{self, Asks};
use crate::config::{At, ConfigError, Position, Source};
use crate::series::quote::shown as printable;

/// How much of an expression is shown where its place in the file is not known.
const MAX_SHOWN: usize = 30;

/// Collects rules and mistakes.
pub(super) struct Reader<'s> {
    source: &'s Source<'s>,
    pub(super) rules: Vec<RuleEntry>,
    pub(super) remarks: Vec<Remark>,
    pub(super) errors: Vec<ConfigError>,
    /// Kinds of documents that have no rules.
    skipped: Vec<At<String>>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        Self { source, rules: Vec::new(), remarks: Vec::new(), errors: Vec::new(), skipped: Vec::new() }
    }

    pub(super) fn refuse(&mut self, position: Position, message: impl Into<String>) {
        let excerpt = self.source.excerpt(position, None);
        self.errors.push(ConfigError::new(position, printable(&message.into()), excerpt));
    }

    pub(super) fn documents(&mut self, documents: Vec<Option<RawDocument>>) {
        let mut known = false;
        for document in documents.into_iter().flatten() {
            known |= self.document(document);
        }
        // where there are rules, what else there is may be thought to be read, too
        for kind in std::mem::take(&mut self.skipped).into_iter().filter(|_| known) {
            let message = format!(
                "this `{}` is not read; rules are looked for in PrometheusRule, VMRule and `groups`",
                kind.value
            );
            self.note(kind.position, message);
        }
        if !known {
            let message = "no rules in here: expected `groups`, or `kind: PrometheusRule` or `VMRule` with `spec.groups`";
            self.refuse(Position::default(), message);
        }
    }

    /// Whether a document is about rules; a file of Kubernetes resources may have others beside them.
    fn document(&mut self, document: RawDocument) -> bool {
        let kind = document.kind.as_ref().map(|kind| kind.value.as_str());
        match (kind, document.groups) {
            (None, Some(groups)) => {
                self.groups(groups.unwrap_or_default());
                true
            }
            (Some("PrometheusRule" | "VMRule"), _) => {
                self.groups(document.spec.and_then(|spec| spec.groups).unwrap_or_default());
                true
            }
            (Some("List" | "PrometheusRuleList" | "VMRuleList"), _) => {
                let mut known = false;
                for item in document.items.unwrap_or_default() {
                    known |= self.document(item);
                }
                known
            }
            _ => {
                self.skipped.extend(document.kind);
                false
            }
        }
    }

    fn groups(&mut self, groups: Vec<At<RawGroup>>) {
        let mut names = BTreeSet::new();
        for At { value: group, position } in groups {
            let Some(name) = group.name.filter(|name| !name.value.is_empty()) else {
                self.refuse(position, "this group has no `name`");
                continue;
            };
            if !names.insert(name.value.clone()) {
                self.refuse(name.position, format!("the group `{}` is given twice", name.value));
            }
            let foreign = |language: &At<String>| !matches!(language.value.as_str(), "" | "prometheus");
            if let Some(language) = group.language.filter(foreign) {
                let (name, language, at) = (name.value, language.value, language.position);
                self.note(
                    at,
                    format!("group `{name}` has `type: {language}`, which is not PromQL; it is skipped"),
                );
                continue;
            }
            for rule in group.rules.unwrap_or_default() {
                self.rule(&name.value, rule);
            }
        }
    }

    fn rule(&mut self, group: &str, At { value: rule, position }: At<RawRule>) {
        let given = |name: &Option<At<String>>| name.clone().filter(|name| !name.value.is_empty());
        let (kind, name) = match (given(&rule.alert), given(&rule.record)) {
            (Some(alert), None) => (Kind::Alert, alert),
            (None, Some(record)) => (Kind::Recording, record),
            (Some(_), Some(record)) => {
                return self.refuse(record.position, "a rule has `alert` or `record`, not both");
            }
            (None, None) => return self.refuse(position, "this rule has neither `alert` nor `record`"),
        };
        let Some(expr) = rule.expr.filter(|expr| !expr.value.trim().is_empty()) else {
            return self.refuse(position, format!("the rule `{}` has no `expr`", name.value));
        };
        let subject = subject(kind, &name.value, group);
        let mut queries = Vec::new();
        match reads(&expr.value) {
            Ok(reads) => {
                let position = place::start(self.source, expr.position);
                queries.push(Query { position, text: None, reads, shows: false });
            }
            Err(refusal) => self.unread(&subject, &expr, &refusal),
        }
        let labels = rule.labels.unwrap_or_default();
        let texts = labels.iter().map(|text| ("label", text));
        for (what, (name, text)) in
            texts.chain(rule.annotations.iter().flatten().map(|text| ("annotation", text)))
        {
            let text = At { position: text.position, value: text.value.as_deref().unwrap_or_default() };
            let what = format!("{what} `{name}`");
            let asked = template::asked(text.value);
            let labels: Vec<String> = asked.labels.iter().cloned().collect();
            if let (false, Ok(reads)) = (labels.is_empty(), reads_for(&expr.value, &labels)) {
                queries.push(Query { position: text.position, text: Some(what.clone()), reads, shows: true });
            }
            self.template(&subject, &what, text.position, asked.queries, &mut queries);
        }
        let labels = labels.into_iter().map(|(name, text)| (name, text.value.unwrap_or_default())).collect();
        self.rules.push(RuleEntry { group: group.to_owned(), kind, name, queries, labels });
    }

    /// The queries of a text. One that is wrong costs the text, not the rule.
    fn template(
        &mut self,
        subject: &str,
        what: &str,
        position: Position,
        asked: Vec<Asks>,
        queries: &mut Vec<Query>,
    ) {
        for Asks { query, is_whole } in asked {
            match reads(&query) {
                Ok(reads) => {
                    queries.push(Query { position, text: Some(what.to_owned()), reads, shows: false })
                }
                // what was put in may have made it good
                Err(_) if !is_whole => {}
                Err(refusal) => self.remark(
                    position,
                    true,
                    format!(
                        "{what} of {subject} has a query that cannot be read: {}, at {}",
                        refusal.message,
                        shown(&query, refusal.offset)
                    ),
                ),
            }
        }
    }

    fn unread(&mut self, subject: &str, expr: &At<String>, refusal: &Refusal) {
        let start = place::start(self.source, expr.position);
        let message = &refusal.message;
        if refusal.because == Because::Limit {
            return self.remark(start, true, format!("cannot read this expression: {message}"));
        }
        let (position, place) = match place::of(self.source, expr.position, &expr.value, refusal.offset) {
            Some(position) => (position, String::new()),
            None => (start, format!(", at {}", shown(&expr.value, refusal.offset))),
        };
        if refusal.because == Because::MetricsQl {
            self.note(position, format!("{subject} was not read, it may be MetricsQL: {message}{place}"));
        } else {
            self.refuse(position, format!("{subject}: {message}{place}"));
        }
    }

    fn note(&mut self, position: Position, message: String) {
        self.remark(position, false, message);
    }

    fn remark(&mut self, position: Position, is_warning: bool, message: String) {
        self.remarks.push(Remark { position, is_warning, message: printable(&message).into_owned() });
    }
}

/// An expression from there on.
fn shown(expression: &str, offset: usize) -> String {
    let rest = expression.get(offset..).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if rest.is_empty() {
        return "the end".to_owned();
    }
    let cut = if rest.chars().count() > MAX_SHOWN { "…" } else { "" };
    format!("`{}{cut}`", rest.chars().take(MAX_SHOWN).collect::<String>())
}
