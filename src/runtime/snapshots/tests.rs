#![allow(clippy::unwrap_used)]

use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::pipeline::{Pipeline, Settings};
use crate::policy::{Action, Aggregation, Definition, Keys, Mode, PolicySet, Run, Selector};
use crate::series::Limits;

const START_MS: i64 = 1_700_000_000_000;

fn policies() -> Vec<Definition> {
    let aggregation = Aggregation {
        keys: Keys::Without(vec!["pod".into()]),
        interval_ms: 10_000,
        ..Aggregation::default()
    };
    let selectors = vec![Selector::parse("{pod!=\"\"}").unwrap()];
    let action = Action::Aggregate(aggregation.into());
    vec![Definition { name: "agg".into(), selectors, workload: None, action, mode: Mode::Enforce }]
}

/// A process: what it has in memory, and the directory.
struct Life {
    pipeline: Pipeline,
    outbox: Outbox,
    snapshots: Snapshots,
}

impl Life {
    fn begin(dir: &Path) -> Self {
        let (snapshots, last) = Snapshots::open(dir).unwrap();
        let settings = Settings {
            max_tracked: 1000,
            max_future_ms: None,
            validation: Default::default(),
            long_values: None,
            stale_markers: true,
            max_tenants: 10,
            max_decoded_bytes: 1 << 20,
            limits: Limits { max_labels: 8, max_name_bytes: 64, max_value_bytes: 64 },
            tracking: Default::default(),
            aggregation: Default::default(),
        };
        let set = PolicySet::compile(&policies(), Run::AsConfigured).unwrap();
        let prints = Fingerprinter::from_keys(snapshots.keys());
        let pipeline = Pipeline::new(settings, set, prints, Clock::manual(START_MS + 1_000_000));
        let outbox = Outbox::new(100_000);
        snapshots.restore(&last, &pipeline, &outbox, &policies());
        Self { pipeline, outbox, snapshots }
    }

    /// A counter of a tenant, some ticks of 10 s after the start.
    fn put(&self, tenant: &str, tick: i64, value: f64) {
        let sample = TimeSeries::named("hits_total", &[("pod", "a")])
            .with_sample(START_MS + tick * 10_000 - 5000, value);
        let body = encode_snappy(&WriteRequest::of(vec![sample]));
        let (mut scratch, mut outcome) = Default::default();
        self.pipeline.decide(tenant, &body, &mut scratch, &mut outcome).unwrap();
        self.pipeline.commit(&outcome);
        for (tenant, _, points) in self.pipeline.engine().collect(self.pipeline.clock().now()) {
            self.outbox.push(tenant, points);
        }
    }

    fn save(&self, now_ms: i64, all: bool) -> Saved {
        let names = self.pipeline.tenants().names();
        self.snapshots.save(self.pipeline.engine(), &names, &self.outbox, now_ms, all)
    }

    /// Sends what may be sent; returns the last value of each tenant that has one.
    fn send(&self) -> BTreeMap<u32, f64> {
        let mut last = BTreeMap::new();
        for tenant in self.outbox.ready() {
            while let Some(waiting) = self.outbox.first_of(tenant) {
                let value = waiting.outgoing.points.last().unwrap().bits;
                last.insert(tenant, f64::from_bits(value));
                self.outbox.done(tenant, waiting.number);
            }
        }
        last
    }

    fn file(&self, tenant: &str) -> String {
        Dir::part_of(tenant, &self.snapshots.prints)
    }
}

#[test]
fn only_what_changed_is_written_and_what_made_points_at_once() {
    let dir = TempDir::new().unwrap();
    let life = Life::begin(dir.path());
    assert_eq!(life.save(1, false).written, Written::default(), "there is nothing");
    for tenant in ["a", "b", "c"] {
        life.put(tenant, 1, 1.0);
    }
    assert_eq!(life.save(100_000, false).written.tenants, 3);
    assert_eq!(life.save(100_100, false).written.tenants, 0, "nothing changed");
    // without a point it waits for its time
    life.put("a", 1, 2.0);
    life.put("b", 2, 2.0);
    assert_eq!(life.save(100_200, false).written.tenants, 1, "a window of b is over");
    life.put("c", 1, 2.0);
    assert_eq!(life.save(100_300, true).written.tenants, 2, "all that changed");
    assert_eq!(life.save(100_400, true).written.tenants, 0);
    // what was sent need not wait any more
    assert_eq!(life.send(), [(1, 0.0)].into());
    assert_eq!(life.save(200_000, false).written.tenants, 1);
}

#[test]
fn what_cannot_be_written_holds_its_points_back_and_no_others() {
    let dir = TempDir::new().unwrap();
    let life = Life::begin(dir.path());
    for tick in 1..=3 {
        life.put("a", tick, tick as f64);
        life.put("b", tick, tick as f64);
    }
    assert!(life.save(0, false).failed.is_none());
    assert_eq!(life.send(), [(0, 1.0), (1, 1.0)].into());
    // a directory stands where the file would be made
    let stands_in_the_way = dir.path().join(format!("{}.new", life.file("a")));
    std::fs::create_dir(&stands_in_the_way).unwrap();
    for (tick, failed_before) in [(4, false), (5, true)] {
        life.put("a", tick, tick as f64);
        life.put("b", tick, tick as f64);
        let saved = life.save(0, false);
        assert!(saved.failed.is_some());
        assert_eq!(saved.failed_before, failed_before);
        assert_eq!(life.send(), [(1, (tick - 2) as f64)].into());
    }
    assert!(life.outbox.holds_back(0) && life.outbox.held() > 0);
    std::fs::remove_dir(&stands_in_the_way).unwrap();
    let saved = life.save(0, false);
    assert!(saved.failed.is_none() && saved.failed_before);
    assert_eq!(life.send(), [(0, 3.0)].into());
    assert!(!life.save(0, true).failed_before);
}

