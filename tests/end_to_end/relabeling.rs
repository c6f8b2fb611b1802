//! Relabel policies in the running program: what arrives, what is counted, what can be read about it.

use serde_json::Value;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};

use super::support::backend::{Backend, answer, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::support::http;
use super::support::wait::until;
use super::{pods, sink};

const HOUSE_STYLE: &str = "name: house, match: '{__name__!=\"kept\"}', action: relabel, relabel_configs: \
     [ { action: labeldrop, regex: pod }, { source_labels: [__name__], regex: 'old_(.+)', target_label: __name__, \
     replacement: 'new_$1' } ]";

fn named(metric: &str, labels: &[(&str, &str)]) -> TimeSeries {
    TimeSeries::named(metric, labels).with_sample(1_000, 1.0)
}

async fn policies(gate: &Gate) -> Value {
    let reply = http::get(&gate.admin_url("/api/v1/policies")).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_str(&reply.text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn series_arrive_under_their_new_labels_known_or_not() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(HOUSE_STYLE).start().await;
    let request = WriteRequest::of(vec![
        named("old_up", &[("pod", "a"), ("zone", "z")]),
        named("kept", &[("pod", "a")]),
        named("plain", &[("zone", "z")]),
    ]);
    for _ in 0..3 {
        assert_eq!(gate.send(&request).await.status, 204);
    }
    let expected = WriteRequest::of(vec![
        named("new_up", &[("zone", "z")]),
        named("kept", &[("pod", "a")]),
        named("plain", &[("zone", "z")]),
    ]);
    for seen in backend.seen() {
        assert_eq!(seen.decoded(), expected);
    }
    let metrics = gate.metrics().await;
    assert_eq!(metrics.fate("forwarded"), 9.0);
    let through = |direction| {
        let labels = [("policy", "house"), ("mode", "enforce"), ("direction", direction)];
        metrics.sum("seriesgate_policy_samples_total", &labels)
    };
    assert_eq!((through("in"), through("out")), (6.0, 6.0));
    assert_eq!(metrics.sum("seriesgate_label_edits", &[]), 1.0);
    assert_eq!(metrics.sum("seriesgate_active_series", &[]), 3.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_would_become_one_are_told_apart_across_connections() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(HOUSE_STYLE).start().await;
    for pod in pods("up", 3).chunks(1).cycle().take(6) {
        // a connection each
        let reply =
            http::send(http::write_request(gate.write, encode_snappy(&WriteRequest::of(pod.to_vec())))).await;
        assert_eq!(reply.unwrap().status, 204);
    }
    assert_eq!(backend.seen().len(), 2, "only the first of three goes on");
    let metrics = gate.metrics().await;
    assert_eq!(metrics.fate("forwarded"), 2.0);
    let collided = [("fate", "dropped"), ("policy", "house"), ("reason", "collision")];
    assert_eq!(metrics.sum("seriesgate_samples_total", &collided), 4.0);
    assert_eq!(metrics.sum("seriesgate_contested_series", &[]), 2.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_has_its_turn_when_the_owner_is_gone() {
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).series("idle_after: 1s").policy(HOUSE_STYLE).start().await;
    let [first, second, _] = &pods("up", 3)[..] else { unreachable!() };
    assert_eq!(gate.send(&WriteRequest::of(vec![first.clone()])).await.status, 204);
    until("the second series is sent", SOON, async || {
        assert_eq!(gate.send(&WriteRequest::of(vec![second.clone()])).await.status, 204);
        (backend.seen().len() == 2).then_some(())
    })
    .await;
    assert!(gate.metrics().await.fate("dropped") > 0.0, "not at once");
    assert!(gate.log().contains("held back"), "somebody was told");
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_request_fails_keeps_its_identity_and_nothing_is_lost() {
    let mut refusals = 1;
    let backend = Backend::start(move |_| {
        refusals -= 1;
        if refusals >= 0 { answer("503 Service Unavailable", "", "later") } else { stored() }
    })
    .await;
    let gate = Setup::to(backend.url()).policy(HOUSE_STYLE).start().await;
    let [first, second, _] = &pods("up", 3)[..] else { unreachable!() };
    assert_eq!(gate.send(&WriteRequest::of(vec![first.clone()])).await.status, 503);
    assert_eq!(gate.send(&WriteRequest::of(vec![second.clone()])).await.status, 204);
    assert_eq!(gate.send(&WriteRequest::of(vec![first.clone()])).await.status, 204);
    assert_eq!(backend.seen().len(), 2);
    assert_eq!(gate.metrics().await.fate("returned"), 1.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_loses_its_name_costs_the_sender_no_error() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url())
        .policy("name: careless, match: bad, action: relabel, relabel_configs: [ { action: labelkeep, regex: pod } ]")
        .start()
        .await;
    let request = WriteRequest::of([pods("good", 2), pods("bad", 3)].concat());
    for _ in 0..2 {
        assert_eq!(gate.send(&request).await.status, 204);
    }
    assert_eq!(sink.stats().samples, 4);
    let rejected = [("fate", "rejected"), ("policy", "careless"), ("reason", "no_name")];
    assert_eq!(gate.metrics().await.sum("seriesgate_samples_total", &rejected), 6.0);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_answer_says_what_each_did_with_examples() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url())
        .policy("name: idle, match: nothing_ever, action: drop")
        .policy("name: look, match: noise, action: drop, mode: preview")
        .policy(HOUSE_STYLE)
        .start()
        .await;
    let empty = policies(&gate).await;
    assert_eq!(empty["never_matched"], serde_json::json!(["idle", "look", "house"]));

    let noise = |n: usize| named("noise", &[("n", &n.to_string()), ("pod", "p")]);
    assert_eq!(gate.send(&WriteRequest::of((0..25).map(noise).collect())).await.status, 204);
    let told = policies(&gate).await;
    assert_eq!(
        (&told["never_matched"], &told["bypassed"]),
        (&serde_json::json!(["idle"]), &Value::Bool(false))
    );
    let [idle, look, house] = &told["policies"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!((&idle["last_matched"], &idle["samples_in"]), (&Value::Null, &serde_json::json!(0)));
    assert_eq!(
        (&look["mode"], &look["samples_in"], &look["samples_out"]),
        (&"preview".into(), &25.into(), &0.into())
    );
    assert_eq!(
        (&house["action"], &house["samples_in"], &house["samples_out"]),
        (&"relabel".into(), &25.into(), &25.into())
    );
    for (policy, effect) in [(look, "drop"), (house, "relabel")] {
        let examples = policy["examples"].as_array().unwrap();
        assert_eq!(examples.len(), 20, "the last ones, newest first");
        assert_eq!(examples[0]["series"], "noise{n=\"24\",pod=\"p\"}");
        assert_eq!(
            (&examples[0]["output"], &examples[0]["effect"]),
            (&"noise{n=\"24\"}".into(), &effect.into())
        );
        assert_eq!(examples[19]["series"], "noise{n=\"5\",pod=\"p\"}");
    }
    let last =
        gate.metrics().await.sum("seriesgate_policy_last_match_timestamp_seconds", &[("policy", "house")]);
    assert!(last > 1.7e9, "{last}");
    gate.finish().await;
}

/// A rollout under a label that is dropped: the old pod ends with a stale marker, and the new one goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_pod_goes_on_where_the_last_one_ended() {
    const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
    let backend = Backend::start(|_| stored()).await;
    let gate = Setup::to(backend.url()).policy(HOUSE_STYLE).start().await;
    let send = async |pod: &str, at_s: i64, value: f64| {
        let one = TimeSeries::named("gpu_seconds_total", &[("pod", pod)]).with_sample(at_s * 1000, value);
        assert_eq!(gate.send(&WriteRequest::of(vec![one])).await.status, 204);
    };
    for at_s in 1..5 {
        send("old", at_s, 100.0).await;
        send("new", at_s, 0.0).await;
    }
    send("old", 5, STALE).await;
    for at_s in 6..9 {
        send("new", at_s, 1.0).await;
    }
    let seen = backend.seen();
    let samples = seen.iter().flat_map(|seen| seen.decoded().timeseries).flat_map(|series| {
        assert_eq!(series.labels.len(), 1);
        series.samples
    });
    let got: Vec<(i64, u64)> = samples.map(|s| (s.timestamp / 1000, s.value.to_bits())).collect();
    let expected = [(1, 100.0), (2, 100.0), (3, 100.0), (4, 100.0), (5, STALE), (6, 1.0), (7, 1.0), (8, 1.0)];
    assert_eq!(got, expected.map(|(at, value)| (at, value.to_bits())));
    assert_eq!(gate.metrics().await.sum("seriesgate_contested_series", &[]), 0.0);
    gate.finish().await;
}
