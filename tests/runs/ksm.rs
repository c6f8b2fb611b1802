//! What kube-state-metrics 2.20 says of a cluster, as Prometheus finds it: with `honor_labels: true` what it says of pods
//! is in `namespace` and `pod`, without it is in `exported_namespace` and `exported_pod`.

use std::collections::BTreeMap;

use seriesgate_loadtest::names::{self, Seed};

use super::rig::{Labels, Page, labels};

/// Where the exporter itself runs, as the scrape says.
const TARGET: [(&str, &str); 4] = [
    ("container", "kube-state-metrics"),
    ("job", "kube-state-metrics"),
    ("namespace", "monitoring"),
    ("pod", "kube-state-metrics-6d6f5b8c9d-x7k2p"),
];

/// A pod of one container.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) namespace: &'static str,
    pub(crate) node: String,
    /// Kind and name; empty: nobody's.
    pub(crate) owner: (&'static str, String),
    pub(crate) phase: &'static str,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Complete,
    Failed,
}

/// A job, its pods apart.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) namespace: &'static str,
    /// The CronJob that it is a run of, if it is.
    pub(crate) cronjob: Option<String>,
    pub(crate) state: State,
    /// When it was completed, if it was, Unix seconds; 0: nobody says.
    pub(crate) completed: u32,
}