#[test]
fn nothing_goes_before_the_head_is_there_and_a_head_comes_after_all() {
    let dir = TempDir::new().unwrap();
    let life = Life::begin(dir.path());
    for tenant in ["a", "b"] {
        for tick in 1..=3 {
            life.put(tenant, tick, tick as f64);
        }
    }
    let stands_in_the_way = dir.path().join(format!("{}.new", life.file("b")));
    std::fs::create_dir(&stands_in_the_way).unwrap();
    assert!(life.save(0, false).failed.is_some());
    assert!(!dir.path().join(HEAD).exists() && life.send().is_empty());
    // a kill here: what is there has no head that speaks for it
    let begun = dir.path().join(life.file("a"));
    assert!(begun.exists());
    drop(life);
    let life = Life::begin(dir.path());
    assert!(!begun.exists() && life.pipeline.tenants().is_empty());
    life.put("a", 4, 1.0);
    life.put("a", 5, 1.0);
    assert!(life.save(0, false).failed.is_none());
    assert!(dir.path().join(HEAD).exists() && !life.send().is_empty());
}

/// Killed at any moment, and begun again: what was sent never falls.
#[test]
fn no_counter_falls_whenever_it_is_killed() {
    let dir = TempDir::new().unwrap();
    let mut sent: BTreeMap<String, f64> = BTreeMap::new();
    let mut life = Life::begin(dir.path());
    for tick in 1..60 {
        for (number, tenant) in ["a", "b", "c"].iter().enumerate() {
            life.put(tenant, tick, (tick * (number as i64 + 1)) as f64);
        }
        let stands_in_the_way =
            dir.path().join(format!("{}.new", life.file(["a", "b", "c"][tick as usize % 3])));
        if tick % 4 == 0 {
            std::fs::create_dir(&stands_in_the_way).unwrap();
        }
        life.save(tick * 10_000, tick % 2 == 0);
        let names = life.pipeline.tenants().names();
        for (tenant, value) in life.send() {
            let before = sent.insert(names[tenant as usize].clone(), value).unwrap_or(0.0);
            assert!(value >= before, "tick {tick}: {value} after {before}");
        }
        if tick % 4 == 0 {
            std::fs::remove_dir(&stands_in_the_way).unwrap();
        }
        if tick % 5 == 0 {
            drop(life);
            life = Life::begin(dir.path());
        }
    }
    // two windows are still open or on their way, and the first sample is where each starts from
    let expected =
        [("a", 1.0), ("b", 2.0), ("c", 3.0)].map(|(tenant, step)| (tenant.to_owned(), 57.0 * step));
    assert_eq!(sent, expected.into());
}

#[test]
fn a_directory_is_one_process_at_a_time() {
    let dir = TempDir::new().unwrap();
    let life = Life::begin(dir.path());
    let error = Snapshots::open(dir.path()).err().unwrap();
    assert!(matches!(error, DirError::InUse));
    assert!(error.to_string().contains("directory of its own"), "{error}");
    drop(life);
    assert!(Snapshots::open(dir.path()).is_ok(), "the file stays, and is free");
}

#[test]
fn a_link_in_the_directory_leads_nothing_out_of_it() {
    use std::os::unix::fs::symlink;
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let other = outside.path().join("other");
    std::fs::write(&other, "of somebody else").unwrap();
    let life = Life::begin(dir.path());
    life.put("a", 1, 1.0);
    life.put("a", 2, 2.0);
    for name in [HEAD.to_owned(), life.file("a"), "probe".to_owned()] {
        let name = if name == "probe" { name } else { format!("{name}.new") };
        symlink(&other, dir.path().join(name)).unwrap();
    }
    assert!(life.save(0, true).failed.is_none());
    assert!(dir.path().join(HEAD).symlink_metadata().unwrap().is_file());
    drop(life);
    drop(Life::begin(dir.path()));
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "of somebody else");
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    symlink(outside.path().join("made"), dir.path().join("lock")).unwrap();
    assert!(Snapshots::open(dir.path()).is_err());
    assert!(!outside.path().join("made").exists());
}

#[test]
fn the_file_of_a_tenant_without_state_goes_and_a_damaged_one_spoils_no_other() {
    let dir = TempDir::new().unwrap();
    let life = Life::begin(dir.path());
    for tenant in ["a", "b", "c"] {
        (1..=3).for_each(|tick| life.put(tenant, tick, tick as f64));
    }
    life.save(0, true);
    life.send();
    let [a, b] = ["a", "b"].map(|tenant| dir.path().join(life.file(tenant)));
    life.pipeline.engine().forget(0);
    life.save(20_000, true);
    assert!(!a.exists() && b.exists());
    drop(life);
    std::fs::write(&b, b"something else").unwrap();
    let life = Life::begin(dir.path());
    assert_eq!(life.pipeline.tenants().names(), ["c"]);
    assert_eq!(life.pipeline.engine().all_members(), 1);
    assert!(!b.exists() && b.with_extension("snapshot.damaged").exists());
}
