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
pub mod rich;
pub mod scope;
pub mod snappy;

pub mod client;
pub mod sink;

#[cfg(feature = "harness")]
pub mod selector;
#[cfg(feature = "harness")]
pub mod shape;

#[cfg(feature = "harness")]
pub mod fleet;
#[cfg(feature = "harness")]
pub mod source;

#[cfg(feature = "harness")]
pub mod expect;
#[cfg(feature = "harness")]
pub mod scenario;

#[cfg(feature = "harness")]
pub mod process;

#[cfg(feature = "harness")]
pub mod blast;
#[cfg(feature = "harness")]
pub mod replay;
#[cfg(feature = "harness")]
pub mod send;
#[cfg(feature = "harness")]
pub mod verify;

#[cfg(feature = "harness")]
pub mod proxy;
#[cfg(feature = "harness")]
pub mod run;

#[cfg(feature = "harness")]
pub mod capacity;
#[cfg(feature = "harness")]
pub mod compare;
#[cfg(feature = "harness")]
pub mod outage;
#[cfg(feature = "harness")]
pub mod plan;
#[cfg(feature = "harness")]
pub mod policies;

#[cfg(feature = "harness")]
pub mod page;
#[cfg(feature = "harness")]
pub mod plot;

#[cfg(feature = "harness")]
pub mod cli;
