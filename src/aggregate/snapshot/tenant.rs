//! One tenant as bytes: its time, its senders, the types of its metrics, its part of each aggregation, and what waits to be
//! sent.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::VERSION;
use super::{END, Restored, Snapshot, TENANT_MAGIC, finish, points, print_of};
use crate::aggregate::Aggregator;
use crate::aggregate::engine::Engine;
use crate::aggregate::member::LATEST_MS;
use crate::aggregate::outbox::Outbox;
use crate::aggregate::partition::{Partition, SHARDS};
use crate::aggregate::point::Point;
use crate::aggregate::starts::Starts;
use crate::aggregate::time::TOMBSTONE_MS;
use crate::aggregate::types::Known;
use crate::clock::Now;
use crate::policy::Aggregating;
use crate::record::SnapshotError;
use crate::record::{Put, Source};

impl Engine {
    /// Whether the state of a tenant is other than when this was last asked. To be asked before it is saved.
    pub fn take_changed(&self, tenant: u32) -> bool {
        let mut changed = self.ended.lock().remove(&tenant);
        for (_, partition) in self.parts_of(tenant) {
            changed |= partition.shards.take_changed();
        }
        changed | self.types.take_changed(tenant)
    }

    /// Whether there is anything of a tenant that has to outlive the process.
    pub fn has_state(&self, tenant: u32) -> bool {
        let held = |partition: &Partition| {
            partition
                .shards
                .each()
                .any(|shard| shard.groups.len() + shard.members.len() + shard.tombstones.len() > 0)
        };
        self.parts_of(tenant).iter().any(|(_, partition)| held(partition))
            || self.types.holds(tenant)
            || self.leftover.lock().iter().any(|(of, ..)| *of == tenant)
            || self.tenant(tenant).has_just_ended()
    }

    fn parts_of(&self, tenant: u32) -> Vec<(Arc<Aggregator>, Arc<Partition>)> {
        let aggregators = self.aggregators.read();
        let part =
            |aggregator: &Arc<Aggregator>| Some((Arc::clone(aggregator), aggregator.existing(tenant)?));
        aggregators.iter().filter_map(part).collect()
    }

