//! The state of one limit, for all tenants.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::group::{Group, Name};
use super::groups::Groups;
use super::slot::Slot;
use crate::policy::{Admission, Limit, Limiting};
use crate::series::index::MAX_GENERATION;
use crate::series::table::Table;
use crate::series::{Fingerprint, TenantKey};

/// How many groups that have just become full are remembered until somebody tells of them.
const NEWS: usize = 8;
/// A series keeps its place for so long after its stale marker, seconds: a scrape that failed once, or a marker that comes late, ends
/// nothing.
pub(super) const GRACE: u32 = 120;

/// One limit. It belongs to the name of its policy and to the labels that make its groups: its numbers may change.
pub struct Admissions {
    /// Name of the policy.
    pub name: Arc<str>,
    /// The labels that make a group.
    pub(super) by: Vec<String>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) limit: Arc<Limit>,
    /// Since when it holds what it holds, Unix seconds of our clock.
    pub(super) since: u32,
    /// Which compilation of the policies had it first, as it selects series now.
    born: u32,
    /// What it selects, as text.
    selection: Arc<str>,
    /// Whether what was admitted before the start is known, or nothing was.
    pub(super) is_restored: bool,
    /// Whether some of that may not have been seen since.
    pub(super) has_unseen: bool,
    pub(super) slots: Table<Slot>,
    pub(super) groups: Groups,
    /// Whether the policy is in force, and not in preview.
    pub(super) is_enforced: bool,
    /// Series with a stale marker, and when it came, oldest first.
    ending: VecDeque<(Fingerprint, u32)>,
    /// Groups that have become full and of which nobody was told, and how many more.
    news: (Vec<Name>, u64),
    /// How often nothing could be remembered of a series.
    pub(super) without_room: u64,
    /// Whether something changed since it was saved.
    pub(super) changed: bool,
}

/// A series has gone to another group.
struct Moved;

/// Who asks for a place.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Which series.
    pub series: Fingerprint,
    /// What its group is known by; the tenant is part of it.
    pub group: Fingerprint,
    /// Its tenant.
    pub tenant: TenantKey,
    /// Under which compilation of the policies it was decided to be sent, if it was.
    pub sent_since: Option<u32>,
    /// Whether the process still learns what there is.
    pub is_warming_up: bool,
    /// Whether it was added up by a limit so far, and goes on.
    pub is_folded: bool,
    /// Whether the index has no room for it.
    pub has_no_room: bool,
    /// Our clock, Unix seconds.
    pub now: u32,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has a place.
    Admitted,
    /// A place is held for it: to be given back with [`Admissions::release`], and before to [`Admissions::commit`] if it is sent.
    Reserved,
    /// It has none.
    Refused(Admission),
}

impl Answer {
    /// The same, as policies see it.
    pub fn admission(self) -> Admission {
        match self {
            Self::Admitted | Self::Reserved => Admission::Admitted,
            Self::Refused(admission) => admission,
        }
    }
}

impl Admissions {
    pub(super) fn new(limiting: &Limiting, generation: u32, since: u32) -> Self {
        let Limiting { name, limit, selection, is_enforced } = limiting;
        let (name, by) = (Arc::clone(name), limit.by.clone());
        let state = State {
            limit: Arc::clone(limit),
            since,
            born: generation,
            selection: Arc::clone(selection),
            is_restored: false,
            has_unseen: false,
            slots: Table::default(),
            groups: Groups::default(),
            is_enforced: *is_enforced,
            ending: VecDeque::new(),
            news: Default::default(),
            without_room: 0,
            changed: false,
        };
        Self { name, by, state: Mutex::new(state) }
    }

    /// Goes on under other numbers. Where it selects other series now, those that flow are asked of as if it were new.
    pub(super) fn take_on(&self, limiting: &Limiting, generation: u32) {
        let mut state = self.state.lock();
        state.limit = Arc::clone(&limiting.limit);
        state.is_enforced = limiting.is_enforced;
        if state.selection != limiting.selection {
            state.selection = Arc::clone(&limiting.selection);
            state.born = generation;
        }
    }

