//! Compares what was sent with what arrived, series by series.

use std::collections::BTreeMap;

use ahash::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use crate::fleet::{Fate, Lane, RichTotals, Sent};
use crate::law::Kind;
use crate::sink::{Arrived, Ledger};

/// What is born in this time, in milliseconds of the data, may count from its first value on or from nothing: whoever aggregates has to
/// watch a sender before it can tell a birth from something it did not know.
const WATCHED_MS: i64 = 120_000;

/// A group is to have arrived if a member was there for so long, in milliseconds of the data: windows are shorter.
const LONG_MS: i64 = 240_000;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// Series sent, and samples of them that were not refused.
    pub sent_series: u64,
    /// Samples of them that were not refused.
    pub sent_samples: u64,
    /// Series that arrived.
    pub arrived_series: u64,
    /// Samples of them, those that came twice counted once.
    pub arrived_samples: u64,
    /// Series that had to arrive as they were sent, and did, to the bit.
    pub exact_series: u64,
    /// Series that had to arrive and did not.
    pub missing_series: u64,
    /// Samples that had to arrive and did not.
    pub missing_samples: u64,
    /// Samples of known series that nobody sent.
    pub surplus_samples: u64,
    /// Series whose samples are as many as were sent, and not those.
    pub altered_series: u64,
    /// Samples with a time at which there was another value.
    pub conflicts: u64,
    /// Samples that arrived again.
    pub duplicates: u64,
    /// Samples that were sent again, so that they might.
    pub resent: u64,
    /// Samples that were older than one before them.
    pub out_of_order: u64,
    /// Series that arrived although they are expected not to.
    pub unwanted_series: u64,
    /// Samples of series for which the sink had no room.
    pub untracked: u64,
    /// Series that nobody sent and no expectation explains.
    pub unknown_series: u64,
    /// Samples expected under other labels, and samples that arrived under such.
    pub relabeled: (u64, u64),
    /// Groups of aggregated counters whose increase was compared.
    pub groups: u64,
    /// Groups of which nothing arrived, although a member was there for minutes.
    pub missing_groups: u64,
    /// Those of them whose increase is wrong.
    pub wrong_groups: u64,
    /// Groups with members that were born so early that only bounds of the increase are known.
    pub doubtful_groups: u64,
    /// Groups of gauges, and groups of which too little arrived to compare.
    pub unjudged_groups: u64,
    /// Series of which nobody knows whether the last sample arrived.
    pub unjudged_series: u64,
    /// What is wrong, in words. Empty if all is well.
    pub faults: Vec<String>,
}

impl Verdict {
    /// Whether everything that had to arrive did, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Compares. `resent` are the samples that were sent more than once, `step_ms` is the time from one sample of a series to the next.
pub fn compare(lanes: &[Lane], resent: u64, step_ms: i64, ledger: &Ledger) -> Verdict {
    let sent = by_identity(lanes);
    let uncertain: HashSet<u64> = lanes.iter().flat_map(Lane::uncertain).copied().collect();
    let mut verdict = Verdict { resent, sent_series: sent.len() as u64, ..Verdict::default() };
    let (mut relabeled_sum, mut groups) = ((0u64, 0u64), BTreeMap::<u64, Vec<Sent>>::new());
    for (identity, sent) in &sent {
        verdict.sent_samples += u64::from(sent.count);
        match sent.fate {
            _ if uncertain.contains(identity) => verdict.unjudged_series += 1,
            Fate::Exact => verdict.exact(sent, ledger.of(*identity)),
            Fate::Removed => verdict.unwanted_series += u64::from(ledger.of(*identity).is_some()),
            Fate::Relabeled => {
                verdict.relabeled.0 += u64::from(sent.count);
                relabeled_sum.0 = relabeled_sum.0.wrapping_add(sent.sum);
            }
            Fate::Aggregated(group) => groups.entry(group).or_default().push(*sent),
        }
    }
    verdict.untracked = ledger.untracked();
    let expects_relabeled = verdict.relabeled.0 > 0;
    for (identity, arrived) in ledger.all() {
        verdict.arrived_series += 1;
        verdict.arrived_samples += u64::from(arrived.count);
        verdict.duplicates += u64::from(arrived.duplicates);
        verdict.conflicts += u64::from(arrived.conflicts);
        verdict.out_of_order += u64::from(arrived.out_of_order);
        let known = sent.get(&identity).is_some_and(|sent| sent.fate != Fate::Relabeled);
        if known || groups.contains_key(&identity) {
            continue;
        }
        if expects_relabeled {
            verdict.relabeled.1 += u64::from(arrived.count);
            relabeled_sum.1 = relabeled_sum.1.wrapping_add(arrived.sum);
        } else {
            verdict.unknown_series += 1;
        }
    }
    let start_ms = sent.values().map(|sent| sent.times_ms.0).filter(|ms| *ms > 0).min().unwrap_or(0);
    for (group, members) in &groups {
        verdict.group(members, ledger.of(*group), (start_ms, step_ms));
    }
    let rich = lanes.iter().map(Lane::rich).fold(<(RichTotals, RichTotals)>::default(), |mut sum, lane| {
        sum.0.merge(lane.0);
        sum.1.merge(lane.1);
        sum
    });
    let only_exact = sent.values().all(|sent| sent.fate == Fate::Exact);
    verdict.judge(relabeled_sum.0 == relabeled_sum.1, only_exact, (rich, ledger.rich));
    verdict
}

/// What was sent of each series, whatever states its object went through.
fn by_identity(lanes: &[Lane]) -> HashMap<u64, Sent> {
    let mut all: HashMap<u64, Sent> = HashMap::default();
    for sent in lanes.iter().flat_map(Lane::sent) {
        let known = all.entry(sent.identity).or_insert(Sent { count: 0, sum: 0, ..sent });
        known.count += sent.count;
        known.sum = known.sum.wrapping_add(sent.sum);
        known.times_ms = match (known.times_ms, sent.times_ms) {
            ((0, 0), times) | (times, (0, 0)) => times,
            (a, b) => (a.0.min(b.0), a.1.max(b.1)),
        };
    }
    all
}

impl Verdict {
    fn exact(&mut self, sent: &Sent, arrived: Option<&Arrived>) {
        let Some(arrived) = arrived else {
            self.missing_series += 1;
            self.missing_samples += u64::from(sent.count);
            return;
        };
        self.missing_samples += u64::from(sent.count.saturating_sub(arrived.count));
        self.surplus_samples += u64::from(arrived.count.saturating_sub(sent.count));
        if arrived.count == sent.count {
            if arrived.sum == sent.sum { self.exact_series += 1 } else { self.altered_series += 1 }
        }
    }

