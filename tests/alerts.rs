//! The alerts that come with the program: they ask for metrics that exist, and Prometheus' own tool understands them.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use seriesgate::telemetry::ALL;

fn alerts() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/alerts.yaml")).unwrap()
}

#[test]
fn alerts_ask_for_metrics_that_exist() {
    let exported: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    let text = alerts();
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut asked = BTreeSet::new();
    for (at, _) in text.match_indices("seriesgate_") {
        let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
        assert!(exported.contains(name.as_str()), "{name}");
        asked.insert(name);
    }
    assert!(asked.len() > 8, "{asked:?}");
}

#[test]
fn promtool_understands_the_alerts_and_they_fire_when_they_should() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let output = match Command::new("promtool").args(arguments).current_dir(&root).output() {
            Ok(output) => output,
            Err(error) => {
                let required = std::env::var_os("SERIESGATE_REQUIRE_REAL").is_some();
                assert!(!required, "promtool (Debian package prometheus): {error}");
                return eprintln!("not run, promtool is not there: {error}");
            }
        };
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {arguments:?}: {text}");
    }
}
