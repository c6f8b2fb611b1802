//! Load-test harness for remote-write receivers.
//!
//! ```text
//! scenario ─▶ source (cluster | plain | template) ─▶ fleet (who is born, who is gone; segments) ─▶ send ─▶ [proxy] ─▶ sink
//!                                                       └──────────── verify: what was sent ◀─ compared ─▶ what arrived ┘
//! run: one scenario through one proxy.  capacity, outage, policies, compare, plan, replay: what is made of runs.
//! ```
//!
//! It trusts no number that the receiver reports: it counts what it sends, counts what arrives, and
//! reads CPU and memory from the kernel. It shares no code with the `seriesgate` crate for that reason.
//! The first modules are the simulated cluster, a client and the counting sink, which `seriesgate demo` uses, too; the feature
//! `harness` (on by default) adds all the others.
//! Time is passed in everywhere but in [`clock`]; the same seed gives the same series.

pub mod clock;
pub mod law;
pub mod names;

pub mod cluster;

pub mod body;
pub mod identity;
mod packer;
pub mod protocol;
pub mod rich;
pub mod scope;
pub mod snappy;
mod version2;

pub mod client;
pub mod sink;

#[cfg(feature = "harness")]
pub use harness::*;

/// What the feature adds, each module at its usual place in the crate.
#[cfg(feature = "harness")]
#[path = "."]
mod harness {
    pub mod selector;
    pub mod shape;

    pub mod fleet;
    pub mod source;

    pub mod expect;
    pub mod scenario;

    pub mod process;

    pub mod blast;
    pub mod replay;
    pub mod send;
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
}
