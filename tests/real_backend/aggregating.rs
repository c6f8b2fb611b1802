//! What PromQL says of aggregated series is what it says of their members.

use serde_json::Value;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use crate::programs::{self, LIMIT, Program};
use crate::support::gate::{Gate, Setup};
use crate::support::http;
use crate::support::wait::until;

const SCRAPE_MS: i64 = 15_000;
const SCRAPES: i64 = 2 * 240 + 1;
const PODS: u64 = 12;
const BOUNDS: [&str; 4] = ["0.1", "0.5", "2", "+Inf"];

/// One pod's counters.
#[derive(Clone, Default)]
struct Pod {
    hits: f64,
    buckets: [f64; 4],
}

impl Pod {
    fn live(&mut self, number: u64, tick: i64) {
        // processes restart, each at its own time
        if (tick + 37 * number as i64) % 211 == 210 {
            *self = Self::default();
        }
        let load = ((tick as u64 * 7 + number * 13) % 29) as f64;
        self.hits += load;
        for (bucket, share) in self.buckets.iter_mut().zip([0.2, 0.7, 0.9, 1.0]) {
            *bucket += (load * share).floor();
        }
    }

    /// Its series, those for comparison marked.
    fn series(&self, number: u64, at: i64, raw: bool) -> Vec<TimeSeries> {
        // as Kubernetes makes them: no vowels
        let pod = format!("web-7d764666f9-{}dcxt", char::from(b"bcdfghjklmnp"[number as usize]));
        let one = |name: &str, le: Option<&str>, value: f64| {
            let mut labels = vec![("pod", pod.as_str())];
            labels.extend(le.map(|le| ("le", le)));
            labels.extend(raw.then_some(("raw", "1")));
            labels.sort_unstable();
            TimeSeries::named(name, &labels).with_sample(at, value)
        };
        let memory = ((at / 1000) as u64 * (number + 3) % 1000) as f64;
        let mut all = vec![one("hits_total", None, self.hits), one("memory_bytes", None, memory)];
        all.extend(BOUNDS.iter().zip(self.buckets).map(|(le, value)| one("lat_bucket", Some(le), value)));
        all
    }
}

/// The value of a query that gives one series.
async fn ask(backend: &Program, query: &str, at_ms: i64) -> f64 {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let url = backend.url(&format!("/api/v1/query?query={query}&time={}&nocache=1", at_ms / 1000));
    let answer: Value = serde_json::from_str(&http::get(&url).await.unwrap().text).unwrap();
    let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert!(result.len() <= 1, "{answer}");
    result.first().map_or(f64::NAN, |one| one["value"][1].as_str().unwrap().parse().unwrap())
}

async fn feed(gate: &Gate, backend: &Program, start: i64) {
    let mut pods = vec![Pod::default(); PODS as usize];
    for tick in 0..SCRAPES {
        let at = start + tick * SCRAPE_MS;
        let mut requests = [Vec::new(), Vec::new()];
        for (number, pod) in (0..).zip(&mut pods) {
            pod.live(number, tick);
            for (request, raw) in requests.iter_mut().zip([false, true]) {
                request.extend(pod.series(number, at, raw));
            }
        }
        let [through, direct] = requests.map(WriteRequest::of);
        assert_eq!(gate.send(&through).await.status, 204);
        let direct = http::write_request(backend.address, encode_snappy(&direct));
        assert_eq!(http::send(direct).await.unwrap().status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promql_agrees_over_members_and_over_their_group() {
    if !programs::are_here(&["victoria-metrics"]) {
        return;
    }
    let backend = programs::victoria_metrics().await;
    let gate = Setup::to(backend.url("/api/v1/write"))
        .policy("name: memory, match: memory_bytes, action: aggregate, type: gauge, collapse: [pod], interval: 1m, delay: 20s")
        .policy("name: rest, match: '{pod!=\"\"}', action: aggregate, collapse: [pod], interval: 1m, delay: 20s")
        .start()
        .await;
    let now = seriesgate::clock::Clock::system().unix_ms();
    let start = (now - 3 * 3_600_000) / 60_000 * 60_000;
    feed(&gate, &backend, start).await;

    // the last window that is closed: a sample later by the delay was seen
    let end = start + (SCRAPES - 1) * SCRAPE_MS - 60_000;
    until("the last window is stored", LIMIT, async || {
        assert!(http::is_ok(&backend.url("/internal/force_flush")).await);
        let last = ask(&backend, "timestamp(hits_total{raw=\"\"})", end).await;
        (last * 1000.0 >= end as f64).then_some(())
    })
    .await;
    // of all pods, in one scrape, at most
    let one_scrape = 28.0 * PODS as f64;
    for minutes in [0, 1, 7, 30, 59] {
        let at = end - minutes * 60_000;
        let group = ask(&backend, "increase(hits_total{raw=\"\"}[1h])", at).await;
        let members = ask(&backend, "sum(increase(hits_total{raw=\"1\"}[1h]))", at).await;
        assert!((group - members).abs() <= one_scrape, "{group} and {members} at {at}");
        assert!(members > 10_000.0, "{members}");
        let group = ask(&backend, "memory_bytes{raw=\"\"}", at).await;
        assert_eq!(group, ask(&backend, "sum(memory_bytes{raw=\"1\"})", at).await);
        let quantile =
            |raw| format!("histogram_quantile(0.9, sum by (le) (rate(lat_bucket{{raw=\"{raw}\"}}[1h])))");
        let (group, members) =
            (ask(&backend, &quantile(""), at).await, ask(&backend, &quantile("1"), at).await);
        assert!((group - members).abs() < 0.01 * members, "{group} and {members} at {at}");
    }
    let names = ask(&backend, "count(hits_total{raw=\"\"})", end).await;
    assert_eq!((names, ask(&backend, "count(hits_total{pod=\"web\"})", end).await), (1.0, 1.0));
    gate.finish().await;
}
