//! Mappings with keys of any name, such as headers: what is refused in one entry hides none of the others.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::{Walk, Within};

/// The visitor of such a mapping.
pub(super) struct Free<'w, V> {
    pub(super) visitor: V,
    pub(super) walk: &'w RefCell<Walk>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Free<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries { inner: entries, walk: self.walk, written: 0 })
    }
}

/// Its entries. Their places have numbers: a key may be a part of a secret.
struct Entries<'w, A> {
    inner: A,
    walk: &'w RefCell<Walk>,
    written: usize,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            let number = self.written.to_string();
            let place = self.walk.borrow().below(&number, &number);
            self.written += 1;
            let refused = self.walk.borrow_mut().enter(place);
            if !refused {
                let key = self.inner.next_key_seed(seed)?;
                if key.is_none() {
                    self.walk.borrow_mut().open.pop();
                }
                return Ok(key);
            }
            let skipped = self.inner.next_entry::<IgnoredAny, IgnoredAny>()?;
            self.walk.borrow_mut().open.pop();
            if skipped.is_none() {
                return Ok(None);
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.inner.next_value_seed(Within::new(seed, self.walk))?;
        self.walk.borrow_mut().open.pop();
        Ok(value)
    }
}