    /// Counters of a group gain together what its members gain between the group's first point and its last.
    fn group(&mut self, members: &[Sent], arrived: Option<&Arrived>, (start_ms, step_ms): (i64, i64)) {
        let Some(arrived) = arrived else {
            let long = |member: &Sent| member.times_ms.1 - member.times_ms.0 >= LONG_MS;
            let due = members.iter().any(long);
            *if due { &mut self.missing_groups } else { &mut self.unjudged_groups } += 1;
            return;
        };
        let (from_ms, to_ms) = (arrived.first.0, arrived.last.0);
        let counters = members.iter().all(|member| member.law.kind() == Kind::Counter);
        if !counters || from_ms >= to_ms {
            self.unjudged_groups += 1;
            return;
        }
        let value_at = |member: &Sent, at_ms| value_at(member, at_ms, (start_ms, step_ms));
        let gained: f64 = members.iter().map(|m| value_at(m, to_ms) - value_at(m, from_ms)).sum();
        // what was born early may have been taken for something that was there before
        let early = members.iter().filter(|m| (step_ms..WATCHED_MS).contains(&(m.times_ms.0 - start_ms)));
        let doubt: f64 = early.map(|m| m.law.at(m.times_ms.0.div_euclid(1000))).sum();
        let shown = f64::from_bits(arrived.last.1) - f64::from_bits(arrived.first.1);
        self.groups += 1;
        let grain = gained.abs() * 1e-9;
        let right = shown <= gained + grain && shown >= gained - doubt - grain;
        self.wrong_groups += u64::from(!right || arrived.resets > 0);
        self.doubtful_groups += u64::from(doubt > 0.0);
    }

    fn judge(
        &mut self,
        relabeled_same: bool,
        only_exact: bool,
        (sent, arrived): ((RichTotals, RichTotals), (RichTotals, RichTotals)),
    ) {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: String| {
            if wrong {
                faults.push(text);
            }
        };
        fault(
            self.missing_samples > 0,
            format!(
                "{} samples are missing, {} whole series among them",
                self.missing_samples, self.missing_series
            ),
        );
        fault(self.surplus_samples > 0, format!("{} samples were invented", self.surplus_samples));
        fault(self.altered_series > 0, format!("{} series arrived with other values", self.altered_series));
        fault(self.conflicts > 0, format!("{} samples came again with another value", self.conflicts));
        fault(
            self.duplicates > self.resent,
            format!("{} samples arrived twice, {} were sent again", self.duplicates, self.resent),
        );
        fault(self.out_of_order > 0, format!("{} samples arrived after a newer one", self.out_of_order));
        fault(self.unwanted_series > 0, format!("{} series arrived that must not", self.unwanted_series));
        fault(
            self.untracked > 0,
            format!("the sink had no room for {} samples: --max-series", self.untracked),
        );
        fault(self.unknown_series > 0, format!("{} series arrived that nobody sent", self.unknown_series));
        let (wanted, found) = self.relabeled;
        fault(wanted != found, format!("{wanted} samples were to arrive under other labels, {found} did"));
        fault(wanted == found && !relabeled_same, "samples under other labels have other values".to_owned());
        fault(self.missing_groups > 0, format!("{} groups did not arrive", self.missing_groups));
        fault(
            self.wrong_groups > 0,
            format!("{} of {} groups do not gain what their members gain", self.wrong_groups, self.groups),
        );
        for (what, sent, arrived) in
            [("exemplars", sent.0, arrived.0), ("native histograms", sent.1, arrived.1)]
        {
            // one that was sent again may be there twice
            let same = !only_exact || sent == arrived || (self.resent > 0 && arrived.count >= sent.count);
            fault(
                !same && self.unjudged_series == 0,
                format!("{} {what} were sent, {} arrived, or others", sent.count, arrived.count),
            );
        }
        self.faults = faults;
    }
}

/// What a counter had come to at a time. One that was there from the start had come before to what it showed first.
fn value_at(member: &Sent, at_ms: i64, (start_ms, step_ms): (i64, i64)) -> f64 {
    let (first_ms, last_ms) = member.times_ms;
    if first_ms == 0 || (at_ms < first_ms && first_ms >= start_ms + step_ms) {
        return 0.0;
    }
    let sample_ms = first_ms + (at_ms.clamp(first_ms, last_ms) - first_ms) / step_ms * step_ms;
    member.law.at(sample_ms.div_euclid(1000))
}
