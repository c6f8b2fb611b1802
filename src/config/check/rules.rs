//! `relabel_configs`: every rule read, each mistake at its own key.

use std::sync::Arc;

use super::Checker;
use super::policies::Fault;
use crate::config::at::At;
use crate::config::position::Position;
use crate::config::raw::{Given, RawRule};
use crate::policy::relabel::{Rule, RuleError, RuleField, RuleText};

impl Checker<'_> {
    /// `None` if a rule was refused.
    pub(super) fn rules(&mut self, raw: &At<Vec<At<RawRule>>>) -> Option<Arc<[RuleText]>> {
        if raw.value.is_empty() {
            if !self.could_not_read(&["relabel_configs"]) {
                self.refuse(raw.position, "the list is empty; a `relabel` policy has one rule at least");
            }
            return None;
        }
        let before = self.errors.len();
        let mut texts = Vec::with_capacity(raw.value.len());
        for (at, rule) in raw.value.iter().enumerate() {
            let text = text_of(&rule.value);
            // What a rule lacks may be what could not be read of it.
            let known = !self.could_not_read(&[&format!("relabel_configs.{at}")]);
            // Compiled to be checked and thrown away: whoever runs it compiles it.
            if let Err(error) = Rule::new(&text)
                && known
            {
                self.refuse_rule(rule, &text, &error);
            }
            texts.push(text);
        }
        (self.errors.len() == before).then(|| texts.into())
    }

    fn refuse_rule(&mut self, rule: &At<RawRule>, text: &RuleText, error: &RuleError) {
        let position = position_of(rule, error.field);
        if let (Some(offset), Some(regex)) = (error.offset, &text.regex) {
            let fault = Fault { part: "regex", message: &error.message };
            self.refuse_inside(position, regex, offset, fault);
        } else {
            self.refuse(position, error.message.clone());
        }
    }
}

fn text_of(raw: &RawRule) -> RuleText {
    // Prometheus takes a key without a value for the empty text, not for absent.
    let given = |given: &Given| match given {
        Given::Absent => None,
        Given::Null => Some(String::new()),
        Given::Text(text) => Some(text.value.clone()),
    };
    let names = |names: &Vec<At<String>>| names.iter().map(|name| name.value.clone()).collect();
    RuleText {
        source_labels: raw.source_labels.as_ref().map(names),
        separator: given(&raw.separator),
        regex: given(&raw.regex),
        modulus: raw.modulus.as_ref().map_or(0, |modulus| modulus.value),
        target_label: given(&raw.target_label).unwrap_or_default(),
        replacement: given(&raw.replacement),
        action: given(&raw.action),
    }
}

/// Where a field stands; where it is absent, the rule.
fn position_of(rule: &At<RawRule>, field: RuleField) -> Position {
    let raw = &rule.value;
    let given = |given: &Given| given.text().map(|text| text.position);
    let position = match field {
        RuleField::Separator => given(&raw.separator),
        RuleField::Regex => given(&raw.regex),
        RuleField::Modulus => raw.modulus.as_ref().map(|modulus| modulus.position),
        RuleField::TargetLabel => given(&raw.target_label),
        RuleField::Replacement => given(&raw.replacement),
        RuleField::Action => given(&raw.action),
        RuleField::SourceLabels => raw.source_labels.iter().flatten().next().map(|name| name.position),
    };
    position.unwrap_or_default().or(rule.position)
}
