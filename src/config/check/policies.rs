//! `policies`: definitions with their selectors parsed, and mistakes in a selector shown inside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Checker;
use crate::config::Aggregation;
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::errors::{ConfigError, Note};
use crate::config::excerpt::excerpt_of;
use crate::config::position::Position;
use crate::config::raw::{MatchText, RawPolicy};
use crate::policy::{
    Action, ActionKind, Definition, MAX_POLICIES, Mode, Place, PolicySet, Run, Selector, SelectorError,
};

impl Checker<'_> {
    pub(super) fn policies(&mut self, raw: &[At<RawPolicy>], common: &Aggregation) -> Vec<Definition> {
        let mut first_lines: BTreeMap<&str, Position> = BTreeMap::new();
        if let Some(surplus) = raw.get(MAX_POLICIES) {
            self.refuse(surplus.position, format!("more than {MAX_POLICIES} policies"));
        }
        let mut definitions = Vec::with_capacity(raw.len());
        for (at, policy) in raw.iter().enumerate() {
            if let Some(name) = &policy.value.name {
                if let Some(first) = first_lines.get(name.value.as_str()) {
                    let message = format!(
                        "the name `{}` is taken by the policy in line {}",
                        cited(&name.value),
                        first.line
                    );
                    self.refuse(name.position, message);
                } else {
                    first_lines.insert(&name.value, name.position);
                }
            }
            definitions.extend(self.inside(&format!("policies.{at}"), |check| check.policy(policy, common)));
        }
        self.compiles(raw, &definitions);
        definitions
    }

    /// Only where every policy was understood: a fault names policies and selectors by their number.
    fn compiles(&mut self, raw: &[At<RawPolicy>], definitions: &[Definition]) {
        let understood =
            definitions.iter().map(|d| d.selectors.len()).eq(raw.iter().map(|p| written(&p.value)));
        if !understood || !self.errors.is_empty() {
            return;
        }
        // The compiled set is thrown away: whoever runs it compiles it.
        let Err(error) = PolicySet::compile(definitions, Run::AsConfigured) else { return };
        let Some(policy) = raw.get(error.policy) else { return };
        let selector = match (error.place, policy.value.matches.as_ref()) {
            (Place::Selector(_), Some(At { value: MatchText::One(text), position })) => {
                Some((*position, text))
            }
            (Place::Selector(number), Some(At { value: MatchText::Any(texts), .. })) => {
                texts.get(number).map(|text| (text.position, &text.value.0))
            }
            _ => None,
        };
        match (selector, error.regex) {
            (Some((position, text)), Some((regex, offset))) => {
                // verbatim in the selector, unless it has escapes
                let fault = Fault { part: "selector", message: &error.message };
                match text.find(&regex) {
                    Some(at) => self.refuse_inside(position, text, at + offset, fault),
                    None => self.refuse_inside(position, &regex, offset, Fault { part: "regex", ..fault }),
                }
            }
            (Some((position, text)), None) => {
                self.refuse_inside(position, text, 0, Fault { part: "selector", message: &error.message });
            }
            (None, _) => self.refuse(policy.position, error.message),
        }
    }

    fn policy(&mut self, at: &At<RawPolicy>, common: &Aggregation) -> Option<Definition> {
        let raw = &at.value;
        let name = self.required(at.position, "name", raw.name.as_ref());
        if let Some(name) = name {
            self.name(name);
        }
        let action = self.required(at.position, "action", raw.action.as_ref());
        let action = action.and_then(|action| self.action(action, raw, common));
        let mode = self.choice(&raw.mode, &[("enforce", Mode::Enforce), ("preview", Mode::Preview)]);
        let selectors = raw.matches.as_ref().map(|matches| self.selectors(matches)).unwrap_or_default();
        let workload = raw.workload.as_ref().map(|at| self.inside("workload", |check| check.workload(at)));
        let name = Arc::from(name?.value.as_str());
        Some(Definition { name, selectors, workload, action: action?, mode: mode? })
    }

    fn action(&mut self, at: &At<String>, raw: &RawPolicy, common: &Aggregation) -> Option<Action> {
        let kinds = [
            ("pass", ActionKind::Pass),
            ("drop", ActionKind::Drop),
            ("relabel", ActionKind::Relabel),
            ("aggregate", ActionKind::Aggregate),
            ("limit", ActionKind::Limit),
        ];
        let kind = self.choice(at, &kinds)?;
        let collects = match kind {
            ActionKind::Relabel => self.collects(raw),
            ActionKind::Limit => self.folds(raw),
            ActionKind::Pass | ActionKind::Drop | ActionKind::Aggregate => false,
        };
        match &raw.on_collision {
            Some(given) if kind != ActionKind::Relabel => {
                let message = format!("`on_collision` belongs to `action: relabel`, not `{}`", at.value);
                self.refuse(given.position, message);
            }
            _ => {}
        }
        if kind != ActionKind::Aggregate {
            self.no_aggregation(&at.value, raw, collects);
        }
        if kind != ActionKind::Limit {
            self.no_limit(&at.value, raw);
        }
        match (kind, &raw.relabel_configs) {
            (ActionKind::Relabel, Some(rules)) if collects => {
                let aggregation = self.collected(raw, common);
                self.rules(rules)
                    .zip(aggregation)
                    .map(|(rules, aggregation)| Action::RelabelAggregate(rules, Arc::new(aggregation)))
            }
            (ActionKind::Relabel, Some(rules)) => self.rules(rules).map(Action::Relabel),
            (ActionKind::Relabel, None) => {
                if !self.could_not_read(&["relabel_configs"]) {
                    self.refuse(at.position, "`relabel` needs `relabel_configs`, a list of rules");
                }
                None
            }
            (_, Some(rules)) => {
                let message = format!("`relabel_configs` belongs to `action: relabel`, not `{}`", at.value);
                self.refuse(rules.position, message);
                None
            }
            (ActionKind::Pass, None) => Some(Action::Pass),
            (ActionKind::Drop, None) => Some(Action::Drop),
            (ActionKind::Aggregate, None) => {
                self.aggregate(at.position, raw, common).map(Arc::new).map(Action::Aggregate)
            }
            (ActionKind::Limit, None) => {
                self.limit(at.position, raw, common).map(Arc::new).map(Action::Limit)
            }
        }
    }

    fn selectors(&mut self, at: &At<MatchText>) -> Vec<Selector> {
        match &at.value {
            MatchText::One(text) => self.selector(at.position, text).into_iter().collect(),
            MatchText::Any(texts) if texts.is_empty() => {
                if !self.could_not_read(&["match"]) {
                    self.refuse(at.position, "the list is empty; leave `match` out to match every series");
                }
                Vec::new()
            }
            MatchText::Any(texts) => {
                texts.iter().filter_map(|text| self.selector(text.position, &text.value.0)).collect()
            }
        }
    }

    fn selector(&mut self, position: Position, text: &str) -> Option<Selector> {
        let refuse = |fault: SelectorError| {
            let message = fault.message.as_str();
            self.refuse_inside(position, text, fault.offset, Fault { part: "selector", message });
        };
        Selector::parse(text).map_err(refuse).ok()
    }

    /// Puts the caret at the fault, where the file has the text as it is; else below a copy of it.
    pub(super) fn refuse_inside(&mut self, position: Position, text: &str, offset: usize, fault: Fault<'_>) {
        let tail = self.source.tail(position).unwrap_or_default();
        let quotes = usize::from(tail.starts_with(['\'', '"']));
        let verbatim = !text.is_empty() && tail.get(quotes..).is_some_and(|tail| tail.starts_with(text));
        let before = text.get(..offset).unwrap_or(text).chars().count() + quotes;
        let (place, note) = if verbatim {
            let column = position.column.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            (Position { column, ..position }, None)
        } else {
            (position, Some(Note { label: fault.part, excerpt: excerpt_of(text, offset) }))
        };
        let message = format!("in the {}: {}", fault.part, fault.message);
        self.errors.push(ConfigError::new(place, message, None).with_note(note));
    }
}

/// What is wrong inside a text.
#[derive(Clone, Copy)]
pub(super) struct Fault<'m> {
    /// What the text is.
    pub(super) part: &'static str,
    pub(super) message: &'m str,
}

/// How many selectors a policy has in the text.
fn written(raw: &RawPolicy) -> usize {
    match raw.matches.as_ref().map(|at| &at.value) {
        None => 0,
        Some(MatchText::One(_)) => 1,
        Some(MatchText::Any(texts)) => texts.len(),
    }
}
