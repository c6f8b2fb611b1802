//! Whether a key was there within the last one to two windows: Bloom filters in layers.
//!
//! Each layer is a blocked filter (Putze, Sanders, Singler 2007): all bits of a key stand in one block of a cache line's size,
//! so that a question costs one miss a layer. What is full is followed by a layer of twice the size: four times would mean fewer layers, but where
//! everything is new a gate near its limit of memory would jump over it. A window begins with room for what the one before had.

use std::collections::VecDeque;

use crate::series::prefetch::prefetch;

/// Words of 64 bits in a block: one cache line.
const BLOCK_WORDS: usize = 8;
/// Bits set for a key, in its block.
const PROBES: u32 = 6;
/// Bits that a layer has for each key it takes: few of the answers of a full one are wrong.
const BITS_A_KEY: usize = 14;
/// The first layer of an empty filter, in blocks: 8 KiB.
const FIRST_BLOCKS: usize = 128;

/// Keys of the last windows.
#[derive(Debug)]
pub(in crate::cardinality) struct Seen {
    /// Oldest first.
    layers: VecDeque<Layer>,
    window: u32,
    /// Keys of the window before.
    former: usize,
    max_bytes: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Layer {
    words: Box<[u64]>,
    keys: usize,
    window: u32,
}

impl Seen {
    /// A filter that grows to `max_bytes`; beyond that the oldest layer is forgotten early.
    pub(in crate::cardinality) fn new(max_bytes: usize) -> Self {
        Self { layers: VecDeque::new(), window: 0, former: 0, max_bytes, dropped: 0 }
    }

    /// Whether a key was there; a false yes is possible, a false no is not.
    pub(in crate::cardinality) fn contains(&self, key: u64) -> bool {
        self.layers.iter().rev().any(|layer| layer.contains(key))
    }

    /// Brings in what a question about a key will look at.
    pub(in crate::cardinality) fn prefetch(&self, key: u64) {
        self.layers.iter().for_each(|layer| prefetch(&layer.words[layer.block(key)]));
    }

    /// Whether a key was there; it is from now on, for this window and the next.
    pub(in crate::cardinality) fn check_and_insert(&mut self, key: u64) -> bool {
        let current = self.window;
        if self.layers.iter().rev().take_while(|layer| layer.window == current).any(|l| l.contains(key)) {
            return true;
        }
        let before = self.layers.iter().any(|layer| layer.window != current && layer.contains(key));
        let full = self.layers.back().is_none_or(|layer| layer.window != current || layer.is_full());
        if full {
            self.add_layer();
        }
        if let Some(layer) = self.layers.back_mut() {
            layer.insert(key);
        }
        before
    }

    /// Begins a new window: what was in none of the last two is forgotten.
    pub(in crate::cardinality) fn rotate(&mut self) {
        self.former = self.keys();
        self.window = self.window.wrapping_add(1);
        let kept = self.window.wrapping_sub(1);
        self.layers.retain(|layer| layer.window == kept);
    }

    /// Forgets everything, and begins a new window.
    pub(in crate::cardinality) fn clear(&mut self) {
        self.former = self.keys();
        self.layers.clear();
    }

    /// Keys that came in this window.
    fn keys(&self) -> usize {
        self.layers.iter().filter(|layer| layer.window == self.window).map(|layer| layer.keys).sum()
    }

    /// Memory held.
    pub(in crate::cardinality) fn bytes(&self) -> usize {
        self.layers.iter().map(Layer::bytes).sum()
    }

    /// Grows to `max_bytes` from now on. Where that is less than is held, the oldest layers are forgotten; the last one stays
    /// until it is full.
    pub(in crate::cardinality) fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
        self.make_room();
    }

    /// Layers that were forgotten before their time because there was no room.
    pub(in crate::cardinality) fn dropped_layers(&self) -> u64 {
        self.dropped
    }

