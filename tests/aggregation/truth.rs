//! Aggregation held against what really happened. Each scrape of a target is one digit of its counters, so that what comes
//! out says which scrapes were counted, and how often: none twice, nothing of what was before, and none left out but where
//! the rules say so.

#[path = "truth/cluster.rs"]
mod cluster;

use seriesgate::policy::{Action, Aggregation, Mode, PolicySet, Run};

use self::cluster::{Agent, COUNTERS, Cluster, MOST_STEPS, Taken, Target, digit};
use crate::outages::from;
use crate::pipeline::policy;
use crate::rig::Rig;
use crate::steps::{T, without_pod};

const HOUR_S: i64 = 3600;

/// What happens, each in one of so many steps of five seconds; 0: never.
#[derive(Clone, Copy, Default)]
struct Troubles {
    /// The upstream is away, or one agent is cut off, for up to three minutes.
    outage: u64,
    cut_off: u64,
    /// An agent is started again, and was away for up to five minutes.
    agent: u64,
    /// A gate is started again.
    gate: u64,
    /// The clock of a gate's machine is wrong for up to a minute and a half.
    clock: u64,
    /// A policy beside the one that aggregates is changed.
    reload: u64,
    /// The one that aggregates is changed.
    edit: u64,
    /// A policy in front takes some of the targets, or does so no more.
    narrow: u64,
    /// The answer to a request is lost.
    lost_answer: u64,
    /// An agent's connections go to another gate.
    moves: u64,
}

struct History {
    cluster: Cluster,
    gates: Vec<Rig>,
    troubles: Troubles,
    now_s: i64,
    refused_until_s: i64,
    /// Steps of wrong clocks, by gate, and until when.
    wrong: Vec<(i64, i64)>,
    edits: Vec<i64>,
    /// The delay of each gate's policy, and whether one in front takes some of the targets.
    delay_ms: Vec<i64>,
    narrowed: Vec<bool>,
}

/// Scopes of the same groups at several gates.
fn gate(name: Option<usize>) -> Rig {
    let mut rig = Rig::of(vec![own(name, 10_000)], 1_200_000);
    rig.pass_time(T);
    rig
}

fn own(name: Option<usize>, delay_ms: i64) -> seriesgate::policy::Definition {
    let instance = name.map(|name| ("gate".to_owned(), format!("g{name}")));
    let aggregation = Aggregation { delay_ms, instance, ..without_pod() };
    policy("own", "{target!=\"\"}", Action::Aggregate(aggregation.into()), Mode::Enforce)
}

/// Takes about half of the targets.
fn narrow(name: Option<usize>) -> seriesgate::policy::Definition {
    let instance = name.map(|name| ("gate".to_owned(), format!("g{name}")));
    let aggregation = Aggregation { suffix: Some(":some".into()), instance, ..without_pod() };
    let matches = "{target=~\".*[02468]\"}";
    policy("narrow", matches, Action::Aggregate(aggregation.into()), Mode::Enforce)
}

impl History {
    fn new(seed: u64, gates: usize, addresses: &[u8], troubles: Troubles, silent: bool) -> Self {
        Self {
            cluster: Cluster::new(seed, addresses, silent),
            gates: (0..gates).map(|name| gate((gates > 1).then_some(name))).collect(),
            troubles,
            now_s: 0,
            refused_until_s: 0,
            wrong: vec![(0, 0); gates],
            edits: Vec::new(),
            delay_ms: vec![10_000; gates],
            narrowed: vec![false; gates],
        }
    }

    fn run(mut self, seconds: i64) -> Self {
        while self.now_s < seconds {
            for gate in &mut self.gates {
                gate.gate.pipeline.clock().advance_ms(5000);
                let passed = gate.now();
                gate.pass_time(passed);
            }
            self.now_s += 5;
            // what is open at the end has to close
            if self.now_s + 300 < seconds {
                self.disturb();
            }
            self.cluster.tick(self.now_s);
            for agent in 0..self.cluster.agents.len() {
                self.send(agent);
            }
        }
        self
    }

    fn happens(&mut self, one_in: u64) -> bool {
        one_in > 0 && self.cluster.dice.one_in(one_in)
    }

