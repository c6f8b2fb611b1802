//! The state of all aggregations as bytes, and back.
//!
//! A snapshot is a stream of snappy frames, each with its checksum, that begins with [`MAGIC`] and the version and ends
//! with [`END`]: one that was cut off or altered is not taken. It holds the keys of the series hash, by which members
//! are known; so it is as secret as they are.

mod bytes;
mod shard;

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use self::bytes::{Put, Source};
use super::engine::Engine;
use super::outbox::Outbox;
use super::point::{Point, PointKind};
use super::stream::Stream;
use crate::series::Fingerprinter;

const MAGIC: &[u8] = b"seriesgate aggregation";
/// Grows when what is written means something else.
const VERSION: u32 = 1;
const END: &[u8] = b"whole";
/// A snapshot larger than this, decompressed, is taken for damage: a hundred bytes for each of a hundred million series.
const MAX_BYTES: u64 = 10 << 30;

/// Why a snapshot cannot be used.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Reading or writing, a wrong checksum included.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not say what a snapshot says.
    #[error("{0}")]
    Damaged(&'static str),
    /// Another version of the program wrote it.
    #[error("it has version {0}, this program knows version {VERSION}")]
    Version(u32),
}

/// A snapshot in memory, checked as a whole.
#[derive(PartialEq, Eq)]
pub struct Snapshot {
    content: Vec<u8>,
    /// Keys of the series hash.
    pub keys: Vec<u8>,
    rest: usize,
}

/// What was taken over from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Policies whose state goes on.
    pub policies: usize,
    /// Policies in the snapshot that are not in force, or are others now.
    pub unknown: usize,
    /// Series that are part of groups.
    pub members: usize,
    /// Groups.
    pub groups: usize,
}

impl Engine {
    /// Writes all state, shard by shard: each is locked as long as it takes to copy it. What waits in `outbox`, and
    /// what was made and not yet collected, is part of the snapshot. `tenants` are the names by number.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, keys: &[u8], tenants: &[String], outbox: &Outbox, out: impl Write) -> io::Result<()> {
        let mut out = snap::write::FrameEncoder::new(out);
        let mut buffer = Vec::new();
        buffer.extend_from_slice(MAGIC);
        buffer.put_u32(VERSION);
        buffer.put_bytes(keys);
        self.save_tenants(tenants, &mut buffer);
        self.save_types(&mut buffer);
        let aggregators = self.aggregators();
        buffer.put_u32(aggregators.len() as u32);
        out.write_all(&buffer)?;
        for aggregator in aggregators {
            let partitions = aggregator.partitions();
            buffer.clear();
            buffer.put_bytes(aggregator.definition.as_bytes());
            buffer.put_u32(partitions.len() as u32);
            out.write_all(&buffer)?;
            for (tenant, partition) in partitions {
                out.write_all(&tenant.to_le_bytes())?;
                out.write_all(&partition.began_ms().to_le_bytes())?;
                let mut points = Vec::new();
                for mut shard in partition.shards.each() {
                    buffer.clear();
                    shard.save(&mut buffer);
                    points.append(&mut shard.out);
                    drop(shard);
                    out.write_all(&(buffer.len() as u64).to_le_bytes())?;
                    out.write_all(&buffer)?;
                }
                if !points.is_empty() {
                    self.leftover.lock().push((tenant, Arc::clone(&aggregator), points));
                }
            }
        }
        buffer.clear();
        let mut waiting = outbox.all();
        waiting.extend(self.leftover.lock().iter().map(|(tenant, _, points)| (*tenant, points.clone())));
        save_points(&waiting, &mut buffer);
        buffer.extend_from_slice(END);
        out.write_all(&buffer)?;
        out.into_inner().map_err(|error| io::Error::other(error.to_string()))?.flush()
    }

    fn save_tenants(&self, names: &[String], out: &mut Vec<u8>) {
        out.put_u32(names.len() as u32);
        for (number, name) in (0u32..).zip(names) {
            let tenant = self.tenant(number);
            out.put_bytes(name.as_bytes());
            out.put_i64(tenant.watermark.load(Ordering::Relaxed));
            let streams = tenant.streams.lock();
            out.put_u32(streams.len() as u32);
            for (sender, stream) in streams.iter() {
                out.put_bytes(sender.map_or(String::new(), |sender| sender.to_string()).as_bytes());
                let Stream { since_ms, second_ms, newest_ms, step_ms } = *stream;
                [since_ms, second_ms, newest_ms, step_ms].into_iter().for_each(|time| out.put_i64(time));
            }
        }
    }

    fn save_types(&self, out: &mut Vec<u8>) {
        let types = self.types.all();
        out.put_u32(types.len() as u32);
        for (tenant, family, declared, seen) in types {
            out.put_u32(tenant);
            out.put_bytes(family.as_bytes());
            out.extend_from_slice(&[declared, seen]);
        }
    }

    /// Takes over the state of policies that are in force with the same definition. `register` is told the tenants in
    /// order and says whether they have the same number now.
    ///
    /// # Errors
    /// If the snapshot does not hold what it should; some of it may have been taken over by then.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        now_ms: i64,
        outbox: &Outbox,
        mut register: impl FnMut(&str) -> Option<u32>,
    ) -> Result<Restored, SnapshotError> {
        let mut source = Source::new(&snapshot.content[snapshot.rest..]);
        let mut known = Vec::new();
        for number in 0..source.u32()? {
            let name = source.text()?;
            known.push(register(name) == Some(number));
            let tenant = self.tenant(number);
            tenant.watermark.store(source.i64()?, Ordering::Relaxed);
            tenant.heard_ms.store(now_ms, Ordering::Relaxed);
            for _ in 0..source.u32()? {
                let sender: Option<IpAddr> = source.text()?.parse().ok();
                let (since_ms, second_ms) = (source.i64()?, source.i64()?);
                let (newest_ms, step_ms) = (source.i64()?, source.i64()?);
                tenant.streams.lock().insert(sender, Stream { since_ms, second_ms, newest_ms, step_ms });
            }
        }
        for _ in 0..source.u32()? {
            let tenant = source.u32()?;
            let family = source.text()?;
            let (declared, seen) = (source.u8()?, source.u8()?);
            self.types.restore(tenant, family, declared, seen);
        }
        let mut restored = Restored::default();
        let aggregators = self.aggregators();
        // the index is empty: to a policy that is not in the snapshot everybody is new, and nobody need be young
        let watermarks = self.watermarks();
        aggregators.iter().for_each(|aggregator| aggregator.begin_after(watermarks.clone()));
        for _ in 0..source.u32()? {
            let definition = source.text()?;
            let aggregator = aggregators.iter().find(|aggregator| *aggregator.definition == *definition);
            *(if aggregator.is_some() { &mut restored.policies } else { &mut restored.unknown }) += 1;
            for _ in 0..source.u32()? {
                let (tenant, began_ms) = (source.u32()?, source.i64()?);
                let known = known.get(tenant as usize).copied().unwrap_or(false);
                let partition =
                    aggregator.filter(|_| known).and_then(|aggregator| aggregator.partition(tenant));
                if let Some(partition) = &partition {
                    partition.was_restored(began_ms);
                }
                for shard in 0..super::partition::SHARDS {
                    let bytes = source.bytes64()?;
                    let shard = partition.as_ref().and_then(|partition| partition.shards.lock(shard));
                    let Some(mut shard) = shard else { continue };
                    shard.restore(&mut Source::new(bytes))?;
                    restored.groups += shard.groups.len();
                    restored.members += shard.members.len();
                }
            }
        }
        restore_points(&mut source, &known, outbox)?;
        Ok(restored)
    }
}

