//! A policy with `action: limit`.

use std::sync::Arc;

use super::Checker;
use crate::config::Aggregation;
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::position::Position;
use crate::config::raw::RawPolicy;
use crate::policy::{Fold, Limit, VirtualLabel, is_part_of_meaning};

const MAX_GROUPS: u64 = 1000;
const WARN_AT: u64 = 80;
/// More than a gate can remember.
const MOST: u64 = 1_000_000_000;

impl Checker<'_> {
    /// What a `limit` policy says; `None` if a mistake was found.
    pub(super) fn limit(&mut self, at: Position, raw: &RawPolicy, common: &Aggregation) -> Option<Limit> {
        let before = self.errors.len();
        let RawPolicy { max_series, max_new_per_hour, .. } = raw;
        let mut number = |at: &At<u64>| self.number(at, 1, MOST) as u32;
        let (series, new) = (max_series.as_ref().map(&mut number), max_new_per_hour.as_ref().map(number));
        if series.is_none() && new.is_none() && !self.could_not_read(&["max_series", "max_new_per_hour"]) {
            self.refuse(
                at,
                "`limit` needs to know how many: give `max_series: 10000` or `max_new_per_hour: 1000`",
            );
        }
        let default = |value| At::default_value(value);
        let groups = raw.max_groups.as_ref().map_or_else(|| default(MAX_GROUPS), Clone::clone);
        let warn_at = raw.warn_at.as_ref().map_or_else(|| default(WARN_AT), Clone::clone);
        let (max_groups, warn_at) = (self.number(&groups, 1, 10_000_000), self.number(&warn_at, 1, 100));
        let by: Vec<String> =
            raw.by.iter().flat_map(|by| &by.value).map(|label| label.value.clone()).collect();
        for label in &by {
            if by.iter().filter(|other| *other == label).count() > 1 {
                let position = raw.by.as_ref().map_or(at, |by| by.position);
                self.refuse(position, format!("`{}` is given twice", cited(label)));
                break;
            }
        }
        for label in raw.by.iter().flat_map(|by| &by.value).filter(|label| label.value.is_empty()) {
            self.refuse(label.position, "expected the name of a label, found nothing");
        }
        let fold = self.fold(at, &by, raw, common);
        (self.errors.len() == before).then_some(Limit {
            by,
            max_series: series,
            max_new_per_hour: new,
            max_groups: max_groups as u32,
            warn_at: warn_at as u8,
            fold,
        })
    }

    /// Whether a `limit` policy has what it does not admit added up.
    pub(super) fn folds(&mut self, raw: &RawPolicy) -> bool {
        let words = [("drop", false), ("fold", true)];
        raw.on_exceed.as_ref().and_then(|word| self.choice(word, &words)).unwrap_or(false)
    }

    fn fold(&mut self, at: Position, by: &[String], raw: &RawPolicy, common: &Aggregation) -> Option<Fold> {
        if raw.on_exceed.as_ref().is_none_or(|word| word.value != "fold") {
            if let Some(labels) = raw.fold_labels.as_ref().filter(|_| !self.could_not_read(&["on_exceed"])) {
                self.refuse(labels.position, "`fold_labels` belongs to `on_exceed: fold`");
            }
            return None;
        }
        let Some(labels) = raw.fold_labels.as_ref().filter(|labels| !labels.value.is_empty()) else {
            if !self.could_not_read(&["fold_labels"]) {
                let position = raw.fold_labels.as_ref().map_or(at, |labels| labels.position);
                self.refuse(
                    position,
                    "`on_exceed: fold` needs the labels to fold, as `fold_labels: [pod, uid]`",
                );
            }
            return None;
        };
        for label in &labels.value {
            self.can_be_folded(label, by, common);
        }
        let aggregation = self.collected(raw, common)?;
        let labels = labels.value.iter().map(|label| label.value.clone()).collect();
        Some(Fold { labels, aggregation: Arc::new(aggregation) })
    }

    fn can_be_folded(&mut self, label: &At<String>, by: &[String], common: &Aggregation) {
        let written = label.value.as_str();
        let name = cited(written);
        if written.is_empty() {
            self.refuse(label.position, "expected the name of a label, found nothing");
        } else if is_part_of_meaning(written) {
            let message =
                format!("`{name}` is part of what series mean: what differs in it must not be added up");
            self.refuse(label.position, message);
        } else if VirtualLabel::named(written).is_some() {
            self.refuse(label.position, format!("`{name}` is never sent, so there is nothing to fold"));
        } else if common.replica_labels.iter().any(|replica| replica == written) {
            let message = format!(
                "`{name}` is one of `replica_labels`: replicas send the same, and adding them up counts it twice"
            );
            self.refuse(label.position, message);
        } else if by.iter().any(|by| by == written) {
            let message = format!("`{name}` is in `by`, too: the overflow of all groups would become one");
            self.refuse(label.position, message);
        }
    }

    /// Keys of `limit` in a policy that does something else.
    pub(super) fn no_limit(&mut self, action: &str, raw: &RawPolicy) {
        let given = [
            ("max_series", raw.max_series.as_ref().map(|at| at.position)),
            ("max_new_per_hour", raw.max_new_per_hour.as_ref().map(|at| at.position)),
            ("max_groups", raw.max_groups.as_ref().map(|at| at.position)),
            ("on_exceed", raw.on_exceed.as_ref().map(|at| at.position)),
            ("fold_labels", raw.fold_labels.as_ref().map(|at| at.position)),
            ("warn_at", raw.warn_at.as_ref().map(|at| at.position)),
        ];
        for (key, position) in given {
            if let Some(position) = position {
                self.refuse(position, format!("`{key}` belongs to `action: limit`, not `{action}`"));
            }
        }
    }
}