    fn disturb(&mut self) {
        let Troubles { outage, cut_off, agent, gate, clock, reload, edit, narrow, moves, .. } = self.troubles;
        let mut for_s = |most: u64| 5 + self.cluster.dice.below(most) as i64;
        let (short, long, half) = (for_s(90), for_s(180), for_s(300));
        let (now, gates) = (self.now_s, self.gates.len() as u64);
        let who = self.cluster.dice.below(self.cluster.agents.len() as u64) as usize;
        let which = self.cluster.dice.below(gates) as usize;
        if self.happens(outage) {
            self.refused_until_s = now + long;
            self.cluster.agents.iter_mut().for_each(|agent| agent.calm_since_s = now + 2 * long);
        }
        if self.happens(cut_off) {
            let agent = &mut self.cluster.agents[who];
            (agent.refused_until_s, agent.calm_since_s) = (now + long, now + 2 * long);
        }
        if self.happens(agent) {
            let agent = &mut self.cluster.agents[who];
            (agent.down_until_s, agent.calm_since_s) = (now + half, now + half);
            agent.lanes.iter_mut().for_each(|lane| lane.clear());
        }
        if self.happens(moves) {
            let agent = &mut self.cluster.agents[who];
            (agent.gate, agent.calm_since_s) = (which, now);
        }
        if self.happens(gate) && self.wrong[which].1 == 0 {
            self.gates[which].restart();
            self.cluster.agents.iter_mut().for_each(|agent| agent.calm_since_s = now);
        }
        if self.happens(clock) && self.wrong[which].1 == 0 {
            let by = [-3600, -200, -20, 20, 200, 3600][self.cluster.dice.below(6) as usize];
            self.gates[which].gate.pipeline.clock().step_ms(by * 1000);
            self.wrong[which] = (by, now + short);
        }
        for gate in 0..self.gates.len() {
            let (by, until) = self.wrong[gate];
            if until > 0 && now >= until {
                self.gates[gate].gate.pipeline.clock().step_ms(-by * 1000);
                self.wrong[gate] = (0, 0);
            }
        }
        if self.happens(reload) {
            let other = policy("other", &format!("up{{a=\"{now}\"}}"), Action::Drop, Mode::Enforce);
            self.replace(which, vec![other]);
        }
        if self.happens(edit) {
            self.delay_ms[which] = 30_000 - self.delay_ms[which];
            self.replace_anyhow(which);
        }
        if self.happens(narrow) {
            self.narrowed[which] = !self.narrowed[which];
            self.replace_anyhow(which);
        }
    }

    /// The policies that aggregate change, by a reload or between a stop and a start.
    fn replace_anyhow(&mut self, gate: usize) {
        self.edits.push(self.now_s);
        if self.happens(2) {
            return self.replace(gate, Vec::new());
        }
        let policies = self.aggregating(gate);
        let rig = &mut self.gates[gate];
        let snapshot = rig.snapshot();
        rig.policies = policies;
        rig.restore(&snapshot);
        self.cluster.agents.iter_mut().for_each(|agent| agent.calm_since_s = self.now_s);
    }

    fn aggregating(&self, gate: usize) -> Vec<seriesgate::policy::Definition> {
        let name = (self.gates.len() > 1).then_some(gate);
        let narrow = self.narrowed[gate].then(|| narrow(name));
        narrow.into_iter().chain([own(name, self.delay_ms[gate])]).collect()
    }

    fn replace(&mut self, gate: usize, mut policies: Vec<seriesgate::policy::Definition>) {
        policies.extend(self.aggregating(gate));
        let rig = &mut self.gates[gate];
        rig.policies.clone_from(&policies);
        rig.gate.pipeline.replace_policies(PolicySet::compile(&policies, Run::AsConfigured).unwrap());
        rig.collect();
        self.cluster.agents.iter_mut().for_each(|agent| agent.calm_since_s = self.now_s);
    }

