//! One group of a limit: how many have a place, and how many came within the hour.

use std::sync::Arc;

use super::Ask;
use crate::policy::Limit;
use crate::series::{Fingerprint, TenantKey};

const MINUTES: usize = 60;
/// A group is told of until it is so many points below the share from which it is.
const CALM_POINTS: u64 = 5;

/// What one group holds.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What it is known by.
    pub(super) key: Fingerprint,
    pub(super) tenant: TenantKey,
    pub(super) name: Name,
    pub(super) admitted: u32,
    /// Places held for series that are not admitted yet.
    pub(super) reserved: u32,
    /// Those of them that count as new.
    pub(super) reserved_new: u32,
    pub(super) hour: Hour,
    /// How often a series was not admitted.
    pub(super) refused: u64,
    pub(super) state: Fullness,
}

/// What people call a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The labels that make the group, as PromQL writes them; shortened where they are long.
    pub labels: Box<str>,
}

/// How full a group is, as people are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fullness {
    /// Below `warn_at`.
    #[default]
    Calm,
    /// At `warn_at` of a limit or above it.
    Near,
    /// At a limit: something was not admitted.
    Full,
}

impl Fullness {
    /// As answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Near => "near",
            Self::Full => "full",
        }
    }
}

impl Group {
    pub(super) fn new(key: Fingerprint, tenant: TenantKey, name: Name) -> Self {
        Self {
            key,
            tenant,
            name,
            admitted: 0,
            reserved: 0,
            reserved_new: 0,
            hour: Hour::default(),
            refused: 0,
            state: Fullness::Calm,
        }
    }

    /// Whether it is the group of a series: its own, or the one of all that are too many.
    pub(super) fn takes(&self, ask: &Ask) -> bool {
        self.key == ask.group || self.key == ask.tenant.others()
    }

    /// Whether it has a place for one more. Only what is new counts against `max_new_per_hour`.
    pub(super) fn has_room(&self, limit: &Limit, now: u32) -> bool {
        let series = u64::from(self.admitted) + u64::from(self.reserved);
        let new = u64::from(self.hour.count(now)) + u64::from(self.reserved_new);
        limit.max_series.is_none_or(|max| series < u64::from(max))
            && limit.max_new_per_hour.is_none_or(|max| new < u64::from(max))
    }

    /// The larger of the shares of its limits that are used up, percent.
    fn used(&self, limit: &Limit, now: u32) -> u64 {
        let share = |used: u32, max: Option<u32>| max.map_or(0, |max| u64::from(used) * 100 / u64::from(max));
        let series = share(self.admitted.saturating_add(self.reserved), limit.max_series);
        let new = self.hour.count(now).saturating_add(self.reserved_new);
        series.max(share(new, limit.max_new_per_hour))
    }

    /// Says what is to be told of it now; `refused`: whether a series has just not been admitted.
    pub(super) fn tell(&mut self, limit: &Limit, now: u32, refused: bool) -> Fullness {
        let (used, near) = (self.used(limit, now), u64::from(limit.warn_at));
        self.state = match self.state {
            _ if refused => Fullness::Full,
            Fullness::Full if used + CALM_POINTS > 100 => Fullness::Full,
            Fullness::Full | Fullness::Near if used + CALM_POINTS >= near => Fullness::Near,
            _ if used >= near => Fullness::Near,
            _ => Fullness::Calm,
        };
        self.state
    }

    /// Whether nothing of it is worth keeping.
    /// `whatever_came`: what came within the hour does not count.
    pub(super) fn is_over(&self, now: u32, whatever_came: bool) -> bool {
        self.admitted == 0 && self.reserved == 0 && (whatever_came || self.hour.count(now) == 0)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.labels.len() + self.hour.bytes()
    }
}

/// What came in each minute of the last hour. Nothing is kept of a group of which nothing came.
#[derive(Clone, Debug, Default)]
pub(super) struct Hour {
    minutes: Option<Box<[u32; MINUTES]>>,
    /// The newest minute there is something of.
    newest: u32,
}

impl Hour {
    pub(super) fn add(&mut self, now: u32, count: u32) {
        let minute = now / 60;
        // a clock that was set back adds to what is there
        let minute = minute.max(self.newest);
        let passed = (minute - self.newest) as usize;
        let minutes = self.minutes.get_or_insert_with(|| Box::new([0; MINUTES]));
        for back in 0..passed.min(MINUTES) {
            minutes[(minute as usize - back) % MINUTES] = 0;
        }
        let of_minute = &mut minutes[minute as usize % MINUTES];
        *of_minute = of_minute.saturating_add(count);
        self.newest = minute;
    }

    /// How many came within the hour before `now`.
    pub(super) fn count(&self, now: u32) -> u32 {
        let Some(minutes) = &self.minutes else { return 0 };
        let passed = (now / 60).saturating_sub(self.newest) as usize;
        let kept = MINUTES.saturating_sub(passed);
        (0..kept)
            .map(|back| minutes[(self.newest as usize + MINUTES - back) % MINUTES])
            .fold(0, u32::saturating_add)
    }

    /// By minute, oldest first: what is still of the hour before `now`.
    pub(super) fn minutes(&self, now: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let oldest =
            (now / 60).saturating_sub(MINUTES as u32 - 1).max(self.newest.saturating_sub(MINUTES as u32 - 1));
        let all = self.minutes.as_deref().into_iter();
        all.flat_map(move |minutes| {
            (oldest..=self.newest).map(|minute| (minute, minutes[minute as usize % MINUTES]))
        })
        .filter(|(_, count)| *count > 0)
    }

    fn bytes(&self) -> usize {
        self.minutes.as_ref().map_or(0, |minutes| size_of_val(&**minutes))
    }
}
