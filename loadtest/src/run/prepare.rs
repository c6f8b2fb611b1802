//! What a run needs before it begins: the load, the ways to the gates, and what its comparison has to know.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::RunOptions;
use crate::client::Target;
use crate::expect::Expectations;
use crate::fleet::{Expect, Lane, Planner, Spread};
use crate::names::Seed;
use crate::scenario::Scenario;
use crate::scope::Scope;
use crate::send::{Deal, Load, Routes, Times};
use crate::verify::Setting;
use crate::{clock, identity, proxy};

/// How long policies may keep a sample to themselves where nobody says.
const HOLDS: Duration = Duration::from_secs(120);

/// The load of a scenario, or of a recording.
pub(super) fn load(options: &RunOptions) -> Result<(Load, Times)> {
    let scenario = &options.scenario;
    let expect = Arc::new(Expectations::new(&options.variant.expect)?);
    let (planner, lanes, times) = fleet_of(scenario, Arc::<Expectations>::clone(&expect))?;
    let Some(replay) = &options.replay else {
        return Ok((Load::new(planner, lanes, times), times));
    };
    let bodies =
        replay.bodies(lanes.len(), (scenario.batch, scenario.protocol), clock::unix_ms(), &*expect)?;
    Ok((Load::new(planner, lanes, times).with_ready(bodies), times))
}

/// The ways from each lane to each receiver.
pub(super) fn routes(options: &RunOptions, urls: &[String], times: Times) -> Result<Routes> {
    let scenario = &options.scenario;
    let target = |url: &String, agent: usize| {
        let mut target = Target::parse(url, options.reach)?.with_protocol(scenario.protocol);
        for (name, value) in &options.headers {
            target = target.with_header(name, value)?;
        }
        if scenario.addresses > 1 {
            target = target.from_loopback((agent % scenario.addresses) as u8 + 1)?;
        }
        let Some(scope) = scenario.scopes.get(agent % scenario.scopes.len().max(1)) else {
            return Ok(target);
        };
        for (name, value) in &scope.headers {
            target = target.with_header(name, value)?;
        }
        if scope.query.is_empty() { Ok(target) } else { target.with_query(&scope.query) }
    };
    let of_agents = |url| (0..scenario.agents).map(|agent| target(url, agent)).collect::<Result<Vec<_>>>();
    let targets = urls.iter().map(of_agents).collect::<Result<_>>()?;
    let every_ms = scenario.deal_every.map(|every| i64::try_from(every.0.as_millis()).unwrap_or(i64::MAX));
    let seed = Seed::new(scenario.seed).child(20);
    Ok(Routes::new(targets, scenario.shards, Deal { start_ms: times.start_ms, every_ms, seed }))
}

/// The series of a scenario and its lanes, with data that ends about now.
pub(crate) fn fleet_of(scenario: &Scenario, expect: Arc<dyn Expect>) -> Result<(Planner, Vec<Lane>, Times)> {
    let step_ms = scenario.interval_ms();
    let scrapes = (scenario.warm + scenario.scrapes + 1).cast_signed();
    // whole seconds: values follow seconds, and so do windows
    let start_ms = (clock::unix_ms() - scrapes * step_ms).div_euclid(1000) * 1000;
    let lanes = scenario.agents * scenario.shards;
    let spread = Spread {
        lanes,
        batch: scenario.batch,
        within_ms: step_ms,
        stale_markers: scenario.stale_markers,
        metadata: scenario.metadata,
        shards: scenario.shards,
        protocol: scenario.protocol,
    };
    let salts: Vec<u64> = scenario.scopes.iter().map(Scope::salt).collect();
    let planner = Planner::new(scenario.source(start_ms)?, expect, spread).with_scopes(&salts);
    let planner = scenario.joins.iter().fold(planner, |planner, join| {
        let after_ms = i64::try_from(join.at.0.as_millis()).unwrap_or(i64::MAX);
        planner.with_join(join.agent, start_ms.saturating_add(after_ms))
    });
    let lanes = (0..lanes).map(|_| Lane::new(scenario.batch).with_protocol(scenario.protocol)).collect();
    Ok((planner, lanes, Times { start_ms, step_ms }))
}

/// How far the data comes in a second.
fn second_ms(scenario: &Scenario) -> i64 {
    let every_ms = scenario.every.map_or(scenario.interval.0, |every| every.0).as_millis().max(1);
    i64::try_from(scenario.interval.0.as_millis() * 1000 / every_ms).unwrap_or(i64::MAX)
}

/// What the comparison has to know.
pub(super) fn setting(options: &RunOptions) -> Setting {
    let scenario = &options.scenario;
    let instances = (0..scenario.gates)
        .map(|gate| identity::of_label(proxy::INSTANCE_LABEL.as_bytes(), proxy::instance(gate).as_bytes()));
    let holds = options.variant.holds.map_or(HOLDS, |holds| holds.0);
    Setting {
        step_ms: scenario.interval_ms(),
        second_ms: second_ms(scenario),
        holds_ms: i64::try_from(holds.as_millis()).unwrap_or(i64::MAX),
        instances: if scenario.gates > 1 { instances.collect() } else { Vec::new() },
        scopes: scenario.scopes.iter().map(Scope::salt).collect(),
    }
}
