//! What is sent, prepared ahead: the series of a [`Source`], shared out among lanes as agents share them out among the shards
//! of their queues.
//!
//! ```text
//! source ─▶ planner (who was born, who is gone) ─▶ lane: segments, compressed once ─▶ bodies
//! ```
//!
//! A **segment** is a stretch of compressed series of one object (a pod, a run, a target) in which only values and times are
//! written anew for each scrape. A body is segments put one behind the other, so series that come and go cost the others
//! nothing. For 2.0 a segment is the texts that its series are made of, and a body is written and compressed whole. A series stays in its lane for as long as it lives, which keeps its samples in order.

mod account;
mod lane;
mod metadata;
mod planner;
mod repack;
mod rich_series;
mod segment;
mod spelled;
mod teams;

pub use account::Sent;
pub use lane::{Lane, Loaded};
pub use planner::{LaneStep, Planner, Spread};

use crate::cluster::Visit;

/// Where series come from.
pub trait Source: Send {
    /// Shows the objects there are in a scrape at a time (Unix milliseconds). Scrapes come in order.
    fn objects(&mut self, now_ms: i64, visit: &mut dyn Visit);
}

/// Decides, once for each series, what is expected to become of it on its way.
pub trait Expect: Send + Sync {
    /// What is expected of the series with these labels.
    fn fate(&self, labels: &[(&str, &str)]) -> Fate;
}

/// What is expected to become of a series between sender and sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It arrives as it was sent, every sample once.
    #[default]
    Exact,
    /// It does not arrive.
    Removed,
    /// It arrives under other labels, every sample once.
    Relabeled,
    /// It arrives as a part of the series with this identity.
    Aggregated(u64),
}

impl Fate {
    /// The same under a scope that adds this to identities.
    #[must_use]
    pub fn within(self, salt: u64) -> Self {
        match self {
            Self::Aggregated(group) => Self::Aggregated(group.wrapping_add(salt)),
            other => other,
        }
    }
}

/// Everything arrives as it was sent.
pub struct ExpectAll;

impl Expect for ExpectAll {
    fn fate(&self, _: &[(&str, &str)]) -> Fate {
        Fate::Exact
    }
}
