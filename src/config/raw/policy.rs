//! `policies`: one flat mapping each, whatever the action, so that a mistake is shown at its own key.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{DurationText, RawRule, RawWorkload};
use crate::config::at::At;

/// Keys of actions that a later version brings.
pub(crate) const LATER_POLICY_KEYS: [&str; 1] = ["sort_labels"];

const QUOTE_IT: &str = "a selector that starts with `{` must be quoted: '{job=\"api\"}'";

/// One policy.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
// To serde they are optional, so that `check` can report them together with other mistakes.
#[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "action"])))]
pub(crate) struct RawPolicy {
    /// Unique name; the `policy` label of our own metrics.
    #[cfg_attr(feature = "schema", schemars(required, regex(pattern = r"^[a-zA-Z0-9_-]{1,64}$"), extend("type" = ["string", "number", "boolean"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<At<String>>,
    /// PromQL selector, or a list of selectors joined by OR. Absent: every series.
    #[serde(rename = "match")]
    pub(crate) matches: Option<At<MatchText>>,
    /// What is asked of the workload that a series is about, beside `match`. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workload: Option<At<RawWorkload>>,
    /// `pass` forwards and `drop` does not; both end the walk for the series. `relabel` changes labels, and the
    /// walk goes on. `aggregate` sends one series for all that differ only in some labels, and ends the walk. `limit`
    /// admits so many series; for those the walk goes on, the others are held back.
    #[cfg_attr(feature = "schema", schemars(required, extend("enum" = ["pass", "drop", "relabel", "aggregate", "limit"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<At<String>>,
    /// For `relabel`: rules as in Prometheus' `write_relabel_configs`, first to last.
    pub(crate) relabel_configs: Option<At<Vec<At<RawRule>>>>,
    /// For `relabel`: what becomes of series that get the same labels. `hold`: the first goes on, the others are held back. `aggregate`: those that the rules change are added up by type, with `interval`, `delay`, `type` and `outputs`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["hold", "aggregate"], "default" = "hold")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_collision: Option<At<String>>,
    /// For `aggregate`: the labels that stay; not together with `without`. For `limit`: the labels whose values make a group, each of which has the limit for itself; absent: all that matches, of one tenant, is one group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<At<Vec<At<String>>>>,
    /// For `aggregate`: the labels that go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) without: Option<At<Vec<At<String>>>>,
    /// For `aggregate`: labels whose values become the name of the workload behind them (`web-7d764666f9-qdcxt`: `web`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collapse: Option<At<Vec<At<String>>>>,
    /// For `aggregate`: one sample is sent at the end of each interval; `1m` if absent.
    #[cfg_attr(feature = "schema", schemars(extend("default" = "1m")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interval: Option<At<DurationText>>,
    /// For `aggregate`: how long to wait for late samples after the end of an interval; `30s` if absent.
    #[cfg_attr(feature = "schema", schemars(extend("default" = "30s")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<At<DurationText>>,
    /// For `aggregate`: what is made of gauges, `[sum]` if absent. Of several the first keeps the metric's name, the others add theirs to it (`name:max`).
    #[cfg_attr(feature = "schema", schemars(extend("items" = { "enum": ["sum", "min", "max", "avg", "count", "last"] })))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outputs: Option<At<Vec<At<String>>>>,
    /// For `aggregate`: what the metrics are; absent: as metadata and the endings of their names say.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["counter", "gauge", "histogram"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<At<String>>,
    /// For `aggregate`: put behind the names of the metrics; absent: they keep their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suffix: Option<At<String>>,
    /// For `aggregate`: forward the series as well; needs `suffix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_input: Option<At<bool>>,
    /// For `limit`: series of a group that are admitted and not idle, at most.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_series: Option<At<u64>>,
    /// For `limit`: series of a group that are admitted within an hour, at most.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_new_per_hour: Option<At<u64>>,
    /// For `limit`: groups of one tenant at most, `1000` if absent; all that would be more share one group.
    #[cfg_attr(feature = "schema", schemars(range(min = 1), extend("default" = 1000)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_groups: Option<At<u64>>,
    /// For `limit`: what becomes of series that are not admitted. `drop`: they are held back. `fold`: the values of `fold_labels` become `__overflow__`, and what becomes one is added up by type, with `interval`, `delay`, `type` and `outputs`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["drop", "fold"], "default" = "drop")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_exceed: Option<At<String>>,
    /// For `limit` with `on_exceed: fold`: labels whose values become `__overflow__`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fold_labels: Option<At<Vec<At<String>>>>,
    /// For `limit`: from this share of a limit on a group is told of in reports and metrics, percent; `80` if absent.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100), extend("default" = 80)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warn_at: Option<At<u64>>,
    /// `enforce` acts; `preview` only counts what it would do.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["enforce", "preview"])))]
    pub(crate) mode: At<String>,
}

impl Default for RawPolicy {
    fn default() -> Self {
        Self {
            name: None,
            matches: None,
            workload: None,
            action: None,
            relabel_configs: None,
            on_collision: None,
            by: None,
            without: None,
            collapse: None,
            interval: None,
            delay: None,
            outputs: None,
            kind: None,
            suffix: None,
            keep_input: None,
            max_series: None,
            max_new_per_hour: None,
            max_groups: None,
            on_exceed: None,
            fold_labels: None,
            warn_at: None,
            mode: At::default_value("enforce"),
        }
    }
}

/// One selector or several.
#[derive(Debug)]
pub(crate) enum MatchText {
    One(String),
    Any(Vec<At<SelectorText>>),
}

/// A selector as written.
#[derive(Debug)]
pub(crate) struct SelectorText(pub(crate) String);

impl<'de> Deserialize<'de> for MatchText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatchVisitor)
    }
}

struct MatchVisitor;

impl<'de> Visitor<'de> for MatchVisitor {
    type Value = MatchText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a selector or a list of selectors")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<MatchText, E> {
        Ok(MatchText::One(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<MatchText, A::Error> {
        let mut selectors = Vec::new();
        while let Some(selector) = items.next_element()? {
            selectors.push(selector);
        }
        Ok(MatchText::Any(selectors))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MatchText, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(A::Error::custom(QUOTE_IT))
    }
}

impl<'de> Deserialize<'de> for SelectorText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectorVisitor)
    }
}

struct SelectorVisitor;

impl<'de> Visitor<'de> for SelectorVisitor {
    type Value = SelectorText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a selector")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SelectorText, E> {
        Ok(SelectorText(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SelectorText, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(A::Error::custom(QUOTE_IT))
    }
}
