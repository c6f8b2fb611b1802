//! The files of aggregations: nothing in them makes reading panic, what is refused leaves nothing behind, and what is taken over is
//! written so that it can be taken over again.
#![no_main]

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use seriesgate::aggregate::{Engine, Head, Outbox, Restored, Settings, Snapshot, SnapshotError};
use seriesgate::clock::Now;
use seriesgate::config::Config;
use seriesgate::policy::{Definition, PolicySet, Run};
use seriesgate::series::{Fingerprinter, SubjectTable};

const POLICIES: &str = include_str!("../../tests/data/snapshot-v1/policies.yaml");
const NOW: Now = Now { unix_ms: 1_700_000_060_000, mono_ms: 60_000 };
/// Parts of an aggregation in a file.
const SHARDS: usize = 16;

static KEYS: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; Fingerprinter::KEY_BYTES]);

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let text = format!("upstreams: [ {{ name: a, url: 'http://127.0.0.1:1/' }} ]\n{POLICIES}");
    Config::parse(&text, "gate.yaml", Path::new("."), &|_| None).expect("a config").config.policies
});

static SET: LazyLock<PolicySet> =
    LazyLock::new(|| PolicySet::compile(&DEFINITIONS, Run::AsConfigured).expect("policies"));

// what comes after the first byte, which says of what file it is: checksums and compression would hide all of it.
fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => {
            Head::read(rest).ok();
            Snapshot::read(rest).ok();
            Head::read(&*file(b"seriesgate aggregation", 2, &[rest])).ok();
            Snapshot::read(&*file(b"seriesgate tenant", 2, &[rest])).ok();
        }
        1 => first(&file(b"seriesgate aggregation", 1, &[&sized(&KEYS), rest])),
        2 => tenant(&file(b"seriesgate tenant", 2, &[&sized(&[]), rest])),
        _ => {
            // an aggregation whose shards are all alike
            let definition = SET.aggregating().remove(2).expect("the last aggregates").definition;
            let shard = [&(rest.len() as u64).to_le_bytes()[..], rest].concat();
            let (time, types, points) = ([0; 40], [0; 4], [0; 4]);
            let one = 1u32.to_le_bytes();
            let parts = [&sized(&[]), &time[..], &types, &one, &sized(definition.as_bytes())];
            tenant(&file(b"seriesgate tenant", 2, &[&parts.concat(), &shard.repeat(SHARDS), &points]));
        }
    }
});

/// Bytes with their length before them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

/// A file as it would be on disk. That of a tenant says by which keys its series are known.
fn file(magic: &[u8], version: u32, parts: &[&[u8]]) -> Vec<u8> {
    let prints = Fingerprinter::from_keys(&KEYS);
    let print = prints.fingerprint(magic, prints.tenant(""));
    let keys = [&print.high.to_le_bytes()[..], &print.low.to_le_bytes()].concat();
    let keys = if magic.ends_with(b"tenant") { keys } else { Vec::new() };
    let mut out = snap::write::FrameEncoder::new(Vec::new());
    for part in [magic, &version.to_le_bytes(), &keys, &parts.concat(), b"whole"] {
        out.write_all(part).expect("memory takes all");
    }
    out.into_inner().expect("memory takes all")
}

fn engine() -> Engine {
    let prints = Fingerprinter::from_keys(&KEYS);
    let engine = Engine::new(Settings::default(), prints, Arc::new(SubjectTable::default()), NOW.unix_ms);
    engine.adopt(&SET.aggregating(), false);
    engine
}

fn first(file: &[u8]) {
    let Ok(head) = Head::read(file) else { return };
    assert!(head.is_first());
    let (engine, outbox) = (engine(), Outbox::new(1000));
    let definition = |then: &str| {
        let now = DEFINITIONS.iter().find(|policy| policy.legacy().as_deref() == Some(then))?;
        Some(now.canonical())
    };
    if engine.restore_first(&head, NOW, &outbox, |_| Some(0), definition).is_ok() {
        // and what is too old is given up, which version 1 did not
        let next = again(&engine, &outbox);
        assert!(next.all_members() <= engine.all_members());
        check_again(&next, &Outbox::new(1000));
    }
}

fn tenant(file: &[u8]) {
    let Ok(snapshot) = Snapshot::read(file) else { return };
    let (engine, outbox) = (engine(), Outbox::new(1000));
    match restore(&engine, &snapshot, &outbox) {
        Ok(_) => check_again(&engine, &outbox),
        Err(_) => assert_eq!((engine.all_groups(), engine.all_members(), outbox.len()), (0, 0, 0)),
    }
}

fn restore(engine: &Engine, snapshot: &Snapshot, outbox: &Outbox) -> Result<Restored, SnapshotError> {
    assert!(snapshot.is_of(&KEYS));
    engine.restore(snapshot, NOW, outbox, |_| Some(0))
}

/// An engine that goes on from what is written of another. (Time does not pass: of a file whose times contradict each other, which
/// only its checksums tell from one of ours, there may be more windows to close than anybody waits for.)
fn again(engine: &Engine, outbox: &Outbox) -> Engine {
    let mut saved = Vec::new();
    engine.save((0, ""), &KEYS, outbox, &mut saved).expect("memory takes all");
    let (next, waiting) = (self::engine(), Outbox::new(1000));
    let snapshot = Snapshot::read(&*saved).expect("what was written");
    restore(&next, &snapshot, &waiting).expect("what was taken over");
    next
}

/// What was taken over is there after one more restart.
fn check_again(engine: &Engine, outbox: &Outbox) {
    let next = again(engine, outbox);
    assert_eq!((next.all_groups(), next.all_members()), (engine.all_groups(), engine.all_members()));
}
