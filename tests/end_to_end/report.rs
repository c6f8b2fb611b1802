//! The report of the real program: over HTTP in every shape, in the terminal, and what it says to paste.

use std::process::Command;

use serde_json::Value;
use seriesgate_loadtest::cluster::{Agent, Cluster, ClusterSpec};

use super::sink;
use super::support::gate::{Gate, Setup};
use super::support::http;

/// 2026-01-01T00:00:30Z.
const START_MS: i64 = 1_767_225_630_000;

/// A gate that has seen an hour of the incident, in a second; it has no time to learn.
async fn after_an_hour() -> (Gate, u64) {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).series("warmup: 0s").start().await;
    let mut agent = Agent::new(Cluster::new(ClusterSpec::incident(7), START_MS));
    let mut series = 0;
    for push in 1..=12 {
        let bodies = agent.bodies(START_MS + push * 300_000, 2000);
        series = bodies.iter().map(|body| body.series).sum();
        for body in bodies {
            assert_eq!(gate.post(body.bytes.to_vec()).await.status, 204);
        }
    }
    (gate, series)
}

async fn get(gate: &Gate, path: &str) -> (u16, Value) {
    let reply = http::get(&gate.admin_url(path)).await.unwrap();
    assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    let json = serde_json::from_str(&reply.text).unwrap_or_else(|e| panic!("{path}: {e}: {}", reply.text));
    (reply.status, json)
}

