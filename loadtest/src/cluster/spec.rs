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
    /// Jobs started on a schedule.
    pub cronjobs: Vec<CronJob>,
    /// The incident: the agent goes on reporting the pod and job series of every run that ever was.
    /// Without it the three newest finished runs of each cronjob are reported, as Kubernetes keeps them.
    pub keep_past_runs: bool,
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
            keep_past_runs: true,
        }
    }
}
