//! One shard as bytes.

use std::sync::Arc;

use super::numbers::Numbers;
use crate::aggregate::gauges::{ABSENT, Gauge};
use crate::aggregate::group::{Group, NONE};
use crate::aggregate::member::{Member, Tombstone};
use crate::aggregate::shard::{Cell, GroupShard, Window};
use crate::aggregate::starts::Starts;
use crate::policy::MetricKind;
use crate::record::SnapshotError;
use crate::record::{Put, Source};
use crate::series::table::Slot;

impl GroupShard {
    pub(super) fn save(&self, starts: &Starts, out: &mut Vec<u8>) {
        for time in [self.closed, self.not_before] {
            out.put_i64(time);
        }
        out.put_u32(self.round);
        for count in [self.births, self.baselines, self.moved, self.reopened, self.slow, self.windows] {
            out.put_u64(count);
        }
        out.put_u32(self.groups.len() as u32);
        for (number, group) in self.groups.iter() {
            out.put_u32(number);
            self.save_group(number, group, out);
        }
        out.put_u32(self.members.len() as u32);
        self.members.for_each(|member| {
            let (series, group, stamp, payload) = member.parts();
            out.put_series(series);
            out.put_u32(group);
            out.put_u64(stamp);
            out.put_u64(payload);
        });
        out.put_u32(self.tombstones.len() as u32);
        self.tombstones.for_each(|tombstone| {
            out.put_series(tombstone.fingerprint());
            out.put_u32(tombstone.round);
            out.put_u64(tombstone.value);
            out.put_i64(tombstone.newest_ms);
        });
        self.save_doubts(starts, out);
        self.save_gauges(out);
        out.put_u32(self.open.len() as u32);
        self.open.iter().for_each(|window| save_window(window, out));
    }

    fn save_group(&self, number: u32, group: &Group, out: &mut Vec<u8>) {
        out.put_series(group.series);
        out.push(u8::from(group.kind == MetricKind::Gauge) | u8::from(group.shown) << 1);
        out.put_u32(group.labels.len() as u32);
        group.labels.iter().for_each(|labels| out.put_bytes(labels));
        out.put_u32(group.kin);
        out.put_u32(group.replica);
        out.put_u64(group.total.to_bits());
        out.put_u64(group.shown_total.to_bits());
        for time in [group.newest_ms, group.from_ms, group.ended_ms] {
            out.put_i64(time);
        }
        let bucket = self.groups.bucket(number);
        out.push(u8::from(bucket.is_some()));
        if let Some((family, bound)) = bucket {
            out.put_series(family);
            out.put_u64(bound.to_bits());
        }
    }

    /// # Errors
    /// If the bytes are not those of a shard.
    pub(super) fn restore(&mut self, source: &mut Source<'_>, version: u32) -> Result<(), SnapshotError> {
        let mut shard = GroupShard::new(0, i64::MIN);
        (shard.closed, shard.not_before) = (source.time()?, source.time()?);
        shard.round = source.u32()?;
        (shard.births, shard.baselines) = (source.u64()?, source.u64()?);
        if version > 1 {
            (shard.moved, shard.reopened) = (source.u64()?, source.u64()?);
        }
        (shard.slow, shard.windows) = (source.u64()?, source.u64()?);
        let (mut groups, mut gauges) = (Numbers::default(), Numbers::default());
        for _ in 0..source.u32()? {
            let old = source.u32()?;
            groups.put(old, shard.restore_group(source, version)?)?;
        }
        for _ in 0..source.u32()? {
            let series = source.series()?;
            let group = groups.now(source.u32()?);
            let (stamp, payload) = (source.u64()?, source.u64()?);
            let stamp = if version > 1 { stamp } else { Member::stamp_of_version_1(stamp) };
            shard.restore_member(Member::from_parts(series, group, stamp, payload), &mut gauges)?;
        }
        for _ in 0..source.u32()? {
            let series = source.series()?;
            let (round, value, newest_ms) = (source.u32()?, source.u64()?, source.time()?);
            shard.tombstones.insert(Tombstone::from_parts(series, round, value, newest_ms), ());
        }
        if version > 1 {
            shard.restore_doubts(source)?;
            shard.restore_gauges(source, &gauges)?;
        } else {
            shard.restore_first_gauges(source, (&groups, &gauges))?;
        }
        for _ in 0..source.u32()? {
            shard.open.push_back(restore_window(source, (&groups, &gauges), version)?);
        }
        *self = shard;
        Ok(())
    }

    fn save_gauges(&self, out: &mut Vec<u8>) {
        out.put_u32(self.gauges.iter().count() as u32);
        for (number, gauge) in self.gauges.iter() {
            let Gauge { group, period, bits, ms, end } = *gauge;
            out.put_u32(number);
            out.put_u32(group);
            out.push(period);
            out.put_u64(bits);
            [ms, end].into_iter().for_each(|time| out.put_i64(time));
        }
    }

