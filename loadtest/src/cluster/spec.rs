//! What a simulated cluster is made of.

/// A cluster to simulate. The same spec gives the same series at the same times.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// Value of the `cluster` label on every series.
    pub name: String,
    /// Where all names and values come from.
    pub seed: u64,
    /// Machines; at least one is simulated.
    pub nodes: u32,
    /// Replicated applications; each pod also serves `http_requests_total`.
    pub deployments: Vec<Deployment>,
    /// One pod on every node for each.
    pub daemonsets: Vec<DaemonSet>,
    /// Pods that keep their names.
    pub statefulsets: Vec<StatefulSet>,
    /// Jobs that are started once.
    pub jobs: Vec<Job>,
    /// Jobs started on a schedule.
    pub cronjobs: Vec<CronJob>,
    /// The incident: the agent goes on reporting the pod and job series of every run that ever was.
    /// Without it the newest finished runs of each cronjob are reported, as Kubernetes keeps them:
    /// three that succeeded and one that failed.
    pub keep_past_runs: bool,
    /// What happens, in any order.
    pub events: Vec<Event>,
    /// How many series there are of each object.
    pub detail: Detail,
    /// Whether applications also have a classic histogram of each method's durations.
    pub histograms: bool,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unix seconds.
    pub at_s: i64,
    /// What.
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// All pods of the deployment of this index are replaced, under a new template.
    Rollout(usize),
    /// The node of this index is gone for good: what its kubelet reports ends at once; five minutes later its pods
    /// are replaced on other nodes.
    NodeLost(usize),
    /// From now on the agent forgets no run, as with [`ClusterSpec::keep_past_runs`].
    KeepPastRuns,
}

/// How many series there are of each object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// As many as kube-state-metrics and cAdvisor have.
    #[default]
    Full,
    /// About a sixth of them, of every kind that tells who is who: a large cluster passes in seconds.
    Lean,
}

/// Pods that are told apart by a number and keep their names.
#[derive(Clone, Debug)]
pub struct StatefulSet {
    /// Where it lives.
    pub namespace: String,
    /// Its name, which is also its container's.
    pub name: String,
    /// Pods at any time.
    pub replicas: u32,
}

/// A job that is started once, and reported until somebody deletes it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it lives.
    pub namespace: String,
    /// Its name, which is also its container's.
    pub name: String,
    /// When it starts, Unix seconds.
    pub starts_s: i64,
    /// How long it takes, in seconds; up to a quarter more at random.
    pub run_seconds: u32,
    /// Pods that carry their index in their names; 0 for one pod without.
    pub indexes: u32,
}

/// A replicated application.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Where it lives.
    pub namespace: String,
    /// Its name, which is also its container's.
    pub name: String,
    /// Pods at any time.
    pub replicas: u32,
    /// Minutes between rollouts, each of which replaces all pods; 0 for never.
    pub rollout_every_minutes: u32,
}

/// One pod on every node.
#[derive(Clone, Debug)]
pub struct DaemonSet {
    /// Where it lives.
    pub namespace: String,
    /// Its name, which is also its container's.
    pub name: String,
}

/// A job started on a schedule.
#[derive(Clone, Debug)]
pub struct CronJob {
    /// Where it lives.
    pub namespace: String,
    /// Its name, which is also its container's.
    pub name: String,
    /// Minutes between runs, counted from the Unix epoch as cron does within an hour.
    pub every_minutes: u32,
    /// How long a run takes, in seconds; up to a quarter more at random.
    pub run_seconds: u32,
}

impl Deployment {
    /// A deployment that is never rolled out anew.
    pub fn new(namespace: &str, name: &str, replicas: u32) -> Self {
        Self { namespace: namespace.into(), name: name.into(), replicas, rollout_every_minutes: 0 }
    }

    /// The same with all pods replaced every so many minutes.
    #[must_use]
    pub fn rolled_out_every(mut self, minutes: u32) -> Self {
        self.rollout_every_minutes = minutes;
        self
    }
}

impl DaemonSet {
    /// A daemonset.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl CronJob {
    /// A cronjob that starts every so many minutes and runs for so many seconds.
    pub fn new(namespace: &str, name: &str, every_minutes: u32, run_seconds: u32) -> Self {
        Self { namespace: namespace.into(), name: name.into(), every_minutes, run_seconds }
    }
}

impl ClusterSpec {
    /// A cluster to find culprits in: 40 nodes, 300 deployments, 5 daemonsets, 10 statefulsets, and 50 cronjobs that
    /// start every five minutes. Nothing else happens in it.
    pub fn field_test(seed: u64) -> Self {
        let namespace = |i: u32| format!("team-{}", i % 20);
        let deployment = |i| Deployment::new(&namespace(i), &format!("app-{i}"), 2 + i % 5);
        let cronjob = |i| CronJob::new(&namespace(i), &format!("sync-{i}"), 5, 20 + 2 * i);
        let statefulset = |i| StatefulSet { namespace: namespace(i), name: format!("db-{i}"), replicas: 3 };
        Self {
            name: "field".into(),
            seed,
            nodes: 40,
            deployments: (0..300).map(deployment).collect(),
            daemonsets: (0..5).map(|i| DaemonSet::new("platform", &format!("agent-{i}"))).collect(),
            statefulsets: (0..10).map(statefulset).collect(),
            jobs: Vec::new(),
            cronjobs: (0..50).map(cronjob).collect(),
            keep_past_runs: false,
            events: Vec::new(),
            detail: Detail::Lean,
            histograms: false,
        }
    }

    /// The cluster of the incident: four deployments, a daemonset on three nodes, one cronjob every five
    /// minutes and one every half hour, and an agent that never forgets a run.
    pub fn incident(seed: u64) -> Self {
        Self {
            name: "prod-1".into(),
            seed,
            nodes: 3,
            deployments: vec![
                Deployment::new("shop-prod", "checkout", 4),
                Deployment::new("shop-prod", "catalogue", 6).rolled_out_every(12 * 60),
                Deployment::new("billing-prod", "invoices", 2),
                Deployment::new("platform", "gateway", 3),
            ],
            daemonsets: vec![DaemonSet::new("platform", "node-exporter")],
            cronjobs: vec![
                CronJob::new("data-prod", "sync-once-record-cronjob", 5, 40),
                CronJob::new("billing-prod", "close-carts", 30, 90),
            ],
            statefulsets: Vec::new(),
            jobs: Vec::new(),
            keep_past_runs: true,
            events: Vec::new(),
            detail: Detail::Full,
            histograms: false,
        }
    }
}
