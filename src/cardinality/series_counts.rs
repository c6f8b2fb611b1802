//! What is counted of the series of one metric, workload or sender.

use serde::Serialize;

/// Upper ends of the lifetimes told apart, seconds; what lives longer is in a last place of its own.
const LIFETIMES: [u32; 15] =
    [60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 259_200, 604_800, 2_592_000];

/// Counts of the last hour, minute by minute.
#[derive(Clone, Debug, Default)]
pub(super) struct LastHour {
    /// Made at the first event: most things never have one.
    minutes: Option<Box<[u32; 60]>>,
    /// The minute that was written last, since the Unix epoch.
    newest: u32,
}

impl LastHour {
    /// Counts `events` at a time (Unix seconds) not before the last one, or up to an hour before.
    pub(super) fn add(&mut self, events: u32, at: u32) {
        let minute = at / 60;
        let minutes = self.minutes.get_or_insert_with(|| Box::new([0; 60]));
        if minute > self.newest {
            for passed in (self.newest + 1).max(minute.saturating_sub(59))..=minute {
                minutes[(passed % 60) as usize] = 0;
            }
            self.newest = minute;
        }
        if minute + 60 > self.newest {
            let place = &mut minutes[(minute % 60) as usize];
            *place = place.saturating_add(events);
        }
    }

    /// Takes back events of a time.
    pub(super) fn take(&mut self, events: u32, at: u32) {
        let minute = at / 60;
        if let Some(minutes) = &mut self.minutes
            && minute <= self.newest
            && minute + 60 > self.newest
        {
            let place = &mut minutes[(minute % 60) as usize];
            *place = place.saturating_sub(events);
        }
    }

    /// Events of the last `minutes` minutes (60 at most), the one under way included.
    pub(super) fn in_last(&self, minutes: u32, now: u32) -> u32 {
        self.each(minutes, now).sum()
    }

    /// How many of the last twelve stretches of five minutes had an event of any of these.
    pub(super) fn busy_stretches_of(hours: &[Self], now: u32) -> usize {
        // all count back from the same minute
        let now = hours.iter().map(|hour| hour.newest * 60).fold(now, u32::max);
        let counts: Vec<Vec<u32>> = hours.iter().map(|hour| hour.each(60, now).collect()).collect();
        let is_busy = |stretch: &usize| {
            counts.iter().any(|counts| counts.iter().skip(stretch * 5).take(5).any(|count| *count > 0))
        };
        (0..12).filter(is_busy).count()
    }

    /// Counts of the last minutes, newest first.
    fn each(&self, minutes: u32, now: u32) -> impl Iterator<Item = u32> {
        let now = (now / 60).max(self.newest);
        let oldest = self.newest.saturating_sub(59);
        (0..minutes.min(60)).filter_map(move |back| {
            let minute = now.checked_sub(back)?;
            let kept = (oldest..=self.newest).contains(&minute);
            let count = self.minutes.as_ref().map_or(0, |counts| counts[(minute % 60) as usize]);
            Some(if kept { count } else { 0 })
        })
    }
}

/// Counts of one metric, workload or sender.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesCounts {
    /// Series in the index now.
    pub(super) active: u32,
    /// Series first seen while learning, since the start.
    pub(super) learned: u64,
    /// New series since the start.
    pub(super) new: u64,
    /// New series.
    pub(super) hour: LastHour,
    /// Stale markers since the start.
    pub(super) ended: u64,
    /// Series forgotten since the start, and the samples they had.
    pub(super) expired: u64,
    samples: u64,
    lifetimes: Option<Box<[u32; LIFETIMES.len() + 1]>>,
    /// When something was last counted, Unix seconds.
    pub(super) last: u32,
}

impl SeriesCounts {
    /// Counts series that came.
    pub(super) fn came(&mut self, series: u32, learned: bool, now: u32) {
        self.moved_in(series, learned, now, now);
    }

    /// Counts series that came here from another account, `first_seen` when they came at all.
    pub(super) fn moved_in(&mut self, series: u32, learned: bool, first_seen: u32, now: u32) {
        self.last = now;
        self.active += series;
        if learned {
            self.learned += u64::from(series);
        } else {
            self.new += u64::from(series);
            self.hour.add(series, first_seen);
        }
    }

