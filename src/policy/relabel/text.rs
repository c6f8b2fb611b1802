//! A rule as written, and what is wrong with it.

/// One entry of `relabel_configs` as the config states it; `None` where it leaves a field out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    /// Labels whose values are joined; default none.
    pub source_labels: Option<Vec<String>>,
    /// What joins them; default `;`.
    pub separator: Option<String>,
    /// Has to match the whole joined value; default `(.*)`.
    pub regex: Option<String>,
    /// For `hashmod`; default 0, which it refuses.
    pub modulus: u64,
    /// The label that is set.
    pub target_label: String,
    /// What it is set to; default `$1`.
    pub replacement: Option<String>,
    /// What to do; default `replace`. In any case of letters.
    pub action: Option<String>,
}

/// The field of a rule that a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleField {
    /// `separator`
    Separator,
    /// `regex`
    Regex,
    /// `modulus`
    Modulus,
    /// `target_label`
    TargetLabel,
    /// `replacement`
    Replacement,
    /// `action`
    Action,
    /// `source_labels`
    SourceLabels,
}

/// Why a rule is refused, as Prometheus would refuse it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// Where.
    pub field: RuleField,
    /// What is wrong, for a person.
    pub message: String,
    /// Where in the regex, in bytes, if the regex is at fault in itself.
    pub offset: Option<usize>,
}

impl RuleError {
    pub(super) fn new(field: RuleField, message: impl Into<String>) -> Self {
        Self { field, message: message.into(), offset: None }
    }
}

impl RuleText {
    /// The source labels, none where the field is left out.
    pub fn sources(&self) -> &[String] {
        self.source_labels.as_deref().unwrap_or_default()
    }
}