    /// A layer for the current window: twice the last one of it, or as large as what the window before held.
    fn add_layer(&mut self) {
        let current = self.window;
        let grown = self.layers.back().filter(|layer| layer.window == current);
        let blocks = match grown {
            Some(layer) => layer.words.len() / BLOCK_WORDS * 2,
            None => (self.former * BITS_A_KEY).div_ceil(BLOCK_WORDS * 64),
        };
        let most = (self.max_bytes / (BLOCK_WORDS * 8) / 2).max(1);
        let blocks = blocks.max(FIRST_BLOCKS).min(most);
        self.layers.push_back(Layer::new(blocks, current));
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.bytes() > self.max_bytes && self.layers.len() > 1 {
            self.layers.pop_front();
            self.dropped += 1;
        }
    }
}

impl Layer {
    fn new(blocks: usize, window: u32) -> Self {
        Self { words: vec![0; blocks * BLOCK_WORDS].into(), keys: 0, window }
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    fn is_full(&self) -> bool {
        self.keys * BITS_A_KEY >= self.words.len() * 64
    }

    /// The block of a key: its high half says which.
    fn block(&self, key: u64) -> usize {
        let blocks = self.words.len() / BLOCK_WORDS;
        (((key >> 32) * blocks as u64) >> 32) as usize * BLOCK_WORDS
    }

    fn contains(&self, key: u64) -> bool {
        let block = &self.words[self.block(key)..][..BLOCK_WORDS];
        bits(key).all(|(word, bit)| block[word] & bit != 0)
    }

    fn insert(&mut self, key: u64) {
        let at = self.block(key);
        let block = &mut self.words[at..][..BLOCK_WORDS];
        bits(key).for_each(|(word, bit)| block[word] |= bit);
        self.keys += 1;
    }
}

/// The bits of a key in its block, from its low half, nine bits of a mixed word for each.
fn bits(key: u64) -> impl Iterator<Item = (usize, u64)> {
    let mixed = (key & 0xffff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..PROBES).map(move |probe| {
        let bit = (mixed >> (10 + 9 * probe)) as usize % (BLOCK_WORDS * 64);
        (bit / 64, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: u64) -> u64 {
        let mut x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    #[test]
    fn it_never_says_no_wrongly_and_seldom_yes() {
        let mut seen = Seen::new(16 << 20);
        let false_yes = (0..300_000).filter(|i| seen.check_and_insert(key(*i))).count();
        assert!((0..300_000).all(|i| seen.contains(key(i))));
        let wrong = (1_000_000..1_200_000).filter(|i| seen.contains(key(*i))).count();
        println!(
            "{:.2}% and {:.2}% wrong, {} bytes",
            false_yes as f64 / 3000.0,
            wrong as f64 / 2000.0,
            seen.bytes()
        );
        assert!(wrong < 4000, "{wrong} of 200,000");
        assert!(seen.bytes() < 300_000 * 4, "{}", seen.bytes());
    }

    #[test]
    fn what_is_not_refreshed_is_forgotten_after_two_windows() {
        let mut seen = Seen::new(1 << 20);
        seen.check_and_insert(1);
        seen.check_and_insert(2);
        seen.rotate();
        assert!(seen.check_and_insert(1) && seen.contains(2));
        seen.rotate();
        assert!(seen.contains(1) && !seen.contains(2));
        seen.rotate();
        assert!(!seen.contains(1));
        assert_eq!(seen.bytes(), 0);
    }

    fn fill(seen: &mut Seen, keys: std::ops::Range<u64>) {
        for i in keys {
            seen.check_and_insert(key(i));
        }
    }

    #[test]
    fn it_becomes_smaller_and_larger_again() {
        let mut seen = Seen::new(1 << 20);
        fill(&mut seen, 0..300_000);
        let before = seen.bytes();
        assert!(before > 256 << 10, "{before}");
        seen.set_max_bytes(64 << 10);
        fill(&mut seen, 300_000..600_000);
        assert!(seen.bytes() <= 64 << 10 && seen.contains(key(599_999)), "{}", seen.bytes());
        seen.set_max_bytes(1 << 20);
        fill(&mut seen, 0..300_000);
        assert!(seen.bytes() > 256 << 10, "{}", seen.bytes());
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::new(64 << 10);
        for i in 0..1_000_000 {
            seen.check_and_insert(key(i));
        }
        assert!(seen.bytes() <= 64 << 10, "{}", seen.bytes());
        assert!(seen.dropped_layers() > 0 && seen.contains(key(999_999)));
    }
}
