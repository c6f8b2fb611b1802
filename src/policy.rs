//! Policies: what may pass, decided once for each series.
//!
//! A [`Definition`] is what the config checked; a [`PolicySet`] is what the pipeline asks. `policy` knows
//! labels, never bytes on the wire and never HTTP.

mod definition;
pub mod pattern;
mod selector;
mod set;
mod verdict;

pub use definition::{Action, Definition, Mode};
pub use selector::{MatchOp, Matcher, Selector, SelectorError, parse_series};
pub use set::{CompileError, Effect, MAX_POLICIES, PolicySet, Row, Run, Step, Summary, Walk};
pub use verdict::{Decision, Disposition, PolicyIndex, ValidUntil, VerdictId};