    /// Sends what an agent has, lane by lane.
    fn send(&mut self, agent: usize) {
        let Agent { address, gate, refused_until_s, .. } = self.cluster.agents[agent];
        let refused = self.now_s < self.refused_until_s.max(refused_until_s);
        for lane in 0..self.cluster.agents[agent].lanes.len() {
            // what was kept goes out eight requests a time
            for _ in 0..8 {
                let Some(request) = self.cluster.agents[agent].lanes[lane].front().cloned() else { break };
                from(&mut self.gates[gate], address, &request.write(), !refused);
                if refused {
                    break;
                }
                if self.happens(self.troubles.lost_answer) {
                    from(&mut self.gates[gate], address, &request.write(), true);
                }
                for (target, counter, step) in &request.holds {
                    let taken = Taken { step: *step, gate, at_s: self.now_s };
                    self.cluster.targets[*target].taken[*counter].push(taken);
                }
                self.cluster.agents[agent].lanes[lane].pop_front();
            }
        }
    }

    /// How often each scrape of a target was counted in one of its counters, at all gates together.
    fn counted(
        outputs: &[crate::world::Output],
        target: &Target,
        counter: usize,
    ) -> [u64; MOST_STEPS as usize] {
        let (name, le) = COUNTERS[counter];
        let mut counted = [0; MOST_STEPS as usize];
        for output in outputs {
            let of = |series: &&String| {
                (series.starts_with(name) || series.starts_with(&name.replace('_', ":some_")))
                    && series.contains(&format!("target=\"{}\"", target.name))
                    && (le.is_empty() || series.contains(&format!("le=\"{le}\"")))
            };
            for series in output.keys().filter(of) {
                let points = &output[series];
                assert!(points.is_sorted_by(|a, b| a.0 < b.0), "{series}: {points:?}");
                for segment in points.split(|(_, value)| value == "stale") {
                    let values: Vec<f64> = segment.iter().map(|(_, value)| value.parse().unwrap()).collect();
                    assert!(values.is_sorted(), "{series}: {points:?}");
                    let mut left = values.last().copied().unwrap_or(0.0);
                    for (step, counted) in (0..MOST_STEPS).zip(&mut counted) {
                        let times = (left / digit(step)).floor();
                        left -= times * digit(step);
                        *counted += times as u64;
                    }
                    assert_eq!(left, 0.0, "{series}: {points:?}");
                }
            }
        }
        counted
    }

    /// Holds all that came out against what happened; returns how many births were counted, and how many were not.
    fn judge(mut self, history: &str) -> (usize, usize) {
        let outputs: Vec<_> = self.gates.iter_mut().map(Rig::finish).collect();
        let (mut born, mut not) = (0, 0);
        for target in &self.cluster.targets {
            let verdicts: Vec<Option<bool>> = (0..COUNTERS.len())
                .map(|counter| self.judge_counter(&outputs, target, counter, history))
                .collect();
            let parts: Vec<bool> = verdicts[1..].iter().copied().flatten().collect();
            let whole = parts.iter().all(|born| *born == parts[0]);
            assert!(
                whole,
                "{history}: of the histogram of {} only parts were born: {verdicts:?}",
                target.name
            );
            born += verdicts.iter().filter(|verdict| **verdict == Some(true)).count();
            if target.started_s > 0 {
                not += verdicts.iter().filter(|verdict| **verdict == Some(false)).count();
            }
        }
        (born, not)
    }

    /// Whether a counter was born; `None` where nothing of it was taken.
    fn judge_counter(
        &self,
        outputs: &[crate::world::Output],
        target: &Target,
        counter: usize,
        history: &str,
    ) -> Option<bool> {
        let taken = &target.taken[counter];
        let counted = Self::counted(outputs, target, counter);
        // how often at least and at most
        let mut right = [(0, 0); MOST_STEPS as usize];
        for (before, next) in taken.iter().zip(taken.iter().skip(1)) {
            let from = (before.step + 1).max(target.process(next.step));
            let least = u64::from(!self.may_be_lost(taken, before, next));
            (from..=next.step).for_each(|step| right[step as usize] = (least, 1));
        }
        let first = taken.first();
        let at_birth = first.map_or(0..0, |first| target.process(first.step)..first.step + 1);
        let began = first.is_some_and(|first| target.began_s(first.step) > 0);
        at_birth.clone().for_each(|step| right[step as usize] = (0, u64::from(began)));
        let about = || {
            let of = (COUNTERS[counter], target.first_s, target.started_s, target.again, target.tells);
            format!(
                "{history}: {} {of:?}\ntaken {taken:?}\ncounted {counted:?}\nright {right:?}",
                target.name
            )
        };
        for (counted, (least, most)) in counted.iter().zip(right) {
            assert!((least..=most).contains(counted), "{}", about());
        }
        let born: Vec<bool> = at_birth.map(|step| counted[step as usize] > 0).collect();
        assert!(born.iter().all(|counted| *counted == born[0]), "a part of a birth: {}", about());
        born.first().copied()
    }

