//! One rule: checked as Prometheus checks it, compiled, applied.

use std::borrow::Cow;

use md5::{Digest, Md5};

use super::case;
use super::label_set::LabelSet;
use super::template::Template;
use super::text::{RuleError, RuleField, RuleText};
use crate::policy::VirtualLabel;
use crate::policy::pattern::Pattern;
use crate::series::quote;

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REPLACEMENT: &str = "$1";

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    sources: Box<[Source]>,
    separator: Box<str>,
    /// `None`: the default `(.*)`, which matches everything and captures it.
    pattern: Option<Pattern>,
    act: Act,
}

/// Where a rule reads.
#[derive(Debug)]
enum Source {
    Label(Box<str>),
    Virtual(VirtualLabel),
}

impl Source {
    fn named(name: &str) -> Self {
        VirtualLabel::named(name).map_or_else(|| Self::Label(name.into()), Self::Virtual)
    }

    fn read<'l>(&self, labels: &'l LabelSet<'_>) -> &'l str {
        match self {
            Self::Label(name) => labels.get(name),
            Self::Virtual(label) => labels.read(*label),
        }
    }
}

/// What a rule does.
#[derive(Debug)]
enum Act {
    Replace { target: Template, replacement: Template },
    Keep,
    Drop,
    KeepEqual(Box<str>),
    DropEqual(Box<str>),
    HashMod { target: Box<str>, modulus: u64 },
    LabelMap(Template),
    LabelDrop,
    LabelKeep,
    Lowercase(Box<str>),
    Uppercase(Box<str>),
}

/// The actions by name.
const ACTIONS: [&str; 11] = [
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
];

impl Rule {
    /// Checks a rule as Prometheus 3 does when it loads `relabel_configs` with UTF-8 names, and compiles it.
    ///
    /// # Errors
    /// The first thing Prometheus would refuse, at its field.
    pub fn new(text: &RuleText) -> Result<Rule, RuleError> {
        let written = text.action.as_deref().unwrap_or("replace");
        let action = written.to_ascii_lowercase();
        if !ACTIONS.contains(&action.as_str()) {
            let message = format!(
                "unknown relabel action `{}`; there are {}",
                quote::cited(written),
                ACTIONS.join(", ")
            );
            return Err(RuleError::new(RuleField::Action, message));
        }
        check(text, &action)?;
        sets_no_virtual(text, &action)?;
        let pattern = match &text.regex {
            None => None,
            Some(regex) => Some(Pattern::compile(regex).map_err(|error| RuleError {
                field: RuleField::Regex,
                message: error.message,
                offset: Some(error.offset),
            })?),
        };
        let names = pattern.as_ref().map_or(&[None, None][..], Pattern::names);
        let replacement = text.replacement.as_deref().unwrap_or(DEFAULT_REPLACEMENT);
        let target = || Box::from(text.target_label.as_str());
        let act = match action.as_str() {
            "replace" => Act::Replace {
                target: Template::parse(&text.target_label, names),
                replacement: Template::parse(replacement, names),
            },
            "keep" => Act::Keep,
            "drop" => Act::Drop,
            "keepequal" => Act::KeepEqual(target()),
            "dropequal" => Act::DropEqual(target()),
            "hashmod" => Act::HashMod { target: target(), modulus: text.modulus },
            "labelmap" => Act::LabelMap(Template::parse(replacement, names)),
            "labeldrop" => Act::LabelDrop,
            "labelkeep" => Act::LabelKeep,
            "lowercase" => Act::Lowercase(target()),
            _ => Act::Uppercase(target()),
        };
        Ok(Self {
            sources: text.sources().iter().map(|name| Source::named(name)).collect(),
            separator: text.separator.as_deref().unwrap_or(DEFAULT_SEPARATOR).into(),
            pattern,
            act,
        })
    }

    /// Memory of the compiled regex.
    pub fn bytes(&self) -> usize {
        self.pattern.as_ref().map_or(0, Pattern::bytes)
    }

    /// Does what the rule says; `false` if it drops the series.
    pub(super) fn apply(&self, labels: &mut LabelSet<'_>) -> bool {
        match &self.act {
            Act::Keep => return self.matches(&self.value(labels)),
            Act::Drop => return !self.matches(&self.value(labels)),
            Act::KeepEqual(target) => return labels.get(target) == self.value(labels),
            Act::DropEqual(target) => return labels.get(target) != self.value(labels),
            Act::Replace { target, replacement } => self.replace(labels, target, replacement),
            Act::HashMod { target, modulus } => {
                let hashed = hash_mod(&self.value(labels), *modulus).to_string();
                labels.set(target.to_string().into(), hashed.into());
            }
            Act::Lowercase(target) => {
                let value = case::lower(&self.value(labels));
                labels.set(target.to_string().into(), value.into());
            }
            Act::Uppercase(target) => {
                let value = case::upper(&self.value(labels));
                labels.set(target.to_string().into(), value.into());
            }
            Act::LabelMap(replacement) => {
                for (name, value) in labels.snapshot() {
                    if let Some(mapped) = self.expanded(&name, &[replacement]) {
                        let [mapped] = mapped;
                        labels.set(mapped.into(), value);
                    }
                }
            }
            Act::LabelDrop => labels.retain(|name| !self.matches(name)),
            Act::LabelKeep => labels.retain(|name| self.matches(name)),
        }
        true
    }