impl Snapshot {
    /// Reads and checks a snapshot.
    ///
    /// # Errors
    /// If it is none, or damaged, or of another version.
    pub fn read(from: impl Read) -> Result<Self, SnapshotError> {
        let mut content = Vec::new();
        snap::read::FrameDecoder::new(from).take(MAX_BYTES).read_to_end(&mut content)?;
        let rest =
            content.strip_prefix(MAGIC).ok_or(SnapshotError::Damaged("it is no snapshot of aggregations"))?;
        let mut source = Source::new(rest);
        let version = source.u32()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        if !content.ends_with(END) {
            return Err(SnapshotError::Damaged("it is cut off"));
        }
        let keys = source.bytes()?.to_vec();
        if keys.len() != Fingerprinter::KEY_BYTES {
            return Err(SnapshotError::Damaged("its keys have another length"));
        }
        let rest = content.len() - source.len();
        Ok(Self { content, keys, rest })
    }
}

fn save_points(all: &[(u32, Vec<Point>)], out: &mut Vec<u8>) {
    out.put_u32(all.len() as u32);
    for (tenant, points) in all {
        out.put_u32(*tenant);
        out.put_u32(points.len() as u32);
        let mut last: Option<&Arc<[u8]>> = None;
        for point in points {
            let again = last.is_some_and(|last| Arc::ptr_eq(last, &point.labels));
            out.push(u8::from(again));
            if !again {
                out.put_bytes(&point.labels);
            }
            last = Some(&point.labels);
            out.put_u32(point.kin);
            out.put_u32(point.replica);
            out.put_i64(point.ms);
            out.put_u64(point.bits);
            out.push(point.kind as u8);
        }
    }
}

fn restore_points(source: &mut Source<'_>, known: &[bool], outbox: &Outbox) -> Result<(), SnapshotError> {
    for _ in 0..source.u32()? {
        let tenant = source.u32()?;
        let mut points = Vec::new();
        let mut labels: Arc<[u8]> = Arc::from([]);
        for _ in 0..source.u32()? {
            if source.u8()? == 0 {
                labels = Arc::from(source.bytes()?);
            }
            points.push(Point {
                labels: Arc::clone(&labels),
                kin: source.u32()?,
                replica: source.u32()?,
                ms: source.i64()?,
                bits: source.u64()?,
                kind: match source.u8()? {
                    0 => PointKind::Cumulative,
                    1 => PointKind::Start,
                    2 => PointKind::Gauge,
                    3 => PointKind::Stale,
                    _ => return Err(SnapshotError::Damaged("a point of no known kind")),
                },
            });
        }
        if known.get(tenant as usize).copied().unwrap_or(false) {
            outbox.push(tenant, points);
        }
    }
    Ok(())
}
