use super::*;

type Pairs = &'static [(&'static str, &'static str)];

fn of(told: &[(Pairs, f64)], asked: Pairs) -> Option<i64> {
    let rig = Rig::new();
    told.iter().for_each(|(pairs, value)| rig.learn("", pairs, *value));
    rig.of("", asked)
}

struct Rig {
    prints: Fingerprinter,
    starts: Starts,
    now: std::cell::Cell<u32>,
}

impl Rig {
    fn new() -> Self {
        let prints = Fingerprinter::from_seed(1);
        Self { starts: Starts::new(prints.clone(), Arc::default()), prints, now: Default::default() }
    }

    fn learn(&self, tenant: &str, pairs: Pairs, value: f64) {
        let labels = Labels::from_sorted(pairs);
        assert!(Starts::tells(labels.metric().as_bytes()));
        self.starts.learn(self.prints.tenant(tenant), labels, Some(value), self.now.get());
    }

    fn end(&self, pairs: Pairs) {
        self.starts.end(self.prints.tenant(""), Labels::from_sorted(pairs));
    }

    fn of(&self, tenant: &str, asked: Pairs) -> Option<i64> {
        let keys = self.starts.keys(self.prints.tenant(tenant), Labels::from_sorted(asked));
        self.starts.find(&keys, i64::MAX).map(|ms| ms / 1000)
    }
}

const POD: (Pairs, f64) = (&[("__name__", "kube_pod_created"), ("namespace", "n"), ("pod", "a")], 1.5e9);

#[test]
fn a_pod_is_known_under_both_pairs_of_labels() {
    let exported: (Pairs, f64) = (
        &[
            ("__name__", "kube_pod_created"),
            ("exported_namespace", "n"),
            ("exported_pod", "a"),
            ("namespace", "monitoring"),
            ("pod", "ksm"),
        ],
        1.5e9,
    );
    let plain: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
    for told in [POD, exported] {
        assert_eq!(of(&[told], plain), Some(1_500_000_000));
    }
    assert_eq!(
        of(&[exported], &[("__name__", "x_total"), ("namespace", "monitoring"), ("pod", "ksm")]),
        None
    );
    assert_eq!(of(&[POD], &[("__name__", "x_total"), ("namespace", "other"), ("pod", "a")]), None);
    let elsewhere: Pairs = &[("__name__", "x_total"), ("cluster", "b"), ("namespace", "n"), ("pod", "a")];
    assert_eq!(of(&[POD], elsewhere), None);
    let job: Pairs =
        &[("__name__", "kube_job_created"), ("exported_namespace", "n"), ("job_name", "j"), ("pod", "ksm")];
    let asked: Pairs = &[("__name__", "x_total"), ("job_name", "j"), ("namespace", "n")];
    assert_eq!(of(&[(job, 1.6e9)], asked), Some(1_600_000_000));
}

