//! `scripts/adversary.py`, shortened: senders that want the memory of a gate, beside honest ones.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::path::Path;
use std::process::Command;

use parking_lot::Mutex;

/// One at a time: each measures what it takes of the machine.
static TURN: Mutex<()> = Mutex::new(());

/// Runs one kind for so many seconds against a gate with so many MiB.
fn attack(kind: &str, seconds: &str, mib: &str) {
    let _turn = TURN.lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .args(["scripts/adversary.py", kind])
        .current_dir(root)
        .env("GATE", env!("CARGO_BIN_EXE_seriesgate"))
        .env("SECONDS_EACH", seconds)
        .env("MEMORY_MIB", mib)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return eprintln!("not run, python3 is not there: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}");
    assert!(output.status.success(), "{text}");
}

#[test]
fn a_limit_holds_whatever_comes() {
    attack("limited", "8", "128");
}

#[test]
fn never_seen_series_leave_honest_senders_alone_and_memory_within_its_limit() {
    attack("never-seen", "8", "128");
}
