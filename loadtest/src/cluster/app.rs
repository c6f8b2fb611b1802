//! What the application in a deployment's pod says about itself.

use super::objects::Pod;
use super::scrape::{Exposition, Labels};
use crate::law::{Kind, Law};

/// Tells this part of a pod from what others say about it.
const APPLICATION: u64 = 702;

/// Upper bounds of the request histogram in seconds, and the share of requests that are as fast.
const BUCKETS: [(&str, f64); 12] = [
    ("0.005", 0.11),
    ("0.01", 0.24),
    ("0.025", 0.43),
    ("0.05", 0.61),
    ("0.1", 0.75),
    ("0.25", 0.88),
    ("0.5", 0.95),
    ("1", 0.98),
    ("2.5", 0.993),
    ("5", 0.998),
    ("10", 0.9996),
    ("+Inf", 1.0),
];
/// What a request takes on average, in seconds.
const MEAN_SECONDS: f64 = 0.0934;

/// Request counters by method, path and status, and a little of the noise every runtime adds: 16 series; with
/// histograms 28 more.
pub(super) fn requests(out: &mut Exposition<'_>, pod: &Pod, app: &str) {
    if !out.object(pod.seed.child(APPLICATION), 0) {
        return;
    }
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
                let law = Exposition::pod_law(pod, index, Kind::Counter);
                let labels = [("code", code), ("method", method), ("path", path)];
                out.put("http_requests_total", &base, &labels, law);
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
        out.put(name, &base, &[], Exposition::pod_law(pod, index, kind));
        index += 1;
    }
    if out.histograms() {
        for (method, index) in [("GET", 300), ("POST", 301)] {
            durations(out, pod, &base, method, index);
        }
    }
}

/// One classic histogram: 12 buckets, a count and a sum.
fn durations(out: &mut Exposition<'_>, pod: &Pod, base: &Labels<'_>, method: &str, index: u64) {
    let requests = 0.5 + pod.seed.child(1000 + index).unit() * 40.0;
    let law = |share: f64| Law::Counter { since_s: pod.created_s, per_second: requests * share };
    for (le, share) in BUCKETS {
        let labels = [("le", le), ("method", method)];
        out.put("http_request_duration_seconds_bucket", base, &labels, law(share));
    }
    out.put("http_request_duration_seconds_count", base, &[("method", method)], law(1.0));
    let sum = law(MEAN_SECONDS);
    out.put("http_request_duration_seconds_sum", base, &[("method", method)], sum);
}
