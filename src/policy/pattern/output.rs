//! The pattern as Rust's engine reads it, and the open groups with what may be repeated next in each.

use regex_syntax::hir::ClassUnicode;
use regex_syntax::is_meta_character;

use super::flags::Flags;

/// Matches nothing, as classes of Go may. Not an empty class: the engine takes that for something of no length,
/// and tells the groups of a repetition around it differently.
const NOTHING: &str = r"(?:(?s:.)\A)";

#[derive(Debug)]
pub(super) struct Output {
    text: String,
    /// The pattern itself, and in it the groups that are open.
    groups: Vec<Group>,
}

/// What was written last, and a repetition would be of.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Where in what is written.
    start: usize,
    size: Size,
    /// Another repetition needs a group around it.
    repeated: bool,
}

/// Of an item or a group: the most that one way down leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Copies of the innermost by counted repetitions; uncounted ones are one.
    pub(super) copies: u32,
    /// Groups and repetitions within each other.
    pub(super) depth: u32,
}

const SMALLEST: Size = Size { copies: 1, depth: 0 };

#[derive(Debug)]
struct Group {
    /// Where it is opened in the user's pattern.
    offset: usize,
    /// What holds again after it.
    flags: Option<Flags>,
    start: usize,
    size: Size,
    last: Option<Item>,
}

impl Group {
    fn add(&mut self, item: Option<Item>) {
        if let Some(Item { size, .. }) = self.last {
            self.size.copies = self.size.copies.max(size.copies);
            self.size.depth = self.size.depth.max(size.depth);
        }
        self.last = item;
    }
}

impl Default for Output {
    fn default() -> Self {
        let whole = Group { offset: 0, flags: None, start: 0, size: SMALLEST, last: None };
        Self { text: String::new(), groups: vec![whole] }
    }
}

impl Output {
    /// Adds one item, written as it is.
    pub(super) fn add(&mut self, text: &str) {
        self.start_item();
        self.text.push_str(text);
    }

    pub(super) fn literal(&mut self, c: char) {
        self.start_item();
        push(&mut self.text, c);
    }

    pub(super) fn class(&mut self, class: &ClassUnicode) {
        match class.ranges() {
            [] => self.add(NOTHING),
            [one] if one.start() == one.end() => self.literal(one.start()),
            ranges => {
                self.start_item();
                self.text.push('[');
                for range in ranges {
                    push(&mut self.text, range.start());
                    if range.start() < range.end() {
                        self.text.push('-');
                        push(&mut self.text, range.end());
                    }
                }
                self.text.push(']');
            }
        }
    }

    fn start_item(&mut self) {
        let item = Item { start: self.text.len(), size: SMALLEST, repeated: false };
        self.current().add(Some(item));
    }

    pub(super) fn bar(&mut self) {
        self.text.push('|');
        self.current().add(None);
    }

    pub(super) fn open(&mut self, capturing: bool, offset: usize, flags: Flags) {
        let start = self.text.len();
        self.text.push_str(if capturing { "(" } else { "(?:" });
        self.groups.push(Group { offset, flags: Some(flags), start, size: SMALLEST, last: None });
    }

    /// The flags to go on with; none if no group is open.
    pub(super) fn close(&mut self) -> Option<Flags> {
        let flags = self.groups.last()?.flags?;
        let mut group = self.groups.pop()?;
        group.add(None);
        self.text.push(')');
        let size = Size { depth: group.size.depth + 1, ..group.size };
        self.current().add(Some(Item { start: group.start, size, repeated: false }));
        Some(flags)
    }

    /// Repeats the last item; `copies` of it, if they are counted. None if there is nothing to repeat.
    pub(super) fn repeat(&mut self, operator: &str, copies: Option<u32>) -> Option<Size> {
        let mut item = self.current().last?;
        if item.repeated {
            self.text.insert_str(item.start, "(?:");
            self.text.push(')');
        }
        self.text.push_str(operator);
        item.repeated = true;
        item.size.depth += 1;
        item.size.copies = match copies {
            None => item.size.copies,
            // Not there at all, and what is within does not count.
            Some(0) => 1,
            Some(copies) => item.size.copies.saturating_mul(copies),
        };
        self.current().last = Some(item);
        Some(item.size)
    }

    /// How many groups are open.
    pub(super) fn open_groups(&self) -> usize {
        self.groups.len() - 1
    }

    /// Where the innermost group is opened that nothing closed.
    pub(super) fn unclosed(&self) -> Option<usize> {
        self.groups.get(1..)?.last().map(|group| group.offset)
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn current(&mut self) -> &mut Group {
        // There is always the outermost, see `close`.
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }
}

/// The same in brackets or not.
fn push(text: &mut String, c: char) {
    if is_meta_character(c) {
        text.push('\\');
    }
    text.push(c);
}
