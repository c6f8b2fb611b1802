//! What aggregation is to make of a history of requests, worked out the slow way: nothing is forgotten, every window is
//! computed from all that arrived for it.

use std::collections::BTreeMap;

use super::world::{Delivery, Observed, Output, STALE, shown};

const INTERVAL: i64 = 60_000;

/// One group's series, by its text.
type Group = String;
type Member = (String, String);

pub(crate) struct Model {
    delay: i64,
    idle: i64,
    watermark: i64,
    /// Pauses of all senders together, and how fast what was kept is taken in.
    tenant: Option<Rhythm>,
    recent: Vec<(i64, i64)>,
    hold_until: i64,
    heard: Option<i64>,
    gaps: Vec<(i64, i64)>,
    /// The one sender, and since when and until when the gate knows each series, in seconds.
    sender: Option<Rhythm>,
    /// How far it had come when, a second apart at least, the last 64 times.
    reached: Vec<(i64, i64)>,
    index: BTreeMap<Member, (i64, i64)>,
    unsure_until: i64,
    /// Whether a counter starts from zero, as it was when it was first heard of.
    starts: BTreeMap<Member, Born>,
    /// New counters whose start is not settled, and histograms of which a part is not born, until when.
    open: BTreeMap<Family, Vec<Part>>,
    unborn: BTreeMap<Family, i64>,
    /// The end of the last window in which starts were settled.
    settled: i64,
    counters: BTreeMap<Member, f64>,
    gauges: BTreeMap<Member, Gauge>,
    newest: BTreeMap<Member, i64>,
    /// By group and end of window: what it grew by, and when it was heard of.
    grown: BTreeMap<Group, BTreeMap<i64, (f64, i64)>>,
    kinds: BTreeMap<Group, bool>,
    members: BTreeMap<Group, Vec<Member>>,
}

/// A gauge: its last value in each window, and for how many windows after that it holds.
#[derive(Default)]
struct Gauge {
    values: BTreeMap<i64, (u64, i64)>,
    period: Period,
}

/// Lengths of time a quarter of an octave apart, milliseconds.
fn steps() -> impl Iterator<Item = i64> {
    (4..40).flat_map(|octave| (0..4).map(move |quarter| (5 + quarter) * (1 << octave) / 4))
}

/// The last but one that is shorter.
fn below(ms: i64) -> Option<i64> {
    let shorter: Vec<i64> = steps().take_while(|step| *step < ms).collect();
    shorter.iter().rev().nth(1).copied()
}

/// How far samples are apart: one that is much later says nothing, two do.
#[derive(Default)]
struct Period {
    last: Option<i64>,
    length: Option<i64>,
    late: bool,
}

impl Period {
    /// Rounded up to quarters of an octave, as the gate keeps it.
    fn rounded(&self) -> Option<i64> {
        let length = self.length?;
        steps().find(|longest| length < *longest)
    }

    fn see(&mut self, ms: i64) {
        if let Some(last) = self.last {
            let late = self.rounded().is_some_and(|period| ms - last > period * 3 / 2);
            if ms - last > 600_000 {
                (self.length, self.late) = (None, false);
            } else if late && !self.late {
                self.late = true;
            } else {
                // by one quarter less at a time, so that of uneven times the long ones count
                let least = self.rounded().and_then(below);
                (self.length, self.late) = (Some((ms - last).max(least.unwrap_or(0))), false);
            }
        }
        self.last = Some(ms);
    }

    fn carry(&self) -> i64 {
        self.rounded().map_or(300_000, |period| (period * 3 / 2).min(600_000))
    }
}

/// When somebody was heard of.
#[derive(Clone)]
struct Rhythm {
    since: i64,
    second: Option<i64>,
    newest: i64,
    step: i64,
}

impl Rhythm {
    fn new(newest: i64) -> Self {
        Self { since: newest, second: None, newest, step: 0 }
    }

    fn pause(&self) -> i64 {
        (self.step * 5 / 2).max(60_000)
    }

    fn see(&mut self, newest: i64) {
        let jump = newest - self.newest;
        if jump > self.pause() {
            *self = Self { step: jump, ..Self::new(newest) };
        } else if jump >= 1000 {
            self.step = if jump > self.step { jump } else { (3 * self.step + jump) / 4 };
        }
        if newest >= self.since + 1000 && self.second.is_none_or(|second| newest < second) {
            self.second = Some(newest);
        }
        self.newest = self.newest.max(newest);
    }
}

