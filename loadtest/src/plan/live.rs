//! What a gate that runs says about its traffic and its policies: two looks at its admin port.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::demand::{Demand, Disposed, WINDOW_S};
use crate::client::{Client, Reach, Target};
use crate::clock;
use crate::source::parse_exposition;

/// Bytes of a body for each byte on the wire: what Kubernetes series come to with 2,000 in a request.
const DECODED: f64 = 9.7;

/// Watches a gate's admin port for a while: what it would be asked without policies, with those that are enforced, and with each alone.
pub async fn observe(admin: &str, reach: Reach, watch: Duration) -> Result<Vec<Demand>> {
    let before = Look::at(admin, reach).await?;
    let start = clock::monotonic();
    tokio::time::sleep(watch).await;
    let after = Look::at(admin, reach).await?;
    let plain = demand(&before, &after, start.elapsed().as_secs_f64())?;
    let mut demands = vec![plain.clone()];
    let mut enforced = Disposed::default();
    for policy in &after.policies {
        let earlier = before.policies.iter().find(|earlier| earlier.name == policy.name);
        let disposed = policy.disposed(earlier, &plain);
        if policy.mode == "enforce" {
            enforced.add(&disposed);
        }
        let variant = format!("{} ({}, alone)", policy.name, policy.mode);
        demands.push(plain.with(variant, disposed));
    }
    if enforced != Disposed::default() {
        demands.insert(1, plain.with("all that are enforced".into(), enforced));
    }
    Ok(demands)
}

fn demand(before: &Look, after: &Look, seconds: f64) -> Result<Demand> {
    let gained = |pick: fn(&Look) -> f64| (pick(after) - pick(before)).max(0.0);
    let samples = gained(|look| look.samples);
    ensure!(
        samples > 0.0,
        "the gate received no sample in {seconds:.0} s; watch it for longer than a scrape takes"
    );
    let wire_bytes = gained(|look| look.wire_bytes);
    Ok(Demand {
        variant: "without policies".into(),
        seconds,
        scrapes: 1.0,
        step_s: seconds,
        series: after.series,
        born: gained(|look| look.born),
        connections: after.connections,
        requests: gained(|look| look.requests),
        samples,
        raw_bytes: wire_bytes * DECODED,
        wire_bytes,
        sent_on_bytes: wire_bytes,
        ..Demand::default()
    })
}

/// Counters and gauges at one moment.
struct Look {
    samples: f64,
    requests: f64,
    wire_bytes: f64,
    born: f64,
    series: f64,
    connections: f64,
    policies: Vec<Policy>,
}

/// A policy as `/api/v1/policies` has it.
#[derive(Debug, Deserialize)]
struct Policy {
    name: String,
    action: String,
    mode: String,
    samples_in: u64,
    samples_out: u64,
    saved_series: u64,
}

#[derive(Debug, Deserialize)]
struct Policies {
    policies: Vec<Policy>,
}

impl Look {
    async fn at(admin: &str, reach: Reach) -> Result<Self> {
        let metrics = get(admin, "/metrics", reach).await?;
        let page = parse_exposition(std::str::from_utf8(&metrics)?)?;
        let sum = |name: &str| {
            let named = |label: &(String, String)| label.0 == "__name__" && label.1 == name;
            let found: Vec<f64> = page
                .iter()
                .filter(|series| series.labels.iter().any(named))
                .map(|series| series.value)
                .collect();
            (!found.is_empty()).then(|| found.iter().sum::<f64>())
        };
        let needed = |name: &str| {
            sum(name).with_context(|| format!("{admin} has no {name}: is it the admin port of a gate?"))
        };
        let policies: Policies = serde_json::from_slice(&get(admin, "/api/v1/policies", reach).await?)?;
        Ok(Self {
            samples: needed("seriesgate_samples_received_total")?,
            // there is none before the first
            requests: sum("seriesgate_requests_total").unwrap_or(0.0),
            wire_bytes: needed("seriesgate_request_bytes_total")?,
            born: needed("seriesgate_new_series_total")?,
            series: needed("seriesgate_active_series")?,
            connections: sum("seriesgate_connections").unwrap_or(1.0),
            policies: policies.policies,
        })
    }
}

async fn get(admin: &str, path: &str, reach: Reach) -> Result<Bytes> {
    let url = format!("{}{path}", admin.trim_end_matches('/'));
    let mut client = Client::new(Target::parse(&url, reach)?);
    let answer = client.ask(Method::GET, Bytes::new()).await.with_context(|| url.clone())?;
    ensure!(answer.status.is_success(), "{url} answered {}: {}", answer.status, answer.excerpt());
    Ok(answer.body)
}

impl Policy {
    /// What it took out or changed since an earlier look.
    fn disposed(&self, earlier: Option<&Self>, plain: &Demand) -> Disposed {
        let gained = |now: u64, before: Option<u64>| now.saturating_sub(before.unwrap_or(0)) as f64;
        let came = gained(self.samples_in, earlier.map(|policy| policy.samples_in));
        let went = gained(self.samples_out, earlier.map(|policy| policy.samples_out));
        // as many of the series as of the samples
        let series = plain.series * came / plain.samples.max(1.0);
        let saved = self.saved_series as f64;
        match self.action.as_str() {
            "relabel" => Disposed { relabeled: came, relabeled_series: series, ..Disposed::default() },
            "aggregate" => {
                let groups = (series - saved).max(0.0);
                let points = groups * plain.seconds / WINDOW_S;
                Disposed {
                    aggregated: came,
                    aggregated_series: series,
                    groups,
                    points,
                    ..Disposed::default()
                }
            }
            _ => {
                let removed = (came - went).max(0.0);
                // what the gate says of series is up to 16 seconds old
                let series = saved.max(plain.series * removed / plain.samples.max(1.0));
                Disposed { removed, removed_series: series, ..Disposed::default() }
            }
        }
    }
}
