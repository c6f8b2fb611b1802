//! When pods, containers, processes and counters began, as series in the stream say it: evidence for and against a birth.

mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lru::LruCache;
use parking_lot::Mutex;

pub use self::keys::Keys;
use self::keys::{Key, Names, Of};
use crate::series::{Fingerprint, Fingerprinter, Labels, SubjectTable, TenantKey, grammar};

/// Starts of pods, jobs, containers, processes and machines that are remembered, and those that counters have of their own,
/// by `_created`: one for each set of labels. About 80 bytes each; the one not spoken of for longest is forgotten first.
const THINGS: usize = 200_000;
const OWN: usize = 50_000;
/// Of two that tell of one thing, the one that said nothing for so long while the other did says nothing any more, seconds:
/// nearly all targets are scraped more often than that. It may have gone without a stale marker.
const SILENT_SECONDS: u32 = 600;
/// Unix seconds that can be meant: from 2001 to 5138. An exporter without a clock says 0.
const MEANT: std::ops::Range<f64> = 1e9..1e11;

/// What one series says.
#[derive(Clone, Copy)]
struct Start {
    /// The series.
    teller: Fingerprint,
    ms: i64,
    /// When it said so last, seconds of the clock that the index goes by; 0 once the series has ended.
    heard: u32,
}

impl Start {
    /// Whether it is right beside another: the oldest is, for as long as it is said. They may be of two things of one name,
    /// and then nobody knows which is meant.
    fn outweighs(&self, other: &Self) -> bool {
        let silent = other.heard.saturating_sub(self.heard) > SILENT_SECONDS;
        self.teller != other.teller && self.ms < other.ms && self.heard > 0 && !silent
    }
}

/// Starts by what began.
pub struct Starts {
    names: Names,
    things: Mutex<LruCache<Key, Start>>,
    own: Mutex<LruCache<Key, Start>>,
    /// When something was said last, and when a start was forgotten for room that was said shortly before; seconds of the clock
    /// that the index goes by.
    now: AtomicU32,
    short: AtomicU32,
}

impl Starts {
    pub(super) fn new(prints: Fingerprinter, subjects: Arc<SubjectTable>) -> Self {
        // a bound given to the cache would be allocated at once
        let empty = || Mutex::new(LruCache::unbounded());
        let (now, short) = Default::default();
        Self { names: Names { prints, subjects }, things: empty(), own: empty(), now, short }
    }

    /// Whether the value of a metric of this name says when something began.
    pub fn tells(metric: &[u8]) -> bool {
        told_by(metric).is_some()
    }

    /// Whether that is something whose parts may begin anew while the metric goes on: all but a counter.
    pub fn tells_of_thing(metric: &[u8]) -> bool {
        told_by(metric).is_some_and(|of| of != Of::Counter)
    }

    /// Takes in the value of a series at `now` (seconds of the clock that the index goes by), if it says when something began.
    pub fn learn(&self, tenant: TenantKey, labels: Labels<'_>, value: Option<f64>, now: u32) {
        let Some(seconds) = value.filter(|seconds| MEANT.contains(seconds)) else { return };
        let Some((of, key)) = self.told(tenant, labels) else { return };
        let teller = self.teller(tenant, labels);
        let said = Start { teller, ms: (seconds * 1000.0) as i64, heard: now.max(1) };
        self.now.fetch_max(now, Ordering::Relaxed);
        let mut starts = self.of(of).lock();
        match starts.get_mut(&key) {
            Some(known) if known.outweighs(&said) => {}
            Some(known) => *known = said,
            None => {
                starts.put(key, said);
                if starts.len() > if of == Of::Counter { OWN } else { THINGS } {
                    let gone = starts.pop_lru();
                    self.forgot(gone.map(|(_, start)| start.heard), now);
                }
            }
        }
    }

    fn forgot(&self, heard: Option<u32>, now: u32) {
        if heard.is_some_and(|heard| heard > 0 && now.saturating_sub(heard) <= SILENT_SECONDS) {
            self.short.fetch_max(now.max(1), Ordering::Relaxed);
        }
    }

    /// Whether starts that are said are forgotten for lack of room: then it proves nothing that none is known.
    pub(super) fn is_short(&self) -> bool {
        let short = self.short.load(Ordering::Relaxed);
        short > 0 && self.now.load(Ordering::Relaxed).saturating_sub(short) <= SILENT_SECONDS
    }

