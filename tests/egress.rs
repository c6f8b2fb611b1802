//! The upstream client against a scripted upstream: what every answer and every failure becomes, what goes
//! out on the wire, which connection it goes out on, and what is counted.

// clippy allows it in `#[test]` functions only, not in what they call
#![allow(clippy::unwrap_used)]

#[path = "egress/faults.rs"]
mod faults;
#[path = "egress/oauth2.rs"]
mod oauth2;
#[path = "egress/outgoing.rs"]
mod outgoing;
#[path = "egress/statuses.rs"]
mod statuses;
#[path = "egress/tls.rs"]
mod tls;
#[path = "egress/upstream.rs"]
mod upstream;
