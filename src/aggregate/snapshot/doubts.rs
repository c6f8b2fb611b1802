//! Counters whose start is open, as bytes.

use crate::aggregate::birth::{Open, Unsaid};
use crate::aggregate::doubt::{Doubt, First};
use crate::aggregate::shard::GroupShard;
use crate::aggregate::starts::{Keys, Starts};
use crate::record::SnapshotError;
use crate::record::{Put, Source};

impl GroupShard {
    pub(super) fn save_doubts(&self, starts: &Starts, out: &mut Vec<u8>) {
        out.put_u32(self.doubts.len() as u32);
        for (series, doubt) in &self.doubts {
            let Doubt { open: Open { since_ms, unsaid }, keys, is_part, said_ms, first, .. } = *doubt;
            // starts are not saved
            let said_ms = first.and_then(|first| starts.find(&keys, first.ms)).or(said_ms);
            out.put_series(*series);
            out.put_i64(since_ms);
            keys.numbers().into_iter().for_each(|key| out.put_u64(key));
            let born = u8::from(unsaid != Unsaid::Here) | u8::from(unsaid == Unsaid::Due) << 2;
            let given = u8::from(first.is_some()) << 1 | u8::from(said_ms.is_some()) << 3;
            out.push(born | given | u8::from(is_part) << 4);
            said_ms.into_iter().for_each(|ms| out.put_i64(ms));
            if let Some(First { ms, end, due_ms, value }) = first {
                [ms, end, due_ms].into_iter().for_each(|time| out.put_i64(time));
                out.put_u64(value.to_bits());
            }
        }
        out.put_u32(self.unborn.len() as u32);
        for (family, until) in &self.unborn {
            out.put_u64(*family);
            out.put_i64(*until);
        }
    }

    /// # Errors
    /// If the bytes are not those of such counters.
    pub(super) fn restore_doubts(&mut self, source: &mut Source<'_>) -> Result<(), SnapshotError> {
        for _ in 0..source.u32()? {
            let (series, since_ms) = (source.series()?, source.time()?);
            let mut keys = Keys::NONE.numbers();
            for key in &mut keys {
                *key = source.u64()?;
            }
            let flags = source.u8()?;
            let said_ms = if flags & 8 != 0 { Some(source.time()?) } else { None };
            let first = match flags & 2 {
                0 => None,
                _ => Some(First {
                    ms: source.time()?,
                    end: source.time()?,
                    due_ms: source.time()?,
                    value: f64::from_bits(source.u64()?),
                }),
            };
            let unsaid = match flags & 5 {
                0 => Unsaid::Here,
                1 => Unsaid::Watched,
                _ => Unsaid::Due,
            };
            let open = Open { since_ms, unsaid };
            let keys = Keys::from_numbers(keys);
            self.doubts.insert(
                series,
                Doubt { open, keys, is_part: flags & 16 != 0, said_ms, first, waits_after_ms: None },
            );
        }
        for _ in 0..source.u32()? {
            self.unborn.insert(source.u64()?, source.time()?);
        }
        Ok(())
    }
}
