//! Series become part of their groups.

use std::ops::Range;
use std::sync::Arc;

use super::birth::Open;
use super::group::{Group, NONE};
use super::member::{Member, Tombstone};
use super::point::Join;
use super::shard::GroupShard;
use crate::policy::MetricKind;
use crate::series::Fingerprint;

impl GroupShard {
    /// Makes a series part of a group; idempotent. `open` says what is open of a new counter, `close` closes windows that end
    /// by then.
    pub(super) fn join(
        &mut self,
        join: &Join,
        labels: &[u8],
        open: impl Fn(&Join) -> Option<Open>,
        close: impl FnOnce(&mut Self, i64),
    ) {
        let group = match self.groups.number_of(join.group) {
            Some(group) if !self.is_left(group, join.kind) => group,
            Some(left) => self.found_again(left, join, labels),
            None => self.groups.add(self.founded(join, labels), join.bucket),
        };
        let round = self.round as u8;
        if let Some(member) = self.members.get_mut(join.series) {
            member.touch(round);
            if member.group != group {
                self.close_for(join, close);
                self.move_member(join.series, group);
            }
        } else {
            self.admit(join, group, open);
        }
    }

    /// A series leaves for another group: what a gauge was in windows that are whole belongs to the one that it leaves.
    pub(super) fn close_for(&mut self, join: &Join, close: impl FnOnce(&mut Self, i64)) {
        if self.members.get_mut(join.series).is_some_and(|member| member.is_gauge()) {
            close(self, join.first_ms.saturating_sub(1));
        }
    }

    /// Whether a group has ended as something else than `kind`, and nothing is part of it.
    pub(super) fn is_left(&self, group: u32, kind: MetricKind) -> bool {
        self.groups
            .get(group)
            .is_some_and(|group| group.kind != kind && group.members == 0 && group.from_ms == i64::MAX)
    }

    /// Makes a group of another kind out of one that has ended; it begins after the end of that.
    fn found_again(&mut self, left: u32, join: &Join, labels: &[u8]) -> u32 {
        let ended_ms = self.groups.get(left).map_or(i64::MIN, |group| group.ended_ms);
        let _left = self.groups.remove(left);
        let mut founded = self.founded(join, labels);
        founded.ended_ms = founded.ended_ms.max(ended_ms);
        self.groups.add(founded, join.bucket)
    }

    fn founded(&self, join: &Join, labels: &[u8]) -> Group {
        let block =
            |at: &Range<u32>| Arc::from(labels.get(at.start as usize..at.end as usize).unwrap_or_default());
        Group {
            series: join.group,
            kind: join.kind,
            labels: std::iter::once(&join.labels).chain(&join.others).map(block).collect(),
            kin: join.group_key,
            replica: join.replica,
            family: NONE,
            members: 0,
            total: 0.0,
            shown_total: 0.0,
            newest_ms: i64::MIN,
            from_ms: i64::MAX,
            shown: false,
            ended_ms: match join.inherits || join.first_ms <= self.others_until {
                true => self.not_before.max(join.first_ms.saturating_sub(1)),
                false => self.not_before,
            },
        }
    }

    fn admit(&mut self, join: &Join, group: u32, open: impl Fn(&Join) -> Option<Open>) {
        let Some(kind) = self.groups.get(group).map(|group| group.kind) else { return };
        let round = self.round as u8;
        let member = match kind {
            MetricKind::Gauge => Member::gauge(join.series, group, round, self.gauges.add(group)),
            MetricKind::Counter => {
                let mut member = Member::counter(join.series, group, round);
                if join.passed {
                    self.tombstones.remove(join.series);
                }
                if let Some(tombstone) = self.before(join) {
                    member.resume(&tombstone);
                } else {
                    self.doubt(join, open(join));
                }
                member
            }
        };
        self.members.insert(member, ());
        self.count_member(group, 1);
    }

    /// What there is to go on from of a counter that was here before, under this name or, a bucket, another spelling of its bound.
    fn before(&mut self, join: &Join) -> Option<Tombstone> {
        let mut names = std::iter::once(join.series).chain(join.formerly.iter().copied());
        names.find_map(|name| self.give_up(name)).and_then(|(tombstone, _)| tombstone)
    }

    /// Other policies before this one have given the series other labels.
    fn move_member(&mut self, series: Fingerprint, to: u32) {
        let Some(kind) = self.groups.get(to).map(|group| group.kind) else { return };
        let Some(member) = self.members.get_mut(series) else { return };
        let from = member.group;
        let gauge = member.is_gauge().then_some(member.payload as u32);
        member.group = to;
        match (gauge, kind) {
            (Some(number), MetricKind::Gauge) => {
                self.gauges.get_mut(number).iter_mut().for_each(|g| g.group = to)
            }
            (None, MetricKind::Counter) => {}
            // the type of a group is frozen, so that of the member is not known any more
            _ => {
                self.forget(gauge);
                self.members.remove(series);
                self.count_member(from, -1);
                return;
            }
        }
        self.count_member(from, -1);
        self.count_member(to, 1);
    }

    pub(super) fn count_member(&mut self, group: u32, by: i32) {
        if let Some(group) = self.groups.get_mut(group) {
            group.members = group.members.saturating_add_signed(by);
        }
    }
}
