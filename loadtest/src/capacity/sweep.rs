//! What can be changed in a scenario, to see how capacity depends on it.

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::run::RunOptions;
use crate::scenario::SourceFile;
use crate::shape::Shape;

/// One thing that is changed, and the values it takes in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    name: String,
    values: Vec<String>,
}

const NAMES: [&str; 7] = ["series", "churn", "labels", "rules", "batch", "connections", "memory"];

/// Reads `NAME=VALUE,VALUE…`.
pub fn parse(text: &str) -> Result<Axis, String> {
    let (name, values) = text.split_once('=').ok_or("want NAME=VALUE,VALUE, as in churn=0,0.02,0.1")?;
    if !NAMES.contains(&name) {
        return Err(format!("{name:?} is none of {}", NAMES.join(", ")));
    }
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err(format!("{name} has an empty value"));
    }
    Ok(Axis { name: name.into(), values })
}

impl Axis {
    /// What it changes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A run for each value, with what it is called.
    pub fn settings(&self, options: &RunOptions) -> Result<Vec<(String, RunOptions)>> {
        let one = |value: &String| {
            let mut options = options.clone();
            self.set(&mut options, value).with_context(|| format!("--sweep {}={value}", self.name))?;
            options.scenario.check()?;
            Ok((format!("{}={value}", self.name), options))
        };
        self.values.iter().map(one).collect()
    }

    fn set(&self, options: &mut RunOptions, value: &str) -> Result<()> {
        let scenario = &mut options.scenario;
        match (self.name.as_str(), &mut scenario.source) {
            ("series", SourceFile::Plain { series, .. }) => *series = value.parse()?,
            ("series", SourceFile::Template { copies, .. }) => *copies = value.parse()?,
            ("series", SourceFile::Cluster(cluster)) => cluster.copies = value.parse()?,
            ("churn", SourceFile::Plain { churn, .. } | SourceFile::Template { churn, .. }) => {
                *churn = value.parse()?;
            }
            ("labels", SourceFile::Plain { shape, more_labels, .. }) => {
                let labels: u32 = value.parse()?;
                ensure!(labels >= 6, "a series has at least 6 labels here");
                *shape = if labels < 14 { Shape::Short6 } else { Shape::K8s14 };
                *more_labels = labels - if labels < 14 { 6 } else { 14 };
            }
            ("batch", _) => scenario.batch = value.parse()?,
            ("connections", _) => {
                scenario.shards = value.parse::<usize>()?.div_ceil(scenario.agents);
            }
            ("rules", _) => add_rules(&mut options.variant.gate, value.parse()?),
            ("memory", _) => {
                let listen = options.variant.gate.entry("listen").or_insert_with(|| json!({}));
                let listen = listen.as_object_mut().context("listen is a section")?;
                listen.insert("max_in_flight".into(), json!(value));
            }
            _ => bail!("{} has no {} to change; take gateway-1m", scenario.name, self.name),
        }
        Ok(())
    }
}

/// Puts rules in front of the others that are all asked about every new series, and match none.
fn add_rules(gate: &mut serde_json::Map<String, serde_json::Value>, rules: u32) {
    let rule = |number: u32| {
        let selector = match number % 3 {
            0 => format!("metric_that_nobody_has_{number}"),
            1 => format!(r#"{{namespace=~"nobody-{number}-.+",pod=~".+-[0-9]{{9}}-none"}}"#),
            _ => format!(r#"{{__name__=~"nobody_{number}_.+"}}"#),
        };
        json!({ "name": format!("sweep-{number}"), "match": selector, "action": "drop" })
    };
    let mut policies: Vec<serde_json::Value> = (0..rules).map(rule).collect();
    if let Some(serde_json::Value::Array(more)) = gate.remove("policies") {
        policies.extend(more);
    }
    gate.insert("policies".into(), policies.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::ProxySpec;
    use crate::scenario::Scenario;

    #[test]
    fn every_axis_changes_something() {
        let scenario = Scenario::load("gateway-1m").unwrap();
        let variant = scenario.variant(Some("drop")).unwrap();
        let options = RunOptions::new(scenario, variant, ProxySpec::Nothing);
        let axes =
            ["series=5", "churn=0.5", "labels=20", "rules=7", "batch=9", "connections=44", "memory=64MiB"];
        for text in axes {
            let (name, changed) = parse(text).unwrap().settings(&options).unwrap().remove(0);
            assert_eq!(name, text);
            assert!(changed.scenario != options.scenario || changed.variant != options.variant, "{text}");
        }
        let rules = parse("rules=7").unwrap().settings(&options).unwrap().remove(0).1;
        assert_eq!(rules.variant.gate["policies"].as_array().unwrap().len(), 8);
        assert!(parse("speed=1").is_err() && parse("churn").is_err() && parse("churn=0,").is_err());
        assert!(parse("churn=2").unwrap().settings(&options).is_err());
    }
}