    fn replace(&self, labels: &mut LabelSet<'_>, target: &Template, replacement: &Template) {
        let value = self.value(labels);
        let Some([target, replacement]) = self.expanded(&value, &[target, replacement]) else { return };
        drop(value);
        // A name that the templates leave empty is no name; Prometheus skips the rule then.
        if !target.is_empty() {
            labels.set(target.into(), replacement.into());
        }
    }

    /// The values of the source labels, joined.
    fn value<'l>(&self, labels: &'l LabelSet<'_>) -> Cow<'l, str> {
        match &*self.sources {
            [] => Cow::Borrowed(""),
            [source] => Cow::Borrowed(source.read(labels)),
            [first, rest @ ..] => {
                let mut joined = first.read(labels).to_owned();
                for source in rest {
                    joined.push_str(&self.separator);
                    joined.push_str(source.read(labels));
                }
                Cow::Owned(joined)
            }
        }
    }

    fn matches(&self, value: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
    }

    /// Templates with the groups that the regex finds in `value`; `None` where it does not match.
    fn expanded<const N: usize>(&self, value: &str, templates: &[&Template; N]) -> Option<[String; N]> {
        let Some(pattern) = &self.pattern else {
            return Some(templates.map(|template| template.expand(|group| (group < 2).then_some(value))));
        };
        let mut captures = pattern.new_captures();
        if !pattern.captures(value, &mut captures) {
            return None;
        }
        let group = |number| captures.get_group(number).map(|span| &value[span.range()]);
        Some(templates.map(|template| template.expand(group)))
    }
}

/// MD5, its last eight bytes as a big-endian number, modulo.
fn hash_mod(value: &str, modulus: u64) -> u64 {
    let digest: [u8; 16] = Md5::digest(value.as_bytes()).into();
    let tail = digest.iter().skip(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    tail % modulus
}

/// Labels that are only there to be read stay so.
fn sets_no_virtual(text: &RuleText, action: &str) -> Result<(), RuleError> {
    let (field, target) = match action {
        "labelmap" => (RuleField::Replacement, text.replacement.as_deref().unwrap_or_default()),
        _ => (RuleField::TargetLabel, text.target_label.as_str()),
    };
    let Some(label) = VirtualLabel::named(target) else { return Ok(()) };
    let message =
        format!("`{}` is never sent: rules can read it in `source_labels`, and not set it", label.as_str());
    Err(RuleError::new(field, message))
}

/// What Prometheus' `relabel.Config.Validate` refuses.
fn check(text: &RuleText, action: &str) -> Result<(), RuleError> {
    let refuse = |field, message: String| Err(RuleError::new(field, message));
    let replacement = text.replacement.as_deref().unwrap_or(DEFAULT_REPLACEMENT);
    let is_default = |text: &Option<String>, default| text.as_deref().is_none_or(|text| text == default);
    let needs_target =
        ["replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"].contains(&action);
    if text.sources().iter().any(String::is_empty) {
        return refuse(RuleField::SourceLabels, "a label name is empty".into());
    }
    if action == "hashmod" && text.modulus == 0 {
        return refuse(RuleField::Modulus, "action `hashmod` requires a `modulus` other than 0".into());
    }
    if needs_target && text.target_label.is_empty() {
        return refuse(RuleField::TargetLabel, format!("action `{action}` requires a `target_label`"));
    }
    if ["lowercase", "uppercase", "keepequal", "dropequal"].contains(&action)
        && replacement != DEFAULT_REPLACEMENT
    {
        return refuse(RuleField::Replacement, format!("action `{action}` takes no `replacement`"));
    }
    if action == "labelmap" && replacement.is_empty() {
        let message = "action `labelmap` requires a `replacement` that makes a label name";
        return refuse(RuleField::Replacement, message.into());
    }
    let label_only = ["labeldrop", "labelkeep"].contains(&action);
    let equality = ["keepequal", "dropequal"].contains(&action);
    let surplus = if label_only {
        [
            text.source_labels.is_some().then_some(RuleField::SourceLabels),
            (!text.target_label.is_empty()).then_some(RuleField::TargetLabel),
            (text.modulus != 0).then_some(RuleField::Modulus),
            (!is_default(&text.separator, DEFAULT_SEPARATOR)).then_some(RuleField::Separator),
            (replacement != DEFAULT_REPLACEMENT).then_some(RuleField::Replacement),
        ]
    } else if equality {
        [
            text.regex.is_some().then_some(RuleField::Regex),
            (text.modulus != 0).then_some(RuleField::Modulus),
            (!is_default(&text.separator, DEFAULT_SEPARATOR)).then_some(RuleField::Separator),
            None,
            None,
        ]
    } else {
        [None; 5]
    };
    match surplus.into_iter().flatten().next() {
        Some(field) if label_only => {
            refuse(field, format!("action `{action}` takes only `regex`, and no other field"))
        }
        Some(field) => {
            refuse(field, format!("action `{action}` takes only `source_labels` and `target_label`"))
        }
        None => Ok(()),
    }
}