    /// A series has ended: what it said holds until another says something else. The counters of what began then may still be
    /// open.
    pub fn end(&self, tenant: TenantKey, labels: Labels<'_>) {
        let Some((of, key)) = self.told(tenant, labels) else { return };
        let teller = self.teller(tenant, labels);
        let mut starts = self.of(of).lock();
        if let Some(known) = starts.peek_mut(&key).filter(|known| known.teller == teller) {
            known.heard = 0;
        }
    }

    /// What finds the start of a series, now or later.
    pub fn keys(&self, tenant: TenantKey, labels: Labels<'_>) -> Keys {
        Keys::of(&self.names, tenant, labels)
    }

    /// When a series began, by what is nearest to it, Unix milliseconds.
    pub fn find(&self, keys: &Keys) -> Option<i64> {
        let own = keys.own().and_then(|key| self.own.lock().get(&key).map(|start| start.ms));
        own.or_else(|| {
            let mut things = self.things.lock();
            keys.things().find_map(|key| things.get(&key).map(|start| start.ms))
        })
    }

    /// When the run was due that a series is of, Unix milliseconds.
    pub fn due(&self, labels: Labels<'_>) -> Option<i64> {
        let subject = self.names.subjects.about(labels).subject()?;
        Some(grammar::of_subject(subject, labels)?.scheduled? * 1000)
    }

    /// Who says it: by the labels, however their bytes came.
    fn teller(&self, tenant: TenantKey, labels: Labels<'_>) -> Fingerprint {
        let mut text = Vec::new();
        for (name, value) in labels.iter() {
            [name, value].into_iter().for_each(|part| keys::put(&mut text, part));
        }
        self.names.prints.fingerprint(&text, tenant)
    }

    /// Of what a series says when it began.
    fn told(&self, tenant: TenantKey, labels: Labels<'_>) -> Option<(Of, Key)> {
        let of = told_by(labels.metric().as_bytes())?;
        Some((of, Keys::one(&self.names, tenant, labels, of)?))
    }

    fn of(&self, of: Of) -> &Mutex<LruCache<Key, Start>> {
        if of == Of::Counter { &self.own } else { &self.things }
    }
}

