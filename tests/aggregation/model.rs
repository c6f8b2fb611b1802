//! What aggregation is to make of a history of requests, worked out the slow way: nothing is forgotten, every window is
//! computed from all that arrived for it.

use std::collections::BTreeMap;

use super::world::{Delivery, Output, STALE, shown};

const INTERVAL: i64 = 60_000;

/// One group's series, by its text.
type Group = String;
type Member = (String, String);

#[derive(Default)]
struct Counter {
    /// Time and value of the last sample, and whether it was a stale marker (then the value is of the one before).
    last: Option<(i64, f64)>,
    newest: i64,
}

pub(crate) struct Model {
    delay: i64,
    idle: i64,
    watermark: i64,
    /// Requests that were taken: their times.
    spans: Vec<(i64, i64)>,
    counters: BTreeMap<Member, Counter>,
    gauges: BTreeMap<Member, BTreeMap<i64, u64>>,
    newest: BTreeMap<Member, i64>,
    /// By group and end of window: what it grew by, and when it was heard of.
    grown: BTreeMap<Group, BTreeMap<i64, (f64, i64)>>,
    kinds: BTreeMap<Group, bool>,
    members: BTreeMap<Group, Vec<Member>>,
}

impl Model {
    pub(crate) fn new(delay: i64, idle: i64) -> Self {
        Self {
            delay,
            idle,
            watermark: i64::MIN,
            spans: Vec::new(),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            newest: BTreeMap::new(),
            grown: BTreeMap::new(),
            kinds: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }

    fn closed(&self, watermark: i64) -> i64 {
        (watermark - self.delay - 1).div_euclid(INTERVAL) * INTERVAL
    }

    /// Since when the agent was watched without a gap, and how many different scrapes before `ms` there were since.
    fn watched(&self, ms: i64) -> bool {
        let mut times: Vec<i64> = self.spans.iter().map(|(oldest, _)| *oldest).filter(|t| *t < ms).collect();
        times.sort_unstable();
        times.dedup();
        let Some(newest) = times.last() else { return false };
        let long = 75_000;
        if ms - newest > long {
            return false;
        }
        let mut since = *newest;
        let mut scrapes = 1;
        for pair in times.windows(2).rev() {
            if pair[1] - pair[0] > long {
                break;
            }
            since = pair[0];
            scrapes += 1;
        }
        scrapes >= 2 && ms - since >= 60_000
    }

    /// A request that was taken.
    pub(crate) fn take(&mut self, delivery: &Delivery) {
        let times = || delivery.samples.iter().map(|observed| observed.ms);
        let (Some(oldest), Some(newest)) = (times().min(), times().max()) else { return };
        // a request holds one scrape here, so all of it is in one window
        let watermark = self.watermark.max(newest);
        let first_open = self.closed(watermark) + INTERVAL;
        for observed in &delivery.samples {
            let le =
                if observed.le.is_empty() { String::new() } else { format!("{{le=\"{}\",", observed.le) };
            let braces = if le.is_empty() { "{".to_owned() } else { le };
            let group = format!("{}{braces}pod=\"{}\"}}", observed.metric, observed.workload);
            let member = (group.clone(), observed.pod.clone());
            let window = (observed.ms - 1).div_euclid(INTERVAL) * INTERVAL + INTERVAL;
            let is_gauge = observed.metric == "memory_bytes";
            self.kinds.insert(group.clone(), is_gauge);
            let members = self.members.entry(group.clone()).or_default();
            if !members.contains(&member) {
                members.push(member.clone());
            }
            let newest = self.newest.get(&member).copied();
            if newest.is_some_and(|newest| observed.ms <= newest) {
                continue;
            }
            if is_gauge {
                if window < first_open {
                    continue;
                }
                self.newest.insert(member.clone(), observed.ms);
                self.gauges.entry(member).or_default().insert(window, observed.bits);
                if observed.bits != STALE {
                    let cell = self.grown.entry(group).or_default().entry(window).or_insert((0.0, i64::MIN));
                    cell.1 = cell.1.max(observed.ms);
                }
                continue;
            }
            if observed.bits == STALE {
                if newest.is_some() {
                    self.newest.insert(member, observed.ms);
                }
                continue;
            }
            self.newest.insert(member.clone(), observed.ms);
            let value = f64::from_bits(observed.bits);
            let born = self.watched(observed.ms);
            let counter = self.counters.entry(member).or_default();
            let grown = match counter.last {
                Some((_, last)) if value >= last => value - last,
                Some(_) => value,
                None if born => value,
                None => 0.0,
            };
            counter.last = Some((observed.ms, value));
            counter.newest = observed.ms;
            let heard = if window < first_open { first_open - INTERVAL + 1 } else { observed.ms };
            let cell =
                self.grown.entry(group).or_default().entry(window.max(first_open)).or_insert((0.0, i64::MIN));
            cell.0 += grown;
            cell.1 = cell.1.max(heard);
        }
        self.watermark = watermark;
        self.spans.push((oldest, newest));
        // only the last while matters to what is watched
        if self.spans.len() > 4000 {
            self.spans.drain(..2000);
        }
    }

    /// All points of all windows up to the newest sample.
    pub(crate) fn output(&self) -> Output {
        let last = (self.watermark - 1).div_euclid(INTERVAL) * INTERVAL + INTERVAL;
        let mut output = Output::new();
        for (group, grown) in &self.grown {
            let points = output.entry(group.clone()).or_default();
            let Some(first) = grown.keys().next() else { continue };
            let (mut total, mut newest, mut begun, mut shown_yet, mut ended) =
                (0.0, i64::MIN, false, false, i64::MIN);
            let mut end = *first;
            while end <= last {
                if let Some((increase, heard)) = grown.get(&end) {
                    total += increase;
                    newest = newest.max(*heard);
                    begun = true;
                }
                if begun && end - newest >= self.idle {
                    if shown_yet {
                        points.push((end, "stale".into()));
                        ended = end;
                    }
                    (total, begun, shown_yet) = (0.0, false, false);
                } else if begun && self.kinds[group] {
                    if let Some(sum) = self.gauge(group, end) {
                        points.push((end, sum.to_string()));
                        shown_yet = true;
                    }
                } else if begun {
                    if !shown_yet {
                        points.push(((end - INTERVAL).max(ended.saturating_add(1)), "0".into()));
                    }
                    points.push((end, shown(f64::to_bits(total))));
                    shown_yet = true;
                }
                end += INTERVAL;
            }
        }
        output.retain(|_, points| !points.is_empty());
        raise(&mut output);
        output
    }

    fn gauge(&self, group: &str, end: i64) -> Option<f64> {
        let values = self.members[group].iter().filter_map(|member| {
            let windows = self.gauges.get(member)?;
            let bits = windows.get(&end).or_else(|| windows.get(&(end - INTERVAL)))?;
            (*bits != STALE).then(|| f64::from_bits(*bits))
        });
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

/// Buckets are cumulative: none is shown below a smaller one of the same moment.
fn raise(output: &mut Output) {
    let keys: Vec<String> = output.keys().filter(|key| key.starts_with("lat_bucket")).cloned().collect();
    let mut workloads: BTreeMap<String, [Option<String>; 3]> = BTreeMap::new();
    for key in keys {
        let at = ["0.1", "1.0", "+Inf"].iter().position(|le| key.contains(&format!("le=\"{le}\""))).unwrap();
        let workload = key.split("pod=").nth(1).unwrap().to_owned();
        workloads.entry(workload).or_default()[at] = Some(key);
    }
    for keys in workloads.values() {
        let keys: Vec<&String> = keys.iter().flatten().collect();
        for pair in keys.windows(2) {
            let smaller: BTreeMap<i64, String> = output[pair[0]].iter().cloned().collect();
            for (ms, value) in output.get_mut(pair[1]).unwrap() {
                let (Some(Ok(least)), Ok(now)) =
                    (smaller.get(ms).map(|v| v.parse::<f64>()), value.parse::<f64>())
                else {
                    continue;
                };
                if now < least {
                    *value = least.to_string();
                }
            }
        }
    }
}
