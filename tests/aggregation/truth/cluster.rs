//! A cluster of which is known what really happened: targets that count, and agents that scrape them and keep what nobody takes.

use std::collections::VecDeque;

use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest};

use crate::steps::T;
use crate::world::{Dice, STALE};

/// Seconds between two scrapes of a target.
pub(crate) const SCRAPE_S: i64 = 15;
/// Scrapes of a target at most: each has a digit of its own in a counter.
pub(crate) const MOST_STEPS: u32 = 26;
/// Connections of an agent; each has its share of the series.
const LANES: u64 = 2;
/// Counters of a target: name, bound.
pub(crate) const COUNTERS: [(&str, &str); 5] = [
    ("hits_total", ""),
    ("lat_bucket", "0.1"),
    ("lat_bucket", "1.0"),
    ("lat_bucket", "+Inf"),
    ("lat_count", ""),
];

/// One scrape's part in a counter: its digit, to the base of four. Later digits are smaller, so that a process that begins
/// again shows less than before.
pub(crate) fn digit(step: u32) -> f64 {
    4f64.powi((MOST_STEPS - 1 - step) as i32)
}

/// A pod with one process at a time.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) agent: usize,
    /// When it is scraped first, and how often.
    pub(crate) first_s: i64,
    pub(crate) steps: u32,
    /// When its process began.
    pub(crate) started_s: i64,
    /// The scrape before which its process begins again.
    pub(crate) again: Option<u32>,
    /// Whether it shows when its process began.
    pub(crate) tells: bool,
    /// Whether its agent says that it is gone.
    ends: bool,
    /// By counter: what a gate took, in order.
    pub(crate) taken: [Vec<Taken>; COUNTERS.len()],
}

/// A sample that a gate took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) step: u32,
    pub(crate) gate: usize,
    /// When, in seconds.
    pub(crate) at_s: i64,
}

impl Target {
    /// The first scrape of the process that a scrape sees.
    pub(crate) fn process(&self, step: u32) -> u32 {
        self.again.filter(|again| *again <= step).unwrap_or(0)
    }

    /// When the process began that a scrape sees.
    pub(crate) fn began_s(&self, step: u32) -> i64 {
        match self.process(step) {
            0 => self.started_s,
            again => self.first_s + i64::from(again) * SCRAPE_S - 3,
        }
    }

    fn value(&self, step: u32) -> f64 {
        (self.process(step)..=step).map(digit).sum()
    }

    fn labels(&self, name: &str, le: &str) -> Vec<Label> {
        let pod = format!("{}-0", self.name);
        let pairs = [("__name__", name), ("le", le), ("pod", &pod), ("target", &self.name)];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
    }
}

/// A request, and which samples of which targets' counters are in it.
#[derive(Clone, Default)]
pub(crate) struct Request {
    series: Vec<TimeSeries>,
    pub(crate) holds: Vec<(usize, usize, u32)>,
}

impl Request {
    pub(crate) fn write(&self) -> WriteRequest {
        WriteRequest::of(self.series.clone())
    }

    fn add(&mut self, labels: Vec<Label>, at_s: i64, value: f64) {
        let samples = vec![Sample { value, timestamp: T + at_s * 1000 }];
        self.series.push(TimeSeries { labels, samples, ..TimeSeries::default() });
    }
}

/// Somebody who scrapes.
pub(crate) struct Agent {
    /// The last byte of the address that it is seen under.
    pub(crate) address: u8,
    /// The gate that its connections are to.
    pub(crate) gate: usize,
    /// Whether what it sends is taken.
    pub(crate) refused_until_s: i64,
    /// Not there until then; what it kept is lost.
    pub(crate) down_until_s: i64,
    /// Since when nothing happened to it.
    pub(crate) calm_since_s: i64,
    pub(crate) lanes: Vec<VecDeque<Request>>,
}

