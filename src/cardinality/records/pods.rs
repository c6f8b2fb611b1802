//! The pods of a workload: when each came, and when its last series ended.

/// Pods of a workload that are told apart. Of a workload with more, nothing is known.
const MOST: usize = 64;
/// Pods are counted for so long, seconds.
const HOUR: u32 = 3600;
/// The stretches of [`PodCounts::stretches`], seconds.
const STRETCH: u32 = 300;

/// The pod that a series is about: a hash of its name and place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodKey(pub(in crate::cardinality) Option<u64>);

/// Pods of a workload that came, and that went, within the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Those that were new. None where there are too many to tell them apart.
    pub came: u32,
    /// How many of the last twelve stretches of five minutes had one.
    pub stretches: u32,
    /// Those all of whose series have ended with stale markers.
    pub went: u32,
}

#[derive(Debug)]
struct Pod {
    key: u64,
    came: u32,
    /// Whether it may have been there before.
    learned: bool,
    /// Series that have not ended with a stale marker.
    series: u32,
    /// When the last of them ended, Unix seconds; 0: it has not.
    went: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::cardinality) struct Pods {
    pods: Vec<Pod>,
    are_too_many: bool,
}

impl Pods {
    /// Series of a pod came at `first_seen`. `learned`: they are not known to be new.
    pub(in crate::cardinality) fn add(
        &mut self,
        key: PodKey,
        series: u32,
        (learned, first_seen): (bool, u32),
        now: u32,
    ) {
        if let Some(pod) = self.find(key) {
            pod.series += series;
            (pod.came, pod.learned) = (pod.came.min(first_seen), pod.learned || learned);
            pod.went = 0;
            return;
        }
        let Some(key) = key.0.filter(|_| !self.are_too_many) else { return };
        if self.pods.len() == MOST {
            self.pods.retain(|pod| pod.went == 0 || now.saturating_sub(pod.went) < HOUR);
        }
        if self.pods.len() == MOST {
            *self = Self { pods: Vec::new(), are_too_many: true };
            return;
        }
        self.pods.push(Pod { key, came: first_seen, learned, series, went: 0 });
    }

    /// A series belongs to another workload, and its pod does with the last one.
    pub(in crate::cardinality) fn remove(&mut self, key: PodKey) {
        if let Some(pod) = self.find(key) {
            pod.series = pod.series.saturating_sub(1);
        }
        self.pods.retain(|pod| pod.series > 0 || pod.went > 0);
    }

    /// A series has ended with a stale marker.
    pub(in crate::cardinality) fn end(&mut self, key: PodKey, now: u32) {
        if let Some(pod) = self.find(key) {
            pod.series = pod.series.saturating_sub(1);
            if pod.series == 0 {
                pod.went = now;
            }
        }
    }

    /// A series that had ended is there again.
    pub(in crate::cardinality) fn come_back(&mut self, key: PodKey) {
        if let Some(pod) = self.find(key) {
            pod.series += 1;
            pod.went = 0;
        }
    }

    pub(in crate::cardinality) fn counts(&self, now: u32) -> PodCounts {
        let is_late = |at: &u32| now.saturating_sub(*at) < HOUR;
        let new = self.pods.iter().filter(|pod| !pod.learned).map(|pod| pod.came).filter(is_late);
        let mut stretches: Vec<u32> = new.map(|came| now.saturating_sub(came) / STRETCH).collect();
        let came = stretches.len() as u32;
        stretches.sort_unstable();
        stretches.dedup();
        let went = self.pods.iter().map(|pod| pod.went).filter(|at| *at > 0 && is_late(at)).count() as u32;
        PodCounts { came, stretches: stretches.len() as u32, went }
    }

    fn find(&mut self, key: PodKey) -> Option<&mut Pod> {
        let key = key.0?;
        self.pods.iter_mut().find(|pod| pod.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u32 = 1_700_000_000;

    fn key(n: u64) -> PodKey {
        PodKey(Some(n))
    }

    #[test]
    fn a_pod_went_with_its_last_series_and_is_back_with_the_first() {
        let mut pods = Pods::default();
        pods.add(key(1), 1, (true, START), START);
        pods.add(key(2), 1, (false, START), START);
        pods.add(key(2), 1, (false, START + 60), START + 60);
        pods.end(key(2), START + 90);
        assert_eq!(pods.counts(START + 90), PodCounts { came: 1, stretches: 1, went: 0 });
        pods.end(key(2), START + 120);
        assert_eq!(pods.counts(START + 120), PodCounts { came: 1, stretches: 1, went: 1 });
        pods.come_back(key(2));
        assert_eq!(pods.counts(START + 150).went, 0);
        pods.remove(key(2));
        assert_eq!(pods.counts(START + 150).came, 0);
    }

    #[test]
    fn of_too_many_pods_nothing_is_known_and_those_that_went_make_room() {
        let mut pods = Pods::default();
        for n in 0..MOST as u64 {
            pods.add(key(n), 1, (false, START), START);
        }
        pods.end(key(0), START);
        pods.add(key(1000), 1, (false, START + HOUR), START + HOUR);
        assert_eq!(pods.counts(START + HOUR).came, 1);
        pods.add(key(1001), 1, (false, START + HOUR), START + HOUR);
        assert_eq!(pods.counts(START + HOUR), PodCounts::default());
        pods.add(key(1002), 1, (false, START + HOUR), START + HOUR);
        assert_eq!(pods.counts(START + HOUR), PodCounts::default());
    }
}