    /// Its members have said what number each has now, and which group.
    fn restore_gauges(&mut self, source: &mut Source<'_>, numbers: &Numbers) -> Result<(), SnapshotError> {
        if source.u32()? != numbers.len() {
            return Err(SnapshotError::Damaged("gauges that are nobody's, or too few"));
        }
        for _ in 0..numbers.len() {
            let (number, _group) = (numbers.now(source.u32()?), source.u32()?);
            let Some(gauge) = self.gauges.get_mut(number) else {
                return Err(SnapshotError::Damaged("a gauge that is nobody's"));
            };
            (gauge.period, gauge.bits) = (source.u8()?, source.u64()?);
            (gauge.ms, gauge.end) = (source.time()?, source.time()?);
        }
        Ok(())
    }

    /// Version 1 kept what gauges were in the last window, as a window.
    fn restore_first_gauges(
        &mut self,
        source: &mut Source<'_>,
        numbers: (&Numbers, &Numbers),
    ) -> Result<(), SnapshotError> {
        let last = restore_window(source, numbers, 1)?;
        for (number, gauge) in self.gauges.iter_mut() {
            (gauge.bits, gauge.ms) = (last.values.get(number), last.times.get(number));
            gauge.end = self.closed;
        }
        Ok(())
    }

    fn restore_group(&mut self, source: &mut Source<'_>, version: u32) -> Result<u32, SnapshotError> {
        let series = source.series()?;
        if self.groups.number_of(series).is_some() {
            return Err(SnapshotError::Damaged("a group that is there twice"));
        }
        let flags = source.u8()?;
        let mut labels: Vec<Arc<[u8]>> = Vec::new();
        for _ in 0..source.u32()? {
            labels.push(Arc::from(source.bytes()?));
        }
        let (kin, replica, total) = (source.u32()?, source.u32()?, source.u64()?);
        let shown_total = if version > 1 { source.u64()? } else { total };
        let group = Group {
            series,
            kind: if flags & 1 == 0 { MetricKind::Counter } else { MetricKind::Gauge },
            shown: flags & 2 != 0,
            labels: labels.into(),
            kin,
            replica,
            // what is shown already has been counted
            total: f64::from_bits(total).max(f64::from_bits(shown_total)),
            shown_total: f64::from_bits(shown_total),
            newest_ms: source.time()?,
            from_ms: source.time()?,
            ended_ms: source.time()?,
            family: NONE,
            members: 0,
        };
        let bucket = match source.u8()? {
            0 => None,
            _ => Some((source.series()?, f64::from_bits(source.u64()?))),
        };
        Ok(self.groups.add(group, bucket))
    }

    fn restore_member(&mut self, mut member: Member, gauges: &mut Numbers) -> Result<(), SnapshotError> {
        let Some(group) = self.groups.get_mut(member.group) else {
            return Err(SnapshotError::Damaged("a series of a group that is not there"));
        };
        if self.members.get_mut(member.fingerprint()).is_some() {
            return Err(SnapshotError::Damaged("a series that is there twice"));
        }
        group.members += 1;
        if member.is_gauge() {
            let now = self.gauges.add(member.group);
            gauges.put(member.payload as u32, now)?;
            member.payload = u64::from(now);
        }
        self.members.insert(member, ());
        Ok(())
    }
}

fn save_window(window: &Window, out: &mut Vec<u8>) {
    let cells: Vec<(u32, Cell)> =
        window.cells.iter().filter(|(_, cell)| cell.newest_ms != i64::MIN).collect();
    out.put_u32(cells.len() as u32);
    for (group, cell) in cells {
        out.put_u32(group);
        out.put_u64(cell.increase.to_bits());
        out.put_i64(cell.newest_ms);
    }
    let values: Vec<(u32, u64)> = window.values.iter().filter(|(_, bits)| *bits != ABSENT).collect();
    out.put_u32(values.len() as u32);
    for (gauge, bits) in values {
        out.put_u32(gauge);
        out.put_u64(bits);
        out.push(window.periods.get(gauge));
        out.put_i64(window.times.get(gauge));
    }
}

fn restore_window(
    source: &mut Source<'_>,
    (groups, gauges): (&Numbers, &Numbers),
    version: u32,
) -> Result<Window, SnapshotError> {
    let mut window = Window::default();
    for _ in 0..source.u32()? {
        let group = groups.now(source.u32()?);
        let cell = Cell { increase: f64::from_bits(source.u64()?), newest_ms: source.time()? };
        if group != NONE {
            *window.cells.entry(group) = cell;
        }
    }
    for _ in 0..source.u32()? {
        let gauge = gauges.now(source.u32()?);
        let bits = source.u64()?;
        let period = if version > 1 { source.u8()? } else { 0 };
        let ms = source.time()?;
        if gauge == NONE {
            continue;
        }
        *window.values.entry(gauge) = bits;
        *window.periods.entry(gauge) = period;
        if ms != i64::MIN {
            *window.times.entry(gauge) = ms;
        }
    }
    Ok(window)
}

#[cfg(test)]
mod tests;