    /// Takes a series out that belongs to another account.
    pub(super) fn moved_out(&mut self, learned: bool, first_seen: u32) {
        self.active = self.active.saturating_sub(1);
        if learned {
            self.learned = self.learned.saturating_sub(1);
        } else {
            self.new = self.new.saturating_sub(1);
            self.hour.take(1, first_seen);
        }
    }

    /// Whether anything has come that did not go to another account.
    pub(super) fn has_counted(&self) -> bool {
        self.learned + self.new > 0
    }

    /// Counts a series that was forgotten, with its lifetime in seconds and its samples.
    pub(super) fn removed(&mut self, lifetime: u32, samples: u16, now: u32) {
        self.last = now;
        self.active = self.active.saturating_sub(1);
        self.expired += 1;
        self.samples += u64::from(samples);
        let place = LIFETIMES.partition_point(|end| *end < lifetime);
        self.lifetimes.get_or_insert_with(Default::default)[place] += 1;
    }

    /// Samples that a series had in its life, on average; `None` before the first has been forgotten.
    pub(super) fn samples_per_series(&self) -> Option<f64> {
        (self.expired > 0).then(|| self.samples as f64 / self.expired as f64)
    }

    /// Lifetimes of the series forgotten so far.
    pub(super) fn lifetimes(&self) -> Option<Lifetimes> {
        let counts = self.lifetimes.as_deref()?;
        let all: u32 = counts.iter().sum();
        let quantile = |q: f64| {
            let wanted = (f64::from(all) * q).ceil() as u32;
            let mut passed = 0;
            let place = counts.iter().position(|count| {
                passed += count;
                passed >= wanted.max(1)
            })?;
            LIFETIMES.get(place).copied()
        };
        Some(Lifetimes { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) })
    }
}

/// How long series live: at most so many seconds; none where it is more than 30 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lifetimes {
    /// Half of them.
    pub p50: Option<u32>,
    /// Nine in ten.
    pub p90: Option<u32>,
    /// All but one in a hundred.
    pub p99: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_last_hour_agrees_with_a_list(steps in proptest::collection::vec((0u32..900, 1u32..5), 1..80)) {
            let (mut hour, mut all, mut now) = (LastHour::default(), Vec::new(), 1_700_000_000);
            for (wait, events) in steps {
                now += wait;
                hour.add(events, now);
                all.push((now / 60, events));
                for minutes in [1, 5, 60] {
                    let expected: u32 = all
                        .iter()
                        .filter(|(minute, _)| now / 60 - minute < minutes)
                        .map(|(_, events)| events)
                        .sum();
                    prop_assert_eq!(hour.in_last(minutes, now), expected);
                }
            }
            prop_assert_eq!(hour.in_last(60, now + 3600), 0);
        }
    }

    #[test]
    fn stretches_and_taking_back() {
        let mut hour = LastHour::default();
        for minute in [1, 2, 6, 30] {
            hour.add(2, minute * 60);
        }
        assert_eq!(LastHour::busy_stretches_of(std::slice::from_ref(&hour), 30 * 60), 3);
        hour.take(2, 6 * 60);
        assert_eq!(
            (hour.in_last(60, 30 * 60), LastHour::busy_stretches_of(std::slice::from_ref(&hour), 30 * 60)),
            (6, 2)
        );
    }

    #[test]
    fn lifetimes_are_told_by_their_upper_ends() {
        let mut series_counts = SeriesCounts::default();
        assert_eq!((series_counts.lifetimes(), series_counts.samples_per_series()), (None, None));
        for lifetime in [30, 50, 100, 700, 10_000_000] {
            series_counts.came(1, false, 0);
            series_counts.removed(lifetime, 10, 0);
        }
        assert_eq!(series_counts.lifetimes(), Some(Lifetimes { p50: Some(120), p90: None, p99: None }));
        assert_eq!(
            (series_counts.active, series_counts.expired, series_counts.samples_per_series()),
            (0, 5, Some(10.0))
        );
    }
}
