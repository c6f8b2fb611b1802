//! The YAML of rule files. Keys that are not here are somebody else's.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::config::At;

/// One YAML document.
#[derive(Deserialize)]
pub(super) struct RawDocument {
    pub(super) kind: Option<At<String>>,
    /// Outer `None`: the key is not there.
    #[serde(default, deserialize_with = "even_if_empty")]
    pub(super) groups: Option<Option<Vec<At<RawGroup>>>>,
    pub(super) spec: Option<RawSpec>,
    /// Of `kind: List`, which `kubectl get -o yaml` prints.
    pub(super) items: Option<Vec<RawDocument>>,
}

#[derive(Deserialize)]
pub(super) struct RawSpec {
    pub(super) groups: Option<Vec<At<RawGroup>>>,
}

#[derive(Deserialize)]
pub(super) struct RawGroup {
    pub(super) name: Option<At<String>>,
    /// VictoriaMetrics: the language of the rules.
    #[serde(rename = "type")]
    pub(super) language: Option<At<String>>,
    pub(super) rules: Option<Vec<At<RawRule>>>,
}

/// Names and texts, which may be empty.
type Texts = Option<BTreeMap<String, At<Option<String>>>>;

#[derive(Deserialize)]
pub(super) struct RawRule {
    pub(super) alert: Option<At<String>>,
    pub(super) record: Option<At<String>>,
    pub(super) expr: Option<At<String>>,
    pub(super) labels: Texts,
    pub(super) annotations: Texts,
}

fn even_if_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
