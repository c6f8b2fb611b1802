//! Files that were cut off, damaged, left by a later version, or are links.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use super::super::{AppendError, Header, Limits, Lost, Queue, QueueError, WhenFull, frame};
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
fn what_is_damaged_is_counted_once_however_often_it_is_read() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    for body in [b"first", b"other", b"third"] {
        bench.append(&queue, 1, 0, body).unwrap();
    }
    let path = bench.segments().remove(0);
    let mut raw = fs::read(&path).unwrap();
    let at = raw.windows(5).position(|bytes| bytes == b"other").unwrap();
    raw[at] ^= 1;
    fs::write(&path, raw).unwrap();
    // as while the upstream does not take what stands in front of it
    let lane = queue.take_turn().unwrap();
    for _ in 0..3 {
        let oldest = queue.oldest(lane, 200, 0);
        let read = queue.read(&oldest);
        assert!(read[0].is_ok() && read[2].is_ok());
        assert_eq!(read[1], Err(Lost::Damaged("its checksum is wrong".to_owned())));
    }
    queue.end_turn(lane);
    assert_eq!(bench.metric("damaged_total"), 0);
    assert_eq!(deliver(&queue)[&1], [b"first", b"third"]);
    assert_eq!((bench.metric("damaged_total"), bench.metric("dropped_samples_total")), (1, 1));
}

#[test]
fn all_that_is_let_go_of_is_counted_what_stands_behind_damage_too() {
    let bench = Bench::new(Limits { max_bytes: 4 << 20, when_full: WhenFull::DropOldest, ..LIMITS });
    let queue = bench.open();
    let records = 8000;
    assert!(bench.append_all(&queue, &vec![vec![7; 100]; records as usize]).iter().all(Result::is_ok));
    drop(queue);
    let first = bench.segments().remove(0);
    // far behind what is remembered of a lane
    let mut raw = fs::read(&first).unwrap();
    let at = raw.len() / 2;
    let next = at + raw[at..].windows(4).position(|bytes| bytes == frame::RECORD_MAGIC).unwrap();
    raw[next] ^= 1;
    fs::write(&first, raw).unwrap();
    let queue = bench.open();
    // until the first file is gone
    while first.exists() {
        bench.append(&queue, 2, 0, &vec![0; 300 << 10]).unwrap();
    }
    let lost = bench.metric("dropped_samples_total");
    let left = deliver(&queue).get(&1).map_or(0, Vec::len) as u64;
    assert_eq!((lost + left, bench.metric("damaged_total")), (records - 1, 1));
}

#[test]
fn a_queue_whose_thread_has_ended_shows_no_life() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open_with(|_| panic!("as a mistake of ours would"));
    assert!(!queue.progress().1);
    assert!(matches!(bench.append(&queue, 1, 0, b"one"), Err(AppendError::Io(_))));
    let ended = || queue.to_writer.is_closed();
    while !ended() {
        std::thread::yield_now();
    }
    for _ in 0..2 {
        let (before, stuck) = queue.progress();
        assert!(stuck && queue.progress().0 == before);
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
