use std::collections::BTreeMap;
use std::fs;

use super::super::tests::{Bench, LIMITS, deliver};
use super::super::*;

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
