use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::telemetry::Registry;

pub(super) const LIMITS: Limits =
    Limits { max_bytes: 1 << 30, when_full: WhenFull::Refuse, max_age: Duration::from_secs(3600) };

pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) registry: Registry,
    limits: Limits,
    runtime: Runtime,
}

impl Bench {
    pub(super) fn new(limits: Limits) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        Self { dir: tempfile::tempdir().unwrap(), registry: Registry::default(), limits, runtime }
    }

    pub(super) fn open(&self) -> Queue {
        self.open_with(File::sync_data)
    }

    pub(super) fn open_with(&self, sync: fn(&File) -> io::Result<()>) -> Queue {
        let metrics = QueueMetrics::new(&self.registry, "up");
        Queue::open_with(self.dir.path(), self.limits, metrics, sync).unwrap()
    }

    pub(super) fn append(&self, queue: &Queue, lane: u64, at: u32, body: &[u8]) -> Result<(), AppendError> {
        let head = b"head".to_vec();
        let body = Bytes::copy_from_slice(body);
        self.runtime.block_on(queue.append(Item { lane, at, samples: 1, head, body }))
    }

    /// Several at one time.
    pub(super) fn append_all(&self, queue: &Queue, bodies: &[Vec<u8>]) -> Vec<Result<(), AppendError>> {
        self.runtime.block_on(async {
            let mut answers = Vec::new();
            for body in bodies {
                let (done, answer) = oneshot::channel();
                let body = Bytes::copy_from_slice(body);
                let item = Item { lane: 1, at: 0, samples: 1, head: b"head".to_vec(), body };
                queue.to_writer.send(Append { item, done }).await.unwrap();
                answers.push(answer);
            }
            let mut all = Vec::new();
            for answer in answers {
                all.push(answer.await.unwrap());
            }
            all
        })
    }

    pub(super) fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ext| ext == "queue"));
        paths.sort();
        paths
    }

    /// A counter or a gauge of the queue, summed over its other labels.
    pub(super) fn metric(&self, name: &str) -> u64 {
        let text = self.registry.render();
        let of = |line: &&str| line.starts_with(&format!("seriesgate_queue_{name}{{"));
        text.lines()
            .filter(of)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
            .sum()
    }
}

/// Delivers all that waits, lane by lane as their turns come: the bodies in order.
pub(super) fn deliver(queue: &Queue) -> BTreeMap<u64, Vec<Vec<u8>>> {
    let mut delivered: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    while !queue.is_empty() || queue.shared.state.lock().unread.is_some() {
        for (lane, bodies) in deliver_some(queue) {
            delivered.entry(lane).or_default().extend(bodies);
        }
        queue.settle();
    }
    delivered
}

