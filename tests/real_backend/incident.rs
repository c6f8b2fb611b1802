//! The incident that the gate is for, from its beginning to its end: an agent reports every run of a CronJob there ever was, the
//! report names it, and the policy that the report prints puts an end to it.

use std::time::Duration;

use serde_json::Value;

use crate::history::{FAILED, History, OLD};
use crate::programs::{self, LIMIT, Program};
use crate::support::gate::{Gate, Setup};
use crate::support::http;
use crate::support::wait::until;

/// What PromQL says now, by the names of jobs.
async fn ask(backend: &Program, query: &str) -> Vec<String> {
    // what came in the last second is not searchable otherwise
    assert!(http::is_ok(&backend.url("/internal/force_flush")).await);
    let url = backend.url(&format!("/api/v1/query?query={query}&nocache=1"));
    let answer: Value = serde_json::from_str(&http::get(&url).await.unwrap().text).unwrap();
    let series = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
    series.map(|one| one["metric"]["job_name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until the report has a policy against finished runs that it tried and found right.
async fn until_advised(gate: &Gate) -> String {
    let url = gate.admin_url("/api/v1/churn");
    until("the report names the CronJob", LIMIT, async || {
        let answer: Value = serde_json::from_str(&http::get(&url).await.unwrap().text).unwrap();
        let found =
            answer["findings"].as_array()?.iter().find(|found| found["kind"] == "stuck_runs")?.clone();
        assert_eq!(found["workload"]["name"], "billing", "{found}");
        let remedy = &found["remedy"];
        (remedy["tried"]["result"] == "right").then(|| remedy["policy"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_the_report_prints_ends_a_history_without_end() {
    if !programs::are_here(&["prometheus", "victoria-metrics"]) {
        return;
    }
    let history = History::start().await;
    let backend = programs::victoria_metrics().await;
    let setup = Setup::to(backend.url("/api/v1/write")).series("warmup: 0s");
    let gate = setup.start().await;
    let _prometheus = programs::prometheus(history.address, &[("state", "/metrics")], gate.write).await;
    let policy = until_advised(&gate).await;
    assert!(policy.contains("run_finished_for"), "{policy}");

    let ended = "kube_job_status_completion_time";
    until("the first run is still there", LIMIT, async || {
        ask(&backend, ended).await.contains(&history.job(0)).then_some(())
    })
    .await;
    // as it was printed, but for the preview
    let policy: Vec<_> = policy
        .lines()
        .filter(|line| !line.contains("mode: preview"))
        .map(|line| format!("  {line}\n"))
        .collect();
    gate.write_config_text(&format!("{}policies:\n{}", gate.config_text(&setup), policy.concat()));
    let reply = gate.admin_post("/-/reload").await;
    assert_eq!(reply.status, 200, "{}", reply.text);

    // at the next scrapes, and not minutes later
    let old: Vec<String> = (0..OLD).map(|run| history.job(run)).collect();
    until("all that is left is recent", Duration::from_secs(20), async || {
        let left = ask(&backend, ended).await;
        (!left.is_empty() && left.iter().all(|job| !old.contains(job))).then_some(())
    })
    .await;
    assert_eq!(ask(&backend, "kube_job_info").await.iter().find(|job| old.contains(job)), None);
    // an alert on failed jobs sees the one that failed, and a fresh sample of it
    let failed = history.job(FAILED);
    until("the failed job is seen", LIMIT, async || {
        let fresh = "timestamp(kube_job_failed)%20%3E%20(time()-5)";
        (ask(&backend, fresh).await == [failed.clone()]).then_some(())
    })
    .await;
    let metrics = gate.metrics().await;
    // each series that was sent and is not any more has one end
    let markers = metrics.sum("seriesgate_generated_samples_total", &[("kind", "stale_marker")]);
    assert!(metrics.fate("dropped") > 0.0 && markers >= 6.0 * OLD as f64, "{markers}");
    gate.finish().await;
}
