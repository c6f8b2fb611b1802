//! Labels with ever new values: what the remedy that is printed makes of them.

use std::collections::{BTreeMap, BTreeSet};

use seriesgate::aggregate::{Declared, Outgoing, Types};
use seriesgate::cardinality::FindingKind;
use seriesgate::pipeline::Origin;
use seriesgate::policy::{Definition, Disposition, PolicySet, Run, WorkloadSource};
use seriesgate_proto::{MetricMetadata, WriteRequest, encode_snappy};

use super::kinds::{LIMITS, answered, config, in_force};
use super::rig::{Labels, Watch, labels, series_of};
use super::support::{Gate, NOW_MS, decode};

/// A web shop in two namespaces: requests by user where `user` says so.
fn page(metric: &str, minute: u32, namespaces: &[&str]) -> Vec<(Labels, f64)> {
    let mut series = Vec::new();
    for namespace in namespaces {
        for pod in ["web-7d764666f9-qdcxt", "web-7d764666f9-x7k2p"] {
            for user in 0..20 {
                let user = format!("u{minute}-{user}");
                let bounds = if metric.ends_with("_bucket") { ["0.5", "+Inf"] } else { ["", ""] };
                for le in &bounds[..if bounds[0].is_empty() { 1 } else { 2 }] {
                    let pairs = [
                        ("__name__", metric),
                        ("namespace", namespace),
                        ("pod", pod),
                        ("user", &user),
                        ("le", le),
                    ];
                    series.push((labels(&pairs), 1.0));
                }
            }
        }
    }
    series
}

/// A gate that has seen these metrics, each with ever new users.
fn watched(metrics: &[&str], namespaces: &[&str]) -> Watch {
    let mut watch = Watch::warm();
    // a metric that has no such label
    let up = labels(&[("__name__", "up"), ("namespace", "shop"), ("pod", "web-7d764666f9-qdcxt")]);
    for minute in 0..10 {
        let mut series: Vec<_> = metrics.iter().flat_map(|metric| page(metric, minute, namespaces)).collect();
        series.push((up.clone(), 1.0));
        watch.send(series);
        watch.wait(1);
    }
    watch
}

/// The findings of labels, by metric.
fn found(watch: &Watch, types: Option<&Types>) -> Vec<serde_json::Value> {
    let mut found = answered(watch, types);
    found.retain(|finding| finding["kind"] == FindingKind::Labels.as_str());
    found
}

/// What becomes of series where these policies are in force.
fn becomes(policies: &[Definition], series: &[(Labels, f64)]) -> BTreeSet<&'static str> {
    let set = PolicySet::compile(policies, Run::AsConfigured).unwrap();
    let of = |(labels, _): &(Labels, f64)| {
        let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match set
            .decide(seriesgate::series::Labels::from_sorted(&pairs), &WorkloadSource::nothing(), &LIMITS)
            .verdict
            .disposition()
        {
            Disposition::Forward => "forward",
            Disposition::Drop => "drop",
            Disposition::Aggregate => "aggregate",
            _ => "other",
        }
    };
    series.iter().map(of).collect()
}

/// What is sent for the groups that these policies make of series whose values grow by two, twice: the last value of each.
fn sums(policies: &[Definition], series: &[(Labels, f64)]) -> BTreeMap<Vec<String>, f64> {
    let mut gate = Gate::with(policies, |settings| {
        settings.max_tracked = 10_000;
        settings.limits = LIMITS;
    });
    for step in 0..3 {
        let timestamp = NOW_MS + step * 60_000;
        let sample =
            |(labels, value): &(Labels, f64)| series_of(labels, value + 2.0 * step as f64, timestamp);
        let request = WriteRequest::of(series.iter().map(sample).collect());
        gate.decide("", &encode_snappy(&request)).unwrap();
        gate.pipeline.commit(&gate.outcome);
        gate.pipeline.clock().advance_ms(60_000);
    }
    let made = gate.pipeline.engine().finish();
    let requests = made.into_iter().flat_map(|(_, _, points)| Outgoing::of(points));
    let mut sums = BTreeMap::new();
    for outgoing in requests {
        let request = decode(snap::raw::Decoder::new(), &outgoing.encode().unwrap());
        for series in request.timeseries {
            let labels =
                series.labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
            sums.insert(labels, series.samples.last().unwrap().value);
        }
    }
    sums
}

#[test]
fn a_counter_is_added_up_without_the_label() {
    let watch = watched(&["logins_total"], &["shop"]);
    let found = found(&watch, None);
    assert_eq!(found.len(), 1, "{found:?}");
    let remedy = &found[0]["remedy"];
    assert_eq!(remedy["tried"]["result"], "right", "{remedy}");
    assert_eq!(remedy["metric_relabel_configs"], "", "an agent cannot add up");
    let policies = in_force(&[remedy["policy"].as_str().unwrap()]);
    let group = |pod: &str| {
        ["__name__=logins_total", "namespace=shop", &format!("pod={pod}")].map(str::to_owned).to_vec()
    };
    // twenty users, each counted two more, twice
    let expected =
        ["web-7d764666f9-qdcxt", "web-7d764666f9-x7k2p"].map(|pod| (group(pod), 80.0)).into_iter().collect();
    assert_eq!(sums(&policies, &page("logins_total", 99, &["shop"])), expected);
    assert_eq!(becomes(&policies, &page("logins_total", 99, &["shop"])), ["aggregate"].into());
    assert_eq!(becomes(&policies, &page("logins_total", 99, &["other"])), ["forward"].into());
    assert_eq!(becomes(&policies, &page("logouts_total", 99, &["shop"])), ["forward"].into());
}

