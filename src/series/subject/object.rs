//! The kind of object that a metric of kube-state-metrics is about.

/// The objects that kube-state-metrics speaks of, as its metrics name them after `kube_`; sorted. Its other metrics, and those
/// of the API server, are about who was scraped.
const OBJECTS: [&str; 38] = [
    "certificatesigningrequest",
    "clusterrole",
    "clusterrolebinding",
    "configmap",
    "cronjob",
    "customresource",
    "daemonset",
    "deployment",
    "endpoint",
    "endpointslice",
    "horizontalpodautoscaler",
    "hpa",
    "ingress",
    "ingressclass",
    "job",
    "lease",
    "limitrange",
    "mutatingwebhookconfiguration",
    "namespace",
    "networkpolicy",
    "node",
    "persistentvolume",
    "persistentvolumeclaim",
    "pod",
    "poddisruptionbudget",
    "replicaset",
    "replicationcontroller",
    "resourcequota",
    "role",
    "rolebinding",
    "secret",
    "service",
    "serviceaccount",
    "statefulset",
    "storageclass",
    "validatingwebhookconfiguration",
    "verticalpodautoscaler",
    "volumeattachment",
];

/// The kind of object that a metric of kube-state-metrics is about: all that its name says of whose its series are.
pub(crate) fn object(metric: &str) -> Option<&str> {
    let name = metric.strip_prefix("kube_")?.split('_').next()?;
    OBJECTS.binary_search(&name).is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_sorted() {
        assert!(OBJECTS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