/// Whether a counter starts from zero: by the time its run was due at once; by watching once a minute has passed in which
/// something could have said otherwise, if it is so of all parts of a histogram.
#[derive(Clone, Copy, PartialEq)]
enum Born {
    No,
    Yes,
    Later,
    Hardly,
}

/// The parts of one histogram: name, pod.
type Family = (String, String);

/// A new counter whose start is not settled.
struct Part {
    group: Group,
    member: Member,
    value: f64,
    born: Born,
    /// The end of the window that its first sample counts in, and when it is settled at the latest.
    end: i64,
    due: i64,
    /// Its newest sample before a restart: it has to go on.
    waits_after: Option<i64>,
}

impl Model {
    pub(crate) fn new(delay: i64, idle: i64) -> Self {
        Self {
            delay,
            idle,
            watermark: i64::MIN,
            tenant: None,
            recent: Vec::new(),
            hold_until: 0,
            heard: None,
            gaps: Vec::new(),
            sender: None,
            reached: Vec::new(),
            index: BTreeMap::new(),
            unsure_until: i64::MIN,
            starts: BTreeMap::new(),
            open: BTreeMap::new(),
            unborn: BTreeMap::new(),
            settled: i64::MIN,
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            newest: BTreeMap::new(),
            grown: BTreeMap::new(),
            kinds: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }

    /// The gate ends, and another goes on: of nobody it is known since when it is there.
    pub(crate) fn restart(&mut self, now: i64) {
        self.index.clear();
        self.sender = None;
        self.reached.clear();
        self.unsure_until = now;
        self.tenant = self.tenant.as_ref().map(|tenant| Rhythm::new(tenant.newest));
        self.watermark = self.tenant.as_ref().map_or(i64::MIN, |tenant| tenant.newest);
        (self.recent, self.gaps, self.hold_until) = (Vec::new(), self.gaps.clone(), 0);
        self.heard = Some(now);
        for part in self.open.values_mut().flatten() {
            part.due = part.due.max(now + 60_000);
            part.waits_after = self.newest.get(&part.member).copied();
        }
    }

    /// What the gate's index forgets.
    pub(crate) fn forget(&mut self, now: i64) {
        let horizon = now / 1000 - self.idle / 1000;
        self.index.retain(|_, (_, seen)| *seen >= horizon);
    }

    fn closed(&self, watermark: i64) -> i64 {
        (watermark - self.delay - 1).div_euclid(INTERVAL) * INTERVAL
    }

    /// Up to when all is over once a request of `newest` has come at `now`.
    fn mark(&mut self, newest: i64, now: i64) -> i64 {
        let behind = now - newest > 30_000;
        let holds = now < self.hold_until;
        let kept = behind && (holds || self.heard.is_some_and(|heard| now - heard >= 15_000));
        let all = self.tenant.as_ref().map_or(newest, |tenant| tenant.newest.max(newest));
        let slowest = self.slowest(now).unwrap_or(i64::MAX).min(newest);
        let mark = if holds || kept { all.min(slowest) } else { all };
        if kept {
            self.hold_until = now + 90_000;
        }
        mark.max(self.watermark)
    }

    fn slowest(&self, now: i64) -> Option<i64> {
        let recent = self.recent.iter().filter(|(at, _)| now / 5000 - at / 5000 < 3);
        recent.map(|(_, newest)| *newest).min()
    }

    /// Time passes: who was waited for comes no more.
    pub(crate) fn pass(&mut self, now: i64) {
        let Some(tenant) = &self.tenant else { return };
        let mark = if now < self.hold_until { self.slowest(now).unwrap_or(i64::MAX) } else { i64::MAX };
        let (newest, silent) = (tenant.newest, self.heard.is_some_and(|heard| now - heard >= 60_000));
        self.watermark = self.watermark.max(mark.min(newest));
        self.settle(self.closed(self.watermark).max(if silent {
            newest.div_euclid(INTERVAL) * INTERVAL
        } else {
            i64::MIN
        }));
    }

    /// Whether what a request brings for the first time was born while its sender was watched.
    fn is_born(&self, first: i64, pod: &str, members: &[Member], newest: i64, now: i64) -> Born {
        let Some(sender) = &self.sender else { return Born::No };
        let ages = members.iter().filter_map(|member| Some(now / 1000 - self.index.get(member)?.0));
        let known: Vec<i64> = ages.collect();
        let mut asked: Vec<i64> = known.iter().copied().step_by(known.len().div_ceil(64).max(1)).collect();
        asked.sort_unstable();
        let asked_of = known.len();
        let company = asked.get(asked.len().saturating_sub(1) / 2).map(|age| age * 1000);
        let sure = now.saturating_sub(self.unsure_until);
        let known = company.map_or(first - 60_000, |company| self.had_come_to(company, newest, now));
        let since = sender.since.max(known).max(self.had_come_to(sure, newest, now));
        let just_came = company.is_none() && first - sender.since < 60_000;
        if just_came || first - sender.newest > sender.pause() {
            return Born::No;
        }
        let due = pod.split('-').nth(1).and_then(|minute| minute.parse::<i64>().ok());
        let was_due = due.is_some_and(|minute| (since..=first).contains(&(minute * 60_000)));
        let scrapes = sender.second.is_some_and(|second| second < first);
        let watched =
            company.is_some() && first - since >= 60_000 && scrapes && 2 * asked_of >= members.len();
        match (was_due, watched) {
            (true, _) => Born::Yes,
            (false, true) => Born::Later,
            (false, false) => Born::Hardly,
        }
    }

    /// How far the sender had come so long before.
    fn had_come_to(&self, ago: i64, newest: i64, now: i64) -> i64 {
        let at = now.saturating_sub(ago).saturating_sub(999);
        let forgotten = self.reached.len() == 64 && at < self.reached[0].0;
        let then = self.reached.iter().find(|(then, _)| *then >= at && !forgotten);
        then.map_or(newest.saturating_sub(ago), |(_, came)| *came)
    }

    fn names(observed: &Observed) -> (Group, Member) {
        let le = if observed.le.is_empty() { String::new() } else { format!("{{le=\"{}\",", observed.le) };
        let braces = if le.is_empty() { "{".to_owned() } else { le };
        let group = format!("{}{braces}pod=\"{}\"}}", observed.metric, observed.workload);
        let member = (group.clone(), observed.pod.clone());
        (group, member)
    }

    /// A request that was taken at `now`.
    pub(crate) fn take(&mut self, delivery: &Delivery, now: i64) {
        let times = || delivery.samples.iter().map(|observed| observed.ms);
        let (Some(oldest), Some(newest)) = (times().min(), times().max()) else { return };
        let requested: Vec<Member> =
            delivery.samples.iter().map(|observed| Self::names(observed).1).collect();
        let born: Vec<Born> = delivery
            .samples
            .iter()
            .map(|observed| self.is_born(observed.ms, &observed.pod, &requested, newest, now))
            .collect();
        let holding = self.hold_until;
        // older windows first: what a request holds does not make itself late
        let mut order: Vec<usize> = (0..delivery.samples.len()).collect();
        order.sort_by_key(|at| window(delivery.samples[*at].ms));
        let marks: BTreeMap<i64, i64> = order
            .iter()
            .map(|at| window(delivery.samples[*at].ms))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|end| {
                let newest_there = times().filter(|ms| window(*ms) == end).max().unwrap();
                self.hold_until = holding;
                let whole = self.mark(newest, now);
                let all = self.tenant.as_ref().map_or(i64::MIN, |tenant| tenant.newest).max(newest_there);
                (end, whole.min(all).max(self.watermark))
            })
            .collect();
        for at in order {
            let observed = &delivery.samples[at];
            let first_open = self.closed(marks[&window(observed.ms)]) + INTERVAL;
            self.take_one(observed, born[at], first_open);
        }
        self.hold_until = holding;
        self.watermark = self.mark(newest, now);
        self.note(oldest, newest, now, &requested);
        self.settle(self.closed(self.watermark));
    }

