//! What the kubelet's cAdvisor says about a running container: 14 labels on every series.

use super::objects::Pod;
use super::scrape::Exposition;
use crate::law::Kind;

/// Metrics of a container, in the order their values are drawn.
const OF_CONTAINER: [(&str, Kind); 18] = [
    ("container_cpu_usage_seconds_total", Kind::Counter),
    ("container_cpu_user_seconds_total", Kind::Counter),
    ("container_cpu_system_seconds_total", Kind::Counter),
    ("container_cpu_cfs_periods_total", Kind::Counter),
    ("container_cpu_cfs_throttled_periods_total", Kind::Counter),
    ("container_cpu_cfs_throttled_seconds_total", Kind::Counter),
    ("container_memory_working_set_bytes", Kind::Gauge),
    ("container_memory_usage_bytes", Kind::Gauge),
    ("container_memory_rss", Kind::Gauge),
    ("container_memory_cache", Kind::Gauge),
    ("container_memory_failcnt", Kind::Counter),
    ("container_fs_reads_total", Kind::Counter),
    ("container_fs_writes_total", Kind::Counter),
    ("container_fs_reads_bytes_total", Kind::Counter),
    ("container_fs_writes_bytes_total", Kind::Counter),
    ("container_processes", Kind::Gauge),
    ("container_threads", Kind::Gauge),
    ("container_sockets", Kind::Gauge),
];

/// Metrics of a pod's network interface, which belong to no container.
const OF_INTERFACE: [&str; 8] = [
    "container_network_receive_bytes_total",
    "container_network_receive_packets_total",
    "container_network_receive_packets_dropped_total",
    "container_network_receive_errors_total",
    "container_network_transmit_bytes_total",
    "container_network_transmit_packets_total",
    "container_network_transmit_packets_dropped_total",
    "container_network_transmit_errors_total",
];

/// Tells this part of a pod from what others say about it.
const CADVISOR: u64 = 701;

/// A running container and its pod's network: 26 series.
pub(super) fn container(out: &mut Exposition<'_>, pod: &Pod) {
    if !out.object(pod.seed.child(CADVISOR), 0) {
        return;
    }
    let base = [
        ("endpoint", "https-metrics"),
        ("id", pod.cgroup.as_str()),
        ("image", &pod.image),
        ("instance", &pod.node),
        ("job", "kubelet"),
        ("metrics_path", "/metrics/cadvisor"),
        ("name", &pod.container_hash),
        ("namespace", &pod.namespace),
        ("node", &pod.node),
        ("pod", &pod.name),
        ("service", "kubelet"),
    ];
    for (index, (name, kind)) in (0..).zip(OF_CONTAINER) {
        let law = Exposition::pod_law(pod, index, kind);
        out.put(name, &base, &[("container", &pod.container)], law);
    }
    for (index, name) in (100..).zip(OF_INTERFACE) {
        let law = Exposition::pod_law(pod, index, Kind::Counter);
        out.put(name, &base, &[("interface", "eth0")], law);
    }
}
