//! What a gate that runs says about its traffic: two looks at its metrics.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;

use super::demand::Demand;
use crate::blast::{Client, Reach, Target};
use crate::clock;
use crate::source::parse_exposition;

/// Watches a gate's admin port for a while.
pub async fn observe(admin: &str, reach: Reach, watch: Duration) -> Result<Demand> {
    let url = format!("{}/metrics", admin.trim_end_matches('/'));
    let target = Target::parse(&url, reach)?;
    let before = look(&target).await.with_context(|| url.clone())?;
    let start = clock::monotonic();
    tokio::time::sleep(watch).await;
    let after = look(&target).await?;
    let seconds = start.elapsed().as_secs_f64();
    let gained = |pick: fn(&Look) -> f64| (pick(&after) - pick(&before)).max(0.0);
    let samples = gained(|look| look.samples);
    ensure!(
        samples > 0.0,
        "the gate received no sample in {seconds:.0} s; watch it for longer than a scrape"
    );
    let wire_bytes = gained(|look| look.wire_bytes);
    Ok(Demand {
        variant: "as it is now, without policies".into(),
        seconds,
        scrapes: 1.0,
        step_s: seconds,
        series: after.series,
        born: gained(|look| look.born),
        gone: 0.0,
        connections: after.connections,
        requests: gained(|look| look.requests),
        samples,
        // bodies of Kubernetes series shrink to about a tenth
        raw_bytes: wire_bytes * 9.7,
        wire_bytes,
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
}

async fn look(target: &Target) -> Result<Look> {
    let answer = Client::new(target.clone()).ask(Method::GET, Bytes::new()).await?;
    ensure!(answer.status.is_success(), "{}: {}", answer.status, answer.excerpt());
    let page = parse_exposition(std::str::from_utf8(&answer.body)?)?;
    let sum = |name: &str| {
        let found =
            page.iter().filter(|series| series.labels.iter().any(|l| l.0 == "__name__" && l.1 == name));
        let values: Vec<f64> = found.map(|series| series.value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>())
    };
    let needed = |name: &str| {
        sum(name).with_context(|| format!("it has no {name}: is this the admin port of a gate?"))
    };
    Ok(Look {
        samples: needed("seriesgate_samples_received_total")?,
        requests: needed("seriesgate_requests_total")?,
        wire_bytes: needed("seriesgate_request_bytes_total")?,
        born: needed("seriesgate_new_series_total")?,
        series: needed("seriesgate_active_series")?,
        connections: sum("seriesgate_connections").unwrap_or(1.0),
    })
}