    /// Whether the rules let what was counted between two samples be lost: the policy was edited, or a gate cannot know
    /// whether another had it.
    fn may_be_lost(&self, taken: &[Taken], before: &Taken, next: &Taken) -> bool {
        let several = self.gates.len() > 1;
        // with several gates the rhythm is not known before the second sample, and a gap in it may be a time elsewhere
        let place = taken.iter().position(|taken| taken == before).unwrap_or(0);
        let from_s = if several { taken[place.saturating_sub(1)].at_s } else { before.at_s };
        let edited = self.edits.iter().any(|at| (from_s..=next.at_s).contains(at));
        let here: Vec<&Taken> = taken.iter().filter(|taken| taken.gate == next.gate).collect();
        let at = here.iter().position(|taken| *taken == next).unwrap_or(0);
        let far = |at: usize| here[at].step - here[at - 1].step > 1;
        edited || several && (at < 2 || before.gate != next.gate || far(at) || far(at - 1))
    }
}

/// Three histories of three hours each. `least_born`: the share of births that counts at least.
fn holds(gates: usize, addresses: &[u8], troubles: Troubles, least_born: f64) {
    let (mut born, mut not) = (0, 0);
    for seed in 1..4 {
        let history = History::new(seed, gates, addresses, troubles, true).run(3 * HOUR_S);
        let (more, others) = history.judge(&format!("seed {seed}"));
        (born, not) = (born + more, not + others);
    }
    let share = born as f64 / (born + not) as f64;
    assert!(share >= least_born, "{born} births were counted and {not} were not");
}

const ALONE: [u8; 3] = [1, 2, 3];
const BEHIND_ONE_ADDRESS: [u8; 3] = [1, 1, 2];

#[test]
fn in_a_calm_day() {
    holds(1, &ALONE, Troubles::default(), 0.85);
    holds(1, &BEHIND_ONE_ADDRESS, Troubles::default(), 0.85);
}

#[test]
fn where_backend_and_agents_are_away() {
    let troubles = Troubles { outage: 300, cut_off: 150, agent: 300, lost_answer: 20, ..Troubles::default() };
    holds(1, &ALONE, troubles, 0.2);
    holds(1, &BEHIND_ONE_ADDRESS, troubles, 0.2);
}

#[test]
fn where_the_gate_restarts_and_its_policies_change() {
    let troubles = Troubles { gate: 100, reload: 100, edit: 200, ..Troubles::default() };
    holds(1, &ALONE, troubles, 0.2);
    holds(1, &BEHIND_ONE_ADDRESS, troubles, 0.2);
}

#[test]
fn where_targets_go_from_one_policy_to_another() {
    let troubles = Troubles { narrow: 60, gate: 300, lost_answer: 50, ..Troubles::default() };
    holds(1, &ALONE, troubles, 0.1);
    holds(1, &BEHIND_ONE_ADDRESS, troubles, 0.1);
}

#[test]
fn where_the_clock_is_set() {
    let troubles = Troubles { clock: 100, ..Troubles::default() };
    holds(1, &ALONE, troubles, 0.2);
    holds(1, &BEHIND_ONE_ADDRESS, troubles, 0.2);
}

#[test]
fn where_agents_move_between_gates() {
    let troubles = Troubles { moves: 60, ..Troubles::default() };
    holds(2, &ALONE, troubles, 0.01);
    holds(3, &BEHIND_ONE_ADDRESS, troubles, 0.01);
}

#[test]
fn where_all_of_it_happens() {
    let troubles = Troubles {
        outage: 600,
        cut_off: 300,
        agent: 600,
        gate: 500,
        clock: 700,
        reload: 500,
        edit: 900,
        narrow: 900,
        lost_answer: 50,
        moves: 0,
    };
    holds(1, &ALONE, troubles, 0.1);
    holds(2, &BEHIND_ONE_ADDRESS, Troubles { moves: 200, ..troubles }, 0.0);
}
