//! What the last run left behind, and how this one goes on from it.

use std::collections::BTreeMap;
use std::io::{self, BufReader};

use super::Snapshots;
use super::dir::{Dir, HEAD};
use crate::aggregate::{Head, Outbox, Restored, Snapshot, SnapshotError};
use crate::pipeline::Pipeline;
use crate::policy::Definition;
use crate::series::Tenant;

/// What the last run left behind.
pub(in crate::runtime) struct Last {
    head: Option<Head>,
}

impl Last {
    pub(super) fn read(dir: &Dir) -> io::Result<Self> {
        let head = dir.open_file(HEAD)?.map(|file| Head::read(BufReader::new(file)));
        match &head {
            Some(Ok(head)) if !head.is_first() => {}
            // without the keys that are in the head nobody knows whose they are
            Some(Err(why)) => {
                dir.set_aside(HEAD, why);
                dir.parts()?.keys().for_each(|part| dir.set_aside(part, why));
            }
            // there never was a head that speaks for them, so nothing that they know of was sent
            _ => dir.parts()?.keys().try_for_each(|part| dir.remove(part))?,
        }
        Ok(Self { head: head.and_then(Result::ok) })
    }

    pub(super) fn keys(&self) -> Option<&[u8]> {
        self.head.as_ref().map(|head| &*head.keys)
    }

    /// Whether there is a head that speaks for files of tenants.
    pub(super) fn has_head(&self) -> bool {
        self.head.as_ref().is_some_and(|head| !head.is_first())
    }
}

impl Snapshots {
    /// Goes on from where the last run was. What cannot be used is set aside.
    pub(in crate::runtime) fn restore(
        &self,
        last: &Last,
        pipeline: &Pipeline,
        outbox: &Outbox,
        policies: &[Definition],
    ) -> Restored {
        let mut all = match &last.head {
            Some(head) if head.is_first() => self.restore_first(head, pipeline, outbox, policies),
            _ => Restored::default(),
        };
        let parts: Vec<String> = self.state.lock().files.keys().cloned().collect();
        for part in parts {
            match self.restore_part(&part, pipeline, outbox) {
                Ok(restored) => all += restored,
                Err(why) => {
                    self.dir.set_aside(&part, &why);
                    self.state.lock().files.remove(&part);
                }
            }
        }
        all
    }

    fn restore_part(
        &self,
        part: &str,
        pipeline: &Pipeline,
        outbox: &Outbox,
    ) -> Result<Restored, SnapshotError> {
        let Some(file) = self.dir.open_file(part)? else { return Ok(Restored::default()) };
        let snapshot = Snapshot::read(BufReader::new(file))?;
        if !snapshot.is_of(&self.keys) {
            return Err(SnapshotError::Damaged("it goes with other keys than the head"));
        }
        let now = pipeline.clock().now();
        pipeline.engine().restore(&snapshot, now, outbox, |name| self.register(pipeline, name))
    }

    fn restore_first(
        &self,
        head: &Head,
        pipeline: &Pipeline,
        outbox: &Outbox,
        policies: &[Definition],
    ) -> Restored {
        let now: BTreeMap<String, String> =
            policies.iter().filter_map(|policy| Some((policy.legacy()?, policy.canonical()))).collect();
        let restored = pipeline.engine().restore_first(
            head,
            pipeline.clock().now(),
            outbox,
            |name| self.register(pipeline, name),
            |then| now.get(then).cloned(),
        );
        restored.unwrap_or_else(|why| {
            (0..pipeline.tenants().len() as u32).for_each(|tenant| pipeline.engine().forget(tenant));
            self.dir.set_aside(HEAD, &why);
            Restored::default()
        })
    }

    fn register(&self, pipeline: &Pipeline, name: &str) -> Option<u32> {
        match pipeline.tenants().resolve(name, &self.prints) {
            Tenant::Known { group, .. } => Some(group),
            Tenant::Overflow => None,
        }
    }
}
