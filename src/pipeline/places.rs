//! Places with limits: asked for when a series is decided, and given back where it is not sent.

use std::cell::RefCell;

use super::context::SeriesContext;
use super::decider::{Decider, Work};
use super::{Outcome, Pipeline};
use crate::admission::{Answer, Ask, Name};
use crate::policy::bound::Spelling;
use crate::policy::{
    Admission, Aggregation, Disposition, OtherSeries, PolicyIndex, VerdictId, WorkloadSource,
};
use crate::series::{Departed, Fingerprint, Labels, SentAs, scope};
use crate::wire::labels::put_canonical;

/// A series that is held back asks again after so long, in sample time.
const HELD_SECONDS: u32 = 60;
/// Of the labels that make a group so many bytes are shown.
const SHOWN_BYTES: usize = 200;

/// A series that is decided, among the others.
pub(super) struct Among<'a> {
    decider: &'a Decider<'a>,
    context: &'a SeriesContext<'a>,
    /// What the limits said.
    asked: RefCell<Vec<(PolicyIndex, Answer)>>,
}

impl<'a> Among<'a> {
    pub(super) fn new(decider: &'a Decider<'a>, context: &'a SeriesContext<'a>) -> Self {
        Self { decider, context, asked: RefCell::default() }
    }

    fn of(&self, policy: PolicyIndex) -> Option<Answer> {
        self.asked.borrow().iter().find(|(asked, _)| *asked == policy).map(|(_, answer)| *answer)
    }

    /// Until when what was said holds: who has no place asks again, but for who is added up meanwhile.
    pub(super) fn valid_until(&self, disposition: Disposition, newest: u32) -> u32 {
        let refused = self.asked.borrow().iter().any(|(_, answer)| matches!(answer, Answer::Refused(_)));
        if refused && disposition != Disposition::Aggregate {
            newest.saturating_add(HELD_SECONDS)
        } else {
            u32::MAX
        }
    }
}

impl OtherSeries for Among<'_> {
    fn admit(&self, policy: PolicyIndex, labels: Labels<'_>, workload: &WorkloadSource<'_>) -> Admission {
        let Self { decider, context, asked } = self;
        let limit = decider.policies.set.limit(policy);
        let Some((admissions, limit)) = decider.policies.admissions(policy).zip(limit) else {
            return Admission::Admitted;
        };
        let sent = context.before.filter(|(before, _)| is_sent(*before));
        let account = scope::account(decider.scope);
        let tenant = decider.prints.tenant(account);
        let group = || limit.group(labels, workload);
        let mut key = Vec::new();
        group().for_each(|(name, value)| put_canonical(&mut key, name, value));
        let ask = Ask {
            series: context.series,
            group: decider.prints.fingerprint(&key, tenant),
            tenant,
            sent_since: sent.map(|(_, generation)| generation),
            is_warming_up: decider.tracker.is_warming_up(decider.now),
            is_folded: matches!(context.before, Some((SentAs::Aggregated(_), _)))
                && !context.probe.follow_up.has_returned(),
            has_no_room: context.unknown && decider.index.is_full(),
            now: decider.now,
        };
        let answer = admissions.ask(&ask, || name_of(account, group().collect()));
        asked.borrow_mut().push((policy, answer));
        answer.admission()
    }

    fn would_join(&self, policy: PolicyIndex, aggregation: &Aggregation, labels: Labels<'_>) {
        let mut key = Vec::new();
        let spelling = Spelling::of(labels);
        let group = aggregation.group(labels, &spelling);
        group.iter().for_each(|(name, value)| put_canonical(&mut key, name, value));
        let group = self.decider.prints.fingerprint(&key, self.decider.tenant);
        self.decider.policies.would_join(policy, group);
    }
}

impl Decider<'_> {
    /// Notes the places that the series is to have once the upstream has it. Where it is not sent, or is asked of no more, it has
    /// none. Returns whether there is one that it does not have yet.
    pub(super) fn settle_places(
        &self,
        context: &SeriesContext<'_>,
        among: &Among<'_>,
        verdict: VerdictId,
        work: &mut Work<'_, '_>,
    ) -> bool {
        if !self.policies.set.limits() {
            return false;
        }
        let mut reserves = false;
        let (series, is_sent) = (context.series, self.is_sent_as_admitted(verdict));
        for (policy, admissions) in &self.policies.admissions {
            match among.of(*policy) {
                Some(Answer::Reserved) if is_sent => {
                    work.outcome.effects.reserved.push(admissions, series);
                    reserves = true;
                }
                Some(Answer::Reserved) => admissions.release(&[series]),
                Some(Answer::Refused(_)) => {}
                Some(Answer::Admitted) if is_sent => {}
                None if context.unknown => {}
                Some(Answer::Admitted) | None => admissions.end([series]),
            }
        }
        reserves
    }

    /// Whether a series of this verdict uses the places it has: what is added up by a limit does not.
    fn is_sent_as_admitted(&self, verdict: VerdictId) -> bool {
        let disposition = verdict.disposition();
        let is_folded = || {
            let ended_by = self.policies.set.row(verdict).ended_by;
            ended_by.is_some_and(|policy| self.policies.set.limit(policy).is_some())
        };
        disposition.forwards() || disposition == Disposition::Aggregate && !is_folded()
    }
}

impl Pipeline {
    /// Takes the places of a request that the upstream has, but for series `without_place`.
    pub(super) fn commit_places(&self, outcome: &Outcome, without_place: &[Fingerprint], now: u32) {
        outcome.effects.reserved.commit(now);
        self.limits.end(without_place.iter().copied());
        let new = outcome.effects.new_series.iter().filter(|new| new.ends).map(|new| new.series);
        let known = outcome.effects.ended.iter().map(|(series, ..)| *series);
        self.limits.ended(new.chain(known), now);
    }

    /// Forgets series that are idle: what had places with limits has none any more.
    pub fn series_expired(&self, departed: &[Departed], now: u32) {
        self.tracker.series_expired(departed, now);
        if !departed.is_empty() && self.policies.load().set.limits() {
            self.limits.end(departed.iter().map(|departed| departed.series));
        }
    }
}

/// What people are shown of a group.
fn name_of(account: &str, mut pairs: Vec<(&str, &str)>) -> Name {
    pairs.retain(|(_, value)| !value.is_empty());
    pairs.sort_unstable();
    pairs.dedup_by_key(|(name, _)| *name);
    let mut text = if pairs.is_empty() { String::new() } else { Labels::from_sorted(&pairs).to_string() };
    if text.len() > SHOWN_BYTES {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES));
        text.push('…');
    }
    Name { tenant: account.trim_start().replace('\n', " ").into(), labels: text.into() }
}

/// Whether anything came of the samples of a series that was decided to be this.
fn is_sent(sent_as: SentAs) -> bool {
    sent_as.is_itself() || matches!(sent_as, SentAs::Rewritten(_) | SentAs::Aggregated(_))
}
