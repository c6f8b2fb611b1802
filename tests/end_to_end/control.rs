//! The admin port and signals: reload, bypass, health.

use rustix::process::Signal;

use super::support::gate::{Gate, SOON, Setup};
use super::support::http;
use super::support::wait::until;
use super::{NO_NOISE, mixture, sink};

async fn reloads(gate: &Gate) -> (f64, f64) {
    let metrics = gate.metrics().await;
    let of = |result| metrics.sum("seriesgate_config_reloads_total", &[("result", result)]);
    let all = metrics.sum("seriesgate_config_reloads_total", &[]);
    let ok = of("ok") + of("success");
    (ok, all - ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_policies_and_upstream() {
    let (first, second) = (sink().await, sink().await);
    let gate = Setup::to(first.write_url()).start().await;
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(first.stats().samples, 5);

    gate.write_config(&Setup::to(second.write_url()).policy(NO_NOISE));
    let reply = gate.admin_post("/-/reload").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    // three, and the ends of the two that are dropped from now on
    assert_eq!((first.stats().samples, second.stats().samples), (5, 5));
    let metrics = gate.metrics().await;
    assert_eq!((metrics.fate("dropped"), metrics.fate("forwarded")), (2.0, 8.0));
    assert_eq!(metrics.sum("seriesgate_generated_samples_total", &[("kind", "stale_marker")]), 2.0);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(second.stats().samples, 8, "once");

    gate.write_config(&Setup::to(second.write_url()));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(second.stats().samples, 13);
    assert_eq!(reloads(&gate).await, (2.0, 0.0));
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_keeps_the_running_one() {
    let sink = sink().await;
    let good = Setup::to(sink.write_url()).policy(NO_NOISE);
    let gate = good.start().await;
    for (what, text) in [
        ("empty", String::new()),
        ("not YAML", "listen: {".to_owned()),
        ("unknown key", "upstream: []\n".to_owned()),
        ("bad selector", "upstreams: [ { name: a, url: 'http://x/' } ]\npolicies: [ { name: a, match: 'x{', action: drop } ]\n".to_owned()),
    ] {
        gate.write_config_text(&text);
        let reply = gate.admin_post("/-/reload").await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.text);
        assert!(reply.text.contains("gate.yaml"), "{what}: {}", reply.text);
        // each one, and whoever asked, as after SIGHUP
        let (log, why) = (gate.log(), reply.text.lines().next().unwrap());
        let told = log.split("ERROR").any(|entry| {
            entry.contains("config not reloaded, the running one stays:") && entry.contains(why)
        });
        assert!(told, "{what}: {why}\n{log}");
    }
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(sink.stats().samples, 3, "the policy is gone");
    let (ok, failed) = reloads(&gate).await;
    assert_eq!(ok, 0.0);
    assert!(failed >= 4.0, "{failed}");
    assert!(http::is_ok(&gate.admin_url("/-/ready")).await);
    gate.write_config(&good);
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_under_the_same_path_is_used() {
    let pem = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, pem()).unwrap();
    let tls = format!("tls: {{ ca_file: '{}' }}", ca.display());
    let gate = Setup::to("https://localhost:1/write").upstream(&tls).start().await;
    let reply = gate.admin_post("/-/reload").await;
    assert!(reply.text.contains("nothing changed"), "{}", reply.text);
    std::fs::write(&ca, pem()).unwrap();
    until("a reload of the upstream", SOON, async || {
        gate.log().contains("config reloaded: upstreams").then_some(())
    })
    .await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_limits_hold_for_known_series_too() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    assert_eq!(gate.send(&mixture(3, 0)).await.status, 204);
    let config = |limit: u32| {
        let (write, admin, url) = (gate.write, gate.admin, sink.write_url());
        format!(
            "listen: {{ address: '{write}' }}\nadmin: {{ address: '{admin}' }}\n\
             upstreams: [ {{ name: primary, url: '{url}' }} ]\nseries: {{ max_labels: {limit} }}\n"
        )
    };
    for (limit, status) in [(1, 400), (2, 204)] {
        gate.write_config_text(&config(limit));
        let reply = gate.admin_post("/-/reload").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let reply = gate.send(&mixture(3, 0)).await;
        assert_eq!(reply.status, status, "at most {limit} labels: {}", reply.text);
    }
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_signal_reloads() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    gate.write_config(&Setup::to(sink.write_url()).policy(NO_NOISE));
    gate.signal(Signal::HUP);
    until("a reload", SOON, async || (reloads(&gate).await.0 >= 1.0).then_some(())).await;
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(sink.stats().samples, 3);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_content_of_the_file_is_noticed() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    gate.write_config(&Setup::to(sink.write_url()).policy(NO_NOISE));
    until("a reload", SOON, async || (reloads(&gate).await.0 >= 1.0).then_some(())).await;
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(sink.stats().samples, 3);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bypass_turns_policies_into_previews_and_back() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).policy(NO_NOISE).start().await;
    let health = async || http::get(&gate.admin_url("/-/healthy")).await.unwrap().text;
    assert!(health().await.contains(r#""status":"ok""#));

    assert_eq!(gate.admin_post("/-/bypass?on=true").await.status, 200);
    assert!(health().await.contains(r#""status":"bypassed""#));
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    let metrics = gate.metrics().await;
    assert_eq!((sink.stats().samples, metrics.sum("seriesgate_bypass", &[])), (5, 1.0));
    let previewed = [("policy", "no-noise"), ("mode", "preview"), ("direction", "in")];
    assert_eq!(metrics.sum("seriesgate_policy_samples_total", &previewed), 2.0);

    // a reload does not end it
    gate.write_config(&Setup::to(sink.write_url()).policy(NO_NOISE).policy("name: more, action: drop"));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    assert_eq!(sink.stats().samples, 10);

    assert_eq!(gate.admin_post("/-/bypass?on=false").await.status, 200);
    assert_eq!(gate.send(&mixture(3, 2)).await.status, 204);
    let metrics = gate.metrics().await;
    // what was sent meanwhile ends
    assert_eq!((sink.stats().samples, metrics.fate("dropped")), (15, 5.0));
    assert_eq!(metrics.sum("seriesgate_bypass", &[]), 0.0);
    assert_eq!(gate.admin_post("/-/bypass?on=perhaps").await.status, 400);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_every_loop_on_both_ports() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    for address in [gate.admin, gate.write] {
        let reply = http::get(&format!("http://{address}/-/healthy")).await.unwrap();
        assert_eq!(reply.status, 200);
        let report: serde_json::Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(report["status"], "ok");
        let loops = report["loops"].as_array().unwrap();
        assert!(!loops.is_empty());
        for one in loops {
            assert!(one["name"].is_string(), "{one}");
            assert!(one["last_active_seconds"].as_f64() < one["threshold_seconds"].as_f64(), "{one}");
        }
        assert!(http::is_ok(&format!("http://{address}/-/ready")).await);
    }
    gate.finish().await;
}
