//! Rule files of Prometheus, Mimir and Loki, and PrometheusRule resources: each rule with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::config::{At, ConfigError, ConfigErrors, Position, Source, documents, read_text};

/// A file that was found good.
#[derive(Debug)]
pub(super) struct RulesFile {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) rules: Vec<RuleEntry>,
}

/// An alert or a recording rule.
#[derive(Debug)]
pub(super) struct RuleEntry {
    pub(super) group: String,
    pub(super) kind: Kind,
    /// Of the alert, or of the metric that is recorded.
    pub(super) name: At<String>,
    pub(super) expr: At<String>,
    /// Labels that the rule sets.
    pub(super) labels: BTreeMap<String, String>,
}

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    Recording,
}

/// One YAML document. Keys that are not here are somebody else's.
#[derive(Deserialize)]
struct RawDocument {
    kind: Option<String>,
    /// Outer `None`: the key is not there.
    #[serde(default, deserialize_with = "even_if_empty")]
    groups: Option<Option<Vec<At<RawGroup>>>>,
    spec: Option<RawSpec>,
    /// Of `kind: List`, which `kubectl get -o yaml` prints.
    items: Option<Vec<RawDocument>>,
}

#[derive(Deserialize)]
struct RawSpec {
    groups: Option<Vec<At<RawGroup>>>,
}

#[derive(Deserialize)]
struct RawGroup {
    name: Option<At<String>>,
    rules: Option<Vec<At<RawRule>>>,
}

#[derive(Deserialize)]
struct RawRule {
    alert: Option<At<String>>,
    record: Option<At<String>>,
    expr: Option<At<String>>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

fn even_if_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl RulesFile {
    /// Reads and checks a file.
    pub(super) fn load(path: &Path) -> Result<RulesFile, ConfigErrors> {
        let text = read_text(path)?;
        RulesFile::parse(path.display().to_string(), text)
    }

    fn parse(name: String, text: String) -> Result<RulesFile, ConfigErrors> {
        let source = Source::new(&text);
        let mut reader = Reader { source: &source, rules: Vec::new(), errors: Vec::new() };
        if !source.is_blank() {
            match documents::<Option<RawDocument>>(&text) {
                Ok(documents) => reader.documents(documents),
                Err(refusal) => reader.refuse(refusal.position, refusal.message),
            }
        }
        let Reader { rules, errors, .. } = reader;
        if errors.is_empty() {
            Ok(RulesFile { name, text, rules })
        } else {
            Err(ConfigErrors::new(&name, errors, None))
        }
    }
}

/// Collects rules and mistakes.
struct Reader<'s> {
    source: &'s Source<'s>,
    rules: Vec<RuleEntry>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn refuse(&mut self, position: Position, message: impl Into<String>) {
        let excerpt = self.source.excerpt(position, None);
        self.errors.push(ConfigError::new(position, message, excerpt));
    }

    fn documents(&mut self, documents: Vec<Option<RawDocument>>) {
        let mut known = false;
        for document in documents.into_iter().flatten() {
            known |= self.document(document);
        }
        if !known {
            let message = "no rules in here: expected `groups`, or `kind: PrometheusRule` with `spec.groups`";
            self.refuse(Position::default(), message);
        }
    }

    /// Whether a document is about rules; a file of Kubernetes resources may have others beside them.
    fn document(&mut self, document: RawDocument) -> bool {
        match (document.kind.as_deref(), document.groups) {
            (None, Some(groups)) => {
                self.groups(groups.unwrap_or_default());
                true
            }
            (Some("PrometheusRule"), _) => {
                self.groups(document.spec.and_then(|spec| spec.groups).unwrap_or_default());
                true
            }
            (Some("List" | "PrometheusRuleList"), _) => {
                let mut known = false;
                for item in document.items.unwrap_or_default() {
                    known |= self.document(item);
                }
                known
            }
            _ => false,
        }
    }

    fn groups(&mut self, groups: Vec<At<RawGroup>>) {
        let mut names = BTreeSet::new();
        for At { value: group, position } in groups {
            let Some(name) = group.name.filter(|name| !name.value.is_empty()) else {
                self.refuse(position, "this group has no `name`");
                continue;
            };
            for rule in group.rules.unwrap_or_default() {
                self.rule(&name.value, rule);
            }
            if !names.insert(name.value.clone()) {
                self.refuse(name.position, format!("the group `{}` is given twice", name.value));
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
        match rule.expr.filter(|expr| !expr.value.trim().is_empty()) {
            Some(expr) => {
                let expr = At { position: self.first_line(expr.position), value: expr.value };
                let labels = rule.labels.unwrap_or_default().into_iter();
                let labels = labels.map(|(name, value)| (name, value.unwrap_or_default())).collect();
                self.rules.push(RuleEntry { group: group.to_owned(), kind, name, expr, labels });
            }
            None => self.refuse(position, format!("the rule `{}` has no `expr`", name.value)),
        }
    }

    /// Where an expression starts: the block that holds it may start with a comment.
    fn first_line(&self, position: Position) -> Position {
        let tail = |position| self.source.tail(position).unwrap_or_default();
        if !tail(position).starts_with('#') {
            return position;
        }
        let lines = (position.line + 1..).map(|line| Position { line, column: 1 });
        let mut lines = lines.map_while(|start| Some((start, self.source.tail(start)?)));
        let Some((start, text)) = lines.find(|(_, text)| says_something(text)) else { return position };
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        Position { column: u32::try_from(indent).map_or(1, |indent| indent + 1), ..start }
    }
}

fn says_something(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim().starts_with('#')
}
