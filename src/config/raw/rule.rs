//! `relabel_configs`: Prometheus' own keys. What they mean, and which go together, `policy::relabel` knows.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::config::at::At;

/// One rule.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRule {
    /// Labels whose values are joined by `separator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_labels: Option<Vec<At<String>>>,
    /// What joins them; `;` if absent.
    #[serde(skip_serializing_if = "Given::is_absent")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = ";")))]
    pub(crate) separator: Given,
    /// Has to match the whole joined value; `(.*)` if absent.
    #[serde(skip_serializing_if = "Given::is_absent")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = "(.*)")))]
    pub(crate) regex: Given,
    /// For `hashmod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) modulus: Option<At<u64>>,
    /// The label that is set; may hold `$1` for `replace`.
    #[serde(skip_serializing_if = "Given::is_absent")]
    pub(crate) target_label: Given,
    /// What it is set to; `$1` if absent.
    #[serde(skip_serializing_if = "Given::is_absent")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = "$1")))]
    pub(crate) replacement: Given,
    /// `replace` if absent.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", "keepequal", "dropequal"])))]
    #[serde(skip_serializing_if = "Given::is_absent")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = "replace")))]
    pub(crate) action: Given,
}

/// A text that may be absent, be there, or be there as `null`.
#[derive(Clone, Debug, Default)]
pub(crate) enum Given {
    #[default]
    Absent,
    Null,
    Text(At<String>),
}

impl Given {
    #[cfg(feature = "schema")]
    fn is_absent(&self) -> bool {
        matches!(self, Given::Absent)
    }

    pub(crate) fn text(&self) -> Option<&At<String>> {
        if let Given::Text(text) = self { Some(text) } else { None }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<At<String>>::deserialize(deserializer)?.map_or(Given::Null, Given::Text))
    }
}