    /// Writes the state of one tenant, shard by shard: each is locked as long as it takes to copy it. What waits in
    /// `outbox`, and what was made and not yet collected, is part of it. Nobody may collect meanwhile.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(
        &self,
        (tenant, name): (u32, &str),
        keys: &[u8],
        outbox: &Outbox,
        out: impl Write,
    ) -> io::Result<()> {
        let mut out = snap::write::FrameEncoder::new(out);
        let mut buffer = Vec::new();
        buffer.extend_from_slice(TENANT_MAGIC);
        buffer.put_u32(VERSION);
        buffer.put_series(print_of(keys));
        buffer.put_bytes(name.as_bytes());
        self.save_time(tenant, &mut buffer);
        self.save_types(tenant, &mut buffer);
        let mut waiting = outbox.of(tenant);
        // held to the end, so that no aggregation is ended between a look at its shards and one at what it left
        let aggregators = self.aggregators.read();
        let parts: Vec<_> =
            aggregators.iter().filter_map(|all| Some((&all.definition, all.existing(tenant)?))).collect();
        buffer.put_u32(parts.len() as u32);
        out.write_all(&buffer)?;
        let mut made = Vec::new();
        for (definition, partition) in parts {
            buffer.clear();
            buffer.put_bytes(definition.as_bytes());
            out.write_all(&buffer)?;
            save_shards(&partition, &self.starts, &mut buffer, &mut made, &mut out)?;
        }
        let leftover = self.leftover.lock();
        let left = leftover.iter().filter(|(of, ..)| *of == tenant).flat_map(|(_, _, points)| points);
        waiting.extend(left.cloned());
        drop(leftover);
        waiting.append(&mut made);
        buffer.clear();
        points::save(&waiting, &mut buffer);
        buffer.extend_from_slice(END);
        finish(out, &buffer)
    }

    fn save_time(&self, tenant: u32, out: &mut Vec<u8>) {
        let tenant = self.tenant(tenant);
        let (newest, gaps) = tenant.pace(|pace| (pace.newest_ms(), pace.gaps()));
        out.put_i64(newest.unwrap_or(i64::MIN));
        out.put_u32(gaps.len() as u32);
        gaps.into_iter().for_each(|(from, to)| [from, to].into_iter().for_each(|time| out.put_i64(time)));
        let words = tenant.given_up.saved();
        out.put_u64(tenant.given_up.series());
        out.put_i64(tenant.given_up.newest_ms());
        out.put_u32(words.len() as u32);
        words.into_iter().for_each(|word| out.put_u64(word));
        out.put_i64(tenant.ended_ms.load(Ordering::Relaxed));
    }

    /// Takes over the state of policies that are in force with the same definition. Those that are gone or others now end
    /// as at a reload: their windows close, and so do their groups. `register` is told the tenant and says its number, if
    /// there is room for it.
    ///
    /// # Errors
    /// If the snapshot does not hold what it should; then nothing of it is taken over.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        now: Now,
        outbox: &Outbox,
        register: impl FnOnce(&str) -> Option<u32>,
    ) -> Result<Restored, SnapshotError> {
        let Some(tenant) = register(&snapshot.tenant) else { return Ok(Restored::default()) };
        let restored = self.restore_tenant(tenant, &mut snapshot.content.source(), now, outbox);
        if restored.is_err() {
            self.forget(tenant);
        }
        restored
    }

    fn restore_tenant(
        &self,
        tenant: u32,
        source: &mut Source<'_>,
        now: Now,
        outbox: &Outbox,
    ) -> Result<Restored, SnapshotError> {
        self.restore_time(tenant, read_time(source)?, now)?;
        self.restore_types(tenant, source)?;
        let (mut restored, mut gone) = (Restored::default(), Vec::new());
        for _ in 0..source.u32()? {
            let definition = source.text()?;
            let partition = self.part(definition, tenant, &mut restored);
            if let Some(partition) = partition {
                restore_shards(Some(&partition), VERSION, source, &mut restored)?;
                let now_ms = self.time(now).ms;
                partition.wait_anew(now_ms);
                partition.give_up_older(now_ms.saturating_sub(TOMBSTONE_MS), &self.tenant(tenant).given_up);
            } else {
                let ended = self.outside(definition);
                let partition = ended.as_ref().and_then(|ended| self.partition(ended, tenant));
                restore_shards(partition.as_deref(), VERSION, source, &mut Restored::default())?;
                gone.extend(ended);
            }
        }
        // what waits to be sent is older
        outbox.push(tenant, points::restore(source)?);
        gone.iter().for_each(|gone| self.wind_up(gone));
        Ok(restored)
    }

    /// An aggregation of a policy that is not in force, if its text can be read.
    fn outside(&self, definition: &str) -> Option<Arc<Aggregator>> {
        let Aggregating { name, definition, aggregation } = Aggregating::of_definition(definition)?;
        Some(Arc::new(Aggregator::new(name, definition, aggregation, Arc::clone(&self.totals))))
    }

    /// Goes on with the time of a tenant. The index is empty: to it everybody is new, and nobody need be young.
    ///
    /// # Errors
    /// If the filter is none.
    pub(super) fn restore_time(&self, tenant: u32, saved: SavedTime, now: Now) -> Result<(), SnapshotError> {
        self.be_unsure(now);
        self.searching.store(true, Ordering::Relaxed);
        let tenant = self.tenant(tenant);
        // it was that late already, whatever our clock shows now
        let newest = saved.newest_ms.min(LATEST_MS);
        if newest != i64::MIN {
            self.steady.lock().was(newest, now);
            tenant.pace(|pace| pace.restore(newest, saved.gaps, now.mono_ms));
        }
        tenant.ended_ms.fetch_max(saved.ended_ms, Ordering::Relaxed);
        let GivenUpSaved { series, newest_ms, words } = saved.given_up;
        match tenant.given_up.restore(series, newest_ms, &words) {
            true => Ok(()),
            false => Err(SnapshotError::Damaged("a filter of another size")),
        }
    }

    /// The part of a tenant of the aggregation with this definition, and counts whether there is one.
    pub(super) fn part(
        &self,
        definition: &str,
        tenant: u32,
        restored: &mut Restored,
    ) -> Option<Arc<Partition>> {
        let aggregators = self.aggregators.read();
        let found = aggregators.iter().find(|aggregator| *aggregator.definition == *definition);
        *(if found.is_some() { &mut restored.policies } else { &mut restored.unknown }) += 1;
        self.partition(found?, tenant)
    }

    fn save_types(&self, tenant: u32, out: &mut Vec<u8>) {
        let types = self.types.all(tenant);
        out.put_u32(types.len() as u32);
        for (family, known, age) in types {
            out.put_bytes(family.as_bytes());
            out.extend_from_slice(&[known.declared, known.seen]);
            out.put_u32(age);
        }
    }

    fn restore_types(&self, tenant: u32, source: &mut Source<'_>) -> Result<(), SnapshotError> {
        for _ in 0..source.u32()? {
            let family = source.text()?;
            let known = Known { declared: source.u8()?, seen: source.u8()? };
            self.types.restore(tenant, family, known, source.u32()?);
        }
        Ok(())
    }
}

