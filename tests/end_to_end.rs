//! The real program between a sender and a backend, over real sockets. Each test ends with the law of
//! conservation: every sample that was decoded has exactly one fate.

// clippy allows it in `#[test]` functions only, not in what they call
#![allow(clippy::unwrap_used)]

#[path = "end_to_end/access.rs"]
mod access;
#[path = "end_to_end/admin_port.rs"]
mod admin_port;
#[path = "end_to_end/aggregating.rs"]
mod aggregating;
#[path = "support/authority.rs"]
mod authority;
#[path = "end_to_end/bad_input.rs"]
mod bad_input;
#[path = "end_to_end/control.rs"]
mod control;
#[path = "end_to_end/encodings.rs"]
mod encodings;
#[path = "end_to_end/forwarding.rs"]
mod forwarding;
#[path = "end_to_end/lifecycle.rs"]
mod lifecycle;
#[path = "end_to_end/limits.rs"]
mod limits;
#[path = "end_to_end/lives.rs"]
mod lives;
#[path = "end_to_end/log.rs"]
mod log;
#[path = "end_to_end/long_values.rs"]
mod long_values;
#[path = "end_to_end/memory.rs"]
mod memory;
#[path = "end_to_end/parts.rs"]
mod parts;
#[path = "end_to_end/protocols.rs"]
mod protocols;
#[path = "end_to_end/queue.rs"]
mod queue;
#[path = "end_to_end/relabeling.rs"]
mod relabeling;
#[path = "end_to_end/report.rs"]
mod report;
#[path = "end_to_end/scopes.rs"]
mod scopes;
#[path = "support/mod.rs"]
mod support;
#[path = "end_to_end/telemetry.rs"]
mod telemetry;
#[path = "end_to_end/upstream.rs"]
mod upstream;
#[path = "end_to_end/validation.rs"]
mod validation;
#[path = "end_to_end/version2.rs"]
mod version2;

use std::net::SocketAddr;

use seriesgate_loadtest::sink::{Sink, SinkHandle, SinkOptions};
use seriesgate_proto::{TimeSeries, WriteRequest};

/// A backend that counts.
async fn sink() -> SinkHandle {
    Sink::start(SocketAddr::from(([127, 0, 0, 1], 0)), SinkOptions::default()).await.unwrap()
}

/// Series of one metric, with as many values of `pod`, one sample each.
fn pods(metric: &str, count: usize) -> Vec<TimeSeries> {
    let series =
        |n: usize| TimeSeries::named(metric, &[("pod", &format!("pod-{n}"))]).with_sample(1_000, n as f64);
    (0..count).map(series).collect()
}

/// A request with `kept` series that no test drops and `noise` series that some do.
fn mixture(kept: usize, noise: usize) -> WriteRequest {
    WriteRequest::of([pods("kept", kept), pods("noise", noise)].concat())
}

/// A policy that drops the noise.
const NO_NOISE: &str = "name: no-noise, match: 'noise', action: drop";
