//! A rollout, a backend that is away for longer than a minute, and an agent that is restarted: what the backend says of a group
//! is what the agent says of its members.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use seriesgate::clock::Clock;
use tokio::time::sleep;

use crate::pods::{PER_SECOND, Pods};
use crate::programs::{self, LIMIT, Program};
use crate::query::{self, Labels, Store};
use crate::support::gate::Setup;
use crate::support::http;
use crate::support::wait::until;
use crate::switch::Switch;

const WINDOW_MS: i64 = 5_000;
const SCRAPE_MS: i64 = 1_000;
/// What rates are looked at over.
const RANGE_MS: i64 = 30_000;
const FIRST: [&str; 4] =
    ["web-7d764666f9-bdcxt", "web-7d764666f9-cfgzq", "web-7d764666f9-dhjwv", "web-7d764666f9-fklsr"];
const SECOND: [&str; 4] =
    ["web-5c6b8d9f7d-ghtnm", "web-5c6b8d9f7d-hjpvb", "web-5c6b8d9f7d-jkqwc", "web-5c6b8d9f7d-klrxd"];

/// Values by time, Unix milliseconds.
type Points = BTreeMap<i64, f64>;

/// What happened, and when.
struct Life {
    start_ms: i64,
    end_ms: i64,
    /// Nobody scraped from a time to another.
    agent_away: (i64, i64),
}

impl Life {
    fn differs(&self, what: &str, end_ms: i64, found: &Points, expected: &Points) -> String {
        let after_s = (end_ms - self.start_ms) / 1000;
        format!("{what} after {after_s} s: {:?} for {:?}", found.get(&end_ms), expected.get(&end_ms))
    }
}

/// The values of a query that gives one series, at the end of each window.
async fn ask(program: &Program, query: &str, life: &Life) -> Points {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let (start, end, step) = (life.start_ms / 1000, life.end_ms / 1000, WINDOW_MS / 1000);
    let url = program
        .url(&format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}&nocache=1"));
    let answer: Value = serde_json::from_str(&http::get(&url).await.unwrap().text).unwrap();
    let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(result.len(), 1, "{answer}");
    let values = result[0]["values"].as_array().unwrap().iter();
    values
        .map(|sample| {
            let ms = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
            (ms, sample[1].as_str().unwrap().parse().unwrap())
        })
        .collect()
}

/// The ends of windows, without those of which a part is missing because nobody scraped.
fn windows(life: &Life, of_ms: i64) -> impl Iterator<Item = i64> {
    let (from_ms, to_ms) = life.agent_away;
    let is_whole = move |end_ms: &i64| *end_ms < from_ms || *end_ms - WINDOW_MS > to_ms;
    let ends = (life.start_ms + of_ms..=life.end_ms).step_by(WINDOW_MS as usize);
    // both its edges are to be where somebody scraped
    ends.filter(move |end_ms| is_whole(end_ms) && is_whole(&(end_ms - of_ms)))
}

/// Lives through it all; pods, agent, gate and backend are as at the beginning then.
async fn live(pods: &Pods, switch: &Switch, prometheus: &mut Program) -> Life {
    let now = || Clock::system().unix_ms();
    let start_ms = (now() / WINDOW_MS + 2) * WINDOW_MS;
    // a sender is watched for a minute before what it brings can be told to be new
    sleep(Duration::from_secs(68)).await;
    for (gone, new) in FIRST.iter().zip(SECOND) {
        pods.replace(gone, new);
        sleep(Duration::from_secs(2)).await;
    }
    switch.cut();
    sleep(Duration::from_secs(75)).await;
    switch.mend();
    sleep(Duration::from_secs(25)).await;
    let stopped_ms = now();
    prometheus.restart().await;
    let agent_away = (stopped_ms - SCRAPE_MS, now() + 2 * SCRAPE_MS);
    sleep(Duration::from_secs(22)).await;
    let end_ms = now() / WINDOW_MS * WINDOW_MS;
    sleep(Duration::from_secs(4)).await;
    Life { start_ms, end_ms, agent_away }
}

/// The points of a group, without ends.
fn group<'a>(store: &'a Store, name: &str) -> &'a Points {
    let is_it = |labels: &&Labels| labels["__name__"] == name;
    let mut found = store.keys().filter(is_it);
    let labels = found.next().unwrap_or_else(|| panic!("nothing of {name} is stored"));
    assert_eq!(found.next(), None, "{name} is to be one group");
    &store[labels]
}

