use std::fs;
use std::sync::atomic::AtomicBool;

use super::super::tests::{Bench, LIMITS, deliver};
use super::super::*;

#[test]
fn a_full_queue_refuses_until_something_of_it_is_delivered() {
    let bench = Bench::new(Limits { max_bytes: 3 << 20, ..LIMITS });
    let queue = bench.open();
    let mut took = 0;
    while bench.append(&queue, 1, 0, &vec![0; 300 << 10]).is_ok() {
        took += 1;
    }
    assert_eq!(took, 10, "as many as have room");
    assert_eq!(bench.append(&queue, 1, 0, &vec![0; 300 << 10]), Err(AppendError::Full));
    assert_eq!(bench.metric("refused_requests_total"), 2);
    let on_disk =
        |bench: &Bench| bench.segments().iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    assert!(on_disk(&bench) <= 3 << 20);
    // nothing is settled meanwhile
    let lane = queue.take_turn().unwrap();
    let oldest = queue.oldest(lane, 3 << 20, 0);
    queue.done(lane, oldest.last().unwrap().header.id);
    queue.end_turn(lane);
    bench.append(&queue, 1, 0, &vec![0; 300 << 10]).unwrap();
}

#[test]
fn a_full_queue_lets_go_of_its_oldest_where_that_is_wanted() {
    let bench = Bench::new(Limits { max_bytes: 4 << 20, when_full: WhenFull::DropOldest, ..LIMITS });
    let queue = bench.open();
    let body = |i: u32| [&i.to_le_bytes()[..], &[0; 20 << 10]].concat();
    for i in 0..1000 {
        bench.append(&queue, u64::from(i % 3), 0, &body(i)).unwrap();
        if i == 500 {
            queue.settle();
        }
        let bytes: u64 = bench.segments().iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(bytes <= 4 << 20, "{bytes}");
    }
    // a restart does not bring back what was let go of
    drop(queue);
    let queue = bench.open();
    let delivered = deliver(&queue);
    let mut numbers: Vec<u32> = Vec::new();
    for (lane, bodies) in delivered {
        for body in bodies {
            let number = u32::from_le_bytes(body[..4].try_into().unwrap());
            assert_eq!(u64::from(number % 3), lane);
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    let first = numbers[0];
    assert_eq!(numbers, (first..1000).collect::<Vec<_>>(), "the newest, without a gap");
    assert_eq!(bench.metric("dropped_samples_total"), u64::from(first), "and the others are counted");
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
fn a_disk_that_fails_is_told_and_nothing_is_acknowledged_until_it_works_again() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    let sync = |file: &File| {
        if FAILS.load(Ordering::Relaxed) {
            Err(io::Error::other("the disk is gone"))
        } else {
            file.sync_data()
        }
    };
    let bench = Bench::new(LIMITS);
    let queue = bench.open_with(sync);
    bench.append(&queue, 1, 0, b"one").unwrap();
    FAILS.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let answer = bench.append(&queue, 1, 0, b"lost");
        assert!(
            matches!(&answer, Err(AppendError::Io(why)) if why.contains("the disk is gone")),
            "{answer:?}"
        );
    }
    FAILS.store(false, Ordering::Relaxed);
    bench.append(&queue, 1, 0, b"two").unwrap();
    assert_eq!(deliver(&queue)[&1], [b"one", b"two"]);
    assert_eq!(bench.metric("failures_total"), 3);
    queue.settle();
    assert_eq!(bench.segments().len(), 1, "files that nothing was written to do not stay");
    drop(queue);
    assert_eq!(deliver(&bench.open()).len(), 0);
}

#[test]
fn what_waits_at_one_time_shares_an_fsync() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    let bodies: Vec<Vec<u8>> = (0..500_u32).map(|i| i.to_le_bytes().to_vec()).collect();
    let answers = bench.append_all(&queue, &bodies);
    assert!(answers.iter().all(Result::is_ok));
    let syncs = bench.metric("syncs_total");
    assert!((1..250).contains(&syncs), "{syncs}");
    assert_eq!(queue.len(), 500);
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
