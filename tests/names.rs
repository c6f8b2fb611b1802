//! The grammar of names against a table of names with their answers, one of names that mean nothing, and
//! names generated as Kubernetes generates them.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use seriesgate::series::Labels;
use seriesgate::series::grammar::{self, Kind, Workload, shape};

const WORKLOADS: &str = include_str!("data/names/workloads.tsv");
const NOTHING: &str = include_str!("data/names/nothing.tsv");

type Pair = (&'static str, &'static str);

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn asked<'a>(of: &str, value: &'a str) -> Option<Workload<'a>> {
    match of {
        "pod" => grammar::pod(value),
        "job" => grammar::job(value),
        "replicaset" => grammar::replicaset(value),
        other => panic!("`{other}` names nothing"),
    }
}

/// Right and wrong answers of a group, and the wrong ones in words.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize)>, String);

impl Tally {
    fn count(&mut self, group: &str, right: bool, wrong: impl FnOnce() -> String) {
        let counts = self.0.entry(group.to_owned()).or_default();
        if right {
            counts.0 += 1;
        } else {
            counts.1 += 1;
            writeln!(self.1, "  {}", wrong()).unwrap();
        }
    }

    fn assert(&self, at_least: usize) {
        let total: usize = self.0.values().map(|(right, _)| right).sum();
        let mut table = String::new();
        for (group, (right, wrong)) in &self.0 {
            writeln!(table, "{group:<40} {right:>4} right {wrong:>4} wrong").unwrap();
        }
        eprintln!("{table}");
        assert!(self.1.is_empty(), "\n{table}{}", self.1);
        assert!(total >= at_least, "{total} names are too few");
    }
}

#[test]
fn names_with_the_right_answer() {
    let mut tally = Tally::default();
    for row in rows(WORKLOADS) {
        let &[of, kind, value, name, run, scheduled] = &row[..] else { panic!("{row:?}") };
        let found = asked(of, value);
        let run = Some(run).filter(|run| *run != "-");
        let right = found.is_some_and(|found| {
            found.kind.as_str() == kind
                && found.name == name
                && found.run == run
                && found.scheduled.map(|at| at.to_string()).as_deref().unwrap_or("-") == scheduled
        });
        tally
            .count(kind, right, || format!("{of} {value}: {found:?}, not {kind} {name} {run:?} {scheduled}"));
    }
    tally.assert(200);
}

#[test]
fn names_that_say_nothing() {
    let mut tally = Tally::default();
    for row in rows(NOTHING) {
        let &[of, why, value] = &row[..] else { panic!("{row:?}") };
        let found = asked(of, value);
        tally.count(&format!("{of}: {why}"), found.is_none(), || format!("{of} {value} ({why}): {found:?}"));
    }
    tally.assert(200);
}

#[test]
fn the_first_naming_label_decides_and_a_node_makes_a_static_pod() {
    let cases: [(&[Pair], Option<Pair>); 14] = [
        (&[("exported_pod", "web-0"), ("pod", "ksm-7d764666f9-qdcxt")], Some(("statefulset", "web"))),
        (&[("exported_pod", "toolbox"), ("pod", "ksm-7d764666f9-qdcxt")], None),
        (&[("job_name", "sync-29707814"), ("pod_name", "db-1")], Some(("statefulset", "db"))),
        (&[("exported_job_name", "sync-29707814"), ("job_name", "x-29707814")], Some(("cronjob", "sync"))),
        (&[("__name__", "kube_job_info"), ("job_name", "e2e-failjob")], Some(("job", "e2e-failjob"))),
        (&[("__name__", "jenkins_build"), ("job_name", "e2e-failjob")], None),
        (&[("__name__", "kube_job_info"), ("job_name", "Nightly Build")], None),
        (&[("node", "datagen-1-35"), ("pod", "etcd-datagen-1-35")], Some(("static_pod", "etcd"))),
        (&[("node", "datagen-1-35"), ("pod", "web-0")], Some(("statefulset", "web"))),
        (&[("instance", "NODE-A"), ("pod", "haproxy-node-a")], Some(("static_pod", "haproxy"))),
        (&[("node", "0"), ("pod", "web-0")], Some(("statefulset", "web"))),
        (&[("node", "node-a"), ("pod", "node-a")], None),
        (&[("job", "sync-29707814")], None),
        (&[], None),
    ];
    for (labels, expected) in cases {
        let found = grammar::of_series(Labels::from_sorted(labels));
        assert_eq!(found.map(|found| (found.kind.as_str(), found.name)), expected, "{labels:?}");
    }
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), Kind::ALL.len());
}

/// As `k8s.io/apimachinery/pkg/util/rand` maps a byte.
fn safe_encoded(value: u32) -> String {
    let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
    value.to_string().bytes().map(|b| char::from(alphabet[usize::from(b) % alphabet.len()])).collect()
}

/// A generated name as `SimpleNameGenerator` makes it: the base cut to 58 bytes.
fn generate_name(base: &str, random: &str) -> String {
    format!("{}{random}", &base[..base.len().min(58)])
}