/// Delivers what is remembered of the lanes that nobody has.
pub(super) fn deliver_some(queue: &Queue) -> BTreeMap<u64, Vec<Vec<u8>>> {
    let mut delivered: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    while let Some(lane) = queue.take_turn() {
        let oldest = queue.oldest(lane, 200, 0);
        for (entry, record) in oldest.iter().zip(queue.read(&oldest)) {
            match record {
                Ok(record) => {
                    assert_eq!((&record.head[..], record.header.lane), (&b"head"[..], lane));
                    delivered.entry(lane).or_default().push(record.body.to_vec());
                    queue.done(lane, entry.header.id);
                }
                Err(lost) => queue.lose(entry, &lost),
            }
        }
        queue.end_turn(lane);
    }
    delivered
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    /// Deliver of so many lanes.
    Deliver(usize),
    Settle,
    /// The process ends at once.
    Kill,
    /// The process ends as it should.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..5).prop_map(Step::Append),
        3 => (1usize..4).prop_map(Step::Deliver),
        1 => Just(Step::Settle),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every record that was acknowledged is delivered, and those of a lane in order; a kill repeats some of the last, a restart none.
    /// There are more records than are remembered.
    #[test]
    fn nothing_is_lost_and_lanes_keep_their_order(steps in steps()) {
        let bench = Bench::new(LIMITS);
        let mut queue = bench.open();
        // by lane: how many were appended, and delivered
        let mut appended: BTreeMap<u64, u32> = BTreeMap::new();
        let mut delivered: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let mut killed = false;
        let number = |body: &[u8]| u32::from_le_bytes(body[..4].try_into().unwrap());
        for step in steps {
            match step {
                Step::Append(lane) => {
                    let next = appended.entry(lane).or_default();
                    for _ in 0..6 {
                        bench.append(&queue, lane, 0, &next.to_le_bytes()).unwrap();
                        *next += 1;
                    }
                }
                Step::Deliver(lanes) => {
                    for _ in 0..lanes {
                        let Some(lane) = queue.take_turn() else { break };
                        let oldest = queue.oldest(lane, 100, 0);
                        for record in queue.read(&oldest) {
                            delivered.entry(lane).or_default().push(number(&record.unwrap().body));
                        }
                        queue.done(lane, oldest.last().unwrap().header.id);
                        queue.end_turn(lane);
                    }
                }
                Step::Settle => queue.settle(),
                Step::Kill => {
                    killed = true;
                    drop(queue);
                    queue = bench.open();
                }
                Step::Restart => {
                    queue.close();
                    drop(queue);
                    queue = bench.open();
                }
            }
            let all: u64 = appended.values().map(|count| u64::from(*count)).sum();
            prop_assert!(queue.len() <= all);
        }
        for (lane, bodies) in deliver(&queue) {
            delivered.entry(lane).or_default().extend(bodies.iter().map(|body| number(body)));
        }
        for (lane, count) in appended {
            let got = delivered.remove(&lane).unwrap_or_default();
            if !killed {
                prop_assert_eq!(&got, &(0..count).collect::<Vec<_>>(), "each once");
            }
            let mut next = 0;
            for number in &got {
                prop_assert!(*number <= next, "lane {} goes back or leaves nothing out: {:?}", lane, got);
                next = number + 1;
            }
            prop_assert_eq!(next, count, "the last is there");
        }
        queue.close();
        prop_assert_eq!(bench.segments().len(), 0);
        prop_assert_eq!(bench.metric("damaged_total"), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Where the oldest is let go of, each record is delivered or counted as lost, and what waits is known, restarts included.
    #[test]
    fn what_is_let_go_of_is_counted(steps in steps(), lanes in 1u64..6) {
        let bench = Bench::new(Limits { max_bytes: 4 << 20, when_full: WhenFull::DropOldest, ..LIMITS });
        let mut queue = bench.open();
        let (mut appended, mut delivered) = (0, 0);
        for step in steps {
            match step {
                Step::Append(lane) => {
                    for size in [10, 200, 120 << 10] {
                        bench.append(&queue, lane % lanes, 0, &vec![7; size]).unwrap();
                        appended += 1;
                    }
                }
                Step::Deliver(lanes) => {
                    for lane in (0..lanes).map_while(|_| queue.take_turn()).collect::<Vec<_>>() {
                        let oldest = queue.oldest(lane, 1000, 0);
                        delivered += oldest.len() as u64;
                        if let Some(last) = oldest.last() {
                            queue.done(lane, last.header.id);
                        }
                        queue.end_turn(lane);
                    }
                }
                Step::Settle => queue.settle(),
                // a kill delivers again what is not written down
                Step::Kill | Step::Restart => {
                    queue.close();
                    drop(queue);
                    queue = bench.open();
                }
            }
            let is_found = queue.shared.state.lock().unread.is_none();
            let gone = delivered + bench.metric("dropped_samples_total");
            prop_assert!(!is_found || queue.len() + gone == appended, "{} + {gone} of {appended}", queue.len());
        }
        delivered += deliver(&queue).values().map(|bodies| bodies.len() as u64).sum::<u64>();
        prop_assert_eq!(delivered + bench.metric("dropped_samples_total"), appended);
        queue.close();
        prop_assert_eq!((queue.len(), bench.segments().len()), (0, 0));
    }
}

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
fn what_is_too_old_is_let_go_of_and_counted() {
    let bench = Bench::new(Limits { max_age: Duration::from_secs(100), ..LIMITS });
    let queue = bench.open();
    for at in [1000, 1050, 1100, 1099] {
        bench.append(&queue, 1, at, &at.to_le_bytes()).unwrap();
    }
    let lane = queue.take_turn().unwrap();
    let ats = |entries: &[Entry]| entries.iter().map(|entry| entry.header.at).collect::<Vec<_>>();
    assert_eq!(ats(&queue.oldest(lane, 1000, 1150)), [1050, 1100, 1099]);
    assert_eq!(ats(&queue.oldest(lane, 0, 1150)), [1050], "one, however large");
    assert_eq!(queue.oldest(lane, 1000, 1201), []);
    assert_eq!(bench.metric("dropped_samples_total"), 4);
    assert_eq!(ats(&queue.oldest(lane, 1000, u32::MAX)), [0; 0]);
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

#[test]
fn a_file_that_cannot_be_read_stays_for_another_run() {
    let bench = Bench::new(LIMITS);
    let queue = bench.open();
    // more than is remembered
    for i in 0..300_u32 {
        bench.append(&queue, u64::from(i), 0, &i.to_le_bytes()).unwrap();
    }
    let path = bench.segments().remove(0);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    file.set_len(whole.len() as u64 / 2).unwrap();
    let some = deliver_some(&queue).len();
    for _ in 0..10 {
        queue.settle();
        deliver_some(&queue);
    }
    assert!(some < 300 && bench.metric("damaged_total") > 0);
    queue.close();
    assert!(path.exists());
    drop(queue);
    // the disk is mended
    fs::write(&path, &whole).unwrap();
    let queue = bench.open();
    let rest = deliver(&queue);
    assert!(rest.contains_key(&299) && !rest.contains_key(&0), "what was not delivered, and that alone");
    queue.close();
    assert!(bench.segments().is_empty());
}
