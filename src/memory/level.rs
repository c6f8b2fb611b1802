//! What is given up as memory runs out, in this order; each level does what those before it do, too.

/// What is being given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Nothing.
    #[default]
    Normal,
    /// Idle series are forgotten early.
    Evicting,
    /// Reports tell less apart: filters are made smaller, sketches and what has no series is forgotten early; aggregations give
    /// up the last values of counters whose scopes have no series.
    Shrinking,
    /// New series are not tracked.
    Closed,
}

impl Level {
    /// All of them, the mildest first.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Evicting, Self::Shrinking, Self::Closed];

    /// Its name in answers, metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Evicting => "evicting",
            Self::Shrinking => "shrinking",
            Self::Closed => "closed",
        }
    }

    /// By its number.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.into_iter().rev().find(|level| *level as u8 <= number).unwrap_or_default()
    }
}

/// Where levels begin, in sixteenths of the room.
const BEGINS: [(Level, usize); 3] = [(Level::Evicting, 14), (Level::Shrinking, 15), (Level::Closed, 16)];
/// A level that was entered is left when so many sixteenths less are used.
const LESS: usize = 2;

/// The level with `used` of `room` bytes, after the level `before`.
pub fn level(used: usize, room: usize, before: Level) -> Level {
    let lasts = |(level, begins): &(Level, usize)| {
        let sixteenths = if *level <= before { begins - LESS } else { *begins };
        used >= room / 16 * sixteenths
    };
    BEGINS.iter().rev().find(|entry| lasts(entry)).map_or(Level::Normal, |(level, _)| *level)
}

/// A series that was seen within so many seconds is never forgotten early: most are sampled once a minute or more often.
pub const SHORTEST_IDLE_SECONDS: u32 = 120;

/// After how many seconds a series is forgotten that is to be forgotten after `configured`, halved so many times.
pub fn idle_seconds(configured: u32, halvings: u32) -> u32 {
    let halved = configured.checked_shr(halvings).unwrap_or(0);
    halved.max(configured.min(SHORTEST_IDLE_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_entered_at_its_share_and_left_two_sixteenths_lower() {
        use Level::{Closed, Evicting, Normal, Shrinking};
        // used of 160, level before, level after
        for (used, before, after) in [
            (0, Normal, Normal),
            (139, Normal, Normal),
            (140, Normal, Evicting),
            (149, Normal, Evicting),
            (150, Evicting, Shrinking),
            (159, Shrinking, Shrinking),
            (160, Normal, Closed),
            (1000, Shrinking, Closed),
            (140, Closed, Closed),
            (139, Closed, Shrinking),
            (130, Closed, Shrinking),
            (129, Closed, Evicting),
            (130, Shrinking, Shrinking),
            (120, Evicting, Evicting),
            (119, Closed, Normal),
            (119, Evicting, Normal),
        ] {
            assert_eq!(level(used, 160, before), after, "{used} after {before:?}");
        }
    }

    #[test]
    fn the_horizon_halves_down_to_two_minutes_and_a_shorter_one_stays() {
        let halved = [0, 1, 2, 3, 4, 40].map(|halvings| idle_seconds(1200, halvings));
        assert_eq!(halved, [1200, 600, 300, 150, 120, 120]);
        assert_eq!([0, 1, 9].map(|halvings| idle_seconds(5, halvings)), [5, 5, 5]);
    }

    #[test]
    fn levels_have_numbers_in_order() {
        assert_eq!(Level::ALL.map(|level| level as u8), [0, 1, 2, 3]);
        assert_eq!([0, 3, 200].map(Level::from_number), [Level::Normal, Level::Closed, Level::Closed]);
    }
}
