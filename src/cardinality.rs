//! What multiplies series: counts per metric, workload, run, sender and label; births and their causes.
//!
//! The pipeline shows each series to the [`Tracker`] when it is new, when it ends, and once a window in between. A
//! known series costs nothing here but that. Looking changes nothing that a request sent again could see twice; what
//! is counted is counted by the methods that a commit calls.

mod evidence;
mod examples;
mod facts;
mod findings;
mod metric_type;
mod nodes;
mod novelty;
mod observer;
mod owners;
mod ownership;
mod record_table;
mod recorded;
mod records;
mod series_counts;
mod sketch;
mod snapshot;
mod sweep;
mod tracker;
mod trend;
mod values;
mod waiting;
mod walk;

pub use findings::{Culprit, Finding, FindingKind, WorstMetric};
pub use nodes::OnNode;
pub use observer::{ObserveScratch, Observer};
pub use recorded::RecordedOwners;
pub use records::{PodCounts, PodKey};
pub use series_counts::Lifetimes;
pub use sketch::Distinct;
pub use snapshot::{
    CauseLine, Counts, EndedRuns, LabelLine, Line, LossLine, NodeLine, TableUsage, Usage, WorkloadLine,
};
pub use tracker::{Observation, SenderContext, SeriesState, Settings, Tracker, is_on};
pub use values::TimedValue;
pub use walk::Walk;
