//! Lanes of which more waits than is remembered of one: they leave room for what is remembered of others, and what stands further
//! behind in them is found again when it is their turn.

#[cfg(test)]
mod tests;

use std::io;

use super::Shared;
use super::frame::RECORD_HEADER;
use super::lane::Entry;
use super::scan::{self, Found};
use super::state::{MOST_REMEMBERED, Place, State};

/// Records of one lane that are remembered at most: a lane that cannot be delivered takes no more from the others.
pub(super) const MOST_OF_A_LANE: usize = MOST_REMEMBERED / 16;
/// Records looked at for one lane under no lock, so that all lanes have their turn.
const AT_ONCE: usize = 16_384;

impl State {
    /// From where on records of some lane are not remembered that were found already.
    pub(super) fn first_aside(&self) -> Option<Place> {
        self.lanes.values().filter_map(|lane| lane.aside).min()
    }

    /// Lanes of which there is room to remember more.
    fn short(&self) -> Vec<(u64, Place)> {
        let is_short = |key: &u64, lane: &super::lane::Lane| {
            lane.aside.filter(|_| lane.entries.len() <= MOST_OF_A_LANE / 2).map(|place| (*key, place))
        };
        self.lanes.iter().filter_map(|(key, lane)| is_short(key, lane)).collect()
    }

    /// Whether a record was found already and is remembered, or was.
    pub(super) fn is_remembered(&self, lane: u64, place: Place) -> bool {
        let aside = self.lanes.get(&lane).and_then(|lane| lane.aside);
        self.unread.is_none_or(|unread| place < unread) && aside.is_none_or(|aside| place < aside)
    }

    /// Remembers records of a lane that were set aside; `place` is behind them. Whether the lane has something to send that had
    /// nothing.
    fn take_up(&mut self, key: u64, found: &[Entry], place: Place) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        let Some(aside) = lane.aside.take() else { return false };
        let mut is_news = false;
        for entry in found {
            // a file may have been let go of meanwhile
            if !self.done.has(entry.header.id) {
                is_news |= self.push(*entry);
            }
        }
        let place = self.normal(place.max(aside));
        if let (Some(place), Some(lane)) = (place, self.lanes.get_mut(&key)) {
            lane.aside = Some(place).filter(|place| self.unread.is_none_or(|unread| *place < unread));
        }
        is_news
    }

    /// A lane of which nothing waits any more after all.
    fn forget_empty(&mut self, key: u64) {
        if self.lanes.get(&key).is_some_and(|lane| lane.is_empty() && !lane.is_out) {
            self.lanes.remove(&key);
        }
    }

    /// What was set aside in files that are gone was let go of.
    pub(super) fn aside_from(&mut self, first: Option<u64>) {
        for lane in self.lanes.values_mut() {
            lane.aside =
                lane.aside.zip(first).map(|(aside, segment)| aside.max(Place { segment, offset: 0 }));
        }
        self.lanes.retain(|_, lane| lane.is_out || !lane.is_empty());
    }
}

impl Shared {
    /// Finds more of lanes that were set aside.
    pub(super) fn take_up(&self) {
        let short = self.state.lock().short();
        for (lane, mut place) in short {
            loop {
                match self.take_up_from(lane, place) {
                    Ok(Some(next)) => place = next,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(%error, segment = place.segment, "the queue cannot be read");
                        self.metrics.damaged.increment(1);
                        let skipped = Place { segment: place.segment, offset: u64::MAX };
                        let mut state = self.state.lock();
                        state.keep(place.segment);
                        state.take_up(lane, &[], skipped);
                        break;
                    }
                }
            }
        }
    }

    /// Reads some records for a lane. Where to go on, if that is worth it.
    fn take_up_from(&self, lane: u64, place: Place) -> io::Result<Option<Place>> {
        let state = self.state.lock();
        let room = state.room_of(lane);
        let Some(segment) = state.segments.iter().find(|segment| segment.first >= place.segment).cloned()
        else {
            return Ok(None);
        };
        // what stands behind that is found for all lanes
        let unread = state.unread.filter(|unread| unread.segment == segment.first);
        let end = unread.map_or(segment.bytes, |unread| unread.offset.min(segment.bytes));
        drop(state);
        let mut at = if segment.first == place.segment { place.offset } else { 0 };
        let mut found = Vec::new();
        for _ in 0..AT_ONCE {
            if found.len() >= room {
                break;
            }
            let (what, next) = scan::next(&segment.file, at, end, segment.first)?;
            match what {
                Found::Record(header, begins) if header.lane == lane => {
                    let offset = begins + RECORD_HEADER as u64;
                    found.push(Entry { header, segment: segment.first, offset });
                }
                // damage was counted when it was found
                Found::Record(..) | Found::Damage(_) => {}
                Found::End => break,
            }
            at = next;
        }
        let mut state = self.state.lock();
        let is_news = state.take_up(lane, &found, Place { segment: segment.first, offset: at });
        let next = state.lanes.get(&lane).and_then(|lane| lane.aside);
        let next = next.filter(|_| state.room_of(lane) > 0);
        state.forget_empty(lane);
        drop(state);
        if is_news {
            self.ready.notify_one();
        }
        Ok(next)
    }
}
