//! Whether a group of counters gains what its members gain: exactly where one gate saw all of them, within bounds where several
//! shared them.

use ahash::HashMap;

use super::{Setting, Verdict};
use crate::fleet::{Lane, Sent};
use crate::law::Kind;
use crate::sink::{Arrived, Ledger};

/// What is born in this time after a start, a deal or a join, in milliseconds of the data, may count from its first value on or
/// from nothing: whoever aggregates has to watch a sender before it can tell a birth from something it did not know.
const WATCHED_MS: i64 = 120_000;

/// A group is to have arrived if a member was there for so long, in milliseconds of the data: windows are shorter.
const LONG_MS: i64 = 240_000;

/// What was sent of one series, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) sent: Sent,
    /// When its agent began, and when its lane went to another gate.
    joined_ms: i64,
    moves_ms: &'a [i64],
}

/// How much a group gained, and how much its members did, at least and at most.
#[derive(Clone, Copy, Debug)]
struct Gain {
    shown: f64,
    least: f64,
    most: f64,
}

/// What was sent of every series, whatever states its object went through.
pub(super) fn members(lanes: &[Lane]) -> HashMap<u64, Member<'_>> {
    let mut all: HashMap<u64, Member<'_>> = HashMap::default();
    for lane in lanes {
        let joined_ms = lane.joined_ms().unwrap_or(0);
        for sent in lane.sent() {
            let fresh =
                Member { sent: Sent { count: 0, sum: 0, ..sent }, joined_ms, moves_ms: lane.moves_ms() };
            let known = &mut all.entry(sent.identity).or_insert(fresh).sent;
            known.count += sent.count;
            known.sum = known.sum.wrapping_add(sent.sum);
            known.times_ms = match (known.times_ms, sent.times_ms) {
                ((0, 0), times) | (times, (0, 0)) => times,
                (a, b) => (a.0.min(b.0), a.1.max(b.1)),
            };
        }
    }
    all
}

