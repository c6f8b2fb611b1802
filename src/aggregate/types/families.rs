//! Families of metrics that are remembered: a bounded number. The one that was neither said nor asked for longest goes
//! first, and before all those that no aggregation ever asked about.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use ahash::{AHashMap, AHashSet};
use parking_lot::{RwLock, RwLockReadGuard};

/// Rounds, sixteen in `series.idle_after`, after which a family is forgotten that nobody spoke of: a day, as
/// `series.idle_after` is by default.
const FORGOTTEN_AFTER: u32 = 16 * 72;
/// Rounds begin here, so that what is older than the process has a round too.
const FIRST_ROUND: u32 = 1 << 16;
/// A family of a longer name, bytes, is not remembered.
const LONGEST: usize = 1024;
/// What a family takes beside its name, bytes: its place in the table.
const FAMILY_BYTES: usize = 64;
/// Where there is no room, this part of all goes at once: finding the oldest costs a look at each.
const GIVEN_UP_PART: usize = 16;

/// What is known of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::aggregate) struct Known {
    /// What metadata says, as a number.
    pub(in crate::aggregate) declared: u8,
    /// Which of its parts were seen, as bits.
    pub(in crate::aggregate) seen: u8,
}

impl Known {
    /// Both together; what is said later holds.
    fn and(self, later: Self) -> Self {
        let declared = if later.declared == 0 { self.declared } else { later.declared };
        Self { declared, seen: self.seen | later.seen }
    }
}

struct Family {
    known: Known,
    /// Whether an aggregation asked about it.
    asked: AtomicBool,
    /// When somebody spoke of it last.
    round: AtomicU32,
}

impl Family {
    fn spoken_of(&self, round: u32) {
        // read first: a line that many write to is slow
        if self.round.load(Ordering::Relaxed) != round {
            self.round.store(round, Ordering::Relaxed);
        }
    }

