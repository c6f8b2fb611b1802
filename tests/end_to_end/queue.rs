//! `delivery: queue` by the real program: what was acknowledged reaches the backend, whatever happens to it or to the gate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::Signal;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use tempfile::TempDir;

use super::encodings;
use super::lifecycle::{assert_fails_saying, output};
use super::pods;
use super::support::backend::{Backend, Seen, Step, answer, stored, stored_all};
use super::support::gate::{Gate, SOON, Setup};
use super::support::wait::until;
use super::support::{http, ports};

/// An upstream that is down is tried again this often.
const QUEUE: &str = "delivery: queue, queue: { max_retry_wait: 100ms }";

fn setup(url: impl Into<String>, dir: &Path, keys: &str) -> Setup {
    Setup::to(url).upstream(keys).data_dir(dir)
}

fn down(_: &Seen) -> Step {
    answer("503 Service Unavailable", "", "down")
}

/// One sample of each of three series, at this second.
fn scrape(second: i64) -> WriteRequest {
    let series =
        |n: i64| TimeSeries::named("m", &[("n", &n.to_string())]).with_sample(second * 1000, n as f64);
    WriteRequest::of((0..3).map(series).collect())
}

async fn send(gate: &Gate, tenant: &str, request: &WriteRequest) -> u16 {
    let mut request = http::write_request(gate.write, encode_snappy(request));
    if !tenant.is_empty() {
        request.headers_mut().insert("x-scope-orgid", tenant.parse().unwrap());
    }
    http::send(request).await.unwrap().status
}

/// Whether the backend took this request: by the script of a test that keeps count.
fn tenant_of(seen: &Seen) -> String {
    let line = seen.head.lines().find_map(|line| line.strip_prefix("x-scope-orgid: "));
    line.unwrap_or_default().to_owned()
}

/// The times of each series in the requests for which `which` holds, as they came.
fn times(seen: &[Seen], which: impl Fn(&Seen) -> bool) -> BTreeMap<String, Vec<i64>> {
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for request in seen.iter().filter(|seen| which(seen)) {
        for series in request.decoded().timeseries {
            let name = series.labels.iter().map(|label| label.value.clone()).collect::<Vec<_>>().join("/");
            times
                .entry(name)
                .or_default()
                .extend(series.samples.iter().map(|sample| sample.timestamp / 1000));
        }
    }
    times
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "queue"));
    files.sort();
    files
}

