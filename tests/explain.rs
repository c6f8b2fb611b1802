//! `seriesgate explain`, as it is run.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::process::Command;

/// Exit status, standard output, standard error.
fn explain(options: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let config = "upstreams: [ { name: a, url: 'http://h/w' } ]\n";
    std::fs::write(dir.path().join("gate.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let command = command.current_dir(dir.path()).args(["explain", "--config", "gate.yaml"]);
    let output = command.args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_series_that_cannot_be_read_is_an_error_in_plain_text() {
    let (code, out, err) = explain(&["up{job=", "up"]);
    assert_eq!((code, out.as_str()), (Some(1), "up\n  => forward (no policy ended the walk)\n"));
    assert!(err.starts_with("up{job=: "), "{err}");
    assert!(err.lines().count() == 1 && !err.contains("{\"error\""), "{err}");
}

#[test]
fn with_json_each_series_has_its_answer_on_standard_output() {
    let (code, out, err) = explain(&["--json", "up{job=", "up"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["error"].is_string() && lines[1]["verdict"] == "forward", "{out}");
}
