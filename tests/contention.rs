//! Workers, commits, reloads and expiry at one time: whatever the order, one series has an identity in the end.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[allow(dead_code)] // other tests use the rest
#[path = "support/pipeline.rs"]
mod support;

use std::sync::Barrier;

use seriesgate::pipeline::{Body, Outcome, Pipeline, Scratch};
use seriesgate::policy::Definition;
use seriesgate_proto::{WriteRequest, encode_snappy};
use support::{Gate, assert_conserved, expire, labeldrop, relabel, series, set};

const ROUNDS: usize = 150;
/// Series that all become `up`; the first of them is it.
const PODS: [&str; 4] = ["", "a", "b", "c"];

fn policies() -> Vec<Definition> {
    vec![relabel("{pod=~\".+\"}", &[labeldrop("pod")])]
}

/// A sample so long after the beginning.
fn body(pod: &str, after_ms: i64) -> Vec<u8> {
    let labels = [("__name__", "up"), ("pod", pod)];
    let mut one = series(&labels[..if pod.is_empty() { 1 } else { 2 }]);
    one.samples[0].timestamp += after_ms;
    encode_snappy(&WriteRequest::of(vec![one]))
}

/// Whether the series is sent on.
fn flows(pipeline: &Pipeline, body: &[u8]) -> bool {
    let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
    pipeline.decide("", body, &mut scratch, &mut outcome).unwrap();
    assert_conserved(&outcome);
    pipeline.commit(&outcome);
    outcome.body != Body::Nothing
}

#[test]
fn one_owner_is_left_after_any_interleaving() {
    let bodies = PODS.map(|pod| body(pod, 0));
    let later = PODS.map(|pod| body(pod, 60_000));
    for round in 0..ROUNDS {
        let gate = Gate::new(&policies());
        let pipeline = &gate.pipeline;
        let start = Barrier::new(PODS.len() + 1);
        std::thread::scope(|scope| {
            for (number, body) in bodies.iter().enumerate() {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for turn in 0..20 {
                        // some requests are never heard of again
                        let (mut scratch, mut outcome) = (Scratch::default(), Outcome::default());
                        pipeline.decide("", body, &mut scratch, &mut outcome).unwrap();
                        if (turn + number) % 3 > 0 {
                            pipeline.commit(&outcome);
                        }
                    }
                });
            }
            start.wait();
            if round % 2 == 0 {
                pipeline.replace_policies(set(&policies()));
            }
            if round % 3 == 0 {
                pipeline.clock().advance_ms(1_000);
                expire(&gate, 1);
            }
        });
        // at rest: each is asked until nothing changes any more, then exactly one is sent
        for _ in 0..3 {
            bodies.iter().filter(|body| flows(pipeline, body)).count();
        }
        let flowing: Vec<bool> = bodies.iter().map(|body| flows(pipeline, body)).collect();
        assert_eq!(flowing.iter().filter(|flows| **flows).count(), 1, "round {round}: {flowing:?}");
        // and when that one is gone, another has its turn
        let owner = flowing.iter().position(|flows| *flows).unwrap();
        pipeline.clock().advance_ms(60_000);
        let others = || later.iter().enumerate().filter(|(number, _)| *number != owner).map(|(_, body)| body);
        others().for_each(|body| assert!(!flows(pipeline, body)));
        expire(&gate, 30);
        assert_eq!(others().filter(|body| flows(pipeline, body)).count(), 1, "round {round}");
    }
}
