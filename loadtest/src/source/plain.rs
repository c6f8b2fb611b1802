//! Plain series: pods of forty series each, of which a share is replaced before every scrape.

use crate::cluster::Visit;
use crate::fleet::Source;
use crate::law::Law;
use crate::shape::Population;

/// A population through time.
pub struct Plain {
    population: Population,
    /// Labels added to each series beyond those of its shape.
    more_labels: Vec<String>,
    /// The scrape before which each pod was replaced last, and the time of that scrape (Unix seconds).
    lives: Vec<(u64, i64)>,
    scrape: u64,
}

impl Plain {
    /// A population that was not scraped yet, each series with so many labels more than its shape has.
    pub fn new(population: Population, more_labels: u32) -> Self {
        // behind `pod`, so that labels stay sorted
        let more_labels = (0..more_labels).map(|i| format!("x_label_{i:02}")).collect();
        Self { population, more_labels, lives: Vec::new(), scrape: 0 }
    }
}

impl Source for Plain {
    fn objects(&mut self, now_ms: i64, visit: &mut dyn Visit) {
        let (population, now_s) = (self.population, now_ms.div_euclid(1000));
        self.lives.resize(population.pods() as usize, (0, now_s));
        for (pod, life) in (0..).zip(&mut self.lives) {
            if population.replaced(pod, self.scrape) {
                *life = (self.scrape, now_s);
            }
            let own = population.seed.child(7).child(pod).child(life.0);
            if !visit.object(own.value(), 0) {
                continue;
            }
            // the first of them run already
            let since_s = if life.0 == 0 { life.1 - 1 - own.below(86_400).cast_signed() } else { life.1 };
            population.visit(
                pod,
                life.0,
                |_| true,
                |index, labels| {
                    let seed = own.child(index);
                    let law = if super::is_counter_name(labels[0].1) {
                        Law::Counter { since_s, per_second: 0.1 + seed.unit() * 20.0 }
                    } else {
                        Law::Gauge { since_s, level: 1e6 + seed.unit() * 1e8, seed }
                    };
                    if self.more_labels.is_empty() {
                        visit.series(labels, &law);
                    } else {
                        let value = format!("value-{}", seed.below(50));
                        let more = self.more_labels.iter().map(|name| (name.as_str(), value.as_str()));
                        let labels: Vec<(&str, &str)> = labels.iter().copied().chain(more).collect();
                        visit.series(&labels, &law);
                    }
                },
            );
        }
        self.scrape += 1;
    }
}
