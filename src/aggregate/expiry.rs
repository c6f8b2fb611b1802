//! Forgetting: members that are silent, groups that ended, tombstones that are old or too many.

use super::gauges::ABSENT;
use super::given_up::GivenUp;
use super::group::Group;
use super::member::{Member, Tombstone};
use super::shard::{GroupShard, IDLE_ROUNDS};
use super::starts::Starts;
use crate::series::Fingerprint;
use crate::series::table::Slot;
use crate::wire::v1::STALE_MARKER;

impl GroupShard {
    /// Forgets members that had no sample for long, and groups that ended before that. A counter leaves a tombstone for
    /// `rounds`; older ones are given up.
    ///
    /// Returns the groups that are removed.
    pub(super) fn expire(&mut self, rounds: u32, given_up: &GivenUp, starts: &Starts) -> Vec<Group> {
        self.round = self.round.wrapping_add(1);
        let round = self.round;
        let mut gone: Vec<Member> = Vec::new();
        let Self { groups, gauges, open, members, .. } = self;
        // with a group end its members that have ended: who comes back is decided anew
        let mut has_ended = |member: &Member| {
            let number = member.payload as u32;
            let is_over = member.is_gauge() && groups.get(member.group).is_some_and(Group::is_over);
            is_over
                && gauges.get_mut(number).is_some_and(|gauge| gauge.bits == STALE_MARKER)
                && open.iter().all(|window| window.values.get(number) == ABSENT)
        };
        members.retain(|member, ()| {
            let idle = (round as u8).wrapping_sub(member.round()) >= IDLE_ROUNDS;
            let keep = !idle && !has_ended(member);
            if !keep {
                gone.push(*member);
            }
            keep
        });
        for member in &gone {
            self.settle_last(member, starts);
            self.forget(member.is_gauge().then_some(member.payload as u32));
            self.count_member(member.group, -1);
            if let Some(tombstone) = Tombstone::of(member, round) {
                self.tombstones.insert(tombstone, ());
            }
        }
        self.give_up_tombstones(|tombstone| round.wrapping_sub(tombstone.round) > rounds, given_up);
        self.remove_ended_groups()
    }

    /// Gives up the counters whose newest sample is older than that (Unix milliseconds): their last value is too old to go
    /// on from.
    pub(super) fn give_up_older(&mut self, than_ms: i64, given_up: &GivenUp) {
        self.give_up_tombstones(|tombstone| tombstone.newest_ms < than_ms, given_up);
        let mut gone: Vec<Member> = Vec::new();
        self.members.retain(|member, ()| {
            let keep = member.is_gauge() || member.newest_ms().is_none_or(|newest_ms| newest_ms >= than_ms);
            if !keep {
                gone.push(*member);
            }
            keep
        });
        for member in &gone {
            self.count_member(member.group, -1);
            self.doubts.remove(&member.fingerprint());
            given_up.add(member.fingerprint(), member.newest_ms().unwrap_or(i64::MIN));
        }
    }

    /// Gives up what is known of all counters: the last value of none of them goes on.
    pub(super) fn give_up_all(&mut self, given_up: &GivenUp) {
        self.give_up_tombstones(|_| true, given_up);
        let round = self.round;
        self.members.for_each(|member| {
            if let Some(counter) = Tombstone::of(member, round) {
                given_up.add(counter.fingerprint(), counter.newest_ms);
            }
        });
    }

    /// Gives tombstones up.
    pub(super) fn give_up_tombstones(
        &mut self,
        mut which: impl FnMut(&Tombstone) -> bool,
        given_up: &GivenUp,
    ) {
        self.tombstones.retain(|tombstone, ()| {
            let goes = which(tombstone);
            if goes {
                given_up.add(tombstone.fingerprint(), tombstone.newest_ms);
            }
            !goes
        });
    }

    fn remove_ended_groups(&mut self) -> Vec<Group> {
        let heard_of =
            |number: u32| self.open.iter().any(|window| window.cells.get(number).newest_ms != i64::MIN);
        let over = |number: u32, group: &Group| {
            group.members == 0
                && group.is_over()
                // the next window must not begin on its stale marker
                && (group.ended_ms < self.closed || group.ended_ms <= self.not_before)
                && !heard_of(number)
        };
        let gone: Vec<u32> = self
            .groups
            .iter()
            .filter(|(number, group)| over(*number, group))
            .map(|(number, _)| number)
            .collect();
        gone.into_iter().filter_map(|number| self.groups.remove(number)).collect()
    }

    pub(super) fn forget(&mut self, gauge: Option<u32>) {
        let Some(number) = gauge else { return };
        self.gauges.remove(number);
        // another may have this number soon
        for window in &mut self.open {
            if window.values.get(number) != ABSENT {
                *window.values.entry(number) = ABSENT;
            }
        }
    }

    /// Whether it holds anything of a series.
    pub(super) fn knows(&mut self, series: Fingerprint) -> bool {
        self.members.get_mut(series).is_some() || self.tombstones.get_mut(series).is_some()
    }

    /// Forgets a series that becomes part of a group elsewhere; returns what there is to go on from, and how many
    /// members are gone. `None` if it was not here.
    pub(super) fn give_up(&mut self, series: Fingerprint) -> Option<(Option<Tombstone>, usize)> {
        if let Some(member) = self.members.get_mut(series).copied() {
            self.members.remove(series);
            self.forget(member.is_gauge().then_some(member.payload as u32));
            self.count_member(member.group, -1);
            return Some((Tombstone::of(&member, self.round), 1));
        }
        let tombstone = self.tombstones.get_mut(series).copied()?;
        self.tombstones.remove(series);
        Some((Some(tombstone), 0))
    }
}
