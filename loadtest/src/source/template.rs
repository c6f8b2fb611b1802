//! Something real, multiplied: the series of one scrape or recording as a template, in copies whose pods have names of
//! their own.

use crate::cluster::Visit;
use crate::fleet::Source;
use crate::law::{Kind, Law};
use crate::names::{self, Seed};

/// One series of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSeries {
    /// Sorted by name, `__name__` among them.
    pub labels: Vec<(String, String)>,
    /// The value that was seen.
    pub value: f64,
    /// What it is.
    pub kind: Kind,
}

/// Copies of a template, of which a share is replaced before every scrape.
pub struct Template {
    series: Vec<TemplateSeries>,
    copies: u64,
    churn: f64,
    seed: Seed,
    /// Labels whose values are each copy's own, if the series has them.
    renamed: Vec<String>,
    lives: Vec<u64>,
    scrape: u64,
    started_s: i64,
}

impl Template {
    /// `copies` copies. Each has its own values of the labels in `renamed`, and all series have at least one of them.
    pub fn new(
        series: Vec<TemplateSeries>,
        copies: u32,
        churn: f64,
        renamed: Vec<String>,
        seed: u64,
    ) -> Self {
        let copies = u64::from(copies.max(1));
        let lives = vec![0; copies as usize];
        Self { series, copies, churn, seed: Seed::new(seed), renamed, lives, scrape: 0, started_s: 0 }
    }

    /// Series of one copy.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is nothing to copy.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn show(&self, own: Seed, since_s: i64, copy: u64, visit: &mut dyn Visit) {
        // one rate for all of a copy: what was cumulative stays so
        let share = (0.2 + own.unit()) / 3600.0;
        let instance = format!("10.{}.{}.{}:9090", copy >> 16 & 255, copy >> 8 & 255, copy & 255);
        for (number, series) in (0..).zip(&self.series) {
            let mut labels: Vec<(&str, String)> =
                series.labels.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            let mut renamed = false;
            for (name, value) in &mut labels {
                if self.renamed.iter().any(|wanted| wanted == name) {
                    renamed = true;
                    *value = if *name == "instance" { instance.clone() } else { renamed_value(value, own) };
                }
            }
            if !renamed {
                // nothing to tell the copies apart by: an agent would add where it comes from
                labels.retain(|(name, _)| *name != "instance");
                labels.push(("instance", instance.clone()));
                labels.sort();
            }
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            visit.series(&labels, &law(series, since_s, share, own.child(100 + number)));
        }
    }
}

fn law(series: &TemplateSeries, since_s: i64, share: f64, seed: Seed) -> Law {
    match series.kind {
        Kind::Counter => Law::Grown { since_s, from: series.value, share },
        // states, times and the like do not wobble
        Kind::Gauge if series.value.abs() <= 1.0 || !series.value.is_finite() => Law::Constant(series.value),
        Kind::Gauge => Law::Gauge { since_s, level: series.value, seed },
    }
}

/// A pod's name as the same workload would give it to another pod: the last part is drawn anew, or added where there is none.
pub(crate) fn renamed_value(value: &str, own: Seed) -> String {
    let own = own.named(value);
    match value.rsplit_once('-') {
        Some((stem, last)) if last.len() == 5 && !stem.is_empty() => names::generated(stem, own),
        _ => names::generated(value, own),
    }
}

impl Source for Template {
    fn objects(&mut self, now_ms: i64, visit: &mut dyn Visit) {
        let now_s = now_ms.div_euclid(1000);
        if self.scrape == 0 {
            self.started_s = now_s;
        }
        for copy in 0..self.copies {
            let replaced = self.seed.child(1).child(copy).child(self.scrape).unit() < self.churn;
            if self.scrape > 0 && replaced {
                self.lives[copy as usize] = self.scrape;
            }
            let own = self.seed.child(2).child(copy).child(self.lives[copy as usize]);
            if visit.object(own.value(), 0) {
                self.show(own, if self.scrape == 0 { self.started_s } else { now_s }, copy, visit);
            }
        }
        self.scrape += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_pod_is_of_the_same_workload() {
        let renamed = renamed_value("checkout-5d8f7c9b4c-x7k2p", Seed::new(1));
        assert!(renamed.starts_with("checkout-5d8f7c9b4c-") && renamed.len() == 25, "{renamed}");
        assert_ne!(renamed, "checkout-5d8f7c9b4c-x7k2p");
        assert!(renamed_value("db-0", Seed::new(1)).starts_with("db-0-"));
    }
}
