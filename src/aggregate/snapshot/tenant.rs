//! One tenant as bytes: its time, its senders, the types of its metrics, its part of each aggregation, and what waits to be
//! sent.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bytes::{Put, Source};
use super::{END, Restored, Snapshot, SnapshotError, TENANT_MAGIC, VERSION, finish, points, print_of};
use crate::aggregate::Aggregator;
use crate::aggregate::engine::Engine;
use crate::aggregate::outbox::Outbox;
use crate::aggregate::partition::{Partition, SHARDS};
use crate::aggregate::point::Point;
use crate::aggregate::stream::Stream;
use crate::aggregate::tenant::Tenant;
use crate::aggregate::types::Known;

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
    pub fn holds(&self, tenant: u32) -> bool {
        let held = |partition: &Partition| {
            partition
                .shards
                .each()
                .any(|shard| shard.groups.len() + shard.members.len() + shard.tombstones.len() > 0)
        };
        self.parts_of(tenant).iter().any(|(_, partition)| held(partition))
            || self.types.holds(tenant)
            || self.leftover.lock().iter().any(|(of, ..)| *of == tenant)
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
        self.save_streams(tenant, &mut buffer);
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
            buffer.put_i64(partition.began_ms());
            out.write_all(&buffer)?;
            save_shards(&partition, &mut buffer, &mut made, &mut out)?;
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

    fn save_streams(&self, tenant: u32, out: &mut Vec<u8>) {
        let tenant = self.tenant(tenant);
        out.put_i64(tenant.watermark.load(Ordering::Relaxed));
        let streams = tenant.streams.lock();
        out.put_u32(streams.len() as u32);
        for (sender, stream) in streams.iter() {
            out.put_bytes(sender.map_or(String::new(), |sender| sender.to_string()).as_bytes());
            let Stream { since_ms, second_ms, newest_ms, step_ms } = *stream;
            [since_ms, second_ms, newest_ms, step_ms].into_iter().for_each(|time| out.put_i64(time));
        }
    }

    /// Takes over the state of policies that are in force with the same definition. `register` is told the tenant and
    /// says its number, if there is room for it.
    ///
    /// # Errors
    /// If the snapshot does not hold what it should; then nothing of it is taken over.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        now_ms: i64,
        outbox: &Outbox,
        register: impl FnOnce(&str) -> Option<u32>,
    ) -> Result<Restored, SnapshotError> {
        let Some(tenant) = register(&snapshot.tenant) else { return Ok(Restored::default()) };
        let restored = self.restore_tenant(tenant, &mut snapshot.content.source(), now_ms, outbox);
        if restored.is_err() {
            self.forget(tenant);
        }
        restored
    }

    fn restore_tenant(
        &self,
        tenant: u32,
        source: &mut Source<'_>,
        now_ms: i64,
        outbox: &Outbox,
    ) -> Result<Restored, SnapshotError> {
        read_time(source)?.put(&self.tenant(tenant), now_ms);
        self.restore_types(tenant, source)?;
        self.begin_after_restore(tenant);
        let mut restored = Restored::default();
        for _ in 0..source.u32()? {
            let definition = source.text()?;
            let partition = self.part(definition, tenant, &mut restored);
            let began_ms = source.i64()?;
            restore_shards(partition.as_deref(), began_ms, source, &mut restored)?;
        }
        outbox.push(tenant, points::restore(source)?);
        Ok(restored)
    }

    /// The index is empty: to a policy that is not in the snapshot everybody is new, and nobody need be young.
    pub(super) fn begin_after_restore(&self, tenant: u32) {
        let watermark = self.tenant(tenant).watermark.load(Ordering::Relaxed);
        self.aggregators.read().iter().for_each(|aggregator| aggregator.begin_after(tenant, watermark));
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
        found?.partition(tenant)
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

/// The time of a tenant and its senders, as it was saved.
pub(super) struct Time {
    watermark: i64,
    streams: Vec<(Option<IpAddr>, Stream)>,
}

impl Time {
    pub(super) fn put(self, tenant: &Tenant, now_ms: i64) {
        tenant.watermark.store(self.watermark, Ordering::Relaxed);
        tenant.heard_ms.store(now_ms, Ordering::Relaxed);
        tenant.streams.lock().extend(self.streams);
    }
}

/// # Errors
/// If the bytes are not those of a tenant's time.
pub(super) fn read_time(source: &mut Source<'_>) -> Result<Time, SnapshotError> {
    let watermark = source.i64()?;
    let mut streams = Vec::new();
    for _ in 0..source.u32()? {
        let sender: Option<IpAddr> = source.text()?.parse().ok();
        let (since_ms, second_ms) = (source.i64()?, source.i64()?);
        let (newest_ms, step_ms) = (source.i64()?, source.i64()?);
        streams.push((sender, Stream { since_ms, second_ms, newest_ms, step_ms }));
    }
    Ok(Time { watermark, streams })
}

fn save_shards(
    partition: &Partition,
    buffer: &mut Vec<u8>,
    made: &mut Vec<Point>,
    out: &mut impl Write,
) -> io::Result<()> {
    for shard in partition.shards.each() {
        buffer.clear();
        shard.save(buffer);
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
    began_ms: i64,
    source: &mut Source<'_>,
    restored: &mut Restored,
) -> Result<(), SnapshotError> {
    if let Some(partition) = partition {
        partition.was_restored(began_ms);
    }
    for at in 0..SHARDS {
        let bytes = source.bytes64()?;
        let Some(mut shard) = partition.and_then(|partition| partition.shards.lock(at)) else { continue };
        shard.restore(&mut Source::new(bytes))?;
        restored.groups += shard.groups.len();
        restored.members += shard.members.len();
    }
    Ok(())
}
