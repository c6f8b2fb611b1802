//! What a queue knows of its records: which lanes have something to send, which files there are, what is done.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use ahash::AHashMap;

use super::aside::MOST_OF_A_LANE;
use super::done::Done;
use super::frame::Header;
use super::lane::{Entry, Lane};
use super::segment::Segment;

/// Records remembered at most; of more it is only known where they begin, and they are found when there is room.
pub(super) const MOST_REMEMBERED: usize = if cfg!(test) { 64 } else { 131_072 };

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) records: u64,
    pub(super) samples: u64,
}

impl Waiting {
    fn add(&mut self, header: &Header) {
        self.records += 1;
        self.samples += u64::from(header.samples);
    }

    fn take(&mut self, header: &Header) {
        self.records = self.records.saturating_sub(1);
        self.samples = self.samples.saturating_sub(u64::from(header.samples));
    }
}

/// Where to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The first number of the segment.
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// See above.
pub(super) struct State {
    pub(super) lanes: AHashMap<u64, Lane>,
    /// Lanes that have something to send and that nobody has.
    turns: VecDeque<u64>,
    remembered: usize,
    /// From where on records are not remembered. `None`: all are.
    pub(super) unread: Option<Place>,
    /// Oldest first; the last is written to.
    pub(super) segments: VecDeque<Segment>,
    pub(super) done: Done,
    /// The number of the next record.
    pub(super) next: u64,
    /// Records below that are not counted as waiting before they are found.
    counted_from: u64,
    pub(super) waiting: Waiting,
}

impl State {
    /// Of files that were there, and what is done of them; what is in them is still to be found. `next` is above all numbers ever
    /// given: else what is done already would be taken for what is new.
    pub(super) fn new(segments: VecDeque<Segment>, mut done: Done, next: u64) -> Self {
        done.add(0, segments.front().map_or(next, |segment| segment.first));
        let unread = segments.front().map(|segment| Place { segment: segment.first, offset: 0 });
        Self {
            lanes: AHashMap::new(),
            turns: VecDeque::new(),
            remembered: 0,
            unread,
            segments,
            done,
            next,
            counted_from: next,
            waiting: Waiting::default(),
        }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// When what waits longest came, Unix seconds.
    pub(super) fn oldest_at(&self) -> Option<u32> {
        self.lanes.values().filter_map(|lane| lane.entries.front()).map(|entry| entry.header.at).min()
    }

    /// Memory held, bytes, about.
    pub(super) fn held(&self) -> usize {
        self.remembered * size_of::<Entry>() + self.lanes.len() * 64 + self.done.held()
    }

    pub(super) fn is_full(&self) -> bool {
        self.remembered >= MOST_REMEMBERED
    }

    /// Whether there is room to find more of what is not remembered.
    pub(super) fn has_room(&self) -> bool {
        self.remembered <= MOST_REMEMBERED / 2
    }

    /// A record that was just written. Whether a lane has something to send that had nothing.
    pub(super) fn appended(&mut self, entry: Entry) -> bool {
        self.waiting.add(&entry.header);
        if self.unread.is_none() && self.is_full() {
            self.unread = Some(entry.place());
        }
        // what stands behind something that is not remembered is found with that
        self.unread.is_none() && self.remember(entry)
    }

    /// A record that was found. Whether a lane has something to send that had nothing.
    pub(super) fn found(&mut self, entry: Entry) -> bool {
        let header = entry.header;
        if self.done.has(header.id) {
            return false;
        }
        if header.id < self.counted_from {
            self.waiting.add(&entry.header);
        }
        self.remember(entry)
    }

    /// From where on records are still to be found.
    pub(super) fn go_on(&mut self, place: Place) {
        self.unread = self.normal(place);
    }

    /// A place where there may be a record: at the end of a file that is the begin of the next one. `None` behind all.
    pub(super) fn normal(&self, place: Place) -> Option<Place> {
        let here = self.segments.iter().find(|segment| segment.first == place.segment);
        let is_at_end = here.is_none_or(|segment| place.offset >= segment.bytes);
        let behind = self.segments.iter().find(|segment| segment.first > place.segment);
        match behind {
            Some(next) if is_at_end => Some(Place { segment: next.first, offset: 0 }),
            None if is_at_end => None,
            _ => Some(place),
        }
    }

    /// Records of a lane that there is room to remember.
    pub(super) fn room_of(&self, key: u64) -> usize {
        MOST_OF_A_LANE.saturating_sub(self.lanes.get(&key).map_or(0, |lane| lane.entries.len()))
    }

    fn remember(&mut self, entry: Entry) -> bool {
        let lane = self.lanes.entry(entry.header.lane).or_default();
        if lane.aside.is_none() && lane.entries.len() >= MOST_OF_A_LANE {
            lane.aside = Some(entry.place());
        }
        // what stands behind something that is set aside is taken up with that
        lane.aside.is_none() && self.push(entry)
    }

    pub(super) fn push(&mut self, entry: Entry) -> bool {
        let key = entry.header.lane;
        let lane = self.lanes.entry(key).or_default();
        lane.entries.push_back(entry);
        self.remembered += 1;
        if let Some(at) = place_of(&self.segments, entry.segment) {
            self.segments[at].live += 1;
        }
        if lane.is_out {
            return false;
        }
        lane.is_out = true;
        self.turns.push_back(key);
        true
    }

    pub(super) fn take_turn(&mut self) -> Option<u64> {
        self.turns.pop_front()
    }

    /// Whether the lane has something to send.
    pub(super) fn end_turn(&mut self, key: u64) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        if lane.entries.is_empty() {
            lane.is_out = false;
            if lane.is_empty() {
                self.lanes.remove(&key);
            }
            return false;
        }
        self.turns.push_back(key);
        true
    }