    fn note(&mut self, oldest: i64, newest: i64, now: i64, requested: &[Member]) {
        self.heard = Some(now);
        self.recent.push((now, newest));
        self.recent.retain(|(at, _)| now / 5000 - at / 5000 < 3);
        let tenant = self.tenant.get_or_insert(Rhythm::new(newest));
        if oldest - tenant.newest > tenant.pause() {
            self.gaps.push((tenant.newest, oldest));
        }
        tenant.see(newest);
        match &mut self.sender {
            Some(sender) => sender.see(newest),
            None => self.sender = Some(Rhythm::new(newest)),
        }
        let came = self.sender.as_ref().map_or(newest, |sender| sender.newest);
        if self.reached.last().is_none_or(|(at, _)| now - *at >= 1000) {
            self.reached.push((now, came));
        }
        if self.reached.len() > 64 {
            self.reached.remove(0);
        }
        for member in requested {
            self.index.entry(member.clone()).or_insert((now / 1000, now / 1000)).1 = now / 1000;
        }
    }

    fn take_one(&mut self, observed: &Observed, born: Born, first_open: i64) {
        let (group, member) = Self::names(observed);
        let window = window(observed.ms);
        let is_gauge = observed.metric == "memory_bytes";
        self.kinds.insert(group.clone(), is_gauge);
        let members = self.members.entry(group.clone()).or_default();
        if !members.contains(&member) {
            members.push(member.clone());
        }
        let newest = self.newest.get(&member).copied();
        if newest.is_some_and(|newest| observed.ms <= newest) {
            return;
        }
        if is_gauge {
            if window < first_open && observed.bits != STALE {
                return;
            }
            let window = window.max(first_open);
            self.newest.insert(member.clone(), observed.ms);
            let gauge = self.gauges.entry(member).or_default();
            match observed.bits {
                // when a sample was to come nobody learns from it
                STALE => gauge.period.last = Some(observed.ms),
                _ => gauge.period.see(observed.ms),
            }
            gauge.values.insert(window, (observed.bits, gauge.period.carry()));
            if observed.bits != STALE {
                let cell = self.grown.entry(group).or_default().entry(window).or_insert((0.0, i64::MIN));
                cell.1 = cell.1.max(observed.ms);
            }
            return;
        }
        let born = *self.starts.entry(member.clone()).or_insert(born);
        if observed.bits == STALE {
            if newest.is_some() {
                self.newest.insert(member, observed.ms);
            }
            return;
        }
        self.newest.insert(member.clone(), observed.ms);
        let value = f64::from_bits(observed.bits);
        let before = self.counters.insert(member.clone(), value);
        let grown = match before {
            Some(last) if value >= last => value - last,
            Some(_) => value,
            None => 0.0,
        };
        let heard = if window < first_open { first_open - INTERVAL + 1 } else { observed.ms };
        let counted = window.max(first_open);
        self.grow(&group, counted, grown, heard);
        if before.is_none() {
            let ending =
                ["_bucket", "_sum", "_count"].iter().find_map(|ending| observed.metric.strip_suffix(ending));
            let family = (ending.unwrap_or(observed.metric).to_owned(), observed.pod.clone());
            let due = observed.ms + 60_000;
            match born {
                Born::No if ending.is_some() => drop(self.unborn.insert(family, due)),
                Born::No => {}
                born => {
                    let part = Part { group, member, value, born, end: counted, due, waits_after: None };
                    self.open.entry(family).or_default().push(part);
                }
            }
        }
    }

