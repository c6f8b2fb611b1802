//! Series whose owner is said after they came.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::rig::{Labels, Watch, labels};
use super::support::walk;

fn series(metric: &str, pod: &str) -> (Labels, f64) {
    (labels(&[("__name__", metric), ("namespace", "ops"), ("pod", pod)]), 1.0)
}

fn owner(pod: &str, kind: &str, name: &str) -> (Labels, f64) {
    let pairs = [
        ("__name__", "kube_pod_owner"),
        ("namespace", "ops"),
        ("owner_kind", kind),
        ("owner_name", name),
        ("pod", pod),
    ];
    (labels(&pairs), 1.0)
}

/// Kind, name, active and new series, runs, new runs and series of those, of all workloads.
fn table(watch: &Watch) -> BTreeSet<(&'static str, String, u64, u64, u32, u32, u32)> {
    let lines = watch.workloads().into_iter().filter(|line| line.number != 0);
    lines
        .map(|line| {
            let (runs, new) = (line.new_runs_last_hour, line.series_of_new_runs_last_hour);
            let counts = &line.counts;
            (line.kind.as_str(), line.name, counts.active, counts.new_last_hour, line.runs, runs, new)
        })
        .collect()
}

#[test]
fn series_move_at_their_next_touch_once_their_owner_is_said() {
    let mut watch = Watch::warm();
    // somebody names owners here
    watch.send(vec![owner("other-0", "StatefulSet", "other")]);
    let pods = ["copy-29707814-x7k2p", "copy-29707815-zzzzz", "web-7d764666f9-x7k2p"];
    let touch = |watch: &mut Watch| {
        let all = |pod| ["cpu", "memory", "network"].map(|metric| series(metric, pod));
        watch.send(pods.into_iter().flat_map(all).collect());
        watch.wait(1);
    };
    (0..3).for_each(|_| touch(&mut watch));
    let other = ("statefulset", "other".to_owned(), 1, 1, 0, 0, 0);
    let guessed = [
        ("cronjob", "copy".to_owned(), 6, 6, 2, 2, 6),
        ("deployment", "web".to_owned(), 3, 3, 1, 1, 3),
        other.clone(),
    ];
    assert_eq!(table(&watch), guessed.into());

    // the first is what it looks like; somebody made the second by hand, and a ReplicaSet of nobody the third
    let job = labels(&[
        ("__name__", "kube_job_owner"),
        ("job_name", "copy-29707814"),
        ("namespace", "ops"),
        ("owner_kind", "CronJob"),
        ("owner_name", "copy"),
    ]);
    let set = labels(&[
        ("__name__", "kube_replicaset_owner"),
        ("namespace", "ops"),
        ("replicaset", "web-7d764666f9"),
    ]);
    for _ in 0..2 {
        watch.send(vec![
            owner(pods[0], "Job", "copy-29707814"),
            owner(pods[1], "", ""),
            owner(pods[2], "ReplicaSet", "web-7d764666f9"),
            (job.clone(), 1.0),
            (set.clone(), 1.0),
        ]);
        watch.wait(1);
        touch(&mut watch);
    }
    let said = [
        ("cronjob", "copy".to_owned(), 5, 5, 1, 1, 5),
        ("generated", pods[1].to_owned(), 4, 4, 0, 0, 0),
        ("replicaset", "web-7d764666f9".to_owned(), 4, 4, 0, 0, 0),
        other,
    ];
    assert_eq!(table(&watch), said.into());
}

#[derive(Clone, Debug)]
enum Step {
    Touch(usize, usize),
    Say(usize),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..8, 0usize..3).prop_map(|(pod, metric)| Step::Touch(pod, metric)),
        2 => (0usize..8).prop_map(Step::Say),
        1 => (0u32..3).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever came before its owner was said: in the end all is counted where it belongs, once, and nowhere else.
    #[test]
    fn in_the_end_all_is_where_it_belongs(steps in proptest::collection::vec(step(), 1..60)) {
        const METRICS: [&str; 3] = ["cpu", "memory", "network"];
        let mut watch = Watch::warm();
        watch.send(vec![owner("other-0", "StatefulSet", "other")]);
        let pod = |number: usize| format!("sync-2970781{number}-x7k2p");
        // every other one was made by hand
        let say = |number: usize| match number % 2 {
            0 => owner(&pod(number), "Job", &format!("sync-2970781{number}")),
            _ => owner(&pod(number), "", ""),
        };
        let (mut came, mut said) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Touch(number, metric) => {
                    came.insert((number, metric));
                    watch.send(vec![series(METRICS[metric], &pod(number))]);
                }
                Step::Say(number) => {
                    said.insert(number);
                    watch.send(vec![say(number)]);
                }
                Step::Wait(minutes) => watch.wait(minutes),
            }
        }
        said.extend(came.iter().map(|(number, _)| *number));
        let again = |watch: &mut Watch| {
            watch.send(said.iter().map(|number| say(*number)).collect());
            watch.send(came.iter().map(|(number, metric)| series(METRICS[*metric], &pod(*number))).collect());
        };
        again(&mut watch);
        watch.wait(1);
        again(&mut watch);
        // what was silent is heard again
        walk(&watch.gate);

        let mut expected = BTreeMap::<String, (u64, BTreeSet<usize>)>::new();
        for number in came.iter().map(|(number, _)| *number).chain(said.iter().copied()) {
            let name = if number % 2 == 0 { "sync".to_owned() } else { pod(number) };
            let (count, runs) = expected.entry(name).or_default();
            *count += 1;
            runs.insert(number);
        }
        let expected: BTreeSet<_> = expected
            .into_iter()
            .map(|(name, (count, runs))| match name.as_str() {
                "sync" => ("cronjob", name, count, count, runs.len() as u32, runs.len() as u32, count as u32),
                _ => ("generated", name, count, count, 0, 0, 0),
            })
            .collect();
        let mut found = table(&watch);
        found.retain(|row| row.1 != "other");
        prop_assert_eq!(found, expected);
    }
}
