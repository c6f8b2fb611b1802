//! A plan as values of the Helm chart: what they are, and that the chart's schema takes them.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use seriesgate_loadtest::plan::{Calibration, Coefficients, Need, Plan, Sizing};
use seriesgate_loadtest::protocol::Protocol;

fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn need(variant: &str, cores: f64, replicas: u32, replica_memory_mib: f64, disk_bytes: f64) -> Need {
    Need {
        variant: variant.into(),
        cores,
        memory_mib: replica_memory_mib * f64::from(replicas),
        replicas,
        replica_memory_mib,
        disk_bytes,
        in_bytes_per_second: 0.0,
        out_bytes_per_second: 0.0,
        in_samples_per_second: 0.0,
        out_samples_per_second: 0.0,
        backend_series: 0.0,
        backend_born_per_hour: 0.0,
    }
}

fn plan(needs: Vec<Need>) -> Plan {
    Plan { of: "mine, a scrape every 15s".into(), protocol: Protocol::V1, needs, errors: [(0.0, 0.0); 2] }
}

/// What a part of a JSON schema of the chart's kind has against a value.
fn objections(at: &str, (root, part): (&Value, &Value), value: &Value) -> Vec<String> {
    if let Some(named) = part["$ref"].as_str() {
        let part = root.pointer(named.strip_prefix('#').unwrap()).unwrap();
        return objections(at, (root, part), value);
    }
    let mut found = Vec::new();
    let types = part["type"].as_array().map_or(std::slice::from_ref(&part["type"]), Vec::as_slice);
    let is = types.iter().any(|kind| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: the test does not know `{other}`"),
    });
    let number = |key: &str| part[key].as_f64().zip(value.as_f64());
    let low = number("minimum").is_some_and(|(least, value)| value < least);
    let high = number("maximum").is_some_and(|(most, value)| value > most);
    let is_match = |pattern: &str, text| regex::Regex::new(pattern).unwrap().is_match(text);
    let odd = part["pattern"].as_str().zip(value.as_str()).is_some_and(|(p, text)| !is_match(p, text));
    if !is || low || high || odd {
        found.push(format!("{at}: {value}"));
    }
    let strict = part["additionalProperties"] == Value::Bool(false);
    for (key, value) in value.as_object().into_iter().flatten() {
        let patterns = part["patternProperties"].as_object().into_iter().flatten();
        let alike = patterns.filter(|(pattern, _)| is_match(pattern, key)).map(|(_, below)| below);
        match part["properties"].get(key).into_iter().chain(alike).next() {
            None if strict => found.push(format!("{at}/{key} is not known")),
            None => {}
            Some(below) => found.extend(objections(&format!("{at}/{key}"), (root, below), value)),
        }
    }
    found
}

fn against_the_chart(values: &str) -> Vec<String> {
    let schema = std::fs::read_to_string(repo("../deploy/helm/seriesgate/values.schema.json")).unwrap();
    let values: Value = serde_saphyr::from_str(values).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    objections("", (&schema, &schema), &values)
}

#[test]
fn values_are_enough_for_each_set_of_policies() {
    let planned =
        plan(vec![need("forward", 2.9, 3, 130.0, 0.0), need("aggregate counters", 3.4, 4, 102.0, 9e8)]);
    let values = planned.values(&Sizing::default());
    // the chart is rendered with the same file (scripts/chart.sh)
    assert_eq!(values, std::fs::read_to_string(repo("tests/data/planned.yaml")).unwrap());
    assert_eq!(against_the_chart(&values), [""; 0]);
    let wrong = values.replace("replicas: 4\nauto", "replica: four\nauto").replace("cpuUtil", "cpuutil");
    assert_eq!(against_the_chart(&wrong).len(), 2, "{wrong}");
}

#[test]
fn a_small_cluster_has_small_gates_and_no_disk() {
    let values = plan(vec![need("forward", 0.05, 2, 25.0, 0.0)]).values(&Sizing::default());
    assert!(values.contains("cpu: 100m") && values.contains("memory: 256Mi"), "{values}");
    assert!(values.contains("replicas: 2\n") && !values.contains("persistence"), "{values}");
    let hot = Sizing { utilisation: 1.0, least_replicas: 1, ..Sizing::default() };
    let values = plan(vec![need("a\nb: c", 0.4, 1, 500.0, 0.0)]).values(&hot);
    assert!(values.contains("cpu: 400m") && values.contains("cpuUtilization: 95"), "{values}");
    assert!(values.contains("memory: 1024Mi"), "{values}");
    // a name of any kind stays in its comment
    assert_eq!(against_the_chart(&values), [""; 0]);
    assert_eq!(against_the_chart(&plan(vec![]).values(&hot)), [""; 0]);
}

#[test]
fn a_plan_says_that_its_coefficients_are_of_another_protocol() {
    for protocol in [Protocol::V1, Protocol::V2, Protocol::Zstd] {
        let text = Plan { protocol, ..plan(vec![need("forward", 0.05, 2, 25.0, 0.0)]) }.to_string();
        let said = format!("What comes in {protocol} is priced as 1.0");
        assert_eq!(text.contains(&said), protocol != Protocol::V1, "{text}");
    }
}

#[test]
fn the_program_prints_them() {
    let cpu = Coefficients { sample: 1e-6, ..Coefficients::default() };
    let calibration = Calibration {
        machine: "test".into(),
        gate: "test".into(),
        cpu,
        memory: Coefficients { base: 2e7, sample: 100.0, ..cpu },
        cpu_error: (0.0, 0.0),
        memory_error: (0.0, 0.0),
        experiments: vec![],
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("calibration.json");
    std::fs::write(&file, serde_json::to_string(&calibration).unwrap()).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate-loadtest"));
        // a plan runs no gate, but wants to know where it is
        command
            .args(["plan", "small", "--gate", "/bin/sh", "--quiet", "--values", "--coefficients"])
            .arg(&file);
        command.args(more).output().unwrap()
    };
    let output = run(&[]);
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{out}{err}");
    assert!(
        out.starts_with("# small, ")
            && out.contains(", 1.0 in snappy: values of")
            && out.contains("\nreplicas: 2\n"),
        "{out}{err}"
    );
    assert_eq!(against_the_chart(&out), [""; 0]);
    for other in ["--json", "--check"] {
        let output = run(&[other]);
        assert_eq!(output.status.code(), Some(2), "{other}");
    }
}
