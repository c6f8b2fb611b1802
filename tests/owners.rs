//! Every pod of a cluster resolves to its true workload: what kube-state-metrics said of it, followed by hand.
//!
//! The cluster is simulated. With `SERIESGATE_PAYLOADS=DIR` the same is asked of real text: `DIR/ksm.prom.txt` from
//! kube-state-metrics and `DIR/cadvisor.prom.txt` from the kubelet of the same cluster.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "support/pipeline.rs"]
#[allow(dead_code)]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seriesgate::series::Labels;
use seriesgate_loadtest::cluster::{Cluster, ClusterSpec, Job, StatefulSet};
use seriesgate_proto::WriteRequest;
use support::{Gate, series};

type Series = BTreeMap<String, String>;

/// The series of a text exposition.
fn parse(text: &str) -> Vec<Series> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(parse_line).collect()
}

fn parse_line(line: &str) -> Series {
    let (name, rest) = line.split_once(['{', ' ']).unwrap();
    let mut series = Series::from([("__name__".to_owned(), name.to_owned())]);
    let mut rest = if line[name.len()..].starts_with('{') { rest } else { "}" };
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().unwrap().1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, letter) => value.push(letter),
            }
        };
        series.insert(label.trim_start_matches(',').to_owned(), value);
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    series.retain(|_, value| !value.is_empty());
    series
}

/// Kind and name of each pod's workload, from the owners in the text.
fn truth(state: &[Series]) -> BTreeMap<String, (&'static str, String)> {
    let owners = |metric: &str, own: &str| -> BTreeMap<String, (String, String)> {
        let of = state.iter().filter(|series| series["__name__"] == metric);
        let text = |series: &Series, name: &str| series.get(name).cloned().unwrap_or_default();
        of.map(|s| (text(s, own), (text(s, "owner_kind"), text(s, "owner_name")))).collect()
    };
    let (sets, jobs) = (owners("kube_replicaset_owner", "replicaset"), owners("kube_job_owner", "job_name"));
    let mut found = BTreeMap::new();
    for (pod, (kind, name)) in owners("kube_pod_owner", "pod") {
        let workload = match kind.as_str() {
            "ReplicaSet" => match sets.get(&name) {
                Some((kind, deployment)) if kind == "Deployment" => ("deployment", deployment.clone()),
                _ => ("replicaset", name),
            },
            "Job" => match jobs.get(&name) {
                Some((kind, cronjob)) if kind == "CronJob" => ("cronjob", cronjob.clone()),
                _ => ("job", name),
            },
            "DaemonSet" => ("daemonset", name),
            "StatefulSet" => ("statefulset", name),
            "Node" => ("static_pod", pod.strip_suffix(&format!("-{name}")).unwrap().to_owned()),
            // somebody made it by hand
            _ => continue,
        };
        found.insert(pod, workload);
    }
    found
}

/// What kube-state-metrics says of a cluster, and what its kubelets say.
struct Payload {
    state: Vec<Series>,
    containers: Vec<Series>,
}

/// A simulated cluster with pods of every kind.
fn simulated() -> Payload {
    let start_s = 1_767_225_630;
    let mut spec = ClusterSpec::incident(11);
    let name = |name: &str| name.to_owned();
    spec.statefulsets = vec![StatefulSet { namespace: name("data-prod"), name: name("db"), replicas: 3 }];
    let job = |job: &str, indexes| Job {
        namespace: name("data-prod"),
        name: name(job),
        starts_s: start_s,
        run_seconds: 7200,
        indexes,
    };
    spec.jobs = vec![job("migrate", 0), job("train", 3)];
    let (mut state, mut containers) = (Vec::new(), Vec::new());
    Cluster::new(spec, start_s * 1000).scrape((start_s + 3600) * 1000, |labels, _, _| {
        let series: Series = labels.iter().map(|(n, v)| (name(n), name(v))).collect();
        match series["job"].as_str() {
            "kube-state-metrics" => state.push(series),
            _ => containers.push(series),
        }
    });
    let node = containers[0]["instance"].clone();
    for pod in ["kube-apiserver", "etcd"] {
        let own = format!("{pod}-worker-1-35");
        let text = format!(
            "kube_pod_owner{{cluster=\"prod-1\",namespace=\"kube-system\",owner_kind=\"Node\",owner_name=\"worker-1-35\",pod=\"{own}\"}} 1\n\
             container_cpu_usage_seconds_total{{cluster=\"prod-1\",namespace=\"kube-system\",node=\"{node}\",pod=\"{own}\"}} 1\n"
        );
        let mut both = parse(&text);
        containers.extend(both.pop());
        state.extend(both.pop());
    }
    Payload { state, containers }
}

