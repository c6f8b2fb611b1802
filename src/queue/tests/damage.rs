//! Files that were cut off, damaged, left by a later version, or are links.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use super::super::{Header, Queue, QueueError, frame};
use super::{Bench, LIMITS, deliver};
use crate::telemetry::QueueMetrics;

#[test]
fn a_file_that_was_cut_off_has_what_is_whole_in_it_and_numbers_are_not_given_twice() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    for i in 0..3_u8 {
        bench.append(&queue, 1, 0, &[i; 20]).unwrap();
    }
    drop(queue);
    let path = bench.segments().remove(0);
    let whole = fs::read(&path).unwrap();
    let record = (whole.len() - frame::SEGMENT_HEADER) / 3;
    for length in 0..=whole.len() {
        let bench = Bench::new(LIMITS);
        fs::write(bench.dir.path().join(path.file_name().unwrap()), &whole[..length]).unwrap();
        let queue = bench.open();
        let there = length.saturating_sub(frame::SEGMENT_HEADER) / record;
        bench.append(&queue, 1, 0, b"next").unwrap();
        let mut expected: Vec<Vec<u8>> = (0..there as u8).map(|i| vec![i; 20]).collect();
        expected.push(b"next".to_vec());
        assert_eq!(deliver(&queue)[&1], expected, "{length} bytes");
        queue.close();
        let queue = bench.open();
        bench.append(&queue, 1, 0, b"last").unwrap();
        assert_eq!(deliver(&queue)[&1], [b"last"], "{length} bytes");
    }
}

#[test]
fn damage_costs_what_it_touches_and_is_counted() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    for i in 0..3_u8 {
        bench.append(&queue, 1, 0, &[i; 20]).unwrap();
    }
    drop(queue);
    let path = bench.segments().remove(0);
    let whole = fs::read(&path).unwrap();
    let record = (whole.len() - frame::SEGMENT_HEADER) / 3;
    for at in frame::SEGMENT_HEADER + record..frame::SEGMENT_HEADER + 2 * record {
        let bench = Bench::new(LIMITS);
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(bench.dir.path().join(path.file_name().unwrap()), &damaged).unwrap();
        let queue = bench.open();
        assert_eq!(deliver(&queue)[&1], [vec![0; 20], vec![2; 20]], "byte {at}");
        assert_eq!(bench.metric("damaged_total"), 1, "byte {at}");
        queue.close();
        assert_eq!(bench.segments().len(), 0, "byte {at}");
    }
}

#[test]
fn what_looks_like_a_record_inside_of_one_is_none() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    let inner = Header { id: 1, lane: 9, at: 0, samples: 1, bytes: 4, checksum: 0 };
    let mut body = inner.encode().to_vec();
    body.extend_from_slice(b"body");
    bench.append(&queue, 1, 0, &body).unwrap();
    bench.append(&queue, 1, 0, b"second").unwrap();
    drop(queue);
    let queue = bench.open();
    assert_eq!(deliver(&queue), BTreeMap::from([(1, vec![body, b"second".to_vec()])]));
}

#[test]
fn a_file_of_a_later_version_is_not_touched() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    bench.append(&queue, 1, 0, b"one").unwrap();
    drop(queue);
    let path = bench.segments().remove(0);
    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut header = [0; frame::SEGMENT_HEADER];
    file.read_exact(&mut header).unwrap();
    header[8] = 2;
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&header).unwrap();
    let before = fs::read(&path).unwrap();
    let metrics = QueueMetrics::new(&bench.registry, "up");
    let error = Queue::open(bench.dir.path(), LIMITS, metrics).err().unwrap();
    assert!(matches!(error, QueueError::Version { found: 2, known: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_link_in_the_directory_leads_nothing_out_of_it() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "mine").unwrap();
    let bench = Bench::new(LIMITS);
    for name in ["done.new", "done.recent.new"] {
        symlink(&target, bench.dir.path().join(name)).unwrap();
    }
    let queue = bench.open();
    symlink(&target, bench.dir.path().join(format!("{:020}.queue", 1))).unwrap();
    bench.append(&queue, 1, 0, b"one").unwrap();
    assert_eq!(deliver(&queue)[&1], [b"one"]);
    queue.note();
    queue.settle();
    assert_eq!(fs::read(&target).unwrap(), b"mine");
}
