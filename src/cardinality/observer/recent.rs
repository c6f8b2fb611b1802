//! What filters answered a moment ago.

/// Answers kept; a power of two.
const PLACES: usize = 1024;

/// Keys with a yes or a no each, the newest of those that share a place. A key is known by its first 63 bits.
#[derive(Default)]
pub(in crate::cardinality) struct Recent(Vec<u64>);

impl Recent {
    pub(in crate::cardinality) fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Whether the answer for a key is known.
    #[inline]
    pub(in crate::cardinality) fn has(&self, key: u64) -> bool {
        self.0.get(place_of(key)).is_some_and(|place| *place | 1 == key | 1)
    }

    /// Takes over an answer.
    #[inline]
    pub(in crate::cardinality) fn put(&mut self, key: u64, answer: bool) {
        if let Some(place) = self.0.get_mut(place_of(key)) {
            *place = key & !1 | u64::from(answer);
        }
    }

    /// The answer for a key, asked for where it is not known.
    #[inline]
    pub(in crate::cardinality) fn get_or(&mut self, key: u64, ask: impl FnOnce() -> bool) -> bool {
        if self.0.is_empty() {
            self.0.resize(PLACES, 0);
        }
        let place = &mut self.0[place_of(key)];
        // a place that holds nothing holds 0
        if *place | 1 != key | 1 || *place == 0 {
            *place = key & !1 | u64::from(ask());
        }
        *place & 1 != 0
    }
}

fn place_of(key: u64) -> usize {
    (key >> 32) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_asked_about_once_until_another_takes_its_place() {
        let mut recent = Recent::default();
        let (one, same_place) = (7 << 32 | 2, 7 << 32 | 4);
        assert!(recent.get_or(one, || true) && recent.get_or(one, || unreachable!()));
        assert!(!recent.get_or(same_place, || false) && !recent.get_or(same_place, || unreachable!()));
        assert!(!recent.get_or(one, || false));
        recent.put(one, true);
        assert!(recent.get_or(one, || unreachable!()));
        recent.clear();
        assert!(recent.get_or(one, || true));
        // nothing is known of a key that looks like nothing
        assert!(!recent.get_or(0, || false) && recent.get_or(0, || true));
    }
}
