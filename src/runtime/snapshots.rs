//! Snapshots of aggregations in `data_dir`: written whole and put in place in one step, read at the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::aggregate::{Engine, Outbox, Snapshot, SnapshotError};

const NAME: &str = "aggregation.snapshot";
const NEW: &str = "aggregation.snapshot.new";
const DAMAGED: &str = "aggregation.snapshot.damaged";

/// Where snapshots live, and the keys of the series hash that they are good for.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    dir: PathBuf,
    keys: Vec<u8>,
}

impl Snapshots {
    /// Snapshots in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// If the directory cannot be made or written to.
    pub(super) fn new(dir: &Path, keys: Vec<u8>) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        // told now, not at the first snapshot
        let probe = dir.join(NEW);
        File::create(&probe)?;
        fs::remove_file(probe)?;
        Ok(Self { dir: dir.to_owned(), keys })
    }

    /// The snapshot of the last run. One that cannot be used is set aside, so that the next does not replace it.
    pub(super) fn read(dir: &Path) -> Option<Snapshot> {
        let path = dir.join(NAME);
        let read = |path: &Path| -> Result<Option<Snapshot>, SnapshotError> {
            match File::open(path) {
                Ok(file) => Snapshot::read(BufReader::new(file)).map(Some),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        match read(&path) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                Self::set_aside(dir, &error);
                None
            }
        }
    }

    /// Keeps a snapshot that cannot be used for somebody to look at.
    pub(super) fn set_aside(dir: &Path, why: &SnapshotError) {
        let (path, aside) = (dir.join(NAME), dir.join(DAMAGED));
        let moved = fs::rename(&path, &aside);
        tracing::error!(
            error = %why,
            kept_as = %aside.display(),
            moved = moved.is_ok(),
            "the snapshot {} cannot be used; aggregated counters begin at zero again",
            path.display()
        );
    }

    /// Writes a snapshot; returns its size in bytes.
    pub(super) fn write(&self, engine: &Engine, tenants: &[String], outbox: &Outbox) -> io::Result<u64> {
        let (new, path) = (self.dir.join(NEW), self.dir.join(NAME));
        // it holds the keys of the series hash
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        engine.save(&self.keys, tenants, outbox, &mut out)?;
        out.flush()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        fs::rename(&new, &path)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(size)
    }
}