async fn until_delivered(gate: &Gate) {
    gate.until_metric("seriesgate_queue_requests", &[], 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_upstream_was_down_is_delivered_in_order_once_it_is_back() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..200 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 204, "it is on disk");
    }
    backend.until_seen(3).await;
    gate.until_metric("seriesgate_queue_samples", &[], 600.0).await;
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    let seen = backend.seen().split_off(before);
    let expected: Vec<i64> = (0..200).collect();
    let got = times(&seen, |_| true);
    assert_eq!(got.len(), 3);
    assert!(got.values().all(|times| *times == expected), "{got:?}");
    assert!(seen.len() < 100, "requests that waited behind each other went out as one: {}", seen.len());
    let metrics = gate.metrics().await;
    for (name, value) in [("appended", 600.0), ("delivered", 600.0), ("dropped", 0.0)] {
        assert_eq!(metrics.sum(&format!("seriesgate_queue_{name}_samples_total"), &[]), value, "{name}");
    }
    assert!(metrics.sum("seriesgate_queue_retries_total", &[]) >= 3.0);
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(files(&dir.path().join("queue/primary")).is_empty(), "nothing waits, nothing stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_and_a_stop_lose_nothing_that_was_acknowledged() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let setup = setup(backend.url(), dir.path(), QUEUE);
    let mut second = 0;
    for signal in [Signal::KILL, Signal::TERM, Signal::KILL] {
        let gate = setup.start().await;
        for _ in 0..20 {
            assert_eq!(send(&gate, "", &scrape(second)).await, 204);
            second += 1;
        }
        gate.signal(signal);
        let (status, log) = gate.exit().await;
        assert_eq!(status.code(), (signal == Signal::TERM).then_some(0), "{log}");
    }
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    let gate = setup.start().await;
    until_delivered(&gate).await;
    let got = times(&backend.seen().split_off(before), |_| true);
    assert!(got.len() == 3 && got.values().all(|times| *times == (0..60).collect::<Vec<_>>()), "{got:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_that_is_throttled_holds_no_other_back() {
    let throttled = |seen: &Seen| {
        if tenant_of(seen) == "busy" { answer("429 Too Many Requests", "", "later") } else { stored() }
    };
    let backend = Backend::start(throttled).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..20 {
        for tenant in ["busy", "calm", ""] {
            assert_eq!(send(&gate, tenant, &scrape(second)).await, 204);
        }
    }
    gate.until_metric("seriesgate_queue_samples", &[], 60.0).await;
    for tenant in ["calm", ""] {
        let got = times(&backend.seen(), |seen| tenant_of(seen) == tenant);
        assert!(got.values().all(|times| *times == (0..20).collect::<Vec<_>>()), "{tenant}: {got:?}");
    }
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    let got = times(&backend.seen().split_off(before), |seen| tenant_of(seen) == "busy");
    assert!(got.len() == 3 && got.values().all(|times| *times == (0..20).collect::<Vec<_>>()), "{got:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_at_once_goes_out_in_smaller_requests() {
    // each in turn: over its rate, too slow for the time there is, over the size that somebody in between allows
    type Refusal = fn() -> Step;
    let refusals: [Refusal; 3] = [
        || answer("429 Too Many Requests", "", "the request exceeds the burst"),
        || Step::Hold,
        || answer("413 Payload Too Large", "", "nginx"),
    ];
    for refuse in refusals {
        let backend = Backend::start(down).await;
        let dir = TempDir::new().unwrap();
        let keys = format!("timeout: 300ms, {QUEUE}");
        let gate = setup(backend.url(), dir.path(), &keys).start().await;
        for second in 0..200 {
            assert_eq!(send(&gate, "", &scrape(second)).await, 204);
        }
        let takes = |seen: &Seen| seen.decoded().timeseries.len() <= 30;
        let before = backend.seen().len();
        backend.answer_by(move |seen| if takes(seen) { stored() } else { refuse() });
        until_delivered(&gate).await;
        let seen = backend.seen().split_off(before);
        let got = times(&seen, takes);
        let all: Vec<i64> = (0..200).collect();
        assert!(got.len() == 3 && got.values().all(|times| *times == all), "each once and in order: {got:?}");
        let joined = seen.iter().filter(|seen| (4..=30).contains(&seen.decoded().timeseries.len())).count();
        assert!(joined > 10, "as much as goes, goes as one: {joined}");
        gate.finish().await;
    }
}

/// Keeps what is newest of each series and takes nothing of a request in which something is not newer, or bad: Prometheus, of remote
/// write 1.0.
#[derive(Default)]
struct KeepsOrder(BTreeMap<String, i64>);

impl KeepsOrder {
    fn takes(&mut self, seen: &Seen) -> Step {
        let mut newest = self.0.clone();
        for series in seen.decoded().timeseries {
            let name: String = series.labels.iter().map(|label| label.value.clone()).collect();
            for sample in &series.samples {
                let last = newest.entry(name.clone()).or_insert(i64::MIN);
                if name == "bad" || sample.timestamp < *last {
                    return answer("400 Bad Request", "", "out of order sample");
                }
                *last = sample.timestamp;
            }
        }
        self.0 = newest;
        stored()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_for_what_is_refused_costs_nothing_that_the_upstream_has_already() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), &format!("on_400: bisect, {QUEUE}")).start().await;
    for second in 0..20 {
        let mut request = scrape(second);
        if second % 5 == 4 {
            request.timeseries.push(TimeSeries::named("bad", &[]).with_sample(second * 1000, 1.0));
        }
        assert_eq!(send(&gate, "", &request).await, 204);
    }
    let prometheus = Mutex::new(KeepsOrder::default());
    backend.answer_by(move |seen| prometheus.lock().takes(seen));
    until_delivered(&gate).await;
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_queue_dropped_samples_total", &[("reason", "refused")]), 4.0);
    assert_eq!(metrics.sum("seriesgate_queue_delivered_samples_total", &[]), 60.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vmagent_sends_is_shown_too_and_a_directory_is_all_that_is_in_it() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    assert_eq!(encodings::send(&gate, "zstd", encodings::zstd(&scrape(1))).await.status, 204);
    assert_eq!(send(&gate, "", &scrape(2)).await, 204);
    let told = inspect(&[], &dir.path().join("queue/primary"));
    assert_eq!(told.len(), 2);
    for told in told {
        assert_eq!((&told["series"], &told["first_series"]), (&3.into(), &"m{n=\"0\"}".into()), "{told}");
    }
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    gate.finish().await;
}

/// `inspect` of a file, as JSON.
fn inspect(args: &[&str], file: &Path) -> Vec<serde_json::Value> {
    let run = Command::new(env!("CARGO_BIN_EXE_seriesgate"))
        .args(["inspect", "--json"])
        .args(args)
        .arg(file)
        .output();
    let output = run.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_kept_with_the_reason_and_costs_nothing_beside_it() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..10 {
        let mut request = scrape(second);
        if second == 4 {
            request
                .timeseries
                .push(TimeSeries::named("bad", &[("why", "\"quoted\"")]).with_sample(4000, 1.0));
        }
        assert_eq!(send(&gate, "team-a", &request).await, 204);
    }
    let before = backend.seen().len();
    backend.answer_by(|seen| {
        let is_bad = seen.decoded().timeseries.iter().any(|series| series.labels[0].value == "bad");
        if is_bad { answer("400 Bad Request", "", "out of order sample\n") } else { stored() }
    });
    until_delivered(&gate).await;
    let is_good =
        |seen: &Seen| seen.decoded().timeseries.iter().all(|series| series.labels[0].value != "bad");
    let got = times(&backend.seen().split_off(before), is_good);
    let expected: Vec<i64> = (0..10).filter(|second| *second != 4).collect();
    assert!(got.len() == 3 && got.values().all(|times| *times == expected), "{got:?}");
    let metrics = gate.metrics().await;
    assert_eq!(metrics.sum("seriesgate_queue_dropped_samples_total", &[("reason", "refused")]), 4.0);
    assert_eq!(metrics.sum("seriesgate_queue_delivered_samples_total", &[]), 27.0);
    gate.until_metric_is("seriesgate_dead_letter_bytes", &[], |bytes| bytes > 0.0).await;

    let kept = files(&dir.path().join("refused/primary"));
    let bodies = dir.path().join("bodies");
    let told = inspect(&["--extract", bodies.to_str().unwrap()], &kept[0]);
    assert_eq!((kept.len(), told.len()), (1, 1));
    assert_eq!(told[0]["tenant"], "team-a");
    assert_eq!((&told[0]["samples"], &told[0]["series"]), (&4.into(), &4.into()));
    assert_eq!(told[0]["reason"], "4 of 4 samples: 400: out of order sample");
    assert_eq!(told[0]["first_series"], "m{n=\"0\"}");
    let body = std::fs::read_dir(bodies).unwrap().next().unwrap().unwrap().path();
    let mut raw = Vec::new();
    let body = std::fs::read(body).unwrap();
    raw.resize(snap::raw::decompress_len(&body).unwrap(), 0);
    snap::raw::Decoder::new().decompress(&body, &mut raw).unwrap();
    assert_eq!(<WriteRequest as prost::Message>::decode(&raw[..]).unwrap().timeseries.len(), 4);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_refuses_all_of_an_outage_does_not_fill_the_log() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..100 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 204);
    }
    backend.answer_by(|_| answer("400 Bad Request", "", "too old sample"));
    until_delivered(&gate).await;
    let dropped =
        gate.metrics().await.sum("seriesgate_queue_dropped_samples_total", &[("reason", "refused")]);
    let told = gate.log().matches("the upstream refused for good what waited in the queue").count();
    assert_eq!(dropped, 300.0);
    assert!((1..5).contains(&told), "{told} lines");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_two_replicas_never_go_out_as_one() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..30 {
        let replica = ["a", "a", "b"][second as usize % 3];
        let labels = [("__replica__", replica), ("cluster", "c")];
        let series = TimeSeries::named("m", &labels).with_sample(second * 1000, 1.0);
        assert_eq!(send(&gate, "", &WriteRequest::of(vec![series])).await, 204);
    }
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    let mut joined = 0;
    for seen in backend.seen().split_off(before) {
        let replicas: Vec<String> =
            seen.decoded().timeseries.iter().map(|series| series.labels[1].value.clone()).collect();
        assert!(replicas.iter().all(|replica| *replica == replicas[0]), "{replicas:?}");
        joined += usize::from(replicas.len() > 1);
    }
    assert!(joined > 0, "those of one replica do");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_forms_of_requests_wait_and_go_out_as_they_came() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    let request = seriesgate_proto::v2::Request::of(&scrape(1));
    let mut body =
        http::write_v2(gate.write, seriesgate_proto::snappy(&prost::Message::encode_to_vec(&request)));
    body.headers_mut().insert("user-agent", "Prometheus/3.14".parse().unwrap());
    let reply = http::send(body).await.unwrap();
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("x-prometheus-remote-write-samples-written"), Some("3"));
    let query = http::write_request(gate.write, encode_snappy(&scrape(2)));
    let mut query = query;
    *query.uri_mut() = format!("http://{}/api/v1/write?db=one", gate.write).parse().unwrap();
    assert_eq!(http::send(query).await.unwrap().status, 204);
    let before = backend.seen().len();
    backend.answer_by(stored_all);
    until_delivered(&gate).await;
    let seen = backend.seen().split_off(before);
    let v2 = seen.iter().find(|seen| seen.is_v2()).unwrap();
    assert_eq!((v2.v2().timeseries.len(), v2.head.contains("user-agent: prometheus/3.14")), (3, true));
    assert!(seen.iter().any(|seen| seen.head.starts_with("post /api/v1/write?db=one ")), "{seen:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_so_and_takes_more_once_it_is_emptied() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let keys = "delivery: queue, queue: { max_size: 64MiB, max_retry_wait: 100ms }";
    let gate = setup(backend.url(), dir.path(), keys).start().await;
    // what does not compress fills it sooner
    let mut noise = 1_u64;
    let long: Vec<TimeSeries> = (0..300)
        .map(|_| {
            let mut text = String::new();
            for _ in 0..1000 {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(&format!("{:016x}", noise ^ (noise >> 29)));
            }
            TimeSeries::named("m", &[("text", &text)]).with_sample(1000, 1.0)
        })
        .collect();
    let body = encode_snappy(&WriteRequest::of(long));
    let mut took = 0;
    let refused = loop {
        let reply = gate.post(body.clone()).await;
        if reply.status != 204 {
            break reply;
        }
        took += 1;
    };
    assert_eq!(took, (64 << 20) / body.len(), "as many as have room");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert!(refused.text.contains("queue.max_size"), "{}", refused.text);
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    assert_eq!(gate.post(body).await.status, 204);
    assert_eq!(gate.metrics().await.sum("seriesgate_queue_refused_requests_total", &[]), 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_queue_left_is_delivered_also_where_there_is_none_any_more() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let queued = setup(backend.url(), dir.path(), QUEUE);
    let gate = queued.start().await;
    for second in 0..10 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 204);
    }
    let sync = setup(backend.url(), dir.path(), "timeout: 5s");
    gate.write_config(&sync);
    let told = gate.admin_post("/-/reload").await;
    assert!(told.text.contains("takes effect at the next start: upstreams[].delivery"), "{}", told.text);
    gate.signal(Signal::KILL);
    gate.exit().await;
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    let gate = sync.start().await;
    until("it is delivered", SOON, async || {
        let got = times(&backend.seen().split_off(before), |_| true);
        (got.len() == 3 && got.values().all(|times| *times == (0..10).collect::<Vec<_>>())).then_some(())
    })
    .await;
    assert!(gate.log().contains("an earlier run with `delivery: queue` left requests"));
    gate.finish().await;
    // the upstream has another name now
    let other = queued.start().await;
    backend.answer_by(down);
    assert_eq!(send(&other, "", &scrape(11)).await, 204);
    other.signal(Signal::KILL);
    other.exit().await;
    std::fs::rename(dir.path().join("queue/primary"), dir.path().join("queue/former")).unwrap();
    let gate = sync.start().await;
    assert!(gate.log().contains("queue/former is the queue of an upstream that the config does not have"));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregated_samples_go_through_the_queue_too() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let policy =
        "name: agg, match: '{pod!=\"\"}', action: aggregate, without: [pod], interval: 10s, delay: 0s";
    let gate = setup(backend.url(), dir.path(), QUEUE).policy(policy).start().await;
    let now = seriesgate::clock::Clock::system().unix_ms() / 10_000 * 10_000 - 600_000;
    for tick in 0..5 {
        let mut series = pods("hits_total", 1);
        series[0].samples[0].timestamp = now + tick * 10_000 + 5000;
        series[0].samples[0].value = tick as f64 * 10.0;
        assert_eq!(send(&gate, "", &WriteRequest::of(series)).await, 204);
    }
    gate.until_metric_is("seriesgate_queue_samples", &[], |samples| samples >= 3.0).await;
    gate.until_metric("seriesgate_aggregation_pending_samples", &[], 0.0).await;
    gate.signal(Signal::KILL);
    gate.exit().await;
    backend.answer_by(|_| stored());
    let gate = setup(backend.url(), dir.path(), QUEUE).policy(policy).start().await;
    until_delivered(&gate).await;
    let seen = backend.seen();
    let points = times(&seen, |seen| !seen.decoded().timeseries.is_empty());
    assert!(points["hits_total"].len() >= 3, "{points:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_needs_a_place_room_and_credentials_of_its_own() {
    let (write, admin) = (ports::free(), ports::free());
    for (keys, said) in [
        ("delivery: queue", "set `data_dir`"),
        ("delivery: queue, forward_authorization: true", "senders' credentials are not written to"),
        ("delivery: queue, queue: { max_size: 1MiB }", "expected `64MiB` to `64TiB`"),
        ("delivery: later", "expected `sync` or `queue`"),
    ] {
        let yaml = format!(
            "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
             upstreams: [ {{ name: a, url: 'http://127.0.0.1:1/w', {keys} }} ]\n"
        );
        assert_fails_saying(&output(&yaml).await, 2, &[said]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_on_its_way_and_not_for_an_upstream_that_hangs() {
    let backend = Backend::start(|_| Step::Hold).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).listen("drain_timeout: 1s").start().await;
    assert_eq!(send(&gate, "", &scrape(0)).await, 204);
    backend.until_seen(1).await;
    let begun = tokio::time::Instant::now();
    gate.signal(Signal::TERM);
    let (status, log) = gate.exit().await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the queue keeps what the upstream does not have yet"), "{log}");
    assert_eq!(files(&dir.path().join("queue/primary")).len(), 1);
    backend.answer_by(|_| stored());
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    until_delivered(&gate).await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_503_until_there_is_room() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let Some(gate) = setup(backend.url(), dir.path(), QUEUE).start_on_a_disk(dir.path(), "8m").await else {
        return eprintln!("not run: this machine allows no mounts of one's own");
    };
    assert!(gate.log().contains("the queue may become larger than the disk"), "{}", gate.log());
    assert_eq!(send(&gate, "", &scrape(0)).await, 204);
    assert!(gate.log().contains("the queue may become larger than the disk that it is on"), "{}", gate.log());
    let ballast = gate.sees(dir.path()).join("ballast");
    std::fs::write(&ballast, vec![0; 16 << 20]).unwrap_err();
    let mut second = 1;
    let refused = loop {
        let reply = gate.send(&scrape(second)).await;
        if reply.status != 204 {
            break reply;
        }
        second += 1;
        assert!(second < 10_000, "the disk is full");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert!(
        refused.text.contains("the queue cannot be written: No space left on device"),
        "{}",
        refused.text
    );
    for _ in 0..20 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 503);
    }
    assert!(gate.metrics().await.sum("seriesgate_queue_failures_total", &[]) >= 21.0);
    let told = gate.log().matches("the queue cannot be written; senders keep what they have").count();
    assert!((1..5).contains(&told), "{told} lines, of which one in ten seconds says how many it stands for");
    std::fs::remove_file(&ballast).unwrap();
    for _ in 0..20 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 204);
        second += 1;
    }
    let before = backend.seen().len();
    backend.answer_by(|_| stored());
    until_delivered(&gate).await;
    let got = times(&backend.seen().split_off(before), |_| true);
    assert!(got.len() == 3 && got.values().all(|times| *times == (0..second).collect::<Vec<_>>()), "{got:?}");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_as_one_goes_one_by_one_and_is_not_made_so_large_again() {
    let backend = Backend::start(down).await;
    let dir = TempDir::new().unwrap();
    let gate = setup(backend.url(), dir.path(), QUEUE).start().await;
    for second in 0..64 {
        assert_eq!(send(&gate, "", &scrape(second)).await, 204);
    }
    let before = backend.seen().len();
    let most = 3 * encode_snappy(&scrape(0)).len();
    backend.answer_by(move |seen| {
        if seen.body.len() > most { answer("413 Payload Too Large", "", "too large") } else { stored() }
    });
    until_delivered(&gate).await;
    let seen = backend.seen().split_off(before);
    let got = times(&seen, |seen| seen.body.len() <= most);
    assert!(got.len() == 3 && got.values().all(|times| *times == (0..64).collect::<Vec<_>>()), "{got:?}");
    let refused = seen.iter().filter(|seen| seen.body.len() > most).count();
    assert!((1..=6).contains(&refused), "{refused}");
    assert_eq!(gate.metrics().await.sum("seriesgate_queue_dropped_samples_total", &[]), 0.0);
    gate.finish().await;
}