    /// Asks for a place. `name` is called where the series is the first of its group.
    pub fn ask(&self, ask: &Ask, name: impl FnOnce() -> Name) -> Answer {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.let_go(ask.now);
        let moved = match state.place(ask) {
            Some(Ok(answer)) => return answer,
            Some(Err(Moved)) => true,
            None => false,
        };
        let limit = Arc::clone(&state.limit);
        let key = state.groups.key(ask, limit.max_groups);
        let found = state.groups.by_key.get(&key).copied();
        let learns = ask.is_warming_up && !state.is_restored;
        let came_before = ask.sent_since.is_some_and(|since| state.is_younger(since));
        // what is part of a sum stays so, or it would count twice
        let stays_folded = ask.is_folded && !came_before && limit.fold.is_some();
        let before = moved || learns || came_before;
        let has_room =
            found.and_then(|at| state.groups.get(at)).is_none_or(|group| group.has_room(&limit, ask.now));
        if ask.has_no_room || stays_folded || !(before || has_room) {
            state.refuse(found, ask);
            let why = if ask.has_no_room { Admission::NoRoom } else { Admission::Exceeded };
            return Answer::Refused(why);
        }
        let at = found.unwrap_or_else(|| {
            let name = if key == ask.group { name() } else { others(name()) };
            state.groups.insert(Group::new(key, ask.tenant, name))
        });
        let counts = !before;
        state.slots.insert(Slot::reserved(ask.series, at, counts), ());
        if let Some(group) = state.groups.get_mut(at) {
            group.reserved += 1;
            group.reserved_new += u32::from(counts);
        }
        Answer::Reserved
    }

    /// Admits series for which places are held.
    pub fn commit(&self, series: &[Fingerprint], now: u32) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for series in series {
            let Some(slot) = state.slots.get_mut(*series).filter(|slot| !slot.is_admitted()) else {
                continue;
            };
            let (at, counts) = (slot.group, slot.counts());
            slot.admit();
            let Some(group) = state.groups.get_mut(at) else { continue };
            group.reserved -= 1;
            group.admitted += 1;
            if counts {
                group.reserved_new -= 1;
                group.hour.add(now, 1);
            }
            let _told = group.tell(&state.limit, now, false);
            state.changed = true;
        }
    }

    /// Gives up places that are held. Those of series that were admitted stay.
    pub fn release(&self, series: &[Fingerprint]) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for series in series {
            let Some(slot) = state.slots.get_mut(*series) else { continue };
            slot.holders = slot.holders.saturating_sub(1);
            let slot = *slot;
            if slot.holders == 0 && !slot.is_admitted() {
                state.slots.remove(*series);
                if let Some(group) = state.groups.get_mut(slot.group) {
                    group.reserved -= 1;
                    group.reserved_new -= u32::from(slot.counts());
                }
            }
        }
    }

    /// Series that have a stale marker now: their places are free a while later, if they do not go on.
    pub fn ended(&self, series: impl IntoIterator<Item = Fingerprint>, now: u32) {
        let mut state = self.state.lock();
        let state = &mut *state;
        for series in series {
            if let Some(slot) =
                state.slots.get_mut(series).filter(|slot| slot.is_admitted() && slot.ended == 0)
            {
                slot.ended = now.max(1);
                state.ending.push_back((series, now.max(1)));
            }
        }
    }

    /// Series that are idle, are not sent, or do not pass by this limit any more: their places are free.
    pub fn end(&self, series: impl IntoIterator<Item = Fingerprint>) {
        let mut state = self.state.lock();
        series.into_iter().for_each(|series| state.end(series));
    }

    /// Forgets groups of which nothing is left, and what was known from before the start and has not come since `idle_seconds`
    /// after it. `is_short`: memory is, so that of groups without series not even their last hour is remembered.
    pub fn sweep(&self, now: u32, idle_seconds: u32, is_short: bool) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.let_go(now);
        if state.has_unseen && now.saturating_sub(state.since) > idle_seconds {
            state.has_unseen = false;
            let mut unseen = Vec::new();
            state.slots.for_each(|slot| {
                if slot.is_unseen() {
                    unseen.push(crate::series::table::Slot::fingerprint(slot));
                }
            });
            unseen.into_iter().for_each(|series| state.end(series));
        }
        state.groups.sweep(&state.limit, now, is_short);
        // what a burst has left
        if state.slots.bytes() > 8 * (state.slots.len() + 1) * size_of::<Slot>() {
            state.slots.retain(|_, ()| true);
        }
    }
}