pub(crate) struct Cluster {
    pub(crate) dice: Dice,
    pub(crate) targets: Vec<Target>,
    pub(crate) agents: Vec<Agent>,
    /// Whether targets that show no start come up, too.
    some_are_silent: bool,
}

impl Cluster {
    /// Agents under these addresses, which scrape four targets each that are old.
    pub(crate) fn new(seed: u64, addresses: &[u8], some_are_silent: bool) -> Self {
        let agent = |address: &u8| Agent {
            address: *address,
            gate: 0,
            refused_until_s: 0,
            down_until_s: 0,
            calm_since_s: 0,
            lanes: vec![VecDeque::new(); LANES as usize],
        };
        let agents = addresses.iter().map(agent).collect();
        let mut cluster = Self { dice: Dice::new(seed), targets: Vec::new(), agents, some_are_silent };
        for agent in 0..addresses.len() {
            for number in 0..4 {
                let tells = number % 2 == 0;
                cluster.add(agent, Self::offset(agent), -100_000, tells);
            }
        }
        cluster
    }

    /// When an agent scrapes, by the modulus.
    fn offset(agent: usize) -> i64 {
        5 * (agent as i64 % 3)
    }

    fn add(&mut self, agent: usize, first_s: i64, started_s: i64, tells: bool) {
        let steps = 2 + self.dice.below(u64::from(MOST_STEPS) - 1) as u32;
        let again =
            (self.dice.one_in(5) && steps > 6).then(|| 3 + self.dice.below(u64::from(steps) - 5) as u32);
        let ends = !self.dice.one_in(3);
        let name = format!("t{}", self.targets.len());
        let taken = Default::default();
        self.targets.push(Target { name, agent, first_s, steps, started_s, again, tells, ends, taken });
    }

    /// Five seconds later: targets come up, and are scraped.
    pub(crate) fn tick(&mut self, now_s: i64) {
        for agent in 0..self.agents.len() {
            if (now_s - Self::offset(agent)).rem_euclid(SCRAPE_S) != 0 {
                continue;
            }
            if self.dice.one_in(3) {
                // it began since the last scrape, or long ago and is new to the agent
                let old = self.dice.one_in(4);
                let age = 1 + self.dice.below(SCRAPE_S as u64 - 1) as i64;
                let started_s = if old { -3000 } else { now_s - age };
                let tells = old || !self.some_are_silent || self.dice.one_in(2);
                self.add(agent, now_s, started_s, tells);
            }
            if now_s >= self.agents[agent].down_until_s {
                self.scrape(agent, now_s);
            }
        }
    }

    fn scrape(&mut self, agent: usize, now_s: i64) {
        let mut requests = vec![Request::default(); LANES as usize];
        let all = self.targets.iter().enumerate().filter(|(_, target)| target.agent == agent);
        for (number, target) in all {
            let step = (now_s - target.first_s) / SCRAPE_S;
            if step < 0 || step > i64::from(target.steps) || step == i64::from(target.steps) && !target.ends {
                continue;
            }
            let step = step as u32;
            let gone = step == target.steps;
            let shown = |value: f64| if gone { f64::from_bits(STALE) } else { value };
            for (counter, (name, le)) in COUNTERS.iter().enumerate() {
                // as a hash of the labels would share them out
                let request = &mut requests[(number * 7 + counter * 5) / 3 % LANES as usize];
                request.add(target.labels(name, le), now_s, shown(target.value(step.min(target.steps - 1))));
                request.holds.extend((!gone).then_some((number, counter, step)));
            }
            if target.tells {
                let began = (T / 1000 + target.began_s(step.min(target.steps - 1))) as f64;
                let request = &mut requests[number % LANES as usize];
                request.add(target.labels("process_start_time_seconds", ""), now_s, shown(began));
            }
        }
        for (lane, request) in self.agents[agent].lanes.iter_mut().zip(requests) {
            if !request.series.is_empty() {
                lane.push_back(request);
            }
        }
    }
}
