//! A sparse array: what nobody wrote to takes no memory.

/// Entries of a page: few, as each shard of each scope has a page for one group, too.
const PAGE: usize = 32;

/// Entries by number; those that were not written are `empty`.
pub(super) struct Pages<T> {
    pages: Vec<Option<Box<[T; PAGE]>>>,
    /// Pages that are there.
    written: usize,
    empty: T,
}

impl<T: Copy> Pages<T> {
    pub(super) fn new(empty: T) -> Self {
        Self { pages: Vec::new(), written: 0, empty }
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> T {
        let at = at as usize;
        match self.pages.get(at / PAGE) {
            Some(Some(page)) => page[at % PAGE],
            _ => self.empty,
        }
    }

    #[inline]
    pub(super) fn entry(&mut self, at: u32) -> &mut T {
        let at = at as usize;
        if self.pages.len() <= at / PAGE {
            self.pages.resize_with(at / PAGE + 1, || None);
        }
        let Self { pages, written, empty } = self;
        let page = pages[at / PAGE].get_or_insert_with(|| {
            *written += 1;
            Box::new([*empty; PAGE])
        });
        &mut page[at % PAGE]
    }

    /// All entries of pages that were written to, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, T)> {
        let written = (0u32..).zip(&self.pages).filter_map(|(number, page)| Some((number, page.as_ref()?)));
        written.flat_map(|(number, page)| (number * PAGE as u32..).zip(page.iter().copied()))
    }

    pub(super) fn bytes(&self) -> usize {
        self.pages.capacity() * size_of::<Option<Box<[T; PAGE]>>>() + self.written * size_of::<[T; PAGE]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_and_the_rest_is_empty() {
        let mut pages = Pages::new(7u8);
        *pages.entry(3) = 1;
        *pages.entry(100_000) = 2;
        assert_eq!((pages.get(3), pages.get(4), pages.get(100_000), pages.get(1 << 30)), (1, 7, 2, 7));
        assert_eq!(pages.iter().filter(|(_, value)| *value != 7).collect::<Vec<_>>(), [(3, 1), (100_000, 2)]);
        assert_eq!(pages.bytes(), pages.pages.capacity() * 8 + 2 * PAGE);
    }
}