/// What workload a series is about: its kind and its name.
pub(crate) type About = Option<(&'static str, String)>;

/// A scrape under way.
pub(crate) struct Scrape {
    honors_labels: bool,
    page: Page,
    /// What the series that come next are about.
    pub(crate) about: About,
    truth: BTreeMap<Labels, About>,
}

impl Scrape {
    pub(crate) fn new(honors_labels: bool) -> Self {
        Self { honors_labels, page: Page::new(), about: None, truth: BTreeMap::new() }
    }

    /// What was found, and what each series is about.
    pub(crate) fn end(self) -> (Page, BTreeMap<Labels, About>) {
        (self.page, self.truth)
    }

    pub(crate) fn put(&mut self, metric: &str, said: &[(&str, &str)], value: f64) {
        let all = self.labels(metric, said);
        self.truth.insert(all.clone(), self.about.clone());
        assert_eq!(self.page.insert(all, value), None, "{metric} {said:?}");
    }

    fn labels(&self, metric: &str, said: &[(&str, &str)]) -> Labels {
        let mut pairs = vec![("__name__".to_owned(), metric), ("instance".to_owned(), "10.1.0.9:8080")];
        for (name, value) in said {
            let taken = TARGET.iter().any(|(label, _)| label == name);
            let exported = taken && !self.honors_labels;
            pairs.push((if exported { format!("exported_{name}") } else { (*name).to_owned() }, value));
        }
        for (name, value) in TARGET {
            if pairs.iter().all(|(label, _)| label != name) {
                pairs.push((name.to_owned(), value));
            }
        }
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        labels(&pairs)
    }

    /// One series for each member of a state set.
    fn set(&mut self, metric: &str, base: &[(&str, &str)], label: &str, members: &[&str], current: &str) {
        for member in members {
            let on = f64::from(u8::from(*member == current));
            self.put(metric, &[base, &[(label, member)]].concat(), on);
        }
    }

    /// A pod: 37 series once it has ended.
    pub(crate) fn pod(&mut self, pod: &Pod) {
        const CONDITIONS: [&str; 3] = ["true", "false", "unknown"];
        let uid = names::uid(Seed::new(9).named(&pod.name));
        let base = [("namespace", pod.namespace), ("pod", pod.name.as_str()), ("uid", &uid)];
        let (kind, owner) = (pod.owner.0, pod.owner.1.as_str());
        let over = matches!(pod.phase, "Succeeded" | "Failed");
        let controller = if kind.is_empty() { "" } else { "true" };
        let with = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
            base.iter().chain(more).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
        };
        let mut put = |metric: &str, more: &[(&'static str, &str)], value: f64| {
            let all = with(more);
            let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            self.put(metric, &all, value);
        };
        let owned = [("owner_is_controller", controller), ("owner_kind", kind), ("owner_name", owner)];
        put("kube_pod_owner", &owned, 1.0);
        let info = [("created_by_kind", kind), ("created_by_name", owner), ("node", &pod.node)];
        put("kube_pod_info", &info, 1.0);
        put("kube_pod_restart_policy", &[("type", "Never")], 1.0);
        put("kube_pod_scheduler", &[("name", "default-scheduler")], 1.0);
        put("kube_pod_service_account", &[("service_account", "default")], 1.0);
        put("kube_pod_ips", &[("ip", "10.1.2.3"), ("ip_family", "4")], 1.0);
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            put("kube_pod_tolerations", &[("effect", "NoExecute"), ("key", key)], 1.0);
        }
        for metric in [
            "kube_pod_created",
            "kube_pod_start_time",
            "kube_pod_status_scheduled_time",
            "kube_pod_status_initialized_time",
            "kube_pod_status_container_ready_time",
            "kube_pod_status_ready_time",
        ] {
            put(metric, &[], 1.7e9);
        }
        if over {
            put("kube_pod_completion_time", &[], 1.7e9);
        }
        let container = ("container", "main");
        put("kube_pod_container_info", &[container, ("image", "registry.example.com/main:1")], 1.0);
        for metric in ["ready", "running", "waiting", "terminated", "restarts_total"] {
            let metric = format!("kube_pod_container_status_{metric}");
            put(&metric, &[container], f64::from(u8::from(over == metric.ends_with("terminated"))));
        }
        put("kube_pod_container_state_started", &[container], 1.7e9);
        if over {
            let reason = if pod.phase == "Failed" { "Error" } else { "Completed" };
            put("kube_pod_container_status_terminated_reason", &[container, ("reason", reason)], 1.0);
        }
        let ready = if over { "false" } else { "true" };
        let phases = ["Failed", "Pending", "Running", "Succeeded", "Unknown"];
        self.set("kube_pod_status_phase", &base, "phase", &phases, pod.phase);
        self.set("kube_pod_status_ready", &base, "condition", &CONDITIONS, ready);
        self.set("kube_pod_status_scheduled", &base, "condition", &CONDITIONS, "true");
        let classes = ["BestEffort", "Burstable", "Guaranteed"];
        self.set("kube_pod_status_qos_class", &base, "qos_class", &classes, "Burstable");
    }

    /// A job: 14 series once it has ended.
    pub(crate) fn job(&mut self, job: &Job) {
        let base = [("namespace", job.namespace), ("job_name", job.name.as_str())];
        let owned = job.cronjob.as_deref();
        let kind = if owned.is_some() { "CronJob" } else { "" };
        let controller = if owned.is_some() { "true" } else { "" };
        let owner = [
            ("owner_is_controller", controller),
            ("owner_kind", kind),
            ("owner_name", owned.unwrap_or_default()),
        ];
        self.put("kube_job_owner", &[&base[..], &owner].concat(), 1.0);
        let active = f64::from(u8::from(job.state == State::Active));
        let complete = f64::from(u8::from(job.state == State::Complete));
        for (metric, value) in [
            ("kube_job_info", 1.0),
            ("kube_job_created", 1.7e9),
            ("kube_job_spec_parallelism", 1.0),
            ("kube_job_spec_completions", 1.0),
            ("kube_job_status_active", active),
            ("kube_job_status_start_time", 1.7e9),
            ("kube_job_status_succeeded", complete),
            ("kube_job_status_suspended", 0.0),
        ] {
            self.put(metric, &base, value);
        }
        if job.state != State::Failed {
            self.put("kube_job_status_failed", &base, 0.0);
        }
        let done = match job.state {
            State::Active => return,
            State::Complete => {
                self.put("kube_job_status_completion_time", &base, f64::from(job.completed));
                "kube_job_complete"
            }
            State::Failed => {
                let reasons = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];
                self.set("kube_job_status_failed", &base, "reason", &reasons, reasons[0]);
                "kube_job_failed"
            }
        };
        self.set(done, &base, "condition", &["true", "false", "unknown"], "true");
    }

    /// A CronJob, and how many finished runs it is to keep.
    pub(crate) fn cronjob(&mut self, namespace: &str, name: &str, limits: [u32; 2]) {
        let base = [("namespace", namespace), ("cronjob", name)];
        self.put("kube_cronjob_info", &[&base[..], &[("concurrency_policy", "Allow")]].concat(), 1.0);
        self.put("kube_cronjob_spec_suspend", &base, 0.0);
        self.put("kube_cronjob_spec_successful_job_history_limit", &base, f64::from(limits[0]));
        self.put("kube_cronjob_spec_failed_job_history_limit", &base, f64::from(limits[1]));
    }

    /// A node; its version is a label of `kube_node_info`.
    pub(crate) fn node(&mut self, name: &str, kernel: &str) {
        let node = ("node", name);
        self.put("kube_node_info", &[node, ("kernel_version", kernel)], 1.0);
        self.put("kube_node_created", &[node], 1.7e9);
        self.put("kube_node_spec_unschedulable", &[node], 0.0);
        for condition in ["DiskPressure", "MemoryPressure", "PIDPressure", "Ready"] {
            let base = [node, ("condition", condition)];
            let on = if condition == "Ready" { "true" } else { "false" };
            self.set("kube_node_status_condition", &base, "status", &["true", "false", "unknown"], on);
        }
    }

    /// A Deployment with its ReplicaSet.
    pub(crate) fn deployment(&mut self, namespace: &str, name: &str, set: &str) {
        let base = [("namespace", namespace), ("deployment", name)];
        for metric in
            ["kube_deployment_created", "kube_deployment_spec_replicas", "kube_deployment_status_replicas"]
        {
            self.put(metric, &base, 3.0);
        }
        let base = [("namespace", namespace), ("replicaset", set)];
        let owner = [("owner_is_controller", "true"), ("owner_kind", "Deployment"), ("owner_name", name)];
        self.put("kube_replicaset_owner", &[&base[..], &owner].concat(), 1.0);
        self.put("kube_replicaset_status_replicas", &base, 3.0);
    }
}

