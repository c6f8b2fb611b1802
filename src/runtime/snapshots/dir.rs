//! The directory: one process has it, and what is in it is put in place in one step.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::series::Fingerprinter;

/// Who has a place with a limit.
pub(super) const LIMITS: &str = "limits.snapshot";
/// What all tenants have in common; version 1 had everything in it.
pub(super) const HEAD: &str = "aggregation.snapshot";
const PREFIX: &str = "aggregation.";
const SUFFIX: &str = ".snapshot";
/// Digits between them.
const DIGITS: usize = 24;
/// Stays when the process ends, and is free then, however it ends.
const LOCK: &str = "lock";
/// Has a link refused.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Why a gate cannot have a directory.
#[derive(Debug, Error)]
pub enum DirError {
    /// Another process has it.
    #[error(
        "another gate uses it; two would take back each other's counters. Give each gate a directory of its own (a \
         StatefulSet with a volumeClaimTemplate), or stop that one first (a Deployment with `strategy: Recreate`)"
    )]
    InUse,
    /// It cannot be made, read or written to.
    #[error("{0}; it must be a directory that this user can write to")]
    Io(#[from] io::Error),
    /// No source of random numbers for the keys of the series hash.
    #[error("cannot draw the keys of the series hash: {0}")]
    Random(#[from] getrandom::Error),
}

pub(super) struct Dir {
    path: PathBuf,
    /// Held for the life of the process.
    _lock: File,
}

impl Dir {
    pub(super) fn open(path: &Path) -> Result<Self, DirError> {
        fs::create_dir_all(path)?;
        let mut lock = OpenOptions::new();
        lock.write(true).create(true).truncate(false).mode(0o600).custom_flags(NO_LINK);
        let file = lock.open(path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirError::InUse),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(dir = %path.display(), "data_dir cannot be locked; no other gate may use it");
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let dir = Self { path: path.to_owned(), _lock: file };
        // told now, not at the first snapshot
        dir.create("probe")?;
        dir.remove("probe")?;
        Ok(dir)
    }

    /// The name of a tenant's file: no text of a header gets into a path.
    pub(super) fn part_of(tenant: &str, prints: &Fingerprinter) -> String {
        let print = prints.fingerprint(tenant.as_bytes(), prints.tenant(""));
        format!("{PREFIX}{:016x}{:08x}{SUFFIX}", print.high, print.low)
    }

    /// The files of tenants, and their sizes in bytes.
    pub(super) fn parts(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut parts = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let digits = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
            if digits.is_some_and(|digits| digits.len() == DIGITS) {
                parts.insert(name, entry.metadata()?.len());
            }
        }
        Ok(parts)
    }

    /// `None` if it is not there.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        match File::open(self.path.join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file whole and puts it in place; returns its size in bytes.
    pub(super) fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let new = format!("{name}.new");
        let file = self.create(&new)?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        write(&mut out)?;
        out.flush()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        fs::rename(self.path.join(new), self.path.join(name))?;
        Ok(size)
    }

    /// A new file, in place of what a run that was killed left there: never what a link leads to.
    fn create(&self, name: &str) -> io::Result<File> {
        self.remove(name)?;
        // by what it holds series are known, or what they count
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path.join(name))
    }

    /// Makes what was put in place stay there, whatever happens to the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps a file that cannot be used for somebody to look at.
    pub(super) fn set_aside(&self, name: &str, why: &dyn std::fmt::Display) {
        let lost = match name {
            LIMITS => "limits do not know what they admitted",
            _ => "aggregated counters begin at zero again",
        };
        let (path, aside) = (self.path.join(name), self.path.join(format!("{name}.damaged")));
        let moved = fs::rename(&path, &aside);
        tracing::error!(
            error = %why,
            kept_as = %aside.display(),
            moved = moved.is_ok(),
            "the snapshot {} cannot be used; {lost}",
            path.display()
        );
    }
}
