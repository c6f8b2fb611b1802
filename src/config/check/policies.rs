//! `policies`: definitions with their selectors parsed, and mistakes in a selector shown inside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Checker;
use crate::config::at::{At, Position};
use crate::config::errors::{ConfigError, Note};
use crate::config::raw::{MatchText, RawPolicy};
use crate::config::source::excerpt_of;
use crate::policy::{Action, Definition, MAX_POLICIES, Mode, PolicySet, Run, Selector, SelectorError};

/// Actions that CONTRACT.md names and this version does not have.
const LATER_ACTIONS: [&str; 3] = ["relabel", "aggregate", "limit"];

impl Checker<'_> {
    pub(super) fn policies(&mut self, raw: &[At<RawPolicy>]) -> Vec<Definition> {
        let mut first_lines: BTreeMap<&str, Position> = BTreeMap::new();
        if let Some(surplus) = raw.get(MAX_POLICIES) {
            self.refuse(surplus.position, format!("more than {MAX_POLICIES} policies"));
        }
        let mut definitions = Vec::with_capacity(raw.len());
        for policy in raw {
            if let Some(name) = &policy.value.name {
                if let Some(first) = first_lines.get(name.value.as_str()) {
                    let message =
                        format!("the name `{}` is taken by the policy in line {}", name.value, first.line);
                    self.refuse(name.position, message);
                } else {
                    first_lines.insert(&name.value, name.position);
                }
            }
            definitions.extend(self.policy(policy));
        }
        self.compiles(raw, &definitions);
        definitions
    }

    /// Only where every policy was understood: a fault names policies and selectors by their number.
    fn compiles(&mut self, raw: &[At<RawPolicy>], definitions: &[Definition]) {
        let understood =
            definitions.iter().map(|d| d.selectors.len()).eq(raw.iter().map(|p| written(&p.value)));
        if !understood {
            return;
        }
        // The compiled set is thrown away: whoever runs it compiles it.
        let Err(error) = PolicySet::compile(definitions, Run::AsConfigured) else { return };
        let fault = SelectorError { message: error.message, offset: error.offset.unwrap_or(0) };
        let Some(policy) = raw.get(error.policy) else { return };
        match &policy.value.matches {
            Some(At { value: MatchText::One(text), position }) => {
                self.refuse_selector(*position, text, &fault)
            }
            Some(At { value: MatchText::Any(texts), .. }) if error.selector < texts.len() => {
                let At { value, position } = &texts[error.selector];
                self.refuse_selector(*position, &value.0, &fault);
            }
            _ => self.refuse(policy.position, fault.message),
        }
    }

    fn policy(&mut self, at: &At<RawPolicy>) -> Option<Definition> {
        let raw = &at.value;
        let name = self.required(at.position, "name", raw.name.as_ref());
        if let Some(name) = name {
            self.name(name);
        }
        let action = self.required(at.position, "action", raw.action.as_ref());
        let action = action.and_then(|action| self.action(action));
        let mode = self.choice(&raw.mode, &[("enforce", Mode::Enforce), ("preview", Mode::Preview)]);
        let selectors = raw.matches.as_ref().map(|matches| self.selectors(matches)).unwrap_or_default();
        Some(Definition { name: Arc::from(name?.value.as_str()), selectors, action: action?, mode: mode? })
    }

    fn action(&mut self, at: &At<String>) -> Option<Action> {
        if LATER_ACTIONS.contains(&at.value.as_str()) {
            let message =
                format!("the action `{}` is not in this version; available are `pass` and `drop`", at.value);
            self.refuse(at.position, message);
            return None;
        }
        self.choice(at, &[("pass", Action::Pass), ("drop", Action::Drop)])
    }

    fn selectors(&mut self, at: &At<MatchText>) -> Vec<Selector> {
        match &at.value {
            MatchText::One(text) => self.selector(at.position, text).into_iter().collect(),
            MatchText::Any(texts) if texts.is_empty() => {
                self.refuse(at.position, "the list is empty; leave `match` out to match every series");
                Vec::new()
            }
            MatchText::Any(texts) => {
                texts.iter().filter_map(|text| self.selector(text.position, &text.value.0)).collect()
            }
        }
    }

    fn selector(&mut self, position: Position, text: &str) -> Option<Selector> {
        Selector::parse(text).map_err(|fault| self.refuse_selector(position, text, &fault)).ok()
    }

    /// Puts the caret at the fault, where the file has the selector as it is; else below a copy of it.
    fn refuse_selector(&mut self, position: Position, text: &str, fault: &SelectorError) {
        let tail = self.source.tail(position).unwrap_or_default();
        let quotes = usize::from(tail.starts_with(['\'', '"']));
        let verbatim = !text.is_empty() && tail.get(quotes..).is_some_and(|tail| tail.starts_with(text));
        let before = text.get(..fault.offset).unwrap_or(text).chars().count() + quotes;
        let (place, note) = if verbatim {
            let column = position.column.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            (Position { column, ..position }, None)
        } else {
            (position, Some(Note { label: "selector", excerpt: excerpt_of(text, fault.offset) }))
        };
        let message = format!("in the selector: {}", fault.message);
        let excerpt = self.source.excerpt(place, None);
        self.errors.push(ConfigError::new(place, message, excerpt).with_note(note));
    }
}

/// How many selectors a policy has in the text.
fn written(raw: &RawPolicy) -> usize {
    match raw.matches.as_ref().map(|at| &at.value) {
        None => 0,
        Some(MatchText::One(_)) => 1,
        Some(MatchText::Any(texts)) => texts.len(),
    }
}
