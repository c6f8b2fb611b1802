//! README.md and docs say what is so: what a command prints, that it is taken, and that configs are good.

// a test may panic, also outside of the test function; a module of tests exports to its neighbours
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "docs/admin.rs"]
mod admin;
#[path = "docs/blocks.rs"]
mod blocks;
#[path = "docs/configs.rs"]
mod configs;
#[path = "docs/console.rs"]
mod console;
#[path = "docs/options.rs"]
mod options;