#[test]
fn the_nearest_start_counts() {
    const TARGET: Pairs = &[
        ("__name__", "process_start_time_seconds"),
        ("instance", "i"),
        ("job", "j"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    const ASKED: Pairs = &[
        ("__name__", "x_total"),
        ("code", "200"),
        ("instance", "i"),
        ("job", "j"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    const OWN: Pairs = &[
        ("__name__", "x_created"),
        ("code", "200"),
        ("instance", "i"),
        ("job", "j"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    const BOOT: Pairs = &[
        ("__name__", "node_boot_time_seconds"),
        ("instance", "i"),
        ("job", "j"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    let all = [POD, (TARGET, 1.6e9), (BOOT, 1.2e9), (OWN, 1.7e9)];
    let found: Vec<_> = (1..=4).map(|told| of(&all[..told], ASKED).unwrap()).collect();
    // an exporter that counts for its machine says what its machine's start is
    assert_eq!(found, [1_500_000_000, 1_600_000_000, 1_200_000_000, 1_700_000_000]);
}

#[test]
fn an_exporter_speaks_of_itself_only_and_times_that_nobody_means_are_none() {
    const KUBELET: Pairs =
        &[("__name__", "process_start_time_seconds"), ("instance", "i"), ("job", "kubelet")];
    const CADVISOR: Pairs = &[
        ("__name__", "container_cpu_usage_seconds_total"),
        ("container", "c"),
        ("instance", "i"),
        ("job", "kubelet"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    const CONTAINER: Pairs = &[
        ("__name__", "container_start_time_seconds"),
        ("container", "c"),
        ("instance", "i"),
        ("job", "kubelet"),
        ("namespace", "n"),
        ("pod", "a"),
    ];
    assert_eq!(of(&[(KUBELET, 1.4e9)], CADVISOR), None);
    assert_eq!(of(&[(KUBELET, 1.4e9), POD, (CONTAINER, 1.55e9)], CADVISOR), Some(1_550_000_000));
    for odd in [0.0, f64::NAN, f64::INFINITY, -1.0, 1e15] {
        assert_eq!(of(&[(CONTAINER, odd)], CADVISOR), None);
    }
    let run: Pairs = &[("__name__", "x_total"), ("pod", "sync-29707814-x7k2p")];
    assert_eq!(of(&[], run), None);
    assert_eq!(Rig::new().starts.due(Labels::from_sorted(run)), Some(29_707_814 * 60_000));
}

#[test]
fn what_one_exporter_one_container_or_one_tenant_says_is_said_of_no_other() {
    const TARGET: [(&str, &str); 4] = [("instance", "i"), ("job", "ksm"), ("namespace", "m"), ("pod", "ksm")];
    const PROCESS: Pairs =
        &[("__name__", "process_start_time_seconds"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
    const OTHERS: Pairs = &[
        ("__name__", "x_total"),
        ("exported_container", "c"),
        ("exported_namespace", "n"),
        ("exported_pod", "a"),
        TARGET[0],
        TARGET[1],
        TARGET[2],
        TARGET[3],
    ];
    const OWN: Pairs = &[("__name__", "x_total"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
    assert_eq!((of(&[(PROCESS, 1.6e9)], OTHERS), of(&[(PROCESS, 1.6e9)], OWN)), (None, Some(1_600_000_000)));
    const CONTAINER: Pairs =
        &[("__name__", "container_start_time_seconds"), ("container", "c"), ("namespace", "n"), ("pod", "a")];
    assert_eq!(of(&[(CONTAINER, 1.55e9)], OTHERS), Some(1_550_000_000));
    let rig = Rig::new();
    const PLAIN: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
    rig.learn("b", POD.0, POD.1);
    rig.learn("b", PROCESS, 1.6e9);
    for asked in [PLAIN, OWN] {
        assert!(rig.of("b", asked).is_some());
        assert_eq!(rig.of("", asked), None);
    }
}

#[test]
fn a_histogram_says_when_all_of_its_buckets_began() {
    let created: (Pairs, f64) = (&[("__name__", "h_created"), ("code", "200")], 1.7e9);
    for asked in [
        &[("__name__", "h_bucket"), ("code", "200"), ("le", "1")][..],
        &[("__name__", "h"), ("code", "200"), ("quantile", "0.5")],
        &[("__name__", "h_count"), ("code", "200")],
    ] {
        assert_eq!(of(&[created], asked), Some(1_700_000_000));
    }
    assert_eq!(of(&[created], &[("__name__", "h_bucket"), ("code", "500"), ("le", "1")]), None);
}

#[test]
fn of_two_that_tell_of_one_thing_the_older_is_right_until_it_ends() {
    const OURS: Pairs = &[
        ("__name__", "kube_pod_created"),
        ("namespace", "n"),
        ("pod", "web-0"),
        ("site", "a"),
        ("uid", "1"),
    ];
    const THEIRS: Pairs = &[
        ("__name__", "kube_pod_created"),
        ("namespace", "n"),
        ("pod", "web-0"),
        ("site", "b"),
        ("uid", "2"),
    ];
    const ASKED: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "web-0"), ("site", "b")];
    let rig = Rig::new();
    rig.learn("", THEIRS, 1.5e9);
    rig.learn("", OURS, 1.7e9);
    assert_eq!(rig.of("", ASKED), Some(1_500_000_000));
    // the same pod, made anew
    rig.learn("", THEIRS, 1.6e9);
    assert_eq!(rig.of("", ASKED), Some(1_600_000_000));
    rig.end(OURS);
    rig.learn("", OURS, 1.7e9);
    assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "it was another that ended");
    rig.end(THEIRS);
    assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "what began then may still be open");
    rig.learn("", OURS, 1.7e9);
    assert_eq!(rig.of("", ASKED), Some(1_700_000_000));
    // who goes without a word is believed for ten minutes
    rig.learn("", THEIRS, 1.6e9);
    for (now, right) in [(300, 1_600_000_000), (600, 1_600_000_000), (602, 1_700_000_000)] {
        rig.now.set(now);
        rig.learn("", OURS, 1.7e9);
        assert_eq!(rig.of("", ASKED), Some(right), "{now}");
    }
    rig.learn("", THEIRS, 1.6e9);
    assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "it was silent, and is there");
}

#[test]
fn a_flood_of_created_series_leaves_what_is_known_of_pods() {
    let rig = Rig::new();
    rig.learn("", POD.0, POD.1);
    let tenant = rig.prints.tenant("");
    for number in 0..OWN + 10 {
        let number = number.to_string();
        let pairs = [("__name__", "x_created"), ("path", &*number)];
        let labels = Labels::from_sorted(&pairs);
        rig.starts.learn(tenant, labels, Some(1.7e9), 1);
    }
    assert_eq!(rig.of("", &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")]), Some(1_500_000_000));
    assert_eq!(rig.starts.own.lock().len(), OWN);
    assert!(rig.starts.is_short(), "some of them are said");
    // long after, and what goes now was not said for long
    rig.now.set(SILENT_SECONDS + 2);
    rig.learn("", POD.0, POD.1);
    rig.learn("", &[("__name__", "x_created"), ("path", "late")], 1.7e9);
    rig.now.set(2 * SILENT_SECONDS + 4);
    rig.learn("", &[("__name__", "x_created"), ("path", "later")], 1.7e9);
    assert!(!rig.starts.is_short());
}