/// The name of a pod that is generated from `owner`: 58 bytes of it and a dash, and five more.
pub(crate) fn pod_name(owner: &str, number: u64) -> String {
    names::generated(owner, Seed::new(4).named(owner).child(number))
}

/// The name of the pod of an Indexed job: the job's part is cut so that the index fits.
pub(crate) fn indexed_pod_name(job: &str, index: u32, number: u64) -> String {
    let tail = format!("-{index}-");
    let stem = &job[..job.len().min(58 - tail.len())];
    let random = pod_name("x", number + u64::from(index) * 1000);
    format!("{stem}{tail}{}", &random[2..])
}

#[test]
fn names_are_as_kubernetes_makes_them() {
    let job = |letters: usize| format!("{}-29931557", "c".repeat(letters));
    let stem = |name: &str| name[..name.len() - 5].to_owned();
    for (letters, digits) in [(49, "29931557"), (50, "2993155"), (51, "299315"), (52, "29931")] {
        assert_eq!(stem(&pod_name(&job(letters), 1)), format!("{}-{digits}", "c".repeat(letters)));
    }
    assert_eq!(stem(&indexed_pod_name(&job(52), 0, 1)), format!("{}-29-0-", "c".repeat(52)));
    assert_eq!(stem(&indexed_pod_name(&job(52), 10, 1)), format!("{}-2-10-", "c".repeat(52)));
    assert_eq!(stem(&indexed_pod_name("c-29931557", 2, 1)), "c-29931557-2-");
    let set = format!("{}-6ff9fd6d5d", "d".repeat(48));
    assert_eq!(stem(&pod_name(&set, 1)), format!("{}-6ff9fd6d5", "d".repeat(48)));
}

#[test]
fn runs_have_as_many_series_as_seen() {
    let count = |state: State, phase: Option<&'static str>| {
        let mut scrape = Scrape::new(false);
        let (name, namespace) = ("sync-29931557".to_owned(), "shop");
        scrape.job(&Job {
            name: name.clone(),
            namespace,
            cronjob: Some("sync".to_owned()),
            state,
            completed: 0,
        });
        if let Some(phase) = phase {
            let (node, owner) = ("worker-1".to_owned(), ("Job", name.clone()));
            scrape.pod(&Pod { name: pod_name(&name, 1), namespace, node, owner, phase });
        }
        scrape.end().0.len()
    };
    assert_eq!(count(State::Complete, Some("Succeeded")), 51);
    assert_eq!(count(State::Complete, None), 14);
    assert_eq!(count(State::Active, None), 10);
}