/// What stands for all groups that are too many.
fn others(name: Name) -> Name {
    Name { labels: "other groups".into(), ..name }
}

impl State {
    pub(super) fn bytes(&self) -> usize {
        let ending = self.ending.capacity() * size_of::<(Fingerprint, u32)>();
        self.groups.bytes() + self.slots.bytes() + ending
    }

    /// Frees the places of series that ended a while ago.
    pub(super) fn let_go(&mut self, now: u32) {
        while let Some((series, at)) = self.ending.front().copied().filter(|(_, at)| at + GRACE <= now) {
            self.ending.pop_front();
            if self.slots.get_mut(series).is_some_and(|slot| slot.ended == at) {
                self.end(series);
            }
        }
        if self.ending.is_empty() {
            self.ending = VecDeque::new();
        }
    }

    /// Groups that have become full since this was asked last: the first few, and how many more.
    pub(super) fn take_news(&mut self) -> (Vec<Name>, u64) {
        std::mem::take(&mut self.news)
    }

    /// Whether it has come since a compilation of the policies. Their numbers begin anew at one time.
    fn is_younger(&self, generation: u32) -> bool {
        let passed = (self.born + MAX_GENERATION - generation) % MAX_GENERATION;
        (1..MAX_GENERATION / 2).contains(&passed)
    }

    /// The place that a series has, or that is held for it. One of another group (policies before this one make other labels of
    /// it now) is given up.
    fn place(&mut self, ask: &Ask) -> Option<Result<Answer, Moved>> {
        let slot = self.slots.get_mut(ask.series)?;
        slot.see();
        let stays = self.groups.get(slot.group).is_some_and(|group| group.takes(ask));
        if !slot.is_admitted() {
            slot.holders = slot.holders.saturating_add(1);
            return Some(Ok(Answer::Reserved));
        }
        if stays || slot.holders > 0 {
            return Some(Ok(Answer::Admitted));
        }
        self.end(ask.series);
        Some(Err(Moved))
    }

    pub(super) fn end(&mut self, series: Fingerprint) {
        let Some(slot) = self.slots.get_mut(series).filter(|slot| slot.is_admitted()) else { return };
        slot.end();
        let slot = *slot;
        if slot.holders == 0 {
            self.slots.remove(series);
        }
        if let Some(group) = self.groups.get_mut(slot.group) {
            group.admitted -= 1;
            group.reserved += u32::from(slot.holders > 0);
        }
        self.changed = true;
    }

    fn refuse(&mut self, group: Option<u32>, ask: &Ask) {
        if ask.has_no_room {
            self.without_room += 1;
            return;
        }
        let Some(group) = group.and_then(|at| self.groups.get_mut(at)) else { return };
        if group.has_room(&self.limit, ask.now) {
            // it is folded, and stays so
            return;
        }
        group.refused += 1;
        let before = group.state;
        let is_news = before != group.tell(&self.limit, ask.now, true) && self.is_enforced;
        let (named, more) = &mut self.news;
        if !is_news || named.contains(&group.name) {
            return;
        }
        if named.len() < NEWS {
            named.push(group.name.clone());
        } else {
            *more += 1;
        }
    }
}