/// Of what a metric says when it began.
fn told_by(metric: &[u8]) -> Option<Of> {
    match metric {
        b"kube_pod_created" | b"kube_pod_start_time" => Some(Of::Pod),
        b"kube_job_created" => Some(Of::Job),
        b"container_start_time_seconds" => Some(Of::Container),
        b"process_start_time_seconds" => Some(Of::Process),
        b"node_boot_time_seconds" => Some(Of::Machine),
        _ => metric.ends_with(b"_created").then_some(Of::Counter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn of(told: &[(Pairs, f64)], asked: Pairs) -> Option<i64> {
        let rig = Rig::new();
        told.iter().for_each(|(pairs, value)| rig.learn("", pairs, *value));
        rig.of("", asked)
    }

    struct Rig {
        prints: Fingerprinter,
        starts: Starts,
        now: std::cell::Cell<u32>,
    }

    impl Rig {
        fn new() -> Self {
            let prints = Fingerprinter::from_seed(1);
            Self { starts: Starts::new(prints.clone(), Arc::default()), prints, now: Default::default() }
        }

        fn learn(&self, tenant: &str, pairs: Pairs, value: f64) {
            let labels = Labels::from_sorted(pairs);
            assert!(Starts::tells(labels.metric().as_bytes()));
            self.starts.learn(self.prints.tenant(tenant), labels, Some(value), self.now.get());
        }

        fn end(&self, pairs: Pairs) {
            self.starts.end(self.prints.tenant(""), Labels::from_sorted(pairs));
        }

        fn of(&self, tenant: &str, asked: Pairs) -> Option<i64> {
            let keys = self.starts.keys(self.prints.tenant(tenant), Labels::from_sorted(asked));
            self.starts.find(&keys).map(|ms| ms / 1000)
        }
    }

    const POD: (Pairs, f64) = (&[("__name__", "kube_pod_created"), ("namespace", "n"), ("pod", "a")], 1.5e9);

    #[test]
    fn a_pod_is_known_under_both_pairs_of_labels() {
        let exported: (Pairs, f64) = (
            &[
                ("__name__", "kube_pod_created"),
                ("exported_namespace", "n"),
                ("exported_pod", "a"),
                ("namespace", "monitoring"),
                ("pod", "ksm"),
            ],
            1.5e9,
        );
        let plain: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
        for told in [POD, exported] {
            assert_eq!(of(&[told], plain), Some(1_500_000_000));
        }
        assert_eq!(
            of(&[exported], &[("__name__", "x_total"), ("namespace", "monitoring"), ("pod", "ksm")]),
            None
        );
        assert_eq!(of(&[POD], &[("__name__", "x_total"), ("namespace", "other"), ("pod", "a")]), None);
        let elsewhere: Pairs = &[("__name__", "x_total"), ("cluster", "b"), ("namespace", "n"), ("pod", "a")];
        assert_eq!(of(&[POD], elsewhere), None);
        let job: Pairs = &[
            ("__name__", "kube_job_created"),
            ("exported_namespace", "n"),
            ("job_name", "j"),
            ("pod", "ksm"),
        ];
        let asked: Pairs = &[("__name__", "x_total"), ("job_name", "j"), ("namespace", "n")];
        assert_eq!(of(&[(job, 1.6e9)], asked), Some(1_600_000_000));
    }

    #[test]
    fn the_nearest_start_counts() {
        const TARGET: Pairs = &[
            ("__name__", "process_start_time_seconds"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const ASKED: Pairs = &[
            ("__name__", "x_total"),
            ("code", "200"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const OWN: Pairs = &[
            ("__name__", "x_created"),
            ("code", "200"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const BOOT: Pairs = &[
            ("__name__", "node_boot_time_seconds"),
            ("instance", "i"),
            ("job", "j"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        let all = [POD, (TARGET, 1.6e9), (BOOT, 1.2e9), (OWN, 1.7e9)];
        let found: Vec<_> = (1..=4).map(|told| of(&all[..told], ASKED).unwrap()).collect();
        // an exporter that counts for its machine says what its machine's start is
        assert_eq!(found, [1_500_000_000, 1_600_000_000, 1_200_000_000, 1_700_000_000]);
    }

    #[test]
    fn an_exporter_speaks_of_itself_only_and_times_that_nobody_means_are_none() {
        const KUBELET: Pairs =
            &[("__name__", "process_start_time_seconds"), ("instance", "i"), ("job", "kubelet")];
        const CADVISOR: Pairs = &[
            ("__name__", "container_cpu_usage_seconds_total"),
            ("container", "c"),
            ("instance", "i"),
            ("job", "kubelet"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        const CONTAINER: Pairs = &[
            ("__name__", "container_start_time_seconds"),
            ("container", "c"),
            ("instance", "i"),
            ("job", "kubelet"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        assert_eq!(of(&[(KUBELET, 1.4e9)], CADVISOR), None);
        assert_eq!(of(&[(KUBELET, 1.4e9), POD, (CONTAINER, 1.55e9)], CADVISOR), Some(1_550_000_000));
        for odd in [0.0, f64::NAN, f64::INFINITY, -1.0, 1e15] {
            assert_eq!(of(&[(CONTAINER, odd)], CADVISOR), None);
        }
        let run: Pairs = &[("__name__", "x_total"), ("pod", "sync-29707814-x7k2p")];
        assert_eq!(of(&[], run), None);
        assert_eq!(Rig::new().starts.due(Labels::from_sorted(run)), Some(29_707_814 * 60_000));
    }

    #[test]
    fn what_one_exporter_one_container_or_one_tenant_says_is_said_of_no_other() {
        const TARGET: [(&str, &str); 4] =
            [("instance", "i"), ("job", "ksm"), ("namespace", "m"), ("pod", "ksm")];
        const PROCESS: Pairs =
            &[("__name__", "process_start_time_seconds"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
        const OTHERS: Pairs = &[
            ("__name__", "x_total"),
            ("exported_container", "c"),
            ("exported_namespace", "n"),
            ("exported_pod", "a"),
            TARGET[0],
            TARGET[1],
            TARGET[2],
            TARGET[3],
        ];
        const OWN: Pairs = &[("__name__", "x_total"), TARGET[0], TARGET[1], TARGET[2], TARGET[3]];
        assert_eq!(
            (of(&[(PROCESS, 1.6e9)], OTHERS), of(&[(PROCESS, 1.6e9)], OWN)),
            (None, Some(1_600_000_000))
        );
        const CONTAINER: Pairs = &[
            ("__name__", "container_start_time_seconds"),
            ("container", "c"),
            ("namespace", "n"),
            ("pod", "a"),
        ];
        assert_eq!(of(&[(CONTAINER, 1.55e9)], OTHERS), Some(1_550_000_000));
        let rig = Rig::new();
        const PLAIN: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")];
        rig.learn("b", POD.0, POD.1);
        rig.learn("b", PROCESS, 1.6e9);
        for asked in [PLAIN, OWN] {
            assert!(rig.of("b", asked).is_some());
            assert_eq!(rig.of("", asked), None);
        }
    }

    #[test]
    fn a_histogram_says_when_all_of_its_buckets_began() {
        let created: (Pairs, f64) = (&[("__name__", "h_created"), ("code", "200")], 1.7e9);
        for asked in [
            &[("__name__", "h_bucket"), ("code", "200"), ("le", "1")][..],
            &[("__name__", "h"), ("code", "200"), ("quantile", "0.5")],
            &[("__name__", "h_count"), ("code", "200")],
        ] {
            assert_eq!(of(&[created], asked), Some(1_700_000_000));
        }
        assert_eq!(of(&[created], &[("__name__", "h_bucket"), ("code", "500"), ("le", "1")]), None);
    }

    #[test]
    fn of_two_that_tell_of_one_thing_the_older_is_right_until_it_ends() {
        const OURS: Pairs = &[
            ("__name__", "kube_pod_created"),
            ("namespace", "n"),
            ("pod", "web-0"),
            ("site", "a"),
            ("uid", "1"),
        ];
        const THEIRS: Pairs = &[
            ("__name__", "kube_pod_created"),
            ("namespace", "n"),
            ("pod", "web-0"),
            ("site", "b"),
            ("uid", "2"),
        ];
        const ASKED: Pairs = &[("__name__", "x_total"), ("namespace", "n"), ("pod", "web-0"), ("site", "b")];
        let rig = Rig::new();
        rig.learn("", THEIRS, 1.5e9);
        rig.learn("", OURS, 1.7e9);
        assert_eq!(rig.of("", ASKED), Some(1_500_000_000));
        // the same pod, made anew
        rig.learn("", THEIRS, 1.6e9);
        assert_eq!(rig.of("", ASKED), Some(1_600_000_000));
        rig.end(OURS);
        rig.learn("", OURS, 1.7e9);
        assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "it was another that ended");
        rig.end(THEIRS);
        assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "what began then may still be open");
        rig.learn("", OURS, 1.7e9);
        assert_eq!(rig.of("", ASKED), Some(1_700_000_000));
        // who goes without a word is believed for ten minutes
        rig.learn("", THEIRS, 1.6e9);
        for (now, right) in [(300, 1_600_000_000), (600, 1_600_000_000), (602, 1_700_000_000)] {
            rig.now.set(now);
            rig.learn("", OURS, 1.7e9);
            assert_eq!(rig.of("", ASKED), Some(right), "{now}");
        }
        rig.learn("", THEIRS, 1.6e9);
        assert_eq!(rig.of("", ASKED), Some(1_600_000_000), "it was silent, and is there");
    }

    #[test]
    fn a_flood_of_created_series_leaves_what_is_known_of_pods() {
        let rig = Rig::new();
        rig.learn("", POD.0, POD.1);
        let tenant = rig.prints.tenant("");
        for number in 0..OWN + 10 {
            let number = number.to_string();
            let pairs = [("__name__", "x_created"), ("path", &*number)];
            let labels = Labels::from_sorted(&pairs);
            rig.starts.learn(tenant, labels, Some(1.7e9), 1);
        }
        assert_eq!(
            rig.of("", &[("__name__", "x_total"), ("namespace", "n"), ("pod", "a")]),
            Some(1_500_000_000)
        );
        assert_eq!(rig.starts.own.lock().len(), OWN);
        assert!(rig.starts.is_short(), "some of them are said");
        // long after, and what goes now was not said for long
        rig.now.set(SILENT_SECONDS + 2);
        rig.learn("", POD.0, POD.1);
        rig.learn("", &[("__name__", "x_created"), ("path", "late")], 1.7e9);
        rig.now.set(2 * SILENT_SECONDS + 4);
        rig.learn("", &[("__name__", "x_created"), ("path", "later")], 1.7e9);
        assert!(!rig.starts.is_short());
    }
}
