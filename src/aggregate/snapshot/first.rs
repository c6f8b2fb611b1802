//! Version 1: all tenants in one stream, numbered, and policies named by another text.

use super::tenant::{SavedTime, restore_shards};
use super::{Head, Restored, points};
use crate::aggregate::engine::Engine;
use crate::aggregate::outbox::Outbox;
use crate::aggregate::types::Known;
use crate::clock::Now;
use crate::record::SnapshotError;
use crate::record::Source;

impl Engine {
    /// Takes over what version 1 wrote, if the head is of it. `definition_of` knows what a policy is called now, by what it
    /// was called then.
    ///
    /// # Errors
    /// If it does not hold what it should; some of it may have been taken over by then.
    pub fn restore_first(
        &self,
        head: &Head,
        now: Now,
        outbox: &Outbox,
        mut register: impl FnMut(&str) -> Option<u32>,
        definition_of: impl Fn(&str) -> Option<String>,
    ) -> Result<Restored, SnapshotError> {
        let mut restored = Restored::default();
        let Some(content) = &head.first else { return Ok(restored) };
        let source = &mut content.source();
        let mut tenants = Vec::new();
        for _ in 0..source.u32()? {
            let number = register(source.text()?);
            let time = read_time(source)?;
            if let Some(number) = number {
                self.restore_time(number, time, now)?;
            }
            tenants.push(number);
        }
        let number = |tenant: u32| tenants.get(tenant as usize).copied().flatten();
        for _ in 0..source.u32()? {
            let (tenant, family) = (number(source.u32()?), source.text()?);
            let known = Known { declared: source.u8()?, seen: source.u8()? };
            if let Some(tenant) = tenant {
                self.types.restore(tenant, family, known, 0);
            }
        }
        for _ in 0..source.u32()? {
            let then = source.text()?;
            // a policy that nobody has now is named by what it was called then
            let definition = definition_of(then).unwrap_or_else(|| then.to_owned());
            for _ in 0..source.u32()? {
                let (tenant, _began_ms) = (number(source.u32()?), source.time()?);
                let part = tenant.and_then(|tenant| self.part(&definition, tenant, &mut restored));
                restore_shards(part.as_deref(), 1, source, &mut restored)?;
            }
        }
        restore_points(source, number, outbox)?;
        Ok(restored)
    }
}

/// The newest sample, and senders: of nobody from before the start it is known that it is still watched.
fn read_time(source: &mut Source<'_>) -> Result<SavedTime, SnapshotError> {
    let newest_ms = source.time()?;
    for _ in 0..source.u32()? {
        source.text()?;
        (0..4).try_for_each(|_| source.time().map(drop))?;
    }
    Ok(SavedTime { newest_ms, ..SavedTime::default() })
}

fn restore_points(
    source: &mut Source<'_>,
    number: impl Fn(u32) -> Option<u32>,
    outbox: &Outbox,
) -> Result<(), SnapshotError> {
    for _ in 0..source.u32()? {
        let tenant = number(source.u32()?);
        let points = points::restore(source)?;
        if let Some(tenant) = tenant {
            outbox.push(tenant, points);
        }
    }
    Ok(())
}
