//! Runs of workloads: whose they are, when they are over or gone, and what is said of them.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "runs/airflow.rs"]
mod airflow;
#[path = "runs/conditions.rs"]
mod conditions;
#[path = "runs/endings.rs"]
mod endings;
#[path = "runs/kinds.rs"]
mod kinds;
#[path = "runs/ksm.rs"]
mod ksm;
#[path = "runs/labels.rs"]
mod labels;
#[path = "runs/nodes.rs"]
mod nodes;
#[path = "runs/owners.rs"]
mod owners;
#[path = "runs/pages.rs"]
mod pages;
#[path = "runs/ranking.rs"]
mod ranking;
#[path = "runs/replaced.rs"]
mod replaced;
#[path = "runs/rig.rs"]
mod rig;
#[path = "runs/silence.rs"]
mod silence;
#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;
#[path = "runs/world.rs"]
mod world;
