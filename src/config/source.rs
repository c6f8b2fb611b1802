//! The text of the file, for excerpts: one line, its secrets masked, and where the caret goes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::cited::cited;
use super::excerpt::{Excerpt, Places, Shown};
use super::lines::lines;
use super::mask::{self, Guarded};
use super::position::Position;
use super::yaml::MERGE_KEY;

/// Stands for a secret. Of one length, whatever the secret's.
pub(super) const MASK: &str = "<secret>";

/// A config file's text.
pub(crate) struct Source<'a> {
    lines: Vec<&'a str>,
    /// For each line where its characters stand.
    places: Vec<Places>,
    /// How many characters of lines may be shown, of those that were asked for.
    lengths: RefCell<BTreeMap<usize, usize>>,
    /// For each line the characters that must not be shown.
    hidden: Vec<Vec<Range<usize>>>,
    /// Values that are known, and must not be shown whole.
    guarded: Vec<Guarded>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let lines = lines(text.trim_start_matches('\u{feff}'));
        let hidden = mask::hidden(&lines, &BTreeSet::new());
        let places = lines.iter().map(|line| Places::of(line)).collect();
        Self { lines, places, lengths: RefCell::default(), hidden, guarded: Vec::new() }
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
        let mut first: BTreeMap<usize, usize> = BTreeMap::new();
        for place in places {
            let [line, column] = [place.line, place.column].map(|n| (n as usize).saturating_sub(1));
            first.entry(line).and_modify(|known| *known = column.min(*known)).or_insert(column);
        }
        for (line, column) in first {
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
        // they are sorted, and none overlaps another
        let hides = |hidden: &Vec<Range<usize>>| {
            let next = hidden.partition_point(|range| range.end <= column);
            hidden.get(next).is_some_and(|range| range.contains(&column))
        };
        position.is_known() && self.hidden.get(line).is_some_and(hides)
    }

    /// Whether a part of what begins at this place, and may go on in the next line, is not shown.
    pub(crate) fn hides_part_of(&self, position: Position) -> bool {
        let [line, column] = [position.line, position.column].map(|n| (n as usize).saturating_sub(1));
        let hides = |line: usize, from: usize| {
            self.hidden.get(line).and_then(|hidden| hidden.last()).is_some_and(|range| range.end > from)
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
        let index = (position.line as usize).checked_sub(1)?;
        let line = self.lines.get(index)?;
        let start = self.places.get(index)?.byte(line, (position.column as usize).checked_sub(1)?)?;
        line.get(start..)
    }

    /// The line at `position` without its comment, and nothing after `until` characters from there, if that is given.
    pub(crate) fn excerpt(&self, position: Position, until: Option<usize>) -> Option<Excerpt> {
        let index = (position.line as usize).checked_sub(1)?;
        let column = (position.column as usize).saturating_sub(1);
        let line = self.lines.get(index)?;
        let hidden = self.hidden.get(index).map_or(&[][..], Vec::as_slice);
        let mut lengths = self.lengths.borrow_mut();
        let length = *lengths.entry(index).or_insert_with(|| mask::without_comment(line));
        let end = until.map_or(length, |kept| (column + kept).min(length));
        let hidden = &hidden[..hidden.partition_point(|range| range.start < end)];
        let shown = Shown { line, places: self.places.get(index)?, hidden, end };
        Some(shown.excerpt(column, end < length))
    }
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}
