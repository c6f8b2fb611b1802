//! Why a gate could not start.

use thiserror::Error;

use super::snapshots::DirError;
use crate::egress::EgressError;
use crate::intake::BindError;
use crate::policy::CompileError;
use crate::queue::QueueError;

/// Why a gate could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The write port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin port.
    #[error("{0}")]
    Admin(String),
    /// Who may use the ports, and under which certificates.
    #[error("{0}")]
    Access(String),
    /// The upstream's settings.
    #[error("upstream `{0}`: {1}")]
    Upstream(String, EgressError),
    /// A policy.
    #[error("policy {}: {}", .0.policy + 1, .0.message)]
    Policy(CompileError),
    /// The directory for snapshots.
    #[error("data_dir `{0}`: {1}")]
    DataDir(String, DirError),
    /// The queue of an upstream.
    #[error("queue of upstream `{0}`: {1}")]
    Queue(String, QueueError),
    /// No source of random numbers for the keys of the identity hash.
    #[error("cannot draw the keys of the series hash: {0}")]
    Random(#[from] getrandom::Error),
    /// The operating system refuses something else (a listener's address, the signal handler).
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}
