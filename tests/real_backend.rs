//! Debian's Prometheus and vmagent write through the real program to VictoriaMetrics, and what it then holds is
//! compared with what was scraped. Where these programs are missing the tests say so and pass, unless
//! `SERIESGATE_REQUIRE_REAL=1` is set.

// clippy allows it in `#[test]` functions only, not in what they call
#![allow(clippy::unwrap_used)]

#[path = "real_backend/agents.rs"]
mod agents;
#[path = "real_backend/aggregating.rs"]
mod aggregating;
#[path = "real_backend/aggregating_life.rs"]
mod aggregating_life;
#[path = "real_backend/history.rs"]
mod history;
#[path = "real_backend/incident.rs"]
mod incident;
#[path = "real_backend/pods.rs"]
mod pods;
#[path = "real_backend/programs.rs"]
mod programs;
#[path = "real_backend/query.rs"]
mod query;
#[path = "real_backend/relabeling.rs"]
mod relabeling;
#[allow(dead_code)] // the end-to-end tests use the rest
#[path = "support/mod.rs"]
mod support;
#[path = "real_backend/switch.rs"]
mod switch;
#[path = "real_backend/target.rs"]
mod target;
