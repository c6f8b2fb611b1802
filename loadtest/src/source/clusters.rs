//! Simulated clusters side by side, and applications that flood them.

use crate::cluster::{Cluster, ClusterSpec, Visit};
use crate::fleet::Source;
use crate::law::Law;
use crate::names::{self, Seed};
use crate::rich::Rich;

/// An application that makes a new value of a label for every user it meets: series that nobody asked for.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Unix seconds of the first.
    pub from_s: i64,
    /// Series that are born before each scrape.
    pub series_per_scrape: u64,
    /// The label whose values never repeat.
    pub label: String,
}

/// Clusters, each with a seed and a name of its own.
pub struct Clusters {
    clusters: Vec<Cluster>,
    flood: Option<Flood>,
    flooded: Vec<(i64, u64)>,
    exemplars: bool,
    native_histograms: bool,
}

impl Clusters {
    /// `copies` clusters of a spec at a time (Unix milliseconds).
    pub fn new(spec: &ClusterSpec, copies: u32, start_ms: i64) -> Self {
        let copy = |number: u32| {
            let name = if copies > 1 { format!("{}-{number}", spec.name) } else { spec.name.clone() };
            let seed = Seed::new(spec.seed).child(u64::from(number)).value();
            Cluster::new(ClusterSpec { name, seed, ..spec.clone() }, start_ms)
        };
        Self {
            clusters: (0..copies.max(1)).map(copy).collect(),
            flood: None,
            flooded: Vec::new(),
            exemplars: false,
            native_histograms: false,
        }
    }

    /// The same with a flood.
    #[must_use]
    pub fn with_flood(mut self, flood: Option<Flood>) -> Self {
        self.flood = flood;
        self
    }

    /// The same with an exemplar, with a native histogram, or with both for each application's pod.
    #[must_use]
    pub fn with_rich(mut self, exemplars: bool, native_histograms: bool) -> Self {
        (self.exemplars, self.native_histograms) = (exemplars, native_histograms);
        self
    }

    fn flood(&mut self, now_s: i64, visit: &mut dyn Visit) {
        let Some(flood) = self.flood.as_ref().filter(|flood| flood.from_s <= now_s) else { return };
        self.flooded.push((now_s, flood.series_per_scrape));
        let cluster = self.clusters.first().map_or("", Cluster::name);
        for &(born_s, series) in &self.flooded {
            let wave = Seed::new(5).child(born_s.unsigned_abs());
            if !visit.object(wave.value(), 0) {
                continue;
            }
            for number in 0..series {
                let seed = wave.child(number);
                let user = names::uid(seed);
                let mut labels = [
                    ("__name__", "app_requests_by_user_total"),
                    ("cluster", cluster),
                    ("instance", "10.1.7.7:8080"),
                    ("job", "shop-api"),
                    ("namespace", "shop-prod"),
                    (flood.label.as_str(), &user),
                ];
                labels.sort_unstable();
                let law = Law::Counter { since_s: born_s - 1, per_second: 0.05 + seed.unit() };
                visit.series(&labels, &law);
            }
        }
    }
}

impl Source for Clusters {
    fn objects(&mut self, now_ms: i64, visit: &mut dyn Visit) {
        for (number, cluster) in (0..).zip(&mut self.clusters) {
            cluster.advance(now_ms);
            let rich = (self.exemplars, self.native_histograms);
            cluster.objects(&mut OfCluster { number, rich, done: 0, id: 0, visit });
        }
        self.flood(now_ms.div_euclid(1000), visit);
    }
}

/// Keeps objects of one cluster apart from those of another, and adds what is rare.
struct OfCluster<'v> {
    number: u64,
    rich: (bool, bool),
    /// The object that has its exemplar and histogram.
    done: u64,
    id: u64,
    visit: &'v mut dyn Visit,
}

impl Visit for OfCluster<'_> {
    fn object(&mut self, id: u64, state: u64) -> bool {
        self.id = Seed::new(id).child(self.number).value();
        self.visit.object(self.id, state)
    }

    fn series(&mut self, labels: &[(&str, &str)], law: &Law) {
        self.visit.series(labels, law);
        let Law::Counter { since_s, per_second } = *law else { return };
        let name = labels.iter().find(|label| label.0 == "__name__").map_or("", |label| label.1);
        if self.rich == (false, false) || name != "http_requests_total" || self.done == self.id {
            return;
        }
        self.done = self.id;
        if self.rich.0 {
            self.visit.rich(labels, Rich::Exemplar { seed: Seed::new(self.id) });
        }
        if self.rich.1 {
            let mut labels = labels.to_vec();
            labels.retain(|label| label.0 != "code" && label.0 != "path");
            for label in &mut labels {
                if label.0 == "__name__" {
                    label.1 = "http_server_duration_seconds";
                }
            }
            self.visit.rich(&labels, Rich::Histogram { since_s, per_second });
        }
    }
}
