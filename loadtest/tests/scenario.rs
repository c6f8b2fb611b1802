//! Scenarios: those that come with the program can be run, and a wrong one says where it is wrong.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::path::Path;

use seriesgate_loadtest::scenario::{NAMES, Scenario, SourceFile};

#[test]
fn every_builtin_scenario_has_the_series_it_speaks_of() {
    for (name, least, most) in [
        ("small", 1_500, 6_000),
        ("sidecar", 80_000, 100_000),
        ("gateway-1m", 1_000_000, 1_000_000),
        ("incident", 1_000, 3_000),
        ("rollout-storm", 80_000, 110_000),
        ("cardinality-bomb", 10_000, 30_000),
        ("gates-behind-a-service", 2_000, 2_000),
        ("gate-restarts", 2_000, 2_000),
        ("shared-address", 2_000, 2_000),
        ("scopes", 1_500, 1_500),
    ] {
        let scenario = Scenario::load(name).unwrap();
        assert_eq!(scenario.name, name);
        assert!(NAMES.contains(&name) && !scenario.about.is_empty());
        let series = scenario.series_at_start().unwrap();
        assert!((least..=most).contains(&series), "{name} has {series}");
        for variant in &scenario.variants {
            assert!(!variant.expect.is_empty(), "{name}, {}: nobody says what is to arrive", variant.name);
        }
        // what is written is what is read
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&text, Path::new("")).unwrap(), scenario);
    }
}

#[test]
fn mistakes_are_named() {
    let error = |text: &str| format!("{:#}", Scenario::parse(text, Path::new(".")).unwrap_err());
    assert!(error("name: x\nsource: { plain: { serie: 5 } }").contains("serie"));
    assert!(error("name: x\nintervall: 5s\nsource: { plain: { series: 5 } }").contains("intervall"));
    assert!(error("name: x\ninterval: 5\nsource: { plain: { series: 5 } }").contains("15s"));
    assert!(error("name: x\nprotocol: v3\nsource: { plain: { series: 5 } }").contains("zstd"));
    assert!(error("name: x\nshards: 0\nsource: { plain: { series: 5 } }").contains("shard"));
    assert!(error("name: x\nsource: { plain: { series: 5, churn: 3 } }").contains("churn"));
    let bad =
        "name: x\nsource: { plain: { series: 5 } }\nvariants: [{ name: v, expect: [{ removed: 'up{' }] }]";
    assert!(error(bad).contains("variant v") && error(bad).contains("up{"), "{}", error(bad));
    let missing = format!("{:#}", Scenario::load("smal").unwrap_err());
    assert!(missing.contains("small") && missing.contains("neither a file"), "{missing}");
    let scenario = Scenario::load("small").unwrap();
    let variant = scenario.variant(Some("nothing")).unwrap_err().to_string();
    assert!(variant.contains("drop-runs"), "{variant}");
}

#[test]
fn a_template_is_read_from_beside_the_scenario() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("page.txt"), "# TYPE a counter\na{pod=\"x-12345\"} 5\nb 1\n")
        .unwrap();
    let file = directory.path().join("scenario.yaml");
    std::fs::write(&file, "name: t\nsource: { template: { file: page.txt, copies: 30 } }\n").unwrap();
    let scenario = Scenario::load(file.to_str().unwrap()).unwrap();
    assert!(matches!(&scenario.source, SourceFile::Template { file, .. } if file.is_absolute()));
    assert_eq!(scenario.series_at_start().unwrap(), 60);
    std::fs::write(directory.path().join("page.txt"), "a{pod=\"x\" 5\n").unwrap();
    let error = format!("{:#}", scenario.series_at_start().unwrap_err());
    assert!(error.contains("page.txt") && error.contains("line 1"), "{error}");
}

#[test]
fn the_scenario_of_the_readme_can_be_run() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let yaml = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let scenario = Scenario::parse(yaml, Path::new(".")).unwrap();
    assert_eq!(scenario.name, "mine");
    assert!(scenario.series_at_start().unwrap() > 50_000);
    assert_eq!(scenario.variant(Some("policy")).unwrap().expect.len(), 1);
}