    /// What goes first has the least.
    fn rank(&self) -> u64 {
        u64::from(self.asked.load(Ordering::Relaxed)) << 32 | u64::from(self.round.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Held {
    tenants: AHashMap<u32, AHashMap<Box<str>, Family>>,
    count: usize,
    /// Text of their names, bytes.
    text: usize,
    /// Tenants of which something was learned or forgotten.
    changed: AHashSet<u32>,
    /// Families, by tenant, of which the first type was said since the last look, and between that and the one before.
    news: [News; 2],
}

/// Families by tenant.
pub(in crate::aggregate) type News = AHashMap<u32, AHashSet<Box<str>>>;

pub(super) struct Families {
    held: RwLock<Held>,
    round: AtomicU32,
    max: usize,
    /// Changes whenever more is known, and only then.
    epoch: AtomicU32,
    /// The same for families of which no type was said before.
    declarations: AtomicU32,
    given_up: AtomicU64,
}

impl Families {
    pub(super) fn new(max: usize) -> Self {
        let round = AtomicU32::new(FIRST_ROUND);
        Self {
            held: RwLock::default(),
            round,
            max,
            epoch: AtomicU32::new(0),
            declarations: AtomicU32::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    pub(super) fn learn(&self, tenant: u32, family: &str, news: Known) {
        {
            let held = self.held.read();
            if let Some(found) = held.tenants.get(&tenant).and_then(|families| families.get(family))
                && found.known.and(news) == found.known
            {
                return found.spoken_of(self.round());
            }
        }
        self.write(tenant, family, news, self.round());
    }

    pub(super) fn restore(&self, tenant: u32, family: &str, known: Known, age: u32) {
        self.write(tenant, family, known, self.round().saturating_sub(age));
    }

    fn write(&self, tenant: u32, family: &str, news: Known, round: u32) {
        if family.len() > LONGEST {
            self.given_up.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut held = self.held.write();
        let mut before = 0;
        if let Some(found) = held.tenants.get_mut(&tenant).and_then(|families| families.get_mut(family)) {
            before = found.known.declared;
            found.known = found.known.and(news);
            found.spoken_of(round);
        } else if self.max == 0 {
            self.given_up.fetch_add(1, Ordering::Relaxed);
            return;
        } else {
            if held.count >= self.max {
                let gone = held.give_up((self.max / GIVEN_UP_PART).max(1));
                self.given_up.fetch_add(gone as u64, Ordering::Relaxed);
            }
            let made = Family { known: news, asked: AtomicBool::new(false), round: AtomicU32::new(round) };
            held.tenants.entry(tenant).or_default().insert(family.into(), made);
            held.count += 1;
            held.text += family.len();
        }
        held.changed.insert(tenant);
        if before == 0 && news.declared != 0 {
            held.news[0].entry(tenant).or_default().insert(family.into());
            self.declarations.fetch_add(1, Ordering::Release);
        }
        self.epoch.fetch_add(1, Ordering::Release);
    }

    #[inline]
    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn declarations(&self) -> u32 {
        self.declarations.load(Ordering::Acquire)
    }

    pub(super) fn has_news(&self) -> bool {
        self.held.read().news.iter().any(|tenants| !tenants.is_empty())
    }

    /// The news since the look before the last.
    pub(super) fn take_news(&self) -> News {
        let mut held = self.held.write();
        let [now, before] = &mut held.news;
        let now = std::mem::take(now);
        let mut all = std::mem::replace(before, now.clone());
        for (tenant, families) in now {
            all.entry(tenant).or_default().extend(families);
        }
        all
    }

    /// The families of a tenant, to ask about.
    pub(super) fn of(&self, tenant: u32) -> Asking<'_> {
        Asking { held: self.held.read(), tenant, round: self.round() }
    }

    pub(super) fn expire(&self) {
        let round = self.round.fetch_add(1, Ordering::Relaxed) + 1;
        let oldest = round.saturating_sub(FORGOTTEN_AFTER);
        self.held.write().retain(|family| family.round.load(Ordering::Relaxed) >= oldest);
    }

    pub(super) fn take_changed(&self, tenant: u32) -> bool {
        let changed = self.held.read().changed.contains(&tenant);
        changed && self.held.write().changed.remove(&tenant)
    }

    pub(super) fn holds(&self, tenant: u32) -> bool {
        self.held.read().tenants.contains_key(&tenant)
    }

    pub(super) fn forget(&self, tenant: u32) {
        let mut held = self.held.write();
        let gone = held.tenants.remove(&tenant).unwrap_or_default();
        held.count -= gone.len();
        held.text -= gone.keys().map(|name| name.len()).sum::<usize>();
    }

    /// Memory held, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        let held = self.held.read();
        held.text + held.count * FAMILY_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.held.read().count
    }

    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(super) fn all(&self, tenant: u32) -> Vec<(Box<str>, Known, u32)> {
        let (held, round) = (self.held.read(), self.round());
        let age = |family: &Family| round.saturating_sub(family.round.load(Ordering::Relaxed));
        let families = held.tenants.get(&tenant).into_iter().flatten();
        families.map(|(name, family)| (name.clone(), family.known, age(family))).collect()
    }
}

impl Held {
    /// Forgets so many, those of the least rank; returns how many.
    fn give_up(&mut self, most: usize) -> usize {
        let mut ranks: Vec<u64> = self.tenants.values().flatten().map(|(_, family)| family.rank()).collect();
        let most = most.min(ranks.len());
        let Some(at) = most.checked_sub(1) else { return 0 };
        let (_, last, _) = ranks.select_nth_unstable(at);
        let last = *last;
        // of those with the same rank as the last one, as many as are still to go
        let mut equal = most - ranks[..most].iter().filter(|rank| **rank < last).count();
        self.retain(|family| match family.rank().cmp(&last) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                let goes = equal > 0;
                equal -= usize::from(goes);
                !goes
            }
            std::cmp::Ordering::Greater => true,
        });
        most
    }

    fn retain(&mut self, mut keep: impl FnMut(&Family) -> bool) {
        let Self { tenants, count, text, changed, .. } = self;
        tenants.retain(|tenant, families| {
            let before = families.len();
            families.retain(|name, family| {
                let keep = keep(family);
                *text -= if keep { 0 } else { name.len() };
                keep
            });
            if families.len() < before {
                *count -= before - families.len();
                changed.insert(*tenant);
                let left = families.len();
                families.shrink_to(2 * left);
            }
            !families.is_empty()
        });
    }
}

/// The families of one tenant while an aggregation asks about them.
pub(super) struct Asking<'f> {
    held: RwLockReadGuard<'f, Held>,
    tenant: u32,
    round: u32,
}

impl Asking<'_> {
    pub(super) fn ask(&self, family: &str) -> Known {
        let families = self.held.tenants.get(&self.tenant);
        let Some(found) = families.and_then(|families| families.get(family)) else { return Known::default() };
        if !found.asked.load(Ordering::Relaxed) {
            found.asked.store(true, Ordering::Relaxed);
        }
        found.spoken_of(self.round);
        found.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAUGE: Known = Known { declared: 2, seen: 0 };

    #[test]
    fn the_oldest_goes_when_full_and_before_it_what_nobody_asked_about() {
        let families = Families::new(32);
        for number in 0..32 {
            families.learn(0, &format!("f{number}"), GAUGE);
            families.expire();
        }
        // the two oldest are asked about, so the two after them go
        assert_eq!([0, 1].map(|number| families.of(0).ask(&format!("f{number}"))), [GAUGE; 2]);
        families.learn(1, "new", GAUGE);
        assert_eq!((families.len(), families.given_up()), (31, 2));
        let known = |tenant, family: &str| families.of(tenant).ask(family) == GAUGE;
        assert!(known(0, "f0") && known(0, "f1") && known(1, "new") && known(0, "f4"));
        assert!(!known(0, "f2") && !known(0, "f3"));
    }

    #[test]
    fn a_flood_of_names_costs_a_look_at_all_only_now_and_then_and_leaves_what_is_asked_about() {
        let families = Families::new(1600);
        families.learn(0, "asked", GAUGE);
        assert_eq!(families.of(0).ask("asked"), GAUGE);
        for number in 0..100_000 {
            families.learn(0, &format!("flood{number}"), GAUGE);
        }
        assert_eq!(families.of(0).ask("asked"), GAUGE);
        assert!(families.len() <= 1600);
    }

    #[test]
    fn what_nobody_speaks_of_is_forgotten_after_a_while_restored_or_not() {
        let families = Families::new(100);
        families.learn(0, "said", GAUGE);
        families.learn(0, "silent", GAUGE);
        families.restore(0, "restored", GAUGE, FORGOTTEN_AFTER - 10);
        for _ in 0..9 {
            families.expire();
        }
        assert_eq!(families.len(), 3);
        families.expire();
        families.expire();
        assert_eq!(families.len(), 2, "one that was restored is as old as it was");
        for _ in 0..FORGOTTEN_AFTER {
            families.learn(0, "said", GAUGE);
            families.expire();
        }
        assert_eq!((families.len(), families.of(0).ask("said")), (1, GAUGE));
    }

    #[test]
    fn what_is_learned_or_forgotten_is_told_once() {
        let families = Families::new(1);
        families.learn(0, "a", GAUGE);
        assert!(families.take_changed(0) && !families.take_changed(0));
        families.learn(0, "a", GAUGE);
        assert!(!families.take_changed(0), "no news");
        families.learn(1, "b", GAUGE);
        assert!(families.take_changed(0) && families.take_changed(1) && !families.holds(0));
    }
}
