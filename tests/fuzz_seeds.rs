//! The targets of `fuzz/` without a fuzzer: each over its seeds, over what can be cut off them, over what a byte more or less makes
//! of them, and over what a fuzzer came to (`fuzz/corpora/`, the shorter ones, a line of hex each).

#![allow(clippy::unwrap_used)] // helpers are tests too

use std::path::Path;

// what the targets are written for, so that they are the same here
extern crate self as libfuzzer_sys;

#[allow(unused_attributes)] // `no_main`
#[path = "../fuzz/fuzz_targets/codec.rs"]
mod codec;
#[allow(unused_attributes)]
#[path = "../fuzz/fuzz_targets/snapshot.rs"]
mod snapshot;
#[allow(unused_attributes)]
#[path = "../fuzz/fuzz_targets/v1.rs"]
mod v1;
#[allow(unused_attributes)]
#[path = "../fuzz/fuzz_targets/v2.rs"]
mod v2;

/// Changes of one seed at most.
const CHANGES: usize = 2_000;

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let read = |path: std::path::PathBuf| (path.display().to_string(), std::fs::read(&path).unwrap());
    files.map(|file| read(file.unwrap().path())).collect()
}

/// What a fuzzer came to.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpora").join(format!("{target}.hex"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let bytes = |line: &str| -> Vec<u8> {
        let pairs = line.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    text.lines().map(|line| (line.to_owned(), bytes(line))).collect()
}

/// Says which input it was where one fails.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with {}, or with what was made of it", self.0);
        }
    }
}

/// Runs a target over its seeds; of a long one places that are spread over it are changed.
fn run(target: &str, check: fn(&[u8])) {
    check(&[]);
    let (seeds, corpus) = (seeds(target), corpus(target));
    assert!(!seeds.is_empty() && !corpus.is_empty());
    for (name, input) in corpus {
        let _named = Named(name);
        check(&input);
    }
    for (name, seed) in seeds {
        let _named = Named(name);
        check(&seed);
        let step = (3 * seed.len()).div_ceil(CHANGES).max(1);
        for at in (0..seed.len()).step_by(step) {
            check(&seed[..at]);
            for to in [0xff, seed[at].wrapping_add(1)] {
                let mut changed = seed.clone();
                changed[at] = to;
                check(&changed);
            }
        }
    }
}

#[test]
fn the_walk_of_1_0_takes_what_prost_takes() {
    run("v1", v1::run);
}

#[test]
fn what_is_made_of_2_0_says_the_same() {
    run("v2", v2::run);
}

#[test]
fn decompression_keeps_to_its_limit() {
    run("codec", codec::run);
}

#[test]
fn files_of_aggregations_are_taken_whole_or_not_at_all() {
    run("snapshot", snapshot::run);
}

// at the end: the targets are to find it by its path
macro_rules! fuzz_target {
    (|$name:ident: $of:ty| $body:block) => {
        pub(crate) fn run($name: $of) {
            $body
        }
    };
}
pub(crate) use fuzz_target;
