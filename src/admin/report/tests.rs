//! Every answer, word for word, for ninety minutes of the incident. `UPDATE_SNAPSHOTS=1` writes the files anew.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::{Asked, View, answer};
use crate::cardinality;
use crate::clock::Clock;
use crate::pipeline::{Origin, Outcome, Pipeline, Scratch, Settings};
use crate::policy::{PolicySet, Run};
use crate::series::{Fingerprinter, Limits};
use hyper::StatusCode;
use seriesgate_loadtest::cluster::{Agent, Cluster, ClusterSpec};

/// 2026-01-01T00:00:30Z.
const START_MS: i64 = 1_767_225_630_000;

fn ninety_minutes() -> (Pipeline, Clock) {
    let clock = Clock::manual(START_MS);
    let settings = Settings {
        max_tracked: 100_000,
        max_tenants: 10,
        max_decoded_bytes: 1 << 26,
        max_future_ms: None,
        validation: Default::default(),
        long_values: None,
        stale_markers: true,
        limits: Limits { max_labels: 64, max_name_bytes: 1024, max_value_bytes: 4096 },
        tracking: cardinality::Settings::default(),
        aggregation: crate::aggregate::Settings::default(),
    };
    let set = PolicySet::compile(&[], Run::AsConfigured).unwrap();
    let pipeline = Pipeline::new(settings, set, Fingerprinter::from_seed(1), clock.clone());
    let mut agent = Agent::new(Cluster::new(ClusterSpec::incident(7), START_MS));
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    let origin =
        Origin { scope: "prod", sender: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9))), ..Origin::default() };
    for _ in 0..90 {
        clock.advance_ms(60_000);
        for body in agent.bodies(clock.unix_ms(), 2000) {
            pipeline.decide(origin, &body.bytes, &mut scratch, &mut outcome).unwrap();
            pipeline.commit(&outcome);
        }
        pipeline.tracker().sweep(clock.unix_seconds());
    }
    (pipeline, clock)
}

#[test]
fn answers_are_as_documented() {
    let (pipeline, clock) = ninety_minutes();
    let view = View {
        tracker: pipeline.tracker(),
        types: None,
        tenants: pipeline.tenants().names(),
        policies: vec![],
        rejected: vec![],
        incomplete: false,
        now: clock.unix_seconds(),
    };
    for (file, path, query) in [
        // README.md shows this one
        ("churn_by_metric", "/api/v1/churn", "by=metric&limit=3"),
        ("churn_by_workload", "/api/v1/churn", "by=workload&limit=2&offset=1"),
        ("churn_by_label", "/api/v1/churn", "by=label&limit=2"),
        ("churn_by_sender", "/api/v1/churn", "by=sender"),
        ("workloads", "/api/v1/workloads", "sort=runs&limit=3"),
        ("tsdb", "/api/v1/status/tsdb", "limit=3&focusLabel=phase"),
        ("label_names", "/api/v1/cardinality/label_names", "limit=3"),
        (
            "label_values",
            "/api/v1/cardinality/label_values",
            "label_names[]=phase&label_names[]=__name__&limit=3",
        ),
        ("of_nobody", "/api/v1/workloads", "tenant=nobody"),
    ] {
        let (status, json) = answer(&view, &Asked { path, query, body: b"", tenant: None });
        assert_eq!(status, StatusCode::OK, "{file}: {json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let found = serde_json::to_string_pretty(&value).unwrap() + "\n";
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report").join(format!("{file}.json"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{file}.json differs; look at it, then UPDATE_SNAPSHOTS=1\n{found}");
    }
}

#[test]
fn a_tenants_scopes_are_told_apart_and_asked_for_together() {
    let (pipeline, clock) = ninety_minutes();
    let mut agent = Agent::new(Cluster::new(ClusterSpec::incident(8), START_MS));
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    for scope in ["prod\naccountid=7\n?token=SECRET", "other\naccountid=7"] {
        for body in agent.bodies(clock.unix_ms(), 2000) {
            pipeline.decide(scope, &body.bytes, &mut scratch, &mut outcome).unwrap();
            pipeline.commit(&outcome);
        }
    }
    let view = View {
        tracker: pipeline.tracker(),
        types: None,
        tenants: pipeline.tenants().names(),
        policies: vec![],
        rejected: vec![],
        incomplete: false,
        now: clock.unix_seconds(),
    };
    let line_scope = |query| {
        let asked = Asked { path: "/api/v1/workloads", query, body: b"", tenant: None };
        let json: serde_json::Value = serde_json::from_str(&answer(&view, &asked).1).unwrap();
        let text = |row: &serde_json::Value, field| row[field].as_str().unwrap_or("none").to_owned();
        let rows = json["rows"].as_array().unwrap();
        rows.iter().map(|row| (text(row, "tenant"), text(row, "scope"))).collect::<BTreeSet<_>>()
    };
    let pair = |tenant: &str, scope: &str| (tenant.to_owned(), scope.to_owned());
    let prod = [pair("prod", "none"), pair("prod", "accountid=7 ?token")];
    assert_eq!(line_scope("limit=10000&tenant=prod"), BTreeSet::from(prod.clone()));
    let all = [&prod[..], &[pair("other", "accountid=7")]].concat();
    assert_eq!(line_scope("limit=10000"), all.into_iter().collect());
}
