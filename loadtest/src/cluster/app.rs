//! What the application in a deployment's pod says about itself.

use super::objects::Pod;
use super::scrape::{Exposition, Kind};

/// Request counters by method, path and status, and a little of the noise every runtime adds: 16 series.
pub(super) fn requests(out: &mut Exposition<'_>, pod: &Pod, app: &str) {
    let base = [
        ("instance", pod.instance.as_str()),
        ("job", app),
        ("namespace", &pod.namespace),
        ("pod", &pod.name),
    ];
    let mut index = 200;
    for method in ["GET", "POST"] {
        for path in ["/api/items", "/api/cart"] {
            for code in ["200", "404", "500"] {
                let value = out.pod_value(pod, index, Kind::Counter);
                let labels = [("code", code), ("method", method), ("path", path)];
                out.put("http_requests_total", &base, &labels, value, Kind::Counter);
                index += 1;
            }
        }
    }
    for (name, kind) in [
        ("go_gc_duration_seconds_count", Kind::Counter),
        ("go_goroutines", Kind::Gauge),
        ("process_cpu_seconds_total", Kind::Counter),
        ("promhttp_metric_handler_requests_total", Kind::Counter),
    ] {
        let value = out.pod_value(pod, index, kind);
        out.put(name, &base, &[], value, kind);
        index += 1;
    }
}
