//! Policies: what may pass, decided once for each series.
//!
//! A [`Definition`] is what the config checked; a [`PolicySet`] is what the pipeline asks. `policy` knows
//! labels, never bytes on the wire and never HTTP.

pub mod bound;
mod canonical;
mod definition;
mod grouping;
pub(crate) mod known;
mod legacy;
mod limit;
pub mod pattern;
pub mod relabel;
mod selector;
mod set;
mod verdict;
mod workload;

pub use definition::{Action, ActionKind, Definition, Mode};
pub use grouping::{Aggregation, Keys, MetricKind, Output, REPLICA_LABELS, is_part_of_meaning};
pub use limit::{Admission, FOLDED, Fold, Limit, NoOthers, OtherSeries};
pub(crate) use selector::escape;
pub use selector::{MatchOp, Matcher, Selector, SelectorError, parse_series};
pub use set::{
    Aggregating, CompileError, Limiting, MAX_POLICIES, Place, PolicySet, Row, Run, Step, Summary, Walk,
};
pub use verdict::{Decision, Disposition, Effect, OwnedLabels, PolicyIndex, ValidUntil, VerdictId, borrowed};
pub use workload::{CompiledCondition, Condition, LastChange, VirtualLabel, WorkloadSource};
