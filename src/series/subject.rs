//! What a series is about: the pod or the job that its labels name.
//!
//! Labels go together. Where a scrape renamed labels that were there already (Prometheus with `honor_labels: false`),
//! `exported_namespace` goes with `exported_pod` and with `job_name`, and `namespace` and `pod` are the exporter's own. And
//! where it did not, what kube-state-metrics says of a Deployment still carries the exporter's `pod`.

mod asked;
mod object;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use self::asked::Asked;
pub(crate) use self::object::object;
use super::Labels;

/// What a series can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectKind {
    /// A pod.
    Pod,
    /// A job.
    Job,
}

/// Labels that go together. An empty name: the convention has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelRow {
    /// Holds the namespace; where a series lacks it, `namespace` does.
    pub namespace: Cow<'static, str>,
    /// Holds the name of a pod.
    pub pod: Cow<'static, str>,
    /// Holds the name of a job.
    pub job: Cow<'static, str>,
    /// Holds the name of a container of that pod.
    pub container: Cow<'static, str>,
}

const fn row(
    namespace: &'static str,
    pod: &'static str,
    job: &'static str,
    container: &'static str,
) -> LabelRow {
    LabelRow {
        namespace: Cow::Borrowed(namespace),
        pod: Cow::Borrowed(pod),
        job: Cow::Borrowed(job),
        container: Cow::Borrowed(container),
    }
}

/// What a scrape renamed.
const EXPORTED: [LabelRow; 2] = [
    row("exported_namespace", "exported_pod", "exported_job_name", "exported_container"),
    row("exported_namespace", "", "job_name", "exported_container"),
];
/// What OpenTelemetry says of a resource: never of who was scraped.
const RESOURCE: [LabelRow; 2] = [
    row("k8s.namespace.name", "k8s.pod.name", "k8s.job.name", "k8s.container.name"),
    row("k8s_namespace_name", "k8s_pod_name", "k8s_job_name", "k8s_container_name"),
];
/// What may be said of who was scraped as well.
const PLAIN: [LabelRow; 4] = [
    row(NAMESPACE, "pod", "job_name", "container"),
    row(NAMESPACE, "pod_name", "", "container_name"),
    row("kubernetes_namespace", "kubernetes_pod_name", "kubernetes_job_name", "kubernetes_container_name"),
    row(
        "container_label_io_kubernetes_pod_namespace",
        "container_label_io_kubernetes_pod_name",
        "",
        "container_label_io_kubernetes_container_name",
    ),
];
/// All of these.
const KNOWN_ROWS: usize = 8;
const NAMESPACE: &str = "namespace";

/// Labels that agents use to tell clusters apart; the first that a series has counts.
pub const CLUSTER: [&str; 5] =
    ["cluster", "cluster_id", "cluster_name", "k8s_cluster_name", "k8s.cluster.name"];

/// The labels that a series named its subject by; [`SubjectTable::labels`] gives their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelsUsed(u16);

/// The names of the labels by which series name a subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectLabels {
    /// What they name.
    pub kind: SubjectKind,
    /// The label that holds the pod's or the job's name.
    pub name: String,
    /// The label that holds its namespace; none where the series say none.
    pub namespace: Option<String>,
}

/// A pod or a job that a series names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'l> {
    /// Which of the two.
    pub kind: SubjectKind,
    /// Its name.
    pub name: &'l str,
    /// Its namespace; may be empty.
    pub namespace: &'l str,
    /// The name of the container, of a pod; may be empty.
    pub container: &'l str,
    /// By which labels.
    pub labels: LabelsUsed,
}

/// All that the labels of a series say of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'l> {
    /// The pod.
    pub pod: Option<Subject<'l>>,
    /// The job.
    pub job: Option<Subject<'l>>,
    /// The namespace of what it is about, whatever that is; may be empty.
    pub namespace: &'l str,
    /// Whether it may be about who was scraped.
    pub of_target: bool,
}

impl<'l> About<'l> {
    /// The one thing that the series is about: its pod before its job.
    pub fn subject(&self) -> Option<Subject<'l>> {
        self.pod.or(self.job)
    }
}

/// Which labels name pods and jobs: those of the config, then the known conventions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTable {
    rows: Box<[LabelRow]>,
    asked: Asked,
    /// Where the rows begin that may be said of who was scraped as well.
    plain: usize,
    /// Where the rows begin of what a scrape renamed.
    exported: usize,
}