/// Members by group.
pub(super) struct Groups<'a> {
    setting: &'a Setting,
    groups: HashMap<u64, Vec<Member<'a>>>,
    /// When something began or changed: whoever was born soon after one of them may have been taken for one who was there.
    changes_ms: Vec<i64>,
    /// When the first gate came back. It may say of nothing that is older than that by its own clock that it was born, and data
    /// that goes faster than the clock is older to the end.
    restarted_ms: Option<i64>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(lanes: &[Lane], setting: &'a Setting) -> Self {
        let changes =
            lanes.iter().flat_map(|lane| lane.joined_ms().into_iter().chain(lane.moves_ms().to_vec()));
        let mut changes_ms: Vec<i64> = changes.collect();
        changes_ms.sort_unstable();
        changes_ms.dedup();
        let restarted_ms = lanes.iter().filter_map(Lane::restarted_ms).min();
        Self { setting, groups: HashMap::default(), changes_ms, restarted_ms }
    }

    /// Takes in a series that is to arrive as a part of a group.
    pub(super) fn add(&mut self, group: u64, member: Member<'a>) {
        self.groups.entry(group).or_default().push(member);
    }

    /// What a group may arrive as.
    pub(super) fn identities(&self) -> impl Iterator<Item = u64> {
        self.groups.keys().flat_map(|group| outputs(*group, self.setting))
    }

    /// Judges all of them.
    pub(super) fn judge(&self, ledger: &Ledger, verdict: &mut Verdict) {
        for (group, members) in &self.groups {
            let arrived: Vec<&Arrived> =
                outputs(*group, self.setting).filter_map(|identity| ledger.of(identity)).collect();
            self.judge_one(members, &arrived, verdict);
        }
    }

    fn judge_one(&self, members: &[Member<'a>], arrived: &[&Arrived], verdict: &mut Verdict) {
        let long = |member: &Member<'_>| member.sent.times_ms.1 - member.sent.times_ms.0 >= LONG_MS;
        if arrived.is_empty() {
            let due = members.iter().any(long);
            *if due { &mut verdict.missing_groups } else { &mut verdict.unjudged_groups } += 1;
            return;
        }
        let counters = members.iter().all(|member| member.sent.law.kind() == Kind::Counter);
        let gain = match (counters, self.setting.instances.is_empty()) {
            (false, _) => None,
            (true, true) => self.exact(members, arrived[0]),
            (true, false) => Some(self.bounds(members, arrived)),
        };
        let Some(gain) = gain else {
            verdict.unjudged_groups += 1;
            return;
        };
        let grain = gain.most.abs() * 1e-9;
        verdict.groups += 1;
        verdict.doubtful_groups += u64::from(gain.least < gain.most);
        let falls: u64 = arrived.iter().map(|one| u64::from(one.resets)).sum();
        verdict.falls += falls;
        let right = gain.shown <= gain.most + grain && gain.shown >= gain.least - grain;
        verdict.wrong_groups += u64::from(!right || falls > 0);
        if !right {
            verdict.note_worst((gain.shown, gain.least, gain.most));
        }
    }

    /// Of one gate: from the group's first point to its last it gains what its members gain.
    fn exact(&self, members: &[Member<'a>], arrived: &Arrived) -> Option<Gain> {
        let (from_ms, to_ms) = (arrived.first.0, arrived.last.0);
        if from_ms >= to_ms {
            return None;
        }
        let gained = members.iter().map(|m| self.value_at(m, to_ms) - self.value_at(m, from_ms)).sum();
        let early = members.iter().filter(|m| self.was_born(m) && self.is_early(m.sent.times_ms.0));
        let doubt: f64 = early.map(|m| at(m, m.sent.times_ms.0)).sum();
        Some(Gain { shown: shown(arrived), least: gained - doubt, most: gained })
    }

    /// Of several gates: together not more than what the members gained while they were sent, and not less than that without
    /// what each gate may not have seen of a member that came to it or left it.
    fn bounds(&self, members: &[Member<'a>], arrived: &[&Arrived]) -> Gain {
        let (mut least, mut most) = (0.0, 0.0);
        for member in members.iter().filter(|member| member.sent.times_ms.0 > 0) {
            let (first_ms, last_ms) = member.sent.times_ms;
            let gained = at(member, last_ms) - at(member, first_ms);
            least += gained - self.unseen(member);
            most += gained + if self.was_born(member) { at(member, first_ms) } else { 0.0 };
        }
        Gain { shown: arrived.iter().map(|one| shown(one)).sum(), least, most }
    }

    /// What a member gained around its start, its end and each move.
    fn unseen(&self, member: &Member<'_>) -> f64 {
        let Setting { step_ms, holds_ms, .. } = *self.setting;
        let (first_ms, last_ms) = member.sent.times_ms;
        // what a gate held when the last of its lanes left may still be there at the end
        let left_for_good = member.moves_ms.len().saturating_sub(self.setting.instances.len() - 1);
        let moves = member.moves_ms.iter().enumerate().map(|(number, ms)| {
            let held_ms = if number < left_for_good { 0 } else { holds_ms };
            (ms - step_ms - held_ms, ms + step_ms + holds_ms)
        });
        let edges = [(first_ms, first_ms + holds_ms), (last_ms - holds_ms - step_ms, last_ms)];
        let mut spans: Vec<(i64, i64)> = edges.into_iter().chain(moves).collect();
        spans.sort_unstable();
        let (mut unseen, mut until_ms) = (0.0, first_ms);
        for (from_ms, to_ms) in spans {
            let (from_ms, to_ms) = (from_ms.max(until_ms), to_ms.min(last_ms));
            if from_ms < to_ms {
                unseen += at(member, to_ms) - at(member, from_ms);
                until_ms = to_ms;
            }
        }
        unseen
    }

    /// Whether it began while its agent was there.
    fn was_born(&self, member: &Member<'_>) -> bool {
        member.sent.times_ms.0 >= member.joined_ms + self.setting.step_ms
    }

    fn is_early(&self, first_ms: i64) -> bool {
        if self.restarted_ms.is_some_and(|restarted_ms| restarted_ms <= first_ms) {
            return true;
        }
        let before = self.changes_ms.partition_point(|change_ms| *change_ms <= first_ms);
        before > 0 && first_ms - self.changes_ms[before - 1] < WATCHED_MS + 2 * self.setting.second_ms
    }

    /// What a counter had come to at a time. One that was there when its agent began had come before to what it showed first.
    fn value_at(&self, member: &Member<'_>, at_ms: i64) -> f64 {
        let (first_ms, last_ms) = member.sent.times_ms;
        if first_ms == 0 || (at_ms < first_ms && self.was_born(member)) {
            return 0.0;
        }
        let step_ms = self.setting.step_ms;
        at(member, first_ms + (at_ms.clamp(first_ms, last_ms) - first_ms) / step_ms * step_ms)
    }
}

/// The value at a time.
fn at(member: &Member<'_>, at_ms: i64) -> f64 {
    member.sent.law.at(at_ms.div_euclid(1000))
}

/// What a series of the output gained.
fn shown(arrived: &Arrived) -> f64 {
    f64::from_bits(arrived.last.1) - f64::from_bits(arrived.first.1)
}

/// What a group arrives as: once for each gate.
fn outputs(group: u64, setting: &Setting) -> impl Iterator<Item = u64> {
    let alone = setting.instances.is_empty().then_some(group);
    alone.into_iter().chain(setting.instances.iter().map(move |instance| group.wrapping_add(*instance)))
}
