//! The signs of a line by which URLs end, found once: a line may hold many URLs.

use std::ops::Range;

use super::comment;

/// Where the signs stand, each kind in the order of the line.
pub(super) struct Signs {
    pub(super) ats: Vec<usize>,
    blanks: Vec<usize>,
    queries: Vec<usize>,
    /// What closes a value in brackets, or the brackets.
    closers: Vec<usize>,
    /// The brace that closes a `${NAME}` and might close a value, with the place of the other one.
    variables: Vec<Range<usize>>,
    first_bracket: usize,
    /// Texts in quotes.
    quoted: Vec<Range<usize>>,
    comment: Option<usize>,
}

impl Signs {
    pub(super) fn of(line: &[char]) -> Self {
        let mut signs = Self {
            ats: Vec::new(),
            blanks: Vec::new(),
            queries: Vec::new(),
            closers: Vec::new(),
            variables: Vec::new(),
            first_bracket: line.iter().position(|c| matches!(c, '{' | '[')).unwrap_or(line.len()),
            quoted: comment::quoted(line),
            comment: comment::start(line),
        };
        let mut brace = None;
        for (at, c) in line.iter().enumerate() {
            let is_last =
                || line.get(at + 1).is_none_or(|c| c.is_whitespace() || matches!(c, ',' | '}' | ']'));
            let variable = brace.filter(|open| *open > 0 && line[*open] == '{' && line[open - 1] == '$');
            match c {
                '@' => signs.ats.push(at),
                '?' => signs.queries.push(at),
                c if c.is_whitespace() => signs.blanks.push(at),
                '}' if is_last() => match variable {
                    Some(open) => signs.variables.push(open..at),
                    None => signs.closers.push(at),
                },
                ',' | ']' if is_last() => signs.closers.push(at),
                _ => {}
            }
            if matches!(c, '{' | '}') {
                brace = Some(at);
            }
        }
        signs
    }

    /// Where the text ends in which a URL stands; `colon` is behind its scheme.
    pub(super) fn end(&self, line: &[char], colon: usize) -> usize {
        let word = line[..colon].iter().rev().take_while(|c| c.is_ascii_alphanumeric()).count();
        let start = colon - word;
        // in quotes of its own only these end it; a quote in it is a part of it
        if let Some(end) = start.checked_sub(1).and_then(|quote| comment::closing_quote(line, quote)) {
            return end;
        }
        let next = self.quoted.partition_point(|text| text.end <= start);
        if let Some(text) = self.quoted.get(next).filter(|text| text.contains(&start)) {
            return self.word_end(start, text.end);
        }
        let bound = self.comment.filter(|bound| *bound > start).unwrap_or(line.len());
        let in_flow = self.first_bracket < start;
        let closer = self.closer(start).filter(|closer| in_flow && *closer < bound);
        self.word_end(start, closer.unwrap_or(bound))
    }

    /// What closes the value that is being read at `start`.
    fn closer(&self, start: usize) -> Option<usize> {
        let variable = self.variables.get(self.variables.partition_point(|text| text.end < start));
        // of a variable that begins before, only the brace that closes it is left
        let brace = variable.filter(|text| text.start <= start).map(|text| text.end);
        next_of(&self.closers, start).into_iter().chain(brace).min()
    }

    /// The end of the word that begins at `start`. A user and a query may have blanks in them by mistake.
    fn word_end(&self, start: usize, bound: usize) -> usize {
        let from = last_in(&self.ats, start..bound).unwrap_or(start);
        let end = next_of(&self.blanks, from).filter(|blank| *blank < bound).unwrap_or(bound);
        if last_in(&self.queries, start..end).is_some() { bound } else { end }
    }
}

fn next_of(places: &[usize], from: usize) -> Option<usize> {
    places.get(places.partition_point(|at| *at < from)).copied()
}

/// The last of some places that stands in a range.
pub(super) fn last_in(places: &[usize], range: Range<usize>) -> Option<usize> {
    let last = places.partition_point(|at| *at < range.end).checked_sub(1)?;
    places.get(last).copied().filter(|at| *at >= range.start)
}
