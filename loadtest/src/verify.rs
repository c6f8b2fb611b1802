//! Compares what was sent with what arrived, series by series.

mod groups;

use ahash::HashSet;
use serde::{Deserialize, Serialize};

use crate::fleet::{Fate, Lane, Sent};
use crate::rich::RichTotals;
use crate::sink::{Arrived, Ledger};
use groups::{Groups, members};

/// What has to be known of a run to judge what arrived.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// From one sample of a series to the next, in milliseconds.
    pub step_ms: i64,
    /// How far the data comes in a second, in milliseconds: a gate knows ages by its clock, in whole seconds.
    pub second_ms: i64,
    /// How long policies may keep a sample to themselves, in milliseconds.
    pub holds_ms: i64,
    /// What the name of each gate adds to the identity of what it aggregates; empty if there is one gate without a name.
    pub instances: Vec<u64>,
    /// What each scope adds to identities; empty if there are none.
    pub scopes: Vec<u64>,
}

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
    /// Series that arrived under another scope than they were sent under.
    pub strayed_series: u64,
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
    /// How much the worst of them gained, and what its members did, at least and at most.
    pub worst_group: Option<(f64, f64, f64)>,
    /// Times that a group's counter fell.
    pub falls: u64,
    /// Groups with members that were born so early that only bounds of the increase are known, and groups of
    /// several gates.
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

/// Compares. `resent` are the samples that were sent more than once.
pub fn compare(lanes: &[Lane], resent: u64, setting: &Setting, ledger: &Ledger) -> Verdict {
    let sent = members(lanes);
    let uncertain: HashSet<u64> = lanes.iter().flat_map(Lane::uncertain).copied().collect();
    let mut verdict = Verdict { resent, sent_series: sent.len() as u64, ..Verdict::default() };
    let (mut relabeled_sum, mut groups) = ((0u64, 0u64), Groups::new(lanes, setting));
    for (identity, member) in &sent {
        let sent = &member.sent;
        verdict.sent_samples += u64::from(sent.count);
        match sent.fate {
            _ if uncertain.contains(identity) => verdict.unjudged_series += 1,
            Fate::Exact => verdict.exact(sent, ledger.of(*identity)),
            Fate::Removed => verdict.unwanted_series += u64::from(ledger.of(*identity).is_some()),
            Fate::Relabeled => {
                verdict.relabeled.0 += u64::from(sent.count);
                relabeled_sum.0 = relabeled_sum.0.wrapping_add(sent.sum);
            }
            Fate::Aggregated(group) => groups.add(group, *member),
        }
    }
    verdict.untracked = ledger.untracked();
    let expects_relabeled = verdict.relabeled.0 > 0;
    let outputs: HashSet<u64> = groups.identities().collect();
    let is_known = |identity: u64| {
        sent.get(&identity).is_some_and(|member| member.sent.fate != Fate::Relabeled)
            || outputs.contains(&identity)
    };
    for (identity, arrived) in ledger.all() {
        verdict.arrived_series += 1;
        verdict.arrived_samples += u64::from(arrived.count);
        verdict.duplicates += u64::from(arrived.duplicates);
        verdict.conflicts += u64::from(arrived.conflicts);
        verdict.out_of_order += u64::from(arrived.out_of_order);
        if is_known(identity) {
            continue;
        }
        if setting.elsewhere(identity).any(is_known) {
            verdict.strayed_series += 1;
        } else if expects_relabeled {
            verdict.relabeled.1 += u64::from(arrived.count);
            relabeled_sum.1 = relabeled_sum.1.wrapping_add(arrived.sum);
        } else {
            verdict.unknown_series += 1;
        }
    }
    groups.judge(ledger, &mut verdict);
    let rich = lanes.iter().map(Lane::rich).fold(<(RichTotals, RichTotals)>::default(), |mut sum, lane| {
        sum.0.merge(lane.0);
        sum.1.merge(lane.1);
        sum
    });
    let only_exact = sent.values().all(|member| member.sent.fate == Fate::Exact);
    verdict.judge(relabeled_sum.0 == relabeled_sum.1, only_exact, (rich, ledger.rich));
    verdict
}

impl Setting {
    /// What a series would be known by under each other scope than the one it arrived under, whichever that was.
    fn elsewhere(&self, identity: u64) -> impl Iterator<Item = u64> {
        let all = || self.scopes.iter().copied().chain(self.scopes.first().map(|_| 0));
        all().flat_map(move |from| all().map(move |to| identity.wrapping_sub(from).wrapping_add(to)))
    }
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

    /// Keeps what is furthest from what it may be.
    fn note_worst(&mut self, found: (f64, f64, f64)) {
        let off = |(shown, least, most): (f64, f64, f64)| (shown - most).max(least - shown);
        if self.worst_group.is_none_or(|worst| off(worst) < off(found)) {
            self.worst_group = Some(found);
        }
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
        fault(
            self.strayed_series > 0,
            format!("{} series arrived under another scope than they were sent under", self.strayed_series),
        );
        fault(self.unknown_series > 0, format!("{} series arrived that nobody sent", self.unknown_series));
        let (wanted, found) = self.relabeled;
        fault(wanted != found, format!("{wanted} samples were to arrive under other labels, {found} did"));
        fault(wanted == found && !relabeled_same, "samples under other labels have other values".to_owned());
        fault(self.missing_groups > 0, format!("{} groups did not arrive", self.missing_groups));
        let worst = self.worst_group.map_or_else(String::new, |(shown, least, most)| {
            format!(": one gains {shown:.0}, its members {}", between(least, most))
        });
        fault(
            self.wrong_groups > 0,
            format!(
                "{} of {} groups do not gain what their members gain{worst}",
                self.wrong_groups, self.groups
            ),
        );
        fault(self.falls > 0, format!("counters of groups fall {} times", self.falls));
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

fn between(least: f64, most: f64) -> String {
    if least < most { format!("{least:.0} to {most:.0}") } else { format!("{most:.0}") }
}
