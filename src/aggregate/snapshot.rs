//! The state of aggregations as bytes, and back: one snapshot for each tenant, and a head with what all have in common.
//!
//! The head holds the keys of the series hash, by which members
//! are known; so it is as secret as they are.

mod doubts;
mod first;
mod numbers;
mod points;
mod shard;
mod tenant;

use std::io::{self, Read, Write};

pub use crate::record::SnapshotError;
use crate::record::{Content, END, Put, begin, finish};
use crate::series::{Fingerprint, Fingerprinter};

/// Of the head, and of all that version 1 wrote.
const MAGIC: &[u8] = b"seriesgate aggregation";
/// Of the part of one tenant.
const TENANT_MAGIC: &[u8] = b"seriesgate tenant";
/// Grows when what is written means something else.
const VERSION: u32 = 2;

/// What all tenants have in common.
pub struct Head {
    /// Keys of the series hash.
    pub keys: Vec<u8>,
    /// The state of all tenants, where version 1 wrote it.
    first: Option<Content>,
}

/// The state of one tenant in memory, checked as a whole.
#[derive(PartialEq, Eq)]
pub struct Snapshot {
    /// Whose it is.
    pub tenant: String,
    keys: Fingerprint,
    content: Content,
}

/// What was taken over from a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Aggregations whose state goes on, those of each tenant counted.
    pub policies: usize,
    /// Aggregations in the snapshot whose policies are not in force, or are others now.
    pub unknown: usize,
    /// Series that are part of groups.
    pub members: usize,
    /// Groups.
    pub groups: usize,
}

impl std::ops::AddAssign for Restored {
    fn add_assign(&mut self, other: Self) {
        self.policies += other.policies;
        self.unknown += other.unknown;
        self.members += other.members;
        self.groups += other.groups;
    }
}

impl Head {
    /// Reads and checks a head.
    ///
    /// # Errors
    /// If it is none, or damaged, or of a later version.
    pub fn read(from: impl Read) -> Result<Self, SnapshotError> {
        let mut content = Content::read(from, MAGIC, VERSION)?;
        let mut source = content.source();
        let keys = source.bytes()?.to_vec();
        if keys.len() != Fingerprinter::KEY_BYTES {
            return Err(SnapshotError::Damaged("its keys have another length"));
        }
        let left = source.len();
        content.go_on(left);
        Ok(Self { keys, first: Some(content).filter(|content| content.version == 1) })
    }

    /// Writes a head.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write(keys: &[u8], out: impl Write) -> io::Result<()> {
        let mut buffer = begin(MAGIC, VERSION);
        buffer.put_bytes(keys);
        buffer.extend_from_slice(END);
        finish(snap::write::FrameEncoder::new(out), &buffer)
    }

    /// Whether it is all there is: version 1 had no parts.
    pub fn is_first(&self) -> bool {
        self.first.is_some()
    }
}

impl Snapshot {
    /// Reads and checks the part of a tenant.
    ///
    /// # Errors
    /// If it is none, or damaged, or of a later version.
    pub fn read(from: impl Read) -> Result<Self, SnapshotError> {
        let mut content = Content::read(from, TENANT_MAGIC, VERSION)?;
        let mut source = content.source();
        let (keys, tenant) = (source.series()?, source.text()?.to_owned());
        let left = source.len();
        content.go_on(left);
        Ok(Self { tenant, keys, content })
    }

    /// Whether its members are known by these keys.
    pub fn is_of(&self, keys: &[u8]) -> bool {
        self.keys == print_of(keys)
    }
}

/// Tells keys apart.
fn print_of(keys: &[u8]) -> Fingerprint {
    let prints = Fingerprinter::from_keys(keys);
    prints.fingerprint(TENANT_MAGIC, prints.tenant(""))
}