/// Where the gauge of the group is not the sum over its members at the end of a window, or where there is no point.
fn of_gauge(life: &Life, agent: &Points, group: &Points) -> Vec<String> {
    let wrong = windows(life, 0).filter(|end_ms| group.get(end_ms) != agent.get(end_ms));
    wrong.map(|end_ms| life.differs("sum(memory_bytes)", end_ms, group, agent)).collect()
}

/// Where rates differ by more than the edges of a range can make, and the first sample of a new pod, which PromQL does not
/// count: at each edge, and of each pod that goes and of each that comes, a scrape.
fn of_rate(life: &Life, agent: &Points, backend: &Points) -> Vec<String> {
    let one_scrape = FIRST.len() as f64 * PER_SECOND * SCRAPE_MS as f64 / RANGE_MS as f64;
    let differs = |end_ms: &i64| match (agent.get(end_ms), backend.get(end_ms)) {
        (Some(agent), Some(backend)) => (agent - backend).abs() > 4.0 * one_scrape,
        _ => true,
    };
    let wrong = windows(life, RANGE_MS).filter(differs);
    wrong.map(|end_ms| life.differs("sum(rate(hits_total))", end_ms, backend, agent)).collect()
}

/// From its first point to its last the counter gains what its members gain, to the unit: all of a new pod's, or all but what it
/// had counted when it was seen first.
fn of_increase(life: &Life, agent: &Store, group: &Points) -> Vec<String> {
    let last = |points: &Points, until_ms| points.range(..=until_ms).next_back().map(|point| *point.1);
    let (mut gained, mut at_birth) = (0.0, 0.0);
    for (_, samples) in agent.iter().filter(|(labels, _)| labels["__name__"] == "hits_total") {
        let first = *samples.first_key_value().unwrap().1;
        let before = last(samples, life.start_ms);
        gained += last(samples, life.end_ms).unwrap() - before.unwrap_or(first);
        at_birth += if before.is_some() { 0.0 } else { first };
    }
    let shown = last(group, life.end_ms).unwrap() - last(group, life.start_ms).unwrap();
    let mut faults = Vec::new();
    if shown < gained || shown > gained + at_birth {
        faults.push(format!("hits_total gains {shown}, its members {gained} beside {at_birth} at birth"));
    }
    let falls = group.values().zip(group.values().skip(1)).filter(|(before, after)| after < before).count();
    if falls > 0 {
        faults.push(format!("hits_total falls {falls} times"));
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_lives_as_its_members_do() {
    if !programs::are_here(&["prometheus", "victoria-metrics"]) {
        return;
    }
    let pods = Pods::start(&FIRST).await;
    let backend = programs::victoria_metrics().await;
    let switch = Switch::to(backend.address).await;
    let window = "interval: 5s, delay: 2s";
    let gate = Setup::to(format!("http://{}/api/v1/write", switch.address))
        .policy(&format!(
            "name: memory, match: memory_bytes, action: aggregate, type: gauge, without: [pod], {window}"
        ))
        .policy(&format!("name: hits, match: hits_total, action: aggregate, without: [pod], {window}"))
        .start()
        .await;
    let mut prometheus = programs::prometheus(pods.address, &[("web", "/metrics")], gate.write).await;
    let life = live(&pods, &switch, &mut prometheus).await;

    until("the last window is stored", LIMIT, async || {
        let stored = query::victoria_metrics(&backend, life.end_ms).await;
        let last = stored.iter().filter(|(labels, _)| labels["__name__"] == "hits_total");
        last.filter_map(|(_, points)| points.last_key_value()).any(|(ms, _)| *ms == life.end_ms).then_some(())
    })
    .await;
    let stored = query::victoria_metrics(&backend, life.end_ms).await;
    let scraped = query::prometheus(&prometheus, life.end_ms).await;
    let range = format!("[{}s]", RANGE_MS / 1000);
    let agent_sum = ask(&prometheus, "sum(memory_bytes)", &life).await;
    let agent_rate = ask(&prometheus, &format!("sum(rate(hits_total{range}))"), &life).await;
    let backend_rate = ask(&backend, &format!("sum(rate(hits_total{range}))"), &life).await;
    let mut faults = of_increase(&life, &scraped, group(&stored, "hits_total"));
    faults.extend(of_rate(&life, &agent_rate, &backend_rate));
    faults.extend(of_gauge(&life, &agent_sum, group(&stored, "memory_bytes")));
    assert!(faults.is_empty(), "{}: {faults:#?}", faults.len());
    drop(prometheus);
    gate.finish().await;
}
