//! What a series of remote write 2.0 is known by before its texts are put together: the hashes of its texts, in order.
//!
//! Each text of a request is hashed once, and NH runs over the hashes of names and values, which costs less than reading
//! the labels would. The result is no identity: it is looked up in the index's memo of spellings, which leads to one. The keys are
//! drawn for each process, and both levels have their own, so that the bounds of [`super`] add up: two spellings look
//! alike with twice the probability of two identities.

use super::{BLOCK_WORDS, Fingerprint, Fingerprinter, TenantKey, product};

/// The hash of a text: one word for each lane, and between them its length, so that compilers do not take both for a
/// vector, which costs more than it saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TextHash {
    first: u64,
    bytes: u64,
    second: u64,
}

/// A sum of 128 bits, in two words for the same reason.
#[derive(Clone, Copy, Default)]
struct Sum(u64, u64);

impl Sum {
    #[inline(always)]
    fn add(&mut self, product: u128) {
        let (low, carry) = self.0.overflowing_add(product as u64);
        *self = Self(low, self.1.wrapping_add((product >> 64) as u64).wrapping_add(u64::from(carry)));
    }

    #[inline(always)]
    fn take(&mut self, product: u128) {
        let (low, borrow) = self.0.overflowing_sub(product as u64);
        *self = Self(low, self.1.wrapping_sub((product >> 64) as u64).wrapping_sub(u64::from(borrow)));
    }

    fn whole(self) -> u128 {
        u128::from(self.1) << 64 | u128::from(self.0)
    }
}

/// The keyed hashes of texts, and of labels made of them.
pub struct Speller {
    texts: Fingerprinter,
    labels: Fingerprinter,
}

impl Speller {
    /// Labels of a series at most.
    pub const MOST_LABELS: usize = BLOCK_WORDS / 2;

    /// With keys of its own; where the operating system has no random numbers any more, with these, which are as secret.
    pub fn random(otherwise: &Fingerprinter) -> Self {
        let keys = || Fingerprinter::random().unwrap_or_else(|_| otherwise.clone());
        Self { texts: keys(), labels: keys() }
    }

    /// The hash of a text.
    #[inline]
    pub fn text(&self, text: &[u8]) -> TextHash {
        let [first, second] = self.texts.lanes(text, TenantKey::default());
        TextHash { first, bytes: text.len() as u64, second }
    }

    /// What goes into all spellings of a scope.
    pub fn scope(&self, tenant: TenantKey) -> SpelledScope {
        SpelledScope(std::array::from_fn(|lane| {
            let [.., key] = self.labels.ends[lane].words;
            self.labels.ends[lane].add.wrapping_add(key.wrapping_mul(u128::from(tenant.0[lane])))
        }))
    }
}

/// What goes into all spellings of a scope.
#[derive(Clone, Copy, Debug)]
pub struct SpelledScope([u128; 2]);

/// The labels of a series, each by the places of its name and its value among texts. Made to be changed to the next
/// series, which shares most of them.
#[derive(Clone, Copy, Default)]
pub struct Spelling {
    sums: [Sum; 2],
    labels: usize,
    bytes: u64,
    /// A text is not there, or there are more labels than keys.
    fails: bool,
}

impl Spelling {
    /// Another label at this place: what it was and what it is.
    #[inline]
    pub fn change(
        &mut self,
        (speller, texts): (&Speller, &[TextHash]),
        at: usize,
        was: Option<(u32, u32)>,
        is: Option<(u32, u32)>,
    ) {
        let Some([keys, next]) = speller.labels.pairs.get(at..at + 2) else {
            self.fails = true;
            return;
        };
        // the lanes have other hashes of the texts, and keys that are one pair apart
        let products = |name: &TextHash, value: &TextHash| {
            [
                product(name.first.wrapping_add(keys[0]), value.first.wrapping_add(keys[1])),
                product(name.second.wrapping_add(next[0]), value.second.wrapping_add(next[1])),
            ]
        };
        let find = |(name, value): (u32, u32)| Some((texts.get(name as usize)?, texts.get(value as usize)?));
        if let Some((name, value)) = was.and_then(find) {
            let [first, second] = products(name, value);
            self.sums[0].take(first);
            self.sums[1].take(second);
            self.bytes -= name.bytes + value.bytes;
            self.labels -= 1;
        }
        match is.map(find) {
            Some(Some((name, value))) => {
                let [first, second] = products(name, value);
                self.sums[0].add(first);
                self.sums[1].add(second);
                self.bytes += name.bytes + value.bytes;
                self.labels += 1;
            }
            Some(None) => self.fails = true,
            None => {}
        }
    }

