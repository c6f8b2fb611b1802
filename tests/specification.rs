//! Every rule of remote write 1.0 and 2.0 (release candidate 4) that concerns a receiver or a sender, and the twin of each case of
//! the public compliance suites: the real program over HTTP, before a backend that keeps what came. What is compared is what arrived.

#![allow(clippy::unwrap_used)] // the helpers are tests too

#[path = "specification/compliance_receiver.rs"]
mod compliance_receiver;
#[path = "specification/compliance_receiver_cases.rs"]
mod compliance_receiver_cases;
#[path = "specification/compliance_sender.rs"]
mod compliance_sender;
#[path = "specification/compliance_sender_answers.rs"]
mod compliance_sender_answers;
#[path = "specification/receiver_v1.rs"]
mod receiver_v1;
#[path = "specification/receiver_v2.rs"]
mod receiver_v2;
#[path = "specification/receiver_v2_data.rs"]
mod receiver_v2_data;
#[path = "specification/rig.rs"]
mod rig;
#[path = "specification/sender_v1.rs"]
mod sender_v1;
#[path = "specification/sender_v2.rs"]
mod sender_v2;
#[path = "specification/series.rs"]
mod series;
#[allow(dead_code)] // other tests use the rest
#[path = "support/mod.rs"]
mod support;
#[path = "specification/validated.rs"]
mod validated;