impl Default for SubjectTable {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

static KNOWN: LazyLock<Arc<SubjectTable>> = LazyLock::new(Arc::default);

impl SubjectTable {
    /// Rows of the config at most: their numbers have 16 bits, and each is asked for every new series.
    pub const MAX_ROWS: usize = 32;

    /// A table in which these labels are asked before the known ones.
    pub fn new(own: Vec<LabelRow>) -> Self {
        let exported = own.len().min(Self::MAX_ROWS);
        let own = own.into_iter().take(Self::MAX_ROWS);
        let rows: Box<[LabelRow]> = own.chain(EXPORTED).chain(RESOURCE).chain(PLAIN).collect();
        debug_assert_eq!(rows.len(), exported + KNOWN_ROWS);
        let plain = exported + EXPORTED.len() + RESOURCE.len();
        Self { asked: Asked::about(&rows), rows, exported, plain }
    }

    /// The table of the known conventions.
    pub fn known() -> Arc<Self> {
        Arc::clone(&KNOWN)
    }

    /// Reads what a series is about.
    pub fn about<'l>(&self, labels: Labels<'l>) -> About<'l> {
        let values = self.asked.values(labels);
        let exported = self.exported..self.exported + EXPORTED.len();
        let renamed = exported.clone().any(|row| self.asked.is_renamed(row, &values));
        let object = object(labels.metric());
        let rows = 0..if renamed { self.plain } else { self.rows.len() };
        let find = |kind| rows.clone().find_map(|row| self.asked.read(kind, row, &values));
        let namespace = if renamed { self.asked.namespace(exported.start, &values) } else { "" };
        About {
            pod: if matches!(object, None | Some("pod")) { find(SubjectKind::Pod) } else { None },
            job: if matches!(object, None | Some("job")) { find(SubjectKind::Job) } else { None },
            namespace: if namespace.is_empty() { labels.get(NAMESPACE) } else { namespace },
            of_target: !renamed && object.is_none(),
        }
    }

    /// The names of labels that were used.
    pub fn labels(&self, used: LabelsUsed) -> SubjectLabels {
        let number = used.0 as usize;
        let row = &self.rows[number / 6];
        let kind = if number % 6 < 3 { SubjectKind::Pod } else { SubjectKind::Job };
        let namespace = [Some(&*row.namespace), Some(NAMESPACE), None][number % 3];
        SubjectLabels { kind, name: row.name(kind).to_owned(), namespace: namespace.map(str::to_owned) }
    }

    /// Whether anything that is read of a subject may depend on this label.
    pub fn asks(&self, label: &str) -> bool {
        self.asked.has(label)
    }

    /// What a label names, if it is one of these.
    pub fn names(&self, label: &str) -> Option<SubjectKind> {
        let kinds = [SubjectKind::Pod, SubjectKind::Job];
        kinds
            .into_iter()
            .find(|kind| !label.is_empty() && self.rows.iter().any(|row| row.name(*kind) == label))
    }
}

impl LabelRow {
    fn name(&self, kind: SubjectKind) -> &str {
        match kind {
            SubjectKind::Pod => &self.pod,
            SubjectKind::Job => &self.job,
        }
    }
}