    pub(super) fn oldest(&self, key: u64, bytes: usize) -> Vec<Entry> {
        let Some(lane) = self.lanes.get(&key) else { return Vec::new() };
        let mut left = bytes as u64;
        let mut fits = |(at, entry): &(usize, &Entry)| {
            let fits = u64::from(entry.header.bytes) <= left || *at == 0;
            left = left.saturating_sub(u64::from(entry.header.bytes));
            fits
        };
        lane.entries.iter().enumerate().take_while(|entry| fits(entry)).map(|(_, entry)| *entry).collect()
    }

    /// The file of an entry; `None` if it is gone, and the entry with it.
    pub(super) fn file_of(&self, entry: &Entry) -> Option<Arc<File>> {
        place_of(&self.segments, entry.segment).map(|at| Arc::clone(&self.segments[at].file))
    }

    pub(super) fn done(&mut self, key: u64, id: u64) {
        self.let_go(key, |entry| entry.header.id <= id);
    }

    /// Samples that are let go of.
    pub(super) fn let_go_of_old(&mut self, key: u64, before: u32) -> u64 {
        self.let_go(key, |entry| entry.header.at < before)
    }

    fn let_go(&mut self, key: u64, which: impl Fn(&Entry) -> bool) -> u64 {
        let Some(lane) = self.lanes.get_mut(&key) else { return 0 };
        let gone = lane.take_while(which);
        for entry in &gone {
            self.done.add(entry.header.id, entry.header.id + 1);
            self.waiting.take(&entry.header);
            if let Some(at) = place_of(&self.segments, entry.segment) {
                self.segments[at].live -= 1;
            }
        }
        self.remembered -= gone.len();
        gone.iter().map(|entry| u64::from(entry.header.samples)).sum()
    }

    /// Lets go of all records before `first`. Returns how many samples were in those that were remembered.
    pub(super) fn let_go_before(&mut self, first: u64) -> u64 {
        let keys: Vec<u64> = self.lanes.keys().copied().collect();
        let samples = keys.into_iter().map(|key| self.let_go(key, |entry| entry.header.id < first)).sum();
        self.done.add(0, first);
        samples
    }

    /// A record is let go of, if it is not remembered. How many samples are lost with it.
    pub(super) fn let_go_forgotten(&mut self, header: &Header, place: Place) -> u64 {
        // the last run may have delivered it
        if self.is_remembered(header.lane, place) || self.done.has(header.id) {
            return 0;
        }
        let is_found = self.unread.is_none_or(|unread| place < unread);
        if is_found || header.id >= self.counted_from {
            self.waiting.take(header);
        }
        u64::from(header.samples)
    }

    /// A file that cannot be read is not deleted, nor is what is in it taken for done.
    pub(super) fn keep(&mut self, first: u64) {
        if let Some(at) = place_of(&self.segments, first) {
            self.segments[at].live += 1;
        }
    }

    /// Takes out the last file too where nothing waits at all; returns its first number.
    pub(super) fn take_last(&mut self) -> Option<u64> {
        let is_live = self.segments.iter().any(|segment| segment.live > 0);
        if is_live || self.unread.is_some() || self.first_aside().is_some() || self.segments.len() > 1 {
            return None;
        }
        let last = self.segments.pop_front()?;
        self.done.add(last.first, self.next);
        Some(last.first)
    }

    /// Takes out the files of which nothing waits any more, but the one that is written to; returns their first numbers.
    pub(super) fn take_done(&mut self) -> Vec<u64> {
        let unread = self.unread.into_iter().chain(self.first_aside()).min();
        let unread = unread.map_or(u64::MAX, |place| place.segment);
        let firsts: Vec<u64> = self.segments.iter().map(|segment| segment.first).collect();
        let mut gone = Vec::new();
        for (at, (first, next)) in firsts.iter().zip(firsts.iter().skip(1)).enumerate() {
            if *first < unread && self.segments[at].live == 0 {
                self.done.add(*first, *next);
                gone.push(*first);
            }
        }
        self.segments.retain(|segment| !gone.contains(&segment.first));
        gone
    }
}

fn place_of(segments: &VecDeque<Segment>, first: u64) -> Option<usize> {
    segments.binary_search_by_key(&first, |segment| segment.first).ok()
}
