//! The state of aggregations as bytes, and back: one snapshot for each tenant, and a head with what all have in common.
//!
//! Each is a stream of snappy frames, with their checksums, that begins with a magic word and the version and ends with
//! [`END`]: one that was cut off or altered is not taken. The head holds the keys of the series hash, by which members
//! are known; so it is as secret as they are.

mod bytes;
mod doubts;
mod error;
mod first;
mod points;
mod shard;
mod tenant;

use std::io::{self, Read, Write};

use self::bytes::{Put, Source};
pub use self::error::SnapshotError;
use self::error::VERSION;
use crate::series::{Fingerprint, Fingerprinter};

/// Of the head, and of all that version 1 wrote.
const MAGIC: &[u8] = b"seriesgate aggregation";
/// Of the part of one tenant.
const TENANT_MAGIC: &[u8] = b"seriesgate tenant";
const END: &[u8] = b"whole";
/// A snapshot larger than this, decompressed, is taken for damage: a hundred bytes for each of a hundred million series.
const MAX_BYTES: u64 = 10 << 30;

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

/// Decompressed bytes, and where in them to go on.
#[derive(PartialEq, Eq)]
struct Content {
    bytes: Vec<u8>,
    rest: usize,
    version: u32,
}

impl Content {
    /// Decompresses and checks a stream that begins with `magic`.
    fn read(from: impl Read, magic: &[u8]) -> Result<Self, SnapshotError> {
        let mut bytes = Vec::new();
        snap::read::FrameDecoder::new(from).take(MAX_BYTES).read_to_end(&mut bytes)?;
        let rest = bytes.strip_prefix(magic);
        let mut source =
            Source::new(rest.ok_or(SnapshotError::Damaged("it is no snapshot of aggregations"))?);
        let version = source.u32()?;
        if version == 0 || version > VERSION {
            return Err(SnapshotError::Version(version));
        }
        if !bytes.ends_with(END) {
            return Err(SnapshotError::Damaged("it is cut off"));
        }
        Ok(Self { rest: magic.len() + size_of::<u32>(), bytes, version })
    }

    fn source(&self) -> Source<'_> {
        Source::new(self.bytes.get(self.rest..).unwrap_or_default())
    }

    /// Goes on after what `source` has left.
    fn go_on(&mut self, left: usize) {
        self.rest = self.bytes.len() - left;
    }
}

impl Head {
    /// Reads and checks a head.
    ///
    /// # Errors
    /// If it is none, or damaged, or of a later version.
    pub fn read(from: impl Read) -> Result<Self, SnapshotError> {
        let mut content = Content::read(from, MAGIC)?;
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
        let mut buffer = Vec::new();
        buffer.extend_from_slice(MAGIC);
        buffer.put_u32(VERSION);
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
        let mut content = Content::read(from, TENANT_MAGIC)?;
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

fn finish<W: Write>(mut out: snap::write::FrameEncoder<W>, last: &[u8]) -> io::Result<()> {
    out.write_all(last)?;
    out.into_inner().map_err(|error| io::Error::other(error.to_string()))?.flush()
}
