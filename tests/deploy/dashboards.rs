//! Dashboards ask for metrics that exist, by labels that they have, in PromQL that can be read.

use std::collections::BTreeMap;
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use seriesgate::telemetry::ALL;

use super::{read, repo};

/// Labels that a scrape adds.
const OF_SCRAPES: [&str; 2] = ["job", "instance"];

fn dashboards() -> Vec<(String, Value)> {
    let dir = std::fs::read_dir(repo("deploy/helm/seriesgate/files/dashboards")).unwrap();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let text = |name: &str| read(&format!("deploy/helm/seriesgate/files/dashboards/{name}"));
    dir.map(|entry| name(entry.unwrap()))
        .map(|n| (n.clone(), serde_json::from_str(&text(&n)).unwrap()))
        .collect()
}

/// All expressions below a value, with the title of their panel.
fn expressions(title: &str, value: &Value, found: &mut Vec<(String, String)>) {
    let title = value["title"].as_str().unwrap_or(title);
    if let Some(expression) = value["expr"].as_str() {
        found.push((title.to_owned(), expression.to_owned()));
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| expressions(title, value, found)),
        Value::Array(list) => list.iter().for_each(|value| expressions(title, value, found)),
        _ => {}
    }
}

#[test]
fn dashboards_ask_for_metrics_and_labels_that_exist() {
    let known: BTreeMap<&str, &[&str]> = ALL.iter().map(|metric| (metric.name, metric.labels)).collect();
    let documented = read("docs/metrics.md");
    let selector = Regex::new(r"(seriesgate_[a-z_]+)\{([^}]*)\}").unwrap();
    let label = Regex::new(r#"([a-z_]+)(?:=~|!~|!=|=)""#).unwrap();
    let grouping = Regex::new(r"by \(([^)]*)\)").unwrap();
    let mut asked = 0;
    for (file, dashboard) in dashboards() {
        let mut found = Vec::new();
        expressions("", &dashboard, &mut found);
        for (title, expression) in found {
            let names = expression.matches("seriesgate_").count();
            let selectors: Vec<_> = selector.captures_iter(&expression).collect();
            assert_eq!(names, selectors.len(), "{file}, {title}: a metric without a selector: {expression}");
            let mut has: Vec<&str> = OF_SCRAPES.to_vec();
            for captures in &selectors {
                let name = captures.get(1).unwrap().as_str();
                let labels = known.get(name).unwrap_or_else(|| panic!("{file}, {title}: {name}"));
                assert!(documented.contains(&format!("| `{name}` |")), "{name} is not in docs/metrics.md");
                for used in label.captures_iter(captures.get(2).unwrap().as_str()) {
                    let used = used.get(1).unwrap().as_str();
                    let exists = labels.contains(&used) || OF_SCRAPES.contains(&used);
                    assert!(exists, "{file}, {title}: {name} has no label {used}");
                }
                has.extend(*labels);
                asked += 1;
            }
            let grouped =
                grouping.captures_iter(&expression).flat_map(|by| by.get(1).unwrap().as_str().split(", "));
            for by in grouped {
                assert!(has.contains(&by), "{file}, {title}: nothing has a label {by}: {expression}");
            }
        }
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn their_expressions_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("gate.yaml"),
        "upstreams: [ { name: a, url: 'http://h/api/v1/write' } ]\n\
         policies: [ { name: none, match: 'nothing_at_all', action: drop } ]\n",
    )
    .unwrap();
    let check = |expressions: &[(String, String)]| {
        let rule = |(at, expression): (usize, &String)| {
            let expression = expression.replace("$__rate_interval", "5m");
            serde_json::json!({ "record": format!("panel:{at}"), "expr": expression })
        };
        let rules: Vec<Value> =
            expressions.iter().map(|(_, expression)| expression).enumerate().map(rule).collect();
        let rules = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
        std::fs::write(dir.path().join("rules.yaml"), rules.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        command.current_dir(dir.path()).args([
            "check",
            "--config",
            "gate.yaml",
            "--rules",
            "rules.yaml",
            "--strict",
        ]);
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    for (file, dashboard) in dashboards() {
        let mut found = Vec::new();
        expressions("", &dashboard, &mut found);
        let (good, told) = check(&found);
        assert!(good, "{file}: {told}");
        // the check sees what is wrong
        found.push(("wrong".into(), "sum(rate(seriesgate_requests_total[5m])".into()));
        let (good, told) = check(&found);
        assert!(!good, "{file}: {told}");
    }
}

#[test]
fn panels_have_places_of_their_own() {
    for (file, dashboard) in dashboards() {
        let panels = dashboard["panels"].as_array().unwrap();
        let place = |panel: &Value| {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            (at("x"), at("y"), at("x") + at("w"), at("y") + at("h"))
        };
        for (index, panel) in panels.iter().enumerate() {
            let (left, top, right, bottom) = place(panel);
            assert!(right <= 24 && panel["title"].is_string(), "{file}: {panel}");
            for other in &panels[..index] {
                let (l, t, r, b) = place(other);
                let apart = right <= l || r <= left || bottom <= t || b <= top;
                assert!(
                    apart && other["id"] != panel["id"],
                    "{file}: {} and {}",
                    panel["title"],
                    other["title"]
                );
            }
        }
    }
}