    /// What the series is known by, and the bytes of its texts. `None` where one of them is not there, or it has more labels
    /// than there are keys.
    #[inline]
    pub fn finish(&self, speller: &Speller, scope: SpelledScope) -> Option<(Fingerprint, usize)> {
        if self.fails {
            return None;
        }
        let [high, low] = std::array::from_fn(|lane| {
            let sum = self.sums[lane].whole();
            let [low, high, _, length, _] = speller.labels.ends[lane].words;
            let inputs = [(low, sum as u64), (high, (sum >> 64) as u64), (length, self.labels as u64)];
            let sum = inputs.iter().fold(scope.0[lane], |sum, (key, input)| {
                sum.wrapping_add(key.wrapping_mul(u128::from(*input)))
            });
            (sum >> 64) as u64
        });
        Some((Fingerprint { high, low: (low >> 32) as u32 }, self.bytes as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(speller: &Speller, labels: &[(&str, &str)], tenant: TenantKey) -> Option<Fingerprint> {
        let texts: Vec<_> = labels.iter().flat_map(|(name, value)| [name, value]).collect();
        let texts: Vec<_> = texts.iter().map(|text| speller.text(text.as_bytes())).collect();
        let mut spelling = Spelling::default();
        for at in 0..labels.len() {
            let label = (2 * at as u32, 2 * at as u32 + 1);
            spelling.change((speller, &texts), at, None, Some(label));
        }
        let (fingerprint, bytes) = spelling.finish(speller, speller.scope(tenant))?;
        assert_eq!(bytes, labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>());
        Some(fingerprint)
    }

    #[test]
    fn a_series_changed_to_the_next_is_spelled_as_if_it_were_the_first() {
        let speller = Speller::random(&Fingerprinter::from_seed(1));
        let scope = speller.scope(TenantKey([3, 4]));
        let texts: Vec<_> = (0..9u8).map(|text| speller.text(&[b'x'; 9][..usize::from(text)])).collect();
        let with = (&speller, &texts[..]);
        let all = [vec![(1, 2), (3, 4)], vec![(1, 5), (3, 4), (6, 7)], vec![(1, 5)], vec![], vec![(8, 8)]];
        let (mut changed, mut before) = (Spelling::default(), Vec::new());
        for labels in all {
            let mut alone = Spelling::default();
            for at in 0..labels.len().max(before.len()) {
                changed.change(with, at, before.get(at).copied(), labels.get(at).copied());
            }
            labels.iter().enumerate().for_each(|(at, label)| alone.change(with, at, None, Some(*label)));
            assert_eq!(changed.finish(&speller, scope), alone.finish(&speller, scope), "{labels:?}");
            before = labels;
        }
    }

    #[test]
    fn a_spelling_is_told_by_each_text_its_place_its_number_and_the_scope() {
        let speller = Speller::random(&Fingerprinter::from_seed(1));
        let (here, there) = (TenantKey([1, 2]), TenantKey([1, 3]));
        let labels = [("a", "b"), ("c", "d"), ("e", "f")];
        let one = spell(&speller, &labels, here);
        assert_eq!(one, spell(&speller, &labels, here), "the same again");
        let others: [&[(&str, &str)]; 8] = [
            &[],
            &[("a", "b"), ("c", "d")],
            &[("a", "b"), ("c", "d"), ("e", "f"), ("", "")],
            &[("c", "d"), ("a", "b"), ("e", "f")],
            &[("b", "a"), ("c", "d"), ("e", "f")],
            &[("a", "d"), ("c", "b"), ("e", "f")],
            &[("ab", ""), ("c", "d"), ("e", "f")],
            &[("a", "b"), ("c", "d"), ("e", "g")],
        ];
        for other in others {
            let other = spell(&speller, other, here);
            assert!(other.is_some());
            assert_ne!(one, other);
        }
        assert_ne!(one, spell(&speller, &labels, there), "another scope");
    }

    #[test]
    fn as_many_labels_as_there_are_keys_are_told_apart_and_not_one_more() {
        let speller = Speller::random(&Fingerprinter::from_seed(1));
        let mut labels = [("a", "b"); Speller::MOST_LABELS + 1];
        let tenant = TenantKey::default();
        assert_eq!(spell(&speller, &labels, tenant), None);
        let most = Speller::MOST_LABELS;
        let before = spell(&speller, &labels[..most], tenant);
        labels[most - 1] = ("a", "c");
        assert!(before.is_some());
        assert_ne!(before, spell(&speller, &labels[..most], tenant));
    }

    #[test]
    fn a_text_that_is_not_there_makes_no_spelling() {
        let speller = Speller::random(&Fingerprinter::from_seed(1));
        let texts = [speller.text(b"a")];
        let mut spelling = Spelling::default();
        spelling.change((&speller, &texts), 0, None, Some((0, 1)));
        assert_eq!(spelling.finish(&speller, speller.scope(TenantKey::default())), None);
    }
}