#[test]
fn a_histogram_is_added_up_as_a_whole() {
    let metrics = ["latency_seconds_bucket", "latency_seconds_sum", "latency_seconds_count"];
    let watch = watched(&metrics, &["shop"]);
    let found = found(&watch, None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["remedy"]["tried"]["result"], "right", "{found:?}");
    let policies = in_force(&[found[0]["remedy"]["policy"].as_str().unwrap()]);
    let all: Vec<_> = metrics.iter().flat_map(|metric| page(metric, 99, &["shop"])).collect();
    assert_eq!(becomes(&policies, &all), ["aggregate"].into());
    let sums = sums(&policies, &all);
    assert_eq!(sums.len(), 2 * 4, "{sums:?}");
    assert!(sums.iter().all(|(labels, sum)| *sum == 80.0 && !labels.concat().contains("user")), "{sums:?}");
}

#[test]
fn what_cannot_be_added_up_goes_and_metadata_decides_before_names() {
    let remedied = |watch: &Watch, metric: &str, types: Option<&Types>| {
        let found = found(watch, types);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["remedy"]["tried"]["result"], "right", "{found:?}");
        let policy = found[0]["remedy"]["policy"].as_str().unwrap();
        becomes(&in_force(&[policy]), &page(metric, 99, &["shop"]))
    };
    let gauge = watched(&["session_bytes"], &["shop"]);
    let types = &gauge.gate.pipeline.engine().types;
    assert_eq!(remedied(&gauge, "session_bytes", Some(types)), ["drop"].into());
    types.declare(0, "session_bytes", Declared::Counter);
    assert_eq!(remedied(&gauge, "session_bytes", Some(types)), ["aggregate"].into());
    let counter = watched(&["logins_total"], &["shop"]);
    let types = &counter.gate.pipeline.engine().types;
    assert_eq!(remedied(&counter, "logins_total", Some(types)), ["aggregate"].into());
    types.declare(0, "logins_total", Declared::Gauge);
    assert_eq!(remedied(&counter, "logins_total", Some(types)), ["drop"].into());
}

/// Sends what metadata says of these metrics.
fn declare(watch: &mut Watch, types: &[(&str, i32)]) {
    let of = |(name, number): &(&str, i32)| MetricMetadata {
        r#type: *number,
        metric_family_name: (*name).to_owned(),
        ..MetricMetadata::default()
    };
    let request = WriteRequest { metadata: types.iter().map(of).collect(), ..WriteRequest::of(Vec::new()) };
    let Gate { pipeline, scratch, outcome } = &mut watch.gate;
    let origin = Origin { scope: "", sender: Some(watch.address), ..Origin::default() };
    pipeline.decide(origin, &encode_snappy(&request), scratch, outcome).unwrap();
    pipeline.commit(outcome);
}

#[test]
fn metadata_is_known_without_any_policy() {
    // counters and gauges, whatever their names say; a family's type is that of its parts
    for (metric, family, number, becomes_of) in [
        ("client_bytes", "client_bytes", 1, "aggregate"),
        ("sent_total", "sent", 1, "aggregate"),
        ("users_total", "users_total", 2, "drop"),
        ("heap_count", "heap_count", 2, "drop"),
        ("latency_seconds_sum", "latency_seconds", 3, "aggregate"),
        ("load_sum", "load", 4, "drop"),
    ] {
        let mut watch = watched(&[metric], &["shop"]);
        declare(&mut watch, &[(family, number), ("never_seen", 1)]);
        assert_eq!(watch.gate.pipeline.engine().types.declared(0, metric), Declared::Unknown);
        let found = found(&watch, None);
        let policies = in_force(&[found[0]["remedy"]["policy"].as_str().unwrap()]);
        assert_eq!(becomes(&policies, &page(metric, 99, &["shop"])), [becomes_of].into(), "{metric}");
    }
}

#[test]
fn what_is_said_of_a_metric_itself_comes_before_what_is_said_of_a_family() {
    for types in [[("heap", 3), ("heap_count", 2)], [("heap_count", 2), ("heap", 3)]] {
        let mut watch = watched(&["heap_count"], &["shop"]);
        declare(&mut watch, &types);
        let policy = found(&watch, None)[0]["remedy"]["policy"].as_str().unwrap().to_owned();
        assert!(policy.contains("action: drop"), "{types:?}: {policy}");
    }
}

