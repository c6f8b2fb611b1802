//! The bracket that was forgotten. What the parser stumbles over stands lines behind it.

use crate::config::lines::lines;
use crate::config::position::Position;

/// Of the brackets that are `open` at `failure`, the innermost before a line that stands where no line inside of it would: as far
/// left as the line of the bracket, and no bracket itself.
pub(super) fn unclosed(
    text: &str,
    open: impl DoubleEndedIterator<Item = Position>,
    failure: Position,
) -> Option<Position> {
    let lines = lines(text);
    let line = |number: u32| (number as usize).checked_sub(1).and_then(|at| lines.get(at)).copied();
    let is_outside = |opens: Position| {
        let own = line(opens.line).map_or(0, indent);
        let within = (opens.line + 1..=failure.line).filter_map(line).filter(|line| !line.trim().is_empty());
        within
            .into_iter()
            .any(|line| indent(line) <= own && !line.trim_start().starts_with([']', '}', '#', ',']))
    };
    open.rev().find(|opens| opens.line < failure.line && is_outside(*opens))
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).count()
}
