//! Who has a place, as a file: a restart knows it, so that what flowed keeps flowing and nothing else takes its place.
//!
//! Series are known by the keyed hash, so the keys are in the file; it is as secret as they are.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::admissions::{Admissions, State};
use super::group::{Group, Hour, Name};
use super::registry::Registry;
use super::slot::Slot;
use crate::record::{Content, END, Put, SnapshotError, Source, begin, finish};
use crate::series::table::Slot as _;
use crate::series::{Fingerprint, TenantKey};

const MAGIC: &[u8] = b"seriesgate limits";
/// Grows when what is written means something else.
const VERSION: u32 = 1;

/// What a file says.
pub struct SavedLimits {
    /// Keys of the series hash.
    pub keys: Vec<u8>,
    /// When it was written, Unix seconds.
    written: u32,
    limits: Vec<SavedLimit>,
}

struct SavedLimit {
    name: String,
    by: Vec<String>,
    groups: Vec<Group>,
    /// Series, and the position of the group of each.
    series: Vec<(Fingerprint, u32)>,
}

/// What was taken over from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Limits whose state goes on.
    pub limits: usize,
    /// Series that have their places.
    pub series: usize,
}

impl Registry {
    /// Whether something changed since this was last asked. To be asked before it is saved.
    pub fn take_changed(&self) -> bool {
        let all = self.all();
        all.iter()
            .fold(false, |changed, admissions| changed | std::mem::take(&mut admissions.state.lock().changed))
    }

    /// Says that what changed could not be saved.
    pub fn is_not_saved(&self) {
        self.all().iter().for_each(|admissions| admissions.state.lock().changed = true);
    }

    /// Writes all of it. `now`: Unix seconds of our clock.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn save(&self, keys: &[u8], now: u32, out: impl Write) -> io::Result<()> {
        let mut out = snap::write::FrameEncoder::new(out);
        let mut buffer = begin(MAGIC, VERSION);
        buffer.put_bytes(keys);
        buffer.put_u32(now);
        let all = self.all();
        buffer.put_u32(all.len() as u32);
        for admissions in all {
            admissions.save(now, &mut buffer);
            out.write_all(&buffer)?;
            buffer.clear();
        }
        buffer.extend_from_slice(END);
        finish(out, &buffer)
    }

    /// Goes on from what was saved, where the limits are still the same. What is older than `idle_seconds` says nothing any more.
    pub fn restore(&self, saved: SavedLimits, now: u32, idle_seconds: u32) -> Restored {
        let mut restored = Restored::default();
        if now.saturating_sub(saved.written) > idle_seconds {
            return restored;
        }
        for admissions in self.all() {
            let is_it = |limit: &SavedLimit| *limit.name == *admissions.name && limit.by == admissions.by;
            let Some(limit) = saved.limits.iter().find(|limit| is_it(limit)) else { continue };
            restored.limits += 1;
            restored.series += limit.series.len();
            admissions.state.lock().restore(limit, now);
        }
        restored
    }
}

impl Admissions {
    fn save(&self, now: u32, buffer: &mut Vec<u8>) {
        let state = self.state.lock();
        buffer.put_bytes(self.name.as_bytes());
        buffer.put_u32(self.by.len() as u32);
        self.by.iter().for_each(|label| buffer.put_bytes(label.as_bytes()));
        let mut positions = vec![u32::MAX; state.groups.all.len()];
        let groups = state.groups.all.iter().zip(&mut positions);
        let groups: Vec<&Group> = (0..)
            .zip(groups.filter_map(|(group, position)| Some((group.as_deref()?, position))))
            .map(|(at, (group, position))| {
                *position = at;
                group
            })
            .collect();
        buffer.put_u32(groups.len() as u32);
        groups.into_iter().for_each(|group| put_group(group, now, buffer));
        let start = buffer.len();
        buffer.put_u32(0);
        let mut count: u32 = 0;
        state.slots.for_each(|slot| {
            let position = positions.get(slot.group as usize).filter(|at| **at != u32::MAX);
            if let Some(position) = position.filter(|_| slot.is_admitted()) {
                buffer.put_series(slot.fingerprint());
                buffer.put_u32(*position);
                count += 1;
            }
        });
        buffer[start..start + 4].copy_from_slice(&count.to_le_bytes());
    }
}

impl State {
    fn restore(&mut self, limit: &SavedLimit, now: u32) {
        (self.since, self.is_restored, self.has_unseen) = (now, true, true);
        let positions: Vec<u32> =
            limit.groups.iter().map(|group| self.groups.insert(group.clone())).collect();
        for (series, at) in &limit.series {
            let Some(at) = positions.get(*at as usize) else { continue };
            if self.slots.insert(Slot::restored(*series, *at), ())
                && let Some(group) = self.groups.get_mut(*at)
            {
                group.admitted += 1;
            }
        }
    }
}

fn put_group(group: &Group, now: u32, buffer: &mut Vec<u8>) {
    buffer.put_series(group.key);
    group.tenant.to_bits().iter().for_each(|lane| buffer.put_u64(*lane));
    buffer.put_bytes(group.name.tenant.as_bytes());
    buffer.put_bytes(group.name.labels.as_bytes());
    let minutes: Vec<(u32, u32)> = group.hour.minutes(now).collect();
    buffer.put_u32(minutes.len() as u32);
    for (minute, count) in minutes {
        buffer.put_u32(minute);
        buffer.put_u32(count);
    }
}

impl SavedLimits {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it is none, or damaged, or of a later version.
    pub fn read(from: impl Read) -> Result<Self, SnapshotError> {
        let content = Content::read(from, MAGIC, VERSION)?;
        let mut source = content.source();
        let keys = source.bytes()?.to_vec();
        let written = source.u32()?;
        let limits = (0..source.u32()?).map(|_| SavedLimit::read(&mut source)).collect::<Result<_, _>>()?;
        Ok(Self { keys, written, limits })
    }

    #[cfg(test)]
    pub(super) fn limits_and_series(&self) -> (usize, usize) {
        (self.limits.len(), self.limits.iter().map(|limit| limit.series.len()).sum())
    }
}

impl SavedLimit {
    fn read(source: &mut Source<'_>) -> Result<Self, SnapshotError> {
        let name = source.text()?.to_owned();
        let by = (0..source.u32()?)
            .map(|_| Ok(source.text()?.to_owned()))
            .collect::<Result<_, SnapshotError>>()?;
        let groups = (0..source.u32()?).map(|_| read_group(source)).collect::<Result<Vec<_>, _>>()?;
        let one = |source: &mut Source<'_>| Ok((source.series()?, source.u32()?));
        let series = (0..source.u32()?).map(|_| one(source)).collect::<Result<Vec<_>, SnapshotError>>()?;
        if series.iter().any(|(_, at)| *at as usize >= groups.len()) {
            return Err(SnapshotError::Damaged("a series of a group that is not there"));
        }
        Ok(Self { name, by, groups, series })
    }
}

fn read_group(source: &mut Source<'_>) -> Result<Group, SnapshotError> {
    let key = source.series()?;
    let tenant = TenantKey::from_bits([source.u64()?, source.u64()?]);
    let name = Name { tenant: Arc::from(source.text()?), labels: source.text()?.into() };
    let mut group = Group::new(key, tenant, name);
    let mut hour = Hour::default();
    for _ in 0..source.u32()? {
        let (minute, count) = (source.u32()?, source.u32()?);
        hour.add(minute.saturating_mul(60), count);
    }
    group.hour = hour;
    Ok(group)
}
