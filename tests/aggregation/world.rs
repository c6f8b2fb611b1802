//! A small cluster over days: pods that come, go, restart and fail to be scraped, and agents whose requests are late.

use std::collections::BTreeMap;

use seriesgate_proto::{Label, Sample, TimeSeries, WriteRequest};

pub(crate) const SCRAPE_MS: i64 = 30_000;
pub(crate) const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Numbers that look random and are the same in each run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

struct Pod {
    name: String,
    workload: &'static str,
    /// Scrape at which it goes.
    dies: i64,
    /// Requests of half of the pods go another way, which is late at times.
    lane: usize,
    hits: u64,
    memory: u64,
    buckets: [u64; 3],
    /// Not scraped until then.
    silent_until: i64,
}

/// One request: samples by series (name and labels without the pod's, pod), all of one lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) samples: Vec<Observed>,
}

#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) metric: &'static str,
    pub(crate) le: &'static str,
    pub(crate) pod: String,
    pub(crate) workload: &'static str,
    pub(crate) ms: i64,
    pub(crate) bits: u64,
}

/// The cluster and its agent.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pods: Vec<Pod>,
    made: u64,
    /// What waits in each lane, oldest first, and until which scrape.
    lanes: [(Vec<Delivery>, i64); 2],
    start_ms: i64,
    /// The agent is down until this scrape; then its memory begins anew.
    down_until: i64,
}

const BOUNDS: [&str; 3] = ["0.1", "1.0", "+Inf"];

impl World {
    pub(crate) fn new(seed: u64, start_ms: i64) -> Self {
        let mut world = Self {
            dice: Dice::new(seed),
            pods: Vec::new(),
            made: 0,
            lanes: Default::default(),
            start_ms,
            down_until: 0,
        };
        for _ in 0..6 {
            world.spawn("web", i64::MAX, 0);
        }
        world
    }

    fn spawn(&mut self, workload: &'static str, dies: i64, due: i64) {
        self.made += 1;
        // names as Kubernetes makes them; the vowels are missing
        let letters = b"bcdfghjklmnpqrstvwxz2456789";
        let mut tail = |n: usize| -> String {
            (0..n).map(|_| char::from(letters[self.dice.below(letters.len() as u64) as usize])).collect()
        };
        let name = match workload {
            "web" => format!("web-7d764666f9-{}", tail(5)),
            // a run of a cronjob is named by the minute in which it was due
            _ => format!("{workload}-{due}-{}", tail(5)),
        };
        self.pods.push(Pod {
            name,
            workload,
            dies,
            lane: (self.made % 2) as usize,
            hits: self.dice.below(5),
            memory: 0,
            buckets: [0; 3],
            silent_until: 0,
        });
    }

    /// What arrives after one more scrape, in order.
    pub(crate) fn scrape(&mut self, tick: i64) -> Vec<Delivery> {
        let ms = self.start_ms + tick * SCRAPE_MS;
        self.events(tick);
        let mut gone = Vec::new();
        let mut lanes: [Delivery; 2] = Default::default();
        for pod in &mut self.pods {
            pod.live(&mut self.dice);
            if tick < self.down_until {
                continue;
            }
            if tick >= pod.dies {
                pod.observe(ms, true, &mut lanes);
                gone.push(pod.name.clone());
            } else if tick >= pod.silent_until {
                match self.dice.below(60) {
                    // a failed scrape marks everything stale, a lost one nothing
                    0 => pod.observe(ms, true, &mut lanes),
                    1 => {}
                    _ => pod.observe(ms, false, &mut lanes),
                }
            }
        }
        self.pods.retain(|pod| !gone.contains(&pod.name));
        let mut arrived = Vec::new();
        for (lane, delivery) in self.lanes.iter_mut().zip(lanes) {
            if !delivery.samples.is_empty() {
                lane.0.push(delivery);
            }
            if tick >= lane.1 {
                arrived.append(&mut lane.0);
            }
        }
        arrived
    }

