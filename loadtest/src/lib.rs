//! Load-test harness for remote-write receivers.
//!
//! ```text
//! cluster (what an agent would scrape) ─┐
//! shape (plain series, any number)     ─┴▶ body ─▶ blast ─▶ [the receiver under test] ─▶ sink
//! ```
//!
//! It trusts no number that the receiver reports: it counts what it sends, counts what arrives, and
//! reads CPU and memory from the kernel. It shares no code with the `seriesgate` crate for that reason.
//! Time is passed in everywhere but in [`clock`]; the same seed gives the same series.

pub mod clock;
pub mod law;
pub mod names;

pub mod cluster;
pub mod shape;

pub mod body;
pub mod identity;
pub mod rich;
pub mod snappy;

pub mod fleet;
pub mod source;

pub mod expect;
pub mod scenario;
pub mod selector;

pub mod process;

pub mod blast;
pub mod send;
pub mod sink;
pub mod verify;

pub mod proxy;
pub mod run;

pub mod capacity;
pub mod compare;
pub mod outage;
pub mod plan;
pub mod policies;

pub mod page;
pub mod plot;

pub mod cli;
