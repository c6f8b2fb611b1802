//! One line of a text to show: what is hidden of it masked, cut around the caret. The work is that of the part that is shown,
//! however long the line.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::source::MASK;

/// Longer lines are cut around the caret.
const MAX_WIDTH: usize = 120;
/// Columns on each side of the caret behind which nothing is looked at: more than are shown.
const LOOKED_AT: usize = 2 * MAX_WIDTH;
/// Characters between two whose places are known.
const STEP: usize = 128;

/// One line to show.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// Columns before the caret.
    pub(crate) caret: usize,
}

/// Where the characters of a line stand.
pub(super) struct Places(Vec<usize>);

impl Places {
    pub(super) fn of(line: &str) -> Self {
        if line.len() < STEP {
            return Self(Vec::new());
        }
        Self(line.char_indices().map(|(byte, _)| byte).step_by(STEP).skip(1).collect())
    }

    /// The byte at which a character of this line begins; the one behind the last has one, too.
    pub(super) fn byte(&self, line: &str, column: usize) -> Option<usize> {
        let known = (column / STEP).min(self.0.len());
        let from = known.checked_sub(1).map_or(0, |n| self.0[n]);
        let mut behind = line[from..].char_indices().map(|(at, _)| from + at).chain([line.len()]);
        behind.nth(column - known * STEP)
    }
}

/// A line with what must not be shown of it, sorted and without overlaps, up to the character `end`.
pub(super) struct Shown<'a> {
    pub(super) line: &'a str,
    pub(super) places: &'a Places,
    pub(super) hidden: &'a [Range<usize>],
    pub(super) end: usize,
}

impl Shown<'_> {
    /// The line with the caret at a character.
    pub(super) fn excerpt(&self, column: usize, more_follows: bool) -> Excerpt {
        cropped(self.masked(column), more_follows)
    }

    fn byte(&self, column: usize) -> usize {
        self.places.byte(self.line, column).unwrap_or(self.line.len())
    }

    /// The range that hides a character.
    fn hiding(&self, at: usize) -> Option<&Range<usize>> {
        let next = self.hidden.partition_point(|range| range.end <= at);
        self.hidden.get(next).filter(|range| range.contains(&at))
    }

    /// Where it is begun to look: a character, and its byte.
    fn start(&self, column: usize) -> (usize, usize) {
        let mut at = column.min(self.end);
        let (mut byte, mut width) = (self.byte(at), 0);
        while width < LOOKED_AT && at > 0 {
            if let Some(range) = self.hiding(at - 1) {
                at = range.start;
                byte = self.byte(at);
                width += MASK.len();
            } else {
                let Some(c) = self.line[..byte].chars().next_back() else { break };
                byte -= c.len_utf8();
                at -= 1;
                width += columns(c);
            }
        }
        (at, byte)
    }

    fn masked(&self, column: usize) -> Excerpt {
        let (mut at, mut byte) = self.start(column);
        let (mut text, mut width, mut caret) = (String::new(), 0, None);
        while at < self.end && caret.is_none_or(|caret| width < caret + LOOKED_AT) {
            if at == column {
                caret = caret.or(Some(width));
            }
            if let Some(range) = self.hiding(at) {
                if range.contains(&column) {
                    caret = Some(width);
                }
                text.push_str(MASK);
                width += MASK.len();
                at = range.end;
                byte = self.byte(at);
                continue;
            }
            let Some(c) = self.line[byte..].chars().next() else { break };
            // A tab or a control character would put the caret at the wrong place, or worse.
            let shown = match c {
                '\t' => ' ',
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            };
            text.push(shown);
            width += columns(shown);
            at += 1;
            byte += c.len_utf8();
        }
        Excerpt { text, caret: caret.unwrap_or(width) }
    }
}

/// An excerpt of a text that is not a line of the file, with the caret at a byte offset.
pub(crate) fn excerpt_of(text: &str, offset: usize) -> Excerpt {
    let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    let line = &text[start..end];
    let column = text[start..offset].chars().count();
    let shown = Shown { line, places: &Places::of(line), hidden: &[], end: line.chars().count() };
    shown.excerpt(column, false)
}

/// How wide a character is where it is shown.
fn columns(c: char) -> usize {
    c.width().unwrap_or(1)
}

fn cropped(mut excerpt: Excerpt, more_follows: bool) -> Excerpt {
    let width = excerpt.text.width();
    if width > MAX_WIDTH {
        let earliest = excerpt.caret.saturating_sub(MAX_WIDTH / 2).min(width - MAX_WIDTH);
        let (mut text, mut start, mut end) = (String::new(), 0, 0);
        for c in excerpt.text.chars() {
            end += columns(c);
            // a wide character is shown whole or not at all
            if end - columns(c) < earliest {
                start = end;
            } else if end - start <= MAX_WIDTH {
                text.push(c);
            }
        }
        if start > 0 {
            text.insert(0, '…');
            excerpt.caret = excerpt.caret - start + 1;
        }
        if start + MAX_WIDTH < width || more_follows {
            text.push('…');
        }
        excerpt.text = text;
    } else if more_follows {
        excerpt.text.push('…');
    }
    excerpt.text.truncate(excerpt.text.trim_end().len());
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_at_its_character_wherever_a_long_line_is_cut() {
        let letters: Vec<char> =
            (0..2_000_u32).map(|n| char::from_u32(u32::from('一') + n).unwrap_or('x')).collect();
        let line: String = letters.iter().collect();
        let (places, hidden) = (Places::of(&line), [100..700, 900..901]);
        let shown = Shown { line: &line, places: &places, hidden: &hidden, end: letters.len() };
        for (column, c) in letters.iter().enumerate() {
            let Excerpt { text, caret } = shown.excerpt(column, false);
            let is_hidden = hidden.iter().any(|range| range.contains(&column));
            let mut width = 0;
            let behind = text.char_indices().find(|(_, c)| {
                width += columns(*c);
                width > caret
            });
            let behind = behind.map_or("", |(at, _)| &text[at..]);
            let expected = if is_hidden { MASK.to_owned() } else { c.to_string() };
            assert!(behind.starts_with(&expected), "{column}: {text} {caret}");
            assert!(text.width() <= MAX_WIDTH + 2, "{column}: {text}");
        }
    }

    #[test]
    fn each_character_of_a_line_has_its_byte() {
        let line = "aé一".repeat(200);
        let places = Places::of(&line);
        for (column, (byte, _)) in line.char_indices().enumerate() {
            assert_eq!(places.byte(&line, column), Some(byte));
        }
        assert_eq!((places.byte(&line, 600), places.byte(&line, 601)), (Some(line.len()), None));
    }
}