fn seriesgate(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_seriesgate")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The worst offender is named first, with what to paste, and what is pasted works.
#[tokio::test(flavor = "multi_thread")]
async fn the_culprit_is_named_and_the_remedy_works() {
    let (gate, _) = after_an_hour().await;
    let admin = gate.admin_url("");
    let (ok, text) = seriesgate(&["report", "--admin", &admin, "--top", "3"]);
    assert!(ok, "{text}");
    println!("{text}");
    let worst = text.lines().nth(3).unwrap_or_default();
    assert!(
        worst.contains(" of 12 reported runs are over, ")
            && worst.contains(", CronJob sync-once-record-cronjob in data-prod (prod-1); "),
        "{text}"
    );
    assert!(
        text.contains("\nby metric, 3 of 86\n") && text.contains(", run_finished_for: 30m }\n"),
        "{text}"
    );

    let (status, churn) = get(&gate, "/api/v1/churn?by=workload&limit=2").await;
    assert_eq!((status, churn["rows"].as_array().unwrap().len()), (200, 2));
    assert!(churn["rows_total"].as_u64().unwrap() > 5);
    let first = &churn["findings"][0];
    assert_eq!(first["workload"]["name"], "sync-once-record-cronjob");
    assert_eq!(first["kind"], "stuck_runs");
    let tried = &first["remedy"]["tried"];
    assert_eq!((&tried["result"], &tried["others_taken"]), (&"right".into(), &0.into()), "{tried}");
    assert!(tried["own"].as_u64().unwrap() > 50 && tried["others"].as_u64().unwrap() > 500, "{tried}");
    assert!(text.contains("\npolicies:\n  # takes all "), "{text}");
    let pasted = first["remedy"]["policy"].as_str().unwrap().replace("mode: preview", "mode: enforce");
    let dir = tempfile::TempDir::new().unwrap();
    let config = dir.path().join("gate.yaml");
    let yaml = format!("upstreams: [ {{ name: a, url: 'http://localhost/' }} ]\npolicies:\n{pasted}");
    std::fs::write(&config, yaml).unwrap();
    let config = config.to_str().unwrap();
    let (ok, said) = seriesgate(&["check", "--config", config]);
    assert!(ok, "{said}\n{pasted}");
    for (series, verdict) in [
        (
            r#"kube_pod_info{cluster="prod-1",namespace="data-prod",pod="sync-once-record-cronjob-29453765-x7k2p"}"#,
            "drop",
        ),
        (
            r#"kube_job_info{cluster="prod-1",namespace="data-prod",job_name="sync-once-record-cronjob-29453765"}"#,
            "drop",
        ),
        (
            r#"kube_job_failed{cluster="prod-1",namespace="data-prod",job_name="sync-once-record-cronjob-29453765"}"#,
            "forward",
        ),
        (
            r#"kube_cronjob_info{cluster="prod-1",namespace="data-prod",cronjob="sync-once-record-cronjob"}"#,
            "forward",
        ),
        (
            r#"kube_pod_info{cluster="prod-2",namespace="data-prod",pod="sync-once-record-cronjob-29453765-x7k2p"}"#,
            "forward",
        ),
        (
            r#"kube_pod_info{cluster="prod-1",namespace="other",pod="sync-once-record-cronjob-29453765-x7k2p"}"#,
            "forward",
        ),
        (
            r#"kube_pod_info{cluster="prod-1",namespace="data-prod",pod="sync-once-record-cronjobs-0"}"#,
            "forward",
        ),
    ] {
        let (ok, said) = seriesgate(&["explain", "--config", config, "--json", series]);
        assert!(ok && said.contains(&format!("\"verdict\":\"{verdict}\"")), "{series}: {said}");
    }
    gate.finish().await;
}

/// Prometheus' and Mimir's own programs read these.
#[tokio::test(flavor = "multi_thread")]
async fn the_shapes_of_others_are_kept() {
    let (gate, series) = after_an_hour().await;
    for path in ["/api/v1/status/tsdb?limit=3", "/prometheus/api/v1/status/tsdb?topN=3"] {
        let (status, answer) = get(&gate, path).await;
        assert_eq!((status, &answer["status"]), (200, &Value::from("success")));
        let data = &answer["data"];
        assert!(data["headStats"]["numSeries"].as_u64().unwrap() >= series);
        assert_eq!(data["headStats"]["numSeries"], data["totalSeries"]);
        for list in ["seriesCountByMetricName", "labelValueCountByLabelName", "seriesCountByLabelValuePair"] {
            let items = data[list].as_array().unwrap();
            assert_eq!(items.len(), 3, "{list}");
            assert!(items.is_sorted_by(|a, b| a["value"].as_u64() >= b["value"].as_u64()), "{list}");
        }
        assert_eq!(data["seriesCountByMetricName"][0]["name"], "kube_pod_status_reason");
        assert_eq!(data["seriesCountByLabelName"][0]["name"], "__name__");
    }
    let (_, focused) = get(&gate, "/api/v1/status/tsdb?focusLabel=owner_kind").await;
    assert_eq!(focused["data"]["seriesCountByFocusLabelValue"][0]["name"], "ReplicaSet");

    let (_, names) = get(&gate, "/api/v1/cardinality/label_names?limit=50").await;
    let found: Vec<&str> = names["cardinality"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label["label_name"].as_str().unwrap())
        .collect();
    assert!(found.contains(&"__name__") && found.contains(&"pod"), "{names}");
    let path =
        "/prometheus/api/v1/cardinality/label_values?label_names[]=phase&label_names[]=__name__&limit=2";
    let (_, values) = get(&gate, path).await;
    assert_eq!(values["labels"][0]["label_values_count"], 5);
    assert_eq!(values["labels"][0]["cardinality"].as_array().unwrap().len(), 2);
    let (_, one) =
        get(&gate, "/api/v1/cardinality/label_values?label_names[]=__name__&selector=kube_pod_info").await;
    assert_eq!(one["labels"][0]["label_values_count"], 1);
    // Mimir takes a form too
    let form = "label_names[]=phase&limit=1";
    let request = hyper::Request::post(gate.admin_url("/api/v1/cardinality/label_values"));
    let posted = http::send(request.body(form.to_owned().into()).unwrap()).await.unwrap();
    assert!(posted.status == 200 && posted.text.contains("\"label_name\":\"phase\""), "{}", posted.text);

    let (_, workloads) = get(&gate, "/api/v1/workloads?kind=deployment&sort=name&limit=2&offset=1").await;
    assert_eq!((&workloads["rows_total"], &workloads["rows"][0]["name"]), (&4.into(), &"gateway".into()));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_with_the_reason() {
    let gate = Setup::to(sink().await.write_url()).start().await;
    for (path, reason) in [
        ("/api/v1/status/tsdb?limit=0", "`limit` must be a number from 1 to 10000, not `0`"),
        ("/api/v1/status/tsdb?limit=ten", "`limit` must be a number from 1 to 10000, not `ten`"),
        ("/api/v1/status/tsdb?match[]=up", "`match[]` cannot be answered"),
        ("/api/v1/cardinality/label_values", "'label_names[]' param is required"),
        ("/api/v1/cardinality/label_names?limit=501", "`limit` must be a number from 0 to 500"),
        ("/api/v1/cardinality/label_names?selector={a%3D\"b\"}", "counts and sketches, not series"),
        ("/api/v1/cardinality/label_values?label_names[]=pod&selector=up", "for `__name__` only"),
        ("/api/v1/cardinality/label_names?selector={a", "`selector`: "),
        ("/api/v1/churn?by=colour", "`by` must be one of metric, workload, label, sender, not `colour`"),
    ] {
        let (status, answer) =
            get(&gate, &path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22")).await;
        assert_eq!(
            (status, &answer["status"], &answer["errorType"]),
            (400, &"error".into(), &"bad_data".into())
        );
        assert!(answer["error"].as_str().unwrap().contains(reason), "{path}: {answer}");
    }
    assert_eq!(gate.admin_post("/api/v1/churn").await.status, 405);
    let (ok, said) = seriesgate(&["report", "--admin", "http://127.0.0.1:1"]);
    assert!(!ok && said.contains("is a gate running there"), "{said}");
    let (ok, said) = seriesgate(&["report", "--admin", &gate.admin_url("")]);
    assert!(ok && said.contains("Still learning"), "{said}");
    gate.finish().await;
}