    fn grow(&mut self, group: &Group, window: i64, by: f64, heard: i64) {
        let cell = self.grown.entry(group.clone()).or_default().entry(window).or_insert((0.0, i64::MIN));
        cell.0 += by;
        cell.1 = cell.1.max(heard);
    }

    /// Settles starts in all windows up to one.
    fn settle(&mut self, until: i64) {
        if self.settled == i64::MIN {
            self.settled = until;
        }
        while self.settled < until {
            self.settled += INTERVAL;
            let end = self.settled;
            for (family, parts) in std::mem::take(&mut self.open) {
                let waits = parts.iter().any(|part| part.end > end);
                let due = parts.iter().any(|part| end + self.delay >= part.due);
                let sure = parts.iter().all(|part| part.born == Born::Yes);
                if waits || !(due || sure) {
                    self.open.insert(family, parts);
                    continue;
                }
                let goes_on = |part: &Part| part.waits_after.is_none_or(|ms| self.newest[&part.member] > ms);
                let is_born = |part: &Part| match part.born {
                    Born::Yes => true,
                    Born::Later => goes_on(part),
                    Born::No | Born::Hardly => false,
                };
                if parts.iter().all(is_born) && !self.unborn.contains_key(&family) {
                    parts.iter().for_each(|part| self.grow(&part.group, end, part.value, end - INTERVAL + 1));
                }
            }
            self.unborn.retain(|_, until| *until > end);
        }
    }

    /// Nothing more comes: only what is proved counts.
    fn settle_last(&mut self, until: i64) {
        for part in self.open.values_mut().flatten() {
            part.due = i64::MIN;
            part.born = if part.born == Born::Yes { Born::Yes } else { Born::Hardly };
        }
        self.settle(until);
    }

