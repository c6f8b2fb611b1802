//! Aggregation held against a plain model over simulated days, and its promises one by one.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "aggregation/births.rs"]
mod births;
#[path = "aggregation/buckets.rs"]
mod buckets;
#[path = "aggregation/clocks.rs"]
mod clocks;
#[path = "aggregation/departures.rs"]
mod departures;
#[path = "aggregation/first_snapshot.rs"]
mod first_snapshot;
#[path = "aggregation/gauges.rs"]
mod gauges;
#[path = "aggregation/lives.rs"]
mod lives;
#[path = "aggregation/model.rs"]
mod model;
#[path = "aggregation/outages.rs"]
mod outages;
#[path = "support/pipeline.rs"]
#[allow(dead_code)] // other tests use the rest
mod pipeline;
#[path = "aggregation/promises.rs"]
mod promises;
#[path = "aggregation/retyped.rs"]
mod retyped;
#[path = "aggregation/rig.rs"]
mod rig;
#[path = "aggregation/safety.rs"]
mod safety;
#[path = "aggregation/scopes.rs"]
mod scopes;
#[path = "aggregation/steps.rs"]
mod steps;
#[path = "aggregation/tellers.rs"]
mod tellers;
#[path = "aggregation/torn.rs"]
mod torn;
#[path = "aggregation/truth.rs"]
mod truth;
#[path = "aggregation/world.rs"]
mod world;
#[path = "aggregation/writers.rs"]
mod writers;

use model::Model;
use rig::Rig;
use world::{Delivery, SCRAPE_MS, World};

const START_MS: i64 = 1_700_000_040_000;
const DAY: i64 = 24 * 3600 * 1000 / SCRAPE_MS;
const IDLE_MS: i64 = 600_000;

/// A history of so many scrapes through both; `disturb` may do what it likes to the gate after each scrape.
fn same_as_the_model(
    seed: u64,
    ticks: i64,
    delay_ms: i64,
    mut disturb: impl FnMut(&mut World, &mut Rig, &mut Model, &Delivery),
) {
    let mut world = World::new(seed, START_MS);
    let mut model = Model::new(delay_ms, IDLE_MS);
    let mut rig = Rig::new(delay_ms, IDLE_MS);
    let mut last = Delivery::default();
    for tick in 0..ticks {
        for delivery in world.scrape(tick) {
            rig.deliver(&delivery.request());
            model.take(&delivery, rig.now());
            last = delivery;
        }
        let forgets = rig.pass_time(START_MS + tick * SCRAPE_MS);
        model.pass(rig.now());
        if forgets {
            model.forget(rig.now());
        }
        disturb(&mut world, &mut rig, &mut model, &last);
    }
    let output = rig.finish();
    let expected = model.output();
    for (series, points) in &expected {
        let got = output.get(series).cloned().unwrap_or_default();
        let differs =
            points.iter().zip(&got).position(|(a, b)| a != b).unwrap_or(points.len().min(got.len()));
        let around = |points: &[(i64, String)]| {
            points[differs.saturating_sub(2).min(points.len())..].iter().take(5).cloned().collect::<Vec<_>>()
        };
        assert!(
            *points == got,
            "seed {seed}, {series}: differs from point {differs} of {} on (there are {}):\nexpected {:?}\n     got {:?}",
            points.len(),
            got.len(),
            around(points),
            around(&got)
        );
    }
    assert_eq!(output.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert!(output.values().map(Vec::len).sum::<usize>() > 1000, "there was something to compare");
}

#[test]
fn two_days_are_as_the_model_has_them() {
    same_as_the_model(1, 2 * DAY, 10_000, |_, _, _, _| {});
}

#[test]
fn so_they_are_with_restarts_retries_and_a_long_delay() {
    for (seed, delay_ms) in [(2, 0), (3, 10_000), (4, 150_000)] {
        same_as_the_model(seed, DAY / 2, delay_ms, |world, rig, model, last| {
            if world.dice.one_in(10) {
                rig.restart();
                model.restart(rig.now());
            }
            if world.dice.one_in(5) {
                rig.send_again();
                model.take(last, rig.now());
            }
        });
    }
}