#[test]
fn one_policy_takes_all_metrics_with_the_label_that_are_of_one_kind_and_says_the_rest() {
    let histogram = ["latency_seconds_bucket", "latency_seconds_sum", "latency_seconds_count"];
    let counters = ["logins_total", "signups_total"];
    let all = [&histogram[..], &counters, &["session_bytes"]].concat();
    let watch = watched(&all, &["shop"]);
    let found = found(&watch, None);
    assert_eq!(found.len(), 1, "{found:?}");
    let remedy = &found[0]["remedy"];
    assert_eq!(remedy["tried"]["result"], "right", "{remedy}");
    let policy = remedy["policy"].as_str().unwrap();
    assert!(policy.contains("user of latency_seconds_bucket and of 2 more has ever new values"), "{policy}");
    assert!(policy.contains("theirs, too (cannot be added up): session_bytes\n"), "{policy}");
    let policies = in_force(&[policy]);
    for metric in histogram.iter().chain(&counters) {
        assert_eq!(becomes(&policies, &page(metric, 99, &["shop"])), ["aggregate"].into(), "{metric}");
    }
    assert_eq!(becomes(&policies, &page("session_bytes", 99, &["shop"])), ["forward"].into());
    assert_eq!(becomes(&policies, &page("logins_total", 99, &["other"])), ["forward"].into());
}

#[test]
fn a_metric_with_two_such_labels_is_taken_by_one_policy_without_both() {
    let mut watch = watched(&["logins_total", "signups_total"], &["shop"]);
    for minute in 20..30 {
        let by_session = |(labels, value): (Labels, f64)| {
            let renamed = |(name, value): (String, String)| {
                (if name == "user" { "session".to_owned() } else { name }, value)
            };
            let mut labels: Labels = labels.into_iter().map(renamed).collect();
            labels.sort_unstable();
            (labels, value)
        };
        watch.send(page("signups_total", minute, &["shop"]).into_iter().map(by_session).collect());
        watch.wait(1);
    }
    let found = found(&watch, None);
    let policy = |name: &str| {
        let mut policies = found.iter().filter_map(|finding| finding["remedy"]["policy"].as_str());
        policies.find(|policy| policy.contains(name)).unwrap_or_else(|| panic!("{found:?}"))
    };
    assert_eq!(found.len(), 2, "{found:?}");
    let [logins, signups] =
        ["- name: sum-logins_total-in-shop\n", "- name: sum-signups_total-in-shop\n"].map(policy);
    assert!(signups.contains("without: ['session', 'user']"), "{signups}");
    assert!(logins.contains("without: ['user']") && !logins.contains("signups"), "{logins}");
    assert!(found.iter().all(|finding| finding["remedy"]["tried"]["result"] == "right"), "{found:?}");
}

#[test]
fn a_policy_lists_ten_metrics_and_says_how_many_are_left() {
    let names: Vec<String> = (10..35).map(|n| format!("sessions_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let watch = watched(&names, &["shop"]);
    let found = found(&watch, None);
    assert_eq!(found.len(), 1, "{found:?}");
    let remedy = &found[0]["remedy"];
    assert_eq!(remedy["tried"]["result"], "right", "{remedy}");
    let policy = remedy["policy"].as_str().unwrap();
    assert!(policy.contains("theirs, too (too many for one policy): sessions_20, "), "{policy}");
    assert!(policy.contains(", sessions_29 and 5 more\n"), "{policy}");
    let policies = in_force(&[policy]);
    let taken = |name: &&&str| becomes(&policies, &page(name, 99, &["shop"])) == ["drop"].into();
    assert_eq!(names.iter().filter(taken).count(), 10);
}

/// Two workloads of one namespace with the same metric have one policy, and each namespace one of its own.
#[test]
fn policies_against_labels_have_names_of_their_own() {
    let mut watch = watched(&["logins_total"], &["shop", "other"]);
    for minute in 20..30 {
        let mut series = page("logins_total", minute, &["shop", "other"]);
        for (labels, _) in page("logins_total", minute, &["shop"]) {
            let renamed = |(name, value): (String, String)| {
                let value = if name == "pod" { value.replace("web", "api") } else { value };
                (if name == "user" { "session".to_owned() } else { name }, value)
            };
            let pairs: Vec<_> = labels.into_iter().map(renamed).collect();
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            series.push((super::rig::labels(&pairs), 1.0));
        }
        watch.send(series);
        watch.wait(1);
    }
    let found = found(&watch, None);
    let policies: Vec<&str> =
        found.iter().filter_map(|finding| finding["remedy"]["policy"].as_str()).collect();
    assert_eq!((found.len(), policies.len()), (3, 2), "{found:?}");
    config(&policies);
    assert!(
        found
            .iter()
            .all(|finding| finding["remedy"].is_null() || finding["remedy"]["tried"]["result"] == "right")
    );
    let without = |finding: &&serde_json::Value| finding["remedy"].is_null();
    let advice = found.iter().find(without).unwrap()["advice"].as_str().unwrap();
    assert_eq!(advice, "the policy sum-logins_total-in-shop of a finding before takes these, too");
    let shop = policies.iter().find(|policy| policy.contains("sum-logins_total-in-shop")).unwrap();
    assert!(
        shop.contains("without: ['session', 'user']") || shop.contains("without: [session, user]"),
        "{shop}"
    );
}
