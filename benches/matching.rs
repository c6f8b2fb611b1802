//! What a series costs that is not remembered: [`PolicySet::decide`] at 1 to 1000 policies.

#![allow(missing_docs)] // criterion's macros make public functions

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use seriesgate::policy::{Action, Definition, Mode, PolicySet, Run, Selector, WorkloadSource, parse_series};
use seriesgate::series::{Labels, Limits};

const LIMITS: Limits = Limits { max_labels: 256, max_name_bytes: 4096, max_value_bytes: 65_536 };

/// As people write them: mostly by name, some by prefix, some by label alone.
fn policy(number: usize) -> Definition {
    let selector = match number % 10 {
        0..=3 => format!("metric_{number}_total{{namespace=\"ns-{number}\"}}"),
        4 | 5 => format!("{{__name__=~\"a_{number}|b_{number}|c_{number}\",job!=\"x\"}}"),
        6 | 7 => format!("{{__name__=~\"family_{number}_.+\",pod=~\"web-.*\"}}"),
        8 => format!("{{namespace=\"ns-{number}\",container!~\"app|sidecar\"}}"),
        _ => format!("{{pod=~\"canary-{number}-.*\"}}"),
    };
    Definition {
        name: format!("policy-{number}").into(),
        selectors: vec![Selector::parse(&selector).expect("a selector")],
        workload: None,
        action: Action::Drop,
        mode: Mode::Enforce,
    }
}

const SERIES: [(&str, &str); 2] = [
    (
        "14 labels",
        r#"container_network_receive_bytes_total{cluster="eu-1", container="app", endpoint="https-metrics",
        id="/kubepods/burstable/pod7b7c", image="registry/app:1.2.3", instance="10.0.0.1:10250",
        interface="eth0", job="kubelet", metrics_path="/metrics/cadvisor", name="k8s_app", namespace="shop",
        node="node-17", pod="web-6d4cf56db6-abcde"}"#,
    ),
    ("6 labels", r#"up{cluster="eu-1", instance="10.0.0.1:8080", job="api", namespace="shop", pod="api-0"}"#),
];

fn decide(criterion: &mut Criterion) {
    for (what, series) in SERIES {
        let labels = parse_series(series).expect("a series");
        let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut group = criterion.benchmark_group(format!("decide, {what}"));
        for policies in [1, 20, 100, 1000] {
            let definitions: Vec<_> = (0..policies).map(policy).collect();
            let set = PolicySet::compile(&definitions, Run::AsConfigured).expect("a set");
            group.bench_function(BenchmarkId::from_parameter(policies), |bencher| {
                bencher.iter(|| {
                    set.decide(black_box(Labels::from_sorted(&pairs)), &WorkloadSource::nothing(), &LIMITS)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