    fn events(&mut self, tick: i64) {
        // a rollout
        if self.dice.one_in(400) {
            for pod in self.pods.iter_mut().filter(|pod| pod.workload == "web") {
                pod.dies = tick + 1 + self.dice.below(6) as i64;
            }
            for _ in 0..6 {
                self.spawn("web", i64::MAX, 0);
            }
        }
        // runs of a cronjob, one to ten minutes long
        if tick % 120 == 10 {
            let length = 2 + self.dice.below(19) as i64;
            self.spawn("sync", tick + length, (self.start_ms + tick * SCRAPE_MS) / 60_000);
        }
        // a process restarts: its counters begin at zero
        if self.dice.one_in(30) && !self.pods.is_empty() {
            let at = self.dice.below(self.pods.len() as u64) as usize;
            (self.pods[at].hits, self.pods[at].buckets) = (self.dice.below(3), [0; 3]);
        }
        // a pod cannot be reached for long
        if self.dice.one_in(300) && !self.pods.is_empty() {
            let at = self.dice.below(self.pods.len() as u64) as usize;
            self.pods[at].silent_until = tick + 1 + self.dice.below(60) as i64;
        }
        // requests of one lane are stuck for a while
        if self.dice.one_in(150) {
            self.lanes[self.dice.below(2) as usize].1 = tick + 2 + self.dice.below(10) as i64;
        }
        // the agent is gone for five to ten minutes; pods that come meanwhile are not small when it sees them
        if tick % 500 == 499 {
            self.down_until = tick + 10 + self.dice.below(10) as i64;
            self.spawn("web", i64::MAX, 0);
        }
    }
}

impl Pod {
    fn live(&mut self, dice: &mut Dice) {
        self.hits += dice.below(50);
        self.memory = 1000 + dice.below(1000);
        let fast = dice.below(10);
        let slow = fast + dice.below(10);
        for (bucket, more) in self.buckets.iter_mut().zip([fast, slow, slow + dice.below(3)]) {
            *bucket += more;
        }
    }

    /// The smallest bucket goes another way than the others: senders share series out by their hash.
    fn observe(&self, ms: i64, stale: bool, lanes: &mut [Delivery; 2]) {
        let mut put = |metric, le, value: u64| {
            let bits = if stale { STALE } else { (value as f64).to_bits() };
            let (pod, workload) = (self.name.clone(), self.workload);
            let lane = if le == BOUNDS[0] { 1 - self.lane } else { self.lane };
            lanes[lane].samples.push(Observed { metric, le, pod, workload, ms, bits });
        };
        put("hits_total", "", self.hits);
        put("memory_bytes", "", self.memory);
        for (le, value) in BOUNDS.iter().zip(self.buckets) {
            put("lat_bucket", le, value);
        }
        put("lat_count", "", self.buckets[2]);
    }
}

impl Delivery {
    /// As a remote-write request.
    pub(crate) fn request(&self) -> WriteRequest {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        let series = |observed: &Observed| {
            let mut labels = vec![label("__name__", observed.metric)];
            if !observed.le.is_empty() {
                labels.push(label("le", spelled(observed.le, &observed.pod)));
            }
            labels.push(label("pod", &observed.pod));
            let sample = Sample { value: f64::from_bits(observed.bits), timestamp: observed.ms };
            TimeSeries { labels, samples: vec![sample], ..TimeSeries::default() }
        };
        WriteRequest::of(self.samples.iter().map(series).collect())
    }
}

/// Bounds are numbers, and not every agent writes them in the same way.
fn spelled(le: &'static str, pod: &str) -> &'static str {
    let odd = pod.bytes().fold(0, |sum: u8, byte| sum.wrapping_add(byte)) % 2 == 1;
    match le {
        "0.1" if odd => ".1",
        "1.0" if odd => "1",
        "+Inf" if odd => "inf",
        le => le,
    }
}

/// What comes out: for each series its points.
pub(crate) type Output = BTreeMap<String, Vec<(i64, String)>>;

/// A value as a test shows it.
pub(crate) fn shown(bits: u64) -> String {
    if bits == STALE { "stale".into() } else { f64::from_bits(bits).to_string() }
}