/// The time of a tenant as it was saved.
pub(super) struct SavedTime {
    pub(super) newest_ms: i64,
    pub(super) gaps: Vec<(i64, i64)>,
    pub(super) given_up: GivenUpSaved,
    pub(super) ended_ms: i64,
}

impl Default for SavedTime {
    fn default() -> Self {
        Self { newest_ms: i64::MIN, gaps: Vec::new(), given_up: GivenUpSaved::default(), ended_ms: i64::MIN }
    }
}

pub(super) struct GivenUpSaved {
    series: u64,
    newest_ms: i64,
    words: Vec<u64>,
}

impl Default for GivenUpSaved {
    fn default() -> Self {
        Self { series: 0, newest_ms: i64::MIN, words: Vec::new() }
    }
}

/// # Errors
/// If the bytes are not those of a tenant's time.
fn read_time(source: &mut Source<'_>) -> Result<SavedTime, SnapshotError> {
    let newest_ms = source.time()?;
    let mut gaps = Vec::new();
    for _ in 0..source.u32()? {
        gaps.push((source.time()?, source.time()?));
    }
    let (series, given_up_ms) = (source.u64()?, source.time()?);
    let words: Result<_, _> = (0..source.u32()?).map(|_| source.u64()).collect();
    let given_up = GivenUpSaved { series, newest_ms: given_up_ms, words: words? };
    Ok(SavedTime { newest_ms, gaps, given_up, ended_ms: source.time()? })
}

fn save_shards(
    partition: &Partition,
    starts: &Starts,
    buffer: &mut Vec<u8>,
    made: &mut Vec<Point>,
    out: &mut impl Write,
) -> io::Result<()> {
    for shard in partition.shards.each() {
        buffer.clear();
        shard.save(starts, buffer);
        made.extend(shard.out.iter().cloned());
        drop(shard);
        out.write_all(&(buffer.len() as u64).to_le_bytes())?;
        out.write_all(buffer)?;
    }
    Ok(())
}

/// Takes over the shards of one aggregation, or reads past them where there is none.
pub(super) fn restore_shards(
    partition: Option<&Partition>,
    version: u32,
    source: &mut Source<'_>,
    restored: &mut Restored,
) -> Result<(), SnapshotError> {
    if let Some(partition) = partition {
        partition.was_restored();
    }
    for at in 0..SHARDS {
        let bytes = source.bytes64()?;
        let Some(mut shard) = partition.and_then(|partition| partition.shards.lock(at)) else { continue };
        shard.restore(&mut Source::new(bytes), version)?;
        restored.groups += shard.groups.len();
        restored.members += shard.members.len();
    }
    Ok(())
}
