//! Pods of a task of Airflow: eight letters and digits drawn at random, of which half do not look so.

use seriesgate::cardinality::FindingKind;
use seriesgate::series::grammar;

use super::kinds::answered;
use super::ksm::{Pod, Scrape};
use super::rig::{Page, Watch};
use super::world::NAMESPACE;

const TASK: &str = "sales-load";

/// The pod of a run, with a digit at least: nine in ten have one.
fn name(run: u64) -> String {
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = run.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    loop {
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(letters[(state >> 33) as usize % letters.len()])
        };
        let random: String = (0..8).map(|_| draw()).collect();
        let digits = random.bytes().filter(u8::is_ascii_digit).count();
        if (1..8).contains(&digits) {
            return format!("{TASK}-{random}");
        }
    }
}

fn page(runs: u64) -> Page {
    let mut scrape = Scrape::new(true);
    let mut pod = |name: String, phase| {
        let (node, owner) = ("worker-1".to_owned(), ("", String::new()));
        scrape.pod(&Pod { name, namespace: NAMESPACE, node, owner, phase });
    };
    (0..runs).for_each(|run| pod(name(run), if run + 3 < runs { "Succeeded" } else { "Running" }));
    // a word of eight letters, which belongs to nobody either
    pod(format!("{TASK}-postgres"), "Running");
    scrape.end().0
}

#[test]
fn pods_of_a_task_go_together_whatever_their_random_part_looks_like() {
    let told = (0..60).filter(|run| grammar::pod(&name(*run)).is_some()).count();
    assert!((20..45).contains(&told), "{told} of 60 look random");
    let mut watch = Watch::warm();
    for runs in 1..=60 {
        watch.scrape(&page(runs));
        watch.wait(1);
    }
    let line = watch.workload("airflow", TASK).unwrap();
    assert_eq!((line.runs, line.runs_over), (60, 57));
    let found = answered(&watch, None);
    let found = found.iter().find(|finding| finding["kind"] == FindingKind::StuckRuns.as_str()).unwrap();
    assert_eq!((&found["workload"]["kind"], &found["workload"]["name"]), (&"airflow".into(), &TASK.into()));
    let tried = &found["remedy"]["tried"];
    assert_eq!((&tried["result"], &tried["others_taken"]), (&"right".into(), &0.into()), "{found}");
    assert!(tried["others"].as_u64() > Some(0), "the word is among them: {found}");
}
