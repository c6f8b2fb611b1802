//! The text of the file, for excerpts: one line, its secrets masked, and where the caret goes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::cited::cited;
use super::lines::lines;
use super::mask::{self, Guarded};
use super::position::Position;
use super::yaml::MERGE_KEY;

/// Stands for a secret. Of one length, whatever the secret's.
pub(super) const MASK: &str = "<secret>";
/// Longer lines are cut around the caret.
const MAX_WIDTH: usize = 120;

/// One line to show.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// Columns before the caret.
    pub(crate) caret: usize,
}

/// A config file's text.
pub(crate) struct Source<'a> {
    lines: Vec<&'a str>,
    /// For each line the characters that must not be shown.
    hidden: Vec<Vec<Range<usize>>>,
    /// Values that are known, and must not be shown whole.
    guarded: Vec<Guarded>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let lines = lines(text.trim_start_matches('\u{feff}'));
        let hidden = mask::hidden(&lines, &BTreeSet::new());
        Self { lines, hidden, guarded: Vec::new() }
    }

    /// Hides what must not be shown of these values.
    pub(crate) fn guard(&mut self, values: Vec<Guarded>) {
        self.guarded = values;
        self.hide(self.hidden.clone());
    }

    /// What a message about the value at this place must not repeat, in any form that it may do so.
    pub(crate) fn texts_not_shown(&self, position: Position) -> Vec<String> {
        let values = self.guarded.iter().filter(|value| value.from == position && !value.text.is_empty());
        values.flat_map(|value| [value.text.clone(), cited(&value.text)]).collect()
    }

    /// What is hidden is this, and what must not be shown of the values that are known.
    fn hide(&mut self, mut hidden: Vec<Vec<Range<usize>>>) {
        let from_0 = |n: u32| (n as usize).saturating_sub(1);
        let mut by_line: BTreeMap<usize, Vec<(Range<usize>, bool)>> = BTreeMap::new();
        for Guarded { from, to, is_url, .. } in &self.guarded {
            let (first, last) = (from_0(from.line), from_0(to.line).min(self.lines.len().saturating_sub(1)));
            for number in first..=last {
                let start = if number == first { from_0(from.column) } else { indent(self.lines[number]) };
                let end = if number == from_0(to.line) { from_0(to.column) } else { usize::MAX };
                by_line.entry(number).or_default().push((start..end.max(start), *is_url));
            }
        }
        for (number, values) in by_line {
            hidden[number].extend(mask::hidden_of(self.lines[number], values));
        }
        self.hidden = hidden.into_iter().map(mask::merged).collect();
    }

    /// Hides what stands behind these keys, too: they may be misspelt names of secrets.
    pub(crate) fn hide_behind(&mut self, keys: impl Iterator<Item = Position>) {
        let from_0 = |n: u32| (n as usize).saturating_sub(1);
        let places: BTreeSet<_> = keys.map(|key| (from_0(key.line), from_0(key.column))).collect();
        if !places.is_empty() {
            self.hide(mask::hidden(&self.lines, &places));
        }
    }

    /// Shows only what is surely no secret: the text is no valid YAML.
    pub(crate) fn distrust(&mut self) {
        self.hide(mask::hidden_strictly(&self.lines));
    }

    /// Whether a key was written as one: a word with a colon behind it. Without, it may be a value where a comma was one
    /// too many or a colon forgotten.
    pub(crate) fn is_key(&self, position: Position, key: &str) -> bool {
        let quotes = ['"', '\''];
        let behind = self.tail(position).and_then(|tail| tail.trim_start_matches(quotes).strip_prefix(key));
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_word = key == MERGE_KEY || key.chars().all(is_plain);
        is_word
            && behind.is_some_and(|behind| behind.trim_start_matches(quotes).trim_start().starts_with(':'))
    }

    /// Hides what stands at these places, to the end of their lines.
    pub(crate) fn conceal(&mut self, places: &[Position]) {
        for place in places {
            let [line, column] = [place.line, place.column].map(|n| (n as usize).saturating_sub(1));
            if let (Some(hidden), Some(text)) = (self.hidden.get_mut(line), self.lines.get(line)) {
                let all =
                    std::mem::take(hidden).into_iter().chain(std::iter::once(column..text.chars().count()));
                *hidden = mask::merged(all.collect());
            }
        }
    }

    /// Whether what stands at this place is not shown.
    pub(crate) fn hides(&self, position: Position) -> bool {
        let [line, column] = [position.line, position.column].map(|n| (n as usize).saturating_sub(1));
        position.is_known()
            && self.hidden.get(line).is_some_and(|hidden| hidden.iter().any(|range| range.contains(&column)))
    }

    /// Whether a part of what begins at this place, and may go on in the next line, is not shown.
    pub(crate) fn hides_part_of(&self, position: Position) -> bool {
        let [line, column] = [position.line, position.column].map(|n| (n as usize).saturating_sub(1));
        let hides = |line: usize, from: usize| {
            self.hidden.get(line).is_some_and(|hidden| hidden.iter().any(|range| range.end > from))
        };
        hides(line, column) || hides(line + 1, 0)
    }

    /// Whether there is nothing but comments.
    pub(crate) fn is_blank(&self) -> bool {
        self.lines
            .iter()
            .map(|line| line.trim())
            .all(|line| line.is_empty() || line.starts_with('#') || line == "---")
    }

    /// The text as written from `position` to the end of the line.
    pub(crate) fn tail(&self, position: Position) -> Option<&'a str> {
        let line = self.lines.get((position.line as usize).checked_sub(1)?)?;
        let skip = (position.column as usize).checked_sub(1)?;
        let start = line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(skip)?;
        line.get(start..)
    }

    /// The line at `position` without its comment, and nothing after `until` characters from there, if that is given.
    pub(crate) fn excerpt(&self, position: Position, until: Option<usize>) -> Option<Excerpt> {
        let index = (position.line as usize).checked_sub(1)?;
        let column = (position.column as usize).saturating_sub(1);
        let line = self.lines.get(index)?;
        let mut hidden = self.hidden.get(index).cloned().unwrap_or_default();
        let length = mask::without_comment(line);
        let end = until.map_or(length, |kept| (column + kept).min(length));
        hidden.retain(|range| range.start < end);
        let shown = masked(line, &hidden, column, end);
        Some(cropped(shown, end < length))
    }
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// An excerpt of a text that is not a line of the file, with the caret at a byte offset.
pub(crate) fn excerpt_of(text: &str, offset: usize) -> Excerpt {
    let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    let line = &text[start..end];
    let column = text[start..offset].chars().count();
    cropped(masked(line, &[], column, line.chars().count()), false)
}

fn masked(line: &str, hidden: &[Range<usize>], column: usize, end: usize) -> Excerpt {
    let mut text = String::new();
    let (mut width, mut caret) = (0, None);
    let mut ahead = hidden.iter().peekable();
    for (at, c) in line.chars().enumerate().take(end) {
        if at == column {
            caret = caret.or(Some(width));
        }
        // they are sorted, and none overlaps another
        while ahead.next_if(|range| range.end <= at).is_some() {}
        match ahead.peek().filter(|range| range.contains(&at)) {
            Some(range) if range.start == at => {
                if range.contains(&column) {
                    caret = Some(width);
                }
                text.push_str(MASK);
                width += MASK.len();
            }
            Some(_) => {}
            // A tab or a control character would put the caret at the wrong place, or worse.
            None => {
                let shown = match c {
                    '\t' => ' ',
                    c if c.is_control() => char::REPLACEMENT_CHARACTER,
                    c => c,
                };
                text.push(shown);
                width += columns(shown);
            }
        }
    }
    Excerpt { text, caret: caret.unwrap_or(width) }
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
