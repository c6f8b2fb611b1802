//! What is in deploy/: the committed manifests, the chart's copies, its dashboards. Helm is not needed here; that the
//! manifests are what the chart renders, and that Kubernetes takes them, is checked by scripts/chart.sh.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "deploy/dashboards.rs"]
mod dashboards;
#[path = "deploy/manifests.rs"]
mod manifests;
#[path = "deploy/reload.rs"]
mod reload;
#[path = "support/mod.rs"]
#[allow(dead_code)] // the end-to-end tests use the rest
mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repo(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a file of YAML.
fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

#[test]
fn the_charts_copy_of_the_alerts_is_one() {
    assert!(
        read("deploy/helm/seriesgate/files/alerts.yaml") == read("deploy/alerts.yaml"),
        "deploy/helm/seriesgate/files/alerts.yaml is stale; run scripts/chart.sh --update"
    );
}

#[test]
fn the_chart_is_of_this_version() {
    let chart = &documents(&read("deploy/helm/seriesgate/Chart.yaml"))[0];
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_charts_values_know_every_key_of_the_config() {
    let path = "deploy/helm/seriesgate/values.schema.json";
    let mut schema: Value = serde_json::from_str(&read(path)).unwrap();
    let mut config: Value = serde_json::from_str(&seriesgate::config::schema()).unwrap();
    // a Secret of one's own may hold the config: the templates ask for upstreams where there is none
    for key in ["$schema", "title", "required"] {
        config.as_object_mut().unwrap().remove(key);
    }
    keep_texts(&mut config);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        schema["properties"]["config"] = config.clone();
        std::fs::write(repo(path), serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
    }
    assert!(
        schema["properties"]["config"] == config,
        "{path} is stale; run UPDATE_SCHEMA=1 cargo test --test deploy"
    );
}

/// Takes out that a text may be a number or a boolean: of those Helm has read the spelling away before the chart sees them, so
/// that `on` is `true`, and `1.10` is 1.1.
fn keep_texts(schema: &mut Value) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type")
        && kinds.contains(&"string".into())
    {
        kinds.retain(|kind| kind != "number" && kind != "boolean");
        if let [kind] = &kinds[..] {
            schema["type"] = kind.clone();
        }
    }
    match schema {
        Value::Object(parts) => parts.values_mut().for_each(keep_texts),
        Value::Array(parts) => parts.iter_mut().for_each(keep_texts),
        _ => {}
    }
}

#[test]
fn a_default_that_the_chart_needs_may_not_be_null() {
    let schema: Value = serde_json::from_str(&read("deploy/helm/seriesgate/values.schema.json")).unwrap();
    let values = &documents(&read("deploy/helm/seriesgate/values.yaml"))[0];
    assert_needed("", values, &schema);
}

/// Without these there is something sensible: nothing, where something is by default.
const NOT_NEEDED: [&str; 6] = [
    "resources",
    "podSecurityContext",
    "securityContext",
    "autoscaling.cpuUtilization",
    "networkPolicy.scraperNamespaces",
    "monitoring.dashboards.labels",
];

/// Of every section: what is not empty or off by default is needed, and nothing else is.
fn assert_needed(path: &str, values: &Value, schema: &Value) {
    let is_empty = |value: &Value| match value {
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    let mut needed = Vec::new();
    for (key, value) in values.as_object().unwrap() {
        let name = format!("{path}{key}");
        let inner = &schema["properties"][key];
        assert!(inner.is_object(), "{name} is in values.yaml, and values.schema.json does not know it");
        if is_empty(value) || NOT_NEEDED.contains(&name.as_str()) {
            continue;
        }
        needed.push(Value::from(key.clone()));
        if inner["properties"].is_object() {
            assert_needed(&format!("{name}."), value, inner);
        }
    }
    let told = schema["required"].as_array().cloned().unwrap_or_default();
    needed.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    assert_eq!(told, needed, "what is required of `{path}` in values.schema.json");
}

#[test]
fn the_example_for_arms_has_the_policies_of_the_config_for_arms() {
    let values = &documents(&read("deploy/helm/seriesgate/ci/arms-prom-values.yaml"))[0];
    let config = &documents(&read("config/arms-prom.yaml"))[0];
    for key in ["upstreams", "series", "policies"] {
        assert_eq!(values["config"][key], config[key], "{key}");
    }
}