/// Real text, where there is some.
fn real() -> Option<Payload> {
    let dir = std::env::var_os("SERIESGATE_PAYLOADS")?;
    let read = |file| parse(&std::fs::read_to_string(Path::new(&dir).join(file)).unwrap());
    Some(Payload { state: read("ksm.prom.txt"), containers: read("cadvisor.prom.txt") })
}

fn payloads() -> impl Iterator<Item = Payload> {
    [Some(simulated()), real()].into_iter().flatten()
}

fn check(Payload { state, containers }: &Payload) -> BTreeSet<&'static str> {
    let truth = truth(state);
    let mut gate = Gate::with(&[], |settings| {
        settings.max_tracked = 100_000;
        settings.limits.max_labels = 64;
        settings.limits.max_value_bytes = 4096;
    });
    // cAdvisor first: its pods are known by name only until their owners come
    for _ in 0..2 {
        for batch in [containers, state] {
            let all = batch.iter().map(|s| {
                let pairs: Vec<(&str, &str)> = s.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                series(&pairs)
            });
            gate.pass("", &WriteRequest::of(all.collect()));
        }
    }
    let (mut kinds, mut pods) = (BTreeSet::new(), BTreeSet::new());
    for series in containers.iter().chain(state) {
        let Some((pod, (kind, name))) = series.get("pod").and_then(|pod| truth.get_key_value(pod)) else {
            continue;
        };
        let pairs: Vec<(&str, &str)> = series.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let found = gate.pipeline.tracker().workload_of(0, Labels::from_sorted(&pairs));
        let found = found.map(|(_, kind, name, _)| (kind.as_str(), name));
        assert_eq!(found, Some((*kind, name.clone())), "{pod}");
        kinds.insert(*kind);
        pods.insert(pod.clone());
    }
    assert_eq!(pods.len(), truth.len(), "every pod with an owner");
    // and so are they counted
    let now = gate.pipeline.clock().unix_seconds();
    let mut counted: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for line in gate
        .pipeline
        .tracker()
        .workloads(now)
        .into_iter()
        .filter(|line| line.number > 0 && line.counts.active > 0)
    {
        *counted.entry((line.kind.as_str(), line.name)).or_default() += line.counts.active;
    }
    for (kind, name) in truth.values() {
        assert!(counted.contains_key(&(*kind, name.clone())), "{kind} {name} among {counted:?}");
    }
    // what nobody made stands for itself
    let made_by_hand = |name: &String| {
        let own = |s: &&Series| s["__name__"] == "kube_pod_owner" && s.get("pod") == Some(name);
        state.iter().find(own).is_some_and(|series| !series.contains_key("owner_name"))
    };
    let guessed: Vec<_> =
        counted.keys().filter(|(kind, name)| *kind == "generated" && !made_by_hand(name)).collect();
    assert!(guessed.is_empty(), "nothing is left to what the name alone says: {guessed:?}");
    kinds
}

#[test]
fn every_pod_resolves_to_its_workload() {
    let expected = ["cronjob", "daemonset", "deployment", "job", "statefulset", "static_pod"];
    for payload in payloads() {
        assert_eq!(check(&payload), BTreeSet::from(expected));
    }
}

#[test]
fn so_does_every_pod_under_another_name() {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    for Payload { mut state, mut containers } in payloads() {
        let mut names = BTreeMap::new();
        for pod in truth(&state).into_keys() {
            let Some((stem, tail)) = pod.rsplit_once('-').filter(|(_, tail)| tail.len() == 5) else {
                continue;
            };
            let turned: String = tail
                .bytes()
                .filter_map(|letter| LETTERS.iter().position(|own| *own == letter))
                .map(|at| char::from(LETTERS[(at + 11) % LETTERS.len()]))
                .collect();
            if turned.len() == 5 {
                names.insert(pod.clone(), format!("{stem}-{turned}"));
            }
        }
        assert!(names.len() >= 8, "{names:?}");
        for series in state.iter_mut().chain(&mut containers) {
            if let Some(pod) = series.get_mut("pod")
                && let Some(name) = names.get(pod)
            {
                pod.clone_from(name);
            }
        }
        check(&Payload { state, containers });
    }
}