/// Names as people write them: words with vowels, so that no part is one of Kubernetes' own.
fn own_name() -> impl Strategy<Value = String> {
    prop::collection::vec("[b-d][aeiou][k-n][aeiou][a-z]{0,3}", 1..4).prop_map(|words| words.join("-"))
}

/// Five random characters, without those that are a word or a number by chance.
fn random_part() -> impl Strategy<Value = String> {
    "[bcdfghjklmnpqrstvwxz2456789]{3}[kwz][2456789]".prop_filter("a word", |part| !part.starts_with("sql"))
}

/// Hashes of 32 bits with at least eight digits: all but one in 400.
fn hash() -> impl Strategy<Value = u32> {
    10_000_000..=u32::MAX
}

proptest! {
    #[test]
    fn deployments_are_told(name in own_name(), hash in hash(), random in random_part()) {
        let replicaset = format!("{name}-{}", safe_encoded(hash));
        let pod = generate_name(&format!("{replicaset}-"), &random);
        prop_assert!(pod.len() < 63);
        let expected = Workload { kind: Kind::Deployment, name: &name, run: Some(&replicaset), scheduled: None };
        prop_assert_eq!(grammar::pod(&pod), Some(expected));
        prop_assert_eq!(grammar::replicaset(&replicaset), Some(expected));
    }

    #[test]
    fn deployments_whose_names_are_cut_are_generated(
        name in "[a-d][aeiou][k-n][aeiou]{40,57}[k-n][aeiou]", hash in hash(), random in random_part(),
    ) {
        let pod = generate_name(&format!("{name}-{}-", safe_encoded(hash)), &random);
        let found = grammar::pod(&pod).unwrap();
        match found.kind {
            Kind::Deployment => prop_assert_eq!(found.name, &name),
            kind => {
                prop_assert_eq!(kind, Kind::Generated);
                prop_assert!(pod.starts_with(found.name) && found.name.starts_with(&name[..name.len().min(52)]));
            }
        }
    }

    #[test]
    fn cronjobs_are_told(name in own_name(), minutes in 23_667_840_i64..36_816_480, random in random_part()) {
        let job = format!("{name}-{minutes}");
        let pod = generate_name(&format!("{job}-"), &random);
        let expected =
            Workload { kind: Kind::Cronjob, name: &name, run: Some(&job), scheduled: Some(minutes * 60) };
        prop_assert_eq!(grammar::job(&job), Some(expected));
        prop_assert_eq!(grammar::pod(&pod), Some(expected));
        let indexed = format!("{job}-3-{random}");
        prop_assert_eq!(grammar::pod(&indexed), Some(expected));
    }

    #[test]
    fn daemonsets_and_numbered_owners_and_statefulsets_are_told(
        name in own_name(), index in 0_u32..1000, random in random_part(),
    ) {
        let of = |pod: &str| grammar::pod(pod).map(|found| (found.kind, found.name.to_owned()));
        prop_assert_eq!(of(&format!("{name}-{random}")), Some((Kind::Generated, name.clone())));
        prop_assert_eq!(of(&format!("{name}-{index}-{random}")), Some((Kind::Generated, name.clone())));
        prop_assert_eq!(of(&format!("{name}-{index}")), Some((Kind::Statefulset, name.clone())));
        prop_assert_eq!(of(&name), None);
    }

    #[test]
    fn nothing_panics_and_answers_are_part_of_the_name(text in prop_oneof![".{0,80}", "[a-f2-9.-]{0,80}", "[b-d4-9-]{63}"]) {
        for found in [grammar::pod(&text), grammar::job(&text), grammar::replicaset(&text)].into_iter().flatten() {
            prop_assert!(!found.name.is_empty() && text.starts_with(found.name));
            prop_assert!(found.run.is_none_or(|run| text.starts_with(run) && run.starts_with(found.name)));
        }
        for (label, node) in [("pod", "node"), ("job_name", "zone")] {
            let pairs = [(label, &*text), (node, &*text)];
            let mut pairs: Vec<_> = pairs.into_iter().collect();
            pairs.sort_unstable();
            grammar::of_series(Labels::from_sorted(&pairs));
        }
    }
}

const SHAPES: &str = include_str!("data/names/shapes.tsv");

#[test]
fn shapes_name_what_was_generated_and_leave_what_people_write() {
    let (mut changed, mut kept) = (0, 0);
    let mut wrong = String::new();
    for row in rows(SHAPES) {
        let [value, shape, bare] = row[..] else { panic!("three columns: {row:?}") };
        let found = shape::pattern(value).to_string();
        let whole = shape::bare(value).map_or("-".to_owned(), |bare| format!("{bare:?}"));
        if (found.as_str(), whole.as_str()) != (shape, bare) {
            writeln!(wrong, "{value}: {found} {whole}, expected {shape} {bare}").unwrap();
        }
        if shape == value { kept += 1 } else { changed += 1 }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(changed >= 50 && kept >= 60, "{changed} with a shape, {kept} without");
}

proptest! {
    #[test]
    fn any_text_has_a_shape(value in ".*") {
        let found = shape::pattern(&value).to_string();
        prop_assert!(value.is_empty() == found.is_empty());
        shape::bare(&value);
    }
}