/// The label that names the cluster of a series, and its value; empty where there is none.
pub fn cluster<'l>(labels: Labels<'l>) -> (&'static str, &'l str) {
    let given = CLUSTER.into_iter().map(|label| (label, labels.get(label)));
    given.into_iter().find(|(_, value)| !value.is_empty()).unwrap_or(("", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    /// Kind, name and namespace, and the labels that said so.
    fn of(table: &SubjectTable, pairs: Pairs) -> Option<String> {
        let mut sorted = pairs.to_vec();
        sorted.sort_unstable();
        let subject = table.about(Labels::from_sorted(&sorted)).subject()?;
        let SubjectLabels { kind, name, namespace } = table.labels(subject.labels);
        assert_eq!(kind, subject.kind);
        let by = namespace.unwrap_or_default();
        Some(format!("{kind:?} {}/{} by {by}/{name}", subject.namespace, subject.name))
    }

    const TARGET: [(&str, &str); 3] = [("namespace", "monitoring"), ("pod", "ksm-0"), ("job", "ksm")];

    #[test]
    fn labels_go_in_pairs() {
        let table = SubjectTable::default();
        let [namespace, pod, job] = TARGET;
        const NS: (&str, &str) = ("exported_namespace", "shop");
        const CASES: [(Pairs, Option<&str>); 18] = [
            (&[TARGET[0], TARGET[1]], Some("Pod monitoring/ksm-0 by namespace/pod")),
            (
                &[TARGET[0], TARGET[1], NS, ("exported_pod", "web-0")],
                Some("Pod shop/web-0 by exported_namespace/exported_pod"),
            ),
            (
                &[("__name__", "kube_job_info"), TARGET[0], TARGET[1], NS, ("job_name", "sync-1")],
                Some("Job shop/sync-1 by exported_namespace/job_name"),
            ),
            // whatever is called so: a namespace of its own is not the exporter's
            (
                &[("__name__", "runs_total"), TARGET[0], TARGET[1], NS, ("job_name", "sync-1")],
                Some("Job shop/sync-1 by exported_namespace/job_name"),
            ),
            (
                &[("__name__", "kube_deployment_created"), TARGET[0], TARGET[1], NS, ("deployment", "web")],
                None,
            ),
            (&[("__name__", "other_total"), TARGET[0], TARGET[1], NS], None),
            // with honor_labels: true the namespace is the subject's, the pod the exporter's
            (
                &[
                    ("__name__", "kube_deployment_created"),
                    ("namespace", "shop"),
                    TARGET[1],
                    ("deployment", "web"),
                ],
                None,
            ),
            (
                &[("__name__", "kube_job_info"), ("namespace", "shop"), TARGET[1], ("job_name", "sync-1")],
                Some("Job shop/sync-1 by namespace/job_name"),
            ),
            (&[("__name__", "kube_node_info"), TARGET[0], TARGET[1], ("node", "n1")], None),
            (
                &[("__name__", "kube_state_metrics_list_total"), TARGET[0], TARGET[1]],
                Some("Pod monitoring/ksm-0 by namespace/pod"),
            ),
            (
                &[("__name__", "kube_apiserver_x_total"), TARGET[0], TARGET[1]],
                Some("Pod monitoring/ksm-0 by namespace/pod"),
            ),
            (
                &[("k8s.pod.name", "web-0"), ("k8s.namespace.name", "shop"), TARGET[0], TARGET[1]],
                Some("Pod shop/web-0 by k8s.namespace.name/k8s.pod.name"),
            ),
            (
                &[("k8s_job_name", "sync-1"), ("k8s_namespace_name", "shop")],
                Some("Job shop/sync-1 by k8s_namespace_name/k8s_job_name"),
            ),
            (
                &[("kubernetes_pod_name", "web-0"), ("namespace", "shop")],
                Some("Pod shop/web-0 by namespace/kubernetes_pod_name"),
            ),
            // a scrape's own names, beside what was said of another
            (
                &[
                    ("kubernetes_pod_name", "ksm-0"),
                    ("kubernetes_namespace", "monitoring"),
                    ("namespace", "shop"),
                    ("pod", "web-0"),
                ],
                Some("Pod shop/web-0 by namespace/pod"),
            ),
            (&[("pod_name", "web-0")], Some("Pod /web-0 by /pod_name")),
            (&[("exported_job_name", "sync-1"), TARGET[1]], Some("Job /sync-1 by /exported_job_name")),
            (&[("job", "x"), ("instance", "y")], None),
        ];
        for (pairs, expected) in CASES {
            assert_eq!(of(&table, pairs).as_deref(), expected, "{pairs:?}");
        }
        let target = [job, namespace, pod];
        assert!(table.about(Labels::from_sorted(&target)).of_target);
        let other = [NS, job, namespace, pod];
        assert!(!table.about(Labels::from_sorted(&other)).of_target);
    }

    #[test]
    fn labels_of_the_config_are_asked_first() {
        let own = |pod: &'static str, namespace: &'static str| row(namespace, pod, "", "");
        let table = SubjectTable::new(vec![own("task_pod", "task_ns"), own("unit", "")]);
        const BOTH: Pairs = &[("pod", "a"), ("namespace", "n"), ("task_pod", "b"), ("task_ns", "m")];
        assert_eq!(of(&table, BOTH).as_deref(), Some("Pod m/b by task_ns/task_pod"));
        assert_eq!(
            of(&table, &[("unit", "c"), ("namespace", "n")]).as_deref(),
            Some("Pod n/c by namespace/unit")
        );
        assert_eq!(of(&table, &[("pod", "a")]).as_deref(), Some("Pod /a by /pod"));
        let names = ["unit", "k8s.job.name", "job", ""].map(|label| table.names(label));
        assert_eq!(names, [Some(SubjectKind::Pod), Some(SubjectKind::Job), None, None]);
    }
}