    /// All points of all windows up to the newest sample.
    pub(crate) fn output(&mut self) -> Output {
        let newest = self.tenant.as_ref().map_or(i64::MIN, |tenant| tenant.newest);
        let last = window(newest);
        self.settle_last(last);
        let mut histories: BTreeMap<Group, History> = BTreeMap::new();
        for (group, grown) in &self.grown {
            histories.insert(group.clone(), self.history(group, grown, last));
        }
        hold_back(&mut histories);
        let mut output = Output::new();
        for (group, history) in histories {
            let points = self.points(&group, &history);
            if !points.is_empty() {
                output.insert(group, points);
            }
        }
        output
    }

    /// Each window of a group from its first to the last: what it grew by, if it is there, and whether it ends.
    fn history(&self, group: &str, grown: &BTreeMap<i64, (f64, i64)>, last: i64) -> History {
        let mut history = History::new();
        let (mut newest, mut begun) = (i64::MIN, false);
        let Some(first) = grown.keys().next() else { return history };
        let mut end = *first;
        while end <= last {
            let mut increase = 0.0;
            if let Some((more, heard)) = grown.get(&end) {
                increase = *more;
                newest = newest.max(*heard);
                begun = true;
            }
            if begun {
                let ends = end - newest >= self.idle || self.gauge_ends(group, end);
                begun = !ends;
                history.insert(end, Moment { increase, ends });
            }
            end += INTERVAL;
        }
        history
    }

    fn points(&self, group: &str, history: &History) -> Vec<(i64, String)> {
        let mut points = Vec::new();
        let (mut total, mut shown_yet, mut ended) = (0.0, false, i64::MIN);
        for (&end, moment) in history {
            total += moment.increase;
            let silent = self.gaps.iter().any(|(from, to)| *from <= end - INTERVAL && end < *to);
            if moment.ends {
                if shown_yet {
                    points.push((end, "stale".into()));
                    ended = end;
                }
                (total, shown_yet) = (0.0, false);
            } else if silent {
            } else if self.kinds[group] {
                if let Some(sum) = self.gauge(group, end) {
                    points.push((end, sum.to_string()));
                    shown_yet = true;
                }
            } else {
                if !shown_yet {
                    points.push(((end - INTERVAL).max(ended.saturating_add(1)), "0".into()));
                }
                points.push((end, shown(f64::to_bits(total))));
                shown_yet = true;
            }
        }
        points
    }

    /// Whether the last of a gauge's members that had a value were said to be stale in this window.
    fn gauge_ends(&self, group: &str, end: i64) -> bool {
        let stale = |member| self.gauges.get(member)?.values.get(&end).map(|(bits, _)| *bits == STALE);
        self.gauge(group, end).is_none()
            && self.members[group].iter().any(|member| stale(member) == Some(true))
    }

    fn gauge(&self, group: &str, end: i64) -> Option<f64> {
        let values = self.members[group].iter().filter_map(|member| {
            let (window, (bits, carry)) = self.gauges.get(member)?.values.range(..=end).next_back()?;
            (end - window <= *carry && *bits != STALE).then(|| f64::from_bits(*bits))
        });
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

/// By end of window.
type History = BTreeMap<i64, Moment>;

struct Moment {
    increase: f64,
    ends: bool,
}

fn window(ms: i64) -> i64 {
    (ms - 1).div_euclid(INTERVAL) * INTERVAL + INTERVAL
}

/// Buckets are cumulative: none grows by more than a larger one in any window; what it grew more waits.
fn hold_back(histories: &mut BTreeMap<Group, History>) {
    let workloads: std::collections::BTreeSet<String> = histories
        .keys()
        .filter(|group| group.starts_with("lat_bucket"))
        .map(|group| group.split("pod=").nth(1).unwrap().to_owned())
        .collect();
    for workload in workloads {
        let mut larger: Option<History> = None;
        for le in ["+Inf", "1.0", "0.1"] {
            let group = format!("lat_bucket{{le=\"{le}\",pod={workload}");
            let Some(history) = histories.get_mut(&group) else { continue };
            let mut waits = 0.0;
            for (end, moment) in history.iter_mut() {
                if moment.ends {
                    waits = 0.0;
                    continue;
                }
                let has = waits + moment.increase;
                let most = match &larger {
                    None => f64::INFINITY,
                    Some(larger) => larger.get(end).map_or(0.0, |moment| moment.increase),
                };
                moment.increase = has.min(most);
                waits = has - moment.increase;
            }
            let copy = |moment: &Moment| Moment { increase: moment.increase, ends: moment.ends };
            larger = Some(history.iter().map(|(end, moment)| (*end, copy(moment))).collect());
        }
    }
}
