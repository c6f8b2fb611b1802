//! What a limit holds, for people.

use std::sync::Arc;

use super::Admissions;
use super::group::{Fullness, Group, Name};

/// Groups that are shown of a limit, those that are fullest first.
const SHOWN: usize = 10;

/// What one limit holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Name of the policy.
    pub policy: Arc<str>,
    /// Series admitted.
    pub admitted: u64,
    /// Whether the policy is in force, and not in preview.
    pub is_enforced: bool,
    /// How often nothing could be remembered of a series, so that it was not admitted.
    pub without_room: u64,
    /// Groups.
    pub groups: u64,
    /// Groups at `warn_at` or above, and not full.
    pub near: u64,
    /// Groups that are full.
    pub full: u64,
    /// Bytes of all of it.
    pub bytes: u64,
    /// The fullest groups.
    pub fullest: Vec<GroupUsage>,
}

/// What one group holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupUsage {
    /// Which.
    pub name: Name,
    /// Series admitted.
    pub admitted: u32,
    /// Series admitted within the last hour.
    pub new_last_hour: u32,
    /// How often a series asked in vain.
    pub refused: u64,
    /// How full it is.
    pub fullness: Fullness,
}

impl Admissions {
    /// What it holds at `now`, Unix seconds of our clock.
    pub fn usage(&self, now: u32) -> Usage {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.let_go(now);
        let (is_enforced, without_room) = (state.is_enforced, state.without_room);
        let mut usage =
            Usage { policy: Arc::clone(&self.name), is_enforced, without_room, ..Usage::default() };
        let limit = Arc::clone(&state.limit);
        let mut fullest: Vec<&Group> = Vec::new();
        for group in state.groups.all.iter_mut().flatten() {
            usage.admitted += u64::from(group.admitted);
            usage.groups += 1;
            match group.tell(&limit, now, false) {
                Fullness::Calm => {}
                Fullness::Near => usage.near += 1,
                Fullness::Full => usage.full += 1,
            }
            fullest.push(group);
            if fullest.len() >= 2 * SHOWN {
                keep_fullest(&mut fullest);
            }
        }
        keep_fullest(&mut fullest);
        usage.fullest = fullest.into_iter().map(|group| shown(group, now)).collect();
        usage.bytes = state.bytes() as u64;
        usage
    }

    /// Bytes of all of it.
    pub fn bytes(&self) -> usize {
        self.state.lock().bytes()
    }

    /// Groups that have become full since this was asked last; of many the first few, and how many more.
    pub fn take_news(&self) -> (Vec<Name>, u64) {
        self.state.lock().take_news()
    }
}

fn keep_fullest(groups: &mut Vec<&Group>) {
    groups.sort_by(|a, b| {
        (b.state, b.refused, b.admitted)
            .cmp(&(a.state, a.refused, a.admitted))
            .then_with(|| a.name.cmp(&b.name))
    });
    groups.truncate(SHOWN);
}

fn shown(group: &Group, now: u32) -> GroupUsage {
    GroupUsage {
        name: group.name.clone(),
        admitted: group.admitted,
        new_last_hour: group.hour.count(now),
        refused: group.refused,
        fullness: group.state,
    }
}
